/* SPDX-License-Identifier: BSD-3-Clause */
/* IPsec on routed ports: what is to be protected, and what was. */
#include "pipeline/routing_tunnel.h"

#include <netinet/in.h>

#include <rte_cycles.h>
#include <rte_ip.h>

#include "base/dpdk_versions.h"
#include "ipsec/sa_set.h"
#include "pipeline/drops.h"
#include "pipeline/outer.h"
#include "pipeline/routing_error.h"
#include "pipeline/waiting.h"

/* ------------------------------------------------------------------------- the outer header */

/* Writes the key by which an outer header's path is chosen. */
static void write_key(struct spill_packet *outer, bool ipv6, const uint8_t *from, const uint8_t *to,
                      rte_be32_t spi)
{
    if (ipv6) {
        outer->key.v6 = (struct spill_key6){.protocol = IPPROTO_ESP};
        memcpy(outer->key.v6.address[0], from, sizeof(outer->key.v6.address[0]));
        memcpy(outer->key.v6.address[1], to, sizeof(outer->key.v6.address[1]));
        memcpy(outer->key.v6.port, &spi, sizeof(spi));
    } else {
        outer->key.v4 = (struct spill_key4){.protocol = IPPROTO_ESP};
        memcpy(&outer->key.v4.address[0], from, sizeof(outer->key.v4.address[0]));
        memcpy(&outer->key.v4.address[1], to, sizeof(outer->key.v4.address[1]));
        memcpy(outer->key.v4.port, &spi, sizeof(spi));
    }
    outer->kind = ipv6 ? SPILL_PACKET_IPV6 : SPILL_PACKET_IPV4;
    outer->direction = 0;
    outer->fragment = 0;
}

/* The same from an IP header. */
static void read_key(struct spill_packet *outer, const uint8_t *ip, rte_be32_t spi)
{
    const bool ipv6 = ip[0] >> 4 == 6;
    const uint8_t *from = ip + (ipv6 ? offsetof(struct rte_ipv6_hdr, src_addr)
                                     : offsetof(struct rte_ipv4_hdr, src_addr));

    write_key(outer, ipv6, from, from + (ipv6 ? 16 : 4), spi);
}

/* What is known of a packet's outer header before it is there. */
static void foresee(struct spill_packet *outer, const struct spill_sa *sa,
                    const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const rte_be32_t spi = rte_cpu_to_be_32(sa->config.spi);

    if (sa->config.mode == SPILL_SA_TUNNEL)
        write_key(outer, sa->config.destination.family == 6, sa->config.source.bytes,
                  sa->config.destination.bytes, spi);
    else
        read_key(outer, rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset), spi);
}

/* -------------------------------------------------------------------------------- the way in */

/* The way to an association's other end. */
struct way {
    const struct spill_drop_reason *stopped; /* why there is none; or NULL */
    uint16_t mtu;
    uint16_t port;
};

/* Bytes of IP that leave by an interface: the route's, its own, and what its port carries. */
static uint16_t mtu_of(const struct spill_fast *fast, const struct spill_interface *interface,
                       uint16_t route)
{
    const uint16_t own = __atomic_load_n(&interface->mtu, __ATOMIC_RELAXED);
    const uint32_t link = RTE_ETHER_HDR_LEN + (interface->vlan != 0 ? RTE_VLAN_HLEN : 0);
    const uint32_t room = spill_exit_room_behind(&fast->exits.ports[interface->port], link);

    return (uint16_t)RTE_MIN(room, (uint32_t)RTE_MIN(route, own));
}

/* What routers on an association's way have said. */
static uint16_t path_mtu(const struct spill_sa *sa, uint64_t stamp)
{
    return spill_path_mtu_get(&sa->state->path, stamp, rte_get_tsc_hz());
}

/* Whether a next hop does not answer; on a link that is the other end itself. */
static bool is_failed(const struct spill_route_tables *tables, uint16_t hop,
                      const struct spill_packet *outer)
{
    union spill_hop_state state = spill_hop_get(&tables->hops[hop]);
    struct spill_ip end;

    if (state.kind == SPILL_HOP_ON_LINK) {
        end = outer->kind == SPILL_PACKET_IPV6 ? spill_ip_of6(outer->key.v6.address[1])
                                               : spill_ip_of4(outer->key.v4.address[1]);
        state =
            spill_hop_get(&tables->hops[spill_hop_find(tables, tables->hops[hop].interface, &end)]);
    }
    return state.kind == SPILL_HOP_FAILED;
}

static struct way find_way(const struct spill_fast *fast, const struct spill_sa *sa,
                           const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                           uint64_t stamp)
{
    const struct spill_route_tables *tables = fast->routing.tables;
    const struct spill_interface *interface;
    struct spill_packet outer = {.length = 0};
    union spill_group_head head;
    bool ipv6;
    uint64_t group;
    uint16_t hop;

    foresee(&outer, sa, mbuf, packet);
    ipv6 = outer.kind == SPILL_PACKET_IPV6;
    group = spill_routing_group_of(
        tables, ipv6, ipv6 ? outer.key.v6.address[1] : (const uint8_t *)&outer.key.v4.address[1]);
    head = spill_group_get(&tables->groups[group]);
    if (head.action != SPILL_ROUTE_FORWARD)
        return (struct way){.stopped = &spill_drop_esp_no_route};
    hop = spill_routing_hop_of(tables, group, &outer);
    if (is_failed(tables, hop, &outer))
        return (struct way){.stopped = &spill_drop_neighbor_failed};
    interface = &tables->interfaces[tables->hops[hop].interface];
    return (struct way){
        .mtu = mtu_of(fast, interface, (uint16_t)RTE_MIN(head.mtu, path_mtu(sa, stamp))),
        .port = interface->port};
}

/* By which ports an association's ESP leaves, its settings may say. */
static bool leaves_by(const struct spill_sa *sa, uint16_t port)
{
    return sa->config.ports == 0 || (sa->config.ports >> port & 1) != 0;
}

/* Whether a packet came in the clear by a port where its association's ESP is: from outside. */
static bool comes_from_outside(const struct spill_sa *sa, const struct spill_packet *packet)
{
    return packet->inbound_sa == 0 && !packet->secret &&
           (sa->config.ports >> packet->input & 1) != 0;
}

/* One packet: whether it goes on. Whoever was made here, an error, keeps its TTL. */
static bool enter(struct spill_fast *fast, const struct spill_sa *sa, const struct way *way,
                  struct rte_mbuf *mbuf, struct spill_packet *packet, uint64_t stamp)
{
    if (comes_from_outside(sa, packet)) {
        spill_ledger_drop(&fast->ledger, &spill_drop_esp_wrong_port, &mbuf, 1);
        return false;
    }
    if (!packet->secret && !spill_routing_count_hop(fast, mbuf, packet, stamp))
        return false;
    if (way->stopped != NULL) {
        spill_routing_refuse(fast, way->stopped, SPILL_ICMP_HOST_UNREACHABLE, mbuf, packet, stamp);
        return false;
    }
    if (!leaves_by(sa, way->port)) {
        spill_ledger_drop(&fast->ledger, &spill_drop_esp_wrong_port, &mbuf, 1);
        return false;
    }
    return true;
}

uint32_t spill_routing_enter_tunnel(struct spill_fast *fast, const struct spill_sa *sa,
                                    struct rte_mbuf **mbufs, struct spill_packet **packets,
                                    uint32_t count, uint64_t stamp)
{
    const bool tunnel = sa->config.mode == SPILL_SA_TUNNEL;
    uint32_t kept = 0, i;
    bool known = false;
    struct way way;

    for (i = 0; i < count; i++) {
        if (packets[i]->output == SPILL_OUTPUT_ROUTE) {
            if (!known || !tunnel)
                way = find_way(fast, sa, mbufs[i], packets[i], stamp);
            known = true;
            if (!enter(fast, sa, &way, mbufs[i], packets[i], stamp))
                continue;
        }
        mbufs[kept] = mbufs[i];
        packets[kept++] = packets[i];
    }
    return kept;
}

uint32_t spill_routing_tunnel_mtu(const struct spill_fast *fast, const struct spill_sa *sa,
                                  const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                  uint64_t stamp)
{
    return find_way(fast, sa, mbuf, packet, stamp).mtu;
}

/* ------------------------------------------------------------------------------- the way out */

/* Length of an IP packet, by its header. */
static uint16_t length_of(const uint8_t *ip)
{
    if (ip[0] >> 4 == 4)
        return rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)ip)->total_length);
    return (uint16_t)(sizeof(struct rte_ipv6_hdr) +
                      rte_be_to_cpu_16(((const struct rte_ipv6_hdr *)ip)->payload_len));
}

/* Routes a packet whose metadata is that of its outer header.
 *
 * @param sa  that it left by; NULL: it is none of this version
 * @param mtu  gets what its way carries
 * @return whether it is to be sent; if not, it waits or was dropped */
static bool route(struct spill_fast *fast, const struct spill_sa *sa, struct rte_mbuf *mbuf,
                  struct spill_packet *packet, uint64_t stamp, uint16_t *mtu)
{
    if (!spill_routing_protected(fast, mbuf, packet, stamp, mtu))
        return false;
    /* Its route may be another than when it was encrypted. */
    if (sa != NULL && !leaves_by(sa, packet->output)) {
        spill_ledger_drop(&fast->ledger, &spill_drop_esp_wrong_port, &mbuf, 1);
        return false;
    }
    packet->kind = SPILL_PACKET_OTHER; /* it is ours: nobody is told of it */
    if (sa != NULL)
        *mtu = (uint16_t)RTE_MIN(*mtu, path_mtu(sa, stamp));
    return true;
}

bool spill_routing_route_protected(struct spill_fast *fast, const struct spill_sa *sa,
                                   struct rte_mbuf *mbuf, struct spill_packet *packet,
                                   uint32_t identification, uint64_t stamp, uint16_t *mtu)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);

    read_key(packet, ip, rte_cpu_to_be_32(sa->config.spi));
    packet->length = length_of(ip);
    spill_path_mtu_note_sent(&sa->state->path, packet->length);
    packet->sequence = identification;
    return route(fast, sa, mbuf, packet, stamp, mtu);
}

void spill_routing_send_protected(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                  struct spill_packet *packet, uint64_t stamp)
{
    const struct spill_sa *sa = spill_sa_set_get(fast->version.generation->sas, packet->sa);
    uint16_t mtu;

    if (route(fast, sa, mbuf, packet, stamp, &mtu))
        spill_outer_send(fast, mbuf, packet, mtu, packet->sequence, stamp, SPILL_PATH_FAST);
}
