/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTING_TRACE_H
#define SPILLWAY_ROUTING_TRACE_H

#include "pipeline/trace.h"
#include "route/tables.h"

/**
 * Notes of those packets of a burst that are traced which way their route says: before it is gone.
 * The lcore.
 *
 * @param groups  of their routes
 */
void spill_routing_trace(struct spill_watch *watch, const struct spill_route_tables *tables,
                         struct rte_mbuf **mbufs, struct spill_packet **packets,
                         const uint64_t groups[], uint32_t count);

#endif
