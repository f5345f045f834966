/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_MATCH_H
#define SPILLWAY_RULE_MATCH_H

#include "classify/rules.h"

/**
 * @file
 * One rule against one packet, field by field: for a person who asks why, not for traffic (acl.h).
 * Any thread; nothing is written but results.
 */

/* What of a packet a rule does not match: bits. */
#define SPILL_RULE_OTHER_FAMILY      0x01u
#define SPILL_RULE_OTHER_PROTOCOL    0x02u
#define SPILL_RULE_OTHER_SOURCE      0x04u
#define SPILL_RULE_OTHER_DESTINATION 0x08u
#define SPILL_RULE_OTHER_PORTS       0x10u
#define SPILL_RULE_OTHER_TYPE        0x20u
#define SPILL_RULE_OTHER_INPUT       0x40u

/** A packet, as rules see it. */
struct spill_rule_packet {
    uint8_t family;         /* SPILL_RULE_IPV4 or SPILL_RULE_IPV6 */
    uint8_t protocol;       /* of IP */
    bool has_ports;         /* `port` is set */
    bool has_type;          /* `port[1]` is an ICMP message's type * 256 + code */
    uint8_t address[2][16]; /* source, destination; IPv4 in the first four bytes */
    uint16_t port[2];       /* host order */
    uint32_t input;         /* the bits in spill_rule.inputs of what it came in by; 0: none is */
    uint32_t sets[2];       /* bit i: the address is in spill_ruleset.sets[i] */
};

/** Finds the sets that a packet's addresses are in: a walk over all prefixes. */
void spill_rule_packet_find_sets(const struct spill_ruleset *ruleset,
                                 struct spill_rule_packet *packet);

/** What of a packet, whose sets are known, a rule does not match; 0: it matches. */
unsigned spill_rule_differs(const struct spill_rule *rule, const struct spill_rule_packet *packet);

#endif
