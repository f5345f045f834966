/* SPDX-License-Identifier: BSD-3-Clause */
/* The control thread: time limits, watchdog, live counters, and the wait for the drain. */
#include <rte_cycles.h>

#include "base/clock.h"
#include "control/log.h"
#include "program.h"

#define TICK_MS       10
#define DRAIN_TICK_MS 1
/* How long a loop that was told to end at once may take for the turn that it is in. */
#define FORCE_SECONDS 1

/* What the user asked to end after. */
struct limits {
    uint64_t received;  /* packets at the last tick */
    uint64_t last_tick; /* TSC */
    uint64_t idle;      /* cycles since a packet was received in which all lcores looked for one */
    uint64_t next_stats;
    uint64_t turns[SPILL_LCORES_MAX]; /* of each lcore's loop at the last tick */
};

static void check_limits(struct spill_program *program, struct limits *limits, uint64_t now)
{
    const struct spill_options *options = &program->options;
    /* An lcore that lost its CPU has looked at nothing: that time is not idle. */
    bool turned = spill_pipeline_turned(program->pipeline, limits->turns);
    uint64_t received = spill_pipeline_received(program->pipeline);

    if (received != limits->received)
        limits->idle = 0;
    else if (turned)
        limits->idle += now - limits->last_tick;
    limits->received = received;
    limits->last_tick = now;
    if (options->packets != 0 && received >= options->packets)
        spill_token_cancel(&program->stop, "packets");
    if (options->exit_on_idle_ns != 0 && limits->idle >= spill_cycles(options->exit_on_idle_ns))
        spill_token_cancel(&program->stop, "idle");
    if (options->stats_ns != 0 && now >= limits->next_stats) {
        limits->next_stats += spill_cycles(options->stats_ns);
        spill_program_print_stats(program);
    }
}

/* Milliseconds between two looks at everything. */
static int choose_tick(const struct spill_program *program)
{
    uint64_t tick = TICK_MS;

    /* A limit in packets is passed by what comes in a tick. */
    if (program->options.packets != 0)
        return DRAIN_TICK_MS;
    if (program->options.stall_timeout_ns != 0)
        tick = RTE_MIN(tick, spill_watchdog_interval(&program->watchdog) * 1000 / rte_get_tsc_hz());
    return (int)RTE_MAX(tick, UINT64_C(1));
}

void spill_control_run(struct spill_program *program)
{
    const struct spill_options *options = &program->options;
    uint64_t now = spill_clock();
    struct limits limits = {.last_tick = now, .next_stats = now + spill_cycles(options->stats_ns)};
    int tick = choose_tick(program);

    while (!spill_token_cancelled(&program->stop)) {
        spill_signals_wait(program, tick);
        now = spill_clock();
        if (options->duration_ns != 0 &&
            now >= program->started + spill_cycles(options->duration_ns))
            spill_token_cancel(&program->stop, "duration");
        check_limits(program, &limits, now);
        if (options->stall_timeout_ns != 0)
            spill_watchdog_check(&program->watchdog, now);
        spill_program_watch_security(program);
    }
}

void spill_control_drain(struct spill_program *program)
{
    uint64_t give_up = UINT64_MAX, now;
    uint32_t hanging = 0;

    program->stopping = spill_clock();
    spill_token_set_deadline(&program->force,
                             program->stopping + spill_cycles(program->options.drain_timeout_ns));
    while (spill_pipeline_running(program->pipeline, &hanging)) {
        spill_signals_wait(program, DRAIN_TICK_MS);
        now = spill_clock();
        if (spill_token_check_deadlines(&program->force, now) > 0)
            SPILL_LOG(ERR, "not drained within --drain-timeout: ending at once");
        if (spill_token_cancelled(&program->force) && give_up == UINT64_MAX)
            give_up = now + FORCE_SECONDS * rte_get_tsc_hz();
        if (now >= give_up) {
            SPILL_LOG(ERR, "lcore %u (%s) does not come back; what it holds is lost",
                      program->plan.lcores[hanging].id, program->plan.lcores[hanging].name);
            program->hanging = true;
            break;
        }
    }
    program->stopped = spill_clock();
}

bool spill_control_join(struct spill_program *program, pthread_t thread, uint64_t nanoseconds)
{
    uint64_t deadline = spill_clock() + spill_cycles(nanoseconds);
    unsigned ends = program->signals.ends;

    while (pthread_tryjoin_np(thread, NULL) != 0) {
        spill_signals_wait(program, DRAIN_TICK_MS);
        if (spill_clock() >= deadline || spill_signals_cut_short(program, ends))
            return false;
    }
    return true;
}
