/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FORWARD_H
#define SPILLWAY_FORWARD_H

#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/non_ip.h"
#include "pipeline/output.h"

/**
 * @file
 * What becomes of packets: each goes by the verdict of its flow, or is classified, or, where it is
 * not IP, goes by what is let through.
 *
 * Uses of a packet: kind, key, step, drop, inbound_sa, flow, input. Sets: flow and sa (lookup),
 * verdict, output.
 */

struct spill_fast;

/** A fast lcore's. */
struct spill_forward {
    struct spill_non_ip non_ip;                    /* written before the lcores start */
    uint64_t non_ip_passed[SPILL_NON_IP_COUNTERS]; /* by the lcore */
};

/**
 * Finds the verdicts of a burst in which not every packet is of an allowed flow, and does what they
 * say. What is to be sent, by a verdict found inline or without one, stays in its place among the
 * others, so the burst keeps its order; the rest is dropped, or waits in a lane. The lcore.
 *
 * @param mbufs    given away, but for those that are to be sent, which are moved to the front
 * @param packets  of each, looked up, with `input` and `output`; moved together with the mbufs
 * @param stamp    TSC when they were received
 * @return how many are to be sent
 */
uint32_t spill_forward_decide(struct spill_fast *fast, struct rte_mbuf **mbufs,
                              struct spill_packet **packets, uint32_t count, uint64_t stamp);

/**
 * Goes on with packets that came through an SA, or waited to be put together: they are looked up,
 * and sent, dropped or classified as their rules say. The lcore.
 *
 * @param mbufs    given away
 * @param packets  of each, parsed, with `inbound_sa` and `input`
 */
void spill_forward(struct spill_fast *fast, struct rte_mbuf **mbufs, struct spill_packet *packets,
                   uint32_t count, uint64_t stamp, enum spill_path path);

/**
 * Has a packet that was looked up in an earlier turn, and has waited, take that way anew. The
 * lcore.
 *
 * @param mbuf  given away; its packet in it, as it was
 * @param now   TSC
 */
void spill_forward_again(struct spill_fast *fast, struct rte_mbuf *mbuf, uint64_t now);

/**
 * Asks the rules in force about a packet, apart from its flow, of which nothing is noted. The
 * lcore.
 *
 * @param packet  of the mbuf, or a copy; gets their verdict
 */
void spill_forward_ask(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                       struct spill_packet *packet);

/** Notes what the flow table said of the packets of a burst that are traced. The lcore. */
void spill_forward_trace(struct spill_fast *fast, struct rte_mbuf **mbufs,
                         struct spill_packet *packets, uint32_t count);

/**
 * Has the answers that wait (answers.h) take the way of packets. Nothing here is answered again: an
 * answer is an error. The lcore, at the beginning of a turn.
 *
 * @return how many there were
 */
uint32_t spill_forward_answers(struct spill_fast *fast, uint64_t now);

#endif
