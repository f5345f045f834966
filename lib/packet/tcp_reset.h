/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TCP_RESET_H
#define SPILLWAY_TCP_RESET_H

#include <rte_mbuf.h>

#include "packet/packet.h"

/**
 * @file
 * The answer to a TCP segment whose connection is not to be.
 */

/**
 * Makes the RST that a host without that connection would answer with (RFC 9293 3.10.7.1), from the
 * segment's destination. The thread that holds the packet; takes no lock and no memory but the
 * mbuf.
 *
 * @param mbuf    the segment, as it was received; only read, in one mbuf segment or several
 * @param packet  what parsing said of it; of kind IPv4 or IPv6, its protocol TCP
 * @param pool    where the answer's mbuf comes from
 * @return the frame, the caller's to send on the port that the packet came in by; NULL when no mbuf
 * is free, and for a RST, a fragment, and what comes from or goes to no single host
 */
struct rte_mbuf *spill_tcp_reset(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                 struct rte_mempool *pool);

#endif
