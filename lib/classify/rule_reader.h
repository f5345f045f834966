/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_READER_H
#define SPILLWAY_RULE_READER_H

#include "classify/rule_fields.h"
#include "classify/rule_words.h"
#include "classify/rules.h"

/**
 * @file
 * What the parts of the rule reader share, each of which calls those behind it alone: rules.c has
 * files and lines, rule_text.c the rules in words, rule_rates.c and rule_dscp.c the rates and
 * codepoints in them, rule_filter.c ClassBench's, rule_sets.c the sets of prefixes, ruleset.c the
 * rules in memory. Only they include this. Each function that returns int returns 0, or -1 with the
 * error written; on the control thread.
 */

/** Appends a copy of a rule. */
int spill_rule_append(const struct spill_rule_location *location, struct spill_ruleset *ruleset,
                      const struct spill_rule *rule);

/** Keeps a copy of a text. Returns where it begins; 0: no memory. */
uint32_t spill_rule_keep_text(struct spill_rule_texts *texts, const char *text);

/** ACTION PROTOCOL from … to …; `rule` matches everything when it comes in, and is scratch. */
int spill_rule_read_text(const struct spill_rule_location *location, struct spill_rule_words *words,
                         struct spill_ruleset *ruleset, struct spill_rule *rule);

/** [limit N/s|N/m|N/h], behind `log`. */
int spill_rule_read_log(const struct spill_rule_location *location, struct spill_rule_words *words,
                        struct spill_rule *rule);

/** RATE [burst BYTES], behind `limit`. */
int spill_rule_read_limit(const struct spill_rule_location *location,
                          struct spill_rule_words *words, struct spill_rule *rule);

/** N or a name, behind `dscp`. */
int spill_rule_read_dscp(const struct spill_rule_location *location, struct spill_rule_words *words,
                         struct spill_rule *rule);

/** @SOURCE DESTINATION P : Q P : Q PROTOCOL/MASK [FLAGS/MASK] [ACTION]; likewise. */
int spill_rule_read_filter(const struct spill_rule_location *location,
                           struct spill_rule_words *words, struct spill_ruleset *ruleset,
                           struct spill_rule *rule);

/** The set of this name: 1 + its index; 0 if there is none. */
uint8_t spill_rule_set_find(const struct spill_ruleset *ruleset, const char *name);

/** Adds a set without prefixes, of which there is none of that name. Returns its number, or 0. */
uint8_t spill_rule_set_add(const struct spill_rule_location *location,
                           struct spill_ruleset *ruleset, const char *name);

/** PREFIX into a set, by its number. */
int spill_rule_set_prefix(const struct spill_rule_location *location, struct spill_ruleset *ruleset,
                          uint8_t set, const char *text);

#endif
