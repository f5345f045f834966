/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_UNITS_H
#define SPILLWAY_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/**
 * @file
 * Numbers, sizes and times as people write them. Any thread; no allocation.
 *
 * Decimal digits only: no sign, no blank, no fraction, no exponent, and nothing after the unit.
 * What does not fit 64 bits is refused. Errors say what would be right, not where: that is the
 * caller's.
 */

/** Room for the text of any time or size, with its NUL. */
#define SPILL_UNITS_TEXT_SIZE 32

/**
 * Reads a count or size: digits and nothing, `k` (1 024), `M` (1 024²) or `G` (1 024³).
 *
 * @param value  written on success only
 * @param error  NULL or written on failure
 * @return 0, or -1
 */
int spill_units_parse_size(const char *text, uint64_t *value, struct spill_error *error);

/**
 * Reads a time: digits and `ns`, `us`, `ms`, `s`, `m` (minutes) or `h`; only 0 needs no unit.
 *
 * @param nanoseconds  written on success only
 * @param error        NULL or written on failure
 * @return 0, or -1
 */
int spill_units_parse_time(const char *text, uint64_t *nanoseconds, struct spill_error *error);

/**
 * Writes a time in the largest unit that needs no fraction, so that it reads back as the same:
 * "100ms", "90s", "0".
 *
 * @param text  at least SPILL_UNITS_TEXT_SIZE bytes
 * @return text
 */
const char *spill_units_format_time(uint64_t nanoseconds, char *text, size_t size);

/** Writes a size as spill_units_format_time() does a time: "64k", "1M", "1000". @return text */
const char *spill_units_format_size(uint64_t value, char *text, size_t size);

#endif
