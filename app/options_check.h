/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTIONS_CHECK_H
#define SPILLWAY_OPTIONS_CHECK_H

#include "options.h"

/**
 * Checks what single values can't show: that ports and wires fit together, and options that need
 * each other. Fills in the port indices of the wires.
 *
 * @param error  on failure one line that names what contradicts what
 * @return 0, or -1
 */
int spill_options_check(struct spill_options *options, struct spill_error *error);

#endif
