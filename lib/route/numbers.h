/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTE_NUMBERS_H
#define SPILLWAY_ROUTE_NUMBERS_H

#include <stdint.h>

#include <rte_rcu_qsbr.h>

/**
 * @file
 * Numbers of things that lcores look up: one that is given back is given out again only when no
 * lcore can hold it any more. The control thread's.
 */

struct spill_numbers {
    struct rte_rcu_qsbr *readers;
    uint32_t first, limit; /* from first to limit - 1 */
    uint32_t fresh;        /* the least that was never given out */
    uint64_t head, tail;   /* of those given back, oldest first: they grow without end */
    struct {
        uint64_t grace; /* that all readers must have passed */
        uint16_t number;
    } * given; /* limit - first of them */
};

/** @return 0, or -1: no memory */
int spill_numbers_init(struct spill_numbers *numbers, struct rte_rcu_qsbr *readers, uint32_t first,
                       uint32_t limit);

void spill_numbers_free(struct spill_numbers *numbers);

/** @return a number, or 0: there is none now */
uint16_t spill_numbers_take(struct spill_numbers *numbers);

/** Gives back what nothing that readers see leads to any more. */
void spill_numbers_give(struct spill_numbers *numbers, uint16_t number);

#endif
