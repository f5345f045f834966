/* SPDX-License-Identifier: BSD-3-Clause */
/* The wheel of phases. */
#include "classify/flow_renewal.h"

static void step(struct spill_flow_renewal *renewal, uint64_t slots)
{
    renewal->must[renewal->phase] = renewal->should[renewal->phase];
    renewal->should[renewal->phase] = renewal->version;
    renewal->phase = (uint16_t)((renewal->phase + 1) % SPILL_FLOW_PHASES);
    renewal->next += renewal->tick;
    if (--renewal->left == 0)
        renewal->unclean = slots; /* from here on the hand leaves nothing behind */
    if (renewal->watched.left > 0 && --renewal->watched.left == 0)
        renewal->watched.unclean = slots; /* likewise */
}

void spill_flow_renewal_begin(struct spill_flow_renewal *renewal, uint64_t now, uint64_t slots,
                              bool at_once)
{
    /* While it turns it goes on turning: a renewal doesn't put off the one before it. */
    if (renewal->left == 0)
        renewal->next = now + renewal->tick;
    renewal->version++;
    renewal->left = 2 * SPILL_FLOW_PHASES;
    renewal->unclean = slots;
    if (renewal->watched.unclean == 0)
        spill_flow_renewal_watch(renewal);
    while (at_once && renewal->left > 0)
        step(renewal, slots);
    spill_flow_renewal_turn(renewal, now, slots);
}

void spill_flow_renewal_watch(struct spill_flow_renewal *renewal)
{
    renewal->watched.left = renewal->left;
    renewal->watched.unclean = renewal->unclean;
}

void spill_flow_renewal_turn(struct spill_flow_renewal *renewal, uint64_t now, uint64_t slots)
{
    while (renewal->left > 0 && (int64_t)(now - renewal->next) >= 0)
        step(renewal, slots);
}
