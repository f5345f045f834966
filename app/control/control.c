/* SPDX-License-Identifier: BSD-3-Clause */
/* The control thread: what it waits for while lcores run, while they drain, and at the end. */
#include <rte_cycles.h>

#include "base/clock.h"
#include "control/log.h"
#include "control/run_limits.h"
#include "control/stalls.h"
#include "control/steps.h"
#include "program.h"

/* No wait is longer, whoever was to wake it. */
#define WAIT_NS UINT64_C(1000000000)
/* Between two looks at lcores and threads that end, and can't say so. */
#define END_TICK_NS UINT64_C(1000000)
/* How long a loop that was told to end at once may take for the turn that it is in. */
#define FORCE_SECONDS 1

static void check_heartbeats(void *context)
{
    struct spill_program *program = context;
    const unsigned hanging = spill_watchdog_check(&program->watchdog, spill_clock());

    __atomic_store_n(&program->hanging_lcores, hanging, __ATOMIC_RELAXED);
    spill_service_hanging(&program->service, hanging);
}

static int watch_heartbeats(struct spill_program *program, struct spill_event *event)
{
    if (program->options.stall_timeout_ns == 0)
        return 0;
    return spill_events_every(&program->events, event,
                              spill_nanoseconds(spill_watchdog_interval(&program->watchdog)),
                              check_heartbeats, program);
}

int spill_control_run(struct spill_program *program, struct spill_error *error)
{
    struct spill_run_limits limits = {.program = NULL};
    struct spill_event heartbeats = {.call = NULL};
    int status = spill_run_limits_begin(&limits, program) | watch_heartbeats(program, &heartbeats) |
                 spill_program_watch_links(program) | spill_program_open_stalls(program, error);

    program->on_drain.may_run = true;
    spill_event_notify(&program->reload_due); /* a signal during the start may want one */
    if (status == 0 && !spill_token_cancelled(&program->stop))
        spill_service_ready(&program->service);
    while (status == 0 && !spill_token_cancelled(&program->stop))
        spill_events_wait(&program->events, WAIT_NS);
    spill_on_drain_over(program);
    spill_event_remove(&heartbeats);
    spill_run_limits_end(&limits);
    return status == 0 ? 0 : spill_error_set(error, "no memory for the control thread's timers");
}

void spill_control_bound_drain(struct spill_program *program)
{
    if (program->stopping != 0)
        spill_token_set_deadline(
            &program->force, program->stopping + spill_cycles(program->options.drain_timeout_ns));
}

void spill_control_drain(struct spill_program *program)
{
    struct spill_event heartbeats = {.call = NULL};
    uint64_t give_up = UINT64_MAX, now;
    uint32_t hanging = 0;

    program->stopping = spill_clock();
    spill_control_bound_drain(program);
    if (watch_heartbeats(program, &heartbeats) != 0)
        SPILL_LOG(WARNING, "no memory for the timer that watches lcores while they drain");
    while (spill_pipeline_running(program->pipeline, &hanging)) {
        spill_events_wait(&program->events, END_TICK_NS);
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
    spill_event_remove(&heartbeats);
    if (program->options.stall_timeout_ns != 0)
        check_heartbeats(program);
    spill_program_leave_links(program);
    program->stopped = spill_clock();
}

bool spill_control_join(struct spill_program *program, pthread_t thread, uint64_t nanoseconds)
{
    uint64_t deadline = spill_clock() + spill_cycles(nanoseconds);
    unsigned ends = program->signals.ends;

    while (pthread_tryjoin_np(thread, NULL) != 0) {
        spill_events_wait(&program->events, END_TICK_NS);
        if (spill_clock() >= deadline || spill_signals_cut_short(program, ends))
            return false;
    }
    return true;
}
