/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/inward.h"

#include "ipsec/sa_set.h"
#include "pipeline/routing_flow.h"

/* Whether a verdict may be that of a rule for what leaves. */
static bool is_for_leaving(const struct spill_fast *fast, const struct spill_packet *packet)
{
    const struct spill_sa *sa;

    if (packet->verdict == SPILL_VERDICT_DENY)
        return packet->sa == SPILL_SA_HOST_SENDS || packet->sa >= SPILL_SA_TRAP_FIRST;
    sa = packet->verdict == SPILL_VERDICT_PROTECT
             ? spill_sa_set_get(fast->version.generation->sas, packet->sa)
             : NULL;
    return sa != NULL && sa->config.direction == SPILL_SA_OUT;
}

/* Flows may have gone since the packet was looked up. */
static void note(struct spill_fast *fast, const struct spill_packet *packet, uint32_t tally,
                 uint64_t stamp)
{
    struct spill_flow *flow = spill_flow_table_find(fast->flows, packet, stamp);

    if (flow != NULL && !spill_flow_table_is_older(fast->flows, flow))
        spill_flow_table_note(fast->flows, flow, packet->direction, SPILL_VERDICT_PROTECT, false,
                              packet->sa, tally & ~SPILL_RULE_RECORDS);
}

void spill_inward_find(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                       uint64_t stamp)
{
    struct spill_packet question = *packet, *asked = &question;
    uint32_t tally;

    if (!is_for_leaving(fast, packet))
        return;
    question.reversed = 0;
    if (fast->routing.routed[packet->input])
        spill_routing_ask(fast, mbuf, &question);
    spill_acl_classify(spill_policy_acl(fast->version.generation->inward), &asked, 1, &tally);
    if (question.verdict != SPILL_VERDICT_PROTECT)
        return;
    packet->verdict = question.verdict;
    packet->sa = question.sa;
    if (spill_sa_set_same_name(fast->version.generation->sas, packet->sa, packet->inbound_sa))
        note(fast, packet, tally, stamp);
}
