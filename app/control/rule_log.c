/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What rules with `log` have decided, as lines of JSON. Who reads them is not waited for: what a
 * pipe does not take at once, or a full disk, is counted and left out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "control/log.h"
#include "control/steps.h"
#include "pipeline/rule_log.h"
#include "program.h"

#define LOOK_NS UINT64_C(50000000)
#define NONE_NS SPILL_SECOND_NS /* where no rule has anything recorded */
#define AT_ONCE 64              /* records */
#define MOST    1024            /* from one ring */

static SPILL_COUNTER(unwritten, "rule_log", "unwritten", "records",
                     "that the file did not take at once");

/* ------------------------------------------------------------------------------- one line */

static void write_time(struct spill_json *json, uint64_t stamp)
{
    const uint64_t nanoseconds = spill_program_time_of(stamp);
    const time_t seconds = (time_t)(nanoseconds / SPILL_SECOND_NS);
    char text[40], date[24];
    struct tm parts;

    gmtime_r(&seconds, &parts);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof(text), "%s.%03uZ", date,
             (unsigned)(nanoseconds % SPILL_SECOND_NS / 1000000));
    spill_json_string(json, "time", text);
}

static void write_rule(const struct spill_program *program, struct spill_json *json, uint32_t tally)
{
    const struct spill_generation *generation = spill_snapshot_get(program->rules);
    const struct spill_rule_listed *rule = spill_rule_list_find(generation->list, tally);
    const char *name = rule != NULL ? spill_rule_list_name(generation->list, rule) : "";

    /* The rule may be gone since. */
    spill_json_string(json, "file",
                      rule != NULL ? spill_rule_list_path(generation->list, rule) : NULL);
    if (rule != NULL)
        spill_json_unsigned(json, "line", rule->line);
    else
        spill_json_string(json, "line", NULL);
    spill_json_string(json, "name", *name != '\0' ? name : NULL);
}

static void write_ends(struct spill_json *json, const struct spill_rule_record *record)
{
    static const char *const NAMES[2][2] = {{"source", "source_port"},
                                            {"destination", "destination_port"}};
    const int family = record->family == SPILL_PACKET_IPV4 ? AF_INET : AF_INET6;
    char address[INET6_ADDRSTRLEN];

    for (unsigned end = 0; end < 2; end++) {
        inet_ntop(family, record->address[end], address, sizeof(address));
        spill_json_string(json, NAMES[end][0], address);
        if (record->has_ports != 0)
            spill_json_unsigned(json, NAMES[end][1], record->port[end]);
    }
    if (record->has_type != 0) {
        spill_json_unsigned(json, "type", record->port[0]);
        spill_json_unsigned(json, "code", record->port[1]);
    }
}

/* Of the port that a packet came in by, or of its sub-port for the packet's VLAN. */
static const char *input_name(const struct spill_program *program,
                              const struct spill_rule_record *record)
{
    for (uint32_t i = 0; i < program->interface_count && record->vlan != 0; i++)
        if (program->interfaces[i].vlan == record->vlan &&
            program->ports[program->interfaces[i].port].id == record->input)
            return program->interfaces[i].name;
    for (uint32_t i = 0; i < program->port_count; i++)
        if (program->ports[i].id == record->input)
            return program->ports[i].name;
    return NULL;
}

/* Returns its bytes; 0: it is too long, or there is no memory. */
static size_t make_line(const struct spill_program *program, const struct spill_rule_record *record,
                        char line[SPILL_LINE_MAX])
{
    FILE *out = fmemopen(line, SPILL_LINE_MAX, "w");
    struct spill_json json;
    size_t size;

    if (out == NULL)
        return 0;
    spill_json_begin_line(&json, out);
    spill_json_object_begin(&json, NULL);
    write_time(&json, record->stamp);
    write_rule(program, &json, record->tally);
    spill_json_string(
        &json, "action",
        spill_rule_action_name((enum spill_verdict)record->verdict, record->rejected != 0));
    spill_json_string(&json, "in", input_name(program, record));
    spill_json_unsigned(&json, "protocol", record->protocol);
    write_ends(&json, record);
    spill_json_unsigned(&json, "bytes", record->length);
    spill_json_object_end(&json);
    size = spill_json_end(&json) == 0 ? (size_t)ftell(out) : 0;
    fclose(out);
    return size;
}

/* ------------------------------------------------------------------------------- the file */

static bool put_line(struct spill_program *program, const char *line, size_t size)
{
    if (size == 0)
        return false;
    return program->rule_log.descriptor < 0 ? spill_log_put(line, size)
                                            : spill_lines_put(&program->rule_log, line, size);
}

static void drain(struct spill_program *program, struct rte_ring *ring)
{
    struct spill_rule_record records[AT_ONCE];
    uint32_t total = 0, count;
    char line[SPILL_LINE_MAX];

    while (total < MOST && (count = spill_rule_log_take(ring, records, AT_ONCE)) > 0) {
        for (uint32_t i = 0; i < count; i++)
            if (!put_line(program, line, make_line(program, &records[i], line)))
                spill_ledger_count(&program->pipeline->ledger, &unwritten, 1);
        total += count;
    }
}

void spill_program_drain_rule_log(void *context)
{
    struct spill_program *program = context;
    const struct spill_pipeline *pipeline = program->pipeline;

    for (uint32_t i = 1; pipeline != NULL && i < pipeline->config.plan->lcore_count; i++)
        if (pipeline->lcores[i].fast != NULL)
            drain(program, pipeline->lcores[i].fast->rule_log);
}

static int look_soon(struct spill_program *program);

static void look(void *context)
{
    spill_program_drain_rule_log(context);
    look_soon(context);
}

static int look_soon(struct spill_program *program)
{
    const struct spill_generation *generation =
        program->rules != NULL ? spill_snapshot_get(program->rules) : NULL;
    const bool none = generation != NULL && !generation->list->records;

    return spill_events_after(&program->events, &program->rule_log_look, none ? NONE_NS : LOOK_NS,
                              look, program);
}

/* A pipe without a reader is an error and not waited for. */
static int open_file(const struct spill_program *program, struct spill_error *error)
{
    const char *path = program->options.rule_log;
    const int descriptor =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
             S_IRUSR | S_IWUSR | S_IRGRP);

    if (descriptor < 0)
        spill_error_set(error, "--rule-log '%s': %s", path,
                        errno == ENXIO ? "is a pipe that nobody reads" : strerror(errno));
    return descriptor;
}

int spill_program_open_rule_log(struct spill_program *program, struct spill_error *error)
{
    if (program->options.rule_log != NULL) {
        program->rule_log.descriptor = open_file(program, error);
        if (program->rule_log.descriptor < 0)
            return -1;
    }
    if (look_soon(program) != 0)
        return spill_error_set(error, "no memory for a timer");
    return 0;
}

void spill_program_reopen_rule_log(struct spill_program *program)
{
    struct spill_error error;
    int descriptor;

    look_soon(program);
    if (program->rule_log.descriptor < 0)
        return;
    descriptor = open_file(program, &error);
    if (descriptor < 0) {
        SPILL_LOG(WARNING, "%s; goes on in the file that it was", error.text);
        return;
    }
    close(program->rule_log.descriptor);
    program->rule_log.descriptor = descriptor;
}

void spill_program_close_rule_log(struct spill_program *program)
{
    spill_event_remove(&program->rule_log_look);
    if (program->rule_log.descriptor >= 0)
        close(program->rule_log.descriptor);
    program->rule_log.descriptor = -1;
}
