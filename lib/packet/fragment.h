/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FRAGMENT_H
#define SPILLWAY_FRAGMENT_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "packet/packet.h"

/**
 * @file
 * Fragmentation of IPv4 packets on their way (RFC 791).
 */

/**
 * Splits an IPv4 packet, which may be a fragment already, into fragments of at most `mtu` bytes.
 * Each is a frame in one segment: the Ethernet header and tags of the packet, an IPv4 header with
 * its checksum, a piece of the payload; options as RFC 791 wants them in it. A packet that fits
 * becomes one fragment. The thread that holds the packet; takes no lock and no memory but mbufs.
 *
 * @param mbuf       the packet, in one segment or several; as it was when the call returns, and the
 *                   caller's to free
 * @param packet     what parsing said of it; of kind IPv4
 * @param mtu        bytes that a fragment may have from its IPv4 header on
 * @param pool       where the fragments come from; for a packet in several segments also a copy of
 *                   it, until the call returns
 * @param fragments  written: the fragments in order, the caller's to free; on failure it holds
 *                   nothing of use
 * @param most       elements of `fragments`
 * @return how many fragments there are; or, with nothing left allocated, -ENOTSUP when the packet
 * has DF set; -ENOMEM when mbufs ran out; -EINVAL when `most` do not suffice, when `mtu` is below
 * 68 (RFC 791) or when a fragment does not fit into one of the pool's mbufs
 */
int spill_fragment_ipv4(struct rte_mbuf *mbuf, const struct spill_packet *packet, uint16_t mtu,
                        struct rte_mempool *pool, struct rte_mbuf **fragments, uint32_t most);

#endif
