/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_IPSEC_NAT_CHECKSUM_H
#define SPILLWAY_IPSEC_NAT_CHECKSUM_H

#include <rte_mbuf.h>

#include "packet/packet.h"

/**
 * @file
 * Transport mode through a NAT: the sender has made the checksum inside with addresses that the
 * packet has no more (RFC 3948 3.1.2). It is authentic, so the checksum is made anew: nobody says
 * here which addresses they were.
 */

/**
 * Makes the checksum of TCP and UDP anew. Of other packets, of fragments, and where UDP over IPv4
 * has none, nothing is changed.
 *
 * @param packet  of the mbuf, parsed
 */
void spill_nat_checksum_mend(struct rte_mbuf *mbuf, const struct spill_packet *packet);

#endif
