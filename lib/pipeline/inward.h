/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_INWARD_H
#define SPILLWAY_INWARD_H

#include <rte_mbuf.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * What came through an association, and whose first rule is for what leaves: a hub has such packets
 * from a spoke to another one. The rules for what comes (ways.h) say whether it may pass (RFC 4301
 * 5.2 step 4).
 *
 * What they say is noted in the flow, for the packets behind it. So it does not matter who was the
 * first that the rules were asked about: one in the clear with the same addresses, or this one.
 *
 * Uses of a packet: kind, key, direction, input, inbound_sa. Sets: sa, verdict.
 */

/**
 * Gives a packet the verdict of the rules for what comes, where that is protect. The lcore, where
 * the version in force has such rules.
 *
 * @param packet  that came through an SA, and may not pass by its verdict
 * @param stamp   TSC when it was received
 */
void spill_inward_find(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                       uint64_t stamp);

#endif
