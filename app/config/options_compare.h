/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTIONS_COMPARE_H
#define SPILLWAY_OPTIONS_COMPARE_H

#include "config/options.h"

/**
 * @file
 * What a reload can't change.
 */

/**
 * Tells each option that differs between the options in force and those read again, and that takes
 * a new start: "flow-timeout", "mtu of port lan", "dispatch of classify", "port dmz", "wire a-b".
 * Any thread that has both to itself.
 *
 * @param tell  called with the option, once for each
 * @return how many there are
 */
unsigned spill_options_compare(const struct spill_options *in_force,
                               const struct spill_options *again,
                               void (*tell)(const char *what, void *context), void *context);

#endif
