/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_HANDOVER_H
#define SPILLWAY_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>

#include "packet/packet.h"
#include "runtime/channel.h"

/**
 * @file
 * Hand-over: packets that came to one fast lcore and are another's.
 *
 * Whoever spreads, device or software, sees fragments without their ports. So each fast lcore has
 * two channels from the others, where there are others. One is for packets as they were received,
 * which are to meet those of their datagram; where software spreads, it is the channel of the
 * spreading lcores, which choose alike. The other is for packets whose owner was found: they are
 * not handed on again. So the second can end after the first: an lcore leaves it when nothing comes
 * any more that it might hand on.
 *
 * What a channel does not take is dropped as `handover_full`.
 *
 * Uses of a packet: kind, key, has_ports, input. Sets: nothing; all of it goes along in the mbuf.
 */

struct spill_fast;

/** How the devices' hash chooses a fast lcore. */
struct spill_handover_rss {
    const uint8_t *key;
    uint64_t fields[RTE_MAX_ETHPORTS];      /* RTE_ETH_RSS_*, by id of the port */
    uint32_t queues[RTE_MAX_ETHPORTS];      /* likewise */
    uint32_t table_sizes[RTE_MAX_ETHPORTS]; /* entries, of which i is queue i % queues; likewise */
};

/** Written before the lcores start. */
struct spill_handover {
    uint32_t self;  /* index of this fast lcore */
    uint32_t count; /* of fast lcores */
    uint32_t seed;  /* of the software's hash */
    bool by_device; /* the devices spread, by `rss` */
    struct spill_handover_rss rss;
    struct spill_sender *datagrams[RTE_MAX_LCORE]; /* by index of the fast lcore; own: NULL. Where
                                                    * software spreads, all are: fragments come to
                                                    * the right one */
    struct spill_sender *flows[RTE_MAX_LCORE];     /* by index of the fast lcore; own: NULL */
};

/** The fast lcore, by its index, where a fragment meets the others of its datagram. */
uint32_t spill_handover_datagram_owner(const struct spill_handover *handover,
                                       const struct spill_packet *packet);

/** The fast lcore to which the packets of a flow come when they are no fragments. */
uint32_t spill_handover_flow_owner(const struct spill_handover *handover,
                                   const struct spill_packet *packet);

/**
 * Hands a packet to another lcore. The lcore.
 *
 * @param mbuf    given away
 * @param packet  goes along
 */
void spill_handover_send(struct spill_fast *fast, struct spill_sender *sender,
                         struct rte_mbuf *mbuf, const struct spill_packet *packet, uint64_t stamp);

/** Hands no more packets on as received, or none at all. The lcore; again does nothing. */
void spill_handover_leave_datagrams(const struct spill_handover *handover);
void spill_handover_leave_flows(const struct spill_handover *handover);

/** Whether a burst would be taken by whichever lcore: for sources that can wait. The lcore. */
bool spill_handover_has_room(const struct spill_handover *handover);

#endif
