/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_LIST_H
#define SPILLWAY_RULE_LIST_H

#include <stdint.h>

#include "classify/rule_counts.h"
#include "classify/rules.h"

/**
 * @file
 * What is told of the rules in force: where each stands, what it is called, and where it is
 * counted. One of a version, immutable. A rule here is a line of a file.
 */

struct spill_rule_listed {
    uint32_t tally;
    uint32_t line;
    uint32_t name; /* as in struct spill_rule */
    uint16_t file;
    uint8_t action; /* enum spill_verdict */
    bool reject;
    uint64_t log_interval; /* TSC cycles between records of one lcore; 0: any */
};

struct spill_rule_list {
    struct spill_rule_listed *rules; /* in their order; the last is the default, with line 0 */
    uint32_t count;
    bool records; /* what any of them decides is recorded */
    char *names;  /* owned, as the next ones; read by spill_rule_list_name(), _path(), _find() */
    char **paths;
    uint32_t path_count;
    uint32_t *by_place; /* of the counts: 1 + index of the rule; 0: there is none */
    const struct spill_rule_counts *counts;
};

/**
 * Makes the list of a version. Control thread, or who makes versions (heap).
 *
 * @param ruleset  with its tallies; what is told of it is copied: it is not needed any more
 * @param counts   with a place for each of them; must outlive the list
 * @return to be freed with spill_rule_list_free(), with all that it has but the counts; NULL when
 *         memory is short
 */
struct spill_rule_list *spill_rule_list_create(const struct spill_ruleset *ruleset,
                                               const struct spill_rule_counts *counts,
                                               enum spill_verdict default_verdict);

/** Frees it. NULL is fine. */
void spill_rule_list_free(struct spill_rule_list *list);

/** The rule of a tally; NULL: it is none of this version's. */
static inline const struct spill_rule_listed *
spill_rule_list_find(const struct spill_rule_list *list, uint32_t tally)
{
    const uint32_t place = tally / SPILL_RULE_TALLY_WORDS;
    const uint32_t index = list != NULL && place < list->counts->places ? list->by_place[place] : 0;

    return index != 0 ? &list->rules[index - 1] : NULL;
}

/** What a rule is called; empty: nothing. */
static inline const char *spill_rule_list_name(const struct spill_rule_list *list,
                                               const struct spill_rule_listed *rule)
{
    return rule->name != 0 ? list->names + rule->name : "";
}

/** The file that a rule stands in; NULL: it is the default. */
static inline const char *spill_rule_list_path(const struct spill_rule_list *list,
                                               const struct spill_rule_listed *rule)
{
    return rule->line != 0 ? list->paths[rule->file] : NULL;
}

#endif
