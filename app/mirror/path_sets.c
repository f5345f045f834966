/* SPDX-License-Identifier: BSD-3-Clause */
#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "mirror/path_sets.h"
#include "mirror/tree.h"

void spill_path_sets_init(struct spill_path_sets *sets, struct spill_mirror_links *links,
                          struct spill_next_hops *next_hops, const struct spill_mirror_sink *sink)
{
    memset(sets, 0, sizeof(*sets));
    TAILQ_INIT(&sets->all);
    TAILQ_INIT(&sets->doomed);
    sets->links = links;
    sets->next_hops = next_hops;
    sets->sink = sink;
}

void spill_path_sets_free(struct spill_path_sets *sets)
{
    struct spill_path_set *set;

    spill_tree_free(&sets->tree);
    TAILQ_CONCAT(&sets->all, &sets->doomed, entry);
    while ((set = TAILQ_FIRST(&sets->all)) != NULL) {
        TAILQ_REMOVE(&sets->all, set, entry);
        free(set);
    }
}

/* ------------------------------------------------------------------------- finding */

static size_t key_size(uint32_t paths)
{
    return offsetof(struct spill_path_set_key, paths) +
           paths * sizeof(((struct spill_path_set_key *)0)->paths[0]);
}

static int compare(const void *one, const void *other)
{
    const struct spill_path_set *left = one, *right = other;

    if (left->key.count != right->key.count)
        return left->key.count < right->key.count ? -1 : 1;
    return memcmp(&left->key, &right->key, key_size(left->key.count));
}

/* Compared as bytes: those that no field has are 0. */
static void make_key(struct spill_path_set_key *key, const struct spill_kernel_route *route)
{
    uint32_t i;

    memset(key, 0, sizeof(*key));
    key->family = route->prefix.address.family;
    key->action = route->action;
    key->kept = route->kept;
    key->mtu = route->mtu;
    key->next_hop = route->next_hop;
    key->count = route->count;
    for (i = 0; i < route->count; i++) {
        key->paths[i].link = route->paths[i].link;
        key->paths[i].weight = route->paths[i].weight;
        key->paths[i].gateway = route->paths[i].gateway;
    }
}

static struct spill_path_set *find_like(const struct spill_path_sets *sets,
                                        const struct spill_path_set *like)
{
    struct spill_path_set *const *found = tfind(like, &sets->tree, compare);

    return found != NULL ? *found : NULL;
}

static struct spill_path_set *make(struct spill_path_sets *sets, const struct spill_path_set *like)
{
    const size_t size = offsetof(struct spill_path_set, key) + key_size(like->key.count);
    struct spill_path_set *set = malloc(size);

    if (set == NULL)
        return NULL;
    memcpy(set, like, size);
    TAILQ_INIT(&set->routes);
    if (tsearch(set, &sets->tree, compare) == NULL) {
        free(set);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&sets->all, set, entry);
    return set;
}

struct spill_path_set *spill_path_sets_find(const struct spill_path_sets *sets,
                                            const struct spill_kernel_route *route)
{
    struct spill_path_set like = {.users = 0};

    make_key(&like.key, route);
    return find_like(sets, &like);
}

/* ----------------------------------------------------------------------- resolving */

/* The paths that are not dead and go by a routed port. @return how many */
static uint32_t resolve(const struct spill_path_sets *sets, const struct spill_path_set *set,
                        struct spill_route_path *paths)
{
    struct spill_kernel_path of_object[SPILL_ROUTER_PATHS_MAX];
    struct spill_kernel_route own;
    const struct spill_kernel_path *from = own.paths;
    uint32_t i, count, usable = 0;

    spill_path_set_paths(set, &own);
    count = own.count;
    if (own.next_hop != 0) {
        count = spill_next_hops_paths(sets->next_hops, own.next_hop, of_object);
        from = of_object;
    }
    for (i = 0; i < count; i++) {
        const int interface = spill_mirror_links_interface(sets->links, from[i].link);

        if (interface < 0 || from[i].dead)
            continue;
        paths[usable++] = (struct spill_route_path){.gateway = from[i].gateway,
                                                    .interface = (uint16_t)interface,
                                                    .mtu = own.mtu,
                                                    .weight = from[i].weight};
    }
    return usable;
}

/* What packets find: @return the number of paths */
static uint32_t outcome(const struct spill_path_sets *sets, struct spill_path_set *set,
                        enum spill_route_action *action, struct spill_route_path *paths)
{
    const struct spill_next_hop *object = spill_next_hops_find(sets->next_hops, set->key.next_hop);
    uint32_t count = 0;

    *action = set->key.action;
    set->usable = !set->doomed;
    if (object != NULL && object->state.blackhole)
        *action = SPILL_ROUTE_BLACKHOLE;
    else if (set->key.action == SPILL_ROUTE_FORWARD)
        count = resolve(sets, set, paths);
    if (set->doomed || (*action == SPILL_ROUTE_FORWARD && count == 0)) {
        set->usable = false;
        *action = SPILL_ROUTE_UNREACHABLE;
        count = 0;
    }
    return count;
}

static void look_again(struct spill_path_sets *sets, struct spill_path_set *set)
{
    struct spill_route_path paths[SPILL_ROUTER_PATHS_MAX];
    enum spill_route_action action;
    const bool before = set->usable;
    const uint32_t count = outcome(sets, set, &action, paths);

    if (set->group != 0)
        sets->sink->change_group(sets->sink->context, set->group, action, paths, count);
    if (set->usable != before && !set->doomed)
        sets->changed(sets->context, set);
}

uint32_t spill_path_sets_group(struct spill_path_sets *sets, struct spill_path_set *set)
{
    struct spill_route_path paths[SPILL_ROUTER_PATHS_MAX];
    enum spill_route_action action;
    uint32_t count;

    if (set->group != 0 || set->refused)
        return set->group;
    count = outcome(sets, set, &action, paths);
    set->group = sets->sink->create_group(sets->sink->context, action, paths, count);
    set->refused = set->group == 0;
    sets->refused += set->refused;
    return set->group;
}

/* --------------------------------------------------------------------------- users */

struct spill_path_set *spill_path_sets_take(struct spill_path_sets *sets,
                                            const struct spill_kernel_route *route)
{
    struct spill_path_set like = {.users = 0}, *set;
    bool differs = false;
    uint32_t i;

    make_key(&like.key, route);
    set = find_like(sets, &like);
    if (set == NULL) {
        set = make(sets, &like);
        differs = true;
    }
    if (set == NULL)
        return NULL;
    for (i = 0; i < route->count; i++) {
        differs |= set->dead[i] != route->paths[i].dead;
        set->dead[i] = route->paths[i].dead;
    }
    if (differs)
        look_again(sets, set);
    set->users++;
    return set;
}

void spill_path_sets_release(struct spill_path_sets *sets, struct spill_path_set *set)
{
    if (--set->users > 0)
        return;
    if (set->group != 0)
        sets->sink->release_group(sets->sink->context, set->group);
    if (set->doomed) {
        TAILQ_REMOVE(&sets->doomed, set, entry);
    } else {
        tdelete(set, &sets->tree, compare);
        TAILQ_REMOVE(&sets->all, set, entry);
    }
    free(set);
}

void spill_path_set_paths(const struct spill_path_set *set, struct spill_kernel_route *route)
{
    uint32_t i;

    route->prefix.address.family = set->key.family;
    route->action = set->key.action;
    route->kept = set->key.kept;
    route->mtu = set->key.mtu;
    route->next_hop = set->key.next_hop;
    route->count = set->key.count;
    for (i = 0; i < set->key.count; i++)
        route->paths[i] = (struct spill_kernel_path){.link = set->key.paths[i].link,
                                                     .weight = set->key.paths[i].weight,
                                                     .gateway = set->key.paths[i].gateway,
                                                     .dead = set->dead[i]};
}

/* -------------------------------------------------------------------------- events */

static void doom(struct spill_path_sets *sets, struct spill_path_set *set)
{
    tdelete(set, &sets->tree, compare);
    TAILQ_REMOVE(&sets->all, set, entry);
    TAILQ_INSERT_TAIL(&sets->doomed, set, entry);
    set->doomed = true;
    look_again(sets, set);
}

/* Whether the kernel looks at routes of that kind. Those by objects go with these. */
static bool concerns(const struct spill_path_set *set, enum spill_path_event event)
{
    const bool ipv4 = set->key.family == AF_INET;

    if (set->key.next_hop != 0)
        return false;
    if (event == SPILL_PATHS_LINK_DOWN)
        return !set->key.kept && (ipv4 || set->key.action == SPILL_ROUTE_FORWARD);
    if (event == SPILL_PATHS_NO_ADDRESS || event == SPILL_PATHS_NEW_ADDRESS)
        return ipv4;
    return true;
}

void spill_path_sets_link(struct spill_path_sets *sets, uint32_t link, enum spill_path_event event)
{
    const bool dead = event != SPILL_PATHS_LINK_UP && event != SPILL_PATHS_NEW_ADDRESS;
    struct spill_path_set *set, *next;

    for (set = TAILQ_FIRST(&sets->all); set != NULL; set = next) {
        uint32_t i, alive = 0;
        bool differs = false;

        next = TAILQ_NEXT(set, entry);
        if (!concerns(set, event))
            continue;
        for (i = 0; i < set->key.count; i++) {
            if (set->key.paths[i].link == link) {
                differs |= set->dead[i] != dead;
                set->dead[i] = dead;
            }
            alive += !set->dead[i];
        }
        if (differs && alive == 0)
            doom(sets, set);
        else if (differs)
            look_again(sets, set);
    }
}

/* Whether a set goes by an object, or a group that has it. */
static bool goes_by(const struct spill_path_sets *sets, const struct spill_path_set *set,
                    uint32_t id)
{
    const struct spill_next_hop *object = spill_next_hops_find(sets->next_hops, set->key.next_hop);

    return object != NULL && spill_next_hops_has(object, id);
}

void spill_path_sets_next_hop(struct spill_path_sets *sets, uint32_t id)
{
    struct spill_path_set *set;

    TAILQ_FOREACH (set, &sets->all, entry) {
        if (set->key.next_hop != 0 && goes_by(sets, set, id))
            look_again(sets, set);
    }
}

static bool goes_by_link(const struct spill_path_sets *sets, const struct spill_path_set *set,
                         uint32_t link)
{
    struct spill_kernel_path of_object[SPILL_ROUTER_PATHS_MAX];
    uint32_t i, count;

    if (set->key.next_hop != 0) {
        count = spill_next_hops_paths(sets->next_hops, set->key.next_hop, of_object);
        for (i = 0; i < count; i++) {
            if (of_object[i].link == link)
                return true;
        }
        return false;
    }
    for (i = 0; i < set->key.count; i++) {
        if (set->key.paths[i].link == link)
            return true;
    }
    return false;
}

void spill_path_sets_look(struct spill_path_sets *sets, uint32_t link)
{
    struct spill_path_set *set;

    TAILQ_FOREACH (set, &sets->all, entry) {
        if (goes_by_link(sets, set, link))
            look_again(sets, set);
    }
}

void spill_path_sets_no_next_hop(struct spill_path_sets *sets, uint32_t id)
{
    struct spill_path_set *set, *next;

    for (set = TAILQ_FIRST(&sets->all); set != NULL; set = next) {
        next = TAILQ_NEXT(set, entry);
        if (set->key.next_hop == id)
            doom(sets, set);
    }
}
