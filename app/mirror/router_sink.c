/* SPDX-License-Identifier: BSD-3-Clause */
#include "mirror/router_sink.h"

#include <rte_common.h>

static uint32_t create_group(void *router, enum spill_route_action action,
                             const struct spill_route_path *paths, uint32_t count)
{
    return spill_router_create_group(router, action, paths, count, NULL);
}

static bool change_group(void *router, uint32_t group, enum spill_route_action action,
                         const struct spill_route_path *paths, uint32_t count)
{
    /* A group that can't be what it is to be, is not what it was: its packets would go astray. */
    if (spill_router_change_group(router, group, action, paths, count, NULL) == 0)
        return true;
    spill_router_change_group(router, group, SPILL_ROUTE_UNREACHABLE, NULL, 0, NULL);
    return false;
}

static void release_group(void *router, uint32_t group)
{
    spill_router_release_group(router, group);
}

/* There is room for a change of what is there. */
static bool set_route(void *router, const struct spill_ip_prefix *prefix, uint32_t group)
{
    return spill_router_set_route_group(router, prefix, group, NULL) == 0;
}

static void remove_route(void *router, const struct spill_ip_prefix *prefix)
{
    spill_router_remove_route(router, prefix);
}

static void set_neighbor(void *router, uint16_t interface, const struct spill_ip *address,
                         enum spill_neighbor_state state, const struct rte_ether_addr *mac)
{
    spill_router_set_neighbor(router, interface, address, state, mac, NULL);
}

static void remove_neighbor(void *router, uint16_t interface, const struct spill_ip *address)
{
    spill_router_remove_neighbor(router, interface, address);
}

static void set_addresses(void *router, uint16_t interface, const struct spill_ip_prefix *addresses,
                          uint32_t count)
{
    spill_router_set_addresses(router, interface, addresses, count);
}

/* What the port can carry is the exit's to know: the less of the two is in force. */
static void set_link(void *router, uint16_t interface, bool enabled, bool carrier, uint32_t mtu)
{
    spill_router_set_link(router, interface, SPILL_LINK_OF_TWIN, enabled && carrier);
    spill_router_set_mtu(router, interface, (uint16_t)RTE_MIN(mtu, (uint32_t)UINT16_MAX));
}

static void set_mac(void *router, uint16_t interface, const struct rte_ether_addr *mac)
{
    spill_router_set_mac(router, interface, mac);
}

static void add_mac(void *router, uint16_t interface, const struct rte_ether_addr *mac)
{
    spill_router_add_mac(router, interface, mac, NULL);
}

static void remove_mac(void *router, uint16_t interface, const struct rte_ether_addr *mac)
{
    spill_router_remove_mac(router, interface, mac);
}

void spill_router_sink_init(struct spill_mirror_sink *sink, struct spill_router *router)
{
    *sink = (struct spill_mirror_sink){
        .context = router,
        .create_group = create_group,
        .change_group = change_group,
        .release_group = release_group,
        .set_route = set_route,
        .remove_route = remove_route,
        .set_neighbor = set_neighbor,
        .remove_neighbor = remove_neighbor,
        .set_addresses = set_addresses,
        .set_link = set_link,
        .set_mac = set_mac,
        .add_mac = add_mac,
        .remove_mac = remove_mac,
    };
}
