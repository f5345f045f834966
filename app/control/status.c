/* SPDX-License-Identifier: BSD-3-Clause */
/* What is told of the program as a whole while it runs. */
#include <pthread.h>
#include <string.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "control/steps.h"
#include "program.h"

struct status {
    const char *version, *state, *reason, *set;
    double seconds, unconfirmed;
    uint64_t rules, tsc_hz;
    uint32_t reloads, hanging, stalls;
};

static struct spill_metric_value seconds_of(const void *status)
{
    return spill_value_real(((const struct status *)status)->seconds);
}

static struct spill_metric_value unconfirmed_of(const void *status)
{
    return spill_value_real(((const struct status *)status)->unconfirmed);
}

static const struct spill_metric rows[] = {
    SPILL_METRIC(TEXT, "version", struct status, version, "", "of spillway"),
    SPILL_METRIC(TEXT, "state", struct status, state, "", "running, or ending"),
    SPILL_METRIC(TEXT, "reason", struct status, reason, "", "what began the end"),
    SPILL_METRIC_COMPUTED(GAUGE, "seconds", seconds_of, "s", "since the lcores were started"),
    SPILL_METRIC(GAUGE, "rules_version", struct status, rules, "",
                 "of the rules and associations in force: 1 is that of the start"),
    SPILL_METRIC(COUNTER, "reloads", struct status, reloads, "reloads",
                 "times that the configuration was read again and is in force"),
    SPILL_METRIC(GAUGE, "hanging", struct status, hanging, "lcores",
                 "that hang at this moment, for longer than --stall-timeout"),
    SPILL_METRIC(COUNTER, "stalls", struct status, stalls, "stalls",
                 "times that an lcore was found hanging"),
    SPILL_METRIC_COMPUTED(
        GAUGE, "unconfirmed", unconfirmed_of, "s",
        "until what was before a reload with --confirm comes back; 0: none waits"),
    SPILL_METRIC(TEXT, "set", struct status, set, "",
                 "by spillwayctl set, and other than the configuration in force has it"),
    SPILL_METRIC(GAUGE, "tsc_hz", struct status, tsc_hz, "Hz", "of what cycles are counted in"),
};
static const struct spill_metrics status_metrics = SPILL_METRICS(rows);

/* Seconds; never 0 while one waits. */
static double left_to_confirm(const struct spill_program *program)
{
    const uint64_t until = __atomic_load_n(&program->confirmation.until, __ATOMIC_RELAXED);
    const int64_t left = (int64_t)(until - spill_clock());

    if (until == 0)
        return 0;
    return left > 0 ? (double)left / (double)rte_get_tsc_hz() : 1e-3;
}

static uint64_t version_in_force(struct spill_program *program)
{
    const struct spill_generation *generation = spill_program_hold_generation(program);
    const uint64_t number = generation != NULL ? generation->number : 0;

    spill_program_release_generation(program);
    return number;
}

void spill_program_tell_set(struct spill_program *program, char text[SPILL_PROGRAM_SET_SIZE])
{
    pthread_mutex_lock(&program->holding);
    memcpy(text, program->set, sizeof(program->set));
    pthread_mutex_unlock(&program->holding);
}

void spill_program_write_status(struct spill_program *program, struct spill_metric_writer *writer)
{
    const uint64_t started = __atomic_load_n(&program->started, __ATOMIC_RELAXED);
    const char *reason = spill_program_end_reason(program);
    char set[sizeof(program->set)];
    struct status status = {
        .version = SPILL_VERSION,
        .state = reason != NULL ? "ending" : "running",
        .reason = reason,
        .seconds = started != 0 ? (double)(spill_clock() - started) / (double)rte_get_tsc_hz() : 0,
        .unconfirmed = left_to_confirm(program),
        .rules = version_in_force(program),
        .hanging = __atomic_load_n(&program->hanging_lcores, __ATOMIC_RELAXED),
        .stalls = __atomic_load_n(&program->stalls_told, __ATOMIC_RELAXED),
        .reloads = __atomic_load_n(&program->reloads, __ATOMIC_RELAXED),
        .tsc_hz = rte_get_tsc_hz(),
    };

    spill_program_tell_set(program, set);
    status.set = set[0] != '\0' ? set : NULL;
    spill_metrics_write(&status_metrics, &status, writer);
}
