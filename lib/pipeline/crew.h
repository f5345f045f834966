/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CREW_H
#define SPILLWAY_CREW_H

#include "pipeline/pipeline.h"

/**
 * @file
 * The pipeline's workers: how they come, at the start and while others run, and how they leave.
 *
 *     spill_crew_add()       a place behind the others, with a thread, a loop and a worker
 *     spill_crew_come()      its loop runs: it takes jobs
 *     spill_crew_leave()     it takes no more
 *     spill_crew_has_left()  its loop has ended; it may come again
 *
 * Nobody else is stopped for it: jobs lie in their pool's rings, and who takes them is the same to
 * who handed them over (law 4 is kept by lanes). All is the one thread's that has the plan.
 */

/** Gives a pool lcore its worker, of those that its pool was made with, and an end of its own. A
 * pool that serves nobody has none: the lcore has nothing to do, and ends when it is told to.
 *  @param taken  of each pool's workers, by its index: so many have been given */
void spill_crew_take(struct spill_pipeline *pipeline, uint32_t index,
                     uint32_t taken[SPILL_NODES_MAX]);

/**
 * Makes a place for a worker that comes later, which spill_crew_come() begins.
 *
 * @param planned  the plan's next lcore, not counted yet
 * @param thread   the pipeline's from here on, also after an error
 * @return 0, or -1 with an error: memory is short, and there is nothing of it
 */
int spill_crew_add(struct spill_pipeline *pipeline, const struct spill_plan_lcore *planned,
                   struct spill_thread *thread, struct spill_error *error);

/** Begins the loop of a worker that is away. The version in force has what it works with.
 * @return 0, or -errno */
int spill_crew_come(struct spill_pipeline *pipeline, uint32_t index);

/** Has a worker leave. */
void spill_crew_leave(struct spill_pipeline *pipeline, uint32_t index);

/** Whether it has. */
bool spill_crew_has_left(const struct spill_pipeline *pipeline, uint32_t index);

#endif
