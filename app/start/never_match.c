/* SPDX-License-Identifier: BSD-3-Clause */
/* --check warns of rules that can never match. */
#include "classify/rule_cover.h"
#include "control/log.h"
#include "program.h"
#include "start/steps.h"

#define TOLD_MAX 20

void spill_program_warn_of_rules(const struct spill_program *program)
{
    const struct spill_ruleset *ruleset = program->files.ruleset;
    const struct spill_rule *rule, *by;
    uint32_t from = 0, count = 0;

    while ((rule = spill_rule_cover_next(ruleset, &from, &by)) != NULL) {
        if (count++ < TOLD_MAX)
            SPILL_LOG(WARNING, "%s:%u: this rule never matches: %s:%u matches all that it would",
                      spill_rules_path(ruleset, rule), rule->line, spill_rules_path(ruleset, by),
                      by->line);
    }
    if (count > TOLD_MAX)
        SPILL_LOG(WARNING, "%u more rules never match", count - TOLD_MAX);
}
