/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_THREAD_H
#define SPILLWAY_THREAD_H

#include <stdbool.h>

#include "base/error.h"

/**
 * @file
 * Threads that work as lcores beside those of the EAL, and come when it has long been running: each
 * is bound to a CPU, and registered with the EAL, so that it has an lcore id and all that goes by
 * that.
 *
 * Like an EAL lcore, it sleeps until a function is launched on it, and again when that has
 * returned. One thread at a time steers it; any may ask whether it runs.
 *
 * After the first one, DPDK lets no secondary process join this one; and where one has, none can be
 * made.
 */

struct spill_thread;

/**
 * Makes a thread, which sleeps.
 *
 * @param name  what the kernel calls it, at most 15 characters
 * @param cpu   that it runs on
 * @return the caller's, for spill_thread_free(); NULL with an error: the CPU is none of this
 *         process's, the EAL has no lcore id left, or a secondary process has joined
 */
struct spill_thread *spill_thread_create(const char *name, int cpu, struct spill_error *error);

/** Ends a thread that sleeps, and gives its lcore id back. May be NULL. */
void spill_thread_free(struct spill_thread *thread);

/** Its EAL lcore id: no other's until it is freed. */
unsigned spill_thread_lcore(const struct spill_thread *thread);

/** Has it call a function. It must sleep. */
void spill_thread_launch(struct spill_thread *thread, int (*function)(void *), void *argument);

/** Whether a function that was launched has not returned. Any thread. */
bool spill_thread_runs(const struct spill_thread *thread);

/** What the last function returned; 0 before the first. It must sleep. */
int spill_thread_status(const struct spill_thread *thread);

#endif
