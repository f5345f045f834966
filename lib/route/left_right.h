/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTE_LEFT_RIGHT_H
#define SPILLWAY_ROUTE_LEFT_RIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

#include "base/error.h"
#include "route/fib.h"
#include "route/rib.h"

/**
 * @file
 * The forwarding table of a family, twice: lcores read one side while the other is changed.
 *
 * DPDK's tables may go wrong after many changes: some versions count what is free too low, or lose
 * it (their rte_fib_add() then says ENOSPC while there is room). A side that refuses a route is
 * made anew from all routes; what it refuses then has no room, and is counted.
 *
 * The control thread's.
 */

struct spill_left_right;

struct spill_left_right_config {
    uint8_t family;
    uint32_t capacity;
    const int *memory_nodes;
    struct rte_rcu_qsbr *readers;
    uint32_t seed;
    /* Gives the lcores one side: `fib` has a copy for each node. */
    void (*publish)(void *context, const struct spill_fib *fib);
    /* A side has another group for a route than before; 0: none. */
    void (*changed)(void *context, uint16_t before, uint16_t after);
    void *context;
};

struct spill_left_right {
    struct spill_left_right_config config;
    struct spill_rib rib;
    struct spill_fib sides[SPILL_SIDES];
    unsigned front;                  /* the side that lcores read */
    bool waits;                      /* some may still read the other one */
    uint64_t grace;                  /* until they all have passed this */
    bool ahead;                      /* the back has what the front has not */
    uint32_t changes;                /* of the back since it was the front */
    bool refills;                    /* the back is being made anew */
    bool broken;                     /* that had no memory: lcores keep what they have */
    uint64_t since_new[SPILL_SIDES]; /* changes of a side since it was made */
    uint64_t refused, made_anew;     /* routes without room; how often a side was made anew */
};

/** @return 0, or -1 with an error: no memory */
int spill_left_right_init(struct spill_left_right *table,
                          const struct spill_left_right_config *config, struct spill_error *error);

void spill_left_right_free(struct spill_left_right *table);

/** Makes at most so many changes. @return whether there is more to do, now or later */
bool spill_left_right_work(struct spill_left_right *table, uint32_t most);

#endif
