/* SPDX-License-Identifier: BSD-3-Clause */
/* Places for the crypto of packets. */
#include "pipeline/dispatch.h"

/*
 * Dispatches packets one by one, until one finds no room: where there is time, and while none waits
 * before it, inline. What they have in common comes by value, so that it stays in registers.
 */
static uint32_t dispatch_each(struct spill_submitter *submitter,
                              const struct spill_dispatch_group group, bool over_budget,
                              struct rte_mbuf **mbufs, struct spill_packet **packets,
                              uint32_t count)
{
    const uint32_t class_index = group.class_index, lane = group.lane;
    struct spill_job *job;
    uint32_t i;

    for (i = 0; i < count; i++) {
        uint32_t bytes = packets[i]->length;
        bool busy = spill_lane_busy(submitter, class_index, lane);
        bool fits = !busy && spill_inline_fits(submitter, class_index, group.subject, 1, bytes);
        bool waits = !fits && spill_lane_reserve(submitter, class_index, lane, group.subject);

        if (!fits && !waits && (busy || !over_budget))
            break;
        job = waits ? spill_lane_job(submitter, class_index, lane)
                    : spill_inline_job(submitter, class_index);
        *spill_packet_of(mbufs[i]) = *packets[i];
        if (job->count == 0)
            job->serial = group.serial;
        if (waits)
            spill_lane_add(submitter, class_index, lane, mbufs[i], true, bytes, group.stamp);
        else
            spill_inline_add(submitter, class_index, group.subject, &mbufs[i], 1, bytes,
                             group.stamp);
    }
    return i;
}

/*
 * All packets into the inline job, when there is time for all of them and none waits before them:
 * it is asked once, not for each. Nothing else is in that job. False: not so.
 */
static bool dispatch_all(struct spill_submitter *submitter,
                         const struct spill_dispatch_group *group, struct rte_mbuf **mbufs,
                         struct spill_packet **packets, uint32_t count, uint32_t bytes)
{
    uint32_t i;

    if (spill_lane_busy(submitter, group->class_index, group->lane) ||
        !spill_inline_fits(submitter, group->class_index, group->subject, count, bytes))
        return false;
    for (i = 0; i < count; i++)
        *spill_packet_of(mbufs[i]) = *packets[i];
    spill_inline_job(submitter, group->class_index)->serial = group->serial;
    spill_inline_add(submitter, group->class_index, group->subject, mbufs, count, bytes,
                     group->stamp);
    return true;
}

uint32_t spill_dispatch_burst(struct spill_fast *fast, const struct spill_dispatch_group *group,
                              struct rte_mbuf **mbufs, struct spill_packet **packets,
                              uint32_t count, uint32_t bytes)
{
    struct spill_submitter *submitter = fast->submitter;
    bool over_budget = spill_fast_overflow(fast, group->class_index) == SPILL_OVERFLOW_INLINE;
    uint32_t taken = count;

    if (count == 0)
        return 0;
    if (!dispatch_all(submitter, group, mbufs, packets, count, bytes))
        taken = dispatch_each(submitter, *group, over_budget, mbufs, packets, count);
    if (taken < count) /* the first of the others was counted when it asked for room */
        spill_lane_refuse(submitter, group->class_index, count - taken - 1);
    spill_inline_run(submitter, group->class_index);
    return taken;
}
