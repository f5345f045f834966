/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors: whether a packet may be answered by one, and how it is made. */
#include "packet/icmp_error.h"

#include "packet/parse.h"

#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>

#include "base/dpdk_versions.h"
#include "packet/fragment_header.h"

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

static bool is_group6(const uint8_t address[16])
{
    return address[0] == 0xff;
}

/* The same for IPv6: not unspecified, loopback or multicast. */
static bool is_host6(const uint8_t address[16])
{
    static const uint8_t ZERO[15];

    return !is_group6(address) && (memcmp(address, ZERO, sizeof(ZERO)) != 0 || address[15] > 1);
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
    const uint8_t protocol = spill_packet_claim(mbuf, packet);
    const uint8_t *type;
    uint8_t copy;

    if (protocol != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        return false;
    type = rte_pktmbuf_read(mbuf, packet->l4_offset, sizeof(copy), &copy);
    if (type == NULL)
        return true;
    return v4 ? is_error4(*type) : *type < ICMP6_FIRST_QUERY || *type == ICMP6_REDIRECT;
}

/* Copies bytes of a packet, however many segments they lie in; false when it is too short. */
static bool copy_out(const struct rte_mbuf *mbuf, uint32_t offset, uint32_t length, void *to)
{
    const void *from = rte_pktmbuf_read(mbuf, offset, length, to);

    if (from != NULL && from != to)
        memcpy(to, from, length);
    return from != NULL;
}

/* Not by the key, which is that of the first fragment by now. */
static bool is_later_fragment(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    struct spill_fragment_header header;

    if (packet->fragment == 0)
        return false;
    spill_fragment_header_read(mbuf, packet, &header);
    return header.first > 0;
}

/* IPv4: a first fragment at most, and single hosts at both ends. */
static bool may_answer4(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                        const struct rte_ether_hdr *ether)
{
    return !is_later_fragment(mbuf, packet) && !rte_is_multicast_ether_addr(&ether->dst_addr) &&
           is_host4(packet->key.v4.address[0]) && is_host4(packet->key.v4.address[1]);
}

/* IPv6: "packet too big" may answer what goes to a group, and later fragments (RFC 4443 2.4 e 3),
 * but those of ICMP, which may be of an error. */
static bool may_answer6(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint8_t *source = packet->key.v6.address[packet->direction];
    const uint8_t *destination = packet->key.v6.address[!packet->direction];

    return is_host6(source) && (is_group6(destination) || is_host6(destination)) &&
           (spill_packet_claim(mbuf, packet) != IPPROTO_ICMPV6 || !is_later_fragment(mbuf, packet));
}

static bool may_answer(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                       const struct rte_ether_hdr *ether)
{
    if (rte_is_multicast_ether_addr(&ether->src_addr) || may_be_error(mbuf, packet))
        return false;
    return packet->kind == SPILL_PACKET_IPV4 ? may_answer4(mbuf, packet, ether)
                                             : may_answer6(mbuf, packet);
}

bool spill_icmp_may_answer(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    struct rte_ether_hdr ether;

    return copy_out(mbuf, 0, sizeof(ether), &ether) && may_answer(mbuf, packet, &ether);
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

/* The link-local address that belongs to an Ethernet address. */
static void write_link_local(uint8_t address[16], const struct rte_ether_addr *own)
{
    const uint8_t *bytes = own->addr_bytes;
    const uint8_t local[16] = {0xfe,     0x80,         0,        0,        0,    0,    0,
                               0,        bytes[0] ^ 2, bytes[1], bytes[2], 0xff, 0xfe, bytes[3],
                               bytes[4], bytes[5]};

    memcpy(address, local, sizeof(local));
}

/* The same for IPv6, whose ICMP also has the addresses in its checksum. */
static void write_ipv6(struct rte_ipv6_hdr *ip, const struct spill_packet *packet, uint32_t length,
                       const struct rte_ether_addr *own)
{
    const uint8_t *destination = packet->key.v6.address[!packet->direction];
    uint8_t source[16];
    struct icmp_error *icmp = (struct icmp_error *)(ip + 1);

    *ip = (struct rte_ipv6_hdr){
        .vtc_flow = RTE_BE32(6u << 28 | (uint32_t)CLASS_CS6 << RTE_IPV6_HDR_TC_SHIFT),
        .payload_len = rte_cpu_to_be_16((uint16_t)length),
        .proto = IPPROTO_ICMPV6,
        .hop_limits = HOPS,
    };
    if (is_group6(destination))
        write_link_local(source, own);
    else
        memcpy(source, destination, sizeof(source));
    memcpy(spill_dpdk_ipv6(ip->src_addr), source, sizeof(source));
    memcpy(spill_dpdk_ipv6(ip->dst_addr), packet->key.v6.address[packet->direction],
           sizeof(ip->dst_addr));
    icmp->type = ICMP6_TOO_BIG;
    icmp->code = 0;
    icmp->checksum = rte_ipv6_udptcp_cksum(ip, icmp);
}

/* The link header: back to the sender, from where the packet went to; a group sends nothing. */
static void write_link(uint8_t *frame, const uint8_t *start, uint32_t link,
                       const struct rte_ether_addr *own)
{
    const struct rte_ether_hdr *was = (const struct rte_ether_hdr *)start;
    struct rte_ether_hdr *is = (struct rte_ether_hdr *)frame;

    memcpy(frame, start, link);
    is->dst_addr = was->src_addr;
    is->src_addr = rte_is_multicast_ether_addr(&was->dst_addr) ? *own : was->dst_addr;
}

struct rte_mbuf *spill_icmp_too_big(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                    uint16_t mtu, const struct rte_ether_addr *own,
                                    struct rte_mempool *pool)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint32_t link = packet->l3_offset;
    const uint32_t ip = v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
    const uint32_t headers = ip + (uint32_t)sizeof(struct icmp_error);
    const uint32_t quoted =
        RTE_MIN((uint32_t)packet->length, (v4 ? MOST_IPV4 : MOST_IPV6) - headers);
    uint8_t start[LINK_MAX];
    struct rte_mbuf *error;
    struct icmp_error icmp = {.mtu = rte_cpu_to_be_32(mtu)};
    uint8_t *frame;

    if (packet->wrapped || link > sizeof(start) || !copy_out(mbuf, 0, link, start) ||
        !may_answer(mbuf, packet, (const struct rte_ether_hdr *)start))
        return NULL;
    error = rte_pktmbuf_alloc(pool);
    if (error == NULL)
        return NULL;
    frame = (uint8_t *)rte_pktmbuf_append(error, (uint16_t)(link + headers + quoted));
    if (frame == NULL || !copy_out(mbuf, link, quoted, frame + link + headers)) {
        rte_pktmbuf_free(error);
        return NULL;
    }
    write_link(frame, start, link, own);
    memcpy(frame + link + ip, &icmp, sizeof(icmp));
    if (v4)
        write_ipv4((struct rte_ipv4_hdr *)(frame + link), packet, (uint32_t)sizeof(icmp) + quoted);
    else
        write_ipv6((struct rte_ipv6_hdr *)(frame + link), packet, (uint32_t)sizeof(icmp) + quoted,
                   own);
    error->ol_flags |= mbuf->ol_flags & TAG_STRIPPED;
    error->vlan_tci = mbuf->vlan_tci;
    error->vlan_tci_outer = mbuf->vlan_tci_outer;
    return error;
}
