/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DECRYPTION_H
#define SPILLWAY_DECRYPTION_H

#include <stdint.h>

#include "ipsec/crypto.h"
#include "packet/packet.h"
#include "pipeline/fast.h"
#include "runtime/pool.h"

/**
 * @file
 * Decryption: the class of expensive work that takes packets out of inbound SAs.
 *
 * ESP for an address that is the destination of one of our inbound SAs is ours; other ESP is in
 * transit, and subject to the rules like any packet. What is ours is looked at before the crypto
 * (SA, replay window), decrypted in jobs of one SA, which chooses the lane, and in order looked
 * at again: only then are sequence numbers noted, by one lcore at a time. So it does not matter
 * which lcores an SA's packets come to; but for their order, where one lcore gets them as far as
 * spillway chooses (handover.h).
 *
 * Uses of a packet: kind, key, direction, esp, wrapped, fragment, l4_offset, length. Sets: input,
 * sequence in place of flow while it is in the work; what comes out is parsed anew, with
 * inbound_sa.
 */

/** Its row in the table of classes. */
extern const struct spill_class_row spill_decryption;

/**
 * Takes the ESP packets that are ours out of a burst. The lcore.
 *
 * @param port     that the burst came from
 * @param packets  of the burst; moved together with the mbufs
 * @param stamp    TSC when they were received
 * @return how many packets are left, at the front
 */
uint32_t spill_decryption_take(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                               struct spill_packet *packets, uint32_t count, uint64_t stamp);

#endif
