/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_COMPILE_H
#define SPILLWAY_XFRM_COMPILE_H

#include "config/policy_files.h"
#include "xfrm/state.h"

/**
 * @file
 * From the state to what a version of the security policy is made of: SAs, and rules in the order
 * of the policies' priorities. Pure; any thread.
 */

#define SPILL_XFRM_RULES_PATH                                                                      \
    "xfrm" /* what the file of these rules is called; its lines are the                            \
            * policies, in the order in which they are asked */

/**
 * Makes SAs and rules. SAs of which nothing else says it go the way of the policies that take them:
 * that is noted.
 *
 * @param files  written: for spill_policy_files_free()
 * @return 0; -ENOMEM, and nothing to free
 */
int spill_xfrm_compile(struct spill_xfrm_state *state, struct spill_policy_files *files);

/** What an SA is called in a version: no name that a user may give. */
void spill_xfrm_name(const struct spill_xfrm_sa *sa, char name[SPILL_NAME_SIZE]);

#endif
