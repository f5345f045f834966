/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_STALL_H
#define SPILLWAY_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ring.h>

#include "base/error.h"

/**
 * @file
 * Turns of a loop that took too long, each with the one before and the one after it.
 *
 * The loop notes of every turn when it began and ended and what each stage took: a few stores into
 * one of two places. A turn that is longer than the limit, or has more inline work than the budget,
 * is copied into a bounded ring once the next one is over. Who reads does so when it likes: what
 * finds the ring full is counted.
 */

#define SPILL_STAGES_MAX    8
#define SPILL_STALL_NS      UINT64_C(250000) /* a turn that is longer is kept */
#define SPILL_STALL_RECORDS 16               /* of a ring */

/** One turn. */
struct spill_turn {
    uint64_t began, ended; /* TSC */
    uint32_t packets;      /* that its stages handled; one counts in each that handled it */
    uint32_t handled;      /* bit for each stage that handled any, whose cycles are told */
    uint64_t cycles[SPILL_STAGES_MAX];
};

enum spill_stall_turn { SPILL_STALL_BEFORE, SPILL_STALL_ITSELF, SPILL_STALL_AFTER };

struct spill_stall {
    struct spill_turn turns[3]; /* the first is all zeros where the loop had just begun */
    bool over_budget;           /* else it was long */
};

/** A loop's. Written by the loop, but for what is written before it starts. */
struct spill_stalls {
    struct rte_ring *ring; /* of struct spill_stall; NULL: none is kept; before */
    uint64_t longest;      /* cycles; before */
    uint64_t limit;        /* the same; 0 for the turn after one that is kept */
    bool open;             /* the turn after is still to come */
    uint64_t lost;         /* slow turns that are not kept */
    struct spill_turn recent[2];
    struct spill_stall kept;
} __rte_cache_aligned;

/** Keeps none. Control thread, before the loop starts. */
void spill_stalls_init(struct spill_stalls *stalls);

/**
 * Makes the ring: from here on slow turns are kept. Control thread, before the loop starts.
 *
 * @param name  of the lcore
 * @return 0, or -1 with an error
 */
int spill_stalls_open(struct spill_stalls *stalls, const char *name, int socket,
                      struct spill_error *error);

void spill_stalls_close(struct spill_stalls *stalls);

/** Where the loop notes its turn, by the number of turns before it. */
static inline struct spill_turn *spill_stalls_turn(struct spill_stalls *stalls, uint64_t turns)
{
    return &stalls->recent[turns & 1];
}

/**
 * Keeps a turn that is over, or what is behind it. The loop, where spill_stalls_is_due() says so.
 *
 * @param turns  number of turns before it
 * @return whether it is a slow one itself
 */
bool spill_stalls_keep(struct spill_stalls *stalls, uint64_t turns, bool over_budget);

/** Whether a turn, or the one before it, was too long. */
static inline bool spill_stalls_is_due(const struct spill_stalls *stalls,
                                       const struct spill_turn *turn, bool over_budget)
{
    return turn->ended - turn->began > stalls->limit || over_budget;
}

/** Takes the oldest that is kept. The control thread. @return whether there was one */
bool spill_stalls_take(struct spill_stalls *stalls, struct spill_stall *into);

#endif
