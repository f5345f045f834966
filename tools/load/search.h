/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_SEARCH_H
#define SPILLWAY_LOAD_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * The highest rate that a device carries with a loss that is allowed: RFC 2544, section 26.1, by
 * bisection.
 *
 * A packet that the port refused counts as lost: on a virtual link it is the device that did not
 * take it, on a wire there is no room for it. A trial in which the generator itself came too late
 * for more than the resolution proves nothing: it is repeated, and fails when that does not help.
 */

/** The search ends when what passed and what failed are so near each other. */
#define SPILL_LOAD_RESOLUTION 0.01
/** Trials at a rate until the generator keeps up. */
#define SPILL_LOAD_TRIES 3
/** Nothing below this share of the highest rate is looked for. */
#define SPILL_LOAD_LEAST 0.001

/** What came of a trial, in packets. */
struct spill_load_outcome {
    uint64_t asked, sent, tx_full, received;
    double rate;  /* at which they were sent, a second */
    bool stopped; /* the user's wish: the search ends */
};

/** Runs a trial. @param rate  packets a second */
typedef struct spill_load_outcome (*spill_load_try)(double rate, void *argument);

struct spill_load_found {
    double rate;            /* packets a second of the best trial that passed; 0: none did */
    double failed;          /* the lowest rate that failed; 0: none did */
    bool generator_limited; /* it failed because the generator did not keep up */
    bool complete;          /* false: stopped */
};

/** Whether a trial passes with that loss, a share. */
bool spill_load_passes(const struct spill_load_outcome *outcome, double loss);

/** Searches below `highest`, which is tried first. */
struct spill_load_found spill_load_search(double highest, double loss, spill_load_try attempt,
                                          void *argument);

#endif
