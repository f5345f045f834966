/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours: hops that lcores find by a group, or by interface and address. */
#include <rte_common.h>

#include "route/state.h"

static uint16_t *chain_of(struct spill_route_tables *tables, uint16_t interface,
                          const struct spill_ip *address)
{
    return &tables->chains[spill_hop_chain(tables->seed, interface, address)];
}

static void set_state(struct spill_router *router, uint16_t hop, union spill_hop_state state)
{
    struct spill_route_tables *tables;

    SPILL_EACH_TABLES(router, tables)
    __atomic_store_n(&tables->hops[hop].state, state.word, __ATOMIC_RELEASE);
}

/* Whoever wants an interface's place back looks at it meanwhile. */
static void count_use(struct spill_router *router, uint16_t interface, int change)
{
    __atomic_fetch_add(&router->uses[interface], (uint32_t)change, __ATOMIC_RELEASE);
}

/* A new hop, complete before the chain leads to it. */
static uint16_t add(struct spill_router *router, uint16_t interface, const struct spill_ip *address)
{
    const uint16_t hop = spill_numbers_take(&router->hop_numbers);
    struct spill_route_tables *tables;
    unsigned i;

    if (hop == 0)
        return 0;
    router->neighbors[hop] = (struct spill_neighbor){.known = false};
    count_use(router, interface, 1);
    for (i = 0; i < router->config.lcores; i++) {
        if (router->lcores[i] != NULL)
            __atomic_store_n(&router->lcores[i]->used[hop], 0, __ATOMIC_RELAXED);
    }
    SPILL_EACH_TABLES(router, tables)
    {
        uint16_t *head = chain_of(tables, interface, address);

        tables->hops[hop] =
            (struct spill_hop){.interface = interface, .address = *address, .next = *head};
        __atomic_store_n(head, hop, __ATOMIC_RELEASE);
    }
    return hop;
}

/* Takes a hop out of the chains; who reads it still goes on behind it. */
static void drop(struct spill_router *router, uint16_t hop)
{
    struct spill_route_tables *tables;

    count_use(router, router->first->hops[hop].interface, -1);
    SPILL_EACH_TABLES(router, tables)
    {
        const struct spill_hop *gone = &tables->hops[hop];
        uint16_t *link = chain_of(tables, gone->interface, &gone->address);

        while (*link != hop)
            link = &tables->hops[*link].next;
        __atomic_store_n(link, gone->next, __ATOMIC_RELEASE);
    }
    spill_numbers_give(&router->hop_numbers, hop);
}

static bool is_link(uint16_t hop)
{
    return hop <= SPILL_ROUTER_INTERFACES_MAX;
}

uint16_t spill_neighbors_use(struct spill_router *router, const struct spill_route_path *path)
{
    uint16_t hop;

    if (path->gateway.family == 0) {
        count_use(router, path->interface, 1);
        return (uint16_t)(1 + path->interface);
    }
    hop = spill_hop_find(router->first, path->interface, &path->gateway);
    if (hop == 0)
        hop = add(router, path->interface, &path->gateway);
    if (hop != 0)
        router->neighbors[hop].groups++;
    return hop;
}

static void end(struct spill_router *router, uint16_t hop)
{
    if (!router->neighbors[hop].known && router->neighbors[hop].groups == 0)
        drop(router, hop);
}

void spill_neighbors_unuse(struct spill_router *router, uint16_t hop)
{
    if (is_link(hop)) {
        count_use(router, (uint16_t)(hop - 1), -1);
        return;
    }
    router->neighbors[hop].groups--;
    end(router, hop);
}

static union spill_hop_state state_of(enum spill_neighbor_state state,
                                      const struct rte_ether_addr *mac)
{
    union spill_hop_state made = {.word = 0};

    switch (state) {
    case SPILL_NEIGHBOR_REACHABLE:
    case SPILL_NEIGHBOR_STATIC:
        made.kind = SPILL_HOP_REACHABLE;
        made.mac = *mac;
        break;
    case SPILL_NEIGHBOR_FAILED:
        made.kind = SPILL_HOP_FAILED;
        break;
    case SPILL_NEIGHBOR_UNRESOLVED:
        made.kind = SPILL_HOP_UNRESOLVED;
        break;
    }
    return made;
}

int spill_router_set_neighbor(struct spill_router *router, uint16_t interface,
                              const struct spill_ip *address, enum spill_neighbor_state state,
                              const struct rte_ether_addr *mac, struct spill_error *error)
{
    char text[SPILL_IP_PREFIX_TEXT];
    uint16_t hop = spill_hop_find(router->first, interface, address);

    if (hop == 0)
        hop = add(router, interface, address);
    if (hop == 0) {
        router->neighbors_refused++;
        return spill_error_set(error, "neighbor %s: there are %d, which is the most",
                               spill_ip_write(address, text), SPILL_ROUTER_NEIGHBORS_MAX);
    }
    if (router->neighbors[hop].fixed && state != SPILL_NEIGHBOR_STATIC)
        return 0;
    router->neighbors_known += !router->neighbors[hop].known;
    router->neighbors[hop].known = true;
    router->neighbors[hop].fixed = state == SPILL_NEIGHBOR_STATIC;
    set_state(router, hop, state_of(state, mac));
    return 0;
}

void spill_router_remove_neighbor(struct spill_router *router, uint16_t interface,
                                  const struct spill_ip *address)
{
    const uint16_t hop = spill_hop_find(router->first, interface, address);

    if (hop == 0 || router->neighbors[hop].fixed || !router->neighbors[hop].known)
        return;
    router->neighbors[hop].known = false;
    router->neighbors_known--;
    set_state(router, hop, state_of(SPILL_NEIGHBOR_UNRESOLVED, NULL));
    end(router, hop);
}

void spill_router_remove_static(struct spill_router *router, uint16_t interface,
                                const struct spill_ip *address)
{
    const uint16_t hop = spill_hop_find(router->first, interface, address);

    if (hop == 0 || !router->neighbors[hop].fixed)
        return;
    router->neighbors[hop].fixed = false;
    spill_router_remove_neighbor(router, interface, address);
}

bool spill_router_neighbor_used(struct spill_router *router, uint16_t interface,
                                const struct spill_ip *address)
{
    const uint16_t hop = spill_hop_find(router->first, interface, address);
    bool used = false;
    unsigned i;

    for (i = 0; hop != 0 && i < router->config.lcores; i++) {
        if (router->lcores[i] != NULL)
            used |= __atomic_exchange_n(&router->lcores[i]->used[hop], 0, __ATOMIC_RELAXED) != 0;
    }
    return used;
}

static bool is_gateway(const struct spill_neighbor *neighbor)
{
    return neighbor->groups > 0 && !neighbor->fixed;
}

bool spill_router_is_gateway(const struct spill_router *router, uint16_t interface,
                             const struct spill_ip *address)
{
    const uint16_t hop = spill_hop_find(router->first, interface, address);

    return hop != 0 && is_gateway(&router->neighbors[hop]);
}

bool spill_router_next_unknown_gateway(const struct spill_router *router, uint32_t *place,
                                       struct spill_router_need *gateway)
{
    while (*place < SPILL_HOPS_MAX) {
        const uint32_t hop = (*place)++;

        if (!is_gateway(&router->neighbors[hop]) || router->neighbors[hop].known)
            continue;
        gateway->interface = router->first->hops[hop].interface;
        gateway->address = router->first->hops[hop].address;
        return true;
    }
    return false;
}

bool spill_router_next_need(struct spill_router *router, struct spill_router_need *need)
{
    unsigned i;

    for (i = 0; i < router->config.lcores; i++) {
        struct spill_route_lcore *lcore = router->lcores[router->next_lcore];

        if (lcore != NULL && rte_ring_sc_dequeue_elem(lcore->needs, need, sizeof(*need)) == 0)
            return true;
        router->next_lcore = (router->next_lcore + 1) % router->config.lcores;
    }
    return false;
}

bool spill_router_has_needs(const struct spill_router *router)
{
    unsigned i;

    for (i = 0; i < router->config.lcores; i++) {
        if (router->lcores[i] != NULL && !rte_ring_empty(router->lcores[i]->needs))
            return true;
    }
    return false;
}

uint32_t spill_router_neighbor_count(const struct spill_router *router)
{
    return router->neighbors_known;
}

uint64_t spill_router_neighbors_refused(const struct spill_router *router)
{
    return router->neighbors_refused;
}
