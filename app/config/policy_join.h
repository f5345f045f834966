/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_POLICY_JOIN_H
#define SPILLWAY_POLICY_JOIN_H

#include "config/policy_files.h"

/**
 * @file
 * One security policy of two: what daemons have agreed on, and what files say. The former comes
 * first. Any thread of control's.
 */

/**
 * Joins them.
 *
 * @param first  its rules are asked first; it has one path, and no ports, sets and names of rules
 * @param ports  by which the ESP of its SAs comes and goes, as in struct spill_sa_config
 * @param files  what follows
 * @param joined written: shares memory with both, for spill_policy_join_free() before these go
 * @return 0, or -1 with an error
 */
int spill_policy_join(const struct spill_policy_files *first, uint64_t ports,
                      const struct spill_policy_files *files, struct spill_policy_files *joined,
                      struct spill_error *error);

/** Frees what it has of its own, keys wiped. */
void spill_policy_join_free(struct spill_policy_files *joined);

#endif
