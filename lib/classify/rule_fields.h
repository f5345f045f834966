/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_FIELDS_H
#define SPILLWAY_RULE_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "classify/rules.h"

/**
 * @file
 * The parts of a rule from text. Only the rule reader includes this. Each function returns 0, or -1
 * with the error written; on the control thread.
 */

/** Where in which file the parser is, for errors. */
struct spill_rule_location {
    const char *name; /* the file */
    uint16_t file;    /* its index in spill_ruleset.paths */
    uint32_t line;
    struct spill_error *error; /* may be NULL */
};

/** Writes "FILE:LINE: " and the message into the place's error. Returns -1. */
__attribute__((format(printf, 2, 3))) int
spill_rule_error(const struct spill_rule_location *location, const char *format, ...);

/**
 * Reads an unsigned number that fills the text: decimal, or with 0x hexadecimal.
 *
 * @param most  largest value that is right
 * @return whether it was one; no error is written
 */
bool spill_rule_number(const char *text, uint32_t most, uint32_t *value);

/**
 * An action's word into rule->action: allow, deny, reject, or protect, whose SA is not read here.
 *
 * @param may_protect  protect and reject are possible in this form of a rule
 */
int spill_rule_action(const struct spill_rule_location *location, const char *text,
                      bool may_protect, struct spill_rule *rule);

/** any, a name or a number into rule->protocol and rule->any_protocol. */
int spill_rule_protocol(const struct spill_rule_location *location, const char *text,
                        struct spill_rule *rule);

/**
 * ADDRESS[/LENGTH] or any into one end of a rule; adds the address's family to rule->families.
 *
 * @param clear_host_bits  clear bits beyond the prefix, instead of refusing them
 */
int spill_rule_address(const struct spill_rule_location *location, const char *text,
                       bool clear_host_bits, enum spill_rule_end end, struct spill_rule *rule);

/** The ports of one end from the texts of the first and the last; does not set names_ports. */
int spill_rule_ports(const struct spill_rule_location *location, const char *first,
                     const char *last, enum spill_rule_end end, struct spill_rule *rule);

/**
 * PORT[,PORT...], names of the ports that a packet may have come in by, into rule->inputs; new ones
 * are added to the rule set's.
 */
int spill_rule_inputs(const struct spill_rule_location *location, char *text,
                      struct spill_ruleset *ruleset, struct spill_rule *rule);

/**
 * Checks what concerns the rule as a whole: one family, ports only with protocols that have some.
 * Sets rule->families for a rule without addresses.
 *
 * @param protocol  the protocol's text, for the error
 */
int spill_rule_complete(const struct spill_rule_location *location, const char *protocol,
                        struct spill_rule *rule);

#endif
