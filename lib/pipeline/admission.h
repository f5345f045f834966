/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ADMISSION_H
#define SPILLWAY_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/allowance.h"

/**
 * @file
 * Who may ask the rules, and where: packets without a verdict go to classification.
 *
 * A known flow that has to ask new rules may be one that sends millions of packets a second, more
 * than the class has credits for while a worker answers. So the question is answered on the lcore,
 * whatever the dispatch, as long as there is an allowance for it: a 32nd of its time, of its own,
 * as a flood of new flows uses up what those have. Without that it takes a credit only while half
 * of them are free for those behind it, and goes on by its old verdict until it must ask.
 *
 * Uses of a packet: kind, key, direction, flow, step. Sets: flow where it was new; counted,
 * reversed and what routing_flow.h says while it is in the work; all of it goes along in the mbuf.
 */

struct spill_fast;

/** What a fast lcore has for new flows. Written by the lcore, but for its bounds. */
struct spill_admission {
    struct spill_allowance entering; /* time that new flows may still cost */
    struct spill_allowance asking;   /* for asking new rules about known flows here */
    bool admits;     /* this turn: there was some when it began, which holds for a burst in parts */
    bool tcp_pickup; /* TCP may be taken up under way; before the lcores start */
    uint32_t lane;   /* that this burst's new flows go to, when they go to the pool */
};

/**
 * Earns time for new flows. To enter a flow into the table costs its lcore hundreds of cycles, ten
 * times what a packet of a known flow does: expensive work too (law 3). All of an lcore's time may
 * go into it while it has time to spare (its bursts are short), saved up for 100 us at most, which
 * a receive queue survives; else a 32nd, so that new flows get through a saturated lcore too, while
 * a flood of them leaves the known flows alone. The lcore, once a turn.
 *
 * @param passed    cycles since the turn before
 * @param has_time  whether its burst was short
 */
void spill_admission_earn(struct spill_fast *fast, uint64_t passed, bool has_time);

/**
 * Submits the packets of a burst that need a verdict. The lcore.
 *
 * Those that get one now, inline, or pass without one, have it in `verdict` afterwards and are the
 * caller's still; all others are in a lane or dropped, and their verdict is unknown.
 *
 * @param mbufs, packets  the whole burst
 * @param which           indexes of those packets, in order
 * @param stamp           TSC when the burst was received
 */
void spill_admission_submit(struct spill_fast *fast, struct rte_mbuf **mbufs,
                            struct spill_packet **packets, const uint8_t *which, uint32_t count,
                            uint64_t stamp);

#endif
