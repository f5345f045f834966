/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SWEEP_H
#define SPILLWAY_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * What has expired goes: flows, and fragments that wait. Bit by bit, so that no turn is long.
 */

#define SPILL_SWEEP_EVERY 16 /* turns */

struct spill_fast;

/** A fast lcore's; written by the lcore. */
struct spill_sweep {
    uint64_t swept; /* TSC until which the flow table's places were looked at */
    uint32_t turns; /* iterations: it is done now and then */
};

/**
 * Looks at some places of the flow table; at more when the turn was idle. The lcore, in an idle
 * turn and in one of SPILL_SWEEP_EVERY.
 */
void spill_sweep(struct spill_fast *fast, uint64_t now, bool idle);

#endif
