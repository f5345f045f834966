/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FLOW_RENEWAL_H
#define SPILLWAY_FLOW_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "classify/flow.h"
#include "classify/flow_family.h"

/**
 * @file
 * When the flows of a table have to ask new rules: a wheel of phases, each of which has a part of
 * the flows, by their slot. It goes round twice in the time of a renewal. When it comes by a
 * phase, the version that is in force then is what its flows should be of, and what they should
 * have been of since it came by before, they must be of. So a flow that a packet finds is compared
 * with its phase, and nothing else has to be done at a renewal, however many flows there are.
 *
 * A protected flow must ask at once: its SA is of the version that it was named by.
 *
 * One renewal at a time is watched until the hand has come by all flows that must be of it. Others
 * that begin meanwhile do not put that off, however many they are.
 *
 * Versions are counted in 16 bits: the hand that looks for expired flows has to come by each within
 * 32 767 renewals.
 *
 * The owner's. For the files of the flow table alone.
 */

#define SPILL_FLOW_PHASES 256

struct spill_flow_renewal {
    uint64_t tick;    /* cycles from one phase to the next */
    uint64_t next;    /* TSC of the next one */
    uint16_t version; /* in force */
    uint16_t phase;   /* the next one */
    uint32_t left;    /* phases until all flows are of it */
    uint64_t unclean; /* slots that the hand has not come by since; 0: nothing is to be compared */
    struct {
        uint32_t left;    /* phases until all flows must be of it */
        uint64_t unclean; /* slots that the hand has not come by since; 0: none is watched */
    } watched;
    uint16_t should[SPILL_FLOW_PHASES];
    uint16_t must[SPILL_FLOW_PHASES];
};

/** Whether flows have to be compared. */
static inline bool spill_flow_renewal_goes_on(const struct spill_flow_renewal *renewal)
{
    return renewal->unclean != 0;
}

/** Begins a renewal of a table with so many slots, which is watched, unless another one is.
 * @param at_once  all phases are due, and over */
void spill_flow_renewal_begin(struct spill_flow_renewal *renewal, uint64_t now, uint64_t slots,
                              bool at_once);

/** Watches the latest renewal in place of another one. */
void spill_flow_renewal_watch(struct spill_flow_renewal *renewal);

/** Turns the wheel as far as it is due. */
void spill_flow_renewal_turn(struct spill_flow_renewal *renewal, uint64_t now, uint64_t slots);

/** The hand has come by so many slots. */
static inline void spill_flow_renewal_clean(struct spill_flow_renewal *renewal, uint64_t slots)
{
    if (renewal->left == 0)
        renewal->unclean -= slots < renewal->unclean ? slots : renewal->unclean;
    if (renewal->watched.left == 0)
        renewal->watched.unclean -=
            slots < renewal->watched.unclean ? slots : renewal->watched.unclean;
}

/** Compares a flow with its phase. One that becomes stale is no rule's any more. */
static inline void spill_flow_renew(const struct spill_flow_renewal *renewal,
                                    const struct spill_flow_family *family, struct spill_flow *flow)
{
    const uint32_t phase = spill_flow_slot(family, flow) % SPILL_FLOW_PHASES;
    const uint16_t must = spill_flow_is_protected(flow) ? renewal->version : renewal->must[phase];

    if (flow->rights == 0)
        return;
    if ((int16_t)(flow->version - must) < 0) {
        flow->rights |= SPILL_FLOW_STALE;
        memset(spill_flow_tallies(family, flow), 0, 2 * sizeof(uint32_t));
        flow->version = must;
    } else if ((int16_t)(flow->version - renewal->should[phase]) < 0) {
        flow->rights |= SPILL_FLOW_DUE;
    }
}

#endif
