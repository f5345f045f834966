/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/policy_join.h"

#include <stdlib.h>
#include <string.h>

#include "ipsec/sa_set.h"

/* The parts that are of both; all others are the files'. */
static int allocate(const struct spill_ruleset *one, const struct spill_ruleset *other,
                    struct spill_ruleset *both)
{
    *both = *other;
    both->count = one->count + other->count;
    both->capacity = both->count;
    both->sa_count = (uint16_t)(one->sa_count + other->sa_count);
    both->path_count = one->path_count + other->path_count;
    both->rules = calloc(both->count + 1u, sizeof(*both->rules));
    both->sas = calloc(both->sa_count + 1u, sizeof(*both->sas));
    both->paths = calloc(both->path_count + 1u, sizeof(*both->paths));
    return both->rules != NULL && both->sas != NULL && both->paths != NULL ? 0 : -1;
}

/* The paths of the files keep their numbers, and the names of the first ones. */
static void join_rules(const struct spill_ruleset *one, const struct spill_ruleset *other,
                       struct spill_ruleset *both)
{
    uint32_t i;

    if (one->count > 0)
        memcpy(both->rules, one->rules, one->count * sizeof(*both->rules));
    if (other->count > 0)
        memcpy(both->rules + one->count, other->rules, other->count * sizeof(*both->rules));
    for (i = 0; i < one->count; i++)
        both->rules[i].file = (uint16_t)(both->rules[i].file + other->path_count);
    for (i = one->count; i < both->count; i++) {
        if (both->rules[i].sa != 0)
            both->rules[i].sa = (uint16_t)(both->rules[i].sa + one->sa_count);
    }
    for (i = 0; i < both->sa_count; i++)
        memcpy(both->sas[i], i < one->sa_count ? one->sas[i] : other->sas[i - one->sa_count],
               sizeof(both->sas[i]));
    for (i = 0; i < both->path_count; i++)
        both->paths[i] =
            i < other->path_count ? other->paths[i] : one->paths[i - other->path_count];
}

static int join_sas(const struct spill_policy_files *first, uint64_t ports,
                    const struct spill_policy_files *files, struct spill_policy_files *joined)
{
    joined->sa_count = first->sa_count + files->sa_count;
    joined->sas = calloc(joined->sa_count + 1u, sizeof(*joined->sas));
    if (joined->sas == NULL)
        return -1;
    if (first->sa_count > 0)
        memcpy(joined->sas, first->sas, first->sa_count * sizeof(*joined->sas));
    for (uint32_t i = 0; i < first->sa_count; i++)
        joined->sas[i].ports = ports;
    if (files->sa_count > 0)
        memcpy(joined->sas + first->sa_count, files->sas, files->sa_count * sizeof(*joined->sas));
    return 0;
}

int spill_policy_join(const struct spill_policy_files *first, uint64_t ports,
                      const struct spill_policy_files *files, struct spill_policy_files *joined,
                      struct spill_error *error)
{
    *joined = (struct spill_policy_files){0};
    if (first->sa_count + files->sa_count > SPILL_SAS_MAX)
        return spill_error_set(error, "%u security associations: expected at most %d",
                               first->sa_count + files->sa_count, SPILL_SAS_MAX);
    if (first->ruleset->count + files->ruleset->count > SPILL_RULES_MAX)
        return spill_error_set(error, "more than %u rules and policies", SPILL_RULES_MAX);
    joined->ruleset = calloc(1, sizeof(*joined->ruleset));
    if (joined->ruleset == NULL || join_sas(first, ports, files, joined) != 0 ||
        allocate(first->ruleset, files->ruleset, joined->ruleset) != 0) {
        spill_policy_join_free(joined);
        return spill_error_set(error, "no memory for the rules");
    }
    join_rules(first->ruleset, files->ruleset, joined->ruleset);
    return 0;
}

void spill_policy_join_free(struct spill_policy_files *joined)
{
    if (joined->ruleset != NULL) {
        free(joined->ruleset->rules);
        free(joined->ruleset->sas);
        free(joined->ruleset->paths);
    }
    free(joined->ruleset);
    if (joined->sas != NULL)
        explicit_bzero(joined->sas, joined->sa_count * sizeof(*joined->sas));
    free(joined->sas);
    *joined = (struct spill_policy_files){0};
}
