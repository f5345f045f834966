/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands on DPDK's telemetry socket: what is counted, and what SAs have used up. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <rte_telemetry.h>

#include "control/steps.h"
#include "control/telemetry_writer.h"
#include "pipeline/generation.h"
#include "program.h"

/* DPDK's commands carry no argument of the program's, and come in threads of DPDK's: the lock is
 * held while one reads, so that nothing goes meanwhile. NULL: nothing is told any more. */
static struct spill_program *told_program;
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

/* ------------------------------------------------------------------------ what is counted */

/* Nothing, FAMILY, or FAMILY,MEMBER. */
static int tell_metrics(struct spill_program *program, const char *parameters,
                        struct rte_tel_data *data)
{
    struct spill_telemetry_writer writer;
    const char *comma;
    char family[32];

    if (parameters == NULL) {
        spill_telemetry_list(&writer, data);
        spill_program_write_metrics(program, NULL, &writer.writer);
        return 0;
    }
    comma = strchr(parameters, ',');
    snprintf(family, sizeof(family), "%.*s",
             comma != NULL ? (int)(comma - parameters) : (int)strlen(parameters), parameters);
    spill_telemetry_answer(&writer, data, comma != NULL ? comma + 1 : NULL);
    spill_program_write_metrics(program, family, &writer.writer);
    return writer.found ? 0 : -EINVAL;
}

static int show_metrics(const char *command, const char *parameters, struct rte_tel_data *data)
{
    int status = -EINVAL;

    (void)command;
    pthread_mutex_lock(&telling);
    if (told_program != NULL)
        status = tell_metrics(told_program, parameters, data);
    pthread_mutex_unlock(&telling);
    return status;
}

static int show_status(const char *command, const char *parameters, struct rte_tel_data *data)
{
    struct spill_telemetry_writer writer;
    int status = -EINVAL;

    (void)command, (void)parameters;
    pthread_mutex_lock(&telling);
    if (told_program != NULL) {
        spill_telemetry_values(&writer, data);
        spill_program_write_status(told_program, &writer.writer);
        status = 0;
    }
    pthread_mutex_unlock(&telling);
    return status;
}

/* One by one: the text of all may be longer than telemetry's texts are. */
static int show_set(const char *command, const char *parameters, struct rte_tel_data *data)
{
    char text[SPILL_PROGRAM_SET_SIZE] = "", *rest = text, *one;

    (void)command, (void)parameters;
    pthread_mutex_lock(&telling);
    if (told_program != NULL)
        spill_program_tell_set(told_program, text);
    pthread_mutex_unlock(&telling);
    rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
    while ((one = strsep(&rest, ",")) != NULL) {
        one += strspn(one, " ");
        if (*one != '\0')
            rte_tel_data_add_array_string(data, one);
    }
    return 0;
}

/* ----------------------------------------------------------------- security associations */

static int list_sas(const char *command, const char *parameters, struct rte_tel_data *data)
{
    (void)parameters;
    if (show_metrics(command, "sas", data) != 0)
        rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
    return 0;
}

static int tell_sa(struct spill_program *program, const char *name, struct rte_tel_data *data)
{
    const struct spill_generation *generation = spill_program_hold_generation(program);
    const struct spill_sa *sa = NULL;
    struct spill_telemetry_writer writer;

    if (generation != NULL && generation->sas != NULL)
        sa = spill_sa_set_find(generation->sas, name);
    if (sa != NULL) {
        spill_telemetry_values(&writer, data);
        spill_sa_write_use(sa, &writer.writer);
    }
    spill_program_release_generation(program);
    return sa != NULL ? 0 : -EINVAL;
}

static int show_sa(const char *command, const char *parameters, struct rte_tel_data *data)
{
    int status = -EINVAL;

    (void)command;
    pthread_mutex_lock(&telling);
    if (told_program != NULL && parameters != NULL)
        status = tell_sa(told_program, parameters, data);
    pthread_mutex_unlock(&telling);
    return status;
}

/* ---------------------------------------------------------------------------------- rules */

static int list_rules(const char *command, const char *parameters, struct rte_tel_data *data)
{
    (void)parameters;
    return show_metrics(command, "rules", data);
}

static int show_rule(const char *command, const char *parameters, struct rte_tel_data *data)
{
    struct spill_telemetry_writer writer;
    bool found = false;

    (void)command;
    pthread_mutex_lock(&telling);
    if (told_program != NULL && parameters != NULL) {
        spill_telemetry_values(&writer, data);
        found = spill_program_write_rule(told_program, parameters, &writer.writer);
    }
    pthread_mutex_unlock(&telling);
    return found ? 0 : -EINVAL;
}

/* ------------------------------------------------------------------------ from when to when */

static void tell_of(struct spill_program *program)
{
    pthread_mutex_lock(&telling);
    told_program = program;
    pthread_mutex_unlock(&telling);
}

void spill_program_end_telemetry(void)
{
    tell_of(NULL);
}

int spill_program_start_telemetry(struct spill_program *program, struct spill_error *error)
{
    tell_of(program);
    if (rte_telemetry_register_cmd("/spillway/metrics", show_metrics,
                                   "What is counted: families; their members, or values. "
                                   "Parameters: FAMILY[,MEMBER]") != 0 ||
        rte_telemetry_register_cmd("/spillway/status", show_status,
                                   "Version, state, configuration in force. No parameters.") != 0 ||
        rte_telemetry_register_cmd("/spillway/set", show_set,
                                   "What spillwayctl has set. No parameters.") != 0 ||
        rte_telemetry_register_cmd("/spillway/sas", list_sas,
                                   "Names of the security associations. No parameters.") != 0 ||
        rte_telemetry_register_cmd("/spillway/sa", show_sa,
                                   "What one has used up, and its lifetime. Parameters: NAME") !=
            0 ||
        rte_telemetry_register_cmd("/spillway/rules", list_rules,
                                   "Where the rules stand, as FILE:LINE. No parameters.") != 0 ||
        rte_telemetry_register_cmd("/spillway/rule", show_rule,
                                   "What one has decided. Parameters: FILE:LINE, its name, or "
                                   "default") != 0)
        return spill_error_set(error, "telemetry commands can't be registered");
    return 0;
}
