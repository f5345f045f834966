/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals: the first SIGTERM or SIGINT begins the end, the second cuts it short. SIGHUP has the
 * configuration read again.
 *
 * They are blocked in all threads and read from a descriptor. While the program starts, the main
 * thread is in the EAL and in drivers, some of which wait for a peer without end: a guard thread
 * reads the signals then, and ends the program itself when a start that is told to end does not.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "log.h"
#include "program.h"

/* How long a start that was told to end may go on. */
#define START_GRACE_MS 2000

static int signals = -1;
static int start_over = -1; /* eventfd: the guard may go */
static pthread_t guard_thread;
static const char second_signal[] = "second signal";

int spill_signals_init(struct spill_error *error)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    /* Before any other thread is made, which inherits it. A peer that leaves is no reason to die.
     */
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return spill_error_set(error, "signals can't be blocked: %s", strerror(errno));
    signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    start_over = eventfd(0, EFD_CLOEXEC);
    if (signals < 0 || start_over < 0)
        return spill_error_set(error, "signals can't be received: %s", strerror(errno));
    return 0;
}

static const char *signal_name(uint32_t number)
{
    switch (number) {
    case SIGINT:
        return "SIGINT";
    default:
        return "SIGTERM";
    }
}

static void take_signals(struct spill_program *program)
{
    struct signalfd_siginfo info;

    while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        const char *name = signal_name(info.ssi_signo);

        if (info.ssi_signo == SIGHUP) {
            program->reload_wanted = true;
            continue;
        }
        if (spill_token_cancel(&program->stop, name))
            SPILL_LOG(NOTICE, "%s: receiving ends, draining", name);
        else if (spill_token_cancel(&program->force, second_signal))
            SPILL_LOG(WARNING, "%s again: ending at once", name);
    }
}

void spill_signals_wait(struct spill_program *program, int milliseconds)
{
    struct pollfd descriptor = {.fd = signals, .events = POLLIN};

    if (poll(&descriptor, 1, milliseconds) > 0)
        take_signals(program);
}

bool spill_signals_forced(const struct spill_program *program)
{
    return spill_token_reason(&program->force) == second_signal;
}

static void *guard(void *argument)
{
    struct spill_program *program = argument;
    struct pollfd descriptors[] = {{.fd = signals, .events = POLLIN},
                                   {.fd = start_over, .events = POLLIN}};
    int events;

    do {
        events = poll(descriptors, 2, spill_token_cancelled(&program->stop) ? START_GRACE_MS : -1);
        if ((descriptors[1].revents & POLLIN) != 0)
            return NULL;
        take_signals(program);
    } while (events != 0 && !spill_signals_forced(program));
    SPILL_LOG(ERR, "the start does not end; ending without it");
    _exit(SPILL_STATUS_FORCED);
}

int spill_signals_guard_start(struct spill_program *program, struct spill_error *error)
{
    int status = pthread_create(&guard_thread, NULL, guard, program);

    return status == 0 ? 0 : spill_error_set(error, "no thread: %s", strerror(status));
}

void spill_signals_start_over(void)
{
    uint64_t one = 1;

    if (write(start_over, &one, sizeof(one)) == (ssize_t)sizeof(one))
        pthread_join(guard_thread, NULL);
}
