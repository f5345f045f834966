/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_LOG_H
#define SPILLWAY_RULE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ring.h>

#include "base/error.h"
#include "packet/packet.h"

/**
 * @file
 * Records of what rules with `log` have decided: one of each connection, by its first packet, and
 * of each packet that is of none. The fast lcore writes them, as they are, into a bounded ring of
 * its own; the control thread takes them out and makes text of them. What finds the ring full, or
 * its rule's limit reached, is counted and leaves no record.
 *
 * A rule's limit is a rate in which records are spread, with five at once after a pause. Each lcore
 * gets its share of it.
 *
 * What the rules were asked in place of a packet's (`reversed`) is recorded as they were asked: as
 * of who began the connection.
 *
 * Uses of a packet: kind, key, direction, reversed, has_ports, length, input, output, verdict, sa.
 * Sets: nothing.
 */

#define SPILL_RULE_LOG_RECORDS 1024 /* of a ring */
#define SPILL_RULE_LOG_BURST   5    /* records at once, of a rule with a limit */

struct spill_rule_record {
    uint64_t stamp;   /* TSC when the packet was received */
    uint32_t tally;   /* of the rule */
    uint16_t length;  /* of the IP packet */
    uint16_t port[2]; /* host order; of ICMP: type and code */
    uint16_t vlan;    /* by which it came in; 0: none */
    uint8_t verdict;
    uint8_t rejected; /* of DENY: the sender is told */
    uint8_t family;   /* SPILL_PACKET_IPV4 or _IPV6 */
    uint8_t protocol;
    uint8_t input; /* id of the port */
    uint8_t has_ports;
    uint8_t has_type;       /* `port` is an ICMP message's */
    uint8_t address[2][16]; /* source, destination; IPv4 in the first four bytes */
    uint8_t spare[3];
};

_Static_assert(sizeof(struct spill_rule_record) == 64, "one cache line");

struct spill_fast;

/** Makes an lcore's ring. Control thread. @return NULL with an error */
struct rte_ring *spill_rule_log_create(const char *lcore, int socket, struct spill_error *error);

/**
 * Notes what a rule with `log` has decided about a packet. The lcore.
 *
 * @param tally  of the rule, by the version that the lcore goes by
 */
void spill_rule_log_note(struct spill_fast *fast, const struct spill_packet *packet, uint32_t tally,
                         uint64_t now);

/** Takes records out of a ring. The control thread. @return how many */
uint32_t spill_rule_log_take(struct rte_ring *ring, struct spill_rule_record *records,
                             uint32_t most);

#endif
