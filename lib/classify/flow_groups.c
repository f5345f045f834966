/* SPDX-License-Identifier: BSD-3-Clause */
/* Slots taken and given back. */
#include "classify/flow_groups.h"

/* Free slots below which a key looks at its second group, too. */
#define ROOM_TO_SPARE 3

static uint32_t free_slots(const struct spill_flow_groups *groups, uint32_t group)
{
    return (uint32_t)__builtin_popcount(spill_flow_group_match(&groups->all[group], 0));
}

/* How many groups a new key goes on from its home: SPILL_FLOW_PROBES when all are full. */
static unsigned choose(const struct spill_flow_groups *groups, struct spill_flow_probe probe)
{
    uint32_t at_home = free_slots(groups, probe.group), second;

    if (at_home >= ROOM_TO_SPARE)
        return 0;
    spill_flow_probe_next(groups, &probe);
    second = free_slots(groups, probe.group);
    if (at_home > 0 || second > 0)
        return second > at_home;
    for (unsigned i = 2; i < SPILL_FLOW_PROBES; i++) {
        spill_flow_probe_next(groups, &probe);
        if (free_slots(groups, probe.group) > 0)
            return i;
    }
    return SPILL_FLOW_PROBES;
}

int64_t spill_flow_groups_take(struct spill_flow_groups *groups, uint64_t hash)
{
    struct spill_flow_probe probe = spill_flow_probe(groups, hash);
    unsigned on = choose(groups, probe);
    uint32_t slot;

    if (on == SPILL_FLOW_PROBES)
        return -1;
    for (; on > 0; on--) {
        struct spill_flow_group *group = &groups->all[probe.group];

        group->passed = (uint8_t)(group->passed + (group->passed < UINT8_MAX));
        spill_flow_probe_next(groups, &probe);
    }
    slot = (uint32_t)__builtin_ctz(spill_flow_group_match(&groups->all[probe.group], 0));
    groups->all[probe.group].tags[slot] = spill_flow_tag(hash);
    return (int64_t)probe.group * SPILL_FLOW_GROUP + slot;
}

void spill_flow_groups_give(struct spill_flow_groups *groups, uint64_t hash, uint32_t slot)
{
    struct spill_flow_probe probe = spill_flow_probe(groups, hash);

    while (probe.group != slot / SPILL_FLOW_GROUP) {
        struct spill_flow_group *group = &groups->all[probe.group];

        group->passed = (uint8_t)(group->passed - (group->passed < UINT8_MAX));
        spill_flow_probe_next(groups, &probe);
    }
    groups->all[probe.group].tags[slot % SPILL_FLOW_GROUP] = 0;
}
