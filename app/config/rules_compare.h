/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULES_COMPARE_H
#define SPILLWAY_RULES_COMPARE_H

#include "classify/rules.h"
#include "config/difference.h"

/**
 * @file
 * What differs between two sets of rules. Lines that say the same are one, wherever they stand. Of
 * the others, one has changed into another where both have the same name, or where both stand
 * between the same lines and none was added or taken away there; what is left is gone or new.
 */

/**
 * Tells it: "order of the rules", and "rule office.rules:12" with what its line was and is. Any
 * thread that has both to itself; a million rules take a second.
 *
 * @return 0, or -1 with an error: memory is short
 */
int spill_rules_compare(const struct spill_ruleset *in_force, const struct spill_ruleset *again,
                        spill_difference_tell *tell, void *context, struct spill_error *error);

#endif
