/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets without a verdict: into a lane, inline, or refused. */
#include "pipeline/admission.h"

#include <string.h>

#include "base/clock.h"
#include "pipeline/classification.h"
#include "pipeline/fast.h"
#include "pipeline/protection.h"
#include "pipeline/related.h"
#include "pipeline/routing_flow.h"

static SPILL_DROP_REASON(
    pool_full_classify, "pool_full_classify",
    "the packet's flow is new or waits for its verdict, and the classify class had no credit left");
static SPILL_DROP_REASON(new_flow_limit, "new_flow_limit",
                         "the packet's flow is new, and new flows had their share of a busy lcore");
static SPILL_DROP_REASON(
    flow_table_full, "flow_table_full",
    "the flow table had no place: all flows that could go wait for a verdict, or are allowed");

/* In place of a lane: the packet has none, and is dealt with. */
#define NO_PLACE -1

static void drop(struct spill_fast *fast, const struct spill_drop_reason *reason,
                 struct rte_mbuf *mbuf)
{
    spill_ledger_drop(&fast->ledger, reason, &mbuf, 1);
}

/*
 * Puts a packet behind the others of its flow, which is held in `lane`, or is from now on; room in
 * that lane is reserved. Returns the lane, or NO_PLACE.
 */
static int add(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
               struct spill_flow *flow, uint8_t lane, uint64_t stamp)
{
    if (!spill_flow_hold(flow)) {
        drop(fast, &pool_full_classify, mbuf);
        return NO_PLACE;
    }
    flow->lane = lane;
    packet->flow = flow;
    /* One that waits for those before it may know its verdict already. */
    packet->verdict = (uint8_t)spill_flow_packet_verdict(flow, packet);
    packet->sa = packet->verdict == SPILL_VERDICT_ALLOW ? 0 : flow->sa[packet->direction];
    packet->reversed =
        !spill_flow_goes_alone(flow, packet) && spill_flow_begun_by_other(flow, packet->direction);
    *spill_packet_of(mbuf) = *packet;
    if (unlikely(fast->routing.routed[packet->input]))
        spill_routing_ask(fast, mbuf, spill_packet_of(mbuf));
    if (lane == SPILL_LANE_INLINE) {
        spill_inline_add(fast->submitter, SPILL_CLASS_CLASSIFY, NULL, &mbuf, 1, 0, stamp);
        return lane;
    }
    spill_lane_add(fast->submitter, SPILL_CLASS_CLASSIFY, lane, mbuf,
                   packet->verdict == SPILL_VERDICT_UNKNOWN, 0, stamp);
    packet->verdict = SPILL_VERDICT_UNKNOWN; /* it isn't the burst's any more */
    return lane;
}

/*
 * Deals with a packet that has no place, by the overflow policy. SPILL_LANE_INLINE when the policy
 * finds one after all, else NO_PLACE.
 */
static int refuse(struct spill_fast *fast, const struct spill_drop_reason *reason,
                  struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    switch (spill_fast_overflow(fast, SPILL_CLASS_CLASSIFY)) {
    case SPILL_OVERFLOW_INLINE:
        return SPILL_LANE_INLINE;
    case SPILL_OVERFLOW_ALLOW:
        packet->verdict = SPILL_VERDICT_ALLOW;
        return NO_PLACE;
    case SPILL_OVERFLOW_DROP:
    default:
        drop(fast, reason, mbuf);
        return NO_PLACE;
    }
}

/* Whether a flow that is known has to ask the rules: they have changed, or have let none of its
 * packets through so far. */
static bool asks_again(const struct spill_flow *flow)
{
    return flow->rights == 0 || spill_flow_asks_again(flow);
}

/* Whether those behind a packet that takes a credit would find some left. */
static bool leaves_credits(const struct spill_fast *fast)
{
    const struct spill_submitter *submitter = fast->submitter;

    return submitter->credits > submitter->held;
}

/* Takes what a packet without a verdict needs: SPILL_LANE_INLINE, a lane with room, or NO_PLACE. */
static int take_place(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                      uint64_t stamp)
{
    if (spill_inline_fits(fast->submitter, SPILL_CLASS_CLASSIFY, NULL, 1, 0))
        return SPILL_LANE_INLINE;
    if (packet->flow != NULL && asks_again(packet->flow)) {
        if (fast->admission.asking.left > 0)
            return SPILL_LANE_INLINE;
        if (!leaves_credits(fast) && spill_classification_keep(fast, mbuf, packet, stamp))
            return NO_PLACE;
    }
    if (spill_lane_reserve(fast->submitter, SPILL_CLASS_CLASSIFY, fast->admission.lane, NULL))
        return (int)fast->admission.lane;
    if (spill_classification_keep(fast, mbuf, packet, stamp))
        return NO_PLACE;
    return refuse(fast, &pool_full_classify, mbuf, packet);
}

/* A packet of a flow that is in the table, but without a verdict for its direction. */
static int submit_known(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                        struct spill_flow *flow, uint64_t stamp)
{
    int lane;

    flow->spoken &= (uint8_t)~SPILL_FLOW_ASKING;
    if (flow->pending > 0) {
        /* Behind the others of its flow, or not at all: no other way keeps the order. */
        lane = flow->lane;
        if (lane != SPILL_LANE_INLINE &&
            !spill_lane_reserve(fast->submitter, SPILL_CLASS_CLASSIFY, (uint32_t)lane, NULL)) {
            drop(fast, &pool_full_classify, mbuf);
            lane = NO_PLACE;
        }
    } else {
        lane = take_place(fast, mbuf, packet, stamp);
    }
    return lane == NO_PLACE ? NO_PLACE : add(fast, mbuf, packet, flow, (uint8_t)lane, stamp);
}

/* A packet that the lookup of its burst did not find. */
static int submit_new(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                      uint64_t stamp)
{
    /* First the place, then the flow: a packet that is refused must not evict another's. */
    int lane = fast->admission.admits ? take_place(fast, mbuf, packet, stamp)
                                      : refuse(fast, &new_flow_limit, mbuf, packet);
    struct spill_flow *flow;

    if (lane == NO_PLACE)
        return lane;
    flow = spill_flow_table_find_or_add(fast->flows, packet, stamp);
    if (flow == NULL) {
        drop(fast, &flow_table_full, mbuf);
        return NO_PLACE;
    }
    if (flow->pending > 0) /* a packet before it in this burst was the first */
        return submit_known(fast, mbuf, packet, flow, stamp);
    return add(fast, mbuf, packet, flow, (uint8_t)lane, stamp);
}

void spill_admission_earn(struct spill_fast *fast, uint64_t passed, bool has_time)
{
    struct spill_admission *admission = &fast->admission;

    spill_allowance_earn(&admission->entering, passed, has_time);
    admission->admits = admission->entering.left > 0;
    spill_allowance_earn(&admission->asking, passed, has_time);
}

/* Does the work of a burst's inline packets. What known flows ask anew is paid for by their own. */
static void run_inline(struct spill_fast *fast, bool asked)
{
    uint64_t began = asked ? spill_clock() : 0;

    spill_inline_run(fast->submitter, SPILL_CLASS_CLASSIFY);
    if (asked)
        spill_allowance_spend(&fast->admission.asking, spill_clock() - began);
}

/* The flow that a packet before this one of the burst has entered for the same key, or NULL. */
static struct spill_flow *entered_before(struct spill_packet *const *packets, const uint8_t *which,
                                         uint32_t index)
{
    const struct spill_packet *packet = packets[which[index]];
    size_t size =
        packet->kind == SPILL_PACKET_IPV4 ? sizeof(packet->key.v4) : sizeof(packet->key.v6);
    uint32_t i;

    for (i = 0; i < index; i++) {
        const struct spill_packet *other = packets[which[i]];

        if (other->flow != NULL && other->kind == packet->kind &&
            memcmp(&other->key, &packet->key, size) == 0)
            return other->flow;
    }
    return NULL;
}

/* A burst's new flows when there is no time for them: all at once, as a flood must be cheap. */
static void drop_all_new(struct spill_fast *fast, struct rte_mbuf **mbufs, const uint8_t *which,
                         uint32_t count, int *lanes)
{
    struct rte_mbuf *dropped[SPILL_BURST];
    uint32_t i;

    for (i = 0; i < count; i++) {
        dropped[i] = mbufs[which[i]];
        lanes[which[i]] = NO_PLACE;
    }
    spill_ledger_drop(&fast->ledger, &new_flow_limit, dropped, count);
}

/* Takes back that the lookup counted a packet, as the rules are asked: they may say where. An error
 * that was counted as a flow of its own stays where it was. */
static void uncount(const struct spill_fast *fast, struct spill_packet *packet)
{
    if (!packet->counted &&
        spill_flow_table_has_counted(fast->flows, packet->flow, packet->direction))
        spill_flow_table_uncount(
            fast->flows, spill_flow_table_tally(fast->flows, packet->flow, packet->direction),
            packet);
}

/*
 * Has an ICMP error go with a connection that a packet before it in the burst has begun, which
 * captures alone can have. False: there is none.
 */
static bool submit_related(struct spill_fast *fast, struct rte_mbuf *mbuf,
                           struct spill_packet *packet, uint64_t stamp, int *lane)
{
    if (packet->step != SPILL_STEP_ERROR)
        return false;
    spill_inline_run(fast->submitter, SPILL_CLASS_CLASSIFY);
    if (!spill_related_adopt(fast, mbuf, packet, stamp))
        return false;
    uncount(fast, packet);
    *lane = spill_protection_verdict(packet) == SPILL_VERDICT_UNKNOWN
                ? submit_known(fast, mbuf, packet, packet->flow, stamp)
                : NO_PLACE;
    return true;
}

/* Packets that the lookup of their burst did not find: what they cost is measured and paid. */
static void submit_all_new(struct spill_fast *fast, struct rte_mbuf **mbufs,
                           struct spill_packet **packets, const uint8_t *which, uint32_t count,
                           uint64_t stamp, int *lanes)
{
    /* What is refused is not charged: a flood of it would cost more than is ever earned. */
    bool charged = fast->admission.admits;
    uint64_t began = charged ? spill_clock() : 0;
    uint32_t i;

    if (!charged && spill_fast_overflow(fast, SPILL_CLASS_CLASSIFY) == SPILL_OVERFLOW_DROP) {
        drop_all_new(fast, mbufs, which, count, lanes);
        return;
    }
    for (i = 0; i < count; i++) {
        struct spill_packet *packet = packets[which[i]];
        struct spill_flow *flow;
        int lane;

        packet->counted = 0;
        if (submit_related(fast, mbufs[which[i]], packet, stamp, &lanes[which[i]]))
            continue;
        lane = submit_new(fast, mbufs[which[i]], packet, stamp);
        /* One that is let pass without a verdict must not overtake one of its flow that waits. */
        if (lane == NO_PLACE && packet->verdict == SPILL_VERDICT_ALLOW &&
            (flow = entered_before(packets, which, i)) != NULL) {
            packet->verdict = SPILL_VERDICT_UNKNOWN;
            lane = submit_known(fast, mbufs[which[i]], packet, flow, stamp);
        }
        lanes[which[i]] = lane;
    }
    if (charged)
        fast->admission.entering.left -= (int64_t)(spill_clock() - began);
}

void spill_admission_submit(struct spill_fast *fast, struct rte_mbuf **mbufs,
                            struct spill_packet **packets, const uint8_t *which, uint32_t count,
                            uint64_t stamp)
{
    uint8_t fresh[SPILL_BURST];
    int lanes[SPILL_BURST];
    uint32_t fresh_count = 0, i;
    bool asked = false;

    if (++fast->admission.lane == fast->submitter->lane_count)
        fast->admission.lane = 0;
    /* Flows that the lookup found first: held, they can't be evicted by those that are new. */
    for (i = 0; i < count; i++) {
        struct spill_packet *packet = packets[which[i]];

        if (packet->flow == NULL) {
            fresh[fresh_count++] = which[i];
            continue;
        }
        asked |= asks_again(packet->flow);
        uncount(fast, packet);
        lanes[which[i]] = submit_known(fast, mbufs[which[i]], packet, packet->flow, stamp);
    }
    if (fresh_count > 0)
        submit_all_new(fast, mbufs, packets, fresh, fresh_count, stamp, lanes);
    run_inline(fast, asked);
    for (i = 0; i < count; i++) {
        struct spill_packet *packet = packets[which[i]];

        if (lanes[which[i]] != SPILL_LANE_INLINE)
            continue;
        packet->verdict = spill_packet_of(mbufs[which[i]])->verdict;
        packet->sa = spill_packet_of(mbufs[which[i]])->sa;
        packet->reversed = 0;
    }
}
