/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding the flows of a burst. */
#include <rte_common.h>
#include <rte_prefetch.h>

#include "classify/flow_table_state.h"

/* Where a lookup has got to with the packets of a burst. */
struct looking {
    uint64_t hashes[SPILL_BURST];
    const struct spill_flow_group *groups[SPILL_BURST]; /* at home; of a packet without key, any */
    struct spill_flow *flows[SPILL_BURST]; /* the first entry of that, then one that it may be */
    bool v4;                               /* all packets are of IPv4 */
};

/* First all groups are fetched... */
static inline void fetch_groups(const struct spill_flow_table *table,
                                const struct spill_packet *packets, uint32_t count,
                                struct looking *looking)
{
    looking->v4 = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct spill_packet *packet = &packets[i];
        const uint64_t *words = (const uint64_t *)(const void *)&packet->key;
        const bool is_v4 = likely(packet->kind == SPILL_PACKET_IPV4);
        const struct spill_flow_family *family = &table->families[!is_v4];
        const uint64_t hash = spill_flow_hash_of(&table->hash, is_v4, words, packet->inner_vlan);
        const uint32_t group = spill_flow_home(&family->groups, hash);

        if (!is_v4)
            looking->v4 = false;
        looking->hashes[i] = hash;
        looking->groups[i] = &family->groups.all[group];
        looking->flows[i] = spill_flow_at(family, (uint64_t)group * SPILL_FLOW_GROUP);
        rte_prefetch0(looking->groups[i]);
    }
}

/* ... then the entries that their tags name; of IPv6 also where their packets are counted, which is
 * no part of them. */
static __rte_always_inline void fetch_entries(const struct spill_flow_table *table,
                                              const struct spill_packet *packets, uint32_t count,
                                              struct looking *looking, bool v4)
{
    const struct spill_flow_family *v6 = &table->families[SPILL_PACKET_IPV6];

    for (uint32_t i = 0; i < count; i++) {
        uint32_t found =
            spill_flow_group_match(looking->groups[i], spill_flow_tag(looking->hashes[i]));

        /* Without any it is the next group's first, or a list's head: another flow, or none. */
        looking->flows[i] += __builtin_ctz(found | 1u << SPILL_FLOW_GROUP);
        rte_prefetch0(looking->flows[i]);
        if (!v4 && packets[i].kind == SPILL_PACKET_IPV6)
            rte_prefetch0(&v6->tallies[spill_flow_slot(v6, looking->flows[i])]);
    }
}

static __rte_noinline void fetch_entries_of_both(const struct spill_flow_table *table,
                                                 const struct spill_packet *packets, uint32_t count,
                                                 struct looking *looking)
{
    fetch_entries(table, packets, count, looking, false);
}

/* Writes the SAs of found flows to their packets. Apart from the lookup, which is the same whether
 * there are any. */
static __rte_noinline void note_sas(struct spill_packet *packets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct spill_flow *flow =
            packets[i].kind <= SPILL_PACKET_IPV6 ? packets[i].flow : NULL;

        if (flow != NULL && (spill_flow_is_protected(flow) || spill_flow_is_refused(flow)))
            packets[i].sa = flow->sa[packets[i].direction];
    }
}

/* Whether the flow that was found for a packet has expired. Apart, as it is rarely asked. */
static __rte_noinline bool is_over(const struct spill_flow_table *table,
                                   const struct spill_packet *packet, const struct spill_flow *flow,
                                   uint32_t now)
{
    return spill_flow_is_over(&table->times, &table->families[packet->kind], flow, now);
}

/* ... then keys are compared, and what is found is counted. While a renewal goes on it is renewed
 * before: a packet that is to ask the rules is counted when they have answered. */
static __rte_always_inline uint32_t compare(struct spill_flow_table *table,
                                            struct spill_packet *packets, uint32_t count,
                                            uint64_t now, const struct looking *looking,
                                            bool renewing)
{
    const uint32_t units = spill_flow_units(&table->times, now);
    const int32_t least = table->times.least;
    uint64_t *counts = table->counts;
    uint32_t hits = 0, misses = 0, passing = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct spill_packet *packet = &packets[i];
        struct spill_flow *flow = looking->flows[i];
        uint32_t *tallies = flow->key.tallies;
        uint32_t seen = units;
        unsigned direction;

        if (unlikely(packet->kind != SPILL_PACKET_IPV4 || !spill_flow_is_key4(flow, packet))) {
            if (packet->kind > SPILL_PACKET_IPV6)
                continue;
            flow = spill_flow_search(&table->families[packet->kind], packet, looking->hashes[i]);
            if (flow != NULL)
                tallies = spill_flow_tallies(&table->families[packet->kind], flow);
        }
        if (unlikely(flow == NULL || spill_flow_age(flow, units) > least)) {
            if (flow == NULL || is_over(table, packet, flow, units)) {
                packet->flow = NULL;
                misses++;
                continue;
            }
            seen = spill_flow_seen(flow, units);
        }
        direction = packet->direction;
        flow->seen = seen;
        flow->gate |= SPILL_FLOW_SPOKE_AGAIN << 8 | 0x100u << direction;
        packet->flow = flow;
        hits++;
        if (renewing)
            spill_flow_renew(&table->renewal, &table->families[packet->kind], flow);
        passing += spill_flow_passes(flow);
        if (!renewing || !spill_flow_asks_again(flow))
            spill_flow_count_packet(counts, tallies[direction], packet, now);
    }
    if (unlikely(passing < hits))
        note_sas(packets, count);
    table->counters.hits += hits;
    table->counters.misses += misses;
    return passing;
}

static __rte_noinline uint32_t compare_renewed(struct spill_flow_table *table,
                                               struct spill_packet *packets, uint32_t count,
                                               uint64_t now, const struct looking *looking)
{
    spill_flow_renewal_turn(&table->renewal, now, spill_flow_table_slots(table));
    return compare(table, packets, count, now, looking, true);
}

uint32_t spill_flow_table_lookup(struct spill_flow_table *table, struct spill_packet *packets,
                                 uint32_t count, uint64_t now)
{
    struct looking looking;

    fetch_groups(table, packets, count, &looking);
    if (likely(looking.v4))
        fetch_entries(table, packets, count, &looking, true);
    else
        fetch_entries_of_both(table, packets, count, &looking);
    if (unlikely(spill_flow_renewal_goes_on(&table->renewal)))
        return compare_renewed(table, packets, count, now, &looking);
    return compare(table, packets, count, now, &looking, false);
}
