/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PARSE_INSIDE_H
#define SPILLWAY_PARSE_INSIDE_H

#include <stdbool.h>

#include <rte_mbuf.h>

#include "packet/packet.h"

/**
 * @file
 * The packet inside an ICMP error (RFC 792, RFC 4443): which connection the error is about.
 */

/**
 * Reads the beginning of the packet that an ICMP error is about. It came by the other end of the
 * wire than the error. Nothing is believed, and nothing read past the error's end; what the packet
 * inside says of its length does not count, as most of it was cut off. The thread that holds the
 * packet.
 *
 * @param error   parsed; its step is SPILL_STEP_ERROR
 * @param packet  written: kind, key, direction and has_ports, as if that packet had been parsed
 * @return false where no connection can be told: the packet inside ends before its ports, is a
 *         later fragment or an ICMP message that is no query nor answer, or was not sent by whom
 *         the error goes to
 */
bool spill_parse_inside(const struct rte_mbuf *mbuf, const struct spill_packet *error,
                        struct spill_packet *packet);

#endif
