/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules of a file, in memory. */
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "classify/rule_reader.h"

#define FIRST_CAPACITY 64

#define TEXTS_AT_ONCE 1024u /* bytes of texts that memory is taken for at first */

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

uint32_t spill_rule_keep_text(struct spill_rule_texts *texts, const char *text)
{
    const uint32_t begin = RTE_MAX(texts->size, 1u);
    const uint32_t size = begin + (uint32_t)strlen(text) + 1;

    if (size > texts->capacity) {
        const uint32_t capacity = RTE_MAX(2 * texts->capacity, TEXTS_AT_ONCE);
        char *bytes = realloc(texts->bytes, capacity);

        if (bytes == NULL)
            return 0;
        bytes[0] = '\0';
        texts->bytes = bytes;
        texts->capacity = capacity;
    }
    memcpy(texts->bytes + begin, text, size - begin);
    texts->size = size;
    return begin;
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

uint32_t spill_rules_lines(const struct spill_ruleset *ruleset)
{
    uint32_t lines = 0, i;

    for (i = 0; i < ruleset->count; i++)
        lines += i == 0 || ruleset->rules[i].line != ruleset->rules[i - 1].line ||
                 ruleset->rules[i].file != ruleset->rules[i - 1].file;
    return lines;
}

const char *spill_rules_name(const struct spill_ruleset *ruleset, const struct spill_rule *rule)
{
    return rule->name != 0 ? ruleset->names.bytes + rule->name : "";
}

const char *spill_rules_text(const struct spill_ruleset *ruleset, const struct spill_rule *rule)
{
    return rule->text != 0 ? ruleset->lines.bytes + rule->text : "";
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
    free(ruleset->names.bytes);
    free(ruleset->lines.bytes);
    free(ruleset);
}
