/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_VERSION_H
#define SPILLWAY_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "classify/flow_table.h"
#include "pipeline/generation.h"
#include "runtime/snapshot.h"

/**
 * @file
 * Which version of the security policy a fast lcore goes by: the newest at the beginning of each
 * turn. Touches no packet.
 */

/** A fast lcore's. Written by the lcore, but for the snapshot. */
struct spill_version {
    const struct spill_snapshot *rules; /* of struct spill_generation; before the lcores start */
    const struct spill_generation *generation; /* the version that this turn goes by */
    uint64_t number;                           /* of the one that the flows' verdicts are of */
    uint64_t renewed;  /* of the one that all flows go by; the control thread reads */
    uint64_t settled;  /* of the one before which no flow has a tally of any rule; likewise */
    uint64_t settling; /* of the one that the flow table watches, which becomes that */
    uint32_t index;    /* of the lcore among the fast ones; before the lcores start */
    bool inbound;      /* it has inbound SAs */
    bool guards_host;  /* it says what the host may not have in the clear */
    bool open;         /* it lets everything pass: no flow needs to be known */
};

/* Those below where there is a change. */
void spill_version_change(struct spill_version *version, struct spill_flow_table *flows,
                          uint64_t now);
void spill_version_change_done(struct spill_version *version, struct spill_flow_table *flows);

/**
 * Goes by the newest version from here on. Its rules are asked again about every flow. The lcore,
 * at the beginning of a turn, or when it hears of a newer one within.
 *
 * @param now  TSC
 */
static inline void spill_version_take(struct spill_version *version, struct spill_flow_table *flows,
                                      uint64_t now)
{
    version->generation = spill_snapshot_get(version->rules);
    if (unlikely(version->generation->number != version->number))
        spill_version_change(version, flows, now);
}

/** Notes when all flows go by the version in force, and none has what others left. The lcore, once
 * a turn. */
static inline void spill_version_look(struct spill_version *version, struct spill_flow_table *flows)
{
    if (unlikely(version->settled != version->number))
        spill_version_change_done(version, flows);
}

#endif
