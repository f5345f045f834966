/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "mirror/next_hops.h"

void spill_next_hops_free(struct spill_next_hops *next_hops)
{
    free(next_hops->all);
    memset(next_hops, 0, sizeof(*next_hops));
}

/* Where an id stands, or would stand. */
static uint32_t place_of(const struct spill_next_hops *next_hops, uint32_t id)
{
    uint32_t low = 0, high = next_hops->count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;

        if (next_hops->all[middle].state.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct spill_next_hop *spill_next_hops_find(const struct spill_next_hops *next_hops,
                                                  uint32_t id)
{
    const uint32_t place = place_of(next_hops, id);

    return place < next_hops->count && next_hops->all[place].state.id == id ? &next_hops->all[place]
                                                                            : NULL;
}

static int grow(struct spill_next_hops *next_hops)
{
    const uint32_t capacity = next_hops->capacity == 0 ? 16 : 2 * next_hops->capacity;
    struct spill_next_hop *all;

    if (next_hops->count < next_hops->capacity)
        return 0;
    all = reallocarray(next_hops->all, capacity, sizeof(*all));
    if (all == NULL)
        return -1;
    next_hops->all = all;
    next_hops->capacity = capacity;
    return 0;
}

int spill_next_hops_set(struct spill_next_hops *next_hops,
                        const struct spill_kernel_next_hop *state, uint32_t generation)
{
    const uint32_t place = place_of(next_hops, state->id);

    if (spill_next_hops_find(next_hops, state->id) == NULL) {
        if (grow(next_hops) != 0)
            return -1;
        memmove(&next_hops->all[place + 1], &next_hops->all[place],
                (next_hops->count - place) * sizeof(*next_hops->all));
        next_hops->count++;
    }
    next_hops->all[place] = (struct spill_next_hop){.state = *state, .generation = generation};
    return 0;
}

static void remove_member(struct spill_kernel_next_hop *group, uint32_t id)
{
    uint32_t i, left = 0;

    for (i = 0; i < group->count; i++) {
        if (group->members[i].id != id)
            group->members[left++] = group->members[i];
    }
    group->count = left;
}

void spill_next_hops_remove(struct spill_next_hops *next_hops, uint32_t id)
{
    const uint32_t place = place_of(next_hops, id);
    uint32_t i;

    if (spill_next_hops_find(next_hops, id) == NULL)
        return;
    next_hops->count--;
    memmove(&next_hops->all[place], &next_hops->all[place + 1],
            (next_hops->count - place) * sizeof(*next_hops->all));
    for (i = 0; i < next_hops->count; i++)
        remove_member(&next_hops->all[i].state, id);
}

bool spill_next_hops_has(const struct spill_next_hop *next_hop, uint32_t id)
{
    uint32_t i;

    for (i = 0; i < next_hop->state.count; i++) {
        if (next_hop->state.members[i].id == id)
            return true;
    }
    return next_hop->state.id == id;
}

uint32_t spill_next_hops_paths(const struct spill_next_hops *next_hops, uint32_t id,
                               struct spill_kernel_path *paths)
{
    const struct spill_next_hop *next_hop = spill_next_hops_find(next_hops, id), *member;
    uint32_t i, count = 0;

    if (next_hop == NULL || next_hop->state.blackhole)
        return 0;
    if (next_hop->state.count == 0 && next_hop->state.path.link != 0) {
        paths[0] = next_hop->state.path;
        return 1;
    }
    for (i = 0; i < next_hop->state.count; i++) {
        member = spill_next_hops_find(next_hops, next_hop->state.members[i].id);
        if (member == NULL || member->state.path.link == 0)
            continue;
        paths[count] = member->state.path;
        paths[count++].weight = next_hop->state.members[i].weight;
    }
    return count;
}
