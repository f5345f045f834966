/* SPDX-License-Identifier: BSD-3-Clause */
/* What is noted in flows: verdicts, where they are counted, states; and that all are to ask again.
 */
#include <rte_common.h>

#include "classify/flow_table_state.h"

bool spill_flow_table_is_older(const struct spill_flow_table *table, const struct spill_flow *flow)
{
    return flow->version != table->renewal.version || spill_flow_asks_again(flow);
}

void spill_flow_table_step(struct spill_flow_table *table, struct spill_flow *flow,
                           const struct spill_packet *packet, bool data, uint64_t now)
{
    if (spill_flow_is_allowed(flow))
        spill_flow_step(&table->times, spill_flow_family_of(table, flow), flow, packet, data,
                        spill_flow_units(&table->times, now));
}

/* Whether its rule does more to packets than to let them through. */
static bool is_conditioned(struct spill_flow_table *table, uint32_t tally)
{
    const struct spill_rule_count *count = spill_flow_table_count_of(table, tally);

    return count->limit != NULL || count->dscp != 0;
}

/*
 * Has a direction counted where the rule is that decided it, and the other one too where that has
 * but replies. What is denied a side of a connection that the other has begun leaves it that one's.
 */
static void note_tally(struct spill_flow_table *table, const struct spill_flow_family *family,
                       struct spill_flow *flow, unsigned direction, uint32_t tally)
{
    const unsigned let = SPILL_FLOW_ALLOWED | SPILL_FLOW_PROTECTED;
    const unsigned own = flow->rights >> direction, other = flow->rights >> !direction;
    uint32_t *tallies = spill_flow_tallies(family, flow);
    const bool known = tallies[direction] == tally;

    if ((own & let) == 0 && (other & SPILL_FLOW_ALLOWED) != 0)
        return;
    tallies[direction] = tally;
    if ((other & let) == 0 && (own & SPILL_FLOW_ALLOWED) != 0)
        tallies[!direction] = tally;
    flow->conditioned = is_conditioned(table, tallies[0]) || is_conditioned(table, tallies[1]);
    if (!known)
        table->counts[tally + SPILL_FLOW_COUNT_CONNECTIONS]++;
}

void spill_flow_table_note(struct spill_flow_table *table, struct spill_flow *flow,
                           unsigned direction, enum spill_verdict verdict, bool opens, uint16_t sa,
                           uint32_t tally)
{
    static const uint8_t BITS[] = {
        [SPILL_VERDICT_UNKNOWN] = 0,
        [SPILL_VERDICT_ALLOW] = SPILL_FLOW_ALLOWED,
        [SPILL_VERDICT_DENY] = SPILL_FLOW_DENIED,
        [SPILL_VERDICT_PROTECT] = SPILL_FLOW_PROTECTED,
    };
    struct spill_flow_family *family = spill_flow_family_of(table, flow);
    const bool was_allowed = spill_flow_is_allowed(flow);
    bool allowed;
    uint32_t gone;

    if (verdict == SPILL_VERDICT_UNKNOWN)
        return;
    if (spill_flow_table_is_older(table, flow)) {
        flow->rights = 0;
        spill_flow_tallies(family, flow)[!direction] = SPILL_RULE_TALLY_NONE;
    }
    flow->version = table->renewal.version;
    flow->rights |= (uint8_t)(BITS[verdict] << direction);
    /* It stands beside the verdict that goes before the others. */
    if (spill_rights_own(flow->rights, direction) == verdict) {
        flow->sa[direction] = sa;
        note_tally(table, family, flow, direction, tally);
    }
    allowed = spill_flow_is_allowed(flow);
    if (!allowed && flow->class != SPILL_FLOW_STRANGER)
        spill_flow_demote(family, flow);
    if (!allowed || flow->class != SPILL_FLOW_STRANGER)
        return;
    /* What strangers have sent is no answer. */
    if (!was_allowed)
        flow->spoken = (uint8_t)(1u << direction | (opens ? SPILL_FLOW_OPENING : 0));
    gone = spill_flow_promote(family, &table->hash, flow);
    table->counters.evicted += gone;
    table->counters.entries -= gone;
}

void spill_flow_table_count_in(struct spill_flow_table *table, struct spill_rule_count *counts)
{
    table->counts = &counts->packets;
}

uint32_t spill_flow_table_tally(struct spill_flow_table *table, struct spill_flow *flow,
                                unsigned direction)
{
    return spill_flow_tallies(spill_flow_family_of(table, flow), flow)[direction];
}

bool spill_flow_table_has_counted(struct spill_flow_table *table, struct spill_flow *flow,
                                  unsigned direction)
{
    return !spill_flow_asks_again(flow) &&
           spill_flow_table_tally(table, flow, direction) != SPILL_RULE_TALLY_NONE;
}

struct spill_rule_count *spill_flow_table_count_of(struct spill_flow_table *table, uint32_t tally)
{
    return (struct spill_rule_count *)(void *)&table->counts[tally];
}

void spill_flow_table_count(struct spill_flow_table *table, uint32_t tally,
                            const struct spill_packet *packet, uint64_t now)
{
    spill_flow_count_packet(table->counts, tally, packet, now);
}

void spill_flow_table_uncount(struct spill_flow_table *table, uint32_t tally,
                              const struct spill_packet *packet)
{
    table->counts[tally + SPILL_FLOW_COUNT_PACKETS]--;
    table->counts[tally + SPILL_FLOW_COUNT_BYTES] -= packet->length;
}

void spill_flow_table_note_old(struct spill_flow_table *table, struct spill_flow *flow,
                               unsigned direction, bool opens)
{
    if (flow->rights != 0)
        return;
    spill_flow_table_note(table, flow, direction, SPILL_VERDICT_ALLOW, opens, 0,
                          SPILL_RULE_TALLY_NONE);
    flow->rights |= SPILL_FLOW_DUE;
    flow->version--;
}

void spill_flow_table_renew(struct spill_flow_table *table, uint64_t now, bool at_once)
{
    spill_flow_renewal_begin(&table->renewal, now, spill_flow_table_slots(table), at_once);
}

bool spill_flow_table_renewed(const struct spill_flow_table *table)
{
    return table->renewal.left == 0;
}

bool spill_flow_table_settled(const struct spill_flow_table *table)
{
    return table->renewal.watched.unclean == 0;
}

void spill_flow_table_watch(struct spill_flow_table *table)
{
    spill_flow_renewal_watch(&table->renewal);
}
