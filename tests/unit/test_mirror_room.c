/* SPDX-License-Identifier: BSD-3-Clause */
/* Routes for which the sink has no room, and such as it must not be given as ways to forward by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mirror/routes.h"

#define PREFIXES 4
#define MOST     16 /* groups */

static struct spill_mirror_links links;
static struct spill_next_hops objects;
static struct spill_path_sets sets;
static struct spill_mirror_routes routes;

/* What the sink has, and has room for. */
static struct group {
    bool there;
    enum spill_route_action action;
    uint32_t count;
    struct spill_route_path paths[SPILL_ROUTER_PATHS_MAX];
} groups[MOST];
static uint32_t given[PREFIXES]; /* group by prefix; 0: none */
static uint32_t groups_most, routes_most, routes_given;
static bool changes_refused;

static bool change_group(void *context, uint32_t group, enum spill_route_action action,
                         const struct spill_route_path *paths, uint32_t count)
{
    (void)context;
    if (changes_refused) {
        groups[group].action = SPILL_ROUTE_UNREACHABLE;
        return false;
    }
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
    if (group > groups_most)
        return 0;
    groups[group].there = true;
    change_group(context, group, action, paths, count);
    return group;
}

static void release_group(void *context, uint32_t group)
{
    (void)context;
    assert_true(groups[group].there);
    groups[group].there = false;
}

static bool set_route(void *context, const struct spill_ip_prefix *prefix, uint32_t group)
{
    uint32_t *to = &given[prefix->address.bytes[1]];

    (void)context;
    assert_true(groups[group].there);
    if (*to == 0 && routes_given == routes_most)
        return false;
    routes_given += *to == 0;
    *to = group;
    return true;
}

static void remove_route(void *context, const struct spill_ip_prefix *prefix)
{
    (void)context;
    assert_int_not_equal(given[prefix->address.bytes[1]], 0);
    given[prefix->address.bytes[1]] = 0;
    routes_given--;
}

static const struct spill_mirror_sink sink = {
    .create_group = create_group,
    .change_group = change_group,
    .release_group = release_group,
    .set_route = set_route,
    .remove_route = remove_route,
};

static int set_up(void **state)
{
    (void)state;
    memset(groups, 0, sizeof(groups));
    memset(given, 0, sizeof(given));
    groups_most = MOST - 1;
    routes_most = PREFIXES;
    routes_given = 0;
    changes_refused = false;
    spill_mirror_links_init(&links, &sink);
    spill_mirror_links_add_twin(&links, 1, 0);
    spill_mirror_links_add_twin(&links, 2, 1);
    spill_next_hops_init(&objects);
    spill_path_sets_init(&sets, &links, &objects, &sink);
    return spill_mirror_routes_init(&routes, &sets, &sink);
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

/* ------------------------------------------------------------------------------ what comes */

static struct spill_ip gateway(uint32_t number)
{
    return (struct spill_ip){.family = AF_INET, .bytes = {10, 0, 0, (uint8_t)(number + 1)}};
}

static void work(void)
{
    while (spill_mirror_routes_work(&routes, 1))
        ;
}

static struct spill_kernel_route numbered(uint32_t number)
{
    struct spill_kernel_route route;

    memset(&route, 0, sizeof(route));
    route.prefix = (struct spill_ip_prefix){
        .address = {.family = AF_INET, .bytes = {10, (uint8_t)number}}, .length = 16};
    route.action = SPILL_ROUTE_FORWARD;
    route.count = 1;
    route.paths[0] = (struct spill_kernel_path){.link = 1, .weight = 1, .gateway = gateway(number)};
    return route;
}

static void add_numbered(uint32_t number)
{
    const struct spill_kernel_route route = numbered(number);

    assert_int_equal(spill_mirror_routes_add(&routes, &route, SPILL_ROUTE_FIRST, false, 0), 0);
    work();
}

static void delete_numbered(uint32_t number)
{
    const struct spill_kernel_route route = numbered(number);

    assert_int_equal(spill_mirror_routes_delete(&routes, &route), 0);
    work();
}

static enum spill_route_action action_of(uint32_t number)
{
    return given[number] == 0 ? SPILL_ROUTE_NONE : groups[given[number]].action;
}

/* ---------------------------------------------------------------------------------- tests */

/* Nobody forwards by a shorter prefix meanwhile. */
static void a_group_without_room_is_unreachable_until_there_is(void **state)
{
    (void)state;
    groups_most = 2; /* the unreachable one, and one more */
    add_numbered(0);
    add_numbered(1);
    assert_int_equal(action_of(0), SPILL_ROUTE_FORWARD);
    assert_int_equal(action_of(1), SPILL_ROUTE_UNREACHABLE);
    assert_int_equal(sets.refused_count, 1);
    spill_path_sets_retry(&sets);
    work();
    assert_int_equal(action_of(1), SPILL_ROUTE_UNREACHABLE);
    delete_numbered(0);
    spill_path_sets_retry(&sets);
    work();
    assert_int_equal(action_of(1), SPILL_ROUTE_FORWARD);
    assert_int_equal(sets.refused_count, 0);
}

/* One that goes, or whose link goes, waits no more. */
static void who_waits_for_a_group_may_go(void **state)
{
    (void)state;
    groups_most = 2;
    add_numbered(0);
    add_numbered(1);
    add_numbered(2);
    assert_int_equal(sets.refused_count, 2);
    delete_numbered(1);
    assert_int_equal(sets.refused_count, 1);
    spill_path_sets_link(&sets, 1, SPILL_PATHS_LINK_GONE);
    work();
    assert_int_equal(sets.refused_count, 0);
    assert_int_equal(routes.count, 0);
    spill_path_sets_retry(&sets);
}

/* As its new ways are by neighbours that there is no room for. */
static void a_group_that_cannot_change_is_tried_again(void **state)
{
    struct spill_kernel_route route = numbered(0);

    (void)state;
    route.count = 2;
    route.paths[1] = (struct spill_kernel_path){.link = 2, .weight = 1, .gateway = gateway(5)};
    assert_int_equal(spill_mirror_routes_add(&routes, &route, SPILL_ROUTE_FIRST, false, 0), 0);
    work();
    changes_refused = true;
    spill_path_sets_link(&sets, 2, SPILL_PATHS_LINK_DOWN);
    work();
    assert_int_equal(action_of(0), SPILL_ROUTE_UNREACHABLE);
    assert_int_equal(sets.refused_count, 1);
    changes_refused = false;
    spill_path_sets_retry(&sets);
    work();
    assert_int_equal(action_of(0), SPILL_ROUTE_FORWARD);
    assert_int_equal(groups[given[0]].count, 1);
    assert_int_equal(sets.refused_count, 0);
}

static void prefixes_without_room_get_it(void **state)
{
    uint32_t i;

    (void)state;
    routes_most = 1;
    for (i = 0; i < PREFIXES; i++)
        add_numbered(i);
    assert_int_equal(routes.refused_count, PREFIXES - 1);
    spill_mirror_routes_retry(&routes);
    work();
    assert_int_equal(routes.refused_count, PREFIXES - 1);
    delete_numbered(0);
    delete_numbered(1);
    spill_mirror_routes_retry(&routes);
    work();
    assert_int_equal(routes.refused_count, PREFIXES - 3);
    assert_int_equal(action_of(2) == SPILL_ROUTE_FORWARD, action_of(3) == SPILL_ROUTE_NONE);
    routes_most = MOST;
    spill_mirror_routes_retry(&routes);
    work();
    assert_int_equal(routes.refused_count, 0);
    assert_int_equal(action_of(3), SPILL_ROUTE_FORWARD);
}

/* What is to leave in a tunnel leaves neither without nor by a worse route. */
static void nothing_leaves_by_a_tunnel(void **state)
{
    struct spill_kernel_route route = numbered(0);

    (void)state;
    route.metric = 1;
    add_numbered(1);
    assert_int_equal(spill_mirror_routes_add(&routes, &route, SPILL_ROUTE_FIRST, false, 0), 0);
    route.metric = 0;
    route.paths[0].encapsulation = 7;
    assert_int_equal(spill_mirror_routes_add(&routes, &route, SPILL_ROUTE_FIRST, false, 0), 0);
    work();
    assert_int_equal(action_of(0), SPILL_ROUTE_UNREACHABLE);
    assert_int_equal(sets.tunneled_count, 1);
    assert_int_equal(spill_mirror_routes_delete(&routes, &route), 0);
    work();
    assert_int_equal(action_of(0), SPILL_ROUTE_FORWARD);
    assert_int_equal(sets.tunneled_count, 0);
    route.metric = 0;
    route.count = 2;
    route.paths[1] = (struct spill_kernel_path){.link = 2, .weight = 1, .gateway = gateway(5)};
    assert_int_equal(spill_mirror_routes_add(&routes, &route, SPILL_ROUTE_FIRST, false, 0), 0);
    work();
    assert_int_equal(groups[given[0]].count, 1);
    assert_int_equal(groups[given[0]].paths[0].interface, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_without_room_is_unreachable_until_there_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_waits_for_a_group_may_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_that_cannot_change_is_tried_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(prefixes_without_room_get_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_leaves_by_a_tunnel, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
