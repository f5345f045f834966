/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FUZZ_FIRST_MATCH_H
#define SPILLWAY_FUZZ_FIRST_MATCH_H

#include "classify/rules.h"

/**
 * @file
 * What rules say of a packet, by a walk over them: the first that matches wins.
 */

/** A packet by its ends, not by its key. */
struct match_packet {
    bool v6, has_ports;
    bool has_type; /* port[1] is an ICMP message's type * 256 + code */
    uint8_t protocol;
    uint8_t address[2][16]; /* source, destination */
    uint16_t port[2];       /* host order */
    uint8_t input;          /* id of the port that it came in by */
};

/**
 * The first rule that matches, or NULL.
 *
 * @param named  what each of the ruleset's inputs stands for: ports, no sub-ports
 */
const struct spill_rule *first_match(const struct spill_ruleset *ruleset,
                                     const struct spill_rule_input *named,
                                     const struct match_packet *packet);

/** A packet as the parser has it, by its ends. */
void match_packet_of(const struct spill_packet *packet, struct match_packet *match);

#endif
