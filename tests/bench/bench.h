/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_BENCH_H
#define SPILLWAY_BENCH_H

#include <stdint.h>

/**
 * @file
 * What the benches that run within one process have in common: many short rounds, in which the
 * things that are compared take turns, and medians of them. A round during which the thread lost
 * its CPU is far from the median, and does not move it.
 */

#define BENCH_ROUNDS 401 /* of each thing that is compared, at most */

/** The figures of one of the things that are compared. */
struct bench_series {
    double values[BENCH_ROUNDS];
    unsigned count;
};

/**
 * How many rounds are wanted: the one argument after the EAL's, 1 to BENCH_ROUNDS; without it as
 * many as can be. Ends the program with status 2 when it is none of these.
 *
 * @param argc, argv  what rte_eal_init() left
 */
unsigned bench_rounds(int argc, char **argv);

/** Adds a round's figure. There must be room. */
void bench_add(struct bench_series *series, double value);

/** The middle one; sorts the series. */
double bench_median(struct bench_series *series);

/** CPU time and wall clock of the calling thread, in ns. */
struct bench_times {
    uint64_t cpu;
    uint64_t wall;
};

struct bench_times bench_times_now(void);

/** Share of its CPU that the calling thread has had since then. */
double bench_share_since(const struct bench_times *then);

#endif
