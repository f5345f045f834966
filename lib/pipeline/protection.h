/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PROTECTION_H
#define SPILLWAY_PROTECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * What follows from a verdict, with IPsec among the answers (RFC 4301 5):
 *
 *     clear packet   allow -> send   deny -> drop   protect by an outbound SA -> encryption.h
 *                                                   protect by an inbound SA -> drop: esp_required
 *                    deny until there is an SA -> acquisition.h
 *     packet that came through an SA (decryption.h)
 *                    protect by that SA, or by the one it stands for -> send; where it is routed,
 *                    through the SA that protects what leaves there (onward.h)
 *                    anything else -> drop: esp_policy
 *
 * Uses of a packet: flow, direction, inbound_sa, wrapped, verdict, sa. Sets: verdict.
 */

/**
 * Finds a packet's verdict in its flow, for the way that it came, and writes it to the packet; the
 * SA that belongs to it is there since the lookup.
 *
 * @return UNKNOWN when the rules must be asked, or packets of the flow wait before it
 */
static inline enum spill_verdict spill_protection_verdict(struct spill_packet *packet)
{
    struct spill_flow *flow = packet->flow;
    enum spill_verdict verdict;

    if (flow == NULL || flow->pending > 0 || (flow->spoken & SPILL_FLOW_ASKING) != 0)
        return SPILL_VERDICT_UNKNOWN;
    verdict = spill_flow_packet_verdict(flow, packet);
    if (verdict == SPILL_VERDICT_UNKNOWN) /* those behind it in the burst wait for its answer */
        flow->spoken |= SPILL_FLOW_ASKING;
    packet->verdict = (uint8_t)verdict;
    return verdict;
}

/**
 * Has the burst that was just looked up encrypted when that is all there is to it: the flows of its
 * packets are known, and one outbound SA protects them, as the lookup has found. The lcore.
 *
 * @param mbufs    given away when it is so
 * @param packets  of each, which came in the clear; looked up, with `input`
 * @param count    1 to SPILL_BURST
 * @param stamp    TSC when they were received
 * @return whether it is so; if not, nothing was done
 */
bool spill_protection_take_all(struct spill_fast *fast, struct rte_mbuf **mbufs,
                               struct spill_packet **packets, uint32_t count, uint64_t stamp);

/** Whether a packet with a verdict is to be sent, be it encrypted. The lcore. */
bool spill_protection_passes(const struct spill_fast *fast, const struct spill_packet *packet);

/**
 * Does what the verdicts say. The lcore.
 *
 * @param mbufs    given away, but for those that are to be sent, which are moved to the front
 * @param packets  of each, moved together with the mbufs; one with an unknown verdict is somebody
 *                 else's already
 * @param stamp    TSC when they were received
 * @return how many are to be sent
 */
uint32_t spill_protection_apply(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                struct spill_packet **packets, uint32_t count, uint64_t stamp);

#endif
