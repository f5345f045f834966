/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FRAGMENT_HEADER_H
#define SPILLWAY_FRAGMENT_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "packet/packet.h"

/**
 * @file
 * Where a fragment belongs in its datagram.
 */

/** What a fragment's headers say. */
struct spill_fragment_header {
    uint32_t id;       /* network order; of IPv4 16 bits of it */
    uint32_t first;    /* of its bytes, counted from the begin of the fragmented part */
    uint32_t end;      /* behind its last byte */
    bool more;         /* others follow */
    bool nested;       /* IPv6: a fragment within a fragment, which no sender makes (RFC 8200) */
    bool short_header; /* the first, but the transport header goes on in the next (RFC 1858, RFC
                        * 7112) */
};

/**
 * Reads a fragment's headers. The thread that holds the packet.
 *
 * @param packet  what parsing said of it: of kind IPv4 or IPv6, and a fragment
 */
void spill_fragment_header_read(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                struct spill_fragment_header *header);

#endif
