/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PLACE_H
#define SPILLWAY_PLACE_H

#include <rte_mbuf.h>

#include "packet/packet.h"
#include "pipeline/fast.h"
#include "runtime/submitter.h"

/**
 * @file
 * Where the crypto of packets is done: for encryption.c and decryption.c. The lcore.
 *
 * Inline when the class may and there is time; else in the lane of its SA, with a credit; else, by
 * the overflow policy, inline over the budget, or not at all. But where the lane is busy it goes
 * into the lane or nowhere: no other way keeps the order (law 4).
 */

/** The job that takes a packet, or NULL: there is no place. */
static inline struct spill_job *spill_place_choose(struct spill_fast *fast, uint32_t class_index,
                                                   uint32_t lane, struct spill_subject *subject,
                                                   uint32_t bytes)
{
    struct spill_submitter *submitter = fast->submitter;
    bool busy = spill_lane_busy(submitter, class_index, lane);

    if (!busy && spill_inline_fits(submitter, class_index, subject, 1, bytes))
        return spill_inline_job(submitter, class_index);
    if (spill_lane_reserve(submitter, class_index, lane, subject))
        return spill_lane_job(submitter, class_index, lane);
    return !busy && fast->overflows[class_index] == SPILL_OVERFLOW_INLINE
               ? spill_inline_job(submitter, class_index)
               : NULL;
}

/**
 * Puts all packets of a burst and a subject into the inline job, their metadata with them, when
 * there is time for all of them and none waits before them: it is asked once, not for each. Nothing
 * else is in that job.
 *
 * @param mbufs  given away when there is time
 * @param bytes  of all IP packets together
 * @param stamp  TSC when they were received
 * @return false when spill_place() is to find a place for each
 */
static inline bool spill_place_all(struct spill_fast *fast, uint32_t class_index, uint32_t lane,
                                   struct spill_subject *subject, struct rte_mbuf *const *mbufs,
                                   struct spill_packet *const *packets, uint32_t count,
                                   uint32_t bytes, uint64_t stamp)
{
    struct spill_submitter *submitter = fast->submitter;
    uint32_t i;

    if (spill_lane_busy(submitter, class_index, lane) ||
        !spill_inline_fits(submitter, class_index, subject, count, bytes))
        return false;
    for (i = 0; i < count; i++)
        *spill_packet_of(mbufs[i]) = *packets[i];
    spill_inline_add(submitter, class_index, subject, mbufs, count, bytes, stamp);
    return true;
}

/**
 * Puts a packet where its crypto is done, its metadata with it.
 *
 * @param mbuf    given away when there is a place
 * @param serial  what the class notes in a job that this is the first packet of
 * @param stamp   TSC when it was received
 * @return false when there is no place
 */
static inline bool spill_place(struct spill_fast *fast, uint32_t class_index, uint32_t lane,
                               struct spill_subject *subject, struct rte_mbuf *mbuf,
                               const struct spill_packet *packet, uint64_t serial, uint64_t stamp)
{
    uint32_t bytes = rte_pktmbuf_pkt_len(mbuf) - packet->l3_offset;
    struct spill_job *job = spill_place_choose(fast, class_index, lane, subject, bytes);

    if (unlikely(job == NULL))
        return false;
    *spill_packet_of(mbuf) = *packet;
    if (job->count == 0)
        job->serial = serial;
    if (job == spill_inline_job(fast->submitter, class_index))
        spill_inline_add(fast->submitter, class_index, subject, &mbuf, 1, bytes, stamp);
    else
        spill_lane_add(fast->submitter, class_index, lane, mbuf, true, bytes, stamp);
    return true;
}

#endif
