/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TOO_BIG_H
#define SPILLWAY_TOO_BIG_H

#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * Packets that are larger than what they leave by can carry: the port (exit.h), or an SA and then
 * the port (encryption.h; RFC 4301 8). An IPv4 packet that may be fragmented can be. The sender of
 * any other is told how large a packet may be (RFC 1191, RFC 8201), and the packet is dropped.
 *
 * Uses of a packet: kind, key, l3_offset, l4_offset, length, fragment, inbound_sa, output. Sets:
 * nothing.
 */

/* Fragments of one packet: of the largest packet at the least MTU that a port takes, more than
 * these; such a packet is dropped. */
#define SPILL_FRAGMENTS_MAX 16

/**
 * Deals with a packet that is too large: it becomes fragments, or is dropped, and then its sender
 * is told how large one may be, where that is right. An IPv4 packet must have DF for that, nobody
 * is told of less than the least MTU of IP (68 bytes; of IPv6 1 280, RFC 8201 4) or of as much as
 * his packet has, and errors are limited (error_limit.h). What came through an SA is answered
 * through one (answers.h). The lcore.
 *
 * @param reason     why it is dropped, if it can't be split; if only time is missing for that, it
 * is `tx_fit_limit`
 * @param mbuf       given away
 * @param packet     of any kind, with `input`
 * @param room       bytes of IP that there is room for
 * @param stamp      TSC when it was received
 * @param fragments  NULL: it is not to be split. Else gets the fragments, which are the caller's
 * and count as originated here, but one that stands for the packet itself
 * @param answer     gets what is to be sent back in the clear by spill_exit_answer(), or NULL
 * @return how many fragments there are; 0: it was dropped
 */
uint32_t spill_too_big(struct spill_fast *fast, const struct spill_drop_reason *reason,
                       struct rte_mbuf *mbuf, const struct spill_packet *packet, uint32_t room,
                       uint64_t stamp, struct rte_mbuf **fragments, struct rte_mbuf **answer);

/** Whether a packet that is too large may be split: IPv4 without DF. The thread that holds it. */
bool spill_too_big_may_split(const struct rte_mbuf *mbuf, const struct spill_packet *packet);

/**
 * The answer to a packet that the host has sent, for the host: as from where the packet was going
 * to. The lcore.
 *
 * @param packet  with `input`, the port of the host's twin
 * @return the caller's, and counted; NULL: none is due, there are too many, or no mbuf
 */
struct rte_mbuf *spill_too_big_for_host(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                        const struct spill_packet *packet, uint32_t room,
                                        uint64_t stamp);

/** Counts a packet that was split: all fragments but one were made here. The lcore. */
void spill_too_big_count_fragments(struct spill_fast *fast, uint32_t count);

#endif
