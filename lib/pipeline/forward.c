/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/forward.h"

#include "packet/parse.h"
#include "pipeline/admission.h"
#include "pipeline/conditioner.h"
#include "pipeline/connection.h"
#include "pipeline/exit.h"
#include "pipeline/fast.h"
#include "pipeline/protection.h"
#include "pipeline/related.h"
#include "pipeline/routing_flow.h"
#include "pipeline/sort_out.h"
#include "pipeline/trace.h"

static const char *const states[] = {"established", "opening", "closing", "new", NULL};
static const struct spill_trace_line looked_up = {.stage = "flow",
                                                  .values = {{"state", SPILL_TRACE_WORD, states},
                                                             {"verdict", SPILL_TRACE_VERDICT, NULL},
                                                             {"rule", SPILL_TRACE_RULE, NULL}}};

/*
 * Finds a packet's verdict; what needs none, or can't have one, is dealt with. Returns whether the
 * rules must be asked.
 */
static bool decide(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                   uint64_t stamp)
{
    bool related = false;
    int counter = -1;

    /* A router's own are given to the host before; what is to be routed is on its link no more. */
    if (unlikely(spill_non_ip_is_neighbour(mbuf, packet)) && !fast->routing.routed[packet->input])
        counter = spill_non_ip_find_neighbour(&fast->forward.non_ip);
    else if (packet->kind == SPILL_PACKET_OTHER)
        counter = spill_non_ip_find(&fast->forward.non_ip, packet);
    if (counter < 0 && packet->kind <= SPILL_PACKET_IPV6) {
        if (unlikely(packet->step == SPILL_STEP_ERROR))
            related = spill_related_adopt(fast, mbuf, packet, stamp);
        if (spill_protection_verdict(packet) == SPILL_VERDICT_UNKNOWN)
            return true;
        if (unlikely(packet->flow->conditioned) && !related)
            spill_conditioner_apply_flow(fast, mbuf, packet, stamp);
        spill_connection_pass(fast, mbuf, packet, stamp);
        return false;
    }
    if (counter >= 0) {
        fast->forward.non_ip_passed[counter]++;
        packet->verdict = SPILL_VERDICT_ALLOW;
    } else {
        spill_ledger_drop(&fast->ledger, spill_drop_reason_get(packet->drop), &mbuf, 1);
    }
    return false;
}

static uint32_t state_of(const struct spill_flow *flow)
{
    if ((flow->spoken & SPILL_FLOW_CLOSING) != 0)
        return 2;
    return (flow->spoken & SPILL_FLOW_OPENING) != 0 ? 1 : 0;
}

__rte_noinline void spill_forward_trace(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                        struct spill_packet *packets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct spill_flow *flow = packets[i].flow;
        enum spill_verdict verdict;
        uint32_t tally;

        if (packets[i].kind > SPILL_PACKET_IPV6)
            continue;
        if (flow == NULL) {
            SPILL_TRACE(&fast->ledger, mbufs[i], looked_up, 3, SPILL_VERDICT_UNKNOWN,
                        SPILL_RULE_TALLY_NONE);
            continue;
        }
        verdict = spill_flow_packet_verdict(flow, &packets[i]);
        tally = verdict == SPILL_VERDICT_UNKNOWN
                    ? SPILL_RULE_TALLY_NONE
                    : spill_flow_table_tally(fast->flows, flow, packets[i].direction);
        spill_trace_rule(mbufs[i], tally);
        SPILL_TRACE(&fast->ledger, mbufs[i], looked_up, state_of(flow), verdict, tally);
    }
}

uint32_t spill_forward_decide(struct spill_fast *fast, struct rte_mbuf **mbufs,
                              struct spill_packet **packets, uint32_t count, uint64_t stamp)
{
    uint8_t undecided[SPILL_BURST];
    uint32_t undecided_count = 0, i;

    for (i = 0; i < count; i++) {
        if (decide(fast, mbufs[i], packets[i], stamp))
            undecided[undecided_count++] = (uint8_t)i;
    }
    if (undecided_count > 0)
        spill_admission_submit(fast, mbufs, packets, undecided, undecided_count, stamp);
    return spill_protection_apply(fast, mbufs, packets, count, stamp);
}

static void go_on(struct spill_fast *fast, struct rte_mbuf **mbufs, struct spill_packet *packets,
                  uint32_t count, uint64_t stamp, enum spill_path path)
{
    struct spill_packet *pointers[SPILL_BURST];
    uint32_t i;

    spill_flow_table_lookup(fast->flows, packets, count, stamp);
    if (unlikely(spill_watch_of(&fast->ledger) != NULL))
        spill_forward_trace(fast, mbufs, packets, count);
    for (i = 0; i < count; i++) {
        packets[i].output = spill_exit_of(&fast->exits, packets[i].input);
        pointers[i] = &packets[i];
    }
    count = spill_forward_decide(fast, mbufs, pointers, count, stamp);
    spill_exit_send(fast, mbufs, pointers, count, stamp, path);
}

void spill_forward(struct spill_fast *fast, struct rte_mbuf **mbufs, struct spill_packet *packets,
                   uint32_t count, uint64_t stamp, enum spill_path path)
{
    if (unlikely(spill_sort_out_needed(packets, count)))
        spill_sort_out(fast, mbufs, packets, count, stamp, path, go_on);
    else
        go_on(fast, mbufs, packets, count, stamp, path);
}

void spill_forward_again(struct spill_fast *fast, struct rte_mbuf *mbuf, uint64_t now)
{
    struct spill_packet packet = *spill_packet_of(mbuf);

    packet.flow = NULL;
    packet.verdict = SPILL_VERDICT_UNKNOWN;
    packet.sa = 0;
    packet.reversed = 0;
    go_on(fast, &mbuf, &packet, 1, now, SPILL_PATH_FAST);
}

void spill_forward_ask(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                       struct spill_packet *packet)
{
    uint32_t tally;

    packet->reversed = 0;
    if (fast->routing.routed[packet->input])
        spill_routing_ask(fast, mbuf, packet);
    spill_acl_classify(spill_policy_acl(spill_generation_policy(fast->version.generation, packet)),
                       &packet, 1, &tally);
}

uint32_t spill_forward_answers(struct spill_fast *fast, uint64_t now)
{
    struct spill_answers *answers = &fast->answers;
    uint32_t count = answers->count, i;

    for (i = 0; i < count; i++) {
        struct spill_packet packet;

        spill_parse_burst(&answers->mbufs[i], 1, fast->receive.zones[answers->inputs[i]], &packet);
        packet.input = answers->inputs[i];
        if (fast->routing.routed[packet.input])
            spill_routing_come_by(answers->mbufs[i], &packet, answers->vlans[i]);
        if (packet.kind <= SPILL_PACKET_IPV6)
            packet.secret = 1;
        go_on(fast, &answers->mbufs[i], &packet, 1, now, SPILL_PATH_FAST);
    }
    answers->count = 0;
    return count;
}
