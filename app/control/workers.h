/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_WORKERS_H
#define SPILLWAY_WORKERS_H

#include <stdint.h>

#include "base/error.h"
#include "config/options.h"

/**
 * @file
 * Workers (lcores of the role `pool`) that come and leave with a reload, while lcores run.
 *
 *     a reload's thread    bring:   a place in the plan, a thread, its part of every association
 *                          (a version is made, and put in force)
 *     control thread       begin:   what comes takes jobs
 *     a reload's thread    retire:  what leaves takes no more, and ends what it has
 *
 * Where a reload fails before, nothing is to be taken back: a place that was made stays, away, and
 * is the next one's on that CPU, as that of a worker which left.
 */

struct spill_program;

/** Which come and leave, by index in the plan. Starts as all zeros. */
struct spill_workers {
    uint32_t come_count, leave_count;
    uint8_t come[SPILL_LCORES_MAX], leave[SPILL_LCORES_MAX];
};

/**
 * Finds which leave, and makes a place for each that comes. A reload's thread.
 *
 * @param options  with the CPUs of workers; none given: those of the start
 * @param workers  written
 * @return 0; or -1 with an error, and all is as it was
 */
int spill_workers_bring(struct spill_program *program, const struct spill_options *options,
                        struct spill_workers *workers, struct spill_error *error);

/** The same as far as it takes nothing: whether those would come and leave that a reload would have
 * do so. Who has the reload. @return 0, or -1 with an error */
int spill_workers_ask(struct spill_program *program, const struct spill_options *options,
                      struct spill_error *error);

/** Those that come take jobs. Control thread. */
void spill_workers_begin(struct spill_program *program, const struct spill_workers *workers);

/** Has those leave that do, and waits until they have, --drain-timeout at most. A reload's thread.
 */
void spill_workers_retire(struct spill_program *program, const struct spill_workers *workers);

/** Notes when those have left that were not waited for any longer. Control thread, once no reload
 * goes on. */
void spill_workers_watch(struct spill_program *program);

#endif
