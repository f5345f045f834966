/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding the flows of a burst. */
#include <rte_common.h>
#include <rte_prefetch.h>

#include "classify/flow_table_state.h"

/* Where a lookup has got to with a packet. Bursts of IPv4 alone, which most are, have a way of
 * their own, in which the family is constant: below, `v4` says that it is that. */
struct looking {
    uint64_t hash;
    uint32_t home; /* group; of a packet without key, any */
};

/* First all groups are fetched. Returns false where the way is that of IPv4 and a packet isn't...
 */
static __rte_always_inline bool fetch_groups(const struct spill_flow_table *table,
                                             const struct spill_packet *packets, uint32_t count,
                                             struct looking looking[], bool v4)
{
    const struct spill_flow_groups groups4 = table->families[SPILL_PACKET_IPV4].groups;

    for (uint32_t i = 0; i < count; i++) {
        const struct spill_packet *packet = &packets[i];
        const uint64_t *words = (const uint64_t *)(const void *)&packet->key;
        const bool is_v4 = packet->kind == SPILL_PACKET_IPV4;
        const struct spill_flow_groups *groups = v4 ? &groups4 : &table->families[!is_v4].groups;

        if (v4 && unlikely(!is_v4))
            return false;
        looking[i].hash = spill_flow_hash_of(&table->hash, v4 || is_v4, words, packet->inner_vlan);
        looking[i].home = spill_flow_home(groups, looking[i].hash);
        rte_prefetch0(&groups->all[looking[i].home]);
    }
    return true;
}

/* ... then the entries that their tags name, which may be others'; of IPv6 also where their packets
 * are counted, which is no part of them. */
static __rte_always_inline void fetch_entries(const struct spill_flow_table *table,
                                              struct spill_packet *packets, uint32_t count,
                                              const struct looking looking[], bool v4)
{
    const struct spill_flow_group *groups4 = table->families[SPILL_PACKET_IPV4].groups.all;
    struct spill_flow *entries4 = table->families[SPILL_PACKET_IPV4].entries;

    for (uint32_t i = 0; i < count; i++) {
        struct spill_packet *packet = &packets[i];
        const bool is_v4 = v4 || packet->kind == SPILL_PACKET_IPV4;
        const struct spill_flow_family *family = &table->families[!is_v4];
        const struct spill_flow_group *groups = v4 ? groups4 : family->groups.all;
        struct spill_flow *entries = v4 ? entries4 : family->entries;
        const uint64_t home = looking[i].home;
        uint64_t slot;

        if (!v4 && packet->kind > SPILL_PACKET_IPV6)
            continue;
        /* Without any it is the next group's first, or a list's head: another flow, or none. */
        slot = home * SPILL_FLOW_GROUP + spill_flow_group_first(&groups[home], looking[i].hash);
        packet->flow = &entries[slot];
        rte_prefetch0(packet->flow);
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

/* A packet of a flow: it was seen, has spoken, and is counted. While a renewal goes on the flow is
 * renewed before: a packet that is to ask the rules is counted when they have answered. Returns
 * what keeps it from passing at once. */
static __rte_always_inline uint32_t take(const struct spill_flow_table *table, uint64_t *counts,
                                         const struct spill_packet *packet, struct spill_flow *flow,
                                         uint32_t seen, uint64_t now, bool v4, bool renewing)
{
    const struct spill_flow_family *family =
        &table->families[v4 ? SPILL_PACKET_IPV4 : packet->kind];
    const uint64_t direction = packet->direction;
    uint32_t gate = flow->gate | spill_flow_gate_spoken(direction);

    flow->seen = seen;
    rte_compiler_barrier(); /* it would bring both into a vector first, which takes longer */
    flow->gate = gate;
    if (renewing) {
        spill_flow_renew(&table->renewal, family, flow);
        gate = flow->gate;
    }
    if (!renewing || !spill_flow_asks_again(flow))
        spill_flow_count_packet(
            counts, (v4 ? flow->key.tallies : spill_flow_tallies(family, flow))[direction], packet,
            now);
    return spill_flow_hindrances(gate);
}

/* ... and at last those packets are looked at of which that is not all: the tag named another's
 * entry, or none; or the flow may have expired. Returns how many have none. Apart, so that those
 * that are found at once have all registers. */
static __rte_noinline uint32_t look_closer(const struct spill_flow_table *table,
                                           struct spill_packet *packets, const uint8_t *which,
                                           uint32_t count, uint64_t now,
                                           const struct looking looking[], bool renewing,
                                           uint32_t *hindrances)
{
    const uint32_t units = spill_flow_units(&table->times, now);
    uint32_t misses = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct spill_packet *packet = &packets[which[i]];
        const struct spill_flow_family *family = &table->families[packet->kind];
        struct spill_flow *flow = spill_flow_search(family, packet, looking[which[i]].hash);

        if (flow != NULL && spill_flow_is_over(&table->times, family, flow, units))
            flow = NULL;
        packet->flow = flow;
        if (flow == NULL)
            misses++;
        else
            *hindrances |= take(table, table->counts, packet, flow, spill_flow_seen(flow, units),
                                now, false, renewing);
    }
    return misses;
}

/* ... then keys are compared, and what is found is counted... */
static __rte_always_inline bool compare(struct spill_flow_table *table,
                                        struct spill_packet *packets, uint32_t count, uint64_t now,
                                        const struct looking looking[], bool v4, bool renewing)
{
    const uint32_t units = spill_flow_units(&table->times, now);
    const int32_t least = table->times.least;
    uint64_t *counts = table->counts;
    uint32_t keyless = 0, misses = 0, others = 0, hindrances = 0, closer = 0, hits;
    const struct spill_packet *packet;
    uint8_t which[SPILL_BURST];

    for (packet = packets; packet < packets + count; packet++) {
        struct spill_flow *flow = packet->flow;

        if (!v4 && packet->kind > SPILL_PACKET_IPV6)
            keyless++;
        else if (likely(spill_flow_is_key(v4 || packet->kind == SPILL_PACKET_IPV4, flow, packet) &&
                        spill_flow_age(flow, units) <= least))
            hindrances |= take(table, counts, packet, flow, units, now, v4, renewing);
        else
            which[others++] = (uint8_t)(packet - packets);
    }
    if (unlikely(others > 0))
        misses = look_closer(table, packets, which, others, now, looking, renewing, &closer);
    hindrances |= closer;
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
                                         struct looking looking[])
{
    return fetch_groups(table, packets, count, looking, true);
}

static __rte_noinline void fetch_entries4(const struct spill_flow_table *table,
                                          struct spill_packet *packets, uint32_t count,
                                          const struct looking looking[])
{
    fetch_entries(table, packets, count, looking, true);
}

static __rte_noinline bool compare4(struct spill_flow_table *table, struct spill_packet *packets,
                                    uint32_t count, uint64_t now, const struct looking looking[])
{
    return compare(table, packets, count, now, looking, true, false);
}

static __rte_always_inline bool lookup(struct spill_flow_table *table, struct spill_packet *packets,
                                       uint32_t count, uint64_t now, bool renewing)
{
    struct looking looking[SPILL_BURST];

    fetch_groups(table, packets, count, looking, false);
    fetch_entries(table, packets, count, looking, false);
    return compare(table, packets, count, now, looking, false, renewing);
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
    struct looking looking[SPILL_BURST];

    if (unlikely(spill_flow_renewal_goes_on(&table->renewal)))
        return lookup_renewed(table, packets, count, now);
    if (unlikely(!fetch_groups4(table, packets, count, looking)))
        return lookup_mixed(table, packets, count, now);
    fetch_entries4(table, packets, count, looking);
    return compare4(table, packets, count, now, looking);
}

uint16_t spill_flow_table_only_sa(const struct spill_flow_table *table)
{
    return table->only_sa;
}
