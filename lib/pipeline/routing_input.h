/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTING_INPUT_H
#define SPILLWAY_ROUTING_INPUT_H

#include "pipeline/fast.h"

/**
 * @file
 * What a routed port takes in: frames to its MAC, with a right IP header (RFC 1812 5.2, RFC 8200),
 * from and to addresses that may be forwarded; the host gets what is for all on a link.
 *
 * Uses of a packet: kind, key (its VLAN), inner_vlan, wrapped, l3_offset, drop. Sets: input,
 * output.
 */

/**
 * Deals with what is not to be forwarded. The lcore.
 *
 * @param mbufs    given away, but for those that go on, which are moved to the front
 * @param packets  of each, moved together with the mbufs
 * @return how many go on: IP in one piece of memory up to the end of its header
 */
uint32_t spill_routing_input(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                             struct spill_packet *packets, uint32_t count, uint64_t stamp);

/**
 * The same for packets that were decrypted, as far as they came by routed ports: by what is inside.
 * Neither groups nor what is on a link can be reached through an association. What is for the host
 * stays: the rules are asked about it first. The lcore.
 *
 * @param mbufs    given away, but for those that go on, which are moved to the front
 * @param packets  of each, parsed, with `input`; moved together with the mbufs
 */
uint32_t spill_routing_input_inside(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                    struct spill_packet *packets, uint32_t count);

/**
 * Whether reverse path filtering lets a packet pass, which may have been malformed. The lcore.
 *
 * @param mbuf    is made one segment
 * @param packet  of kind IPv4 or IPv6, with its `input`
 */
bool spill_routing_source_is_good(const struct spill_routing *routing, struct rte_mbuf *mbuf,
                                  struct spill_packet *packet);

/** Gives a packet to the host, or drops it as `no_host`. The lcore. */
void spill_routing_to_host(struct spill_fast *fast, struct rte_mbuf *mbuf,
                           const struct spill_packet *packet);

#endif
