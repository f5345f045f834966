/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTING_FLOW_H
#define SPILLWAY_ROUTING_FLOW_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "packet/packet.h"

/**
 * @file
 * Packets of routed ports, as flows and rules see them.
 *
 * A connection that is routed may have its two ends in different VLANs: a packet's VLAN is no part
 * of what its flow is. Rules do ask for it, where they name a sub-port, and for the port that who
 * began the connection is behind, also when the other end sends the first packet that has to ask.
 *
 * Uses of a packet: kind, key, inner_vlan, reversed. Sets: the VLAN of its key; output, while the
 * rules are asked.
 */

struct spill_fast;

/**
 * Takes the VLAN out of the keys of packets that a routed port has received: it stands in their
 * mbufs from then on (`vlan_tci`, with RTE_MBUF_F_RX_VLAN). Whoever has parsed them, at once.
 *
 * @param packets  of any kinds
 */
void spill_routing_join(struct rte_mbuf **mbufs, struct spill_packet *packets, uint32_t count);

/** The same for one that was made here, as if it had come with a tag. @param vlan  0: without */
void spill_routing_come_by(struct rte_mbuf *mbuf, struct spill_packet *packet, uint16_t vlan);

/**
 * Prepares a packet of a routed port for the rules: its key gets the VLAN that the direction which
 * is asked about comes in by; and where that is the other one (`reversed`), its output the port.
 * Both are those that the route leads to, by which a packet to that end would leave;
 * SPILL_OUTPUT_ROUTE where it leads nowhere. The lcore.
 *
 * @param packet  in whose place the question is; the flow is known
 */
void spill_routing_ask(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                       struct spill_packet *packet);

/** Undoes that, so that the packet has no output yet, or that of the host. The lcore. */
void spill_routing_asked(struct spill_packet *packet);

#endif
