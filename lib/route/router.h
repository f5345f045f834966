/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTE_ROUTER_H
#define SPILLWAY_ROUTE_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_rcu_qsbr.h>

#include "base/error.h"
#include "plan/topology.h"
#include "route/address.h"

/**
 * @file
 * The router as the control side has it: interfaces, addresses, routes, neighbours. What lcores
 * read of it is in tables.h.
 *
 * All functions are the control thread's. What they change reaches the lcores in two ways:
 *
 * - at once, by one store that an lcore sees or does not: neighbours, the members of a group, the
 *   state and the addresses of an interface;
 * - by spill_router_work(): routes. There are two instances of each forwarding table, left and
 *   right. Changes are made to the one that no lcore reads; then the lcores are given that one, and
 *   once all have passed a quiescent state the changes are made to the other. So no lcore ever sees
 *   half of a change, with any version of DPDK's rte_fib.
 *
 *     router = spill_router_create(...)
 *     lan = spill_router_add_interface(router, ...)      before the lcores start, or while they run
 *     spill_router_set_route(router, ...)                any number of times
 *     while (spill_router_work(router)) ...              now and then, until it is false
 *
 * Nothing here blocks, but for the time that a table's change takes: spill_router_work() makes at
 * most SPILL_ROUTER_WORK of them.
 */

#define SPILL_ROUTER_INTERFACES_MAX 256  /* routed ports and sub-ports */
#define SPILL_ROUTER_PATHS_MAX      64   /* of a route, or a group */
#define SPILL_ROUTER_GROUPS_MAX     8192 /* different sets of paths */
#define SPILL_ROUTER_NEIGHBORS_MAX  16384
#define SPILL_ROUTER_LCORES_MAX     64   /* that read */
#define SPILL_ROUTER_WORK           2048 /* changes of tables in one call */

/** What becomes of packets by a route. */
enum spill_route_action {
    SPILL_ROUTE_NONE,    /* there is no route: dropped, and the sender is told */
    SPILL_ROUTE_FORWARD, /* by one of its paths */
    SPILL_ROUTE_LOCAL,   /* for the host: its addresses, and broadcast */
    SPILL_ROUTE_BLACKHOLE,
    SPILL_ROUTE_UNREACHABLE, /* dropped; the sender is told: host unreachable */
    SPILL_ROUTE_PROHIBIT,    /* dropped; the sender is told: administratively prohibited */
};

/** One way of a route. */
struct spill_route_path {
    struct spill_ip
        gateway; /* of either family; family 0: whoever has the address is on the link */
    uint16_t interface;
    uint16_t mtu;    /* bytes of IP; 0: the interface's. Of several paths the least is for all */
    uint32_t weight; /* its share of the flows; 0 is as 1 */
};

/** What is known of a neighbour. */
enum spill_neighbor_state {
    SPILL_NEIGHBOR_UNRESOLVED, /* being asked for: packets wait */
    SPILL_NEIGHBOR_REACHABLE,  /* has a MAC that may be used: the kernel's STALE, DELAY, PROBE, too
                                */
    SPILL_NEIGHBOR_FAILED,     /* nobody answers: senders are told that the host is unreachable */
    SPILL_NEIGHBOR_STATIC,     /* configured: nothing else is taken for it until it is removed so */
};

/** Reverse path filtering (RFC 3704): of the address that a packet comes from. */
enum spill_router_rpf {
    SPILL_RPF_OFF,
    SPILL_RPF_LOOSE,  /* there is a route to it */
    SPILL_RPF_STRICT, /* there is one by the interface that the packet came in by */
};

/** A routed port, or a VLAN of one. */
struct spill_router_interface {
    uint16_t port;             /* DPDK's id */
    uint16_t vlan;             /* 1 to 4094; 0: what has no tag */
    uint16_t mtu;              /* bytes of IP; 0: the port's */
    struct rte_ether_addr mac; /* whose frames are taken, and are sent from */
};

struct spill_router_config {
    uint32_t routes4, routes6; /* how many there may be of each family */
    /* For each node, the node where the memory of its lcores is, or -1: no lcore there. */
    int memory_nodes[SPILL_NODES_MAX];
    struct rte_rcu_qsbr *readers; /* in which the lcores say that they hold nothing */
    uint32_t lcores;              /* that read, at most SPILL_ROUTER_LCORES_MAX */
    enum spill_router_rpf rpf;
    uint32_t seed; /* secret: of the hash of neighbours */
};

struct spill_router;

/** Bytes of memory that the tables of one node take, for the plan. */
uint64_t spill_router_memory(uint32_t routes4, uint32_t routes6);

/** @return NULL with an error when memory is short */
struct spill_router *spill_router_create(const struct spill_router_config *config,
                                         struct spill_error *error);

/** Once no lcore reads any more. May be NULL. */
void spill_router_free(struct spill_router *router);

/**
 * Adds an interface, in the first place that is free. While lcores run it is whoever's who has the
 * ports; nobody else uses its index before it is told.
 *
 * @return its index, or -1 with an error: there are too many, or it is there
 */
int spill_router_add_interface(struct spill_router *router,
                               const struct spill_router_interface *interface,
                               struct spill_error *error);

/**
 * Frees the place of an interface by which no route leads any more, and of whose neighbors nothing
 * is known. Likewise; once no lcore receives by it.
 *
 * @return false: something refers to it, and it stays
 */
bool spill_router_remove_interface(struct spill_router *router, uint16_t interface);

/** Whether routes lead by an interface, or something is known of a neighbor on it. Any thread. */
bool spill_router_interface_used(const struct spill_router *router, uint16_t interface);

/** Index of an interface; -1: there is none. */
int spill_router_find_interface(const struct spill_router *router, uint16_t port, uint16_t vlan);

/** Number of interfaces, free places between them too. */
uint32_t spill_router_interface_count(const struct spill_router *router);

/**
 * Takes frames to one more MAC, as those of VRRP, or no longer. They are sent from the first, which
 * spill_router_set_mac() changes.
 *
 * @return -1 with an error: there are too many
 */
int spill_router_add_mac(struct spill_router *router, uint16_t interface,
                         const struct rte_ether_addr *mac, struct spill_error *error);
void spill_router_remove_mac(struct spill_router *router, uint16_t interface,
                             const struct rte_ether_addr *mac);
void spill_router_set_mac(struct spill_router *router, uint16_t interface,
                          const struct rte_ether_addr *mac);

/**
 * Sets the addresses of an interface, all of them: the first of each family that is not link-local
 * is where ICMP errors come from (RFC 1812 4.3.2.4, RFC 4443 2.2). The routes that belong to
 * addresses are set by whoever sets these: LOCAL for each, FORWARD on the link for its prefix.
 */
void spill_router_set_addresses(struct spill_router *router, uint16_t interface,
                                const struct spill_ip_prefix *addresses, uint32_t count);

/** Sets the MTU of an interface: bytes of IP; 0: the port's. */
void spill_router_set_mtu(struct spill_router *router, uint16_t interface, uint16_t mtu);

/** Who says whether an interface's link is up. */
enum spill_router_link {
    SPILL_LINK_OF_PORT = 1,
    SPILL_LINK_OF_TWIN = 2,
    SPILL_LINK_OF_LEAVING = 4, /* the interface leaves: what waits for neighbors on it is dropped */
};

/** Says whether an interface's link is up, as one of those sees it: paths over one that is not up
 * for both are not taken, as long as there are others. They are up at first. */
void spill_router_set_link(struct spill_router *router, uint16_t interface,
                           enum spill_router_link of, bool up);

/* ------------------------------------------------------------------------------- routes */

/**
 * Adds a route, or replaces all of the one that there is. Routes with the same paths share a group.
 *
 * @param prefix  bits behind its length are ignored
 * @param paths   of FORWARD at least one, else none
 * @return 0, or -1 with an error: too many routes, groups or neighbours; a path that can't be
 */
int spill_router_set_route(struct spill_router *router, const struct spill_ip_prefix *prefix,
                           enum spill_route_action action, const struct spill_route_path *paths,
                           uint32_t count, struct spill_error *error);

/** Removes a route; nothing where there is none. */
void spill_router_remove_route(struct spill_router *router, const struct spill_ip_prefix *prefix);

/**
 * A set of paths that many routes use and that can be changed for all of them at once, as the
 * kernel's next-hop objects. It is never shared with routes by paths.
 *
 * @return its number, 1 or more; 0 with an error: as spill_router_set_route()
 */
uint32_t spill_router_create_group(struct spill_router *router, enum spill_route_action action,
                                   const struct spill_route_path *paths, uint32_t count,
                                   struct spill_error *error);

/** Replaces the paths of a group, for all its routes: lcores see it at once. Likewise. */
int spill_router_change_group(struct spill_router *router, uint32_t group,
                              enum spill_route_action action, const struct spill_route_path *paths,
                              uint32_t count, struct spill_error *error);

/** Gives a group back. It goes on for the routes that have it, until the last is gone. */
void spill_router_release_group(struct spill_router *router, uint32_t group);

/** spill_router_set_route() with a group that is held. */
int spill_router_set_route_group(struct spill_router *router, const struct spill_ip_prefix *prefix,
                                 uint32_t group, struct spill_error *error);

/**
 * Makes the changes of routes on the lcores' tables, as far as that can be done now.
 *
 * @return whether more is to be done: the caller comes again, within a millisecond or so
 */
bool spill_router_work(struct spill_router *router);

/** Routes that are set, of a family; and times that there was no room: for a route, or for a set of
 * paths. Any thread. */
uint32_t spill_router_route_count(const struct spill_router *router, uint8_t family);
uint64_t spill_router_refused(const struct spill_router *router);

/** The route of a prefix exactly: NONE, or its action. For tests and for what is told. */
enum spill_route_action spill_router_get_route(const struct spill_router *router,
                                               const struct spill_ip_prefix *prefix);

/* --------------------------------------------------------------------------- neighbours */

/**
 * Says what is known of a neighbour, which may be a gateway or any host on the link.
 *
 * @param mac  of REACHABLE and STATIC; else may be NULL
 * @return 0, or -1 with an error: too many neighbours
 */
int spill_router_set_neighbor(struct spill_router *router, uint16_t interface,
                              const struct spill_ip *address, enum spill_neighbor_state state,
                              const struct rte_ether_addr *mac, struct spill_error *error);

/** Forgets a neighbour; a static one stays. As a gateway it is UNRESOLVED then. */
void spill_router_remove_neighbor(struct spill_router *router, uint16_t interface,
                                  const struct spill_ip *address);

/** The same of a static one; nothing where there is none. */
void spill_router_remove_static(struct spill_router *router, uint16_t interface,
                                const struct spill_ip *address);

/** Whether a neighbour was sent to since this was last asked: the kernel is to keep it alive. */
bool spill_router_neighbor_used(struct spill_router *router, uint16_t interface,
                                const struct spill_ip *address);

/** Whether a neighbour is the next hop of routes, and nobody has said for good what its MAC is. */
bool spill_router_is_gateway(const struct spill_router *router, uint16_t interface,
                             const struct spill_ip *address);

/** Neighbours of which something is known; and times that there was no room for one. Any thread. */
uint32_t spill_router_neighbor_count(const struct spill_router *router);
uint64_t spill_router_neighbors_refused(const struct spill_router *router);

/** A neighbour that a packet waits for. */
struct spill_router_need {
    uint16_t interface;
    struct spill_ip address;
};

/**
 * The next neighbour that an lcore needs resolved, of a bounded number that each lcore may have
 * noted; it asks for one once a second as long as packets wait for it.
 *
 * @return false: there is none now
 */
bool spill_router_next_need(struct spill_router *router, struct spill_router_need *need);

/**
 * The next of those gateways of which nothing is known yet.
 *
 * @param place  0 for the first; gets where to go on
 * @return false: there is none after that
 */
bool spill_router_next_unknown_gateway(const struct spill_router *router, uint32_t *place,
                                       struct spill_router_need *gateway);

/** Whether an lcore needs one. Any thread, once all lcores have what they write (tables.h). */
bool spill_router_has_needs(const struct spill_router *router);

#endif
