/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_POLICY_COMPARE_H
#define SPILLWAY_POLICY_COMPARE_H

#include "config/difference.h"
#include "config/policy_files.h"

/**
 * @file
 * What differs between two security policies, as files have them: rules (rules_compare.h), sets by
 * what is in them, keys of associations. What else differs of associations is in the options.
 */

/**
 * Tells it: "set offices", "key of sa branch", "order of the rules", "rule office.rules:12". Rules
 * come last, as they may be more than anybody lists. All of it a reload puts in force. Any thread
 * that has both to itself; a million rules take a second.
 *
 * @return 0, or -1 with an error: memory is short
 */
int spill_policy_compare(const struct spill_policy_files *in_force,
                         const struct spill_policy_files *again, spill_difference_tell *tell,
                         void *context, struct spill_error *error);

#endif
