/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_COST_H
#define SPILLWAY_COST_H

#include <stdint.h>

/**
 * @file
 * Running estimate of what a class of work costs: cycles a packet and cycles a byte.
 *
 * Least squares over (packets, bytes) -> cycles with exponential forgetting (recursive normal
 * equations; see any text on adaptive filters): each job counts 1/64 less with every job after it.
 * When all jobs have packets of one size the two can't be told apart, and all cost is the packet's.
 * One writer: the lcore that submits the work and sees it retired.
 */
struct spill_cost {
    double packets_packets, packets_bytes, bytes_bytes, packets_cycles, bytes_cycles; /* the sums */
    float per_packet; /* cycles; solved from the sums every few jobs */
    float per_byte;
    uint32_t jobs; /* since the start */
};

/** Learns from a job that took `cycles`. Solves at each of the first jobs, later now and then. */
void spill_cost_learn(struct spill_cost *cost, uint32_t packets, uint32_t bytes, uint64_t cycles);

/** Cycles that work on so much will probably take; 0 while nothing is known. */
static inline uint64_t spill_cost_estimate(const struct spill_cost *cost, uint32_t packets,
                                           uint32_t bytes)
{
    return (uint64_t)((float)packets * cost->per_packet + (float)bytes * cost->per_byte);
}

#endif
