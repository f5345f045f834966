/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_POLICY_H
#define SPILLWAY_POLICY_H

#include <rte_lcore.h>

#include "base/error.h"
#include "classify/acl.h"
#include "plan/topology.h"

/**
 * @file
 * Policy: the rules in force, one version of them, with a copy on each NUMA node where lcores read
 * it (law 8). Immutable; published through a snapshot.
 */
struct spill_policy {
    bool allows_all;  /* it has no rules, and allows what no rule matches */
    bool denies_host; /* some rule denies the host's own packets, too */
    struct spill_acl *copies[SPILL_NODES_MAX]; /* by memory node; NULL: nobody reads there */
    const struct spill_acl *by_slot[SPILL_NODE_SLOTS]; /* by spill_node_slot() of who reads */
};

/**
 * Builds a policy. Control thread; takes seconds for 100 000 rules.
 *
 * @param name          unique among policies that live at a time, at most 16 characters
 * @param sa_ids, inputs as for spill_acl_create()
 * @param memory_nodes  for each node, the node where its lcores' memory is, or -1: no lcore there
 * @return NULL with an error when memory is short
 */
struct spill_policy *
spill_policy_create(const char *name, const struct spill_ruleset *ruleset, const uint16_t *sa_ids,
                    const struct spill_rule_input *inputs, enum spill_verdict default_verdict,
                    const int memory_nodes[SPILL_NODES_MAX], struct spill_error *error);

/**
 * The same for a version that others follow, and that follows another: it takes time for the rules
 * that differ (spill_acl_follow()).
 *
 * @param previous  with the same inputs and sets in its rule set; NULL: there is none
 */
struct spill_policy *
spill_policy_follow(const struct spill_policy *previous, const char *name,
                    const struct spill_ruleset *ruleset, const uint16_t *sa_ids,
                    const struct spill_rule_input *inputs, enum spill_verdict default_verdict,
                    const int memory_nodes[SPILL_NODES_MAX], struct spill_error *error);

/** Frees a policy (a void * for spill_snapshot_publish()). Control thread. May be NULL. */
void spill_policy_free(void *policy);

/** The rules for the calling lcore to search. */
static inline const struct spill_acl *spill_policy_acl(const struct spill_policy *policy)
{
    return policy->by_slot[spill_node_slot()];
}

#endif
