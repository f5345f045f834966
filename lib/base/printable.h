/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PRINTABLE_H
#define SPILLWAY_PRINTABLE_H

#include <stddef.h>

/**
 * @file
 * Text from outside (names of files, values, lines of a file) as a person's terminal may get it.
 * Any thread; no allocation.
 */

/** The bytes of the UTF-8 sequence at `text`; 0 when there is none (too long, a surrogate, cut
 * off).
 */
unsigned spill_utf8_length(const char *text);

/**
 * Copies a text so that it is one line and nothing but text: bytes that are no UTF-8, and what ends
 * a line, steers a terminal (C0, DEL, C1) or turns the direction of writing become \n, \r, \t or
 * \xHH. A backslash stays as it is, so what is printable already stays the same.
 *
 * Of a text that is too long the middle is left out, with "..." in its place: a message says at its
 * beginning where something is wrong, and at its end what.
 *
 * @param to    at least 16 bytes; gets a NUL at the end
 * @param size  of it
 */
void spill_printable(char *to, size_t size, const char *from);

/** The same where nothing but ASCII may stand: the bytes of other characters become \xHH, too. */
void spill_printable_ascii(char *to, size_t size, const char *from);

#endif
