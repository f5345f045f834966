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
    uint32_t state;

    memset(sets, 0, sizeof(*sets));
    for (state = 0; state < SPILL_PATHS_STATES; state++)
        TAILQ_INIT(&sets->lists[state]);
    TAILQ_INIT(&sets->refused);
    sets->links = links;
    sets->next_hops = next_hops;
    sets->sink = sink;
}

static void enter(struct spill_path_sets *sets, struct spill_path_set *set,
                  enum spill_path_set_state state)
{
    set->state = state;
    TAILQ_INSERT_TAIL(&sets->lists[state], set, entry);
}

static void leave(struct spill_path_sets *sets, struct spill_path_set *set)
{
    TAILQ_REMOVE(&sets->lists[set->state], set, entry);
}

void spill_path_sets_free(struct spill_path_sets *sets)
{
    struct spill_path_set *set, *next;
    uint32_t state;

    spill_tree_free(&sets->tree);
    for (state = 0; state < SPILL_PATHS_STATES; state++) {
        for (set = TAILQ_FIRST(&sets->lists[state]); set != NULL; set = next) {
            next = TAILQ_NEXT(set, entry);
            free(set);
        }
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
        key->paths[i].encapsulation = route->paths[i].encapsulation;
        key->paths[i].gateway = route->paths[i].gateway;
    }
}

static struct spill_path_set *find_like(const struct spill_path_sets *sets,
                                        const struct spill_path_set *like)
{
    struct spill_path_set *const *found = tfind(like, &sets->tree, compare);

    return found != NULL ? *found : NULL;
}

static void leave_object(struct spill_path_sets *sets, struct spill_path_set *set)
{
    if (set->object == NULL)
        return;
    TAILQ_REMOVE(&set->object->sets, set, of_object);
    spill_next_hops_release(sets->next_hops, set->object);
    set->object = NULL;
}

static struct spill_path_set *make(struct spill_path_sets *sets, const struct spill_path_set *like)
{
    const size_t size = offsetof(struct spill_path_set, key) + key_size(like->key.count);
    struct spill_path_set *set = malloc(size);

    if (set == NULL)
        return NULL;
    memcpy(set, like, size);
    TAILQ_INIT(&set->routes);
    if (set->key.next_hop != 0) {
        set->object = spill_next_hops_use(sets->next_hops, set->key.next_hop);
        if (set->object == NULL) {
            free(set);
            return NULL;
        }
        TAILQ_INSERT_TAIL(&set->object->sets, set, of_object);
    }
    if (tsearch(set, &sets->tree, compare) == NULL) {
        leave_object(sets, set);
        free(set);
        return NULL;
    }
    enter(sets, set, SPILL_PATHS_LIVE);
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

/* Its paths, as the kernel has them now. */
static uint32_t paths_of(const struct spill_path_set *set, struct spill_kernel_path *paths)
{
    struct spill_kernel_route own;

    if (set->object != NULL)
        return spill_next_hop_paths(set->object, paths);
    spill_path_set_paths(set, &own);
    memcpy(paths, own.paths, own.count * sizeof(*paths));
    return own.count;
}

/*
 * The paths that are not dead and go by a routed port. @return how many
 *
 * @param tunneled  set if there are others, by which packets are not to leave as they are
 */
static uint32_t resolve(const struct spill_path_sets *sets, const struct spill_path_set *set,
                        struct spill_route_path *paths, bool *tunneled)
{
    struct spill_kernel_path from[SPILL_ROUTER_PATHS_MAX];
    const uint32_t count = paths_of(set, from);
    uint32_t i, usable = 0;

    for (i = 0; i < count; i++) {
        const int interface = spill_mirror_links_interface(sets->links, from[i].link);

        if (interface < 0 || from[i].dead)
            continue;
        if (from[i].encapsulation != 0) {
            *tunneled = true;
            continue;
        }
        paths[usable++] = (struct spill_route_path){.gateway = from[i].gateway,
                                                    .interface = (uint16_t)interface,
                                                    .mtu = set->key.mtu,
                                                    .weight = from[i].weight};
    }
    return usable;
}

static void set_tunneled(struct spill_path_sets *sets, struct spill_path_set *set, bool tunneled)
{
    sets->tunneled_count += tunneled;
    sets->tunneled_count -= set->tunneled;
    set->tunneled = tunneled;
}

/* What packets find: @return the number of paths */
static uint32_t outcome(struct spill_path_sets *sets, struct spill_path_set *set,
                        enum spill_route_action *action, struct spill_route_path *paths)
{
    bool tunneled = false;
    uint32_t count = 0;

    *action = set->key.action;
    if (set->object != NULL && spill_next_hop_is_blackhole(set->object))
        *action = SPILL_ROUTE_BLACKHOLE;
    else if (set->key.action == SPILL_ROUTE_FORWARD && set->state == SPILL_PATHS_LIVE)
        count = resolve(sets, set, paths, &tunneled);
    set_tunneled(sets, set, tunneled);
    set->usable = set->state == SPILL_PATHS_LIVE;
    if (!set->usable || (*action == SPILL_ROUTE_FORWARD && count == 0)) {
        *action = SPILL_ROUTE_UNREACHABLE;
        /* What is to leave in a tunnel must not leave by a worse route without. */
        set->usable &= tunneled;
    }
    return *action == SPILL_ROUTE_FORWARD ? count : 0;
}

static void set_refused(struct spill_path_sets *sets, struct spill_path_set *set, bool refused)
{
    if (set->refused)
        TAILQ_REMOVE(&sets->refused, set, of_refused);
    if (refused)
        TAILQ_INSERT_TAIL(&sets->refused, set, of_refused);
    sets->refused_count += refused;
    sets->refused_count -= set->refused;
    set->refused = refused;
}

/* Makes its group, or has it as the set is now. */
static void give_group(struct spill_path_sets *sets, struct spill_path_set *set)
{
    const struct spill_mirror_sink *sink = sets->sink;
    struct spill_route_path paths[SPILL_ROUTER_PATHS_MAX];
    enum spill_route_action action;
    const uint32_t count = outcome(sets, set, &action, paths);

    if (set->group != 0) {
        set_refused(sets, set,
                    !sink->change_group(sink->context, set->group, action, paths, count));
        return;
    }
    set->group = sink->create_group(sink->context, action, paths, count);
    set_refused(sets, set, set->group == 0);
}

static void look_again(struct spill_path_sets *sets, struct spill_path_set *set)
{
    struct spill_route_path paths[SPILL_ROUTER_PATHS_MAX];
    enum spill_route_action action;
    const bool before = set->usable;

    if (set->group != 0)
        give_group(sets, set);
    else
        outcome(sets, set, &action, paths);
    if (set->usable != before && set->state == SPILL_PATHS_LIVE)
        sets->changed(sets->context, set);
}

uint32_t spill_path_sets_group(struct spill_path_sets *sets, struct spill_path_set *set)
{
    if (set->group == 0 && !set->refused)
        give_group(sets, set);
    return set->group;
}

void spill_path_sets_retry(struct spill_path_sets *sets)
{
    struct spill_path_set *set;

    while ((set = TAILQ_FIRST(&sets->refused)) != NULL) {
        give_group(sets, set);
        if (set->refused)
            return;
        sets->changed(sets->context, set);
    }
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
    set_refused(sets, set, false);
    set_tunneled(sets, set, false);
    if (set->state == SPILL_PATHS_LIVE)
        tdelete(set, &sets->tree, compare);
    leave_object(sets, set);
    leave(sets, set);
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
        route->paths[i] =
            (struct spill_kernel_path){.link = set->key.paths[i].link,
                                       .weight = set->key.paths[i].weight,
                                       .encapsulation = set->key.paths[i].encapsulation,
                                       .gateway = set->key.paths[i].gateway,
                                       .dead = set->dead[i]};
}

/* -------------------------------------------------------------------------- events */

static void doom(struct spill_path_sets *sets, struct spill_path_set *set)
{
    tdelete(set, &sets->tree, compare);
    leave_object(sets, set);
    set_refused(sets, set, false);
    leave(sets, set);
    enter(sets, set, SPILL_PATHS_DOOMED);
    look_again(sets, set);
}

/* One that only prefixes still have, until the sink was told of those, is looked at but once. */
struct spill_path_set *spill_path_sets_next_doomed(struct spill_path_sets *sets)
{
    struct spill_path_set *set;

    while ((set = TAILQ_FIRST(&sets->lists[SPILL_PATHS_DOOMED])) != NULL &&
           TAILQ_EMPTY(&set->routes)) {
        leave(sets, set);
        enter(sets, set, SPILL_PATHS_SPENT);
    }
    return set;
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

    for (set = TAILQ_FIRST(&sets->lists[SPILL_PATHS_LIVE]); set != NULL; set = next) {
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

static void follow(struct spill_path_sets *sets, struct spill_next_hop *object)
{
    struct spill_path_set *set, *next;

    for (set = TAILQ_FIRST(&object->sets); set != NULL; set = next) {
        next = TAILQ_NEXT(set, of_object);
        if (object->known)
            look_again(sets, set);
        else
            doom(sets, set);
    }
}

void spill_path_sets_follow_next_hops(struct spill_path_sets *sets)
{
    struct spill_next_hops *next_hops = sets->next_hops;
    struct spill_next_hop *object;

    while ((object = TAILQ_FIRST(&next_hops->changed)) != NULL) {
        follow(sets, object);
        TAILQ_REMOVE(&next_hops->changed, object, next_changed);
        object->changed = false;
        spill_next_hops_release(next_hops, object);
    }
}

static bool goes_by_link(const struct spill_path_set *set, uint32_t link)
{
    struct spill_kernel_path paths[SPILL_ROUTER_PATHS_MAX];
    const uint32_t count = paths_of(set, paths);
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (paths[i].link == link)
            return true;
    }
    return false;
}

void spill_path_sets_look(struct spill_path_sets *sets, uint32_t link)
{
    struct spill_path_set *set;

    TAILQ_FOREACH (set, &sets->lists[SPILL_PATHS_LIVE], entry) {
        if (goes_by_link(set, link))
            look_again(sets, set);
    }
}
