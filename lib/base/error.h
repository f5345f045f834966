/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ERROR_H
#define SPILLWAY_ERROR_H

/**
 * @file
 * The one-line error that a function hands back to the person who gave it bad input.
 *
 * The text names where (flag, or file:line), what was found there and what would be right; it ends
 * without full stop or newline. The caller owns the struct; it is plain memory.
 */

struct spill_error {
    char text[512]; /* printable: see printable.h */
};

/**
 * Writes the text of an error, made printable: names and values may be repeated as they came. Any
 * thread, not a fast lcore (formats).
 *
 * @param error  written to; may be NULL, then nothing happens
 * @return -1, so that a function can `return spill_error_set(...)`
 */
__attribute__((format(printf, 2, 3))) int spill_error_set(struct spill_error *error,
                                                          const char *format, ...);

#endif
