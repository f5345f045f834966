/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/openmetrics.h"
#include "config/units.h"
#include "control/command_rows.h"
#include "control/log.h"
#include "control/stalls.h"
#include "control/steps.h"
#include "program.h"

/* How long a reload may wait to be confirmed. */
#define CONFIRM_LEAST_NS UINT64_C(1000000000)
#define CONFIRM_MOST_NS  UINT64_C(3600000000000)

typedef enum spill_command_result command_function(struct spill_program *program,
                                                   const char *argument, struct spill_json *answer,
                                                   struct spill_error *error);

struct spill_command {
    const char *name;
    const char *argument; /* NULL: none */
    command_function *function;
    bool reads;                             /* and changes nothing */
    const struct spill_watch_kind *watches; /* in place of the function; NULL: it does not */
};

/* --------------------------------------------------------------------------- what they do */

static enum spill_command_result reload(struct spill_program *program, const char *argument,
                                        struct spill_json *answer, struct spill_error *error)
{
    uint64_t confirm = 0;

    (void)answer;
    if (argument[0] != '\0' && (spill_units_parse_time(argument, &confirm, NULL) != 0 ||
                                confirm < CONFIRM_LEAST_NS || confirm > CONFIRM_MOST_NS)) {
        spill_error_set(error, "reload --confirm '%s': expected 1s to 1h, as 60s", argument);
        return SPILL_COMMAND_REFUSED;
    }
    if (confirm != 0) {
        program->confirm_ns = confirm;
        program->wanted[SPILL_WISH_TRIAL] = true;
    } else {
        program->wanted[SPILL_WISH_RELOAD] = true;
    }
    spill_event_notify(&program->reload_due);
    return confirm != 0 ? SPILL_COMMAND_TRIES : SPILL_COMMAND_RELOADS;
}

static enum spill_command_result check(struct spill_program *program, const char *argument,
                                       struct spill_json *answer, struct spill_error *error)
{
    (void)argument, (void)answer, (void)error;
    program->wanted[SPILL_WISH_CHECK] = true;
    spill_event_notify(&program->reload_due);
    return SPILL_COMMAND_CHECKS;
}

static enum spill_command_result confirm(struct spill_program *program, const char *argument,
                                         struct spill_json *answer, struct spill_error *error)
{
    (void)argument;
    if (spill_program_confirm(program, error) != 0)
        return SPILL_COMMAND_REFUSED;
    spill_json_string(answer, "text", "confirmed");
    return SPILL_COMMAND_DONE;
}

static enum spill_command_result drain(struct spill_program *program, const char *argument,
                                       struct spill_json *answer, struct spill_error *error)
{
    (void)argument;
    if (!spill_program_end(program, "drain")) {
        spill_error_set(error, "ending already (%s)", spill_program_end_reason(program));
        return SPILL_COMMAND_REFUSED;
    }
    spill_json_string(answer, "text",
                      program->on_drain.child != 0 ? "on-drain runs" : "receiving ends, draining");
    return SPILL_COMMAND_DONE;
}

static enum spill_command_result set_option(struct spill_program *program, const char *argument,
                                            struct spill_json *answer, struct spill_error *error)
{
    char text[256];

    if (spill_program_set(program, argument, text, sizeof(text), error) != 0)
        return SPILL_COMMAND_REFUSED;
    spill_json_string(answer, "text", text[0] != '\0' ? text : "it is so already");
    return SPILL_COMMAND_DONE;
}

static enum spill_command_result set_log_level(struct spill_program *program, const char *argument,
                                               struct spill_json *answer, struct spill_error *error)
{
    char setting[512];

    snprintf(setting, sizeof(setting), "log-level=%s", argument);
    return set_option(program, setting, answer, error);
}

static enum spill_command_result tell_plan(struct spill_program *program, const char *argument,
                                           struct spill_json *answer, struct spill_error *error)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)argument;
    if (out == NULL) {
        spill_error_set(error, "no memory");
        return SPILL_COMMAND_REFUSED;
    }
    spill_plan_print(&program->plan, out);
    fclose(out);
    spill_json_string(answer, "text", text);
    spill_plan_print_json(&program->plan, answer, "plan");
    free(text);
    return SPILL_COMMAND_DONE;
}

static enum spill_command_result doctor(struct spill_program *program, const char *argument,
                                        struct spill_json *answer, struct spill_error *error)
{
    struct spill_doctor_lines *lines = spill_program_look(program, true);
    char *text = NULL;
    size_t size;
    FILE *out = lines != NULL ? open_memstream(&text, &size) : NULL;

    (void)argument;
    if (out == NULL) {
        free(lines);
        spill_error_set(error, "no memory");
        return SPILL_COMMAND_REFUSED;
    }
    spill_doctor_print(lines, out);
    fclose(out);
    spill_json_string(answer, "text", text);
    spill_doctor_print_json(lines, answer, "doctor");
    spill_json_unsigned(answer, "broken", spill_doctor_count(lines, SPILL_DOCTOR_BROKEN));
    free(text);
    free(lines);
    return SPILL_COMMAND_DONE;
}

static enum spill_command_result report(struct spill_program *program, const char *argument,
                                        struct spill_json *answer, struct spill_error *error)
{
    struct spill_metric_json writer;

    (void)argument, (void)error;
    spill_metric_json_init(&writer, answer);
    spill_json_object_begin(answer, "report");
    spill_program_write_status(program, &writer.writer);
    spill_program_write_metrics(program, NULL, &writer.writer);
    spill_json_object_end(answer);
    return SPILL_COMMAND_DONE;
}

static enum spill_command_result tell_slow(struct spill_program *program, const char *argument,
                                           struct spill_json *answer, struct spill_error *error)
{
    (void)argument, (void)error;
    spill_program_write_stalls(program, answer, "slow");
    return SPILL_COMMAND_DONE;
}

static int write_openmetrics(struct spill_program *program, enum spill_openmetrics_format format,
                             FILE *out)
{
    struct spill_openmetrics *writer = malloc(sizeof(*writer));
    int status;

    if (writer == NULL)
        return -1;
    spill_openmetrics_begin(writer, format);
    spill_program_write_status(program, &writer->writer);
    spill_program_write_metrics(program, NULL, &writer->writer);
    status = spill_openmetrics_end(writer, out);
    free(writer);
    return status;
}

static enum spill_command_result tell_metrics(struct spill_program *program, const char *argument,
                                              struct spill_json *answer, struct spill_error *error)
{
    const bool before = strcmp(argument, "prometheus") == 0;
    char *text = NULL;
    size_t size;
    FILE *out;
    int status;

    if (!before && strcmp(argument, "openmetrics") != 0) {
        spill_error_set(error, "metrics '%s': expected openmetrics or prometheus", argument);
        return SPILL_COMMAND_REFUSED;
    }
    out = open_memstream(&text, &size);
    status = out == NULL
                 ? -1
                 : write_openmetrics(
                       program, before ? SPILL_OPENMETRICS_BEFORE : SPILL_OPENMETRICS_1_0, out);
    if (out == NULL || fclose(out) != 0 || status != 0)
        spill_error_set(error, "no memory");
    else
        spill_json_string(answer, "text", text);
    free(text);
    return error->text[0] == '\0' ? SPILL_COMMAND_DONE : SPILL_COMMAND_REFUSED;
}

/* ------------------------------------------------------------------------------ requests */

#define ROW(name_, argument_, help_, function_, reads_)                                            \
    {.name = (name_), .argument = (argument_), .function = (function_), .reads = (reads_)},

static const struct spill_command commands[] = {
    SPILL_COMMAND_ROWS(ROW) SPILL_COMMAND_SET(ROW)
        SPILL_COMMAND_DOCTOR(ROW){.name = "trace", .watches = &spill_tracing},
    {.name = "capture", .watches = &spill_capturing},
};

static int expected(struct spill_error *error, const char *what)
{
    return spill_error_set(error,
                           "request: %s: expected {\"version\": %d, \"command\": \"NAME\"} and a "
                           "newline",
                           what, SPILL_COMMAND_VERSION);
}

static const struct spill_command *find(const char *name)
{
    for (size_t i = 0; name != NULL && i < RTE_DIM(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int read_argument(const json_t *object, struct spill_command_request *request,
                         struct spill_error *error)
{
    const struct spill_command *command = request->command;
    const json_t *given = json_object_get(object, "argument");
    const char *argument = json_string_value(given);

    if (given != NULL && argument == NULL)
        return expected(error, "its argument is no text");
    if (command->argument == NULL ? argument != NULL
                                  : argument == NULL && command->argument[0] != '[')
        return spill_error_set(error, "%s: expected %s%s", command->name,
                               command->argument != NULL ? "the argument " : "no argument",
                               command->argument != NULL ? command->argument : "");
    if (argument == NULL)
        return 0;
    if (strlen(argument) >= sizeof(request->argument))
        return spill_error_set(error, "%s '%s': expected at most %zu bytes", command->name,
                               argument, sizeof(request->argument) - 1);
    strcpy(request->argument, argument);
    return 0;
}

static int read_object(const json_t *object, struct spill_command_request *request,
                       struct spill_error *error)
{
    const json_t *version = json_object_get(object, "version");
    const char *name = json_string_value(json_object_get(object, "command"));
    size_t keys = 0;

    if (!json_is_object(object))
        return expected(error, "no JSON object");
    if (!json_is_integer(version) || json_integer_value(version) != SPILL_COMMAND_VERSION)
        return expected(error, "of another version, or none");
    request->command = find(name);
    if (request->command == NULL)
        return spill_error_set(error, "'%s' is no command of this spillway",
                               name != NULL ? name : "");
    if (request->command->watches != NULL &&
        spill_watch_read(object, request->command->watches == &spill_capturing, &request->wanted,
                         &keys, error) != 0)
        return -1;
    if (json_object_size(object) != (json_object_get(object, "argument") != NULL ? 3u : 2u) + keys)
        return expected(error, "has other keys");
    return read_argument(object, request, error);
}

int spill_command_read(const char *line, size_t size, struct spill_command_request *request,
                       struct spill_error *error)
{
    json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    int status;

    request->command = NULL;
    request->argument[0] = '\0';
    status = read_object(object, request, error);
    json_decref(object);
    return status;
}

bool spill_command_reads(const struct spill_command_request *request)
{
    return request->command->reads;
}

enum spill_command_result spill_command_do(struct spill_program *program,
                                           const struct spill_command_request *request,
                                           struct spill_json *answer, struct spill_error *error)
{
    if (request->command->watches != NULL)
        return spill_watching_begin(program, request->command->watches, &request->wanted, error) ==
                       0
                   ? SPILL_COMMAND_WATCHES
                   : SPILL_COMMAND_REFUSED;
    return request->command->function(program, request->argument, answer, error);
}
