/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTE_TABLES_H
#define SPILLWAY_ROUTE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_jhash.h>
#include <rte_ring.h>

#include "route/address.h"
#include "route/router.h"

/**
 * @file
 * What lcores read of the router: a copy for each NUMA node.
 *
 *     destination -> rte_fib -> group -> (by the flow's hash) hop -> interface -> port
 *
 * A hop is a neighbour, or stands for a link on which the destination itself is the neighbour. The
 * control thread writes while lcores read. What changes of a hop or a group is one word, or one
 * number among others, so that whatever an lcore sees is right before or after the change; who is
 * given a number again has waited until no lcore can hold it.
 */

/* Numbers of hops: 0 is none, then one for each interface's link, then neighbours. */
#define SPILL_HOPS_MAX (1 + SPILL_ROUTER_INTERFACES_MAX + SPILL_ROUTER_NEIGHBORS_MAX)
/* Into which the flows are divided where a group has several paths: a power of two. */
#define SPILL_GROUP_BUCKETS  64
#define SPILL_HOP_CHAINS     8192 /* of the hash of neighbours; a power of two */
#define SPILL_INTERFACE_MACS 4    /* besides its own */
#define SPILL_NEEDS_MAX      256  /* neighbours that an lcore may have asked for at a time */

enum spill_hop_kind {
    SPILL_HOP_UNRESOLVED,
    SPILL_HOP_REACHABLE,
    SPILL_HOP_FAILED,
    SPILL_HOP_ON_LINK, /* no neighbour: the destination is */
};

/** What is known of a hop at one moment. */
union spill_hop_state {
    uint64_t word;
    struct {
        struct rte_ether_addr mac;
        uint8_t kind; /* enum spill_hop_kind */
        uint8_t none;
    };
};

/** All but the state and the chain stays as long as the number is in use. */
struct spill_hop {
    uint64_t state;
    uint16_t interface;
    uint16_t next; /* neighbour in the same chain; 0: none */
    struct spill_ip address;
} __attribute__((aligned(32)));

/** What a group's packets meet, in one word. */
union spill_group_head {
    uint32_t word;
    struct {
        uint8_t action; /* enum spill_route_action */
        uint8_t mask;   /* of the flow's hash: 0, or SPILL_GROUP_BUCKETS - 1 */
        uint16_t mtu;   /* bytes of IP, at most */
    };
};

struct spill_group {
    uint32_t head;
    uint16_t hops[SPILL_GROUP_BUCKETS];
} __attribute__((aligned(64)));

/** Where ICMP errors about an interface's packets come from. */
struct spill_route_sources {
    uint8_t has4, has6;
    uint32_t address4;
    uint8_t address6[16];
};

struct spill_interface {
    uint64_t mac;                        /* of frames that it sends and takes; as below */
    uint64_t macs[SPILL_INTERFACE_MACS]; /* that it takes besides; 0: none */
    uint16_t port, vlan;
    uint16_t mtu;             /* bytes of IP, at most; the port may take less */
    uint8_t down;             /* enum spill_router_link: who says so; 0: it is up */
    uint32_t sources_version; /* odd while they are written */
    struct spill_route_sources sources;
} __attribute__((aligned(64)));

struct spill_route_tables {
    struct rte_fib *fib4; /* replaced by one store each */
    struct rte_fib6 *fib6;
    uint32_t seed;
    uint8_t rpf; /* enum spill_router_rpf */
    struct spill_group *groups;
    struct spill_hop *hops;
    uint16_t chains[SPILL_HOP_CHAINS];
    struct spill_interface interfaces[SPILL_ROUTER_INTERFACES_MAX];
};

/** What one lcore writes. */
struct spill_route_lcore {
    struct rte_ring *needs;       /* of struct spill_router_need, to the control thread */
    uint8_t used[SPILL_HOPS_MAX]; /* 1: sent to; the control thread clears it */
};

/** The tables for an lcore whose memory is on a node; NULL: there are none on it. */
const struct spill_route_tables *spill_router_tables(const struct spill_router *router, int node);

/**
 * What an lcore writes; before it starts. Asked for again, it is the same.
 *
 * @param index  below the config's `lcores`
 * @return NULL with an error when memory is short
 */
struct spill_route_lcore *spill_router_lcore(struct spill_router *router, uint32_t index, int node,
                                             struct spill_error *error);

/** Asks the control thread for a neighbour. The lcore. @return false: there is no room now */
static inline bool spill_needs_add(struct spill_route_lcore *lcore, struct spill_router_need need)
{
    return rte_ring_sp_enqueue_elem(lcore->needs, &need, sizeof(need)) == 0;
}

/** A MAC as a number, whose last two bytes in memory are 0. */
static inline uint64_t spill_mac_word(const struct rte_ether_addr *mac)
{
    uint64_t word = 0;

    memcpy(&word, mac, sizeof(*mac));
    return word;
}

static inline union spill_hop_state spill_hop_get(const struct spill_hop *hop)
{
    return (union spill_hop_state){.word = __atomic_load_n(&hop->state, __ATOMIC_ACQUIRE)};
}

/** The kind of a hop, by its state's word. */
static inline uint8_t spill_hop_kind(uint64_t state)
{
    return (uint8_t)(state >> 8 * offsetof(union spill_hop_state, kind));
}

static inline union spill_group_head spill_group_get(const struct spill_group *group)
{
    return (union spill_group_head){.word = __atomic_load_n(&group->head, __ATOMIC_ACQUIRE)};
}

/** The hop of a flow. @param hash  of it; of a group without paths: 0 */
static inline uint16_t spill_group_hop(const struct spill_group *group, union spill_group_head head,
                                       uint32_t hash)
{
    return __atomic_load_n(&group->hops[hash & head.mask], __ATOMIC_ACQUIRE);
}

static inline uint32_t spill_hop_chain(uint32_t seed, uint16_t interface, const struct spill_ip *ip)
{
    uint32_t words[4];

    memcpy(words, ip->bytes, sizeof(words));
    return rte_jhash_32b(words, 4, seed ^ (uint32_t)interface << 8 ^ ip->family) &
           (SPILL_HOP_CHAINS - 1);
}

/** The number of a neighbour; 0: it is not known. */
static inline uint16_t spill_hop_find(const struct spill_route_tables *tables, uint16_t interface,
                                      const struct spill_ip *ip)
{
    uint16_t hop = __atomic_load_n(&tables->chains[spill_hop_chain(tables->seed, interface, ip)],
                                   __ATOMIC_ACQUIRE);

    while (hop != 0 && (tables->hops[hop].interface != interface ||
                        !spill_ip_equal(&tables->hops[hop].address, ip)))
        hop = __atomic_load_n(&tables->hops[hop].next, __ATOMIC_ACQUIRE);
    return hop;
}

/** Reads an interface's sources. @return false: they are just being changed */
static inline bool spill_interface_sources(const struct spill_interface *interface,
                                           struct spill_route_sources *sources)
{
    const uint32_t version = __atomic_load_n(&interface->sources_version, __ATOMIC_ACQUIRE);

    *sources = interface->sources;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return (version & 1) == 0 &&
           version == __atomic_load_n(&interface->sources_version, __ATOMIC_RELAXED);
}

#endif
