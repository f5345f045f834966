/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_HASH_H
#define SPILLWAY_RULE_HASH_H

#include <stdint.h>

#include "classify/rules.h"

/**
 * @file
 * What a rule says, as a number: the same for rules that say the same, wherever they stand, however
 * they are written, and whatever the sets that they name have in them. One set of a million rules
 * in thirty million has two that are taken for one. Pure; any thread of control's.
 */

/**
 * The number of a line's rules, of which there are several where it has a list of ports.
 *
 * @param first  the line's first rule, by index
 * @param end    written: the index behind its last
 */
uint64_t spill_rule_hash_line(const struct spill_ruleset *ruleset, uint32_t first, uint32_t *end);

/** The number of a rule's name. */
uint64_t spill_rule_hash_name(const char *name);

/**
 * The number of what a set has in it, in whatever order.
 *
 * @param set    by index
 * @param count  written: its prefixes
 */
uint64_t spill_rule_hash_set(const struct spill_ruleset *ruleset, uint32_t set, uint32_t *count);

#endif
