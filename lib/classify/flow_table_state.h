/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FLOW_TABLE_STATE_H
#define SPILLWAY_FLOW_TABLE_STATE_H

#include <rte_common.h>

#include "base/bytes16.h"
#include "classify/flow_family.h"
#include "classify/flow_hash.h"
#include "classify/flow_renewal.h"
#include "classify/flow_state.h"
#include "classify/flow_table.h"

/**
 * @file
 * What a flow table is made of, and how its files find an entry and count a packet. All of it is
 * the owner's. For the files of the flow table alone.
 */

#define SPILL_FLOW_FAMILIES 2 /* by kind of their packets */

_Static_assert(SPILL_PACKET_IPV4 == 0 && SPILL_PACKET_IPV6 == 1, "a kind is a family's index");
_Static_assert(offsetof(struct spill_packet, key) == 0, "a packet's address is its key's");

/* Words of what is counted of a rule. */
#define SPILL_FLOW_COUNT_WORD(field) (offsetof(struct spill_rule_count, field) / sizeof(uint64_t))
#define SPILL_FLOW_COUNT_PACKETS     SPILL_FLOW_COUNT_WORD(packets)
#define SPILL_FLOW_COUNT_BYTES       SPILL_FLOW_COUNT_WORD(bytes)
#define SPILL_FLOW_COUNT_CONNECTIONS SPILL_FLOW_COUNT_WORD(connections)
#define SPILL_FLOW_COUNT_LAST        SPILL_FLOW_COUNT_WORD(last)

struct spill_flow_table {
    struct spill_flow_family families[SPILL_FLOW_FAMILIES];
    struct spill_flow_hash hash;
    struct spill_flow_times times;
    unsigned hand_family;
    uint32_t hand;    /* the next slot that is looked at */
    uint64_t *counts; /* by tally: those of the rules */
    uint16_t only_sa; /* of the burst that was looked up last */
    struct spill_flow_counters counters;
    struct spill_flow_renewal renewal;
    struct spill_rule_count own_counts[SPILL_RULE_TALLY_FIRST / SPILL_RULE_TALLY_WORDS];
};

/** The family that an entry is of. */
static inline struct spill_flow_family *spill_flow_family_of(struct spill_flow_table *table,
                                                             const struct spill_flow *flow)
{
    const struct spill_flow_family *first = &table->families[0];

    return &table->families[(uintptr_t)flow - (uintptr_t)first->entries >=
                            first->slots * sizeof(*flow)];
}

/** Whether an entry is that of a packet's flow. */
static inline bool spill_flow_is_key4(const struct spill_flow *flow,
                                      const struct spill_packet *packet)
{
    return spill_bytes16_equal(spill_bytes16_load_aligned(&flow->key.v4),
                               spill_bytes16_load_aligned(&packet->key.v4)) &&
           flow->inner_vlan == packet->inner_vlan;
}

static inline bool spill_flow_is_key6(const struct spill_flow *flow,
                                      const struct spill_packet *packet)
{
    const uint64_t *key = (const uint64_t *)(const void *)&packet->key;

    return ((flow->key.words[0] ^ key[0]) | (flow->key.words[1] ^ key[1]) |
            (flow->key.words[2] ^ key[2]) | (flow->key.words[3] ^ key[3]) |
            (flow->key.words[4] ^ key[4])) == 0 &&
           flow->inner_vlan == packet->inner_vlan;
}

static inline bool spill_flow_is_key(bool is_v4, const struct spill_flow *flow,
                                     const struct spill_packet *packet)
{
    return is_v4 ? spill_flow_is_key4(flow, packet) : spill_flow_is_key6(flow, packet);
}

/** A packet's flow, wherever it is; NULL when there is none. */
static inline struct spill_flow *spill_flow_search(const struct spill_flow_family *family,
                                                   const struct spill_packet *packet, uint64_t hash)
{
    struct spill_flow_probe probe = spill_flow_probe(&family->groups, hash);

    for (unsigned i = 0; i < SPILL_FLOW_PROBES; i++) {
        const struct spill_flow_group *group = &family->groups.all[probe.group];
        uint32_t found = spill_flow_group_match(group, spill_flow_tag(hash));

        for (; found != 0; found &= found - 1) {
            struct spill_flow *flow = spill_flow_at(
                family, (uint64_t)probe.group * SPILL_FLOW_GROUP + (uint32_t)__builtin_ctz(found));

            if (spill_flow_is_key(family->is_v4, flow, packet))
                return flow;
        }
        if (group->passed == 0)
            return NULL;
        spill_flow_probe_next(&family->groups, &probe);
    }
    return NULL;
}

/** Counts a packet in a tally: by its words, as that is an instruction less. */
static inline void spill_flow_count_packet(uint64_t *counts, uint32_t tally,
                                           const struct spill_packet *packet, uint64_t now)
{
    counts[tally + SPILL_FLOW_COUNT_PACKETS]++;
    counts[tally + SPILL_FLOW_COUNT_BYTES] += packet->length;
    counts[tally + SPILL_FLOW_COUNT_LAST] = now;
}

#endif
