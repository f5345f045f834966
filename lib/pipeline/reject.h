/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_REJECT_H
#define SPILLWAY_REJECT_H

#include "pipeline/fast.h"

/**
 * @file
 * Packets of flows that a rule rejects: dropped as `rejected`, and their senders told: a TCP
 * segment by a RST, others by "administratively prohibited". Answers share the limits of ICMP
 * errors (error_limit.h), so that nobody can have spillway flood somebody whose address he uses.
 *
 * Uses of a packet: kind, key, offsets, length, fragment, input. Sets: nothing.
 */

/**
 * Rejects a packet that came in the clear. The lcore.
 *
 * @param mbuf    given away
 * @param packet  of kind IPv4 or IPv6, with `input`
 * @param stamp   TSC when it was received
 */
void spill_reject(struct spill_fast *fast, struct rte_mbuf *mbuf, const struct spill_packet *packet,
                  uint64_t stamp);

#endif
