/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_ROUTER_SINK_H
#define SPILLWAY_MIRROR_ROUTER_SINK_H

#include "mirror/sink.h"

/**
 * @file
 * The router as a sink of the mirror's. What it has no room for is counted by the router, and its
 * packets find no route, or an unresolved neighbour.
 */

/** @param sink  filled; its context is the router, which must outlive it */
void spill_router_sink_init(struct spill_mirror_sink *sink, struct spill_router *router);

#endif
