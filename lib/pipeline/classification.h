/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CLASSIFICATION_H
#define SPILLWAY_CLASSIFICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/classes.h"
#include "runtime/pool.h"
#include "runtime/snapshot.h"

/**
 * @file
 * Classification: the class of expensive work that decides about new flows.
 *
 * A packet whose flow is new goes, with its flow held in the table, inline or into a lane; the
 * rules are searched there; when its job is retired the verdict is noted in the flow and applied to
 * the packet. Packets that come for the flow meanwhile go the same way behind it, so they wait in
 * order and go by the one verdict (law 4). All new flows of one burst share a lane, which makes
 * full jobs; the flow remembers its lane while it has packets in it.
 *
 * Uses of a packet: kind, key, direction, flow, step, inbound_sa, length, counted. Sets: verdict,
 * sa, flow where it was new; counted, reversed and what routing_flow.h says while it is in the
 * work; all of it goes along in the mbuf.
 */

struct spill_fast;

/** Its row in the table of classes. */
extern const struct spill_class_row spill_classification;

/**
 * Has a packet that finds no place to ask new rules go by what the old ones said, where they said
 * something. The lcore.
 *
 * @param packet  that may have no flow
 * @param stamp   TSC when it was received
 * @return whether it has its verdict now
 */
bool spill_classification_keep(struct spill_fast *fast, struct rte_mbuf *mbuf,
                               struct spill_packet *packet, uint64_t stamp);

#endif
