/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_SEQUENCE_H
#define SPILLWAY_LOAD_SEQUENCE_H

#include <stdint.h>

/**
 * @file
 * Order and duplicates of one flow, from the sequence numbers that come back.
 *
 * Bounded: a window of the 64 numbers behind the highest that came. What is older counts as
 * reordered, be it a copy or not. Numbers go round at 2^32. Only for the polling lcore.
 */

#define SPILL_LOAD_WINDOW 64

/** Starts as all zeros. */
struct spill_load_flow {
    uint64_t window;   /* bit i: number expected - 1 - i has come */
    uint32_t expected; /* one above the highest that came */
    uint32_t sent;     /* the next to send */
};

enum spill_load_arrival {
    SPILL_LOAD_IN_ORDER,
    SPILL_LOAD_REORDERED, /* below the next expected (RFC 4737, Type-P-Reordered) */
    SPILL_LOAD_DUPLICATE,
};

/** Takes note of a packet that came. */
static inline enum spill_load_arrival spill_load_arrive(struct spill_load_flow *flow,
                                                        uint32_t sequence)
{
    uint32_t ahead = sequence - flow->expected, behind = flow->expected - 1 - sequence;
    uint64_t bit;

    if ((int32_t)ahead >= 0) {
        flow->window = ahead + 1 < SPILL_LOAD_WINDOW ? flow->window << (ahead + 1) : 0;
        flow->window |= 1;
        flow->expected = sequence + 1;
        return SPILL_LOAD_IN_ORDER;
    }
    if (behind >= SPILL_LOAD_WINDOW)
        return SPILL_LOAD_REORDERED;
    bit = UINT64_C(1) << behind;
    if ((flow->window & bit) != 0)
        return SPILL_LOAD_DUPLICATE;
    flow->window |= bit;
    return SPILL_LOAD_REORDERED;
}

#endif
