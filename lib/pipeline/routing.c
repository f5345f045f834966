/* SPDX-License-Identifier: BSD-3-Clause */
/* Routing: from destinations to hops, and what a hop writes to a frame. */
#include "pipeline/routing.h"

#include <rte_hash_crc.h>
#include <rte_ip.h>

#include "base/dpdk_versions.h"
#include "packet/parse.h"
#include "pipeline/drops.h"
#include "pipeline/exit.h"
#include "pipeline/routing_error.h"
#include "pipeline/routing_input.h"
#include "pipeline/routing_trace.h"
#include "pipeline/too_big.h"
#include "pipeline/waiting.h"

static SPILL_DROP_REASON(no_route, "no_route",
                         "there is no route to the packet's destination; its sender is told");
static SPILL_DROP_REASON(blackhole, "blackhole", "the packet's route is blackhole");
static SPILL_DROP_REASON(unreachable, "route_unreachable",
                         "the packet's route is unreachable; its sender is told");
static SPILL_DROP_REASON(prohibit, "route_prohibited",
                         "the packet's route is prohibit; its sender is told");
static SPILL_DROP_REASON(hops_exceeded, "hops_exceeded",
                         "the packet's TTL, or hop limit, has run out; its sender is told");
static SPILL_DROP_REASON(no_headroom, "no_headroom",
                         "the frame's buffer has no room for the VLAN tag that it would need");
static SPILL_DROP_REASON(
    mtu_exceeded, "route_mtu",
    "the packet is larger than its route's or sub-port's MTU, and is not IPv4 without "
    "\"don't fragment\"; its sender is told");

#define MAC_BITS UINT64_C(0xffffffffffff)
/* The tag that the frame came with stays noted: errors about it go by it. */
#define TAGS (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/* ----------------------------------------------------------------------------- interfaces */

/* Id in a frame's tag; of frames without a key. */
static uint16_t frame_vlan(const struct rte_mbuf *mbuf)
{
    const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *);
    const struct rte_vlan_hdr *tag = (const struct rte_vlan_hdr *)(ether + 1);

    if ((mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0)
        return mbuf->vlan_tci & RTE_LEN2MASK(12, uint16_t);
    if (rte_pktmbuf_data_len(mbuf) < sizeof(*ether) + sizeof(*tag) ||
        ether->ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN))
        return 0;
    return rte_be_to_cpu_16(tag->vlan_tci) & RTE_LEN2MASK(12, uint16_t);
}

uint16_t spill_routing_interface(const struct spill_routing *routing, const struct rte_mbuf *mbuf,
                                 const struct spill_packet *packet)
{
    const uint16_t *by_vlan = routing->by_vlan[packet->input];
    uint16_t vlan;

    if (packet->kind > SPILL_PACKET_IPV6) {
        vlan = frame_vlan(mbuf);
    } else {
        if (packet->inner_vlan != 0 || packet->wrapped)
            return SPILL_NO_INTERFACE;
        vlan = (packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.vlan : packet->key.v6.vlan) &
               SPILL_VLAN_PLACE;
        if (vlan == 0 && (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN) != 0) /* routing_flow.h */
            vlan = mbuf->vlan_tci & RTE_LEN2MASK(12, uint16_t);
    }
    if (vlan == 0)
        return routing->untagged[packet->input];
    return by_vlan != NULL && vlan < 4096 ? by_vlan[vlan] : SPILL_NO_INTERFACE;
}

/* -------------------------------------------------------------------------------- the hash */

/* Of a flow, for its path: of fragments the addresses alone, as only the first knows the ports. */
static uint32_t flow_hash(const struct spill_route_tables *tables,
                          const struct spill_packet *packet)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint32_t length = v4 ? sizeof(packet->key.v4.address) : sizeof(packet->key.v6.address);
    uint32_t hash = rte_hash_crc(&packet->key, length, tables->seed), ports;

    if (packet->fragment != 0)
        return hash ^ hash >> 16;
    memcpy(&ports, v4 ? packet->key.v4.port : packet->key.v6.port, sizeof(ports));
    hash = rte_hash_crc_4byte(ports, hash ^ spill_packet_protocol(packet));
    return hash ^ hash >> 16;
}

uint16_t spill_routing_interface_to(const struct spill_route_tables *tables, struct rte_mbuf *mbuf,
                                    struct spill_packet *packet)
{
    const struct spill_group *group;
    union spill_group_head head;
    uint64_t number;
    uint16_t hop;

    spill_routing_lookup(tables, &mbuf, &packet, 1, SPILL_ROUTING_TO, &number);
    group = &tables->groups[number];
    head = spill_group_get(group);
    if (head.action != SPILL_ROUTE_FORWARD)
        return SPILL_NO_INTERFACE;
    hop = spill_group_hop(group, head, head.mask == 0 ? 0 : flow_hash(tables, packet));
    return tables->hops[hop].interface;
}

/* ---------------------------------------------------------------------------- onto a link */

/* A hop, and what was known of it when it was looked at: as a word, which stays in a register. */
struct way {
    uint64_t state; /* union spill_hop_state */
    uint16_t hop;   /* 0: there is none */
};

/* One hop less (RFC 1624 eqn. 3; of the TTL, the high byte of its word). */
static inline void decrement4(uint8_t *ip)
{
    const uint32_t one = RTE_BE16(0x0100), checksum = 1u << 16; /* within the word of both */
    uint32_t word;

    memcpy(&word, ip + offsetof(struct rte_ipv4_hdr, time_to_live), sizeof(word));
    if (unlikely(word >= (UINT16_MAX - one) * checksum))
        word += checksum;
    word += one * checksum - 1;
    memcpy(ip + offsetof(struct rte_ipv4_hdr, time_to_live), &word, sizeof(word));
}

/* Bytes that stand before IP are to be others than now. False: there is no room. */
static __rte_noinline bool resize_link(struct rte_mbuf *mbuf, struct spill_packet *packet,
                                       uint32_t bytes)
{
    if (bytes > packet->l3_offset) {
        if (rte_pktmbuf_prepend(mbuf, (uint16_t)(bytes - packet->l3_offset)) == NULL)
            return false;
    } else if (rte_pktmbuf_adj(mbuf, (uint16_t)(packet->l3_offset - bytes)) == NULL) {
        return false;
    }
    packet->l4_offset = (uint16_t)(packet->l4_offset + bytes - packet->l3_offset);
    packet->l3_offset = (uint8_t)bytes;
    return true;
}

/* Writes the MACs, and the type behind them: a MAC as a word has two bytes more, which what comes
 * next is written over. */
static inline void write_ethernet(uint8_t *frame, uint64_t to,
                                  const struct spill_interface *interface, uint16_t type)
{
    const uint64_t from = __atomic_load_n(&interface->mac, __ATOMIC_RELAXED) | (uint64_t)type << 48;

    memcpy(frame, &to, sizeof(to));
    memcpy(frame + RTE_ETHER_ADDR_LEN, &from, sizeof(from));
}

/* Writes what stands before IP where that has, or had, more than the MACs and the type. */
static __rte_noinline bool write_other_link(const struct spill_interface *interface, uint64_t to,
                                            struct rte_mbuf *mbuf, struct spill_packet *packet,
                                            uint16_t type)
{
    const uint16_t tag[] = {rte_cpu_to_be_16(interface->vlan), type};
    const uint32_t bytes = RTE_ETHER_HDR_LEN + (interface->vlan != 0 ? sizeof(tag) : 0);
    uint8_t *frame;

    if (packet->l3_offset != bytes && !resize_link(mbuf, packet, bytes))
        return false;
    frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    if (interface->vlan != 0) {
        memcpy(frame + RTE_ETHER_HDR_LEN, tag, sizeof(tag));
        type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
    }
    write_ethernet(frame, to, interface, type);
    return true;
}

/* Writes what stands before a packet of IP. False: there is no room. */
static inline bool write_link(const struct spill_interface *interface, uint64_t to,
                              struct rte_mbuf *mbuf, struct spill_packet *packet, uint8_t *ip,
                              bool v4)
{
    const uint16_t type = v4 ? RTE_BE16(RTE_ETHER_TYPE_IPV4) : RTE_BE16(RTE_ETHER_TYPE_IPV6);

    mbuf->ol_flags &= ~TAGS;
    if (unlikely(packet->l3_offset != RTE_ETHER_HDR_LEN || interface->vlan != 0))
        return write_other_link(interface, to, mbuf, packet, type);
    write_ethernet(ip - RTE_ETHER_HDR_LEN, to, interface, type);
    return true;
}

/* --------------------------------------------------------------------------------- routing */

/* A burst on its way to the exit. */
struct passage {
    struct spill_fast *fast;
    uint64_t stamp;
    enum spill_path path;
    enum spill_routing_origin origin;
    uint8_t *used; /* of the lcore: hops that were sent to */
};

static bool drop(const struct passage *passage, const struct spill_drop_reason *reason,
                 struct rte_mbuf *mbuf)
{
    spill_ledger_drop(&passage->fast->ledger, reason, &mbuf, 1);
    return false;
}

static bool refuse(const struct passage *passage, const struct spill_drop_reason *reason,
                   enum spill_icmp_refusal refusal, struct rte_mbuf *mbuf,
                   const struct spill_packet *packet)
{
    if (passage->origin != SPILL_ROUTING_TRANSIT)
        return drop(passage, reason, mbuf);
    spill_routing_refuse(passage->fast, reason, refusal, mbuf, packet, passage->stamp);
    return false;
}

/* What a route says that does not forward. */
static __rte_noinline bool stop(const struct passage *passage, uint8_t action,
                                struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    if (passage->origin == SPILL_ROUTING_PROTECTED)
        return drop(passage, &spill_drop_esp_no_route, mbuf);
    switch (action) {
    case SPILL_ROUTE_LOCAL:
        /* What is for the host is not judged, and was counted where nothing is asked. */
        if (passage->fast->version.open && passage->origin == SPILL_ROUTING_TRANSIT)
            spill_flow_table_uncount(passage->fast->flows, SPILL_RULE_TALLY_DEFAULT, packet);
        spill_routing_to_host(passage->fast, mbuf, packet);
        return false;
    case SPILL_ROUTE_BLACKHOLE:
        return drop(passage, &blackhole, mbuf);
    case SPILL_ROUTE_UNREACHABLE:
        return refuse(passage, &unreachable, SPILL_ICMP_HOST_UNREACHABLE, mbuf, packet);
    case SPILL_ROUTE_PROHIBIT:
        return refuse(passage, &prohibit, SPILL_ICMP_PROHIBITED, mbuf, packet);
    default:
        return refuse(passage, &no_route, SPILL_ICMP_NO_ROUTE, mbuf, packet);
    }
}

/* The way by a hop that is not simply reachable: on a link that to the destination itself. Without
 * a hop: the packet waits, or was dropped. */
static __rte_noinline struct way resolve(const struct passage *passage, struct way way,
                                         struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    struct spill_fast *fast = passage->fast;
    const struct spill_route_tables *tables = fast->routing.tables;
    const uint16_t interface = tables->hops[way.hop].interface;
    struct spill_ip address = tables->hops[way.hop].address;
    union spill_hop_state state = {.word = way.state};

    if (state.kind == SPILL_HOP_ON_LINK) {
        address = spill_routing_destination(mbuf, packet);
        way.hop = spill_hop_find(tables, interface, &address);
        state = spill_hop_get(&tables->hops[way.hop]);
    }
    if (state.kind == SPILL_HOP_REACHABLE)
        return (struct way){.state = state.word, .hop = way.hop};
    if (state.kind == SPILL_HOP_FAILED)
        refuse(passage, &spill_drop_neighbor_failed, SPILL_ICMP_HOST_UNREACHABLE, mbuf, packet);
    else
        spill_waiting_add(fast, interface, &address, mbuf, packet, passage->stamp, passage->origin);
    return (struct way){.hop = 0};
}

/* A packet larger than its route's MTU, or its interface's: its fragments are sent. (What is larger
 * than a port's is the exit's.) */
static __rte_noinline bool too_big(const struct passage *passage, uint16_t mtu,
                                   struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    struct spill_packet other = {.kind = SPILL_PACKET_OTHER, .output = packet->output};
    struct rte_mbuf *fragments[SPILL_FRAGMENTS_MAX], *answer;
    struct spill_packet *pointers[SPILL_FRAGMENTS_MAX];
    struct spill_fast *fast = passage->fast;
    const uint8_t input = packet->input; /* it may stand in the mbuf */
    uint32_t count, i;

    count =
        spill_too_big(fast, &mtu_exceeded, mbuf, packet, mtu, passage->stamp, fragments, &answer);
    if (answer != NULL)
        spill_exit_answer(fast, answer, input, passage->stamp);
    for (i = 0; i < count; i++)
        pointers[i] = &other;
    spill_exit_send(fast, fragments, pointers, count, passage->stamp, passage->path);
    return false;
}

/* One packet onto its hop's link. Returns whether it is to be sent; if not, it was dealt with.
 *
 * @param v4       it is of IPv4; else of IPv6
 * @param own_mtu  gets that of the interface */
static __rte_always_inline bool take_hop(const struct passage *passage,
                                         const struct spill_route_tables *tables, uint16_t hop,
                                         struct rte_mbuf *mbuf, struct spill_packet *packet,
                                         bool v4, uint16_t *own_mtu)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, packet->l3_offset);
    uint8_t *hops = ip + (v4 ? offsetof(struct rte_ipv4_hdr, time_to_live)
                             : offsetof(struct rte_ipv6_hdr, hop_limits));
    struct way way = {.state = spill_hop_get(&tables->hops[hop]).word, .hop = hop};
    const struct spill_interface *interface;

    if (unlikely(*hops <= 1) && passage->origin == SPILL_ROUTING_TRANSIT)
        return refuse(passage, &hops_exceeded, SPILL_ICMP_TIME_EXCEEDED, mbuf, packet);
    if (unlikely(spill_hop_kind(way.state) != SPILL_HOP_REACHABLE)) {
        way = resolve(passage, way, mbuf, packet);
        if (way.hop == 0)
            return false;
    }
    if (unlikely(passage->fast->routing.waiting->count > 0))
        spill_waiting_go_first(passage->fast, way.hop);
    interface = &tables->interfaces[tables->hops[way.hop].interface];
    *own_mtu = __atomic_load_n(&interface->mtu, __ATOMIC_RELAXED);
    if (unlikely(passage->used[way.hop] == 0))
        __atomic_store_n(&passage->used[way.hop], 1, __ATOMIC_RELAXED);
    if (likely(passage->origin == SPILL_ROUTING_TRANSIT)) {
        if (v4)
            decrement4(ip);
        else
            (*hops)--;
    }
    packet->output = (uint8_t)interface->port;
    if (unlikely(!write_link(interface, way.state, mbuf, packet, ip, v4)))
        return drop(passage, &no_headroom, mbuf);
    return true;
}

/* The same, and by its route's MTU. */
static __rte_always_inline bool pass_hop(const struct passage *passage,
                                         const struct spill_route_tables *tables, uint16_t hop,
                                         uint16_t mtu, struct rte_mbuf *mbuf,
                                         struct spill_packet *packet, bool v4)
{
    uint16_t own_mtu = 0;

    if (!take_hop(passage, tables, hop, mbuf, packet, v4, &own_mtu))
        return false;
    if (unlikely(packet->length > mtu || packet->length > own_mtu))
        return too_big(passage, mtu < own_mtu ? mtu : own_mtu, mbuf, packet);
    return true;
}

/* The same by its group. */
static __rte_always_inline bool pass(const struct passage *passage,
                                     const struct spill_route_tables *tables, uint64_t number,
                                     struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    const struct spill_group *group = &tables->groups[number];
    const union spill_group_head head = spill_group_get(group);
    uint16_t hop;

    if (unlikely(head.action != SPILL_ROUTE_FORWARD))
        return stop(passage, head.action, mbuf, packet);
    hop = spill_group_hop(group, head, head.mask == 0 ? 0 : flow_hash(tables, packet));
    if (packet->kind == SPILL_PACKET_IPV4)
        return pass_hop(passage, tables, hop, head.mtu, mbuf, packet, true);
    return pass_hop(passage, tables, hop, head.mtu, mbuf, packet, false);
}

/* Routes packets whose groups are known, and sends them. */
static inline void pass_all(const struct passage *passage, struct rte_mbuf **mbufs,
                            struct spill_packet **packets, const uint64_t groups[], uint32_t count)
{
    const struct spill_route_tables *tables = passage->fast->routing.tables;
    struct spill_watch *watch = spill_watch_of(&passage->fast->ledger);
    uint32_t kept = 0, i;

    if (unlikely(watch != NULL))
        spill_routing_trace(watch, tables, mbufs, packets, groups, count);
    for (i = 0; i < count; i++) {
        if (unlikely(!pass(passage, tables, groups[i], mbufs[i], packets[i])))
            continue;
        if (unlikely(kept != i)) {
            mbufs[kept] = mbufs[i];
            packets[kept] = packets[i];
        }
        kept++;
    }
    if (kept > 0)
        spill_exit_send(passage->fast, mbufs, packets, kept, passage->stamp, passage->path);
}

void spill_routing_send(struct spill_fast *fast, struct rte_mbuf **mbufs,
                        struct spill_packet **packets, uint32_t count, uint64_t stamp,
                        enum spill_path path)
{
    const struct passage passage = {
        .fast = fast, .stamp = stamp, .path = path, .used = fast->routing.lcore->used};
    uint64_t groups[SPILL_BURST];

    spill_routing_lookup(fast->routing.tables, mbufs, packets, count, SPILL_ROUTING_TO, groups);
    pass_all(&passage, mbufs, packets, groups, count);
}

void spill_routing_send_found(struct spill_fast *fast, struct rte_mbuf **mbufs,
                              struct spill_packet **packets, const uint64_t groups[],
                              uint32_t count, uint64_t stamp)
{
    const struct passage passage = {
        .fast = fast, .stamp = stamp, .path = SPILL_PATH_FAST, .used = fast->routing.lcore->used};

    pass_all(&passage, mbufs, packets, groups, count);
}

uint16_t spill_routing_hop_of(const struct spill_route_tables *tables, uint64_t group,
                              const struct spill_packet *packet)
{
    const struct spill_group *of = &tables->groups[group];
    const union spill_group_head head = spill_group_get(of);

    return spill_group_hop(of, head, head.mask == 0 ? 0 : flow_hash(tables, packet));
}

bool spill_routing_count_hop(struct spill_fast *fast, struct rte_mbuf *mbuf,
                             struct spill_packet *packet, uint64_t stamp)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, packet->l3_offset);
    uint8_t *hops =
        ip + (packet->kind == SPILL_PACKET_IPV4 ? offsetof(struct rte_ipv4_hdr, time_to_live)
                                                : offsetof(struct rte_ipv6_hdr, hop_limits));

    if (*hops <= 1) {
        spill_routing_refuse(fast, &hops_exceeded, SPILL_ICMP_TIME_EXCEEDED, mbuf, packet, stamp);
        return false;
    }
    if (packet->kind == SPILL_PACKET_IPV4)
        decrement4(ip);
    else
        (*hops)--;
    return true;
}

bool spill_routing_protected(struct spill_fast *fast, struct rte_mbuf *mbuf,
                             struct spill_packet *packet, uint64_t stamp, uint16_t *mtu)
{
    const struct passage passage = {.fast = fast,
                                    .stamp = stamp,
                                    .origin = SPILL_ROUTING_PROTECTED,
                                    .used = fast->routing.lcore->used};
    const struct spill_route_tables *tables = fast->routing.tables;
    struct spill_watch *watch = spill_watch_of(&fast->ledger);
    union spill_group_head head;
    uint64_t group;
    uint16_t own_mtu;

    spill_routing_lookup(tables, &mbuf, &packet, 1, SPILL_ROUTING_TO, &group);
    if (unlikely(watch != NULL))
        spill_routing_trace(watch, tables, &mbuf, &packet, &group, 1);
    head = spill_group_get(&tables->groups[group]);
    if (head.action != SPILL_ROUTE_FORWARD)
        return stop(&passage, head.action, mbuf, packet);
    if (!take_hop(&passage, tables, spill_routing_hop_of(tables, group, packet), mbuf, packet,
                  packet->kind == SPILL_PACKET_IPV4, &own_mtu))
        return false;
    *mtu = (uint16_t)RTE_MIN(head.mtu, own_mtu);
    return true;
}

/* Whether it is to who is on the link that its cause came by. */
static bool is_to_link(struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);

    ip += offsetof(struct rte_ipv6_hdr, dst_addr);
    return packet->kind == SPILL_PACKET_IPV6 && ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

void spill_routing_send_own(struct spill_fast *fast, struct rte_mbuf *mbuf,
                            struct spill_packet *packet, uint64_t stamp)
{
    const struct spill_route_tables *tables = fast->routing.tables;
    const struct passage passage = {.fast = fast,
                                    .stamp = stamp,
                                    .path = SPILL_PATH_FAST,
                                    .origin = SPILL_ROUTING_OWN,
                                    .used = fast->routing.lcore->used};
    const uint16_t interface = spill_routing_interface(&fast->routing, mbuf, packet);
    uint64_t group;
    bool goes;

    if (is_to_link(mbuf, packet) && interface != SPILL_NO_INTERFACE) {
        goes =
            pass_hop(&passage, tables, (uint16_t)(1 + interface), UINT16_MAX, mbuf, packet, false);
    } else {
        spill_routing_lookup(tables, &mbuf, &packet, 1, SPILL_ROUTING_TO, &group);
        goes = pass(&passage, tables, group, mbuf, packet);
    }
    if (goes)
        spill_exit_send(fast, &mbuf, &packet, 1, stamp, SPILL_PATH_FAST);
}

void spill_routing_originate(struct spill_fast *fast, struct rte_mbuf *mbuf, uint8_t input,
                             uint64_t stamp)
{
    struct spill_packet packet;

    spill_parse_burst(&mbuf, 1, fast->receive.zones[input], &packet);
    packet.input = input;
    spill_routing_send_own(fast, mbuf, &packet, stamp);
}
