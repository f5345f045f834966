/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ONWARD_H
#define SPILLWAY_ONWARD_H

#include <rte_mbuf.h>

#include "base/error.h"
#include "classify/policy.h"
#include "ipsec/sa_set.h"
#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * What came through an association, and is routed on: the rules say whether another one is to
 * protect it (RFC 4301 5.1, which asks for whatever leaves, wherever it came from).
 *
 * Its first rule is `protect` with the association that it came through; of an error about it, with
 * one that such packets come through. The first one beside those
 * that protect with inbound associations is asked for, in rules of their own: they end with the
 * last that protects with an outbound one, or wants one, and are not there where nothing could come
 * of it.
 *
 * Uses of a packet: kind, key, direction, input, output, l3_offset. Sets: sa, verdict.
 */

/**
 * Makes these rules of a whole set. Control thread.
 *
 * @param previous  those of the version before, as for spill_policy_follow(); may be NULL
 * @param follows   versions are to follow this one so
 * @param ids     for each of ruleset->sas the id of that SA
 * @param inputs  what each of ruleset->inputs stands for
 * @param onward  gets them; NULL: nothing that comes through an SA goes through another one
 * @return 0, or -1 with an error
 */
int spill_onward_create(const struct spill_policy *previous, bool follows, const char *name,
                        const struct spill_ruleset *ruleset, const struct spill_sa_set *sas,
                        const uint16_t *ids, const struct spill_rule_input *inputs,
                        const int memory_nodes[SPILL_NODES_MAX], struct spill_policy **onward,
                        struct spill_error *error);

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
