/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FUZZ_WORLD_ROUTER_H
#define SPILLWAY_FUZZ_WORLD_ROUTER_H

#include "route/router.h"
#include "world.h"

/**
 * @file
 * The router of a world whose two ports are routed: interfaces, addresses, routes, neighbours. All
 * of them are of fixed tables, from which an input takes some out and puts them back.
 */

/** What a frame to a neighbour has as its destination: the port and the neighbour are in it. */
struct rte_ether_addr world_router_mac(enum world_port port, unsigned host);

/** Once: its tables take long to make. */
void world_router_start(const struct spill_port *ports, struct rte_rcu_qsbr *readers);

/** For an input: all routes, no neighbours. */
struct spill_router *world_router_open(void);

/** Takes a route out, puts it back, or says something of a neighbour, an MTU or a link. */
void world_router_change(struct fuzz_input *input);

/** Makes the changes that wait. */
void world_router_work(void);

/** Whether a packet to an address may leave by a port: a route to it led there at a time. */
bool world_router_leads(const struct spill_ip *to, enum world_port port);

/** Whether an address is the router's own. */
bool world_router_is_own(const struct spill_ip *address);

#endif
