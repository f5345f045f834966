/* SPDX-License-Identifier: BSD-3-Clause */
/* The router: its tables, interfaces and routes. */
#include "route/router.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_malloc.h>

#include "route/state.h"

uint64_t spill_router_memory(uint32_t routes4, uint32_t routes6)
{
    return SPILL_SIDES *
               (spill_fib_memory(AF_INET, routes4) + spill_fib_memory(AF_INET6, routes6)) +
           sizeof(struct spill_route_tables) +
           SPILL_ROUTER_GROUPS_MAX * sizeof(struct spill_group) +
           SPILL_HOPS_MAX * sizeof(struct spill_hop);
}

/* ----------------------------------------------------------------------------- the tables */

static void publish4(void *context, const struct spill_fib *fib)
{
    struct spill_router *router = context;
    struct spill_route_tables *tables;

    SPILL_EACH_TABLES(router, tables)
    __atomic_store_n(&tables->fib4, fib->copies[node_], __ATOMIC_RELEASE);
}

static void publish6(void *context, const struct spill_fib *fib)
{
    struct spill_router *router = context;
    struct spill_route_tables *tables;

    SPILL_EACH_TABLES(router, tables)
    __atomic_store_n(&tables->fib6, fib->copies[node_], __ATOMIC_RELEASE);
}

static void changed(void *context, uint16_t before, uint16_t after)
{
    struct spill_router *router = context;

    if (after != 0)
        spill_groups_use(router, after);
    if (before != 0)
        spill_groups_unuse(router, before);
}

static void free_tables(struct spill_route_tables *tables)
{
    if (tables == NULL)
        return;
    rte_free(tables->groups);
    rte_free(tables->hops);
    rte_free(tables);
}

static struct spill_route_tables *create_tables(const struct spill_router_config *config, int node)
{
    struct spill_route_tables *tables =
        rte_zmalloc_socket("routes", sizeof(*tables), RTE_CACHE_LINE_SIZE, node);
    uint16_t i;

    if (tables == NULL)
        return NULL;
    tables->seed = config->seed;
    tables->rpf = (uint8_t)config->rpf;
    tables->groups = rte_zmalloc_socket("groups", SPILL_ROUTER_GROUPS_MAX * sizeof(*tables->groups),
                                        RTE_CACHE_LINE_SIZE, node);
    tables->hops = rte_zmalloc_socket("hops", SPILL_HOPS_MAX * sizeof(*tables->hops),
                                      RTE_CACHE_LINE_SIZE, node);
    if (tables->groups == NULL || tables->hops == NULL) {
        free_tables(tables);
        return NULL;
    }
    for (i = 0; i < SPILL_ROUTER_INTERFACES_MAX; i++) {
        const union spill_hop_state state = {.kind = SPILL_HOP_ON_LINK};

        tables->hops[1 + i] = (struct spill_hop){.state = state.word, .interface = i};
    }
    return tables;
}

static int create_all_tables(struct spill_router *router, struct spill_error *error)
{
    int i;

    for (i = 0; i < SPILL_NODES_MAX; i++) {
        const int node = router->config.memory_nodes[i];

        if (node < 0 || router->tables[node] != NULL)
            continue;
        router->tables[node] = create_tables(&router->config, node);
        if (router->tables[node] == NULL)
            return spill_error_set(error,
                                   "routes: no memory on node %d; give more by --memory or "
                                   "hugepages",
                                   node);
        router->first = router->tables[node];
    }
    return 0;
}

static int create_table(struct spill_router *router, uint8_t family, struct spill_error *error)
{
    const bool v4 = family == AF_INET;
    const struct spill_left_right_config config = {
        .family = family,
        .capacity = v4 ? router->config.routes4 : router->config.routes6,
        .memory_nodes = router->config.memory_nodes,
        .readers = router->config.readers,
        .seed = router->config.seed,
        .publish = v4 ? publish4 : publish6,
        .changed = changed,
        .context = router,
    };

    return spill_left_right_init(v4 ? &router->table4 : &router->table6, &config, error);
}

struct spill_router *spill_router_create(const struct spill_router_config *config,
                                         struct spill_error *error)
{
    struct spill_router *router = calloc(1, sizeof(*router));

    if (router == NULL) {
        spill_error_set(error, "routes: no memory");
        return NULL;
    }
    router->config = *config;
    if (spill_numbers_init(&router->hop_numbers, config->readers, 1 + SPILL_ROUTER_INTERFACES_MAX,
                           SPILL_HOPS_MAX) != 0 ||
        spill_numbers_init(&router->group_numbers, config->readers, 1, SPILL_ROUTER_GROUPS_MAX) !=
            0) {
        spill_error_set(error, "routes: no memory");
        spill_router_free(router);
        return NULL;
    }
    if (create_all_tables(router, error) != 0 || create_table(router, AF_INET, error) != 0 ||
        create_table(router, AF_INET6, error) != 0) {
        spill_router_free(router);
        return NULL;
    }
    return router;
}

static void free_lcore(struct spill_route_lcore *lcore)
{
    if (lcore == NULL)
        return;
    rte_ring_free(lcore->needs);
    rte_free(lcore);
}

void spill_router_free(struct spill_router *router)
{
    int i;

    if (router == NULL)
        return;
    spill_left_right_free(&router->table4);
    spill_left_right_free(&router->table6);
    spill_groups_free(router);
    spill_numbers_free(&router->hop_numbers);
    spill_numbers_free(&router->group_numbers);
    for (i = 0; i < SPILL_ROUTER_LCORES_MAX; i++)
        free_lcore(router->lcores[i]);
    for (i = 0; i < SPILL_NODES_MAX; i++)
        free_tables(router->tables[i]);
    free(router);
}

const struct spill_route_tables *spill_router_tables(const struct spill_router *router, int node)
{
    return node < 0 ? router->first : router->tables[node];
}

static struct spill_route_lcore *create_lcore(uint32_t index, int socket)
{
    struct spill_route_lcore *lcore =
        rte_zmalloc_socket("hops used", sizeof(*lcore), RTE_CACHE_LINE_SIZE, socket);
    char name[RTE_RING_NAMESIZE];

    if (lcore == NULL)
        return NULL;
    snprintf(name, sizeof(name), "needs-%u", index);
    lcore->needs = rte_ring_create_elem(name, sizeof(struct spill_router_need), SPILL_NEEDS_MAX,
                                        socket, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (lcore->needs != NULL)
        return lcore;
    free_lcore(lcore);
    return NULL;
}

struct spill_route_lcore *spill_router_lcore(struct spill_router *router, uint32_t index, int node,
                                             struct spill_error *error)
{
    if (router->lcores[index] == NULL)
        router->lcores[index] = create_lcore(index, node < 0 ? SOCKET_ID_ANY : node);
    if (router->lcores[index] == NULL)
        spill_error_set(error, "routes: no memory on node %d; give more by --memory or hugepages",
                        node);
    return router->lcores[index];
}

/* ------------------------------------------------------------------------- the interfaces */

int spill_router_find_interface(const struct spill_router *router, uint16_t port, uint16_t vlan)
{
    uint32_t i;

    for (i = 0; i < router->interface_count; i++) {
        if (router->interfaces[i].port == port && router->interfaces[i].vlan == vlan)
            return (int)i;
    }
    return -1;
}

int spill_router_add_interface(struct spill_router *router,
                               const struct spill_router_interface *interface,
                               struct spill_error *error)
{
    struct spill_route_tables *tables;
    uint32_t index = 0;

    while (index < router->interface_count && router->interfaces[index].port != SPILL_NO_PORT)
        index++;
    if (index == SPILL_ROUTER_INTERFACES_MAX)
        return spill_error_set(error, "router: more than %d routed ports and VLANs of them",
                               SPILL_ROUTER_INTERFACES_MAX);
    if (spill_router_find_interface(router, interface->port, interface->vlan) >= 0)
        return spill_error_set(error, "router: port %u has VLAN %u twice", interface->port,
                               interface->vlan);
    router->interfaces[index] = *interface;
    SPILL_EACH_TABLES(router, tables)
    tables->interfaces[index] = (struct spill_interface){
        .mac = spill_mac_word(&interface->mac),
        .port = interface->port,
        .vlan = interface->vlan,
        .mtu = interface->mtu != 0 ? interface->mtu : UINT16_MAX,
    };
    __atomic_store_n(&router->interface_count, RTE_MAX(router->interface_count, index + 1),
                     __ATOMIC_RELEASE);
    return (int)index;
}

bool spill_router_interface_used(const struct spill_router *router, uint16_t interface)
{
    return __atomic_load_n(&router->uses[interface], __ATOMIC_ACQUIRE) > 0;
}

bool spill_router_remove_interface(struct spill_router *router, uint16_t interface)
{
    if (spill_router_interface_used(router, interface))
        return false;
    router->interfaces[interface].port = SPILL_NO_PORT;
    return true;
}

uint32_t spill_router_interface_count(const struct spill_router *router)
{
    return router->interface_count;
}

/* The place of a MAC among those that an interface takes besides; -1: it is not there. */
static int find_mac(const struct spill_router *router, uint16_t interface, uint64_t word)
{
    int i;

    for (i = 0; i < SPILL_INTERFACE_MACS; i++) {
        if (router->first->interfaces[interface].macs[i] == word)
            return i;
    }
    return -1;
}

static void write_mac(struct spill_router *router, uint16_t interface, int place, uint64_t word)
{
    struct spill_route_tables *tables;

    SPILL_EACH_TABLES(router, tables)
    __atomic_store_n(&tables->interfaces[interface].macs[place], word, __ATOMIC_RELAXED);
}

int spill_router_add_mac(struct spill_router *router, uint16_t interface,
                         const struct rte_ether_addr *mac, struct spill_error *error)
{
    const uint64_t word = spill_mac_word(mac);
    const int place = find_mac(router, interface, 0);

    if (find_mac(router, interface, word) >= 0)
        return 0;
    if (place < 0)
        return spill_error_set(error, "router: more than %d MACs besides an interface's own",
                               SPILL_INTERFACE_MACS);
    write_mac(router, interface, place, word);
    return 0;
}

void spill_router_remove_mac(struct spill_router *router, uint16_t interface,
                             const struct rte_ether_addr *mac)
{
    const int place = find_mac(router, interface, spill_mac_word(mac));

    if (place >= 0)
        write_mac(router, interface, place, 0);
}

void spill_router_set_mac(struct spill_router *router, uint16_t interface,
                          const struct rte_ether_addr *mac)
{
    struct spill_route_tables *tables;

    router->interfaces[interface].mac = *mac;
    SPILL_EACH_TABLES(router, tables)
    __atomic_store_n(&tables->interfaces[interface].mac, spill_mac_word(mac), __ATOMIC_RELAXED);
}

void spill_router_set_mtu(struct spill_router *router, uint16_t interface, uint16_t mtu)
{
    struct spill_route_tables *tables;

    router->interfaces[interface].mtu = mtu;
    SPILL_EACH_TABLES(router, tables)
    __atomic_store_n(&tables->interfaces[interface].mtu, mtu != 0 ? mtu : UINT16_MAX,
                     __ATOMIC_RELAXED);
}

static bool is_link_local6(const struct spill_ip *ip)
{
    return ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

static struct spill_route_sources sources_of(const struct spill_ip_prefix *addresses,
                                             uint32_t count)
{
    struct spill_route_sources sources = {.has4 = 0};
    uint32_t i;

    for (i = 0; i < count; i++) {
        const struct spill_ip *ip = &addresses[i].address;

        if (ip->family == AF_INET && !sources.has4) {
            sources.has4 = 1;
            memcpy(&sources.address4, ip->bytes, sizeof(sources.address4));
        } else if (ip->family == AF_INET6 && !sources.has6 && !is_link_local6(ip)) {
            sources.has6 = 1;
            memcpy(sources.address6, ip->bytes, sizeof(sources.address6));
        }
    }
    return sources;
}

void spill_router_set_addresses(struct spill_router *router, uint16_t interface,
                                const struct spill_ip_prefix *addresses, uint32_t count)
{
    const struct spill_route_sources sources = sources_of(addresses, count);
    struct spill_route_tables *tables;

    SPILL_EACH_TABLES(router, tables)
    {
        struct spill_interface *seen = &tables->interfaces[interface];

        __atomic_store_n(&seen->sources_version, seen->sources_version + 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        seen->sources = sources;
        __atomic_store_n(&seen->sources_version, seen->sources_version + 1, __ATOMIC_RELEASE);
    }
}

void spill_router_set_link(struct spill_router *router, uint16_t interface,
                           enum spill_router_link of, bool up)
{
    const uint8_t before = router->first->interfaces[interface].down;
    const uint8_t now = (uint8_t)(up ? before & ~of : before | of);
    struct spill_route_tables *tables;

    if (now == before)
        return;
    SPILL_EACH_TABLES(router, tables)
    __atomic_store_n(&tables->interfaces[interface].down, now, __ATOMIC_RELAXED);
    if ((now == 0) != (before == 0))
        spill_groups_follow_links(router);
}

/* ----------------------------------------------------------------------------- the routes */

static struct spill_left_right *table_of(struct spill_router *router, uint8_t family)
{
    return family == AF_INET ? &router->table4 : &router->table6;
}

static const struct spill_rib *rib_of(const struct spill_router *router, uint8_t family)
{
    return family == AF_INET ? &router->table4.rib : &router->table6.rib;
}

/* A route's wish counts as a use of its group, as do the tables that have it. */
static void want(struct spill_router *router, struct spill_rib *rib, struct spill_rib_entry *entry,
                 uint16_t group)
{
    const uint16_t before = entry->wanted;

    if (group != 0)
        spill_groups_use(router, group);
    spill_rib_want(rib, entry, group);
    if (before != 0)
        spill_groups_unuse(router, before);
}

static int set_route(struct spill_router *router, const struct spill_ip_prefix *prefix,
                     uint16_t group, struct spill_error *error)
{
    struct spill_rib *rib = &table_of(router, prefix->address.family)->rib;
    struct spill_ip_prefix exact = *prefix;
    struct spill_rib_entry *entry;

    spill_ip_prefix_trim(&exact);
    entry = spill_rib_make(rib, &exact);
    if (entry == NULL) {
        router->refused++;
        return spill_error_set(error, "route: there are %u of %s, which is the most; more by %s",
                               rib->capacity, prefix->address.family == AF_INET ? "IPv4" : "IPv6",
                               prefix->address.family == AF_INET ? "routes" : "routes6");
    }
    want(router, rib, entry, group);
    return 0;
}

int spill_router_set_route(struct spill_router *router, const struct spill_ip_prefix *prefix,
                           enum spill_route_action action, const struct spill_route_path *paths,
                           uint32_t count, struct spill_error *error)
{
    const uint16_t group = spill_groups_find(router, action, paths, count, error);
    int status;

    if (group == 0)
        return -1;
    spill_groups_use(router, group); /* until the route has it: it may be new */
    status = set_route(router, prefix, group, error);
    spill_groups_unuse(router, group);
    return status;
}

int spill_router_set_route_group(struct spill_router *router, const struct spill_ip_prefix *prefix,
                                 uint32_t group, struct spill_error *error)
{
    return set_route(router, prefix, (uint16_t)group, error);
}

void spill_router_remove_route(struct spill_router *router, const struct spill_ip_prefix *prefix)
{
    struct spill_rib *rib = &table_of(router, prefix->address.family)->rib;
    struct spill_ip_prefix exact = *prefix;
    struct spill_rib_entry *entry;

    spill_ip_prefix_trim(&exact);
    entry = spill_rib_find(rib, &exact);
    if (entry == NULL)
        return;
    want(router, rib, entry, 0);
    spill_rib_release(rib, entry);
}

bool spill_router_work(struct spill_router *router)
{
    const bool more4 = spill_left_right_work(&router->table4, SPILL_ROUTER_WORK);
    const bool more6 = spill_left_right_work(&router->table6, SPILL_ROUTER_WORK);

    return more4 || more6;
}

uint32_t spill_router_route_count(const struct spill_router *router, uint8_t family)
{
    return rib_of(router, family)->routes;
}

uint64_t spill_router_refused(const struct spill_router *router)
{
    return router->table4.refused + router->table6.refused + router->refused;
}

enum spill_route_action spill_router_get_route(const struct spill_router *router,
                                               const struct spill_ip_prefix *prefix)
{
    struct spill_ip_prefix exact = *prefix;
    const struct spill_rib_entry *entry;

    spill_ip_prefix_trim(&exact);
    entry = spill_rib_find(rib_of(router, prefix->address.family), &exact);
    return entry == NULL || entry->wanted == 0 ? SPILL_ROUTE_NONE
                                               : router->groups[entry->wanted].action;
}
