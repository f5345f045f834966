/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PIPELINE_RELATED_H
#define SPILLWAY_PIPELINE_RELATED_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * ICMP errors about connections: one that comes from the side that its packet was sent to belongs
 * to the connection, and goes its way, whatever the rules say of ICMP (RFC 2979, RFC 4890 4.3.1).
 *
 * Uses of a packet: step, inbound_sa, offsets, length. Sets: key, direction, has_ports, flow, sa:
 * those of the connection; counted.
 */

/**
 * Has an ICMP error become a packet of the connection that it is about: it gets that one's key and
 * flow, and the direction against the packet inside. It leaves no mark in the flow. The connection
 * must stand: allowed or protected, not silent for too long, and the one who is said to have sent
 * the packet inside has spoken. The lcore.
 *
 * @param packet  whose step is SPILL_STEP_ERROR, with `inbound_sa`
 * @param now     TSC
 * @return whether it is so; if not, it goes by the rules for itself
 */
bool spill_related_adopt(struct spill_fast *fast, const struct rte_mbuf *mbuf,
                         struct spill_packet *packet, uint64_t now);

#endif
