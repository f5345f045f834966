/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify/rule_list.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

/* Copies the texts that rules lead to. Returns 0, or -1. */
static int copy_texts(struct spill_rule_list *list, const struct spill_ruleset *ruleset)
{
    list->names = calloc(1, ruleset->names.size + 1u);
    list->paths = calloc(ruleset->path_count, sizeof(*list->paths));
    if (list->names == NULL || list->paths == NULL)
        return -1;
    if (ruleset->names.size > 0)
        memcpy(list->names, ruleset->names.bytes, ruleset->names.size);
    for (; list->path_count < ruleset->path_count; list->path_count++) {
        list->paths[list->path_count] = strdup(ruleset->paths[list->path_count]);
        if (list->paths[list->path_count] == NULL)
            return -1;
    }
    return 0;
}

/* Each lcore has its share of a rate. */
static uint64_t interval_of(const struct spill_rule_list *list, const struct spill_rule *rule)
{
    return (uint64_t)((double)rule->log_interval * list->counts->lcore_count *
                      (double)rte_get_tsc_hz() / 1e9);
}

static void list_rules(struct spill_rule_list *list, const struct spill_ruleset *ruleset)
{
    for (uint32_t i = 0; i < ruleset->count; i++) {
        const struct spill_rule *rule = &ruleset->rules[i];

        if (i > 0 && spill_rules_same_line(rule, rule - 1))
            continue;
        list->records |= rule->log;
        list->rules[list->count++] =
            (struct spill_rule_listed){.tally = rule->tally,
                                       .line = rule->line,
                                       .name = rule->name,
                                       .file = rule->file,
                                       .action = rule->action,
                                       .reject = rule->reject,
                                       .log_interval = interval_of(list, rule)};
    }
}

struct spill_rule_list *spill_rule_list_create(const struct spill_ruleset *ruleset,
                                               const struct spill_rule_counts *counts,
                                               enum spill_verdict default_verdict)
{
    struct spill_rule_list *list = calloc(1, sizeof(*list));

    if (list == NULL)
        return NULL;
    list->counts = counts;
    list->rules = calloc(ruleset->count + 1u, sizeof(*list->rules));
    list->by_place = calloc(counts->places, sizeof(*list->by_place));
    if (list->rules == NULL || list->by_place == NULL || copy_texts(list, ruleset) != 0) {
        spill_rule_list_free(list);
        return NULL;
    }
    list_rules(list, ruleset);
    list->rules[list->count++] = (struct spill_rule_listed){.tally = SPILL_RULE_TALLY_DEFAULT,
                                                            .action = (uint8_t)default_verdict};
    for (uint32_t i = 0; i < list->count; i++)
        list->by_place[list->rules[i].tally / SPILL_RULE_TALLY_WORDS] = i + 1;
    return list;
}

void spill_rule_list_free(struct spill_rule_list *list)
{
    if (list == NULL)
        return;
    for (uint32_t i = 0; i < list->path_count; i++)
        free(list->paths[i]);
    free(list->paths);
    free(list->names);
    free(list->by_place);
    free(list->rules);
    free(list);
}
