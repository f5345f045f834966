/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LCORE_H
#define SPILLWAY_LCORE_H

#include "pipeline/pipeline.h"

/**
 * @file
 * The loop of one lcore, whether that is the EAL's or a thread that came later (runtime/thread.h):
 * made, launched, and what became of it. The one thread's that has the plan, where nothing else is
 * said.
 */

/** Makes an lcore's loop, without stages. Its plan is set. @return 0, or -1 with an error: memory
 * is short, then spill_lcore_free() is the caller's */
int spill_lcore_create(struct spill_pipeline *pipeline, struct spill_pipeline_lcore *lcore,
                       struct spill_error *error);

/** Frees the loop, and the thread, if it is one of ours; neither runs. */
void spill_lcore_free(struct spill_pipeline_lcore *lcore);

/** Has an lcore that is not at work call a function. @return 0, or -errno */
int spill_lcore_launch(const struct spill_pipeline_lcore *lcore, int (*function)(void *),
                       void *argument);

/** Whether the lcore is at work. Any thread. */
bool spill_lcore_runs(const struct spill_pipeline_lcore *lcore);

/** What the last function returned. It is not at work. */
int spill_lcore_status(const struct spill_pipeline_lcore *lcore);

#endif
