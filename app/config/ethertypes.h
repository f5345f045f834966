/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ETHERTYPES_H
#define SPILLWAY_ETHERTYPES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pipeline/non_ip.h"

/**
 * @file
 * Types of frames that are not IP, by their names and from text.
 */

/**
 * Reads the value of --non-ip: names and numbers of types, with commas; `control` for those of link
 * control; `encapsulated`; or `pass` or `drop` in place of types. Blanks beside commas are fine.
 *
 * @param field    written on success
 * @param problem  on failure: what would be right
 * @return 0 or -1
 */
int spill_ethertypes_read(const char *text, struct spill_non_ip *field,
                          struct spill_error *problem);

/** Writes a type's name, or its number where it has none. @return text */
const char *spill_ethertype_name(uint16_t type, char *text, size_t size);

#endif
