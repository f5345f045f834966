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
 *
 * Where rules judge the host's own packets (host_rules.h), those that it gets and those that it
 * sends have rules of their own, too: the whole set without those for the other way, and without
 * those for what is forwarded. So of policies, what is for the host goes by those for `in` alone,
 * as with the kernel.
 */

enum spill_way {
    SPILL_WAY_IN,  /* protect by an inbound SA; SPILL_RULE_HOST_GETS, SPILL_RULE_FORWARDED */
    SPILL_WAY_OUT, /* protect by an outbound SA, or once there is one; SPILL_RULE_HOST_SENDS */
    SPILL_WAY_ANY, /* of a rule: all others */
};

/** What rules for a way are made of. */
struct spill_ways_input {
    const char *name;                    /* as for spill_policy_create() */
    const struct spill_policy *previous; /* those of the version before, as for
                                          * spill_policy_follow(); may be NULL */
    bool follows;                        /* versions are to follow this one so */
    const struct spill_ruleset *ruleset; /* the whole set */
    const struct spill_sa_set *sas;
    const uint16_t *ids;                   /* for each of ruleset->sas the id of that SA */
    const struct spill_rule_input *inputs; /* what each of ruleset->inputs stands for */
    const int *memory_nodes;               /* SPILL_NODES_MAX */
};

/**
 * Makes the rules for a way of a whole set. Control thread.
 *
 * @param policy  gets them; NULL: the whole set will do
 * @return 0, or -1 with an error
 */
int spill_ways_create(const struct spill_ways_input *input, enum spill_way way,
                      struct spill_policy **policy, struct spill_error *error);

/** The same of what judges the host's own. @param default_verdict  of the whole set */
int spill_ways_create_host(const struct spill_ways_input *input, enum spill_way way,
                           enum spill_verdict default_verdict, struct spill_policy **policy,
                           struct spill_error *error);

#endif
