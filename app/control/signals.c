/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals: the first SIGTERM or SIGINT begins the end, the second cuts it short. SIGHUP has the
 * configuration read again.
 *
 * They are blocked in all threads and read from a descriptor, which is one of the control thread's
 * events. While the program reads its files, starts, writes its report and frees what it has, the
 * main thread is in the kernel, in the EAL and in drivers, any of which may wait without end: a
 * guard thread reads the signals then, and ends the program itself when what was told to end does
 * not.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "control/log.h"
#include "control/steps.h"
#include "program.h"

/*
 * How long a start that was told to end may go on, and what follows the drain beyond its timeout. A
 * start takes half a second of CPU time, and on a busy machine ten of the clock: that is no hang.
 * Nor is an end that frees its memory for as long.
 */
#define START_GRACE_MS 10000
#define END_GRACE_MS   10000

static const char *signal_name(uint32_t number)
{
    switch (number) {
    case SIGINT:
        return "SIGINT";
    default:
        return "SIGTERM";
    }
}

/* Only a second signal cuts short, also where something else began the end. */
static void take_end(struct spill_program *program, const char *name)
{
    if (++program->signals.ends > 1) {
        if (spill_token_cancel(&program->force, "second signal"))
            SPILL_LOG(WARNING, "%s again: ending at once", name);
    } else if (!spill_program_end(program, name)) {
        SPILL_LOG(NOTICE, "%s: ending already (%s); another one cuts it short", name,
                  spill_program_end_reason(program));
    }
}

static void take_signals(struct spill_program *program)
{
    struct signalfd_siginfo info;

    while (read(program->signals.descriptor, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            program->wanted[SPILL_WISH_RELOAD] = true;
        else
            take_end(program, signal_name(info.ssi_signo));
    }
}

/* The control thread's, while no guard reads. */
static void hear(void *context)
{
    struct spill_program *program = context;

    take_signals(program);
    if (program->wanted[SPILL_WISH_RELOAD])
        spill_event_notify(&program->reload_due);
}

int spill_signals_init(struct spill_program *program, struct spill_error *error)
{
    struct spill_signals *signals = &program->signals;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    /* Before any other thread is made, which inherits it. A peer that leaves is no reason to die.
     */
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return spill_error_set(error, "signals can't be blocked: %s", strerror(errno));
    signals->descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    signals->guard_over = eventfd(0, EFD_CLOEXEC);
    if (signals->descriptor < 0 || signals->guard_over < 0 ||
        spill_events_read(&program->events, &signals->heard, signals->descriptor, hear, program) !=
            0)
        return spill_error_set(error, "signals can't be received: %s", strerror(errno));
    return 0;
}

bool spill_signals_cut_short(const struct spill_program *program, unsigned ends)
{
    return program->signals.ends > RTE_MAX(ends, 1u);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *guard(void *argument)
{
    struct spill_program *program = argument;
    struct spill_signals *signals = &program->signals;
    struct pollfd descriptors[] = {{.fd = signals->descriptor, .events = POLLIN},
                                   {.fd = signals->guard_over, .events = POLLIN}};
    const unsigned ends = signals->ends;
    int64_t deadline = 0, left = -1;

    do {
        if (deadline == 0 && spill_token_cancelled(&program->stop))
            deadline = now_ms() + signals->guard_ms;
        if (deadline != 0)
            left = RTE_MAX(deadline - now_ms(), INT64_C(0));
        poll(descriptors, 2, (int)left);
        if ((descriptors[1].revents & POLLIN) != 0)
            return NULL;
        take_signals(program);
    } while (left != 0 && !spill_signals_cut_short(program, ends));
    SPILL_LOG(ERR, "%s; ending without it", signals->guarded);
    _exit(atomic_load(&program->guard_status));
}

static int start_guard(struct spill_program *program)
{
    return pthread_create(&program->signals.guard, NULL, guard, program);
}

int spill_signals_guard_start(struct spill_program *program, struct spill_error *error)
{
    int status;

    program->signals.guarded = "the start does not end";
    program->signals.guard_ms = START_GRACE_MS;
    atomic_store(&program->guard_status, SPILL_STATUS_FORCED);
    status = start_guard(program);
    return status == 0 ? 0 : spill_error_set(error, "no thread: %s", strerror(status));
}

void spill_signals_start_over(struct spill_program *program)
{
    uint64_t one = 1;

    if (write(program->signals.guard_over, &one, sizeof(one)) != (ssize_t)sizeof(one))
        return;
    pthread_join(program->signals.guard, NULL);
    if (read(program->signals.guard_over, &one, sizeof(one)) != (ssize_t)sizeof(one))
        SPILL_LOG(ERR, "the guard of the start: %s", strerror(errno));
}

void spill_signals_guard_end(struct spill_program *program)
{
    program->signals.guarded = "the report and what follows it do not end";
    program->signals.guard_ms =
        END_GRACE_MS + (int64_t)(program->options.drain_timeout_ns / 1000000);
    if (start_guard(program) != 0)
        SPILL_LOG(ERR, "no thread that watches the end");
}
