/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FRAGMENT_IPV6_H
#define SPILLWAY_FRAGMENT_IPV6_H

#include <stdint.h>

#include <rte_mbuf.h>

/**
 * @file
 * Fragmentation of IPv6 packets that are our own: the outer ones of tunnels (RFC 2473 7.1). Nobody
 * else's may be fragmented on their way (RFC 8200 4.5).
 */

/**
 * Splits an IPv6 packet without extension headers into fragments of at most `mtu` bytes. Each is a
 * frame in one segment: what stands before IP in the packet's, the IPv6 header, a fragment header,
 * a piece of the payload. The thread that holds the packet; takes no lock and no memory but mbufs.
 *
 * @param mbuf            the packet, in one segment, which ends where the frame ends; as it was
 * when the call returns, and the caller's to free
 * @param l3_offset       bytes before the IPv6 header
 * @param mtu             bytes that a fragment may have from its IPv6 header on
 * @param identification  of the packet among those between its addresses (RFC 7739)
 * @param fragments       written: the fragments in order, the caller's to free; on failure it holds
 *                        nothing of use
 * @param most            elements of `fragments`
 * @return how many fragments there are; or, with nothing left allocated, -ENOMEM when mbufs ran
 * out; -EINVAL when `most` do not suffice, or when a fragment has no room in an mbuf
 */
int spill_fragment_ipv6(const struct rte_mbuf *mbuf, uint16_t l3_offset, uint16_t mtu,
                        uint32_t identification, struct rte_mempool *pool,
                        struct rte_mbuf **fragments, uint32_t most);

#endif
