/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTION_TEXT_H
#define SPILLWAY_OPTION_TEXT_H

#include "config/option_row.h"

/**
 * @file
 * One option's value, from its field to text: the reverse of option_value.h. Pure; any thread.
 */

/**
 * A value as a user would write it, whole, or what holds where none was given.
 *
 * @param target  the struct of the row's scope
 * @param text    for a number: of SPILL_OPTION_TEXT_SIZE bytes at least
 * @return the text, a constant, or the struct's own string; NULL: values of this kind are not told
 */
const char *spill_option_text(const struct spill_option *option, const void *target, char *text,
                              size_t size);

#endif
