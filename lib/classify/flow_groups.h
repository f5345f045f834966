/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FLOW_GROUPS_H
#define SPILLWAY_FLOW_GROUPS_H

#include <stdint.h>

#include <rte_common.h>

#include "base/bytes16.h"

/**
 * @file
 * Where a flow's entry is: groups of one-byte tags, beside an array of entries.
 *
 * A group is 15 tags, which one instruction compares at once, and a count of the keys that passed
 * it because it was full (Bronson and Shi, "F14", 2019): where that is 0, a search ends. Entry i of
 * group g is slot g * 15 + i. The tags of a million flows are 1.3 MB and stay in a cache, so that
 * a search reads one line of memory: that of the entry itself.
 *
 * A key has four groups: its home, and three more at a distance that also comes from its hash. It
 * goes home while there is room to spare, then where there is more of it, home or second group,
 * and last into the third and fourth. With 6/7 of all slots taken, which is most, 63 % of the keys
 * are at home, 36 % in the second group, and of 5 000 additions one finds all of its 60 slots
 * taken. With fewer it is one of 20 000 at 98 % of the capacity, of 300 000 at 95, of 10 million at
 * 92 (which is 79 % of the slots), and of 100 million at 90.
 *
 * For the files of the flow table alone.
 */

#define SPILL_FLOW_GROUP  15 /* slots of a group */
#define SPILL_FLOW_PROBES 4  /* groups of a key */

struct spill_flow_group {
    uint8_t tags[SPILL_FLOW_GROUP]; /* 0: free */
    uint8_t passed; /* keys that went on from here; stays at 255 when it was there */
} __attribute__((aligned(16)));

struct spill_flow_groups {
    struct spill_flow_group *all;
    uint32_t count;
};

/** A key's way through the groups. */
struct spill_flow_probe {
    uint32_t group;
    uint32_t step;
};

/** @param hash  its highest bits are for the group, those behind the tag for the step */
static inline uint8_t spill_flow_tag(uint64_t hash)
{
    const uint8_t tag = (uint8_t)hash;

    return (uint8_t)(tag + (tag == 0));
}

/** Even over the groups without a division (Lemire 2016). */
static inline uint32_t spill_flow_home(const struct spill_flow_groups *groups, uint64_t hash)
{
    return (uint32_t)((unsigned __int128)hash * groups->count >> 64);
}

static inline struct spill_flow_probe spill_flow_probe(const struct spill_flow_groups *groups,
                                                       uint64_t hash)
{
    return (struct spill_flow_probe){
        .group = spill_flow_home(groups, hash),
        /* Of at most a quarter of the groups, so that the four are different ones. */
        .step = 1 + (uint32_t)((hash >> 8 & 0xffffff) * (groups->count / SPILL_FLOW_PROBES) >> 24),
    };
}

static inline void spill_flow_probe_next(const struct spill_flow_groups *groups,
                                         struct spill_flow_probe *probe)
{
    probe->group += probe->step;
    if (probe->group >= groups->count)
        probe->group -= groups->count;
}

/** Which of a group's tags are equal to this one: a bit for each. */
static inline uint32_t spill_flow_group_match(const struct spill_flow_group *group, uint8_t tag)
{
    return spill_bytes16_matches(spill_bytes16_load_aligned(group), spill_bytes16_all(tag)) &
           ((1u << SPILL_FLOW_GROUP) - 1);
}

/** The first that is the tag of a hash; SPILL_FLOW_GROUP: none is. */
static inline uint32_t spill_flow_group_first(const struct spill_flow_group *group, uint64_t hash)
{
    /* As spill_flow_tag() has it. */
    const struct spill_bytes16 tag =
        spill_bytes16_max(spill_bytes16_all((uint8_t)hash), spill_bytes16_all(1));

    /* What the last bit says is of no tag: it is where the search ends. */
    return (uint32_t)__builtin_ctz(spill_bytes16_matches(spill_bytes16_load_aligned(group), tag) |
                                   1u << SPILL_FLOW_GROUP);
}

/**
 * Takes a free slot for a key that is not there.
 *
 * @return the slot, or -1 when all that the key may have are taken
 */
int64_t spill_flow_groups_take(struct spill_flow_groups *groups, uint64_t hash);

/** Gives back the slot of a key. */
void spill_flow_groups_give(struct spill_flow_groups *groups, uint64_t hash, uint32_t slot);

#endif
