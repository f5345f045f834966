/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules of a file, in memory. */
#include <stdlib.h>

#include "classify/rule_reader.h"

#define FIRST_CAPACITY 64

int spill_rule_append(const struct spill_rule_location *location, struct spill_ruleset *ruleset,
                      const struct spill_rule *rule)
{
    if (ruleset->count == SPILL_RULES_MAX)
        return spill_rule_error(location, "more than %u rules", SPILL_RULES_MAX);
    if (ruleset->count == ruleset->capacity) {
        const uint32_t capacity = ruleset->capacity == 0 ? FIRST_CAPACITY : ruleset->capacity * 2;
        struct spill_rule *rules = reallocarray(ruleset->rules, capacity, sizeof(*rules));

        if (rules == NULL)
            return spill_rule_error(location, "no memory for another rule");
        ruleset->rules = rules;
        ruleset->capacity = capacity;
    }
    ruleset->rules[ruleset->count++] = *rule;
    return 0;
}

const char *spill_rules_path(const struct spill_ruleset *ruleset, const struct spill_rule *rule)
{
    return ruleset->paths[rule->file];
}

const char *spill_rule_action_name(enum spill_verdict action, bool reject)
{
    if (action == SPILL_VERDICT_PROTECT)
        return "protect";
    if (action == SPILL_VERDICT_ALLOW)
        return "allow";
    return reject ? "reject" : "deny";
}

const char *spill_rules_name(const struct spill_ruleset *ruleset, const struct spill_rule *rule)
{
    return rule->name != 0 ? ruleset->names + rule->name : "";
}

void spill_rules_free(struct spill_ruleset *ruleset)
{
    if (ruleset == NULL)
        return;
    for (uint32_t i = 0; i < ruleset->path_count; i++)
        free(ruleset->paths[i]);
    free(ruleset->paths);
    free(ruleset->rules);
    free(ruleset->sas);
    free(ruleset->sa_slots);
    free(ruleset->prefixes);
    free(ruleset->names);
    free(ruleset);
}
