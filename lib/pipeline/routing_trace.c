/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/routing_trace.h"

#include <string.h>

#include <rte_ip.h>

#include "pipeline/routing.h"

static const char *const actions[] = {
    [SPILL_ROUTE_NONE] = "none",
    [SPILL_ROUTE_FORWARD] = "forward",
    [SPILL_ROUTE_LOCAL] = "to the host",
    [SPILL_ROUTE_BLACKHOLE] = "blackhole",
    [SPILL_ROUTE_UNREACHABLE] = "unreachable",
    [SPILL_ROUTE_PROHIBIT] = "prohibit",
    NULL,
};
static const struct spill_trace_line routed = {
    .stage = "route",
    .values = {{"action", SPILL_TRACE_WORD, actions},
               {"interface", SPILL_TRACE_INTERFACE, NULL},
               {"next_hop", SPILL_TRACE_ADDRESS, NULL},
               {"mac", SPILL_TRACE_MAC, NULL}}};

static void trace_route(struct spill_watch *watch, const struct spill_route_tables *tables,
                        uint64_t number, struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const struct spill_group *group = &tables->groups[number];
    const union spill_group_head head = spill_group_get(group);
    uint32_t values[9] = {head.action, SPILL_NO_INTERFACE, SPILL_PACKET_OTHER};
    union spill_hop_state state;
    struct spill_ip address;
    uint64_t mac;
    uint16_t hop;

    if (head.action == SPILL_ROUTE_FORWARD) {
        hop = spill_routing_hop_of(tables, number, packet);
        address = tables->hops[hop].address;
        values[1] = tables->hops[hop].interface;
        state = spill_hop_get(&tables->hops[hop]);
        if (state.kind == SPILL_HOP_ON_LINK) {
            address = spill_routing_destination(mbuf, packet);
            hop = spill_hop_find(tables, (uint16_t)values[1], &address);
            state = spill_hop_get(&tables->hops[hop]);
        }
        mac = state.kind == SPILL_HOP_REACHABLE ? state.word & UINT64_C(0xffffffffffff) : 0;
        values[2] = packet->kind;
        memcpy(&values[3], address.bytes, sizeof(address.bytes));
        memcpy(&values[7], &mac, sizeof(mac));
    }
    spill_trace_note(watch, mbuf, &routed, values, RTE_DIM(values));
}

void spill_routing_trace(struct spill_watch *watch, const struct spill_route_tables *tables,
                         struct rte_mbuf **mbufs, struct spill_packet **packets,
                         const uint64_t groups[], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        trace_route(watch, tables, groups[i], mbufs[i], packets[i]);
}
