/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTIONS_APPLY_H
#define SPILLWAY_OPTIONS_APPLY_H

#include "config/options.h"
#include "config/settings.h"

/**
 * @file
 * Settings, wherever they were given, become options.
 */

/** Sets all options to their defaults, without ports, wires and associations. */
void spill_options_preset(struct spill_options *options);

/**
 * Reads the values of settings into the options: the file's, then the flags, which override them.
 * Nothing is checked that takes more than one value to see: that is spill_options_check().
 *
 * @param error  on failure begins with where the setting was given
 * @return 0, or -1 with some of them applied
 */
int spill_options_apply(struct spill_options *options, const struct spill_settings *file,
                        const struct spill_settings *flags, struct spill_error *error);

#endif
