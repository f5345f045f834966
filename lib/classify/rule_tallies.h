/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_TALLIES_H
#define SPILLWAY_RULE_TALLIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "classify/rule_counts.h"
#include "classify/rules.h"

/**
 * @file
 * Which rule is counted where, over all versions of the rules.
 *
 * A rule here is a line: what a list of ports makes of it is counted together. It keeps its tally,
 * and what was counted there, as long as it says the same: wherever it stands in the file, however
 * it is written, and whatever the sets that it names have in them. Of lines that say the same the
 * first keeps the first's.
 *
 * The tally of a rule that is gone is given to another only when no flow has it any more: flows
 * carry the tallies of the version that they were decided by.
 *
 * One thread at a time: who makes versions.
 */

struct spill_rule_tallies;

/**
 * Makes it, without any rule. Control thread, after the EAL is up.
 *
 * @param sockets  NUMA nodes of the fast lcores, by their index, or SOCKET_ID_ANY
 * @return to be freed with spill_rule_tallies_free(); NULL when memory is short
 */
struct spill_rule_tallies *spill_rule_tallies_create(const int *sockets, uint32_t lcore_count);

/** Frees it with its counts. No lcore runs, and nobody reads them any more. NULL is fine. */
void spill_rule_tallies_free(struct spill_rule_tallies *tallies);

/**
 * Gives each rule of a version its tally.
 *
 * @param ruleset  `tally` of each rule is written
 * @param version  its number; more than at the call before
 * @param settled  no flow has a tally of a version before that one; 0: nothing is known
 * @return 0; -1 with an error when memory is short
 */
int spill_rule_tallies_assign(struct spill_rule_tallies *tallies, struct spill_ruleset *ruleset,
                              uint64_t version, uint64_t settled, struct spill_error *error);

/** The counts with places for all tallies that were given so far; NULL before the first. They live
 * as long as `tallies`. */
const struct spill_rule_counts *spill_rule_tallies_counts(const struct spill_rule_tallies *tallies);

/** EAL memory for so many rules that each fast lcore needs. Any thread; needs no EAL. */
size_t spill_rule_tallies_bytes(uint32_t rules);

#endif
