/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_WAITING_H
#define SPILLWAY_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "packet/packet.h"
#include "pipeline/output.h"
#include "pipeline/routing.h"
#include "route/address.h"

/**
 * @file
 * Packets that wait for their neighbour's MAC address: a few for each neighbour, and bounded for
 * each port that they would leave by, so that a scan of a large network on one port neither holds
 * many mbufs nor keeps other ports' packets out (law 1); on its own port it costs those their
 * places who have waited longest. The control side is asked to resolve it (route/tables.h), once a
 * second as long as any wait.
 *
 * When the neighbour is reachable they leave in order; when it failed, or nothing was heard for
 * SPILL_WAITING_MS, they are dropped and their senders told.
 *
 * Uses of a packet: all of it; it waits in its mbuf.
 */

#define SPILL_WAITING_NEIGHBORS 64   /* at a time */
#define SPILL_WAITING_EACH      4    /* packets of a neighbour; of more the oldest goes */
#define SPILL_WAITING_PORT      16   /* neighbours by one port at a time */
#define SPILL_WAITING_MS        3000 /* as long as the kernel asks */
#define SPILL_WAITING_ALL       (SPILL_WAITING_NEIGHBORS * SPILL_WAITING_EACH)

struct spill_fast;

/** A neighbour that packets wait for. */
struct spill_waiting_neighbor {
    struct spill_ip address;
    uint16_t interface;
    uint8_t count;                       /* packets; 0: the place is free */
    uint8_t origins[SPILL_WAITING_EACH]; /* enum spill_routing_origin */
    struct rte_mbuf *mbufs[SPILL_WAITING_EACH];
    uint64_t since, asked; /* TSC: when the first came, when it was last asked for */
    uint64_t stamps[SPILL_WAITING_EACH];
};

/** A fast lcore's. Written by the lcore. */
struct spill_waiting {
    uint32_t count;  /* neighbours */
    uint64_t looked; /* TSC */
    /* A byte of each neighbour's, by which it is found: while any waits, each packet that is routed
     * looks. 0: the place is free. */
    uint8_t tags[SPILL_WAITING_NEIGHBORS];
    struct spill_waiting_neighbor neighbors[SPILL_WAITING_NEIGHBORS];
};

/**
 * Has a packet wait, or drops one. The lcore.
 *
 * @param mbuf     given away
 * @param packet   as before it was routed: nothing was rewritten
 * @param address  of the neighbour
 * @param origin   whose it is
 */
void spill_waiting_add(struct spill_fast *fast, uint16_t interface, const struct spill_ip *address,
                       struct rte_mbuf *mbuf, const struct spill_packet *packet, uint64_t stamp,
                       enum spill_routing_origin origin);

/**
 * Sends what waits for a neighbour that has turned out to be reachable: nobody overtakes it (law
 * 4). The lcore, before it sends to that hop, where any waits.
 *
 * @param hop  reachable, with an address
 */
void spill_waiting_go_first(struct spill_fast *fast, uint16_t hop);

/** Looks for what may go on, at most every 100 microseconds. The lcore, where any waits. */
void spill_waiting_look(struct spill_fast *fast, uint64_t now);

/** Drops what waits, at the end. The lcore, or the control thread once it has ended.
 * @return packets */
uint32_t spill_waiting_drop_all(struct spill_waiting *waiting, struct spill_ledger *ledger,
                                const struct spill_drop_reason *reason);

/** That which packets wait for, when nothing more will come: for spill_waiting_drop_all(). */
extern struct spill_drop_reason spill_drop_neighbor_unresolved;
/** That of packets whose neighbour is known not to answer. */
extern struct spill_drop_reason spill_drop_neighbor_failed;

#endif
