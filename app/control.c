/* SPDX-License-Identifier: BSD-3-Clause */
/* The control thread: time limits, watchdog, live counters, and the wait for the drain. */
#include <rte_cycles.h>

#include "log.h"
#include "program.h"

#define TICK_MS       10
#define DRAIN_TICK_MS 1
/* How long a loop that was told to end at once may take for the turn that it is in. */
#define FORCE_SECONDS 1

static uint64_t cycles(uint64_t nanoseconds)
{
    return (uint64_t)((double)nanoseconds * (double)rte_get_tsc_hz() / 1e9);
}

/* What the user asked to end after. */
struct limits {
    uint64_t received;  /* packets at the last tick */
    uint64_t last_news; /* TSC when that number last grew */
    uint64_t next_stats;
};

static void check_limits(struct spill_program *program, struct limits *limits, uint64_t now)
{
    const struct spill_options *options = &program->options;
    uint64_t received = spill_pipeline_received(program->pipeline);

    if (received != limits->received) {
        limits->received = received;
        limits->last_news = now;
    }
    if (options->packets != 0 && received >= options->packets)
        spill_token_cancel(&program->stop, "packets");
    if (options->exit_on_idle_ns != 0 &&
        now - limits->last_news >= cycles(options->exit_on_idle_ns))
        spill_token_cancel(&program->stop, "idle");
    if (options->stats_ns != 0 && now >= limits->next_stats) {
        limits->next_stats += cycles(options->stats_ns);
        spill_program_print_stats(program);
    }
}

void spill_control_run(struct spill_program *program)
{
    const struct spill_options *options = &program->options;
    uint64_t now = rte_rdtsc();
    struct limits limits = {.last_news = now, .next_stats = now + cycles(options->stats_ns)};

    if (options->duration_ns != 0)
        spill_token_set_deadline(&program->stop, now + cycles(options->duration_ns));
    while (!spill_token_cancelled(&program->stop)) {
        /* A limit in packets is looked at more often: it is passed by what comes in a tick. */
        spill_signals_wait(program, options->packets != 0 ? DRAIN_TICK_MS : TICK_MS);
        now = rte_rdtsc();
        if (options->duration_ns != 0 && now >= program->started + cycles(options->duration_ns))
            spill_token_cancel(&program->stop, "duration");
        check_limits(program, &limits, now);
        if (options->stall_timeout_ns != 0)
            spill_watchdog_check(&program->watchdog, now);
        spill_snapshot_reclaim(program->rules);
    }
}

void spill_control_drain(struct spill_program *program)
{
    uint64_t give_up = UINT64_MAX, now;
    uint32_t hanging = 0;

    program->stopping = rte_rdtsc();
    spill_token_set_deadline(&program->force,
                             program->stopping + cycles(program->options.drain_timeout_ns));
    while (spill_pipeline_running(program->pipeline, &hanging)) {
        spill_signals_wait(program, DRAIN_TICK_MS);
        now = rte_rdtsc();
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
    program->stopped = rte_rdtsc();
}

bool spill_control_join(struct spill_program *program, pthread_t thread)
{
    uint64_t deadline =
        rte_rdtsc() + cycles(program->options.drain_timeout_ns) + FORCE_SECONDS * rte_get_tsc_hz();

    while (pthread_tryjoin_np(thread, NULL) != 0) {
        spill_signals_wait(program, DRAIN_TICK_MS);
        if (rte_rdtsc() >= deadline || spill_signals_forced(program))
            return false;
    }
    return true;
}
