/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ANSWER_H
#define SPILLWAY_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "packet/packet.h"

/**
 * @file
 * Frames that answer a packet: back to its sender, link and IP header written. Only what makes
 * answers includes this: icmp_error.c, tcp_reset.c.
 *
 * spillway in line has no address of its own: an answer comes from the packet's destination, in
 * both Ethernet and IP. Only where the destination is a group, of IPv6 or of Ethernet, it comes
 * from the port itself: from its Ethernet address, and from the link-local address that belongs to
 * that (RFC 4443 2.2 c, RFC 4291 appendix A).
 */

/** An answer being made. The pointers are into its mbuf. */
struct spill_answer {
    struct rte_mbuf *mbuf;
    void *ip;      /* its header, done */
    void *payload; /* behind it, not written */
};

/** Copies bytes of a packet, however many segments they lie in; false when it is too short. */
bool spill_answer_copy(const struct rte_mbuf *mbuf, uint32_t offset, uint32_t length, void *to);

/** Whether a packet comes from a single host, in IP and in Ethernet, and goes to one, or to a group
 * of IPv6. For all answers (RFC 1122 3.2.2, RFC 4443 2.4 e). */
bool spill_answer_may_begin(const struct rte_mbuf *mbuf, const struct spill_packet *packet);

/** Whether a packet goes to a single host, in IP and in Ethernet, and is no later fragment. */
bool spill_answer_is_to_host(const struct rte_mbuf *mbuf, const struct spill_packet *packet);

/** Whether a packet is a later fragment; not by its key, which is that of the first by now. */
bool spill_answer_is_later_fragment(const struct rte_mbuf *mbuf, const struct spill_packet *packet);

/**
 * Makes the frame, up to the payload. The thread that holds the packet.
 *
 * @param mbuf      the packet, as it was received; only read
 * @param packet    of kind IPv4 or IPv6
 * @param protocol  of the payload
 * @param class     DSCP and ECN
 * @param length    bytes of the payload
 * @param own       of the port that the answer may have to come from
 * @param pool      where its mbuf comes from
 * @param answer    written on success; its mbuf is the caller's
 * @return false: the packet stands behind more than Ethernet and two tags, or no mbuf is free
 */
bool spill_answer_begin(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                        uint8_t protocol, uint8_t class, uint32_t length,
                        const struct rte_ether_addr *own, struct rte_mempool *pool,
                        struct spill_answer *answer);

#endif
