/* SPDX-License-Identifier: BSD-3-Clause */
/* The router of a world, and what changes in it. */
#include "world_router.h"

#define LCORES    4
#define NEIGHBORS 64 /* of each port and family that may be told of */

#define GATEWAYS 3 /* the first of them */

#define NOWHERE 0xff /* in place of a port */

static struct spill_router *router;
static struct spill_error error;

/* Inside is behind lan, as traffic.c writes addresses. Longest prefixes are a subset of shorter
 * ones, so that a route taken out lets packets go by another one. */
static const struct route {
    const char *prefix;
    uint8_t action, port;
    const char *gateway;
} routes[] = {
    {"10.0.0.0/8", SPILL_ROUTE_FORWARD, WORLD_LAN, NULL},
    {"10.100.0.0/16", SPILL_ROUTE_FORWARD, WORLD_LAN, "10.0.0.9"},
    {"10.100.0.0/30", SPILL_ROUTE_FORWARD, WORLD_WAN, "192.0.2.9"},
    {"10.102.0.0/16", SPILL_ROUTE_BLACKHOLE, NOWHERE, NULL},
    {"10.103.0.0/16", SPILL_ROUTE_UNREACHABLE, NOWHERE, NULL},
    {"10.3.0.0/16", SPILL_ROUTE_PROHIBIT, NOWHERE, NULL},
    {"192.0.2.0/24", SPILL_ROUTE_FORWARD, WORLD_WAN, NULL},
    {"0.0.0.0/0", SPILL_ROUTE_FORWARD, WORLD_WAN, "fe80::9"},
    {"fd00::/8", SPILL_ROUTE_FORWARD, WORLD_LAN, "fe80::9"},
    {"fd00:100::/32", SPILL_ROUTE_FORWARD, WORLD_LAN, NULL},
    {"fd00:102::/32", SPILL_ROUTE_UNREACHABLE, NOWHERE, NULL},
    {"2000::/3", SPILL_ROUTE_FORWARD, WORLD_WAN, "fe80::8"},
    {"10.0.0.1/32", SPILL_ROUTE_LOCAL, NOWHERE, NULL},
    {"192.0.2.1/32", SPILL_ROUTE_LOCAL, NOWHERE, NULL},
    {"fd00::1/128", SPILL_ROUTE_LOCAL, NOWHERE, NULL},
    {"2001:db8::1/128", SPILL_ROUTE_LOCAL, NOWHERE, NULL},
};

static const char *const addresses[2][2] = {{"10.0.0.1/8", "fd00::1/8"},
                                            {"192.0.2.1/24", "2001:db8::1/32"}};

#define MUST(condition) FUZZ_CHECK(condition, "%s", error.text)

static struct spill_ip_prefix prefix_of(const char *text)
{
    struct spill_ip_prefix prefix;

    MUST(spill_ip_prefix_read(text, &prefix));
    return prefix;
}

static struct spill_ip ip_of(const char *text)
{
    struct spill_ip ip;

    MUST(spill_ip_read(text, &ip));
    return ip;
}

struct rte_ether_addr world_router_mac(enum world_port port, unsigned host)
{
    return (struct rte_ether_addr){{2, 0, 0, 1, (uint8_t)port, (uint8_t)host}};
}

/* ---------------------------------------------------------------------------------- making */

static void set_route(const struct route *route)
{
    const struct spill_ip_prefix prefix = prefix_of(route->prefix);
    struct spill_route_path path = {.interface = route->port};
    const bool forwards = route->action == SPILL_ROUTE_FORWARD;

    if (route->gateway != NULL)
        path.gateway = ip_of(route->gateway);
    MUST(spill_router_set_route(router, &prefix, route->action, forwards ? &path : NULL, forwards,
                                &error) == 0);
}

static void add_interface(const struct spill_port *port, unsigned number)
{
    const struct spill_router_interface interface = {.port = port->id, .mac = {{2, 0, 0, 0, 0, 1}}};
    struct spill_ip_prefix own[2];

    MUST(spill_router_add_interface(router, &interface, &error) == (int)number);
    for (unsigned i = 0; i < 2; i++) {
        own[i] = prefix_of(addresses[number][i]);
        own[i].address = ip_of(
            (const char *[2][2]){{"10.0.0.1", "fd00::1"}, {"192.0.2.1", "2001:db8::1"}}[number][i]);
    }
    spill_router_set_addresses(router, (uint16_t)number, own, 2);
}

void world_router_start(const struct spill_port *ports, struct rte_rcu_qsbr *readers)
{
    struct spill_router_config config = {
        .routes4 = 64, .routes6 = 64, .readers = readers, .lcores = LCORES, .seed = 1};

    for (unsigned i = 0; i < SPILL_NODES_MAX; i++)
        config.memory_nodes[i] = i == 0 ? 0 : -1;
    router = spill_router_create(&config, &error);
    MUST(router != NULL);
    for (unsigned i = 0; i < 2; i++)
        add_interface(&ports[i], i);
}

/* One of those whom frames are for, or a gateway. */
static struct spill_ip neighbor_of(enum world_port port, unsigned which, unsigned net)
{
    const char *const gateways[2][2] = {{"10.0.0.9", "fe80::9"}, {"192.0.2.9", "fe80::8"}};
    struct spill_ip ip = {.family = AF_INET};

    if (which < GATEWAYS)
        return which == 2 ? ip_of("fe80::9") : ip_of(gateways[port][which]);
    ip.bytes[0] = port == WORLD_LAN ? 10 : 192;
    ip.bytes[1] = (uint8_t)(port == WORLD_LAN ? net : 0);
    ip.bytes[2] = (uint8_t)(port == WORLD_LAN ? 0 : 2);
    ip.bytes[3] = (uint8_t)(which % NEIGHBORS);
    return ip;
}

/* Of the gateways all is known, of hosts nothing. */
static void reset_neighbors(void)
{
    for (unsigned i = 0; i < 2 * NEIGHBORS; i++) {
        for (unsigned net = 0; net <= 100; net += 100) {
            const struct spill_ip ip = neighbor_of(i & 1, i / 2, net);
            const struct rte_ether_addr mac = world_router_mac(i & 1, i / 2);

            spill_router_remove_neighbor(router, i & 1, &ip);
            if (i / 2 < GATEWAYS)
                spill_router_set_neighbor(router, i & 1, &ip, SPILL_NEIGHBOR_REACHABLE, &mac,
                                          &error);
        }
    }
}

struct spill_router *world_router_open(void)
{
    struct spill_router_need need;

    reset_neighbors();
    for (unsigned i = 0; i < 2; i++) {
        spill_router_set_mtu(router, (uint16_t)i, 0);
        spill_router_set_link(router, (uint16_t)i, SPILL_LINK_OF_PORT, true);
    }
    for (unsigned i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        set_route(&routes[i]);
    while (spill_router_work(router))
        continue;
    while (spill_router_next_need(router, &need))
        continue;
    return router;
}

/* --------------------------------------------------------------------------------- changes */

static void change_neighbor(struct fuzz_input *input)
{
    static const enum spill_neighbor_state states[] = {
        SPILL_NEIGHBOR_REACHABLE, SPILL_NEIGHBOR_REACHABLE, SPILL_NEIGHBOR_UNRESOLVED,
        SPILL_NEIGHBOR_FAILED};
    const uint8_t shape = fuzz_byte(input), which = fuzz_byte(input) % NEIGHBORS;
    const enum world_port port = shape & 1;
    const struct spill_ip ip = neighbor_of(port, which, fuzz_byte(input) % 8 == 0 ? 0 : 100);
    const struct rte_ether_addr mac = world_router_mac(port, which);

    if (shape >> 4 == 15)
        spill_router_remove_neighbor(router, (uint16_t)port, &ip);
    else
        spill_router_set_neighbor(router, (uint16_t)port, &ip, states[(shape >> 1) % 4], &mac,
                                  &error);
}

void world_router_change(struct fuzz_input *input)
{
    const uint8_t what = fuzz_byte(input), which = fuzz_byte(input);
    const struct route *route = &routes[which % (sizeof(routes) / sizeof(routes[0]))];
    const struct spill_ip_prefix prefix = prefix_of(route->prefix);

    switch (what % 8) {
    case 0:
        spill_router_remove_route(router, &prefix);
        break;
    case 1:
        set_route(route);
        break;
    case 2:
        spill_router_set_mtu(router, which & 1, (uint16_t)(which < 64 ? 0 : 68 + which * 8));
        break;
    case 3:
        spill_router_set_link(router, which & 1, SPILL_LINK_OF_PORT, (which & 6) != 0);
        break;
    default:
        change_neighbor(input);
        break;
    }
    world_router_work();
}

void world_router_work(void)
{
    struct spill_router_need need;

    spill_router_work(router);
    while (spill_router_next_need(router, &need))
        continue;
}

/* ----------------------------------------------------------------------------------- knowing */

static bool is_within(const struct spill_ip *ip, const struct spill_ip_prefix *prefix)
{
    struct spill_ip_prefix own = {.address = *ip, .length = prefix->length};

    if (ip->family != prefix->address.family)
        return false;
    spill_ip_prefix_trim(&own);
    return spill_ip_equal(&own.address, &prefix->address);
}

/* Any of the routes may have been out for a while. */
bool world_router_leads(const struct spill_ip *to, enum world_port port)
{
    for (unsigned i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct spill_ip_prefix prefix = prefix_of(routes[i].prefix);

        if (routes[i].port == port && is_within(to, &prefix))
            return true;
    }
    return false;
}

bool world_router_is_own(const struct spill_ip *address)
{
    for (unsigned i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct spill_ip_prefix prefix = prefix_of(routes[i].prefix);

        if (routes[i].action == SPILL_ROUTE_LOCAL && is_within(address, &prefix))
            return true;
    }
    return false;
}
