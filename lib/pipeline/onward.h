/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ONWARD_H
#define SPILLWAY_ONWARD_H

#include <rte_mbuf.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * What came through an association, and is routed on: the rules say whether another one is to
 * protect it (RFC 4301 5.1, which asks for whatever leaves, wherever it came from).
 *
 * Its first rule is `protect` with the association that it came through; of an error about it, with
 * one that such packets come through. The first one of those for what leaves (ways.h) is asked for.
 *
 * Uses of a packet: kind, key, direction, input, output, l3_offset. Sets: sa, verdict.
 */

/**
 * The outbound SA that is to protect what came through an inbound one, or NULL; what is for the
 * host goes no further. The lcore, where the version in force has such rules.
 *
 * @param packet  that came through an SA and may be sent, or an error; gets the SA's id, or a
 *                trap's verdict where the SA is wanted and not there, or that of a rule which
 *                denies what leaves (SPILL_RULE_HOST_SENDS)
 */
struct spill_sa *spill_onward_find(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                                   struct spill_packet *packet);

#endif
