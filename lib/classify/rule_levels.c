/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify/rule_levels.h"

#include <stdlib.h>

#include <rte_common.h>

#include "classify/rule_limit.h"

/* Whether two prefixes have addresses in common: one lies within the other. */
static bool ends_meet(const struct spill_rule *a, const struct spill_rule *b, unsigned end)
{
    const unsigned length = RTE_MIN(a->length[end], b->length[end]);
    unsigned bit = 0;

    while (bit < length &&
           ((a->address[end][bit / 8] ^ b->address[end][bit / 8]) & 0x80 >> bit % 8) == 0)
        bit++;
    return bit == length;
}

/* Ports, or types in their place. */
static bool ports_meet(const struct spill_rule *a, const struct spill_rule *b)
{
    if ((a->names_ports && b->names_types) || (a->names_types && b->names_ports))
        return false;
    for (unsigned end = 0; end < 2; end++)
        if (a->first_port[end] > b->last_port[end] || b->first_port[end] > a->last_port[end])
            return false;
    return true;
}

/* Whether there may be a packet that both match. Sets are not looked into, nor the ports that
 * packets come in by: a port of one rule may be a sub-port of the other's. */
static bool meet(const struct spill_rule *a, const struct spill_rule *b)
{
    return (a->families & b->families) != 0 &&
           (a->any_protocol || b->any_protocol || a->protocol == b->protocol) && ports_meet(a, b) &&
           ends_meet(a, b, SPILL_RULE_SOURCE) && ends_meet(a, b, SPILL_RULE_DESTINATION);
}

static int refuse(const struct spill_ruleset *ruleset, const struct spill_rule *rule,
                  struct spill_error *error, const char *what, unsigned most)
{
    return spill_error_set(error, "%s:%u: limit: more than %u %s", spill_rules_path(ruleset, rule),
                           rule->line, most, what);
}

/* The highest level of those that a line's rules may meet. */
static uint8_t highest_met(struct spill_rule *const *limited, uint32_t first, uint32_t end)
{
    uint8_t level = 0;

    for (uint32_t i = first; i < end; i++)
        for (uint32_t j = 0; j < first; j++)
            if (limited[j]->level > level && meet(limited[i], limited[j]))
                level = limited[j]->level;
    return level;
}

static int assign(const struct spill_ruleset *ruleset, struct spill_rule *const *limited,
                  uint32_t count, struct spill_error *error)
{
    uint32_t first = 0, end;

    for (; first < count; first = end) {
        uint8_t level;

        for (end = first + 1; end < count && spill_rules_same_line(limited[first], limited[end]);
             end++)
            ;
        level = highest_met(limited, first, end) + 1;
        if (level > SPILL_RULE_LEVELS)
            return refuse(ruleset, limited[first], error,
                          "rules with a limit that a packet may match, one after the other",
                          SPILL_RULE_LEVELS);
        for (uint32_t i = first; i < end; i++)
            limited[i]->level = level;
    }
    return 0;
}

int spill_rule_levels_assign(struct spill_ruleset *ruleset, struct spill_error *error)
{
    struct spill_rule **limited = calloc(SPILL_RULE_LIMITS_MAX, sizeof(*limited));
    uint32_t count = 0;
    int result = 0;

    if (limited == NULL)
        return spill_error_set(error, "rules: no memory for their limits");
    for (uint32_t i = 0; i < ruleset->count && result == 0; i++) {
        struct spill_rule *rule = &ruleset->rules[i];

        if (rule->limit == 0)
            continue;
        if (count == SPILL_RULE_LIMITS_MAX)
            result = refuse(ruleset, rule, error,
                            "rules with a limit; a rule with lists counts as one for each pair of "
                            "ranges",
                            SPILL_RULE_LIMITS_MAX);
        else
            limited[count++] = rule;
    }
    if (result == 0)
        result = assign(ruleset, limited, count, error);
    free(limited);
    return result;
}
