/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PROTECTION_H
#define SPILLWAY_PROTECTION_H

#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * What follows from a verdict, with IPsec among the answers (RFC 4301 5):
 *
 *     clear packet   allow -> send   deny -> drop   protect by an outbound SA -> encryption.h
 *                                                   protect by an inbound SA -> drop: esp_required
 *     packet that came through an SA (decryption.h)
 *                    protect by that very SA -> send     anything else -> drop: esp_policy
 */

/**
 * Finds a packet's verdict in its flow, for the way that it came, and writes it to the packet.
 *
 * @return UNKNOWN when the rules must be asked, or packets of the flow wait before it
 */
static inline enum spill_verdict spill_protection_verdict(const struct spill_fast *fast,
                                                          struct spill_packet *packet)
{
    const struct spill_flow *flow = packet->flow;
    enum spill_verdict verdict;

    if (flow == NULL || flow->pending > 0)
        return SPILL_VERDICT_UNKNOWN;
    verdict = packet->through == 0 ? spill_flow_verdict(flow, packet->direction)
                                   : spill_flow_own_verdict(flow, packet->direction);
    packet->verdict = (uint8_t)verdict;
    if (verdict == SPILL_VERDICT_PROTECT)
        packet->sa = spill_flow_table_sa(fast->flows, flow, packet->direction);
    return verdict;
}

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
