/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTING_PATH_MTU_H
#define SPILLWAY_ROUTING_PATH_MTU_H

#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * ICMP errors from routers on the way of our ESP packets: "fragmentation needed" and "packet too
 * big" lower the path MTU of the association (RFC 4301 8.2.1; ipsec/path_mtu.h). They come without
 * protection, from anybody, so they are held against what was sent (8.2.1.1): the addresses and the
 * SPI of the packet that is quoted are those of an outbound association, its number is one of the
 * last 65 536 that were given out, and it was larger than what is said to fit. Neither less than
 * 576 bytes (IPv4) or 1280 (IPv6) is believed, nor that more would fit than before.
 *
 * Uses of a packet: kind, step, l3_offset, l4_offset, length. Sets: nothing; it goes on to the
 * host.
 */

/** Looks for such errors in a burst that came by a routed port. The lcore. */
void spill_routing_hear_errors(struct spill_fast *fast, struct rte_mbuf **mbufs,
                               const struct spill_packet *packets, uint32_t count, uint64_t stamp);

#endif
