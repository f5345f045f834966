/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_STALLS_H
#define SPILLWAY_STALLS_H

#include "base/error.h"
#include "base/json.h"

/**
 * @file
 * Turns of the lcores' loops that took too long, and what the kernel said of the lcores' threads
 * about that time: whether the program was slow, or kept from running. Control thread.
 *
 * Twice a second the kernel is asked of each thread how long it waited for its CPU, and how often
 * it was put on it (schedstat), and of each CPU for how long the hypervisor had taken it (steal). A
 * slow turn is told with the differences around it: what happened within half a second of it, in
 * most cases its own time. Of one that is longer than the last seconds which are kept of that, the
 * cause is unknown where they do not prove it. What neither counts is in nobody's figures:
 * interrupts, what firmware does, and pages that the kernel provides.
 */

struct spill_program;
struct spill_stall_watch;

/** Begins to look. Once the lcores run. @return 0, or -1 with an error */
int spill_program_open_stalls(struct spill_program *program, struct spill_error *error);

/** Ends that. */
void spill_program_close_stalls(struct spill_program *program);

/** Writes what is kept, the newest last: a list. A turn is in it half a second later. */
void spill_program_write_stalls(struct spill_program *program, struct spill_json *json,
                                const char *key);

#endif
