/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CONNECT_H
#define SPILLWAY_CONNECT_H

#include "pipeline/pipeline.h"

/**
 * @file
 * What lies between lcores: channels and the pools of workers. For pipeline.c, which puts the
 * lcores together, and plug.c, which adds ports to them. Who has the plan; what fails half way is
 * freed with the pipeline.
 */

/** Zeroed memory on a planned node, for rte_free(); SOCKET_ID_ANY where the plan knows none. */
void *spill_connect_allocate(size_t size, int node);

/** Says that there was none. Returns -1. */
int spill_connect_no_memory(struct spill_error *error, const char *what, int node);

/** What classes may need and this pipeline has: SPILL_NEED_… (classes.h). */
unsigned spill_connect_needs_met(const struct spill_pipeline_config *config);

/**
 * Attaches a fast lcore to the classes that are there, and gives it, with IPsec, what it gathers of
 * ESP in fragments and what waits for associations. Once it has a submitter; again does nothing
 * twice. @return 0, or -1 with an error
 */
int spill_connect_ipsec(struct spill_pipeline *pipeline, struct spill_pipeline_lcore *lcore,
                        struct spill_error *error);

/** Makes those of pipeline->channels that are in the plan and not there yet. @return 0, or -1 with
 * an error */
int spill_connect_channels(struct spill_pipeline *pipeline, struct spill_error *error);

/** Whether whatever is received comes from captures, which wait until there is room. */
bool spill_connect_all_can_wait(const struct spill_pipeline *pipeline);

/** Makes pipeline->pools; fast lcores that no worker serves share one without any. Likewise. */
int spill_connect_pools(struct spill_pipeline *pipeline, struct spill_error *error);

/** The sender of an lcore, given by its index in the plan, in a channel. */
struct spill_sender *spill_connect_sender(const struct spill_pipeline *pipeline, int channel,
                                          uint32_t lcore);

#endif
