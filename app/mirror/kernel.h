/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_KERNEL_H
#define SPILLWAY_MIRROR_KERNEL_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <rte_ether.h>

#include "route/router.h"

/**
 * @file
 * The kernel's messages (rtnetlink) as plain structs. Each function reads one message and says
 * whether it is one that the mirror has a use for; nothing of the message is kept. Any thread.
 */

/** Of what spillway gives the kernel, by which `ip` shows it (proto 83): of those below 256 that
 * have a name, none is this. */
#define SPILL_ROUTE_PROTOCOL 83

struct spill_kernel_link {
    uint32_t index;
    char name[IF_NAMESIZE];
    bool enabled; /* administratively up */
    bool running; /* up in every sense: next-hop objects live as long */
    bool carrier;
    bool macvlan;
    uint32_t parent; /* index of the link that it is on; 0: none here */
    uint32_t mtu;
    struct rte_ether_addr mac;
};

struct spill_kernel_address {
    uint32_t link;
    struct spill_ip_prefix prefix; /* the address, bits behind the length kept */
    bool usable;                   /* IPv6's duplicate address detection is over, and found none */
};

struct spill_kernel_neighbor {
    uint32_t link;
    struct spill_ip address;
    enum spill_neighbor_state state;
    struct rte_ether_addr mac; /* of REACHABLE */
    bool permanent;            /* somebody has said for good what its MAC is */
    bool managed;              /* the kernel finds it out, and again, by itself (NTF_EXT_MANAGED) */
    bool ours;                 /* as spillway has asked for */
};

/** A way of a route, or a next-hop object. */
struct spill_kernel_path {
    uint32_t link;
    uint32_t weight;        /* from 1 */
    uint32_t encapsulation; /* a tunnel that packets are put in there, as a hash; 0: none */
    struct spill_ip gateway;
    bool dead; /* its link is down: not used, while another one lives */
};

struct spill_kernel_route {
    struct spill_ip_prefix prefix;
    bool local;      /* of the local table, which is looked at first */
    bool kept;       /* IPv4's own addresses stay when their link goes down */
    bool merges;     /* IPv6: routes of its kind with one metric are one route with several paths */
    uint8_t action;  /* enum spill_route_action */
    uint16_t mtu;    /* 0: the link's */
    uint32_t metric; /* the lowest is the best */
    uint32_t next_hop; /* id of an object, and no paths here; 0: none */
    uint32_t count;
    struct spill_kernel_path paths[SPILL_ROUTER_PATHS_MAX];
};

struct spill_kernel_member {
    uint32_t id;
    uint32_t weight;
};

/** A next-hop object: a path, a group of others, or the end. */
struct spill_kernel_next_hop {
    uint32_t id;
    bool blackhole;
    struct spill_kernel_path path; /* without members */
    uint32_t count;
    struct spill_kernel_member members[SPILL_ROUTER_PATHS_MAX];
};

bool spill_kernel_read_link(const struct nlmsghdr *message, struct spill_kernel_link *link);
bool spill_kernel_read_address(const struct nlmsghdr *message,
                               struct spill_kernel_address *address);
/** Not those of multicast, and no proxies. */
bool spill_kernel_read_neighbor(const struct nlmsghdr *message,
                                struct spill_kernel_neighbor *neighbor);
/**
 * Not those of other tables, by type of service, to link-local or multicast destinations.
 *
 * @param table  number of the one beside the local table
 */
bool spill_kernel_read_route(const struct nlmsghdr *message, uint32_t table,
                             struct spill_kernel_route *route);
bool spill_kernel_read_next_hop(const struct nlmsghdr *message,
                                struct spill_kernel_next_hop *next_hop);

#endif
