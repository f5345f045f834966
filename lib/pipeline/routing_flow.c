/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/routing_flow.h"

#include "pipeline/fast.h"
#include "pipeline/routing.h"

#define VLANS 4096

static uint16_t vlan_of(const struct spill_packet *packet)
{
    return packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.vlan : packet->key.v6.vlan;
}

/* @param vlan  in place of the one that its key has, behind the marks that stand there */
static void set_vlan(struct spill_packet *packet, uint16_t vlan)
{
    vlan |= vlan_of(packet) & (uint16_t)~SPILL_VLAN_PLACE;
    if (packet->kind == SPILL_PACKET_IPV4)
        packet->key.v4.vlan = vlan;
    else
        packet->key.v6.vlan = vlan;
}

void spill_routing_join(struct rte_mbuf **mbufs, struct spill_packet *packets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint16_t vlan;

        if (packets[i].kind > SPILL_PACKET_IPV6)
            continue;
        vlan = vlan_of(&packets[i]) & SPILL_VLAN_PLACE;
        /* What stands behind more than a tag is of no port, and is dropped for that. */
        if (vlan == 0 || vlan >= VLANS || packets[i].inner_vlan != 0)
            continue;
        mbufs[i]->vlan_tci = vlan;
        mbufs[i]->ol_flags |= RTE_MBUF_F_RX_VLAN;
        set_vlan(&packets[i], 0);
    }
}

void spill_routing_come_by(struct rte_mbuf *mbuf, struct spill_packet *packet, uint16_t vlan)
{
    spill_routing_join(&mbuf, packet, 1);
    mbuf->vlan_tci = vlan;
    if (vlan != 0)
        mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN;
    else
        mbuf->ol_flags &= ~RTE_MBUF_F_RX_VLAN;
}

void spill_routing_ask(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                       struct spill_packet *packet)
{
    const struct spill_routing *routing = &fast->routing;
    const uint16_t number = packet->reversed
                                ? spill_routing_interface_to(routing->tables, mbuf, packet)
                                : spill_routing_interface(routing, mbuf, packet);

    if (number == SPILL_NO_INTERFACE)
        return;
    if (packet->reversed)
        packet->output = (uint8_t)routing->tables->interfaces[number].port;
    set_vlan(packet, routing->tables->interfaces[number].vlan);
}

void spill_routing_asked(struct spill_packet *packet)
{
    packet->output = packet->of_host ? packet->input : SPILL_OUTPUT_ROUTE;
    set_vlan(packet, 0);
}
