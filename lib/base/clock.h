/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CLOCK_H
#define SPILLWAY_CLOCK_H

#include <stdint.h>

#include <rte_cycles.h>

/**
 * @file
 * The clock: TSC cycles, rte_get_tsc_hz() a second. Everything that looks at the time does it here,
 * so that a build can turn the clock by hand (the option `clock`) and repeat what depends on time
 * to the cycle.
 */

#ifdef SPILL_CLOCK_BY_HAND
/** The time by the clock of who links this. It must get on, as some wait for a time. */
uint64_t spill_clock_by_hand(void);
#endif

/** Now, in TSC cycles. Any thread. */
static inline uint64_t spill_clock(void)
{
#ifdef SPILL_CLOCK_BY_HAND
    return spill_clock_by_hand();
#else
    return rte_rdtsc();
#endif
}

#endif
