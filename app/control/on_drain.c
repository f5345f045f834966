/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/on_drain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/log.h"
#include "program.h"

/* Standard input is empty, both outputs go where the log goes, and nothing else is open. */
static int set_files(posix_spawn_file_actions_t *files)
{
    return posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
                   posix_spawn_file_actions_adddup2(files, STDERR_FILENO, STDOUT_FILENO) == 0 &&
                   posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1) == 0
               ? 0
               : -1;
}

/* It hears signals, and is a group of its own, so that it is killed with what it starts and leaves
 * in it.
 */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, broken;

    sigemptyset(&none);
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF) == 0 &&
                   posix_spawnattr_setsigmask(attributes, &none) == 0 &&
                   posix_spawnattr_setsigdefault(attributes, &broken) == 0
               ? 0
               : -1;
}

/* Returns 0 or an errno. */
static int spawn(const char *command, pid_t *child)
{
    char *const arguments[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int status = ENOMEM;

    if (posix_spawn_file_actions_init(&files) != 0)
        return status;
    if (posix_spawnattr_init(&attributes) == 0) {
        if (set_files(&files) == 0 && set_attributes(&attributes) == 0)
            status = posix_spawn(child, "/bin/sh", &files, &attributes, arguments, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return status;
}

static void tell_status(int status)
{
    if (WIFSIGNALED(status))
        SPILL_LOG(WARNING, "on-drain: ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        SPILL_LOG(WARNING, "on-drain: exit status %d", WEXITSTATUS(status));
}

/* Without a wait: one that was killed may take its time (law 7), and is the kernel's to bury then.
 */
static void forget(struct spill_on_drain *on_drain, int *status)
{
    waitpid(on_drain->child, status, WNOHANG);
    on_drain->child = 0;
    spill_event_remove(&on_drain->ended);
    spill_event_remove(&on_drain->late);
    close(on_drain->descriptor);
}

static void take_ended(void *context)
{
    struct spill_program *program = context;
    int status = 0;

    forget(&program->on_drain, &status);
    tell_status(status);
    SPILL_LOG(NOTICE, "on-drain has ended: receiving ends, draining");
    spill_token_cancel(&program->stop, program->on_drain.reason);
}

static void take_late(void *context)
{
    struct spill_program *program = context;

    SPILL_LOG(WARNING, "on-drain: not done within --on-drain-timeout: draining without it");
    spill_token_cancel(&program->stop, program->on_drain.reason);
}

/* At most until --on-drain-timeout after it began. Returns 0, or -1 without memory. */
static int bound(struct spill_program *program)
{
    struct spill_on_drain *on_drain = &program->on_drain;
    const uint64_t most = program->options.on_drain_timeout_ns;
    const uint64_t spent = RTE_MIN(spill_nanoseconds(spill_clock() - on_drain->began), most);

    return spill_events_after(&program->events, &on_drain->late, most - spent, take_late, program);
}

void spill_on_drain_bound(struct spill_program *program)
{
    if (program->on_drain.child != 0 && bound(program) != 0)
        take_late(program);
}

/* Returns 0, or -1 with nothing left of it. */
static int start(struct spill_program *program)
{
    struct spill_on_drain *on_drain = &program->on_drain;
    const int status = spawn(program->options.on_drain, &on_drain->child);

    on_drain->began = spill_clock();
    if (status != 0) {
        SPILL_LOG(WARNING, "on-drain: %s", strerror(status));
        on_drain->child = 0;
        return -1;
    }
    on_drain->descriptor = pidfd_open(on_drain->child, 0);
    if (on_drain->descriptor >= 0 &&
        spill_events_read(&program->events, &on_drain->ended, on_drain->descriptor, take_ended,
                          program) == 0 &&
        bound(program) == 0)
        return 0;
    SPILL_LOG(WARNING, "on-drain can't be waited for: %s", strerror(errno));
    spill_on_drain_over(program);
    return -1;
}

bool spill_program_end(struct spill_program *program, const char *reason)
{
    struct spill_on_drain *on_drain = &program->on_drain;

    if (spill_program_end_reason(program) != NULL)
        return false;
    if (on_drain->may_run && program->options.on_drain != NULL) {
        /* Before the command is there, which may ask. */
        atomic_store(&on_drain->reason, reason);
        if (start(program) == 0) {
            spill_service_stopping(&program->service);
            SPILL_LOG(NOTICE, "%s: on-drain runs; receiving ends when that has", reason);
            return true;
        }
    }
    if (!spill_token_cancel(&program->stop, reason))
        return false;
    SPILL_LOG(NOTICE, "%s: receiving ends, draining", reason);
    return true;
}

const char *spill_program_end_reason(const struct spill_program *program)
{
    const char *reason = atomic_load(&program->on_drain.reason);

    return reason != NULL ? reason : spill_token_reason(&program->stop);
}

void spill_on_drain_over(struct spill_program *program)
{
    int status = 0;

    program->on_drain.may_run = false;
    if (program->on_drain.child == 0)
        return;
    kill(-program->on_drain.child, SIGKILL);
    forget(&program->on_drain, &status);
}
