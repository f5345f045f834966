/* SPDX-License-Identifier: BSD-3-Clause */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "control/log.h"
#include "mirror/routes.h"
#include "mirror/tree.h"

void spill_mirror_routes_free(struct spill_mirror_routes *routes)
{
    struct spill_mirror_prefix *prefix;
    struct spill_mirror_route *route;

    spill_tree_free(&routes->tree);
    while ((prefix = TAILQ_FIRST(&routes->all)) != NULL) {
        while ((route = TAILQ_FIRST(&prefix->routes)) != NULL) {
            TAILQ_REMOVE(&prefix->routes, route, of_prefix);
            free(route);
        }
        TAILQ_REMOVE(&routes->all, prefix, entry);
        free(prefix);
    }
}

/* ------------------------------------------------------------------------ prefixes */

static int compare(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(struct spill_ip_prefix));
}

static struct spill_mirror_prefix *find_prefix(const struct spill_mirror_routes *routes,
                                               const struct spill_ip_prefix *key)
{
    struct spill_mirror_prefix *const *found = tfind(key, &routes->tree, compare);

    return found != NULL ? *found : NULL;
}

static struct spill_mirror_prefix *find_or_make(struct spill_mirror_routes *routes,
                                                const struct spill_ip_prefix *key)
{
    struct spill_mirror_prefix *prefix = find_prefix(routes, key);

    if (prefix != NULL)
        return prefix;
    prefix = calloc(1, sizeof(*prefix));
    if (prefix == NULL)
        return NULL;
    prefix->prefix = *key;
    TAILQ_INIT(&prefix->routes);
    if (tsearch(prefix, &routes->tree, compare) == NULL) {
        free(prefix);
        return NULL;
    }
    /* A sweep has no need to see it. */
    TAILQ_INSERT_HEAD(&routes->all, prefix, entry);
    routes->prefixes++;
    return prefix;
}

/* One without routes goes when the sink has been told. */
static void mark(struct spill_mirror_routes *routes, struct spill_mirror_prefix *prefix)
{
    if (prefix->dirty)
        return;
    prefix->dirty = true;
    TAILQ_INSERT_TAIL(&routes->dirty, prefix, next_dirty);
}

/* Packets can go by it now and could not, or the reverse. */
static void set_changed(void *context, struct spill_path_set *set)
{
    struct spill_mirror_routes *routes = context;
    struct spill_mirror_route *route;

    TAILQ_FOREACH (route, &set->routes, of_set)
        mark(routes, route->prefix);
}

int spill_mirror_routes_init(struct spill_mirror_routes *routes, struct spill_path_sets *sets,
                             const struct spill_mirror_sink *sink)
{
    memset(routes, 0, sizeof(*routes));
    TAILQ_INIT(&routes->all);
    TAILQ_INIT(&routes->dirty);
    TAILQ_INIT(&routes->refused[0]);
    TAILQ_INIT(&routes->refused[1]);
    routes->sets = sets;
    routes->sink = sink;
    sets->changed = set_changed;
    sets->context = routes;
    routes->unreachable = sink->create_group(sink->context, SPILL_ROUTE_UNREACHABLE, NULL, 0);
    return routes->unreachable != 0 ? 0 : -1;
}

static void free_prefix(struct spill_mirror_routes *routes, struct spill_mirror_prefix *prefix)
{
    if (routes->cursor == prefix)
        routes->cursor = TAILQ_NEXT(prefix, entry);
    tdelete(prefix, &routes->tree, compare);
    TAILQ_REMOVE(&routes->all, prefix, entry);
    routes->prefixes--;
    free(prefix);
}

/* -------------------------------------------------------------------- alternatives */

/* Whether one stands before another whatever their order of coming. */
static bool before(const struct spill_mirror_route *route, bool local, uint32_t metric)
{
    return route->local != local ? route->local : route->metric < metric;
}

static bool alike(const struct spill_mirror_route *route, bool local, uint32_t metric)
{
    return route->local == local && route->metric == metric;
}

static void insert(struct spill_mirror_route *route, bool first)
{
    struct spill_mirror_route *other, *behind = NULL;

    TAILQ_FOREACH (other, &route->prefix->routes, of_prefix) {
        if (!before(other, route->local, route->metric) &&
            (first || !alike(other, route->local, route->metric)))
            break;
        behind = other;
    }
    if (behind != NULL)
        TAILQ_INSERT_AFTER(&route->prefix->routes, behind, route, of_prefix);
    else
        TAILQ_INSERT_HEAD(&route->prefix->routes, route, of_prefix);
}

static void give_set(struct spill_mirror_routes *routes, struct spill_mirror_route *route,
                     struct spill_path_set *set)
{
    struct spill_path_set *old = route->set;

    if (old != NULL)
        TAILQ_REMOVE(&old->routes, route, of_set);
    route->set = set;
    TAILQ_INSERT_TAIL(&set->routes, route, of_set);
    if (old != NULL)
        spill_path_sets_release(routes->sets, old);
    mark(routes, route->prefix);
}

static void remove_route(struct spill_mirror_routes *routes, struct spill_mirror_route *route)
{
    mark(routes, route->prefix);
    TAILQ_REMOVE(&route->prefix->routes, route, of_prefix);
    TAILQ_REMOVE(&route->set->routes, route, of_set);
    spill_path_sets_release(routes->sets, route->set);
    routes->count--;
    free(route);
}

/* What the kernel has dropped already is in nobody's way. */
static void remove_doomed(struct spill_mirror_routes *routes, struct spill_mirror_prefix *prefix)
{
    struct spill_mirror_route *route, *next;

    for (route = TAILQ_FIRST(&prefix->routes); route != NULL; route = next) {
        next = TAILQ_NEXT(route, of_prefix);
        if (route->set->state != SPILL_PATHS_LIVE)
            remove_route(routes, route);
    }
}

static struct spill_mirror_route *find_same(const struct spill_mirror_prefix *prefix,
                                            const struct spill_kernel_route *like,
                                            const struct spill_path_set *set)
{
    struct spill_mirror_route *route;

    TAILQ_FOREACH (route, &prefix->routes, of_prefix) {
        /* TAILQ_REMOVE() took what was freed out of the list, by a pointer that the analyzer can't
         * follow. */
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        if (alike(route, like->local, like->metric) && route->set == set)
            return route;
    }
    return NULL;
}

/* The one that a message replaces; IPv6 prefers one that merges as the new one does. */
static struct spill_mirror_route *find_replaced(const struct spill_mirror_prefix *prefix,
                                                const struct spill_kernel_route *like)
{
    struct spill_mirror_route *route, *any = NULL;

    TAILQ_FOREACH (route, &prefix->routes, of_prefix) {
        if (!alike(route, like->local, like->metric))
            continue;
        if (route->merges == like->merges)
            return route;
        if (any == NULL)
            any = route;
    }
    return any;
}

static struct spill_mirror_route *find_merged(const struct spill_mirror_prefix *prefix,
                                              const struct spill_kernel_route *like)
{
    struct spill_mirror_route *route;

    TAILQ_FOREACH (route, &prefix->routes, of_prefix) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as in find_same() */
        if (alike(route, like->local, like->metric) && route->merges)
            return route;
    }
    return NULL;
}

static struct spill_mirror_route *make_route(struct spill_mirror_routes *routes,
                                             struct spill_mirror_prefix *prefix,
                                             const struct spill_kernel_route *like, bool first)
{
    struct spill_mirror_route *route = calloc(1, sizeof(*route));

    if (route == NULL)
        return NULL;
    route->prefix = prefix;
    route->metric = like->metric;
    route->local = like->local;
    route->merges = like->merges;
    insert(route, first);
    routes->count++;
    return route;
}

/* Takes one that is there to where a message has it. */
static void move(struct spill_mirror_routes *routes, struct spill_mirror_route *route, bool first)
{
    TAILQ_REMOVE(&route->prefix->routes, route, of_prefix);
    insert(route, first);
    mark(routes, route->prefix);
}

static int add(struct spill_mirror_routes *routes, struct spill_mirror_prefix *prefix,
               const struct spill_kernel_route *like, struct spill_path_set *set,
               enum spill_route_place place, bool dumped, uint32_t generation)
{
    const bool first = place == SPILL_ROUTE_FIRST && like->prefix.address.family == AF_INET;
    struct spill_mirror_route *same = find_same(prefix, like, set), *route = NULL;

    if (same != NULL) {
        if (place != SPILL_ROUTE_INSTEAD)
            move(routes, same, first);
        same->generation = generation;
        spill_path_sets_release(routes->sets, set);
        return 0;
    }
    if (place == SPILL_ROUTE_INSTEAD)
        route = find_replaced(prefix, like);
    else if (like->merges)
        route = find_merged(prefix, like);
    if (route == NULL)
        route = make_route(routes, prefix, like, first);
    if (route == NULL) {
        spill_path_sets_release(routes->sets, set);
        return -1;
    }
    route->merges = like->merges;
    route->generation = generation;
    give_set(routes, route, set);
    routes->differences += dumped;
    return 0;
}

int spill_mirror_routes_add(struct spill_mirror_routes *routes,
                            const struct spill_kernel_route *route, enum spill_route_place place,
                            bool dumped, uint32_t generation)
{
    struct spill_mirror_prefix *prefix = find_or_make(routes, &route->prefix);
    struct spill_path_set *set;
    int status;

    if (prefix == NULL)
        return -1;
    remove_doomed(routes, prefix);
    set = spill_path_sets_take(routes->sets, route);
    status = set == NULL ? -1 : add(routes, prefix, route, set, place, dumped, generation);
    if (TAILQ_EMPTY(&prefix->routes))
        mark(routes, prefix);
    return status;
}

/* ------------------------------------------------------------------------ deleting */

static bool same_path(const struct spill_kernel_path *one, const struct spill_kernel_path *other)
{
    return one->link == other->link && one->encapsulation == other->encapsulation &&
           spill_ip_equal(&one->gateway, &other->gateway);
}

/* Leaves of `all` what is not in `gone`. @return how many were in it */
static uint32_t subtract(struct spill_kernel_route *all, const struct spill_kernel_route *gone)
{
    uint32_t i, j, left = 0, count = all->count;

    for (i = 0; i < count; i++) {
        for (j = 0; j < gone->count && !same_path(&all->paths[i], &gone->paths[j]); j++)
            ;
        if (j == gone->count)
            all->paths[left++] = all->paths[i];
    }
    all->count = left;
    return count - left;
}

/* Some of the paths of an IPv6 route go, or all. */
static int delete_paths(struct spill_mirror_routes *routes, struct spill_mirror_route *route,
                        const struct spill_kernel_route *gone)
{
    struct spill_kernel_route left = *gone;
    struct spill_path_set *set;

    spill_path_set_paths(route->set, &left);
    if (subtract(&left, gone) == 0)
        return 0;
    if (left.count == 0) {
        remove_route(routes, route);
        return 0;
    }
    set = spill_path_sets_take(routes->sets, &left);
    if (set == NULL)
        return -1;
    give_set(routes, route, set);
    return 0;
}

int spill_mirror_routes_delete(struct spill_mirror_routes *routes,
                               const struct spill_kernel_route *gone)
{
    struct spill_mirror_prefix *prefix = find_prefix(routes, &gone->prefix);
    struct spill_mirror_route *route;

    if (prefix == NULL)
        return 0;
    remove_doomed(routes, prefix);
    if (gone->merges) {
        route = find_merged(prefix, gone);
        return route != NULL ? delete_paths(routes, route, gone) : 0;
    }
    route = find_same(prefix, gone, spill_path_sets_find(routes->sets, gone));
    if (route != NULL)
        remove_route(routes, route);
    return 0;
}

/* ------------------------------------------------------------------------ the sink */

void spill_mirror_routes_retry(struct spill_mirror_routes *routes)
{
    uint32_t six;

    for (six = 0; six < 2; six++) {
        if (!TAILQ_EMPTY(&routes->refused[six]))
            mark(routes, TAILQ_FIRST(&routes->refused[six]));
    }
}

void spill_mirror_routes_sweep(struct spill_mirror_routes *routes, uint32_t generation)
{
    routes->cursor = TAILQ_FIRST(&routes->all);
    routes->generation = generation;
}

/* The set whose group a prefix is to have; NULL: unreachable. */
static struct spill_path_set *best(struct spill_mirror_routes *routes,
                                   const struct spill_mirror_prefix *prefix)
{
    const struct spill_mirror_route *route;

    TAILQ_FOREACH (route, &prefix->routes, of_prefix) {
        if (route->set->usable)
            return spill_path_sets_group(routes->sets, route->set) != 0 ? route->set : NULL;
    }
    return NULL;
}

static void tell_tunnel(struct spill_mirror_routes *routes,
                        const struct spill_mirror_prefix *prefix)
{
    char text[SPILL_IP_PREFIX_TEXT];

    if (!routes->told_tunnel)
        SPILL_LOG(
            WARNING,
            "router: route %s leads into a tunnel (encap), which is not made here: nothing is "
            "sent by that way, nor by others of the kind, which are not told",
            spill_ip_prefix_write(&prefix->prefix, text));
    routes->told_tunnel = true;
}

static void set_refused(struct spill_mirror_routes *routes, struct spill_mirror_prefix *prefix,
                        bool refused)
{
    const bool six = prefix->prefix.address.family == AF_INET6;

    if (prefix->refused)
        TAILQ_REMOVE(&routes->refused[six], prefix, of_refused);
    if (refused)
        TAILQ_INSERT_TAIL(&routes->refused[six], prefix, of_refused);
    routes->refused_count += refused;
    routes->refused_count -= prefix->refused;
    prefix->refused = refused;
}

/* Where one has found room, there may be room for the next. */
static void give(struct spill_mirror_routes *routes, struct spill_mirror_prefix *prefix,
                 uint32_t group)
{
    const bool refused = !routes->sink->set_route(routes->sink->context, &prefix->prefix, group);
    const bool found_room = prefix->refused && !refused;

    set_refused(routes, prefix, refused);
    if (found_room)
        spill_mirror_routes_retry(routes);
}

static void tell(struct spill_mirror_routes *routes, struct spill_mirror_prefix *prefix)
{
    struct spill_path_set *old = prefix->set;
    struct spill_path_set *set = best(routes, prefix);
    uint32_t group;

    if (prefix->given && set == old && !prefix->refused)
        return;
    group = set != NULL ? set->group : routes->unreachable;
    prefix->set = set;
    prefix->given = true;
    if (set != NULL)
        set->users++;
    if (set != NULL && set->tunneled)
        tell_tunnel(routes, prefix);
    give(routes, prefix, group);
    if (old != NULL)
        spill_path_sets_release(routes->sets, old);
}

static void tell_gone(struct spill_mirror_routes *routes, struct spill_mirror_prefix *prefix)
{
    if (prefix->given && !prefix->refused)
        routes->sink->remove_route(routes->sink->context, &prefix->prefix);
    set_refused(routes, prefix, false);
    if (prefix->set != NULL)
        spill_path_sets_release(routes->sets, prefix->set);
    free_prefix(routes, prefix);
}

static void tell_next(struct spill_mirror_routes *routes)
{
    struct spill_mirror_prefix *prefix = TAILQ_FIRST(&routes->dirty);

    TAILQ_REMOVE(&routes->dirty, prefix, next_dirty);
    prefix->dirty = false;
    if (TAILQ_EMPTY(&prefix->routes))
        tell_gone(routes, prefix);
    else
        tell(routes, prefix);
}

static void sweep_next(struct spill_mirror_routes *routes)
{
    struct spill_mirror_prefix *prefix = routes->cursor;
    struct spill_mirror_route *route, *next;

    routes->cursor = TAILQ_NEXT(prefix, entry);
    for (route = TAILQ_FIRST(&prefix->routes); route != NULL; route = next) {
        next = TAILQ_NEXT(route, of_prefix);
        if ((int32_t)(route->generation - routes->generation) < 0) {
            routes->differences += route->set->state == SPILL_PATHS_LIVE;
            remove_route(routes, route);
        }
    }
}

bool spill_mirror_routes_work(struct spill_mirror_routes *routes, uint32_t most)
{
    const struct spill_path_set *doomed;
    uint32_t i;

    for (i = 0; i < most; i++) {
        doomed = spill_path_sets_next_doomed(routes->sets);
        if (doomed != NULL)
            remove_route(routes, TAILQ_FIRST(&doomed->routes));
        else if (routes->cursor != NULL)
            sweep_next(routes);
        else if (!TAILQ_EMPTY(&routes->dirty))
            tell_next(routes);
        else
            return false;
    }
    return true;
}
