/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/routing_input.h"

#include <rte_ether.h>
#include <rte_ip.h>

#include "base/dpdk_versions.h"
#include "packet/parse.h"
#include "pipeline/host.h"
#include "pipeline/routing_error.h"
#include "pipeline/routing_flow.h"

static SPILL_DROP_REASON(other_mac, "other_mac",
                         "a routed port received a frame that is to another's MAC address");
static SPILL_DROP_REASON(
    unknown_vlan, "unknown_vlan",
    "a routed port received a frame with a VLAN tag that no port is for, or IP behind "
    "more than one tag, LLC, PPPoE or MPLS");
static SPILL_DROP_REASON(
    link_broadcast, "link_broadcast",
    "the frame is to all, or to a group, but its IP packet is to another host");
static SPILL_DROP_REASON(ip_checksum, "ip_checksum", "the IPv4 header's checksum is wrong");
static SPILL_DROP_REASON(martian, "martian",
                         "the packet comes from, or goes to, an address that no packet on a "
                         "link may have");
static SPILL_DROP_REASON(link_local, "link_local",
                         "the packet comes from, or goes to, a link-local address, and is not for "
                         "the host: it is not forwarded; or it is neighbor discovery that came "
                         "through an association");
static SPILL_DROP_REASON(no_host, "no_host",
                         "the packet is for the host, and the port has no twin in the kernel");
static SPILL_DROP_REASON(multicast, "multicast",
                         "the packet is to a group, and not to one on its link: it is not "
                         "forwarded");
static SPILL_DROP_REASON(header_in_pieces, "header_in_pieces",
                         "the IP header lies in several segments, and can't be put into one");

#define MAC_BITS     UINT64_C(0xffffffffffff)
#define TAG_STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

#define LINK_LOCAL4 0xa9fe /* 169.254 */

/* By the first byte of an IPv4 address, whether it needs a closer look. */
static const bool is_odd4[256] = {
    [0] = true, [127] = true, [LINK_LOCAL4 >> 8] = true, [224 ... 255] = true};

static inline bool is_odd6(const uint8_t *address)
{
    return (address[0] == 0) | (address[0] >= 0xfe);
}

void spill_routing_to_host(struct spill_fast *fast, struct rte_mbuf *mbuf,
                           const struct spill_packet *packet)
{
    const struct spill_routing *routing = &fast->routing;

    if (routing->to_host != NULL)
        routing->to_host(routing->host, fast, spill_routing_interface(routing, mbuf, packet), mbuf,
                         packet);
    else
        spill_ledger_drop(&fast->ledger, &no_host, &mbuf, 1);
}

/* ------------------------------------------------------------------ what needs a closer look */

static bool drop(struct spill_fast *fast, const struct spill_drop_reason *reason,
                 struct rte_mbuf *mbuf)
{
    spill_ledger_drop(&fast->ledger, reason, &mbuf, 1);
    return false;
}

static bool to_host(struct spill_fast *fast, struct rte_mbuf *mbuf,
                    const struct spill_packet *packet)
{
    spill_routing_to_host(fast, mbuf, packet);
    return false;
}

static bool is_own_mac(const struct spill_interface *interface, uint64_t mac)
{
    bool own = mac == __atomic_load_n(&interface->mac, __ATOMIC_RELAXED);
    unsigned i;

    for (i = 0; i < SPILL_INTERFACE_MACS; i++)
        own |= mac == __atomic_load_n(&interface->macs[i], __ATOMIC_RELAXED);
    return own;
}

/* Whether a frame is to an interface's own MAC. */
static bool is_to_interface(const struct spill_fast *fast, uint16_t number,
                            const struct rte_mbuf *mbuf)
{
    const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *);

    return rte_pktmbuf_data_len(mbuf) >= sizeof(*ether) &&
           is_own_mac(&fast->routing.tables->interfaces[number], spill_mac_word(&ether->dst_addr));
}

/* The header's bytes, in the first segment. */
static uint32_t header_bytes(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const struct rte_ipv4_hdr *ip =
        rte_pktmbuf_mtod_offset(mbuf, const struct rte_ipv4_hdr *, packet->l3_offset);

    if (packet->kind == SPILL_PACKET_IPV6)
        return sizeof(struct rte_ipv6_hdr);
    return (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
}

/* The parser read it across segments; from here on it is in one. */
static bool gather(struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint32_t least = packet->l3_offset + 1u;

    if (rte_pktmbuf_data_len(mbuf) >= least &&
        rte_pktmbuf_data_len(mbuf) >= packet->l3_offset + header_bytes(mbuf, packet))
        return true;
    return rte_pktmbuf_linearize(mbuf) == 0;
}

/* Whether a route says that a destination is the host's. */
static bool is_local(const struct spill_fast *fast, struct rte_mbuf *mbuf,
                     struct spill_packet *packet)
{
    uint64_t group = 0;

    spill_routing_lookup(fast->routing.tables, &mbuf, &packet, 1, SPILL_ROUTING_TO, &group);
    return spill_group_get(&fast->routing.tables->groups[group]).action == SPILL_ROUTE_LOCAL;
}

static bool take4(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                  bool to_all)
{
    const struct rte_ipv4_hdr *ip =
        rte_pktmbuf_mtod_offset(mbuf, const struct rte_ipv4_hdr *, packet->l3_offset);
    const uint32_t length = header_bytes(mbuf, packet);
    const uint32_t from = rte_be_to_cpu_32(ip->src_addr), to = rte_be_to_cpu_32(ip->dst_addr);
    const bool local = is_local(fast, mbuf, packet);

    if (rte_raw_cksum(ip, length) != UINT16_MAX)
        return drop(fast, &ip_checksum, mbuf);
    /* 0.0.0.0 may ask for an address (RFC 1812 5.3.7); 255.255.255.255 goes no further. */
    if (from >> 24 == 127 || from >> 24 >= 224 || (from >> 24 == 0 && (from != 0 || !to_all)) ||
        to >> 24 == 127 || to >> 24 == 0 || (to >> 24 >= 240 && to != UINT32_MAX))
        return drop(fast, &martian, mbuf);
    if (to == UINT32_MAX || to >> 8 == 0xe00000)
        return to_host(fast, mbuf, packet);
    if (to >> 28 == 0xe)
        return fast->routing.to_host != NULL ? to_host(fast, mbuf, packet)
                                             : drop(fast, &multicast, mbuf);
    if (to_all && !local)
        return drop(fast, &link_broadcast, mbuf);
    if (!local && (from >> 16 == LINK_LOCAL4 || to >> 16 == LINK_LOCAL4))
        return drop(fast, &link_local, mbuf);
    if (from == 0)
        return local ? to_host(fast, mbuf, packet) : drop(fast, &martian, mbuf);
    return true;
}

static bool is_link_local6(const uint8_t *address)
{
    return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* ::, and 1: the loopback address. */
static bool is_number6(const uint8_t *address, uint8_t last)
{
    static const uint8_t zeros[15];

    return memcmp(address, zeros, sizeof(zeros)) == 0 && address[15] == last;
}

/* An IPv4 address in IPv6's form, which is on no link (RFC 6890, table 20). */
static bool is_mapped6(const uint8_t *address)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(address, prefix, sizeof(prefix)) == 0;
}

/* That no packet on a link may have. */
static bool is_martian6(const uint8_t *from, const uint8_t *to)
{
    return from[0] == 0xff || is_number6(from, 1) || is_mapped6(from) || is_number6(to, 0) ||
           is_number6(to, 1) || is_mapped6(to);
}

static bool take6(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                  bool to_all, uint64_t stamp)
{
    struct rte_ipv6_hdr *ip =
        rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv6_hdr *, packet->l3_offset);
    const uint8_t *from = spill_dpdk_ipv6(ip->src_addr), *to = spill_dpdk_ipv6(ip->dst_addr);

    if (is_martian6(from, to) || (is_number6(from, 0) && to[0] != 0xff))
        return drop(fast, &martian, mbuf);
    if (to[0] == 0xff) { /* interface- and link-local ones are for the host, and what it wants */
        if ((to[1] & 0xf) <= 2 || fast->routing.to_host != NULL)
            return to_host(fast, mbuf, packet);
        return drop(fast, &multicast, mbuf);
    }
    if (to_all)
        return drop(fast, &link_broadcast, mbuf);
    if (is_link_local6(to))
        return to_host(fast, mbuf, packet);
    if (is_link_local6(from) && !is_local(fast, mbuf, packet)) {
        spill_routing_refuse(fast, &link_local, SPILL_ICMP_BEYOND_SCOPE, mbuf, packet, stamp);
        return false;
    }
    return true;
}

/* Whether a packet goes on; if not, it was dealt with. */
static __rte_noinline bool take(struct spill_fast *fast, struct rte_mbuf *mbuf,
                                struct spill_packet *packet, uint64_t stamp)
{
    const uint16_t number = spill_routing_interface(&fast->routing, mbuf, packet);
    const struct rte_ether_hdr *ether;
    bool to_all;

    if (packet->kind == SPILL_PACKET_MALFORMED) {
        if (number != SPILL_NO_INTERFACE && is_to_interface(fast, number, mbuf))
            spill_routing_tell_problem(fast, mbuf, packet->input, stamp);
        return drop(fast, spill_drop_reason_get(packet->drop), mbuf);
    }
    if (number == SPILL_NO_INTERFACE)
        return drop(fast, &unknown_vlan, mbuf);
    ether = rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *);
    to_all = rte_is_multicast_ether_addr(&ether->dst_addr);
    if (!to_all && !is_to_interface(fast, number, mbuf))
        return drop(fast, &other_mac, mbuf);
    /* Of what isn't IP the host gets all that its port is for; not what hides IP. */
    if (packet->kind == SPILL_PACKET_OTHER)
        return fast->routing.to_host != NULL && packet->drop == spill_non_ip.id
                   ? to_host(fast, mbuf, packet)
                   : drop(fast, spill_drop_reason_get(packet->drop), mbuf);
    if (!gather(mbuf, packet))
        return drop(fast, &header_in_pieces, mbuf);
    return packet->kind == SPILL_PACKET_IPV4 ? take4(fast, mbuf, packet, to_all)
                                             : take6(fast, mbuf, packet, to_all, stamp);
}

/* ---------------------------------------------------------------------- what was decrypted */

static bool is_good_inside4(struct spill_fast *fast, struct rte_mbuf *mbuf,
                            const struct spill_packet *packet)
{
    const struct rte_ipv4_hdr *ip =
        rte_pktmbuf_mtod_offset(mbuf, const struct rte_ipv4_hdr *, packet->l3_offset);
    const uint32_t from = rte_be_to_cpu_32(ip->src_addr), to = rte_be_to_cpu_32(ip->dst_addr);

    if (rte_raw_cksum(ip, header_bytes(mbuf, packet)) != UINT16_MAX)
        return drop(fast, &ip_checksum, mbuf);
    if (to >> 28 == 0xe)
        return drop(fast, &multicast, mbuf);
    if (from >> 24 == 0 || from >> 24 == 127 || from >> 24 >= 224 || to >> 24 == 0 ||
        to >> 24 == 127 || to >> 24 >= 240)
        return drop(fast, &martian, mbuf);
    if (from >> 16 == LINK_LOCAL4 || to >> 16 == LINK_LOCAL4)
        return drop(fast, &link_local, mbuf);
    return true;
}

static bool is_good_inside6(struct spill_fast *fast, struct rte_mbuf *mbuf,
                            const struct spill_packet *packet)
{
    struct rte_ipv6_hdr *ip =
        rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv6_hdr *, packet->l3_offset);
    const uint8_t *from = spill_dpdk_ipv6(ip->src_addr), *to = spill_dpdk_ipv6(ip->dst_addr);

    if (to[0] == 0xff)
        return drop(fast, &multicast, mbuf);
    if (is_martian6(from, to) || is_number6(from, 0))
        return drop(fast, &martian, mbuf);
    /* A hop limit of 255 says nothing there: it was on no link of ours. */
    if (is_link_local6(from) || is_link_local6(to) || spill_host_is_discovery(mbuf, packet))
        return drop(fast, &link_local, mbuf);
    return true;
}

/* Whether a packet goes on; if not, it was dropped. */
static bool take_inside(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    if (packet->kind > SPILL_PACKET_IPV6)
        return drop(fast, spill_drop_reason_get(packet->drop), mbuf);
    if (!gather(mbuf, packet))
        return drop(fast, &header_in_pieces, mbuf);
    spill_routing_join(&mbuf, packet, 1);
    return packet->kind == SPILL_PACKET_IPV4 ? is_good_inside4(fast, mbuf, packet)
                                             : is_good_inside6(fast, mbuf, packet);
}

uint32_t spill_routing_input_inside(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                    struct spill_packet *packets, uint32_t count)
{
    uint32_t kept = 0, i;

    for (i = 0; i < count; i++) {
        if (fast->routing.routed[packets[i].input] && !take_inside(fast, mbufs[i], &packets[i]))
            continue;
        mbufs[kept] = mbufs[i];
        if (kept != i)
            packets[kept] = packets[i];
        kept++;
    }
    return kept;
}

/* ------------------------------------------------------------------------- what goes straight on
 */

/* Whether the checksum of a header without options is right: whether it is 0 modulo 0xffff, by
 * which 2^16 and all its powers are 1, and what is carried out of a word counts 1. */
static inline bool checksum_is_good(const uint8_t *ip)
{
    uint64_t one, other;
    uint32_t last;
    uint64_t sum;

    memcpy(&one, ip, sizeof(one));
    memcpy(&other, ip + 8, sizeof(other));
    memcpy(&last, ip + 16, sizeof(last));
    sum = one + other;
    sum += sum < other;
    sum += last;
    sum += sum < last;
    return sum % UINT16_MAX == 0;
}

/* Whether a frame is to this MAC, without a tag, and its packet as usual as nearly all are. */
static inline bool is_usual(uint64_t mac, const struct rte_mbuf *mbuf,
                            const struct spill_packet *packet)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const uint8_t *ip = frame + RTE_ETHER_HDR_LEN;
    uint64_t to;

    if (packet->kind > SPILL_PACKET_IPV6 || packet->l3_offset != RTE_ETHER_HDR_LEN ||
        rte_pktmbuf_data_len(mbuf) < RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) ||
        (mbuf->ol_flags & TAG_STRIPPED) != 0)
        return false;
    memcpy(&to, frame, sizeof(to));
    if ((to & MAC_BITS) != mac)
        return false;
    if (likely(packet->kind == SPILL_PACKET_IPV4))
        return ip[0] == RTE_IPV4_VHL_DEF && checksum_is_good(ip) &&
               !(is_odd4[ip[offsetof(struct rte_ipv4_hdr, src_addr)]] |
                 is_odd4[ip[offsetof(struct rte_ipv4_hdr, dst_addr)]]);
    return rte_pktmbuf_data_len(mbuf) >= RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv6_hdr) &&
           !is_odd6(ip + offsetof(struct rte_ipv6_hdr, src_addr)) &&
           !is_odd6(ip + offsetof(struct rte_ipv6_hdr, dst_addr));
}

uint32_t spill_routing_input(struct spill_fast *fast, uint16_t port, struct rte_mbuf **mbufs,
                             struct spill_packet *packets, uint32_t count, uint64_t stamp)
{
    const uint16_t untagged = fast->routing.untagged[port];
    const uint64_t mac =
        untagged == SPILL_NO_INTERFACE
            ? UINT64_MAX
            : __atomic_load_n(&fast->routing.tables->interfaces[untagged].mac, __ATOMIC_RELAXED);
    uint32_t kept = 0, i;

    for (i = 0; i < count; i++) {
        packets[i].input = (uint8_t)port;
        packets[i].output = SPILL_OUTPUT_ROUTE;
        if (unlikely(!is_usual(mac, mbufs[i], &packets[i])) &&
            !take(fast, mbufs[i], &packets[i], stamp))
            continue;
        if (unlikely(kept != i)) {
            mbufs[kept] = mbufs[i];
            packets[kept] = packets[i];
        }
        kept++;
    }
    return kept;
}
