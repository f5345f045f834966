/* SPDX-License-Identifier: BSD-3-Clause */
/* The router's tables: what lcores find in them, against a walk over all routes, and that no reader
 * sees half of a change. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_eal.h>
#include <rte_malloc.h>

#include "base/dpdk_versions.h"
#include "route/state.h"

#define ROUTES   4096
#define MAC_BITS UINT64_C(0xffffffffffff) /* where the first byte is the lowest */

static struct rte_rcu_qsbr *readers;
static uint64_t random_state;

static uint32_t chance(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static int setup(void **state)
{
    struct spill_router_config config = {
        .routes4 = ROUTES, .routes6 = ROUTES, .lcores = 1, .seed = 7};
    struct spill_router_interface port = {.port = 0, .mac = {{2, 0, 0, 0, 0, 1}}};
    struct spill_router *router;
    struct spill_error error;
    unsigned i;

    for (i = 0; i < SPILL_NODES_MAX; i++)
        config.memory_nodes[i] = i == 0 ? 0 : -1;
    config.readers = readers;
    router = spill_router_create(&config, &error);
    assert_non_null(router);
    for (i = 0; i < 4; i++) {
        port.port = (uint16_t)i;
        assert_int_equal(spill_router_add_interface(router, &port, &error), i);
    }
    *state = router;
    return 0;
}

static int teardown(void **state)
{
    spill_router_free(*state);
    return 0;
}

static void settle(struct spill_router *router)
{
    while (spill_router_work(router))
        sched_yield();
}

static struct spill_ip ip(const char *text)
{
    struct spill_ip address;

    assert_true(spill_ip_read(text, &address));
    return address;
}

static struct spill_ip_prefix prefix(const char *text)
{
    struct spill_ip_prefix made;

    assert_true(spill_ip_prefix_read(text, &made));
    return made;
}

static struct spill_route_path path(uint16_t interface, const char *gateway)
{
    struct spill_route_path made = {.interface = interface};

    if (gateway != NULL)
        made.gateway = ip(gateway);
    return made;
}

static void route(struct spill_router *router, const char *to, uint16_t interface,
                  const char *gateway)
{
    const struct spill_ip_prefix where = prefix(to);
    const struct spill_route_path way = path(interface, gateway);
    struct spill_error error;

    assert_int_equal(spill_router_set_route(router, &where, SPILL_ROUTE_FORWARD, &way, 1, &error),
                     0);
}

/* The group that an lcore finds. */
static const struct spill_group *look(const struct spill_router *router, const struct spill_ip *to)
{
    const struct spill_route_tables *tables = spill_router_tables(router, 0);
    uint64_t group = 0;

    if (to->family == AF_INET) {
        uint32_t address;

        memcpy(&address, to->bytes, sizeof(address));
        address = rte_be_to_cpu_32(address);
        rte_fib_lookup_bulk(__atomic_load_n(&tables->fib4, __ATOMIC_ACQUIRE), &address, &group, 1);
    } else {
        uint8_t address[1][16];

        memcpy(address[0], to->bytes, 16);
        rte_fib6_lookup_bulk(__atomic_load_n(&tables->fib6, __ATOMIC_ACQUIRE),
                             spill_dpdk_ipv6_keys(address), &group, 1);
    }
    return &tables->groups[group];
}

static const struct spill_hop *hop_to(const struct spill_router *router, const char *to,
                                      uint32_t hash)
{
    const struct spill_ip address = ip(to);
    const struct spill_group *group = look(router, &address);

    return &spill_router_tables(router, 0)
                ->hops[spill_group_hop(group, spill_group_get(group), hash)];
}

static uint8_t action_to(const struct spill_router *router, const char *to)
{
    const struct spill_ip address = ip(to);

    return spill_group_get(look(router, &address)).action;
}

/* ---------------------------------------------------------------------------------- cases */

static void check_memory(uint32_t routes4, uint32_t routes6)
{
    struct spill_router_config config = {
        .routes4 = routes4, .routes6 = routes6, .lcores = 1, .readers = readers};
    const uint64_t said = spill_router_memory(routes4, routes6);
    struct rte_malloc_socket_stats before, after;
    struct spill_router *router;
    struct spill_error error;
    uint64_t taken;
    unsigned i;

    for (i = 0; i < SPILL_NODES_MAX; i++)
        config.memory_nodes[i] = i == 0 ? 0 : -1;
    rte_malloc_get_socket_stats(0, &before);
    router = spill_router_create(&config, &error);
    assert_non_null(router);
    rte_malloc_get_socket_stats(0, &after);
    taken = after.heap_allocsz_bytes - before.heap_allocsz_bytes;
    spill_router_free(router);
    assert_in_range(said, taken, taken + taken / 4);
}

/* The plan counts with as much as is taken. */
static void test_memory(void **state)
{
    spill_router_free(*state);
    *state = NULL;
    check_memory(60000, 20000);
    check_memory(1000, 40000); /* with wide entries */
}

static void test_longest(void **state)
{
    struct spill_router *router = *state;
    const struct spill_ip_prefix ten = prefix("10.1.0.0/16"), all = prefix("0.0.0.0/0");
    struct spill_error error;

    route(router, "0.0.0.0/0", 0, "192.0.2.1");
    route(router, "10.0.0.0/8", 1, NULL);
    route(router, "10.1.0.0/16", 2, "192.0.2.2");
    route(router, "10.1.1.1/32", 3, "192.0.2.3");
    route(router, "2001:db8::/32", 1, "fe80::1");
    route(router, "::/0", 2, "fe80::2");
    assert_int_equal(action_to(router, "10.1.1.1"), SPILL_ROUTE_NONE);
    settle(router);
    assert_int_equal(hop_to(router, "10.1.1.1", 0)->interface, 3);
    assert_int_equal(hop_to(router, "10.1.1.2", 0)->interface, 2);
    assert_int_equal(hop_to(router, "10.2.1.2", 0)->interface, 1);
    assert_int_equal(spill_hop_get(hop_to(router, "10.2.1.2", 0)).kind, SPILL_HOP_ON_LINK);
    assert_int_equal(hop_to(router, "11.2.1.2", 0)->interface, 0);
    assert_int_equal(hop_to(router, "2001:db8::5", 0)->interface, 1);
    assert_int_equal(hop_to(router, "2001:db9::5", 0)->interface, 2);
    spill_router_remove_route(router, &ten);
    spill_router_remove_route(router, &all);
    settle(router);
    assert_int_equal(hop_to(router, "10.1.1.2", 0)->interface, 1);
    assert_int_equal(action_to(router, "11.0.0.1"), SPILL_ROUTE_NONE);
    assert_int_equal(spill_router_set_route(router, &ten, SPILL_ROUTE_PROHIBIT, NULL, 0, &error),
                     0);
    settle(router);
    assert_int_equal(action_to(router, "10.1.1.2"), SPILL_ROUTE_PROHIBIT);
    assert_int_equal(spill_router_get_route(router, &ten), SPILL_ROUTE_PROHIBIT);
    assert_int_equal(spill_router_route_count(router, AF_INET), 3);
}

static void test_neighbor(void **state)
{
    struct spill_router *router = *state;
    const struct spill_ip gateway = ip("192.0.2.1");
    const struct rte_ether_addr one = {{2, 0, 0, 0, 0, 9}}, other = {{2, 0, 0, 0, 0, 8}};
    struct spill_error error;

    route(router, "10.0.0.0/8", 0, "192.0.2.1");
    settle(router);
    assert_int_equal(spill_hop_get(hop_to(router, "10.0.0.1", 0)).kind, SPILL_HOP_UNRESOLVED);
    spill_router_set_neighbor(router, 0, &gateway, SPILL_NEIGHBOR_REACHABLE, &one, &error);
    assert_int_equal(spill_hop_get(hop_to(router, "10.0.0.1", 0)).kind, SPILL_HOP_REACHABLE);
    assert_true((spill_hop_get(hop_to(router, "10.0.0.1", 0)).word & MAC_BITS) ==
                spill_mac_word(&one));
    spill_router_remove_neighbor(router, 0, &gateway);
    assert_int_equal(spill_hop_get(hop_to(router, "10.0.0.1", 0)).kind, SPILL_HOP_UNRESOLVED);
    /* A static one wins, whatever comes after it. */
    spill_router_set_neighbor(router, 0, &gateway, SPILL_NEIGHBOR_STATIC, &other, &error);
    spill_router_set_neighbor(router, 0, &gateway, SPILL_NEIGHBOR_REACHABLE, &one, &error);
    spill_router_remove_neighbor(router, 0, &gateway);
    assert_true((spill_hop_get(hop_to(router, "10.0.0.1", 0)).word & MAC_BITS) ==
                spill_mac_word(&other));
}

/* A neighbour is found as long as it is known, or a gateway; its number is given again only when no
 * reader can hold it. */
/* A place is another's once nothing leads by it any more. */
static void test_places(void **state)
{
    const struct spill_router_interface again = {.port = 9, .vlan = 7};
    const struct spill_route_path link = {.interface = 1};
    const struct spill_ip_prefix ten = prefix("10.0.0.0/8"), net = prefix("192.0.2.0/24");
    const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};
    const struct spill_ip host = ip("192.0.2.1");
    struct spill_router *router = *state;
    struct spill_error error;

    route(router, "10.0.0.0/8", 1, "192.0.2.1");
    assert_int_equal(spill_router_set_route(router, &net, SPILL_ROUTE_FORWARD, &link, 1, &error),
                     0);
    assert_int_equal(
        spill_router_set_neighbor(router, 1, &host, SPILL_NEIGHBOR_STATIC, &mac, &error), 0);
    settle(router);
    spill_router_remove_route(router, &ten);
    settle(router);
    spill_router_remove_neighbor(router, 1, &host); /* it stays */
    spill_router_remove_route(router, &net);
    assert_false(spill_router_remove_interface(router, 1)); /* of one side of the table yet */
    settle(router);
    assert_false(spill_router_remove_interface(router, 1));
    spill_router_remove_static(router, 1, &host);
    assert_true(spill_router_remove_interface(router, 1));
    assert_int_equal(spill_router_add_interface(router, &again, &error), 1);
    assert_int_equal(spill_router_interface_count(router), 4);
    assert_int_equal(spill_router_tables(router, 0)->interfaces[1].vlan, 7);
}

static void test_neighbor_ends(void **state)
{
    struct spill_router *router = *state;
    const struct spill_route_tables *tables = spill_router_tables(router, 0);
    const struct spill_ip_prefix ten = prefix("10.0.0.0/8");
    const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};
    struct spill_ip host = ip("192.0.2.1");
    struct spill_error error;
    uint32_t i;

    route(router, "10.0.0.0/8", 0, "192.0.2.1");
    settle(router);
    assert_int_not_equal(spill_hop_find(tables, 0, &host), 0);
    assert_int_equal(spill_hop_find(tables, 1, &host), 0);
    spill_router_remove_route(router, &ten);
    settle(router);
    assert_int_equal(spill_hop_find(tables, 0, &host), 0);
    for (i = 0; i < SPILL_ROUTER_NEIGHBORS_MAX; i++) {
        host.bytes[2] = (uint8_t)(i >> 8);
        host.bytes[3] = (uint8_t)i;
        assert_int_equal(
            spill_router_set_neighbor(router, 0, &host, SPILL_NEIGHBOR_REACHABLE, &mac, &error), 0);
    }
    host = ip("192.0.255.255");
    rte_rcu_qsbr_thread_online(readers, 0);
    assert_int_equal(
        spill_router_set_neighbor(router, 0, &host, SPILL_NEIGHBOR_REACHABLE, &mac, &error), -1);
    assert_string_equal(error.text, "neighbor 192.0.255.255: there are 16384, which is the most");
    host = ip("192.0.1.1");
    spill_router_remove_neighbor(router, 0, &host);
    assert_int_equal(
        spill_router_set_neighbor(router, 0, &host, SPILL_NEIGHBOR_REACHABLE, &mac, &error), -1);
    rte_rcu_qsbr_quiescent(readers, 0);
    assert_int_equal(
        spill_router_set_neighbor(router, 0, &host, SPILL_NEIGHBOR_REACHABLE, &mac, &error), 0);
    rte_rcu_qsbr_thread_offline(readers, 0);
}

static void count_interfaces(const struct spill_router *router, const char *to, unsigned counts[4])
{
    uint32_t hash;

    memset(counts, 0, 4 * sizeof(counts[0]));
    for (hash = 0; hash < 1024; hash++)
        counts[hop_to(router, to, hash)->interface]++;
}

static void test_paths(void **state)
{
    struct spill_router *router = *state;
    struct spill_route_path paths[] = {path(0, "192.0.2.1"), path(1, "192.0.2.2"),
                                       path(2, "192.0.2.3")};
    const struct spill_ip_prefix ten = prefix("10.0.0.0/8"), twenty = prefix("20.0.0.0/8");
    uint16_t before[64];
    struct spill_error error;
    unsigned counts[4];
    uint32_t hash;

    paths[1].weight = 2;
    assert_int_equal(spill_router_set_route(router, &ten, SPILL_ROUTE_FORWARD, paths, 3, &error),
                     0);
    settle(router);
    count_interfaces(router, "10.0.0.1", counts);
    assert_int_equal(counts[0], 256);
    assert_int_equal(counts[1], 512);
    assert_int_equal(counts[2], 256);
    for (hash = 0; hash < 64; hash++)
        before[hash] = hop_to(router, "10.0.0.1", hash)->interface;
    /* The flows of a path whose link is down are divided; all others stay. */
    spill_router_set_link(router, 2, SPILL_LINK_OF_PORT, false);
    count_interfaces(router, "10.0.0.1", counts);
    assert_int_equal(counts[2], 0);
    for (hash = 0; hash < 64; hash++) {
        if (before[hash] != 2)
            assert_int_equal(hop_to(router, "10.0.0.1", hash)->interface, before[hash]);
    }
    spill_router_set_link(router, 2, SPILL_LINK_OF_TWIN, false);
    spill_router_set_link(router, 2, SPILL_LINK_OF_PORT, true);
    count_interfaces(router, "10.0.0.1", counts);
    assert_int_equal(counts[2], 0);
    spill_router_set_link(router, 2, SPILL_LINK_OF_TWIN, true);
    for (hash = 0; hash < 64; hash++)
        assert_int_equal(hop_to(router, "10.0.0.1", hash)->interface, before[hash]);
    /* The same paths in another order are the same group. */
    paths[0] = path(2, "192.0.2.3");
    paths[2] = path(0, "192.0.2.1");
    assert_int_equal(spill_router_set_route(router, &twenty, SPILL_ROUTE_FORWARD, paths, 3, &error),
                     0);
    settle(router);
    {
        const struct spill_ip one = ip("10.0.0.1"), other = ip("20.0.0.1");

        assert_ptr_equal(look(router, &one), look(router, &other));
    }
}

/* The least of the paths' counts for all of them. */
static void test_mtu(void **state)
{
    struct spill_router *router = *state;
    struct spill_route_path paths[] = {path(0, "192.0.2.1"), path(1, "192.0.2.2")};
    const struct spill_ip_prefix ten = prefix("10.0.0.0/8");
    const struct spill_ip to = ip("10.0.0.1");
    struct spill_error error;

    spill_router_set_route(router, &ten, SPILL_ROUTE_FORWARD, paths, 2, &error);
    settle(router);
    assert_int_equal(spill_group_get(look(router, &to)).mtu, UINT16_MAX);
    paths[0].mtu = 1400;
    paths[1].mtu = 1300;
    spill_router_set_route(router, &ten, SPILL_ROUTE_FORWARD, paths, 2, &error);
    settle(router);
    assert_int_equal(spill_group_get(look(router, &to)).mtu, 1300);
    assert_int_equal(spill_router_tables(router, 0)->interfaces[1].mtu, UINT16_MAX);
    spill_router_set_mtu(router, 1, 1200);
    assert_int_equal(spill_router_tables(router, 0)->interfaces[1].mtu, 1200);
    spill_router_set_mtu(router, 1, 0);
    assert_int_equal(spill_router_tables(router, 0)->interfaces[1].mtu, UINT16_MAX);
}

static void test_group(void **state)
{
    struct spill_router *router = *state;
    const struct spill_ip_prefix ten = prefix("10.0.0.0/8"), twenty = prefix("20.0.0.0/8");
    const struct spill_route_path one = path(1, "192.0.2.1"), other = path(2, "192.0.2.2");
    struct spill_error error;
    uint32_t group = spill_router_create_group(router, SPILL_ROUTE_FORWARD, &one, 1, &error);

    assert_int_not_equal(group, 0);
    assert_int_equal(spill_router_set_route_group(router, &ten, group, &error), 0);
    assert_int_equal(spill_router_set_route_group(router, &twenty, group, &error), 0);
    settle(router);
    assert_int_equal(hop_to(router, "10.0.0.1", 0)->interface, 1);
    /* All its routes at once, without any change of theirs. */
    assert_int_equal(
        spill_router_change_group(router, group, SPILL_ROUTE_FORWARD, &other, 1, &error), 0);
    assert_int_equal(hop_to(router, "10.0.0.1", 0)->interface, 2);
    assert_int_equal(hop_to(router, "20.0.0.1", 0)->interface, 2);
    assert_int_equal(
        spill_router_change_group(router, group, SPILL_ROUTE_BLACKHOLE, NULL, 0, &error), 0);
    assert_int_equal(action_to(router, "10.0.0.1"), SPILL_ROUTE_BLACKHOLE);
    spill_router_release_group(router, group);
    assert_int_equal(action_to(router, "10.0.0.1"), SPILL_ROUTE_BLACKHOLE);
    spill_router_remove_route(router, &ten);
    spill_router_remove_route(router, &twenty);
    settle(router);
    assert_int_equal(router->groups[group].action, SPILL_ROUTE_NONE);
}

static void test_refused(void **state)
{
    struct spill_router *router = *state;
    const struct spill_ip_prefix ten = prefix("10.0.0.0/8");
    struct spill_route_path bad = path(4, NULL);
    struct spill_ip_prefix many = prefix("1.0.0.0/24");
    struct spill_error error;
    uint32_t i;

    assert_int_equal(spill_router_set_route(router, &ten, SPILL_ROUTE_FORWARD, &bad, 1, &error),
                     -1);
    assert_string_equal(error.text, "route: no interface 4");
    assert_int_equal(spill_router_set_route(router, &ten, SPILL_ROUTE_FORWARD, &bad, 0, &error),
                     -1);
    bad = path(0, NULL);
    for (i = 0; i < ROUTES; i++) {
        many.address.bytes[1] = (uint8_t)(i >> 8);
        many.address.bytes[2] = (uint8_t)i;
        assert_int_equal(
            spill_router_set_route(router, &many, SPILL_ROUTE_FORWARD, &bad, 1, &error), 0);
    }
    assert_int_equal(spill_router_set_route(router, &ten, SPILL_ROUTE_FORWARD, &bad, 1, &error),
                     -1);
    assert_string_equal(error.text,
                        "route: there are 4096 of IPv4, which is the most; more by routes");
    settle(router);
    assert_int_equal(spill_router_refused(router), 1);
}

static void test_needs(void **state)
{
    struct spill_router *router = *state;
    struct spill_error error;
    struct spill_route_lcore *lcore = spill_router_lcore(router, 0, 0, &error);
    struct spill_router_need need = {.interface = 1, .address = ip("10.0.0.7")}, got;
    const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};
    unsigned i;

    assert_false(spill_router_next_need(router, &got));
    assert_false(spill_router_has_needs(router));
    for (i = 0; i < SPILL_NEEDS_MAX; i++)
        assert_true(spill_needs_add(lcore, need));
    assert_false(spill_needs_add(lcore, need));
    assert_true(spill_router_has_needs(router));
    assert_true(spill_router_next_need(router, &got));
    assert_true(spill_ip_equal(&got.address, &need.address));
    assert_true(spill_needs_add(lcore, need));
    assert_ptr_equal(spill_router_lcore(router, 0, 0, &error), lcore);
    spill_router_set_neighbor(router, 1, &need.address, SPILL_NEIGHBOR_REACHABLE, &mac, &error);
    assert_int_equal(spill_router_neighbor_count(router), 1);
    assert_false(spill_router_neighbor_used(router, 1, &need.address));
    lcore->used[spill_hop_find(spill_router_tables(router, 0), 1, &need.address)] = 1;
    assert_true(spill_router_neighbor_used(router, 1, &need.address));
    assert_false(spill_router_neighbor_used(router, 1, &need.address));
    spill_router_remove_neighbor(router, 1, &need.address);
    spill_router_remove_neighbor(router, 1, &need.address);
    assert_int_equal(spill_router_neighbor_count(router), 0);
}

/* --------------------------------------------------------------------------------- oracle */

#define KNOWN 600

struct oracle {
    struct spill_ip_prefix prefixes[KNOWN];
    int interfaces[KNOWN]; /* -1: no route */
};

static int walk(const struct oracle *oracle, const struct spill_ip *to)
{
    int best = -1, length = -1;
    unsigned i;

    for (i = 0; i < KNOWN; i++) {
        const struct spill_ip_prefix *known = &oracle->prefixes[i];

        if (oracle->interfaces[i] >= 0 && (int)known->length > length &&
            spill_ip_prefix_has(known, to)) {
            best = oracle->interfaces[i];
            length = known->length;
        }
    }
    return best;
}

/* Prefixes that lie in each other often, of few different addresses. */
static struct spill_ip_prefix random_prefix(uint8_t family)
{
    struct spill_ip_prefix made = {.address.family = family};
    unsigned i;

    made.length = (uint8_t)chance(spill_ip_bits(family) + 1u);
    for (i = 0; i < spill_ip_bits(family) / 8u; i++)
        made.address.bytes[i] = (uint8_t)(chance(2) * 0x55 + chance(2));
    spill_ip_prefix_trim(&made);
    return made;
}

static bool is_known(const struct oracle *oracle, unsigned count,
                     const struct spill_ip_prefix *what)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        if (oracle->prefixes[i].length == what->length &&
            spill_ip_equal(&oracle->prefixes[i].address, &what->address))
            return true;
    }
    return false;
}

static void check_family(struct spill_router *router, uint8_t family)
{
    struct oracle *oracle = calloc(1, sizeof(*oracle));
    struct spill_error error;
    unsigned i, round, looked;

    assert_non_null(oracle);
    for (i = 0; i < KNOWN;) {
        oracle->interfaces[i] = -1;
        oracle->prefixes[i] = random_prefix(family);
        i += !is_known(oracle, i, &oracle->prefixes[i]);
    }
    for (round = 0; round < 100; round++) {
        for (i = 0; i < 60; i++) {
            unsigned which = chance(KNOWN);
            struct spill_route_path way = path((uint16_t)chance(4), NULL);

            oracle->interfaces[which] = chance(3) == 0 ? -1 : way.interface;
            if (oracle->interfaces[which] < 0)
                spill_router_remove_route(router, &oracle->prefixes[which]);
            else
                assert_int_equal(spill_router_set_route(router, &oracle->prefixes[which],
                                                        SPILL_ROUTE_FORWARD, &way, 1, &error),
                                 0);
            if (chance(20) == 0)
                spill_router_work(router);
        }
        settle(router);
        for (looked = 0; looked < 200; looked++) {
            struct spill_ip to = random_prefix(family).address;
            const struct spill_group *group = look(router, &to);
            const int expected = walk(oracle, &to);

            if (expected < 0)
                assert_int_equal(spill_group_get(group).action, SPILL_ROUTE_NONE);
            else
                assert_int_equal(spill_router_tables(router, 0)->hops[group->hops[0]].interface,
                                 expected);
        }
    }
    assert_int_equal(spill_router_refused(router), 0);
    free(oracle);
}

static void test_oracle(void **state)
{
    const char *seed = getenv("SEED");

    random_state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    print_message("SEED=%llu\n", (unsigned long long)random_state);
    check_family(*state, AF_INET);
    check_family(*state, AF_INET6);
}

/* ---------------------------------------------------------------------------- under readers */

struct reading {
    struct spill_router *router;
    bool stop;
    uint64_t looked, wrong;
};

/* Looks at what no change touches, in the midst of what is changed. */
static void *read_on(void *argument)
{
    struct reading *reading = argument;
    struct spill_ip to4 = ip("10.0.0.255"), to6 = ip("2001:db8::ffff");

    while (!__atomic_load_n(&reading->stop, __ATOMIC_RELAXED)) {
        unsigned i;

        rte_rcu_qsbr_thread_online(readers, 0);
        for (i = 0; i < 64; i++) {
            const struct spill_route_tables *tables = spill_router_tables(reading->router, 0);
            const struct spill_group *group;

            to4.bytes[2] = (uint8_t)i;
            to6.bytes[5] = (uint8_t)i;
            group = look(reading->router, &to4);
            reading->wrong += spill_group_get(group).action != SPILL_ROUTE_FORWARD ||
                              tables->hops[group->hops[0]].interface != 1;
            group = look(reading->router, &to6);
            reading->wrong += spill_group_get(group).action != SPILL_ROUTE_FORWARD ||
                              tables->hops[group->hops[0]].interface != 1;
        }
        reading->looked += 128;
        rte_rcu_qsbr_thread_offline(readers, 0);
    }
    return NULL;
}

static void test_readers(void **state)
{
    struct reading reading = {.router = *state};
    struct spill_ip_prefix to4 = prefix("10.0.0.0/24"), to6 = prefix("2001:db8::/48");
    const struct spill_route_path stays = path(1, "192.0.2.1"), comes = path(2, "192.0.2.2");
    struct spill_error error;
    pthread_t thread;
    unsigned round, i;

    for (i = 0; i < 64; i++) {
        to4.address.bytes[2] = to6.address.bytes[5] = (uint8_t)i;
        spill_router_set_route(*state, &to4, SPILL_ROUTE_FORWARD, &stays, 1, &error);
        spill_router_set_route(*state, &to6, SPILL_ROUTE_FORWARD, &stays, 1, &error);
    }
    settle(*state);
    assert_int_equal(pthread_create(&thread, NULL, read_on, &reading), 0);
    to4.length = 32;
    to6.length = 128;
    for (round = 0; round < 3000; round++) {
        to4.address.bytes[2] = to6.address.bytes[5] = (uint8_t)chance(64);
        to4.address.bytes[3] = to6.address.bytes[15] = (uint8_t)chance(4);
        if (chance(2) == 0) {
            spill_router_set_route(*state, &to4, SPILL_ROUTE_FORWARD, &comes, 1, &error);
            spill_router_set_route(*state, &to6, SPILL_ROUTE_FORWARD, &comes, 1, &error);
        } else {
            spill_router_remove_route(*state, &to4);
            spill_router_remove_route(*state, &to6);
        }
        spill_router_work(*state);
    }
    while (__atomic_load_n(&reading.looked, __ATOMIC_RELAXED) < 100000)
        spill_router_work(*state);
    __atomic_store_n(&reading.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    settle(*state);
    assert_int_equal(reading.wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_neighbor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_neighbor_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mtu, setup, teardown),
        cmocka_unit_test_setup_teardown(test_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oracle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers, setup, teardown),
    };
    char *arguments[] = {(char *)(uintptr_t) "test_router", (char *)(uintptr_t) "--no-huge",
                         (char *)(uintptr_t) "-m",          (char *)(uintptr_t) "512",
                         (char *)(uintptr_t) "--no-shconf", (char *)(uintptr_t) "--no-telemetry",
                         (char *)(uintptr_t) "-l",          (char *)(uintptr_t) "0"};

    if (rte_eal_init(RTE_DIM(arguments), arguments) < 0)
        return 1;
    readers = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
    if (readers == NULL || rte_rcu_qsbr_init(readers, 1) != 0 ||
        rte_rcu_qsbr_thread_register(readers, 0) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
