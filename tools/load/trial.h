/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_TRIAL_H
#define SPILLWAY_LOAD_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "base/histogram.h"
#include "runtime/token.h"
#include "traffic.h"

/**
 * @file
 * One trial: a load for a time, and what came back of it.
 *
 * A warm-up at the same rate runs into it. What was sent before the trial proper has an older
 * stamp, and counts nowhere but in `early`. At the end it receives until nothing of its own has
 * come for a while: the next trial begins on a quiet line.
 */

/** What the polling lcore works with. Constant while it runs. */
struct spill_load_line {
    uint16_t out, in; /* ethdev ports, may be the same */
    struct rte_mempool *pool;
    struct spill_load_traffic *traffic;
    const struct spill_token *stop; /* ends the sending; what is on its way is still received */
    _Atomic uint64_t *turns;        /* written: once a turn, within none of a driver's functions */
    uint64_t hz;                    /* of the TSC */
};

/** What came of a class. */
struct spill_load_count {
    uint64_t sent;
    uint64_t received; /* each packet once */
    uint64_t duplicates;
    uint64_t reordered;
    struct spill_histogram latency; /* cycles; of what `received` counts */
};

/** A trial: what is asked, and what came of it, which the polling lcore writes. */
struct spill_load_trial {
    const char *purpose; /* "load", "most", "search" or "latency" */
    double asked_rate;   /* packets a second; 0 = as many as can be */
    uint64_t duration;   /* cycles, as the next */
    uint64_t warm_up;
    double share; /* of the throughput found, of a latency trial */
    bool passed;  /* of a trial of a search */

    uint64_t took;     /* cycles of sending */
    uint64_t asked;    /* packets: sent + tx_full + too_late */
    uint64_t tx_full;  /* that the port refused */
    uint64_t too_late; /* that could not be made in time */
    uint64_t early;    /* received, of the warm-up or a trial before */
    uint64_t foreign;  /* received, not of this program */
    bool quiet;        /* nothing was on its way any more at the end */
    unsigned class_count;
    struct spill_load_count classes[];
};

/** Room for a trial with that many classes, all zero. @return NULL: no memory; free() is the end */
struct spill_load_trial *spill_load_trial_create(unsigned class_count);

/** Runs it to its end. The polling lcore. */
void spill_load_trial_run(const struct spill_load_line *line, struct spill_load_trial *trial);

/* Sums over the classes, and rates in packets a second. */
uint64_t spill_load_trial_sent(const struct spill_load_trial *trial);
uint64_t spill_load_trial_received(const struct spill_load_trial *trial);
double spill_load_trial_rate(const struct spill_load_trial *trial, uint64_t packets, uint64_t hz);

/** Sent and not come back, of one class. */
static inline uint64_t spill_load_lost(const struct spill_load_count *count)
{
    return count->sent - count->received;
}

#endif
