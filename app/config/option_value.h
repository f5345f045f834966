/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTION_VALUE_H
#define SPILLWAY_OPTION_VALUE_H

#include "base/error.h"
#include "config/option_row.h"

/**
 * @file
 * One option's value, from its text to its field.
 */

/**
 * Reads a value and stores it in the option's field.
 *
 * @param option     a row of the table, not an action
 * @param target     the struct of the option's scope; a string that the field owned is freed, the
 *                   new one is malloc()ed
 * @param value      without the `NAME:` or `CLASS=` before it
 * @param directory  what a relative file name is relative to; NULL: it stays as it is
 * @param problem    on failure: what would be right; where it stood is the caller's to say
 * @return 0, or -1 with the field unchanged
 */
int spill_option_set(const struct spill_option *option, void *target, const char *value,
                     const char *directory, struct spill_error *problem);

#endif
