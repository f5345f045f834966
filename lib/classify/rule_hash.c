/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify/rule_hash.h"

#include <string.h>

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * UINT64_C(1099511628211); /* FNV-1a */
    return hash;
}

#define FNV_OFFSET UINT64_C(14695981039346656037)

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text, strlen(text) + 1);
}

/* The ports that it names, in any order. */
static uint64_t hash_inputs(const struct spill_ruleset *ruleset, const struct spill_rule *rule)
{
    uint64_t sum = 0;

    for (uint16_t i = 0; i < ruleset->input_count; i++)
        if ((rule->inputs >> i & 1) != 0)
            sum += hash_text(FNV_OFFSET, ruleset->inputs[i]);
    return sum;
}

/* Names stand for numbers that are another version's otherwise. */
static uint64_t hash_rule(uint64_t hash, const struct spill_ruleset *ruleset,
                          const struct spill_rule *rule)
{
    const uint64_t inputs = hash_inputs(ruleset, rule);
    const uint8_t flags[] = {rule->action,       rule->families,    rule->protocol,
                             rule->any_protocol, rule->names_ports, rule->names_types,
                             rule->reject,       rule->length[0],   rule->length[1]};

    hash = hash_bytes(hash, flags, sizeof(flags));
    hash = hash_bytes(hash, rule->address, sizeof(rule->address));
    hash = hash_bytes(hash, rule->first_port, sizeof(rule->first_port));
    hash = hash_bytes(hash, rule->last_port, sizeof(rule->last_port));
    hash = hash_bytes(hash, &rule->mss, sizeof(rule->mss));
    hash = hash_bytes(hash, &rule->log, sizeof(rule->log));
    hash = hash_bytes(hash, &rule->log_interval, sizeof(rule->log_interval));
    hash = hash_bytes(hash, &rule->limit, sizeof(rule->limit));
    hash = hash_bytes(hash, &rule->burst, sizeof(rule->burst));
    hash = hash_bytes(hash, &rule->dscp, sizeof(rule->dscp));
    hash = hash_bytes(hash, &inputs, sizeof(inputs));
    hash = hash_text(hash, rule->sa != 0 ? ruleset->sas[rule->sa - 1] : "");
    for (unsigned end = 0; end < 2; end++)
        hash = hash_text(hash, rule->set[end] != 0 ? ruleset->sets[rule->set[end] - 1] : "");
    return hash_text(hash, spill_rules_name(ruleset, rule));
}

uint64_t spill_rule_hash_line(const struct spill_ruleset *ruleset, uint32_t first, uint32_t *end)
{
    uint64_t hash = FNV_OFFSET;

    for (*end = first; *end < ruleset->count &&
                       spill_rules_same_line(&ruleset->rules[*end], &ruleset->rules[first]);
         ++*end)
        hash = hash_rule(hash, ruleset, &ruleset->rules[*end]);
    return hash;
}

uint64_t spill_rule_hash_name(const char *name)
{
    return hash_text(FNV_OFFSET, name);
}

uint64_t spill_rule_hash_set(const struct spill_ruleset *ruleset, uint32_t set, uint32_t *count)
{
    uint64_t sum = 0;

    *count = 0;
    for (uint32_t i = 0; i < ruleset->prefix_count; i++) {
        const struct spill_prefix *prefix = &ruleset->prefixes[i];
        uint64_t hash = hash_bytes(FNV_OFFSET, prefix->address, sizeof(prefix->address));

        if (prefix->set != set + 1)
            continue;
        hash = hash_bytes(hash, &prefix->length, sizeof(prefix->length));
        sum += hash_bytes(hash, &prefix->family, sizeof(prefix->family));
        ++*count;
    }
    return sum;
}
