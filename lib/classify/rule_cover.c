/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify/rule_cover.h"

#include <string.h>

static bool has_prefix(const struct spill_rule *rule, unsigned end, const uint8_t *address,
                       unsigned length)
{
    const unsigned bytes = length / 8, bits = length % 8;

    return rule->length[end] >= length && memcmp(rule->address[end], address, bytes) == 0 &&
           (bits == 0 || (rule->address[end][bytes] ^ address[bytes]) >> (8 - bits) == 0);
}

static bool covers_end(const struct spill_rule *earlier, const struct spill_rule *rule,
                       unsigned end)
{
    return has_prefix(rule, end, earlier->address[end], earlier->length[end]) &&
           (earlier->set[end] == 0 || earlier->set[end] == rule->set[end]);
}

/* Ports, or types in their place. */
static bool covers_ports(const struct spill_rule *earlier, const struct spill_rule *rule)
{
    if (earlier->names_ports && !rule->names_ports)
        return false;
    for (unsigned end = 0; end < 2 && (earlier->names_ports || earlier->names_types); end++)
        if (rule->first_port[end] < earlier->first_port[end] ||
            rule->last_port[end] > earlier->last_port[end])
            return false;
    return true;
}

bool spill_rule_covers(const struct spill_rule *earlier, const struct spill_rule *rule)
{
    if ((rule->families & ~earlier->families) != 0 || earlier->limit != 0)
        return false; /* what is beyond its limit is left */
    if (!earlier->any_protocol && (rule->any_protocol || rule->protocol != earlier->protocol))
        return false;
    if (earlier->inputs != 0 && (rule->inputs == 0 || (rule->inputs & ~earlier->inputs) != 0))
        return false;
    return covers_ports(earlier, rule) && covers_end(earlier, rule, SPILL_RULE_SOURCE) &&
           covers_end(earlier, rule, SPILL_RULE_DESTINATION);
}

/* The first of the rules before one of a line that covers it; NULL: none does. */
static const struct spill_rule *covering(const struct spill_ruleset *ruleset, uint32_t before,
                                         const struct spill_rule *rule)
{
    for (uint32_t i = 0; i < before; i++)
        if (spill_rule_covers(&ruleset->rules[i], rule))
            return &ruleset->rules[i];
    return NULL;
}

const struct spill_rule *spill_rule_cover_next(const struct spill_ruleset *ruleset, uint32_t *from,
                                               const struct spill_rule **by)
{
    uint32_t first = *from, end;

    if (ruleset->count > SPILL_RULE_COVER_MAX)
        return NULL;
    for (; first < ruleset->count; first = end) {
        const struct spill_rule *line = &ruleset->rules[first], *found = NULL;

        *by = NULL;
        for (end = first; end < ruleset->count && spill_rules_same_line(&ruleset->rules[end], line);
             end++) {
            found = end == first || found != NULL ? covering(ruleset, first, &ruleset->rules[end])
                                                  : NULL;
            if (*by == NULL)
                *by = found;
        }
        if (found != NULL) {
            *from = end;
            return line;
        }
    }
    *from = first;
    return NULL;
}
