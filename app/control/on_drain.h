/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ON_DRAIN_H
#define SPILLWAY_ON_DRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "control/events.h"

/**
 * @file
 * How the end begins: at once, or with --on-drain, when its command has led traffic away.
 *
 * The command runs beside lcores that go on as before. When it has ended, whatever its status, or
 * --on-drain-timeout is over, receiving ends. A second signal waits for neither. The control
 * thread.
 */

struct spill_program;

/** The command. Starts as all zeros; written by the control thread. */
struct spill_on_drain {
    bool may_run;                 /* lcores run, and the control thread waits for its events */
    pid_t child;                  /* 0: none runs */
    int descriptor;               /* of the child: readable when it has ended */
    uint64_t began;               /* TSC */
    _Atomic(const char *) reason; /* of the end that it is to run at; stays. NULL: none */
    struct spill_event ended, late;
};

/**
 * Begins the end of a program whose lcores run, or of its start: then at once.
 *
 * @param reason  as for spill_token_cancel()
 * @return false: it has begun already
 */
bool spill_program_end(struct spill_program *program, const char *reason);

/** --on-drain-timeout has changed: a command that runs gets the new one, from when it began. */
void spill_on_drain_bound(struct spill_program *program);

/** What has begun the end, whatever comes later; NULL: nothing has. Any thread. */
const char *spill_program_end_reason(const struct spill_program *program);

/** Lcores drain from now on, or will: a command that still runs is killed with its process group.
 */
void spill_on_drain_over(struct spill_program *program);

#endif
