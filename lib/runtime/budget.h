/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_BUDGET_H
#define SPILLWAY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * Budget: the idle time that a fast loop has earned and may spend on expensive work (law 3).
 *
 * Cycles of empty polls are earned into it up to its size; work done inline spends from it. A
 * saturated loop earns nothing, so all of its expensive work goes to the pool. All functions: the
 * loop's own lcore.
 */
struct spill_budget {
    uint64_t size;      /* cycles that it holds at most: what may be done inline in one go; control
                         * sets it at any time */
    uint64_t available; /* cycles earned and not yet spent */
    uint64_t spent;     /* cycles of inline work in the current iteration of the loop */
};

/** Earns the cycles of an iteration that found nothing to do. */
static inline void spill_budget_earn(struct spill_budget *budget, uint64_t cycles)
{
    const uint64_t size = __atomic_load_n(&budget->size, __ATOMIC_RELAXED);
    uint64_t available = budget->available + cycles;

    budget->available = available < size ? available : size;
}

/** Pays for inline work that is done: it may have taken longer than was thought. */
static inline void spill_budget_spend(struct spill_budget *budget, uint64_t cycles)
{
    budget->available -= cycles < budget->available ? cycles : budget->available;
    budget->spent += cycles;
}

/** Ends an iteration. Returns true when its inline work exceeded the budget's size. */
static inline bool spill_budget_end_iteration(struct spill_budget *budget)
{
    bool over = budget->spent > __atomic_load_n(&budget->size, __ATOMIC_RELAXED);

    budget->spent = 0;
    return over;
}

#endif
