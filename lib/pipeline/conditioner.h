/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CONDITIONER_H
#define SPILLWAY_CONDITIONER_H

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * Traffic conditioning (RFC 2475): rules that let so much through and no more (`limit`), what
 * becomes of the rest, and rules that mark what they let through (`dscp`).
 *
 * A packet that a rule with a limit lets pass is taken from the rule's bucket (rule_limit.h).
 * Beyond it the next rule decides, for this packet alone: the flow stays the first rule's. That is
 * found by a search of the rules, here and at once, so that the flow's packets keep their order; it
 * is paid from the allowance of known flows that ask rules (classification.h). Without that the
 * packet is dropped.
 *
 * Uses of a packet: kind, key, direction, flow, step, length, input, output, inbound_sa, verdict.
 * Sets: verdict, sa, of one that is beyond a limit; reversed, and what routing_flow.h says, while
 * it asks.
 */

/** As below, of a flow that is conditioned: what it was decided by is where it is counted. */
void spill_conditioner_apply_flow(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                  struct spill_packet *packet, uint64_t now);

/**
 * Has a packet that may pass taken from its rule's bucket, and marked, if the rule says so. The
 * lcore, in the order in which packets came.
 *
 * @param packet  with its verdict, and counted already; it has another afterwards where it is
 *                beyond the limit
 * @param tally   where its rule is counted
 * @param now     TSC when it was received
 */
void spill_conditioner_apply(struct spill_fast *fast, struct rte_mbuf *mbuf,
                             struct spill_packet *packet, uint32_t tally, uint64_t now);

#endif
