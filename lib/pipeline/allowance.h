/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ALLOWANCE_H
#define SPILLWAY_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * An allowance: time that a fast lcore may spend on one kind of expensive work that can't go to
 * the pool. All of its time is put into it while it has time to spare, else a 32nd, up to a bound;
 * what the work cost is taken out (law 3). Written by its lcore.
 */

/* Of its busy time a fast lcore gives 1 / 2^SPILL_ALLOWANCE_SHIFT. */
#define SPILL_ALLOWANCE_SHIFT 5

struct spill_allowance {
    int64_t most; /* cycles; written before the lcores start */
    int64_t left; /* cycles; below 0: owed */
};

/** Puts in what a turn of so many cycles earns. */
static inline void spill_allowance_earn(struct spill_allowance *allowance, uint64_t passed,
                                        bool has_time)
{
    allowance->left += (int64_t)(has_time ? passed : passed >> SPILL_ALLOWANCE_SHIFT);
    if (allowance->left > allowance->most)
        allowance->left = allowance->most;
}

/**
 * Takes out what work cost. One piece of it owes no more than can be saved up: what is beyond that
 * was not work, but an lcore that had lost its CPU.
 */
static inline void spill_allowance_spend(struct spill_allowance *allowance, uint64_t cycles)
{
    allowance->left -= cycles < (uint64_t)allowance->most ? (int64_t)cycles : allowance->most;
}

#endif
