/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ICMP_TYPES_H
#define SPILLWAY_ICMP_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * Types and codes of ICMP and ICMPv6 from text: by the names of IANA's registries, which are those
 * of the RFCs. Only the rule reader includes this. Any thread.
 */

/**
 * Reads a type: a name, TYPE or TYPE/CODE in numbers or, in place of TYPE, a name of one without
 * code.
 *
 * @param protocol     IPPROTO_ICMP or IPPROTO_ICMPV6
 * @param first, last  written: type * 256 + code, from its first to its last code
 * @return false when it is none
 */
bool spill_icmp_type_read(uint8_t protocol, const char *text, uint16_t *first, uint16_t *last);

#endif
