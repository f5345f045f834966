/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RUN_LIMITS_H
#define SPILLWAY_RUN_LIMITS_H

#include "program.h"

/**
 * @file
 * What the user asked to end after, and the live counters. Control thread.
 */

/** Starts as all zeros; stays where it is until spill_run_limits_end(). */
struct spill_run_limits {
    struct spill_program *program;
    struct spill_event duration, sample, stats;
    /* At the last sample: */
    uint64_t received; /* packets */
    uint64_t sampled;  /* TSC */
    uint64_t idle;     /* cycles since a packet was received in which all lcores looked for one */
    uint64_t turns[SPILL_LCORES_MAX]; /* of each lcore's loop */
};

/**
 * Cancels the program's stop token when one of its limits is reached. Limits that were not given
 * cost nothing.
 *
 * @return 0, or -1 without memory; spill_run_limits_end() in either case
 */
int spill_run_limits_begin(struct spill_run_limits *limits, struct spill_program *program);
void spill_run_limits_end(struct spill_run_limits *limits);

#endif
