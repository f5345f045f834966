/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CONNECTION_H
#define SPILLWAY_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * What packets do to their connections: what a packet may begin, and the state that it takes its
 * connection to (classify/flow_state.h). All of it is for packets that have a flow and its verdict,
 * in the order in which they came; the lcore.
 *
 * Uses of a packet: kind, key, direction, step, inbound_sa, flow, verdict, l4_offset, length. Sets:
 * nothing.
 */

/**
 * Whether nobody gets the right to reply from it that a packet may pass: it begins nothing, and is
 * of nothing that was begun.
 */
bool spill_connection_opens_nothing(const struct spill_fast *fast,
                                    const struct spill_packet *packet);

/** Whether it is a TCP packet that was allowed for itself, and may not be one without connection.
 */
bool spill_connection_is_missing(const struct spill_fast *fast, const struct spill_packet *packet);

/** As below, of packets that need it. */
void spill_connection_step(struct spill_fast *fast, struct rte_mbuf *mbuf,
                           const struct spill_packet *packet, uint64_t now);

/**
 * Takes a packet's connection to the state that it brings about, if it is sent on; its rule's
 * `mss` is put into a segment with SYN.
 *
 * @param packet  with its verdict
 * @param now     TSC when it was received
 */
static inline void spill_connection_pass(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                         const struct spill_packet *packet, uint64_t now)
{
    if (unlikely(spill_flow_needs_step(packet->flow, packet)))
        spill_connection_step(fast, mbuf, packet, now);
}

#endif
