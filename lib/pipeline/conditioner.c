/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/conditioner.h"

#include "base/clock.h"
#include "classify/policy.h"
#include "packet/dscp.h"
#include "pipeline/generation.h"
#include "pipeline/routing_flow.h"
#include "pipeline/rule_log.h"

static bool may_pass(const struct spill_packet *packet)
{
    return packet->verdict == SPILL_VERDICT_ALLOW || packet->verdict == SPILL_VERDICT_PROTECT;
}

/* Whether a rule lets a packet through, which then is marked; one that doesn't counts it. */
static bool lets_through(struct spill_fast *fast, struct rte_mbuf *mbuf,
                         const struct spill_packet *packet, uint32_t tally, uint64_t now)
{
    struct spill_rule_count *rule = spill_flow_table_count_of(fast->flows, tally);

    if (rule->limit != NULL && !spill_rule_limit_take(rule->limit, packet->length, now)) {
        rule->beyond++;
        return false;
    }
    if (rule->dscp != 0)
        spill_dscp_set(mbuf, packet, (uint8_t)(rule->dscp - 1));
    return true;
}

static void drop(struct spill_packet *packet)
{
    packet->verdict = SPILL_VERDICT_DENY;
    packet->sa = SPILL_SA_BEYOND_LIMIT;
}

/* Has the rules decide that come after the one whose limit was used up. */
static void go_by_next(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                       uint32_t used_up, uint64_t now)
{
    struct spill_acl_decision chain[SPILL_RULE_LEVELS + 1];
    const struct spill_policy *policy = spill_generation_policy(fast->version.generation, packet);
    const uint32_t count = spill_acl_chain(spill_policy_acl(policy), packet, chain);
    uint32_t i;

    for (i = 0; i < count; i++) {
        const uint32_t tally = chain[i].tally & ~SPILL_RULE_RECORDS;

        if (tally == used_up)
            continue;
        packet->verdict = chain[i].verdict;
        packet->sa = chain[i].verdict == SPILL_VERDICT_ALLOW ? 0 : chain[i].sa;
        /* Who began it has to go on protected: this one is no reply then. */
        if (packet->reversed && packet->verdict == SPILL_VERDICT_PROTECT) {
            packet->verdict = SPILL_VERDICT_DENY;
            packet->sa = 0;
        }
        if (may_pass(packet) && !lets_through(fast, mbuf, packet, tally, now)) {
            if (packet->verdict == SPILL_VERDICT_ALLOW)
                continue;
            drop(packet);
            return;
        }
        spill_flow_table_count(fast->flows, tally, packet, now);
        if (tally != chain[i].tally)
            spill_rule_log_note(fast, packet, tally, now);
        return;
    }
}

/* The same in place of who began the connection, where the packet is an answer. */
static void ask_next(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                     uint32_t used_up, uint64_t now)
{
    const bool routed = fast->routing.routed[packet->input];

    packet->reversed = !spill_flow_goes_alone(packet->flow, packet) &&
                       spill_flow_begun_by_other(packet->flow, packet->direction);
    if (routed)
        spill_routing_ask(fast, mbuf, packet);
    go_by_next(fast, mbuf, packet, used_up, now);
    if (routed)
        spill_routing_asked(packet);
    packet->reversed = 0;
}

void spill_conditioner_apply(struct spill_fast *fast, struct rte_mbuf *mbuf,
                             struct spill_packet *packet, uint32_t tally, uint64_t now)
{
    uint64_t began;

    if (!may_pass(packet) || lets_through(fast, mbuf, packet, tally, now))
        return;
    spill_flow_table_uncount(fast->flows, tally, packet);
    if (packet->verdict == SPILL_VERDICT_PROTECT || fast->admission.asking.left <= 0) {
        drop(packet);
        return;
    }
    began = spill_clock();
    ask_next(fast, mbuf, packet, tally, now);
    spill_allowance_spend(&fast->admission.asking, spill_clock() - began);
}

void spill_conditioner_apply_flow(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                  struct spill_packet *packet, uint64_t now)
{
    const uint32_t tally = spill_flow_table_tally(fast->flows, packet->flow, packet->direction);

    spill_conditioner_apply(fast, mbuf, packet, tally, now);
}
