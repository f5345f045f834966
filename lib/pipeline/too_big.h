/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TOO_BIG_H
#define SPILLWAY_TOO_BIG_H

#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * Packets that would be larger than the MTU once they are protected (RFC 4301 8): in tunnel mode an
 * IPv4 packet that may be fragmented is, before it is protected, so that the far gateway has
 * nothing to reassemble. The sender of any other is told the MTU that is left (RFC 1191, RFC 8201),
 * and the packet is dropped as `esp_too_big`.
 */

/* Fragments of one packet: of the largest packet at the least MTU that a port takes, more than
 * these; such a packet is dropped. */
#define SPILL_FRAGMENTS_MAX 16

/**
 * Splits a packet into fragments that have room. The lcore.
 *
 * @param mbuf       freed when it was split, else still the caller's
 * @param room       bytes of IP that a fragment may have
 * @param fragments  get the fragments, which are the caller's and count as originated here, but one
 *                   that stands for the packet itself
 * @return how many; 0 when it may not or can't be split
 */
uint32_t spill_too_big_split(struct spill_fast *fast, struct rte_mbuf *mbuf,
                             const struct spill_packet *packet, uint32_t room,
                             struct rte_mbuf *fragments[SPILL_FRAGMENTS_MAX]);

/**
 * Drops a packet, and tells its sender why: at most a thousand times a second, as such errors are
 * to be limited (RFC 1812 4.3.2.8, RFC 4443 2.4 f). The lcore.
 *
 * @param mbuf   given away
 * @param room   bytes of IP that would have fitted
 * @param stamp  TSC when it was received
 */
void spill_too_big_drop(struct spill_fast *fast, struct rte_mbuf *mbuf,
                        const struct spill_packet *packet, uint32_t room, uint64_t stamp);

#endif
