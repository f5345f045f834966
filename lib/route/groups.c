/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups: sets of paths, and which flows go by which of them. */
#include <stdlib.h>

#include <rte_jhash.h>

#include "route/state.h"

/* ------------------------------------------------------------------------------ the flows */

static uint32_t weight_of(const struct spill_group_path *path)
{
    return path->path.weight != 0 ? path->path.weight : 1;
}

static bool is_up(const struct spill_router *router, const struct spill_group_path *path)
{
    return router->first->interfaces[path->path.interface].down == 0;
}

/* Which path each bucket of the flows goes by: as many as its weight's share, rounded so that they
 * add up, whatever the links are. */
static void spread(const struct spill_group_state *group, uint8_t paths[SPILL_GROUP_BUCKETS])
{
    uint64_t sum = 0, before = 0;
    uint32_t bucket = 0, i;

    for (i = 0; i < group->count; i++)
        sum += weight_of(&group->paths[i]);
    for (i = 0; i < group->count; i++) {
        before += weight_of(&group->paths[i]);
        for (; bucket < (before * SPILL_GROUP_BUCKETS + sum / 2) / sum; bucket++)
            paths[bucket] = (uint8_t)i;
    }
}

/* The buckets of paths whose link is down go to the others in turn; those of others stay. */
static void fill(const struct spill_router *router, const struct spill_group_state *group,
                 uint16_t hops[SPILL_GROUP_BUCKETS])
{
    uint8_t up[SPILL_ROUTER_PATHS_MAX] = {0}, paths[SPILL_GROUP_BUCKETS] = {0};
    uint32_t count = 0, next = 0, i;

    for (i = 0; i < group->count; i++) {
        if (is_up(router, &group->paths[i]))
            up[count++] = (uint8_t)i;
    }
    spread(group, paths);
    for (i = 0; i < SPILL_GROUP_BUCKETS; i++) {
        if (count > 0 && !is_up(router, &group->paths[paths[i]]))
            paths[i] = up[next++ % count];
        hops[i] = group->paths[paths[i]].hop;
    }
}

static uint16_t least_mtu(const struct spill_group_state *group)
{
    uint16_t least = UINT16_MAX;
    uint32_t i;

    for (i = 0; i < group->count; i++) {
        const uint16_t mtu = group->paths[i].path.mtu;

        if (mtu != 0 && mtu < least)
            least = mtu;
    }
    return least;
}

/* Shows a group to the lcores. Whatever mixture of before and after they see is right: hops before
 * the head, as a hop of either is the group's own. */
static void publish(struct spill_router *router, uint16_t number)
{
    const struct spill_group_state *group = &router->groups[number];
    union spill_group_head head = {.action = group->action,
                                   .mask = group->count > 1 ? SPILL_GROUP_BUCKETS - 1 : 0,
                                   .mtu = least_mtu(group)};
    uint16_t hops[SPILL_GROUP_BUCKETS] = {0};
    struct spill_route_tables *tables;
    uint32_t i;

    if (group->count > 0)
        fill(router, group, hops);
    SPILL_EACH_TABLES(router, tables)
    {
        struct spill_group *seen = &tables->groups[number];

        /* Without paths the hops go last: until then some may forward by them. */
        if (group->count == 0)
            __atomic_store_n(&seen->head, head.word, __ATOMIC_RELEASE);
        for (i = 0; i < SPILL_GROUP_BUCKETS && group->count > 0; i++)
            __atomic_store_n(&seen->hops[i], hops[i], __ATOMIC_RELEASE);
        __atomic_store_n(&seen->head, head.word, __ATOMIC_RELEASE);
    }
}

void spill_groups_follow_links(struct spill_router *router)
{
    uint32_t i;

    for (i = 1; i < router->group_numbers.fresh; i++) {
        if (router->groups[i].count > 1)
            publish(router, (uint16_t)i);
    }
}

/* ------------------------------------------------------------------------------ the paths */

static int compare(const void *one, const void *other)
{
    const struct spill_group_path *a = one, *b = other;

    if (a->path.interface != b->path.interface)
        return a->path.interface < b->path.interface ? -1 : 1;
    if (a->path.gateway.family != b->path.gateway.family)
        return a->path.gateway.family < b->path.gateway.family ? -1 : 1;
    return memcmp(a->path.gateway.bytes, b->path.gateway.bytes, sizeof(a->path.gateway.bytes));
}

static int check(const struct spill_router *router, enum spill_route_action action,
                 const struct spill_route_path *paths, uint32_t count, struct spill_error *error)
{
    uint32_t i;

    if (action == SPILL_ROUTE_FORWARD ? count == 0 : count != 0)
        return spill_error_set(error, "route: %u paths; to be forwarded it has some, else none",
                               count);
    if (count > SPILL_ROUTER_PATHS_MAX)
        return spill_error_set(error, "route: %u paths; at most %d", count, SPILL_ROUTER_PATHS_MAX);
    for (i = 0; i < count; i++) {
        if (paths[i].interface >= router->interface_count)
            return spill_error_set(error, "route: no interface %u", paths[i].interface);
    }
    return 0;
}

static void forget_paths(struct spill_router *router, struct spill_group_path *paths,
                         uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++)
        spill_neighbors_unuse(router, paths[i].hop);
    free(paths);
}

/* The paths in an order of their own, each with its hop. */
static int take_paths(struct spill_router *router, const struct spill_route_path *paths,
                      uint32_t count, struct spill_group_path **taken, struct spill_error *error)
{
    uint32_t i;

    *taken = calloc(RTE_MAX(count, 1u), sizeof(**taken));
    if (*taken == NULL)
        return spill_error_set(error, "route: no memory");
    for (i = 0; i < count; i++) {
        (*taken)[i] = (struct spill_group_path){paths[i], spill_neighbors_use(router, &paths[i])};
        if ((*taken)[i].hop == 0) {
            forget_paths(router, *taken, i);
            return spill_error_set(error, "route: there are %d neighbors, which is the most",
                                   SPILL_ROUTER_NEIGHBORS_MAX);
        }
    }
    qsort(*taken, count, sizeof(**taken), compare);
    return 0;
}

/* ----------------------------------------------------------------------------- the groups */

/* A new group, which takes the paths; 0: there are too many. */
static uint16_t add(struct spill_router *router, enum spill_route_action action,
                    struct spill_group_path *paths, uint32_t count)
{
    const uint16_t number = spill_numbers_take(&router->group_numbers);

    if (number == 0)
        return 0;
    router->groups[number] = (struct spill_group_state){
        .action = (uint8_t)action, .paths = paths, .count = (uint16_t)count};
    publish(router, number);
    return number;
}

static int too_many(struct spill_error *error)
{
    return spill_error_set(error, "route: there are %d different sets of paths, which is the most",
                           SPILL_ROUTER_GROUPS_MAX - 1);
}

static uint16_t *chain_of(struct spill_router *router, uint8_t action,
                          const struct spill_group_path *paths, uint32_t count)
{
    uint32_t hash = router->config.seed ^ action, i;

    for (i = 0; i < count; i++)
        hash = rte_jhash_3words(paths[i].hop, paths[i].path.mtu, weight_of(&paths[i]), hash);
    return &router->group_chains[hash & (SPILL_GROUP_CHAINS - 1)];
}

static bool is_same(const struct spill_group_state *group, uint8_t action,
                    const struct spill_group_path *paths, uint32_t count)
{
    uint32_t i;

    if (group->action != action || group->count != count)
        return false;
    for (i = 0; i < count; i++) {
        if (group->paths[i].hop != paths[i].hop || group->paths[i].path.mtu != paths[i].path.mtu ||
            weight_of(&group->paths[i]) != weight_of(&paths[i]))
            return false;
    }
    return true;
}

uint16_t spill_groups_find(struct spill_router *router, enum spill_route_action action,
                           const struct spill_route_path *paths, uint32_t count,
                           struct spill_error *error)
{
    struct spill_group_path *taken;
    uint16_t *chain, number;

    if (check(router, action, paths, count, error) != 0 ||
        take_paths(router, paths, count, &taken, error) != 0)
        return 0;
    chain = chain_of(router, (uint8_t)action, taken, count);
    for (number = *chain; number != 0; number = router->groups[number].next) {
        if (is_same(&router->groups[number], (uint8_t)action, taken, count)) {
            forget_paths(router, taken, count);
            return number;
        }
    }
    number = add(router, action, taken, count);
    if (number == 0) {
        forget_paths(router, taken, count);
        too_many(error);
        return 0;
    }
    router->groups[number].shared = true;
    router->groups[number].next = *chain;
    *chain = number;
    return number;
}

static void end(struct spill_router *router, uint16_t number)
{
    struct spill_group_state *group = &router->groups[number];

    if (group->uses != 0 || group->held)
        return;
    if (group->shared) {
        uint16_t *link = chain_of(router, group->action, group->paths, group->count);

        while (*link != number)
            link = &router->groups[*link].next;
        *link = group->next;
    }
    forget_paths(router, group->paths, group->count);
    *group = (struct spill_group_state){.action = SPILL_ROUTE_NONE};
    spill_numbers_give(&router->group_numbers, number);
}

void spill_groups_use(struct spill_router *router, uint16_t number)
{
    router->groups[number].uses++;
}

void spill_groups_unuse(struct spill_router *router, uint16_t number)
{
    router->groups[number].uses--;
    end(router, number);
}

static uint16_t create(struct spill_router *router, enum spill_route_action action,
                       const struct spill_route_path *paths, uint32_t count,
                       struct spill_error *error)
{
    struct spill_group_path *taken;
    uint16_t number;

    if (check(router, action, paths, count, error) != 0 ||
        take_paths(router, paths, count, &taken, error) != 0)
        return 0;
    number = add(router, action, taken, count);
    if (number == 0) {
        forget_paths(router, taken, count);
        too_many(error);
    }
    return number;
}

uint32_t spill_router_create_group(struct spill_router *router, enum spill_route_action action,
                                   const struct spill_route_path *paths, uint32_t count,
                                   struct spill_error *error)
{
    const uint16_t number = create(router, action, paths, count, error);

    if (number != 0)
        router->groups[number].held = true;
    else
        router->refused++;
    return number;
}

int spill_router_change_group(struct spill_router *router, uint32_t number,
                              enum spill_route_action action, const struct spill_route_path *paths,
                              uint32_t count, struct spill_error *error)
{
    struct spill_group_state *group = &router->groups[number];
    struct spill_group_path *taken, *before = group->paths;
    const uint32_t count_before = group->count;

    if (check(router, action, paths, count, error) != 0 ||
        take_paths(router, paths, count, &taken, error) != 0) {
        router->refused++;
        return -1;
    }
    group->action = (uint8_t)action;
    group->paths = taken;
    group->count = (uint16_t)count;
    publish(router, (uint16_t)number);
    forget_paths(router, before, count_before);
    return 0;
}

void spill_router_release_group(struct spill_router *router, uint32_t number)
{
    router->groups[number].held = false;
    end(router, (uint16_t)number);
}

void spill_groups_free(struct spill_router *router)
{
    uint32_t i;

    for (i = 0; i < SPILL_ROUTER_GROUPS_MAX; i++)
        free(router->groups[i].paths);
}
