/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's routes against a list of them that is walked for everything: whatever comes in
 * whatever order, packets find the same.
 */
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mirror/routes.h"

#define STEPS    20000
#define PREFIXES 4
#define LINKS    4 /* 1 to 3 are twins of 0 to 2, 4 is none */
#define OBJECTS  3 /* ids 1 to 3; 3 is a group of the others */
#define MOST     200

static struct spill_mirror_links links;
static struct spill_next_hops objects;
static struct spill_path_sets sets;
static struct spill_mirror_routes routes;
static uint32_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % limit;
}

/* -------------------------------------------------------------------- what packets find */

struct answer {
    bool there;
    enum spill_route_action action;
    uint32_t count;
    struct spill_route_path paths[SPILL_ROUTER_PATHS_MAX];
};

static struct answer groups[MOST];
static uint32_t given[2][PREFIXES]; /* group by family and prefix; 0: none */

static bool change_group(void *context, uint32_t group, enum spill_route_action action,
                         const struct spill_route_path *paths, uint32_t count)
{
    (void)context;
    groups[group].action = action;
    groups[group].count = count;
    if (count > 0)
        memcpy(groups[group].paths, paths, count * sizeof(*paths));
    return true;
}

static uint32_t create_group(void *context, enum spill_route_action action,
                             const struct spill_route_path *paths, uint32_t count)
{
    uint32_t group = 1;

    while (groups[group].there)
        assert_true(++group < MOST);
    groups[group].there = true;
    change_group(context, group, action, paths, count);
    return group;
}

static void release_group(void *context, uint32_t group)
{
    uint32_t i;

    (void)context;
    assert_true(groups[group].there);
    groups[group].there = false;
    for (i = 0; i < 2 * PREFIXES; i++)
        assert_int_not_equal(given[i / PREFIXES][i % PREFIXES], group);
}

static uint32_t *given_to(const struct spill_ip_prefix *prefix)
{
    const bool six = prefix->address.family == AF_INET6;

    return &given[six][prefix->address.bytes[1]];
}

static bool set_route(void *context, const struct spill_ip_prefix *prefix, uint32_t group)
{
    (void)context;
    assert_true(groups[group].there);
    *given_to(prefix) = group;
    return true;
}

static void remove_route(void *context, const struct spill_ip_prefix *prefix)
{
    (void)context;
    assert_int_not_equal(*given_to(prefix), 0);
    *given_to(prefix) = 0;
}

static void no_link(void *context, uint16_t interface, bool enabled, bool carrier, uint32_t mtu)
{
    (void)context, (void)interface, (void)enabled, (void)carrier, (void)mtu;
}

static void no_mac(void *context, uint16_t interface, const struct rte_ether_addr *mac)
{
    (void)context, (void)interface, (void)mac;
}

static const struct spill_mirror_sink sink = {
    .create_group = create_group,
    .change_group = change_group,
    .release_group = release_group,
    .set_route = set_route,
    .remove_route = remove_route,
    .set_link = no_link,
    .set_mac = no_mac,
};

/* ---------------------------------------------------------------- the list, in order */

static struct spill_kernel_route list[MOST];
static uint32_t list_count;

static bool same_prefix(const struct spill_kernel_route *one,
                        const struct spill_kernel_route *other)
{
    return one->prefix.length == other->prefix.length &&
           spill_ip_equal(&one->prefix.address, &other->prefix.address);
}

static bool alike(const struct spill_kernel_route *one, const struct spill_kernel_route *other)
{
    return same_prefix(one, other) && one->local == other->local && one->metric == other->metric;
}

static bool same_ways(const struct spill_kernel_route *one, const struct spill_kernel_route *other)
{
    uint32_t i;

    if (one->count != other->count || one->next_hop != other->next_hop ||
        one->action != other->action || one->kept != other->kept)
        return false;
    for (i = 0; i < one->count; i++) {
        if (one->paths[i].link != other->paths[i].link ||
            !spill_ip_equal(&one->paths[i].gateway, &other->paths[i].gateway))
            return false;
    }
    return true;
}

static void take_out(uint32_t at)
{
    memmove(&list[at], &list[at + 1], (--list_count - at) * sizeof(*list));
}

static void put_in(uint32_t at, const struct spill_kernel_route *route)
{
    assert_true(list_count < MOST);
    memmove(&list[at + 1], &list[at], (list_count++ - at) * sizeof(*list));
    list[at] = *route;
}

/* Dead paths belong to the ways, whoever has them. */
static void share_dead(const struct spill_kernel_route *route)
{
    uint32_t i;

    for (i = 0; i < list_count; i++) {
        if (list[i].prefix.address.family == route->prefix.address.family &&
            same_ways(&list[i], route))
            memcpy(list[i].paths, route->paths, sizeof(route->paths));
    }
}

static void list_add(const struct spill_kernel_route *route, enum spill_route_place place)
{
    const bool six = route->prefix.address.family == AF_INET6;
    uint32_t i, found = MOST, any = MOST;

    share_dead(route);
    for (i = 0; i < list_count; i++) {
        if (!alike(&list[i], route))
            continue;
        if (same_ways(&list[i], route)) {
            if (place == SPILL_ROUTE_INSTEAD)
                return;
            take_out(i);
            put_in(place == SPILL_ROUTE_FIRST && !six ? 0 : list_count, route);
            return;
        }
    }
    for (i = list_count; i-- > 0;) {
        if (alike(&list[i], route)) {
            any = i;
            if (list[i].merges == route->merges)
                found = i;
        }
    }
    if (place == SPILL_ROUTE_INSTEAD && found == MOST)
        found = any;
    if (place == SPILL_ROUTE_INSTEAD || route->merges) {
        if (found != MOST) {
            list[found] = *route;
            return;
        }
    }
    put_in(place == SPILL_ROUTE_FIRST && !six ? 0 : list_count, route);
}

static void list_delete(const struct spill_kernel_route *gone)
{
    uint32_t i, j, k, left;

    for (i = 0; i < list_count; i++) {
        struct spill_kernel_route *route = &list[i];

        if (!alike(route, gone))
            continue;
        if (!gone->merges && same_ways(route, gone)) {
            take_out(i);
            return;
        }
        if (!gone->merges || !route->merges)
            continue;
        for (j = 0, left = 0; j < route->count; j++) {
            bool goes = false;

            for (k = 0; k < gone->count; k++)
                goes |= route->paths[j].link == gone->paths[k].link &&
                        spill_ip_equal(&route->paths[j].gateway, &gone->paths[k].gateway);
            if (!goes)
                route->paths[left++] = route->paths[j];
        }
        route->count = left;
        memset(&route->paths[left], 0, (SPILL_ROUTER_PATHS_MAX - left) * sizeof(*route->paths));
        if (left == 0)
            take_out(i);
        else if (left != j)
            share_dead(route);
        return;
    }
}

static void list_link(uint32_t link, enum spill_path_event event)
{
    const bool dead = event != SPILL_PATHS_LINK_UP && event != SPILL_PATHS_NEW_ADDRESS;
    uint32_t i = 0, j;

    while (i < list_count) {
        struct spill_kernel_route *route = &list[i];
        const bool six = route->prefix.address.family == AF_INET6;
        uint32_t alive = 0, changed = 0;

        for (j = 0; j < route->count; j++) {
            const bool concerned =
                event == SPILL_PATHS_LINK_DOWN                                        ? !route->kept
                : event == SPILL_PATHS_NO_ADDRESS || event == SPILL_PATHS_NEW_ADDRESS ? !six
                                                                                      : true;

            if (concerned && route->paths[j].link == link && route->paths[j].dead != dead) {
                route->paths[j].dead = dead;
                changed++;
            }
            alive += !route->paths[j].dead;
        }
        if (changed > 0 && alive == 0)
            take_out(i);
        else
            i++;
    }
}

static void list_no_object(uint32_t id)
{
    uint32_t i = 0;

    while (i < list_count) {
        if (list[i].next_hop == id)
            take_out(i);
        else
            i++;
    }
}

/* An object as it is found. */
static const struct spill_next_hop *object_of(uint32_t id)
{
    const struct spill_next_hop *object;

    TAILQ_FOREACH (object, &objects.all, entry) {
        if (object->id == id && object->known)
            return object;
    }
    return NULL;
}

static uint32_t object_paths(uint32_t id, struct spill_kernel_path *paths)
{
    return object_of(id) != NULL ? spill_next_hop_paths(object_of(id), paths) : 0;
}

static uint32_t ways_of(const struct spill_kernel_route *route, struct spill_route_path *ways)
{
    struct spill_kernel_path paths[SPILL_ROUTER_PATHS_MAX];
    uint32_t i, count = route->count, usable = 0;

    memcpy(paths, route->paths, sizeof(paths));
    if (route->next_hop != 0)
        count = object_paths(route->next_hop, paths);
    for (i = 0; i < count; i++) {
        if (paths[i].link < LINKS && !paths[i].dead)
            ways[usable++] = (struct spill_route_path){.gateway = paths[i].gateway,
                                                       .interface = (uint16_t)(paths[i].link - 1),
                                                       .weight = paths[i].weight};
    }
    return usable;
}

static bool stands_before(const struct spill_kernel_route *one,
                          const struct spill_kernel_route *other)
{
    return one->local != other->local ? one->local : one->metric < other->metric;
}

static struct answer list_answer(const struct spill_ip_prefix *prefix)
{
    struct answer best = {.there = false}, now;
    const struct spill_kernel_route *by = NULL;
    uint32_t i;

    for (i = 0; i < list_count; i++) {
        if (!spill_ip_equal(&list[i].prefix.address, &prefix->address))
            continue;
        if (!best.there)
            best = (struct answer){.there = true, .action = SPILL_ROUTE_UNREACHABLE};
        now = (struct answer){.there = true, .action = list[i].action};
        if (now.action == SPILL_ROUTE_FORWARD)
            now.count = ways_of(&list[i], now.paths);
        if ((now.action != SPILL_ROUTE_FORWARD || now.count > 0) &&
            (by == NULL || stands_before(&list[i], by))) {
            best = now;
            by = &list[i];
        }
    }
    return best;
}

/* ------------------------------------------------------------------------- what comes */

static struct spill_ip gateway(bool six, uint32_t number)
{
    struct spill_ip ip = {.family = six ? AF_INET6 : AF_INET, .bytes = {six ? 0xfd : 10}};

    ip.bytes[3] = (uint8_t)(number + 1);
    return ip;
}

static struct spill_ip_prefix some_prefix(bool six)
{
    struct spill_ip_prefix prefix = {.length = 16};

    prefix.address.family = six ? AF_INET6 : AF_INET;
    prefix.address.bytes[0] = six ? 0xfd : 10;
    prefix.address.bytes[1] = (uint8_t)below(PREFIXES);
    return prefix;
}

static struct spill_kernel_route some_route(void)
{
    struct spill_kernel_route route;
    const bool six = below(2) != 0;
    uint32_t i, mask = 1 + below((1U << LINKS) - 1);

    memset(&route, 0, sizeof(route));
    route.prefix = some_prefix(six);
    route.metric = below(2);
    route.local = below(8) == 0;
    route.action = SPILL_ROUTE_FORWARD;
    if (below(8) == 0) {
        route.action = below(2) ? SPILL_ROUTE_BLACKHOLE : SPILL_ROUTE_LOCAL;
        return route;
    }
    route.next_hop = below(6) == 0 ? 1 + below(OBJECTS) : 0;
    if (object_of(route.next_hop) != NULL)
        return route;
    route.next_hop = 0;
    for (i = 0; i < LINKS; i++) {
        if ((mask & (1U << i)) != 0)
            route.paths[route.count++] =
                (struct spill_kernel_path){.link = i + 1, .weight = 1, .gateway = gateway(six, i)};
    }
    route.merges = six;
    if (below(4) == 0) {
        route.count = 1;
        memset(&route.paths[1], 0, sizeof(route.paths) - sizeof(route.paths[0]));
        memset(&route.paths[0].gateway, 0, sizeof(route.paths[0].gateway));
        route.merges = false;
    }
    return route;
}

static void change_object(void)
{
    struct spill_kernel_next_hop state = {.id = 1 + below(OBJECTS), .path = {.weight = 1}};
    const bool was_group = object_of(OBJECTS) != NULL;

    if (below(3) == 0) {
        list_no_object(state.id);
        spill_next_hops_remove(&objects, state.id);
        /* A group goes with its last member. */
        if (was_group && object_of(OBJECTS) == NULL)
            list_no_object(OBJECTS);
    } else {
        if (state.id == OBJECTS) {
            state.count = 2;
            state.members[0] = (struct spill_kernel_member){.id = 1, .weight = 2};
            state.members[1] = (struct spill_kernel_member){.id = 2, .weight = 1};
        } else {
            state.path.link = 1 + below(LINKS);
            state.path.gateway = gateway(false, below(9));
        }
        assert_int_equal(spill_next_hops_set(&objects, &state, 0), 0);
    }
    spill_path_sets_follow_next_hops(&sets);
}

static void step(void)
{
    const struct spill_kernel_route route = some_route();
    const enum spill_route_place place = below(3);
    const enum spill_path_event event = below(5);
    const uint32_t link = 1 + below(LINKS);

    switch (below(12)) {
    case 0:
        list_link(link, event);
        spill_path_sets_link(&sets, link, event);
        break;
    case 1:
        change_object();
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        list_delete(&route);
        assert_int_equal(spill_mirror_routes_delete(&routes, &route), 0);
        break;
    default:
        list_add(&route, place);
        assert_int_equal(spill_mirror_routes_add(&routes, &route, place, false, 0), 0);
    }
}

static void compare(void)
{
    uint32_t i, j, group;

    for (i = 0; i < 2 * PREFIXES; i++) {
        const bool six = i >= PREFIXES;
        struct spill_ip_prefix prefix = {.length = 16, .address = gateway(six, 0)};
        struct answer expected;

        prefix.address.bytes[1] = (uint8_t)(i % PREFIXES);
        prefix.address.bytes[3] = 0;
        expected = list_answer(&prefix);
        group = given[six][i % PREFIXES];
        assert_int_equal(group != 0, expected.there);
        if (group == 0)
            continue;
        assert_int_equal(groups[group].action, expected.action);
        assert_int_equal(groups[group].count, expected.count);
        for (j = 0; j < expected.count; j++) {
            assert_int_equal(groups[group].paths[j].interface, expected.paths[j].interface);
            assert_int_equal(groups[group].paths[j].weight, expected.paths[j].weight);
            assert_true(
                spill_ip_equal(&groups[group].paths[j].gateway, &expected.paths[j].gateway));
        }
    }
}

/* ------------------------------------------------------------------------------ tests */

static int set_up(void **state)
{
    uint16_t i;

    (void)state;
    memset(groups, 0, sizeof(groups));
    memset(given, 0, sizeof(given));
    list_count = 0;
    spill_next_hops_init(&objects);
    spill_mirror_links_init(&links, &sink);
    for (i = 0; i < LINKS - 1; i++)
        spill_mirror_links_add_twin(&links, i + UINT32_C(1), i);
    spill_path_sets_init(&sets, &links, &objects, &sink);
    assert_int_equal(spill_mirror_routes_init(&routes, &sets, &sink), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    spill_mirror_routes_free(&routes);
    spill_path_sets_free(&sets);
    spill_next_hops_free(&objects);
    spill_mirror_links_free(&links);
    return 0;
}

static void packets_find_the_same(void **state)
{
    const char *seed = getenv("SEED");
    uint32_t i;

    (void)state;
    random_state = seed != NULL ? (uint32_t)strtoul(seed, NULL, 10) : (uint32_t)time(NULL);
    print_message("SEED=%u\n", random_state);
    for (i = 0; i < STEPS; i++) {
        step();
        /* What is to be done may wait, and is done some at a time. */
        if (below(3) == 0)
            spill_mirror_routes_work(&routes, below(4));
        if (below(4) == 0) {
            while (spill_mirror_routes_work(&routes, 1 + below(5)))
                ;
            compare();
            assert_int_equal(routes.count, list_count);
        }
    }
}

/* What a dump did not have is taken away, and counted; what has come since stays. */
static void a_sweep_leaves_what_a_dump_had(void **state)
{
    struct spill_kernel_route route;
    uint32_t i;

    (void)state;
    for (i = 0; i < PREFIXES; i++) {
        memset(&route, 0, sizeof(route));
        route.prefix = some_prefix(false);
        route.prefix.address.bytes[1] = (uint8_t)i;
        route.action = SPILL_ROUTE_BLACKHOLE;
        assert_int_equal(
            spill_mirror_routes_add(&routes, &route, SPILL_ROUTE_LAST, i == 3, i < 2 ? 1 : 2), 0);
    }
    spill_mirror_routes_sweep(&routes, 2);
    while (spill_mirror_routes_work(&routes, 1))
        ;
    assert_int_equal(routes.count, 2);
    assert_int_equal(routes.differences, 3);
    assert_int_equal(given[0][0], 0);
    assert_int_not_equal(given[0][2], 0);
    assert_int_not_equal(given[0][3], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packets_find_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sweep_leaves_what_a_dump_had, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
