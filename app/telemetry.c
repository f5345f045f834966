/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands on DPDK's telemetry socket: what security associations have used up. */
#include <errno.h>

#include <rte_telemetry.h>

#include "base/dpdk_versions.h"
#include "pipeline/security.h"
#include "program.h"

/* DPDK's commands carry no argument of the program's. */
static struct spill_program *told_program;

static int list_sas(const char *command, const char *parameters, struct rte_tel_data *data)
{
    const struct spill_security *security = spill_program_hold_security(told_program);
    uint32_t i;

    (void)command;
    (void)parameters;
    rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
    for (i = 0; security != NULL && security->sas != NULL && i < security->sas->count; i++) {
        /* An answer holds so many; the report has all. */
        if (rte_tel_data_add_array_string(data, security->sas->list[i]->config.name) != 0)
            break;
    }
    spill_program_release_security(told_program);
    return 0;
}

static int tell_sa(const struct spill_sa *sa, struct rte_tel_data *data)
{
    struct spill_sa_use use = spill_sa_use(sa);

    rte_tel_data_start_dict(data);
    rte_tel_data_add_dict_string(data, "name", sa->config.name);
    rte_tel_data_add_dict_string(data, "direction",
                                 sa->config.direction == SPILL_SA_OUT ? "out" : "in");
    rte_tel_data_add_dict_string(data, "lifetime", spill_program_lifetime(&use));
    spill_dpdk_add_number(data, "spi", sa->config.spi);
    spill_dpdk_add_number(data, "packets", use.packets);
    spill_dpdk_add_number(data, "bytes", use.bytes);
    return 0;
}

static int show_sa(const char *command, const char *parameters, struct rte_tel_data *data)
{
    const struct spill_security *security = spill_program_hold_security(told_program);
    const struct spill_sa *sa = NULL;
    int status = -EINVAL;

    (void)command;
    if (parameters != NULL && security != NULL && security->sas != NULL)
        sa = spill_sa_set_find(security->sas, parameters);
    if (sa != NULL)
        status = tell_sa(sa, data);
    spill_program_release_security(told_program);
    return status;
}

int spill_program_start_telemetry(struct spill_program *program, struct spill_error *error)
{
    told_program = program;
    if (rte_telemetry_register_cmd("/spillway/sas", list_sas,
                                   "Names of the security associations. No parameters.") != 0 ||
        rte_telemetry_register_cmd("/spillway/sa", show_sa,
                                   "What one has used up, and its lifetime. Parameters: NAME") != 0)
        return spill_error_set(error, "telemetry commands can't be registered");
    return 0;
}
