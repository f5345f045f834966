/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding the flows of a burst. */
#include <rte_common.h>
#include <rte_prefetch.h>

#include "classify/flow_table_state.h"

/* Where a lookup has got to with the packets of a burst. Bursts of IPv4 alone, which most are, have
 * a way of their own, in which the family is constant: below, `v4` says that it is that. */
struct looking {
    uint64_t hashes[SPILL_BURST];
    uint32_t homes[SPILL_BURST];           /* groups; of a packet without key, any */
    struct spill_flow *flows[SPILL_BURST]; /* what their tags say; it may be another's */
};

/* First all groups are fetched. Returns false where the way is that of IPv4 and a packet isn't...
 */
static __rte_always_inline bool fetch_groups(const struct spill_flow_table *table,
                                             const struct spill_packet *packets, uint32_t count,
                                             struct looking *looking, bool v4)
{
    const struct spill_flow_groups groups4 = table->families[SPILL_PACKET_IPV4].groups;

    for (uint32_t i = 0; i < count; i++) {
        const struct spill_packet *packet = &packets[i];
        const uint64_t *words = (const uint64_t *)(const void *)&packet->key;
        const bool is_v4 = packet->kind == SPILL_PACKET_IPV4;
        const struct spill_flow_groups *groups = v4 ? &groups4 : &table->families[!is_v4].groups;

        if (v4 && unlikely(!is_v4))
            return false;
        looking->hashes[i] =
            spill_flow_hash_of(&table->hash, v4 || is_v4, words, packet->inner_vlan);
        looking->homes[i] = spill_flow_home(groups, looking->hashes[i]);
        rte_prefetch0(&groups->all[looking->homes[i]]);
    }
    return true;
}

/* ... then the entries that their tags name; of IPv6 also where their packets are counted, which is
 * no part of them. */
static __rte_always_inline void fetch_entries(const struct spill_flow_table *table,
                                              const struct spill_packet *packets, uint32_t count,
                                              struct looking *looking, bool v4)
{
    for (uint32_t i = 0; i < count; i++) {
        const bool is_v4 = v4 || packets[i].kind == SPILL_PACKET_IPV4;
        const struct spill_flow_family *family = &table->families[!is_v4];
        const uint32_t home = looking->homes[i];
        /* Without any it is the next group's first, or a list's head: another flow, or none. */
        const uint64_t slot =
            (uint64_t)home * SPILL_FLOW_GROUP +
            spill_flow_group_first(&family->groups.all[home], spill_flow_tag(looking->hashes[i]));

        looking->flows[i] = spill_flow_at(family, slot);
        rte_prefetch0(looking->flows[i]);
        if (!is_v4)
            rte_prefetch0(&family->tallies[slot]);
    }
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

/* The same, of packets whose flows were all found, where one SA is all there is to each of them.
 * Returns that, or 0: it is not so, and not all SAs are written. */
static __rte_noinline uint16_t note_one_sa(struct spill_packet *packets, uint32_t count)
{
    const uint16_t sa = packets[0].flow->sa[packets[0].direction];

    for (uint32_t i = 0; i < count; i++) {
        struct spill_packet *packet = &packets[i];
        const struct spill_flow *flow = packet->flow;
        const unsigned direction = packet->direction;

        /* A step is what has more bits. */
        if (packet->wrapped || (packet->step & ~SPILL_STEP_ANSWER) != 0 ||
            !spill_flow_only_protects(flow, direction) || flow->sa[direction] != sa)
            return 0;
        packet->sa = sa;
    }
    return sa;
}

/* Whether the flow that was found for a packet has expired. Apart, as it is rarely asked. */
static __rte_noinline bool is_over(const struct spill_flow_table *table,
                                   const struct spill_packet *packet, const struct spill_flow *flow,
                                   uint32_t now)
{
    return spill_flow_is_over(&table->times, &table->families[packet->kind], flow, now);
}

/* The flow of a packet whose tag named another, or none. Apart for the same reason. */
static __rte_noinline struct spill_flow *search(const struct spill_flow_table *table,
                                                const struct spill_packet *packet, uint64_t hash)
{
    return spill_flow_search(&table->families[packet->kind], packet, hash);
}

/* ... then keys are compared, and what is found is counted. While a renewal goes on it is renewed
 * before: a packet that is to ask the rules is counted when they have answered. */
static __rte_always_inline bool compare(struct spill_flow_table *table,
                                        struct spill_packet *packets, uint32_t count, uint64_t now,
                                        const struct looking *looking, bool v4, bool renewing)
{
    const uint32_t units = spill_flow_units(&table->times, now);
    const int32_t least = table->times.least;
    uint64_t *counts = table->counts;
    uint32_t keyless = 0, misses = 0, hits, hindrances = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct spill_packet *packet = &packets[i];
        struct spill_flow *flow = looking->flows[i];
        const struct spill_flow_family *family;
        const uint32_t *tallies;
        const uint64_t direction = packet->direction;
        uint32_t seen = units, gate;

        if (!v4 && packet->kind > SPILL_PACKET_IPV6) {
            keyless++;
            continue;
        }
        family = &table->families[v4 ? SPILL_PACKET_IPV4 : packet->kind];
        if (unlikely(!spill_flow_is_key(v4 || family->is_v4, flow, packet)))
            flow = search(table, packet, looking->hashes[i]);
        if (unlikely(flow == NULL || spill_flow_age(flow, units) > least)) {
            if (flow == NULL || is_over(table, packet, flow, units)) {
                packet->flow = NULL;
                misses++;
                continue;
            }
            seen = spill_flow_seen(flow, units);
        }
        gate = flow->gate | spill_flow_gate_spoken(direction);
        flow->seen = seen;
        packet->flow = flow;
        flow->gate = gate;
        if (renewing) {
            spill_flow_renew(&table->renewal, family, flow);
            gate = flow->gate;
        }
        hindrances |= spill_flow_hindrances(gate);
        tallies = v4 ? flow->key.tallies : spill_flow_tallies(family, flow);
        if (!renewing || !spill_flow_asks_again(flow))
            spill_flow_count_packet(counts, tallies[direction], packet, now);
    }
    hits = count - keyless - misses;
    table->only_sa = 0;
    if (unlikely(hindrances > SPILL_FLOW_NO_HINDRANCE)) {
        if (hits == count)
            table->only_sa = note_one_sa(packets, count);
        if (table->only_sa == 0)
            note_sas(packets, count);
    }
    table->counters.hits += hits;
    table->counters.misses += misses;
    return hits == count && hindrances <= SPILL_FLOW_NO_HINDRANCE;
}

/* Bursts of IPv4 alone: each step apart, so that it has all registers. */
static __rte_noinline bool fetch_groups4(const struct spill_flow_table *table,
                                         const struct spill_packet *packets, uint32_t count,
                                         struct looking *looking)
{
    return fetch_groups(table, packets, count, looking, true);
}

static __rte_noinline void fetch_entries4(const struct spill_flow_table *table,
                                          const struct spill_packet *packets, uint32_t count,
                                          struct looking *looking)
{
    fetch_entries(table, packets, count, looking, true);
}

static __rte_noinline bool compare4(struct spill_flow_table *table, struct spill_packet *packets,
                                    uint32_t count, uint64_t now, const struct looking *looking)
{
    return compare(table, packets, count, now, looking, true, false);
}

static __rte_always_inline bool lookup(struct spill_flow_table *table, struct spill_packet *packets,
                                       uint32_t count, uint64_t now, bool renewing)
{
    struct looking looking;

    fetch_groups(table, packets, count, &looking, false);
    fetch_entries(table, packets, count, &looking, false);
    return compare(table, packets, count, now, &looking, false, renewing);
}

/* Bursts of which not all is IPv4. */
static __rte_noinline bool lookup_mixed(struct spill_flow_table *table,
                                        struct spill_packet *packets, uint32_t count, uint64_t now)
{
    return lookup(table, packets, count, now, false);
}

static __rte_noinline bool lookup_renewed(struct spill_flow_table *table,
                                          struct spill_packet *packets, uint32_t count,
                                          uint64_t now)
{
    spill_flow_renewal_turn(&table->renewal, now, spill_flow_table_slots(table));
    return lookup(table, packets, count, now, true);
}

bool spill_flow_table_lookup(struct spill_flow_table *table, struct spill_packet *packets,
                             uint32_t count, uint64_t now)
{
    struct looking looking;

    if (unlikely(spill_flow_renewal_goes_on(&table->renewal)))
        return lookup_renewed(table, packets, count, now);
    if (unlikely(!fetch_groups4(table, packets, count, &looking)))
        return lookup_mixed(table, packets, count, now);
    fetch_entries4(table, packets, count, &looking);
    return compare4(table, packets, count, now, &looking);
}

uint16_t spill_flow_table_only_sa(const struct spill_flow_table *table)
{
    return table->only_sa;
}
