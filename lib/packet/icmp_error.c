/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors: whether a packet may be answered by one, and how it is made. */
#include "packet/icmp_error.h"

#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>

#include "runtime/dpdk_versions.h"

/* Ethernet and two tags: what stands before IP in a frame that has a key. */
#define LINK_MAX (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)

#define TAG_STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/* Bytes of the whole IP packet that an error may have. */
#define MOST_IPV4 576
#define MOST_IPV6 1280

#define HOPS      64
#define CLASS_CS6 0xc0 /* what has precedence 6, "internetwork control" (RFC 1812, 4.3.2.5) */

/* An error's header, of ICMPv4 and ICMPv6 alike: behind it stands the packet. */
struct icmp_error {
    uint8_t type;
    uint8_t code;
    uint16_t checksum;
    rte_be32_t mtu; /* ICMPv4 has two bytes for it, behind two of zero: the same for a uint16_t */
} __attribute__((packed)); /* behind Ethernet, so not aligned */

#define ICMP4_UNREACHABLE          3
#define ICMP4_FRAGMENTATION_NEEDED 4
#define ICMP6_TOO_BIG              2
#define ICMP6_FIRST_QUERY          128 /* all types below are errors */
#define ICMP6_REDIRECT             137

/* Whether an address is a single host's, one that a router may forward to: not 0/8, 127/8 or from
 * 224/4 on (multicast, class E, broadcast). Broadcast addresses of networks can't be known here. */
static bool is_host4(rte_be32_t address)
{
    const uint8_t first = (uint8_t)(rte_be_to_cpu_32(address) >> 24);

    return first != 0 && first != 127 && first < 224;
}

/* The same for IPv6: not unspecified, loopback or multicast. */
static bool is_host6(const uint8_t address[16])
{
    static const uint8_t ZERO[15];

    return address[0] != 0xff && (memcmp(address, ZERO, sizeof(ZERO)) != 0 || address[15] > 1);
}

static bool is_error4(uint8_t type)
{
    switch (type) {
    case 3:  /* destination unreachable */
    case 4:  /* source quench */
    case 5:  /* redirect */
    case 11: /* time exceeded */
    case 12: /* parameter problem */
        return true;
    default:
        return false;
    }
}

/* Whether a packet is an ICMP error; one that ends before its type may be. */
static bool may_be_error(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint8_t protocol = v4 ? packet->key.v4.protocol : packet->key.v6.protocol;
    const uint8_t *type;
    uint8_t copy;

    if (protocol != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        return false;
    type = rte_pktmbuf_read(mbuf, packet->l4_offset, sizeof(copy), &copy);
    if (type == NULL)
        return true;
    return v4 ? is_error4(*type) : *type < ICMP6_FIRST_QUERY || *type == ICMP6_REDIRECT;
}

/* Whether there is a single host at both ends of the packet. */
static bool has_hosts(const struct spill_packet *packet, const struct rte_ether_hdr *ether)
{
    if (rte_is_multicast_ether_addr(&ether->dst_addr) ||
        rte_is_multicast_ether_addr(&ether->src_addr))
        return false;
    if (packet->kind == SPILL_PACKET_IPV4)
        return is_host4(packet->key.v4.address[0]) && is_host4(packet->key.v4.address[1]);
    return is_host6(packet->key.v6.address[0]) && is_host6(packet->key.v6.address[1]);
}

static bool may_be_answered(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                            const struct rte_ether_hdr *ether)
{
    const uint8_t network =
        packet->kind == SPILL_PACKET_IPV4 ? packet->key.v4.network : packet->key.v6.network;

    return (network & SPILL_FLOW_FRAGMENT) == 0 && has_hosts(packet, ether) &&
           !may_be_error(mbuf, packet);
}

/* Bytes of the IP packet, without what Ethernet has behind it. */
static uint32_t packet_length(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint32_t there = rte_pktmbuf_pkt_len(mbuf) - packet->l3_offset;
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint32_t at =
        packet->l3_offset + (uint32_t)(v4 ? offsetof(struct rte_ipv4_hdr, total_length)
                                          : offsetof(struct rte_ipv6_hdr, payload_len));
    const rte_be16_t *length;
    rte_be16_t copy;

    length = rte_pktmbuf_read(mbuf, at, sizeof(copy), &copy);
    if (length == NULL)
        return there;
    memcpy(&copy, length, sizeof(copy));
    return RTE_MIN(there,
                   rte_be_to_cpu_16(copy) + (uint32_t)(v4 ? 0 : sizeof(struct rte_ipv6_hdr)));
}

/* Copies bytes of a packet, however many segments they lie in; false when it is too short. */
static bool copy_out(const struct rte_mbuf *mbuf, uint32_t offset, uint32_t length, void *to)
{
    const void *from = rte_pktmbuf_read(mbuf, offset, length, to);

    if (from != NULL && from != to)
        memcpy(to, from, length);
    return from != NULL;
}

/* The IPv4 header before `length` bytes of ICMP, and their checksums. */
static void write_ipv4(struct rte_ipv4_hdr *ip, const struct spill_packet *packet, uint32_t length)
{
    struct icmp_error *icmp = (struct icmp_error *)(ip + 1);

    *ip = (struct rte_ipv4_hdr){
        .version_ihl = RTE_IPV4_VHL_DEF,
        .type_of_service = CLASS_CS6,
        .total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + length)),
        /* Never fragmented, so that it needs no identification (RFC 6864). */
        .fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
        .time_to_live = HOPS,
        .next_proto_id = IPPROTO_ICMP,
        .src_addr = packet->key.v4.address[!packet->direction],
        .dst_addr = packet->key.v4.address[packet->direction],
    };
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    icmp->type = ICMP4_UNREACHABLE;
    icmp->code = ICMP4_FRAGMENTATION_NEEDED;
    icmp->checksum = (uint16_t)~rte_raw_cksum(icmp, length);
}

/* The same for IPv6, whose ICMP also has the addresses in its checksum. */
static void write_ipv6(struct rte_ipv6_hdr *ip, const struct spill_packet *packet, uint32_t length)
{
    struct icmp_error *icmp = (struct icmp_error *)(ip + 1);

    *ip = (struct rte_ipv6_hdr){
        .vtc_flow = RTE_BE32(6u << 28 | (uint32_t)CLASS_CS6 << RTE_IPV6_HDR_TC_SHIFT),
        .payload_len = rte_cpu_to_be_16((uint16_t)length),
        .proto = IPPROTO_ICMPV6,
        .hop_limits = HOPS,
    };
    memcpy(spill_dpdk_ipv6(ip->src_addr), packet->key.v6.address[!packet->direction],
           sizeof(ip->src_addr));
    memcpy(spill_dpdk_ipv6(ip->dst_addr), packet->key.v6.address[packet->direction],
           sizeof(ip->dst_addr));
    icmp->type = ICMP6_TOO_BIG;
    icmp->code = 0;
    icmp->checksum = rte_ipv6_udptcp_cksum(ip, icmp);
}

struct rte_mbuf *spill_icmp_too_big(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                    uint16_t mtu, struct rte_mempool *pool)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint32_t link = packet->l3_offset;
    const uint32_t ip = v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
    const uint32_t headers = ip + (uint32_t)sizeof(struct icmp_error);
    const uint32_t quoted =
        RTE_MIN(packet_length(mbuf, packet), (v4 ? MOST_IPV4 : MOST_IPV6) - headers);
    uint8_t start[LINK_MAX];
    struct rte_mbuf *error;
    struct icmp_error icmp = {.mtu = rte_cpu_to_be_32(mtu)};
    uint8_t *frame;

    if (link > sizeof(start) || !copy_out(mbuf, 0, link, start) ||
        !may_be_answered(mbuf, packet, (const struct rte_ether_hdr *)start))
        return NULL;
    error = rte_pktmbuf_alloc(pool);
    if (error == NULL)
        return NULL;
    frame = (uint8_t *)rte_pktmbuf_append(error, (uint16_t)(link + headers + quoted));
    if (frame == NULL || !copy_out(mbuf, link, quoted, frame + link + headers)) {
        rte_pktmbuf_free(error);
        return NULL;
    }
    memcpy(frame, start + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
    memcpy(frame + RTE_ETHER_ADDR_LEN, start, RTE_ETHER_ADDR_LEN);
    memcpy(frame + 2 * RTE_ETHER_ADDR_LEN, start + 2 * RTE_ETHER_ADDR_LEN,
           link - 2 * RTE_ETHER_ADDR_LEN);
    memcpy(frame + link + ip, &icmp, sizeof(icmp));
    if (v4)
        write_ipv4((struct rte_ipv4_hdr *)(frame + link), packet, (uint32_t)sizeof(icmp) + quoted);
    else
        write_ipv6((struct rte_ipv6_hdr *)(frame + link), packet, (uint32_t)sizeof(icmp) + quoted);
    error->ol_flags |= mbuf->ol_flags & TAG_STRIPPED;
    error->vlan_tci = mbuf->vlan_tci;
    error->vlan_tci_outer = mbuf->vlan_tci_outer;
    return error;
}
