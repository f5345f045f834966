/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules in force: a copy on each NUMA node that reads them. */
#include <stdlib.h>

#include "classify/policy.h"

/* A copy for one node; where versions follow it, it goes on with the copy of the version before. */
static struct spill_acl *make_copy(const struct spill_policy *previous, bool follows,
                                   const char *name, const struct spill_ruleset *ruleset,
                                   const uint16_t *sa_ids, const struct spill_rule_input *inputs,
                                   enum spill_verdict default_verdict, int memory,
                                   struct spill_error *error)
{
    char copy_name[32];

    snprintf(copy_name, sizeof(copy_name), "%s.%d", name, memory);
    if (!follows)
        return spill_acl_create(copy_name, ruleset, sa_ids, inputs, default_verdict, memory, error);
    return spill_acl_follow(previous != NULL ? previous->copies[memory] : NULL, copy_name, ruleset,
                            sa_ids, inputs, default_verdict, memory, error);
}

static struct spill_policy *make(const struct spill_policy *previous, bool follows,
                                 const char *name, const struct spill_ruleset *ruleset,
                                 const uint16_t *sa_ids, const struct spill_rule_input *inputs,
                                 enum spill_verdict default_verdict,
                                 const int memory_nodes[SPILL_NODES_MAX], struct spill_error *error)
{
    struct spill_policy *policy = calloc(1, sizeof(*policy));
    int node, memory;

    if (policy == NULL) {
        spill_error_set(error, "rules: no memory");
        return NULL;
    }
    for (uint32_t i = 0; i < ruleset->count; i++)
        policy->denies_host |= spill_rule_denies_host(&ruleset->rules[i]);
    policy->allows_all = ruleset->count == 0 && default_verdict == SPILL_VERDICT_ALLOW;
    for (node = 0; node < SPILL_NODES_MAX; node++) {
        memory = memory_nodes[node];
        if (memory < 0)
            continue;
        if (policy->copies[memory] == NULL)
            policy->copies[memory] = make_copy(previous, follows, name, ruleset, sa_ids, inputs,
                                               default_verdict, memory, error);
        if (policy->copies[memory] == NULL) {
            spill_policy_free(policy);
            return NULL;
        }
        policy->by_slot[node + 1] = policy->copies[memory];
        if (policy->by_slot[0] == NULL)
            policy->by_slot[0] = policy->by_slot[node + 1];
    }
    return policy;
}

struct spill_policy *
spill_policy_create(const char *name, const struct spill_ruleset *ruleset, const uint16_t *sa_ids,
                    const struct spill_rule_input *inputs, enum spill_verdict default_verdict,
                    const int memory_nodes[SPILL_NODES_MAX], struct spill_error *error)
{
    return make(NULL, false, name, ruleset, sa_ids, inputs, default_verdict, memory_nodes, error);
}

struct spill_policy *
spill_policy_follow(const struct spill_policy *previous, const char *name,
                    const struct spill_ruleset *ruleset, const uint16_t *sa_ids,
                    const struct spill_rule_input *inputs, enum spill_verdict default_verdict,
                    const int memory_nodes[SPILL_NODES_MAX], struct spill_error *error)
{
    return make(previous, true, name, ruleset, sa_ids, inputs, default_verdict, memory_nodes,
                error);
}

void spill_policy_free(void *argument)
{
    struct spill_policy *policy = argument;
    int node;

    if (policy == NULL)
        return;
    for (node = 0; node < SPILL_NODES_MAX; node++)
        spill_acl_free(policy->copies[node]);
    free(policy);
}
