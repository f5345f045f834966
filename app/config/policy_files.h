/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_POLICY_FILES_H
#define SPILLWAY_POLICY_FILES_H

#include <stdint.h>

#include "base/error.h"
#include "classify/rules.h"
#include "config/options.h"
#include "ipsec/sa.h"
#include "runtime/token.h"

/**
 * @file
 * What the security policy is made of, as files have it: rules, and SAs with their keys. Plain
 * memory, checked as a whole; any thread of control's.
 */
struct spill_policy_files {
    struct spill_ruleset *ruleset; /* owned */
    uint32_t sa_count;
    struct spill_sa_config *sas; /* owned; wiped when freed */
};

/**
 * Reads the rules file and the key files that the options name.
 *
 * @param stop     ends the reading when it is cancelled; NULL: nothing does
 * @param files    written; on success for spill_policy_files_free()
 * @return 0; -1 with an error, and nothing to free
 */
int spill_policy_files_load(const struct spill_options *options, const struct spill_token *stop,
                            struct spill_policy_files *files, struct spill_error *error);

/** Frees them, the keys wiped. Empty ones are fine. */
void spill_policy_files_free(struct spill_policy_files *files);

#endif
