/* SPDX-License-Identifier: BSD-3-Clause */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "mirror/next_hops.h"
#include "mirror/tree.h"

void spill_next_hops_init(struct spill_next_hops *next_hops)
{
    next_hops->tree = NULL;
    TAILQ_INIT(&next_hops->all);
    TAILQ_INIT(&next_hops->changed);
}

void spill_next_hops_free(struct spill_next_hops *next_hops)
{
    struct spill_next_hop_member *member;
    struct spill_next_hop *next_hop;

    spill_tree_free(&next_hops->tree);
    while ((next_hop = TAILQ_FIRST(&next_hops->all)) != NULL) {
        while ((member = TAILQ_FIRST(&next_hop->members)) != NULL) {
            TAILQ_REMOVE(&next_hop->members, member, of_group);
            free(member);
        }
        TAILQ_REMOVE(&next_hops->all, next_hop, entry);
        free(next_hop);
    }
    TAILQ_INIT(&next_hops->changed);
}

/* --------------------------------------------------------------------------- finding */

static int compare(const void *one, const void *other)
{
    const struct spill_next_hop *left = one, *right = other;

    return (left->id > right->id) - (left->id < right->id);
}

static struct spill_next_hop *find(const struct spill_next_hops *next_hops, uint32_t id)
{
    const struct spill_next_hop like = {.id = id};
    struct spill_next_hop *const *found = tfind(&like, &next_hops->tree, compare);

    return found != NULL ? *found : NULL;
}

struct spill_next_hop *spill_next_hops_use(struct spill_next_hops *next_hops, uint32_t id)
{
    struct spill_next_hop *next_hop = find(next_hops, id);

    if (next_hop != NULL)
        return next_hop;
    next_hop = calloc(1, sizeof(*next_hop));
    if (next_hop == NULL)
        return NULL;
    next_hop->id = id;
    TAILQ_INIT(&next_hop->members);
    TAILQ_INIT(&next_hop->places);
    TAILQ_INIT(&next_hop->sets);
    if (tsearch(next_hop, &next_hops->tree, compare) == NULL) {
        free(next_hop);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&next_hops->all, next_hop, entry);
    return next_hop;
}

void spill_next_hops_release(struct spill_next_hops *next_hops, struct spill_next_hop *next_hop)
{
    if (next_hop->known || next_hop->changed || !TAILQ_EMPTY(&next_hop->places) ||
        !TAILQ_EMPTY(&next_hop->sets))
        return;
    tdelete(next_hop, &next_hops->tree, compare);
    TAILQ_REMOVE(&next_hops->all, next_hop, entry);
    free(next_hop);
}

/* -------------------------------------------------------------------------- changing */

static void queue(struct spill_next_hops *next_hops, struct spill_next_hop *next_hop)
{
    if (next_hop->changed)
        return;
    next_hop->changed = true;
    TAILQ_INSERT_TAIL(&next_hops->changed, next_hop, next_changed);
}

static void queue_with_groups(struct spill_next_hops *next_hops, struct spill_next_hop *next_hop)
{
    const struct spill_next_hop_member *place;

    queue(next_hops, next_hop);
    TAILQ_FOREACH (place, &next_hop->places, of_object)
        queue(next_hops, place->group);
}

static void leave_group(struct spill_next_hop_member *member)
{
    TAILQ_REMOVE(&member->group->members, member, of_group);
    TAILQ_REMOVE(&member->object->places, member, of_object);
    free(member);
}

static void forget_members(struct spill_next_hops *next_hops, struct spill_next_hop *group)
{
    struct spill_next_hop_member *member, *next;

    for (member = TAILQ_FIRST(&group->members); member != NULL; member = next) {
        struct spill_next_hop *object = member->object;

        next = TAILQ_NEXT(member, of_group);
        leave_group(member);
        spill_next_hops_release(next_hops, object);
    }
}

static int join_group(struct spill_next_hops *next_hops, struct spill_next_hop *group,
                      const struct spill_kernel_member *like)
{
    struct spill_next_hop *object = spill_next_hops_use(next_hops, like->id);
    struct spill_next_hop_member *member;

    if (object == NULL)
        return -1;
    member = malloc(sizeof(*member));
    if (member == NULL) {
        spill_next_hops_release(next_hops, object);
        return -1;
    }
    *member =
        (struct spill_next_hop_member){.group = group, .object = object, .weight = like->weight};
    TAILQ_INSERT_TAIL(&group->members, member, of_group);
    TAILQ_INSERT_TAIL(&object->places, member, of_object);
    return 0;
}

int spill_next_hops_set(struct spill_next_hops *next_hops,
                        const struct spill_kernel_next_hop *state, uint32_t generation)
{
    struct spill_next_hop *next_hop = spill_next_hops_use(next_hops, state->id);
    uint32_t i;

    if (next_hop == NULL)
        return -1;
    next_hop->known = true;
    next_hop->generation = generation;
    next_hop->blackhole = state->blackhole;
    next_hop->path = state->path;
    queue_with_groups(next_hops, next_hop);
    forget_members(next_hops, next_hop);
    for (i = 0; i < state->count; i++) {
        if (join_group(next_hops, next_hop, &state->members[i]) != 0)
            return -1;
    }
    return 0;
}

static void leave_groups(struct spill_next_hops *next_hops, struct spill_next_hop *next_hop);

/* It stays in the queue, which is told. */
static void remove_object(struct spill_next_hops *next_hops, struct spill_next_hop *next_hop)
{
    next_hop->known = false;
    queue(next_hops, next_hop);
    forget_members(next_hops, next_hop);
    leave_groups(next_hops, next_hop);
}

/* A group goes with its last member. */
static void leave_groups(struct spill_next_hops *next_hops, struct spill_next_hop *next_hop)
{
    struct spill_next_hop_member *place, *next;

    for (place = TAILQ_FIRST(&next_hop->places); place != NULL; place = next) {
        struct spill_next_hop *group = place->group;

        next = TAILQ_NEXT(place, of_object);
        leave_group(place);
        queue(next_hops, group);
        if (group->known && TAILQ_EMPTY(&group->members))
            remove_object(next_hops, group);
    }
}

void spill_next_hops_remove(struct spill_next_hops *next_hops, uint32_t id)
{
    struct spill_next_hop *next_hop = find(next_hops, id);

    if (next_hop != NULL && next_hop->known)
        remove_object(next_hops, next_hop);
}

/* Nothing that is removed is freed before the queue is told of it. */
void spill_next_hops_remove_link(struct spill_next_hops *next_hops, uint32_t link)
{
    struct spill_next_hop *next_hop;

    TAILQ_FOREACH (next_hop, &next_hops->all, entry) {
        if (next_hop->known && next_hop->path.link == link)
            remove_object(next_hops, next_hop);
    }
}

void spill_next_hops_sweep(struct spill_next_hops *next_hops, uint32_t generation)
{
    struct spill_next_hop *next_hop;

    TAILQ_FOREACH (next_hop, &next_hops->all, entry) {
        if (next_hop->known && next_hop->generation != generation)
            remove_object(next_hops, next_hop);
    }
}

/* ------------------------------------------------------------------------- what it is */

bool spill_next_hop_is_blackhole(const struct spill_next_hop *next_hop)
{
    const struct spill_next_hop_member *first = TAILQ_FIRST(&next_hop->members);

    /* Such a group has no other member. */
    return next_hop->known &&
           (next_hop->blackhole || (first != NULL && spill_next_hop_is_blackhole(first->object)));
}

uint32_t spill_next_hop_paths(const struct spill_next_hop *next_hop,
                              struct spill_kernel_path *paths)
{
    const struct spill_next_hop_member *member;
    uint32_t count = 0;

    if (next_hop->known && next_hop->path.link != 0)
        paths[count++] = next_hop->path;
    TAILQ_FOREACH (member, &next_hop->members, of_group) {
        if (!member->object->known || member->object->path.link == 0)
            continue;
        paths[count] = member->object->path;
        paths[count++].weight = member->weight;
    }
    return count;
}
