/* SPDX-License-Identifier: BSD-3-Clause */
/* The control thread: signals, time limits, watchdog, live counters, and the wait for the drain. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "log.h"
#include "program.h"

#define TICK_MS       10
#define DRAIN_TICK_MS 1
/* How long a loop that was told to end at once may take for the turn that it is in. */
#define FORCE_SECONDS 1

static int signals = -1;
static const char second_signal[] = "second signal";

int spill_control_init(struct spill_error *error)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    /* Blocked before the EAL makes its threads, which inherit it: signals come here alone. */
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return spill_error_set(error, "signals can't be blocked: %s", strerror(errno));
    signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals < 0)
        return spill_error_set(error, "signals can't be received: %s", strerror(errno));
    return 0;
}

/* The first signal begins the end, the second cuts it short. */
static void take_signals(struct spill_program *program)
{
    struct signalfd_siginfo info;

    while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        const char *name = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";

        if (spill_token_cancel(&program->stop, name))
            SPILL_LOG(NOTICE, "%s: receiving ends, draining", name);
        else if (spill_token_cancel(&program->force, second_signal))
            SPILL_LOG(WARNING, "%s again: ending at once", name);
    }
}

void spill_control_poll_signals(struct spill_program *program)
{
    take_signals(program);
}

/* Waits for a signal, a tick at most. */
static void wait_tick(struct spill_program *program, int milliseconds)
{
    struct pollfd descriptor = {.fd = signals, .events = POLLIN};

    if (poll(&descriptor, 1, milliseconds) > 0)
        take_signals(program);
}

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
        wait_tick(program, options->packets != 0 ? DRAIN_TICK_MS : TICK_MS);
        now = rte_rdtsc();
        if (options->duration_ns != 0 && now >= program->started + cycles(options->duration_ns))
            spill_token_cancel(&program->stop, "duration");
        check_limits(program, &limits, now);
        if (options->stall_timeout_ns != 0)
            spill_watchdog_check(&program->watchdog, now);
        spill_snapshot_reclaim(program->rules);
    }
    program->stopping = rte_rdtsc();
}

void spill_control_drain(struct spill_program *program)
{
    uint64_t deadline = program->stopping + cycles(program->options.drain_timeout_ns);
    uint64_t give_up = UINT64_MAX, now;
    uint32_t hanging = 0;

    spill_token_set_deadline(&program->force, deadline);
    while (spill_pipeline_running(program->pipeline, &hanging)) {
        wait_tick(program, DRAIN_TICK_MS);
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
        wait_tick(program, DRAIN_TICK_MS);
        if (rte_rdtsc() >= deadline || spill_token_reason(&program->force) == second_signal)
            return false;
    }
    return true;
}
