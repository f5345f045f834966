/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ERROR_H
#define SPILLWAY_ERROR_H

#include <stdbool.h>

/**
 * @file
 * The one-line error that a function hands back to the person who gave it bad input.
 *
 * The text names where (flag, or file:line), what was found there and what would be right; it ends
 * without full stop or newline. The caller owns the struct; it is plain memory.
 */

struct spill_error {
    char text[512]; /* printable: see printable.h */
    bool cancelled; /* no mistake: a token ended what was under way */
};

/**
 * Writes the text of an error, made printable: names and values may be repeated as they came, but
 * words of 32 hexadecimal digits and more, which may be keys, are shown as asterisks. Any thread,
 * not a fast lcore (formats).
 *
 * @param error  written to; may be NULL, then nothing happens
 * @return -1, so that a function can `return spill_error_set(...)`
 */
__attribute__((format(printf, 2, 3))) int spill_error_set(struct spill_error *error,
                                                          const char *format, ...);

/** Says of an error that was set that it is no mistake. @param error  may be NULL @return -1 */
int spill_error_cancelled(struct spill_error *error);

#endif
