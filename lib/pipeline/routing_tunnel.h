/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTING_TUNNEL_H
#define SPILLWAY_ROUTING_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "ipsec/sa.h"
#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * IPsec on routed ports: protected packets are routed by their outer header.
 *
 *     clear packet, by its rule to be protected (protection.h)
 *                 -> enter: one hop less; does a route forward to the other end, and how much fits
 *                 -> encryption (encryption.h)
 *                 -> send: route of the outer destination -> hop -> neighbour -> exit
 *
 * A packet is judged once, by what is inside: no rule is asked about what was encrypted, so a
 * tunnel whose route would lead into another's rule does not go through that one, and nothing
 * loops. A route that does not forward, as one to the router itself, ends the packet:
 * `esp_no_route`.
 *
 * Of several next hops an association has one, by a hash of its outer addresses and its SPI: so its
 * packets keep their order.
 *
 * Uses of a packet: kind, l3_offset, l4_offset, length, secret, output. Sets: TTL, or hop limit;
 * of what is encrypted kind, key, length, output.
 */

/**
 * Prepares packets of a burst for protection, those among them that are routed. The lcore.
 *
 * @param sa       that is to protect them
 * @param mbufs    given away, but for those that go on, which are moved to the front
 * @param packets  of each, moved together with the mbufs
 * @return how many go on; the others were dropped by name, and their senders told
 */
uint32_t spill_routing_enter_tunnel(struct spill_fast *fast, const struct spill_sa *sa,
                                    struct rte_mbuf **mbufs, struct spill_packet **packets,
                                    uint32_t count, uint64_t stamp);

/** Bytes that an IP packet may have once it is protected, where it is routed. The lcore.
 * @param packet  in the clear */
uint32_t spill_routing_tunnel_mtu(const struct spill_fast *fast, const struct spill_sa *sa,
                                  const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                  uint64_t stamp);

/**
 * Routes an ESP packet of ours, up to the exit. The lcore.
 *
 * @param mbuf            given away where it is not to be sent
 * @param packet          of it: l3_offset; it was encrypted just now
 * @param identification  of its fragments, over IPv6, should it need any
 * @param mtu             gets what its way carries besides what the port does: for outer.h
 * @return whether it is to be sent by its `output`; it may wait instead, or was dropped
 */
bool spill_routing_route_protected(struct spill_fast *fast, const struct spill_sa *sa,
                                   struct rte_mbuf *mbuf, struct spill_packet *packet,
                                   uint32_t identification, uint64_t stamp, uint16_t *mtu);

/** Routes and sends one that has waited for its next hop. The lcore. @param mbuf  given away */
void spill_routing_send_protected(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                  struct spill_packet *packet, uint64_t stamp);

#endif
