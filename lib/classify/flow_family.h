/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FLOW_FAMILY_H
#define SPILLWAY_FLOW_FAMILY_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "classify/flow.h"
#include "classify/flow_groups.h"
#include "classify/flow_hash.h"
#include "classify/flow_table.h"

/**
 * @file
 * One address family's half of a flow table: its groups, its entries, and the lists of its classes.
 * All of it is the owner's. For the files of the flow table alone.
 */

struct spill_flow_family {
    struct spill_flow_groups groups;
    struct spill_flow *entries; /* by slot; behind them the heads of the classes' lists */
    uint32_t (*tallies)[2];     /* of IPv6, by slot: an entry has no room for them */
    uint32_t slots;
    uint32_t capacity;
    uint32_t entry_count;
    uint32_t allowed;      /* of those: not strangers */
    uint32_t allowed_most; /* 7/8 of the capacity */
    bool is_v4;
    char name[SPILL_FLOW_TABLE_NAME_MAX + 4];
};

static inline struct spill_flow *spill_flow_at(const struct spill_flow_family *family,
                                               uint64_t slot)
{
    return &family->entries[slot];
}

static inline uint32_t spill_flow_slot(const struct spill_flow_family *family,
                                       const struct spill_flow *flow)
{
    return (uint32_t)(flow - family->entries);
}

/** By direction: where a flow's packets are counted. */
static inline uint32_t *spill_flow_tallies(const struct spill_flow_family *family,
                                           struct spill_flow *flow)
{
    return family->is_v4 ? flow->key.tallies : family->tallies[spill_flow_slot(family, flow)];
}

/** Where a class's list begins and ends: its next is the oldest flow, its previous the newest. */
static inline struct spill_flow *spill_flow_list(const struct spill_flow_family *family,
                                                 enum spill_flow_class class)
{
    return &family->entries[family->slots + class];
}

/** Hash of what stands at `words` as in a packet or in an entry: key and inner VLAN. */
static inline uint64_t spill_flow_hash_of(const struct spill_flow_hash *hash, bool is_v4,
                                          const uint64_t *words, uint16_t inner_vlan)
{
    return is_v4 ? spill_flow_hash4(hash, words, inner_vlan)
                 : spill_flow_hash6(hash, words, inner_vlan);
}

static inline uint64_t spill_flow_hash_entry(const struct spill_flow_hash *hash,
                                             const struct spill_flow_family *family,
                                             const struct spill_flow *flow)
{
    return spill_flow_hash_of(hash, family->is_v4, flow->key.words, flow->inner_vlan);
}

/** Empties the lists. Control thread. */
void spill_flow_lists_init(struct spill_flow_family *family);

/** Takes a flow to the new end of a class's list, out of the one that it is in. */
void spill_flow_enlist(struct spill_flow_family *family, struct spill_flow *flow,
                       enum spill_flow_class class);

/** Takes a flow out of the family. */
void spill_flow_remove(struct spill_flow_family *family, const struct spill_flow_hash *hash,
                       struct spill_flow *flow);

/**
 * Takes a flow that is allowed now from the strangers to its class; another goes for that where
 * there are as many as may be.
 *
 * @return how many went: 0 or 1
 */
uint32_t spill_flow_promote(struct spill_flow_family *family, const struct spill_flow_hash *hash,
                            struct spill_flow *flow);

/** Takes a flow that isn't allowed any more to the strangers. */
void spill_flow_demote(struct spill_flow_family *family, struct spill_flow *flow);

/** Has the oldest stranger go. False: none may. */
bool spill_flow_evict(struct spill_flow_family *family, const struct spill_flow_hash *hash);

/** Has one of the strangers go that stand where a key of this hash might. False: there is none. */
bool spill_flow_evict_near(struct spill_flow_family *family, const struct spill_flow_hash *hash,
                           uint64_t of_key);

#endif
