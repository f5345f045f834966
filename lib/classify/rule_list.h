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
};

struct spill_rule_list {
    struct spill_rule_listed *rules; /* in their order; the last is the default, with line 0 */
    uint32_t count;
    char *names;
    char **paths;
    uint32_t path_count;
    const struct spill_rule_counts *counts;
};

/**
 * Makes the list of a version. Control thread, or who makes versions (heap).
 *
 * @param ruleset  with its tallies; not needed any more afterwards
 * @param counts   with a place for each of them; must outlive the list
 * @return NULL when memory is short
 */
struct spill_rule_list *spill_rule_list_create(const struct spill_ruleset *ruleset,
                                               const struct spill_rule_counts *counts,
                                               enum spill_verdict default_verdict);

/** Frees it. NULL is fine. */
void spill_rule_list_free(struct spill_rule_list *list);

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
