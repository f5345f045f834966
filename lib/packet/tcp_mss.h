/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TCP_MSS_H
#define SPILLWAY_TCP_MSS_H

#include <rte_mbuf.h>

#include "packet/packet.h"

/**
 * @file
 * The maximum segment size that TCP's ends announce to each other (RFC 9293 3.7.1), made smaller on
 * the way where path MTU discovery can't be relied on.
 */

/**
 * Makes the MSS option of a segment smaller, and its checksum right for it (RFC 1624). The thread
 * that holds the packet.
 *
 * Nothing is changed where the option is missing (its default is small enough), announces less,
 * or does not lie in the frame's first buffer, or the packet is a fragment.
 *
 * @param packet  of a segment with SYN, parsed from this mbuf
 * @param most    bytes
 */
void spill_tcp_clamp_mss(struct rte_mbuf *mbuf, const struct spill_packet *packet, uint16_t most);

#endif
