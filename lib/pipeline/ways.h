/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_WAYS_H
#define SPILLWAY_WAYS_H

#include "base/error.h"
#include "classify/policy.h"
#include "ipsec/sa_set.h"

/**
 * @file
 * Which way packets go that rules are for. All rules stand in one order, and of a packet in the
 * clear the first that matches decides. But what came through an association is asked about as what
 * comes (inward.h), and then, as the host's own packets, as what leaves (onward.h); so is what
 * comes in the clear by a wire and may not (classification.c). Each has rules of its own, which are
 * the whole set without those for the other way. They end with the last rule that is for their way
 * alone, and are not there where the whole set says the same.
 */

enum spill_way {
    SPILL_WAY_IN,  /* protect by an inbound SA; SPILL_RULE_HOST_GETS, SPILL_RULE_FORWARDED */
    SPILL_WAY_OUT, /* protect by an outbound SA, or once there is one; SPILL_RULE_HOST_SENDS */
    SPILL_WAY_ANY, /* of a rule: all others */
};

/**
 * Makes the rules for a way of a whole set. Control thread.
 *
 * @param previous  those of the version before, as for spill_policy_follow(); may be NULL
 * @param follows   versions are to follow this one so
 * @param ids       for each of ruleset->sas the id of that SA
 * @param inputs    what each of ruleset->inputs stands for
 * @param policy    gets them; NULL: the whole set will do
 * @return 0, or -1 with an error
 */
int spill_ways_create(enum spill_way way, const struct spill_policy *previous, bool follows,
                      const char *name, const struct spill_ruleset *ruleset,
                      const struct spill_sa_set *sas, const uint16_t *ids,
                      const struct spill_rule_input *inputs,
                      const int memory_nodes[SPILL_NODES_MAX], struct spill_policy **policy,
                      struct spill_error *error);

#endif
