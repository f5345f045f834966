/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/policy_compare.h"

#include <stdio.h>
#include <string.h>

#include "classify/rule_hash.h"
#include "config/rules_compare.h"

static void tell(spill_difference_tell *tell_one, void *context, enum spill_change change,
                 const char *what, const char *before, const char *after)
{
    tell_one(&(struct spill_difference){.what = what,
                                        .when = SPILL_OPTION_AT_RELOAD,
                                        .change = change,
                                        .before = before,
                                        .after = after},
             context);
}

/* ------------------------------------------------------------------------------------- sets */

static int find_set(const struct spill_ruleset *ruleset, const char *name)
{
    for (uint8_t i = 0; i < ruleset->set_count; i++) {
        if (strcmp(ruleset->sets[i], name) == 0)
            return i;
    }
    return -1;
}

static void compare_set(const struct spill_ruleset *left, uint32_t index,
                        const struct spill_ruleset *right, spill_difference_tell *tell_one,
                        void *context)
{
    const int other = find_set(right, left->sets[index]);
    char what[192], before[32], after[32];
    uint32_t counts[2];

    snprintf(what, sizeof(what), "set %s", left->sets[index]);
    if (other < 0) {
        tell(tell_one, context, SPILL_GONE, what, NULL, NULL);
        return;
    }
    if (spill_rule_hash_set(left, index, &counts[0]) ==
            spill_rule_hash_set(right, (uint32_t)other, &counts[1]) &&
        counts[0] == counts[1])
        return;
    snprintf(before, sizeof(before), "%u prefixes", (unsigned)counts[0]);
    snprintf(after, sizeof(after), "%u prefixes", (unsigned)counts[1]);
    tell(tell_one, context, SPILL_CHANGED, what, before, after);
}

static void compare_sets(const struct spill_ruleset *left, const struct spill_ruleset *right,
                         spill_difference_tell *tell_one, void *context)
{
    char what[192];

    for (uint32_t i = 0; i < left->set_count; i++)
        compare_set(left, i, right, tell_one, context);
    for (uint32_t i = 0; i < right->set_count; i++) {
        if (find_set(left, right->sets[i]) >= 0)
            continue;
        snprintf(what, sizeof(what), "set %s", right->sets[i]);
        tell(tell_one, context, SPILL_NEW, what, NULL, NULL);
    }
}

/* ------------------------------------------------------------------------------------- keys */

static const struct spill_sa_config *find_sa(const struct spill_policy_files *files,
                                             const char *name, uint32_t *next)
{
    for (uint32_t i = 0; i < files->sa_count; i++) {
        const uint32_t index = (*next + i) % files->sa_count;

        if (strcmp(files->sas[index].name, name) == 0) {
            *next = index + 1;
            return &files->sas[index];
        }
    }
    return NULL;
}

static void compare_keys(const struct spill_policy_files *left,
                         const struct spill_policy_files *right, spill_difference_tell *tell_one,
                         void *context)
{
    uint32_t next = 0;
    char what[192];

    for (uint32_t i = 0; i < left->sa_count; i++) {
        const struct spill_sa_config *sa = &left->sas[i];
        const struct spill_sa_config *other = find_sa(right, sa->name, &next);

        if (other == NULL || memcmp(sa->key, other->key, sizeof(sa->key)) == 0)
            continue;
        snprintf(what, sizeof(what), "key of sa %s", sa->name);
        tell(tell_one, context, SPILL_CHANGED, what, NULL, NULL);
    }
}

int spill_policy_compare(const struct spill_policy_files *in_force,
                         const struct spill_policy_files *again, spill_difference_tell *tell_one,
                         void *context, struct spill_error *error)
{
    compare_sets(in_force->ruleset, again->ruleset, tell_one, context);
    compare_keys(in_force, again, tell_one, context);
    return spill_rules_compare(in_force->ruleset, again->ruleset, tell_one, context, error);
}
