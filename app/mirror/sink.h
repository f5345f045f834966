/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_SINK_H
#define SPILLWAY_MIRROR_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "route/router.h"

/**
 * @file
 * Where the mirror gives what it knows: the router (router_sink.c), or a test.
 *
 * Routes are given as groups: each set of paths that the kernel's routes have is a group, so that a
 * link or a next-hop object that changes is one change, whatever number of routes there is. All
 * functions are called on the control thread, and do not block. An interface is the router's index.
 */

struct spill_mirror_sink {
    void *context;
    /** @return its number, from 1; 0: there are too many, and its routes are unreachable */
    uint32_t (*create_group)(void *context, enum spill_route_action action,
                             const struct spill_route_path *paths, uint32_t count);
    /** @return false: there is no room for its paths, and it is unreachable */
    bool (*change_group)(void *context, uint32_t group, enum spill_route_action action,
                         const struct spill_route_path *paths, uint32_t count);
    /** No route that is given from here on has it; those that do have it keep it for now. */
    void (*release_group)(void *context, uint32_t group);
    /** @return false: it has no room, and no route to there; it may be given again */
    bool (*set_route)(void *context, const struct spill_ip_prefix *prefix, uint32_t group);
    void (*remove_route)(void *context, const struct spill_ip_prefix *prefix);
    /** @param mac  of REACHABLE, else NULL */
    void (*set_neighbor)(void *context, uint16_t interface, const struct spill_ip *address,
                         enum spill_neighbor_state state, const struct rte_ether_addr *mac);
    void (*remove_neighbor)(void *context, uint16_t interface, const struct spill_ip *address);
    /** All addresses of an interface. */
    void (*set_addresses)(void *context, uint16_t interface,
                          const struct spill_ip_prefix *addresses, uint32_t count);
    /**
     * The twin's state.
     *
     * @param enabled  administratively up
     * @param carrier  which the twin has from its port
     * @param mtu      bytes of IP
     */
    void (*set_link)(void *context, uint16_t interface, bool enabled, bool carrier, uint32_t mtu);
    /** The twin's own MAC changed. */
    void (*set_mac)(void *context, uint16_t interface, const struct rte_ether_addr *mac);
    /** One more that the interface takes frames to (a macvlan on its twin), or no longer. */
    void (*add_mac)(void *context, uint16_t interface, const struct rte_ether_addr *mac);
    void (*remove_mac)(void *context, uint16_t interface, const struct rte_ether_addr *mac);
};

#endif
