/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_LEVELS_H
#define SPILLWAY_RULE_LEVELS_H

#include "base/error.h"
#include "classify/rules.h"

/**
 * @file
 * Which rules with `limit` come one after the other for one packet.
 *
 * What is beyond a rule's limit goes to the next rule that matches, which may have a limit too. A
 * rule's level is 1 more than that of any earlier one with a limit that a packet of it might match.
 * So the next rule is the first that matches among those without a limit and those of higher
 * levels: for each level the rules are searched without those of the levels up to it (acl.h).
 */

/**
 * Gives the rules with `limit` of a whole file their levels. The rules of one line have one. Who
 * makes versions.
 *
 * @return 0; -1 with an error that names file and line: there are more than SPILL_RULE_LIMITS_MAX
 *         of them, or more than SPILL_RULE_LEVELS for one packet
 */
int spill_rule_levels_assign(struct spill_ruleset *ruleset, struct spill_error *error);

#endif
