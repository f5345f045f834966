/* SPDX-License-Identifier: BSD-3-Clause */
/* Named sets of prefixes, as rule files have them. */
#include <stdlib.h>
#include <string.h>

#include "classify/rule_reader.h"

#define FIRST_CAPACITY 64

uint8_t spill_rule_set_find(const struct spill_ruleset *ruleset, const char *name)
{
    for (uint8_t i = 0; i < ruleset->set_count; i++)
        if (strcmp(ruleset->sets[i], name) == 0)
            return (uint8_t)(i + 1);
    return 0;
}

uint8_t spill_rule_set_add(const struct spill_rule_location *location,
                           struct spill_ruleset *ruleset, const char *name)
{
    if (!spill_is_name(name)) {
        spill_rule_error(location, "'%.80s': not the name of a set; " SPILL_NAME_RULE, name);
        return 0;
    }
    if (spill_rule_set_find(ruleset, name) != 0) {
        spill_rule_error(location, "set %s: there is one of that name", name);
        return 0;
    }
    if (ruleset->set_count == SPILL_SETS_MAX) {
        spill_rule_error(location, "set %s: more than %u of them", name, SPILL_SETS_MAX);
        return 0;
    }
    memcpy(ruleset->sets[ruleset->set_count], name, strlen(name) + 1);
    return ++ruleset->set_count;
}

/* Room for one more prefix. */
static int grow(const struct spill_rule_location *location, struct spill_ruleset *ruleset)
{
    uint32_t capacity =
        ruleset->prefix_capacity == 0 ? FIRST_CAPACITY : ruleset->prefix_capacity * 2;
    struct spill_prefix *prefixes;

    if (ruleset->prefix_count < ruleset->prefix_capacity)
        return 0;
    if (ruleset->prefix_count == SPILL_PREFIXES_MAX)
        return spill_rule_error(location, "more than %u prefixes in sets", SPILL_PREFIXES_MAX);
    prefixes = reallocarray(ruleset->prefixes, capacity, sizeof(*prefixes));
    if (prefixes == NULL)
        return spill_rule_error(location, "no memory for another prefix");
    ruleset->prefixes = prefixes;
    ruleset->prefix_capacity = capacity;
    return 0;
}

int spill_rule_set_prefix(const struct spill_rule_location *location, struct spill_ruleset *ruleset,
                          uint8_t set, const char *text)
{
    struct spill_rule rule = {0};
    struct spill_prefix *prefix;

    if (strcmp(text, "any") == 0)
        return spill_rule_error(location,
                                "any: not a prefix; one such as 192.0.2.0/24, 2001:db8::/32");
    if (spill_rule_address(location, text, false, SPILL_RULE_SOURCE, &rule) != 0 ||
        grow(location, ruleset) != 0)
        return -1;
    prefix = &ruleset->prefixes[ruleset->prefix_count++];
    *prefix = (struct spill_prefix){
        .family = rule.families, .length = rule.length[SPILL_RULE_SOURCE], .set = set};
    memcpy(prefix->address, rule.address[SPILL_RULE_SOURCE], sizeof(prefix->address));
    ruleset->set_families[set - 1] |= rule.families;
    return 0;
}
