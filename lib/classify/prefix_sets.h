/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PREFIX_SETS_H
#define SPILLWAY_PREFIX_SETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "classify/rules.h"

/**
 * @file
 * The sets of prefixes that rules name, compiled: which of them is an address in?
 *
 * On DPDK's rte_rib: a tree of all prefixes in which each has a bit for each set that it, or one
 * that covers it, is of. So one walk to the longest prefix of an address has the answer for all
 * sets, and memory goes with the number of prefixes, of which there may be millions. That is a step
 * of classification, not of every packet.
 *
 * Once made they never change: any number of threads may look up, without locks.
 */

struct spill_prefix_sets;

/**
 * Compiles the sets of a rule set. Control thread, after the EAL is up. About a microsecond a
 * prefix.
 *
 * @param name     their own: none of the same name may live at the time; at most 20 characters
 * @param ruleset  not needed any more afterwards
 * @param socket   NUMA node of the lcores that will look up, or SOCKET_ID_ANY
 * @param error    may be NULL
 * @return to be freed with spill_prefix_sets_free(); NULL on error: memory is short
 */
struct spill_prefix_sets *spill_prefix_sets_create(const char *name,
                                                   const struct spill_ruleset *ruleset, int socket,
                                                   struct spill_error *error);

/** Frees them. No thread may be using them any more. Control thread. NULL is fine. */
void spill_prefix_sets_free(struct spill_prefix_sets *sets);

/** The sets that an address is in: bit i for spill_ruleset.sets[i]. Any thread. */
uint32_t spill_prefix_sets_of4(const struct spill_prefix_sets *sets, rte_be32_t address);

/** @param address  16 bytes */
uint32_t spill_prefix_sets_of6(const struct spill_prefix_sets *sets, const uint8_t *address);

/** Bytes of EAL memory that the sets of a rule set take on a node, at most. */
size_t spill_prefix_sets_memory(const struct spill_ruleset *ruleset);

#endif
