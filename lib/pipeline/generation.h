/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_GENERATION_H
#define SPILLWAY_GENERATION_H

#include <stdint.h>

#include "classify/policy.h"
#include "classify/rule_list.h"
#include "ipsec/sa_set.h"

/**
 * @file
 * The security policy in force: the rules, and the SAs that they name. One version of both,
 * immutable, so that a rule never names an SA that is not there; published through a snapshot.
 */
struct spill_generation {
    uint64_t number;             /* of the version, from 1 */
    uint64_t at_once;            /* of the newest one that all flows have to ask at their next
                                  * packet; 0: none */
    struct spill_policy *policy; /* owned */
    struct spill_policy *onward; /* owned: for what leaves (ways.h); NULL: the policy says it */
    struct spill_policy *inward; /* owned: for what comes, likewise */
    /* Owned: for what the host gets and sends, where rules judge that; NULL: the policy says it. */
    struct spill_policy *to_host, *of_host;
    struct spill_sa_set *sas;     /* owned; NULL: the program works without IPsec */
    struct spill_rule_list *list; /* owned: what is told of the rules; NULL: nothing is, and they
                                   * have no tallies */
};

/** The rules that judge a packet: the host's own have those of their way. Any lcore. */
static inline const struct spill_policy *
spill_generation_policy(const struct spill_generation *generation,
                        const struct spill_packet *packet)
{
    const struct spill_policy *policy = NULL;

    /* Where the other direction is asked about, that is the other way. */
    if (unlikely((packet->of_host | packet->for_host) != 0))
        policy = packet->of_host != packet->reversed ? generation->of_host : generation->to_host;
    return policy != NULL ? policy : generation->policy;
}

/** Makes a version of its parts, which become its own. NULL when memory is short: then they don't.
 */
struct spill_generation *spill_generation_create(uint64_t number, struct spill_policy *policy,
                                                 struct spill_sa_set *sas,
                                                 struct spill_rule_list *list);

/** Frees a version (a void * for spill_snapshot_publish()). Control thread. May be NULL. */
void spill_generation_free(void *generation);

#endif
