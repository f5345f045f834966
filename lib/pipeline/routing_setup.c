/* SPDX-License-Identifier: BSD-3-Clause */
/* What a fast lcore has for routing: made before it starts, but for interfaces that come and leave.
 */
#include <rte_malloc.h>

#include "pipeline/connect.h"
#include "pipeline/waiting.h"

#define VLANS 4096

/* The table of a port's VLANs, none of which is known at first. */
static uint16_t *create_vlans(int node)
{
    uint16_t *by_vlan = spill_connect_allocate(VLANS * sizeof(*by_vlan), node);
    uint32_t i;

    for (i = 0; by_vlan != NULL && i < VLANS; i++)
        by_vlan[i] = SPILL_NO_INTERFACE;
    return by_vlan;
}

/* Where an interface's number stands; NULL: no memory. */
static uint16_t *place_of(struct spill_routing *routing, const struct spill_interface *interface,
                          int node)
{
    uint16_t *by_vlan = routing->by_vlan[interface->port];

    if (interface->vlan == 0)
        return &routing->untagged[interface->port];
    if (by_vlan == NULL)
        by_vlan = create_vlans(node);
    __atomic_store_n(&routing->by_vlan[interface->port], by_vlan, __ATOMIC_RELEASE);
    return by_vlan != NULL ? &by_vlan[interface->vlan] : NULL;
}

int spill_routing_add_interface(struct spill_routing *routing, uint16_t number, int node,
                                struct spill_error *error)
{
    const struct spill_interface *interface = &routing->tables->interfaces[number];
    uint16_t *place = place_of(routing, interface, node);

    if (place == NULL)
        return spill_connect_no_memory(error, "routing", node);
    routing->routed[interface->port] = true;
    __atomic_store_n(place, number, __ATOMIC_RELEASE);
    return 0;
}

void spill_routing_remove_interface(struct spill_routing *routing, uint16_t number)
{
    const struct spill_interface *interface = &routing->tables->interfaces[number];
    uint16_t *by_vlan = routing->by_vlan[interface->port];

    if (interface->vlan == 0)
        __atomic_store_n(&routing->untagged[interface->port], SPILL_NO_INTERFACE, __ATOMIC_RELAXED);
    else if (by_vlan != NULL)
        __atomic_store_n(&by_vlan[interface->vlan], SPILL_NO_INTERFACE, __ATOMIC_RELAXED);
}

int spill_routing_init(struct spill_routing *routing, const struct spill_pipeline_config *config,
                       uint32_t index, int node, struct spill_error *error)
{
    struct spill_router *router = config->router;
    uint32_t i;

    if (router == NULL)
        return 0;
    routing->to_host = config->to_host;
    routing->host = config->host;
    routing->host_rules = config->host_rules;
    routing->tables = spill_router_tables(router, node);
    routing->waiting = spill_connect_allocate(sizeof(*routing->waiting), node);
    routing->lcore = spill_router_lcore(router, index, node, error);
    if (routing->lcore == NULL)
        return -1;
    if (routing->waiting == NULL)
        return spill_connect_no_memory(error, "routing", node);
    for (i = 0; i < RTE_MAX_ETHPORTS; i++)
        routing->untagged[i] = SPILL_NO_INTERFACE;
    for (i = 0; i < spill_router_interface_count(router); i++) {
        if (spill_routing_add_interface(routing, (uint16_t)i, node, error) != 0)
            return -1;
    }
    return 0;
}

void spill_routing_free(struct spill_routing *routing)
{
    uint32_t i;

    for (i = 0; i < RTE_MAX_ETHPORTS; i++)
        rte_free(routing->by_vlan[i]);
    rte_free(routing->waiting);
}
