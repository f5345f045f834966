/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTIONS_AT_ONCE_H
#define SPILLWAY_OPTIONS_AT_ONCE_H

#include "config/options.h"

/**
 * @file
 * Options that act at once, as their rows say (SPILL_OPTION_AT_ONCE): set one by one while the
 * program runs. Control thread.
 */

/**
 * Reads one setting into the options.
 *
 * @param setting  "KEY=VALUE", as "log-level=debug" or "dispatch=encrypt=pool"
 * @param options  good ones, or a copy of such that owns nothing; on failure of no use
 * @return 0; -1 with an error that says what would be right
 */
int spill_options_set(struct spill_options *options, const char *setting,
                      struct spill_error *error);

/** Takes the values of all of them over. They own nothing. */
void spill_options_take_at_once(struct spill_options *to, const struct spill_options *from);

#endif
