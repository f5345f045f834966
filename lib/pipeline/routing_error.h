/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTING_ERROR_H
#define SPILLWAY_ROUTING_ERROR_H

#include <stdbool.h>

#include "packet/answer.h"
#include "packet/icmp_error.h"
#include "pipeline/fast.h"

/**
 * @file
 * Packets of routed ports that can't be forwarded: dropped by name, and their senders told, within
 * the limits of error_limit.h. An error comes from an address of the interface that the packet came
 * in by (RFC 1812 4.3.2.4, RFC 4443 2.2), or of another one where that has none of the family;
 * where none has any, IPv4 errors come from 192.0.0.8 (RFC 7600). It takes the way that its
 * destination's route leads; one about a packet that came through an association goes through one
 * (answers.h).
 *
 * Uses of a packet: kind, key, offsets, length, fragment, input. Sets: nothing.
 */

/** Whether errors about what came by a port come from an address of ours. */
static inline bool spill_routing_answers(const struct spill_fast *fast, uint8_t input)
{
    return fast->routing.routed[input];
}

/**
 * Where an error about a packet of a routed port comes from. The lcore.
 *
 * @return false: there is no address of its family
 */
bool spill_routing_source(const struct spill_fast *fast, const struct rte_mbuf *mbuf,
                          const struct spill_packet *packet, struct spill_answer_source *source);

/**
 * Has an answer to a packet that came through an association wait for its way back (answers.h): by
 * the port that the route to the packet's destination leads to, as if who is there had sent it; by
 * its own where there is none. The lcore.
 *
 * @param answer  given away; there is room for it
 * @param mbuf    of the packet that is answered, whose headers are in one piece
 */
void spill_routing_answer_through(struct spill_fast *fast, struct rte_mbuf *answer,
                                  struct rte_mbuf *mbuf, const struct spill_packet *packet);

/**
 * Drops a packet, and tells its sender why. The lcore.
 *
 * @param mbuf    given away
 * @param packet  of kind IPv4 or IPv6, which came by a routed port, or was made here
 */
void spill_routing_refuse(struct spill_fast *fast, const struct spill_drop_reason *reason,
                          enum spill_icmp_refusal refusal, struct rte_mbuf *mbuf,
                          const struct spill_packet *packet, uint64_t stamp);

/**
 * Tells the sender of a malformed packet what is wrong with its options or extension headers, where
 * that can be told (RFC 1812 4.3.3.5, RFC 4443 3.4): where the reverse path is as it should be, and
 * all may pass, as no rule judges it. The lcore.
 *
 * @param mbuf   remains the caller's; its frame is for us; may be made one segment
 * @param input  routed port that it came by
 */
void spill_routing_tell_problem(struct spill_fast *fast, struct rte_mbuf *mbuf, uint8_t input,
                                uint64_t stamp);

#endif
