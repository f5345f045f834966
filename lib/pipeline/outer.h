/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OUTER_H
#define SPILLWAY_OUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * Outer packets in fragments (RFC 2473 7.1, RFC 4213 3.2.1): nobody may be told of an MTU below the
 * least of IPv6, so an IPv6 packet that is no larger than that is protected however little room
 * there is, and what comes of it is fragmented. It is ours, so that is allowed over IPv6, too. The
 * other gateway puts it together.
 *
 * Uses of a packet: l3_offset, output. Sets, of IPv4 that is split: kind, length, l4_offset.
 */

#define SPILL_OUTER_IPV6_LEAST 1280 /* RFC 8200 5 */

/** Whether a packet for which there is no room is protected all the same: IPv6 of the least MTU
 * that leaves in a header of our own, or behind one without extension headers. Any thread. */
static inline bool spill_outer_may_be_split(const struct spill_packet *packet, bool tunnel)
{
    return packet->kind == SPILL_PACKET_IPV6 && packet->length <= SPILL_OUTER_IPV6_LEAST &&
           (tunnel || packet->l4_offset - packet->l3_offset == sizeof(struct rte_ipv6_hdr));
}

/** Whether a protected packet may be larger than its output takes, or its way. The lcore. */
static inline bool spill_outer_may_be_large(const struct spill_fast *fast,
                                            const struct rte_mbuf *mbuf,
                                            const struct spill_packet *packet, uint32_t mtu)
{
    const struct spill_exit *exit = &fast->exits.ports[packet->output];
    uint32_t length = rte_pktmbuf_pkt_len(mbuf);

    return length - packet->l3_offset > RTE_MIN(exit->mtu, mtu) || length > exit->largest;
}

/**
 * Sends a protected packet, in fragments if it is too large. The lcore.
 *
 * @param mbuf            given away: sent, or dropped as `esp_too_big`
 * @param packet          of it, with `output`
 * @param mtu             bytes that it may have at most, besides what the output carries
 * @param identification  of its fragments, over IPv6
 */
void spill_outer_send(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                      uint32_t mtu, uint32_t identification, uint64_t stamp, enum spill_path path);

#endif
