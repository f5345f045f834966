/* SPDX-License-Identifier: BSD-3-Clause */
/* Places for the crypto of packets. */
#include "pipeline/place.h"

/*
 * Places packets one by one, until one finds no place: where there is time, and while none waits
 * before it, inline. What they have in common comes by value, so that it stays in registers.
 */
static uint32_t place_each(struct spill_submitter *submitter, const struct spill_place place,
                           bool over_budget, struct rte_mbuf **mbufs, struct spill_packet **packets,
                           uint32_t count)
{
    const uint32_t class_index = place.class_index, lane = place.lane;
    struct spill_job *job;
    uint32_t i;

    for (i = 0; i < count; i++) {
        uint32_t bytes = packets[i]->length;
        bool busy = spill_lane_busy(submitter, class_index, lane);
        bool fits = !busy && spill_inline_fits(submitter, class_index, place.subject, 1, bytes);
        bool waits = !fits && spill_lane_reserve(submitter, class_index, lane, place.subject);

        if (!fits && !waits && (busy || !over_budget))
            break;
        job = waits ? spill_lane_job(submitter, class_index, lane)
                    : spill_inline_job(submitter, class_index);
        *spill_packet_of(mbufs[i]) = *packets[i];
        if (job->count == 0)
            job->serial = place.serial;
        if (waits)
            spill_lane_add(submitter, class_index, lane, mbufs[i], true, bytes, place.stamp);
        else
            spill_inline_add(submitter, class_index, place.subject, &mbufs[i], 1, bytes,
                             place.stamp);
    }
    return i;
}

/*
 * All packets into the inline job, when there is time for all of them and none waits before them:
 * it is asked once, not for each. Nothing else is in that job. False: not so.
 */
static bool place_all(struct spill_submitter *submitter, const struct spill_place *place,
                      struct rte_mbuf **mbufs, struct spill_packet **packets, uint32_t count,
                      uint32_t bytes)
{
    uint32_t i;

    if (spill_lane_busy(submitter, place->class_index, place->lane) ||
        !spill_inline_fits(submitter, place->class_index, place->subject, count, bytes))
        return false;
    for (i = 0; i < count; i++)
        *spill_packet_of(mbufs[i]) = *packets[i];
    spill_inline_job(submitter, place->class_index)->serial = place->serial;
    spill_inline_add(submitter, place->class_index, place->subject, mbufs, count, bytes,
                     place->stamp);
    return true;
}

uint32_t spill_place_burst(struct spill_fast *fast, const struct spill_place *place,
                           struct rte_mbuf **mbufs, struct spill_packet **packets, uint32_t count,
                           uint32_t bytes)
{
    struct spill_submitter *submitter = fast->submitter;
    bool over_budget = fast->overflows[place->class_index] == SPILL_OVERFLOW_INLINE;
    uint32_t placed = count;

    if (count == 0)
        return 0;
    if (!place_all(submitter, place, mbufs, packets, count, bytes))
        placed = place_each(submitter, *place, over_budget, mbufs, packets, count);
    if (placed < count) /* the first of the others was counted when it asked for a place */
        spill_lane_refuse(submitter, place->class_index, count - placed - 1);
    spill_inline_run(submitter, place->class_index);
    return placed;
}
