/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_COVER_H
#define SPILLWAY_RULE_COVER_H

#include <stdbool.h>
#include <stdint.h>

#include "classify/rules.h"

/**
 * @file
 * Rules that can never match, as an earlier one matches whatever they would. That one is told
 * alone: what several earlier rules match together is not looked at, nor what is in sets.
 *
 * Each rule is compared with those before it, so this is for sets of up to SPILL_RULE_COVER_MAX.
 * Any thread.
 */

#define SPILL_RULE_COVER_MAX 10000 /* half a second */

/** Whether every packet that `rule` matches is decided about by `earlier`: matched, and none is
 * left beyond a limit. */
bool spill_rule_covers(const struct spill_rule *earlier, const struct spill_rule *rule);

/**
 * Finds lines that can never match: each of the rules that such a line makes is covered by one.
 *
 * @param from  index of the first rule to look at; of the next after those of the one found
 * @param by    the rule that covers the line, or its first rule
 * @return the first rule of the line; NULL: there is none, or too many rules to look
 */
const struct spill_rule *spill_rule_cover_next(const struct spill_ruleset *ruleset, uint32_t *from,
                                               const struct spill_rule **by);

#endif
