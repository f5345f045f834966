/* SPDX-License-Identifier: BSD-3-Clause */
/* The way back to a packet's sender: link and IP headers of what answers it. */
#include "packet/answer.h"

#include <string.h>

#include <rte_ip.h>

#include "base/dpdk_versions.h"
#include "packet/fragment_header.h"

/* Ethernet and two tags: what stands before IP in a frame that has a key. */
#define LINK_MAX (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)

#define TAG_STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

#define HOPS 64

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

/* Whether the address at one end, 0 the source, is a single host's. */
static bool is_host(const struct spill_packet *packet, unsigned end)
{
    const unsigned place = packet->direction ^ end;

    return packet->kind == SPILL_PACKET_IPV4 ? is_host4(packet->key.v4.address[place])
                                             : is_host6(packet->key.v6.address[place]);
}

/* Whether it may have been meant for somebody: a host, or of IPv6 a group. */
static bool has_destination(const struct spill_packet *packet)
{
    return is_host(packet, 1) || (packet->kind == SPILL_PACKET_IPV6 &&
                                  is_group6(packet->key.v6.address[!packet->direction]));
}

bool spill_answer_copy(const struct rte_mbuf *mbuf, uint32_t offset, uint32_t length, void *to)
{
    const void *from = rte_pktmbuf_read(mbuf, offset, length, to);

    if (from != NULL && from != to)
        memcpy(to, from, length);
    return from != NULL;
}

bool spill_answer_may_begin(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    struct rte_ether_hdr ether;

    return spill_answer_copy(mbuf, 0, sizeof(ether), &ether) &&
           !rte_is_multicast_ether_addr(&ether.src_addr) && is_host(packet, 0) &&
           has_destination(packet);
}

bool spill_answer_is_to_host(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    struct rte_ether_hdr ether;

    return spill_answer_copy(mbuf, 0, sizeof(ether), &ether) &&
           !rte_is_multicast_ether_addr(&ether.dst_addr) && is_host(packet, 1) &&
           !spill_answer_is_later_fragment(mbuf, packet);
}

bool spill_answer_is_later_fragment(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    struct spill_fragment_header header;

    if (packet->fragment == 0)
        return false;
    spill_fragment_header_read(mbuf, packet, &header);
    return header.first > 0;
}

static void write_ipv4(struct rte_ipv4_hdr *ip, const struct spill_packet *packet, uint8_t protocol,
                       uint8_t class, uint32_t length)
{
    *ip = (struct rte_ipv4_hdr){
        .version_ihl = RTE_IPV4_VHL_DEF,
        .type_of_service = class,
        .total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + length)),
        /* Never fragmented, so that it needs no identification (RFC 6864). */
        .fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
        .time_to_live = HOPS,
        .next_proto_id = protocol,
        .src_addr = packet->key.v4.address[!packet->direction],
        .dst_addr = packet->key.v4.address[packet->direction],
    };
    ip->hdr_checksum = rte_ipv4_cksum(ip);
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

static void write_ipv6(struct rte_ipv6_hdr *ip, const struct spill_packet *packet, uint8_t protocol,
                       uint8_t class, uint32_t length, const struct rte_ether_addr *own)
{
    const uint8_t *destination = packet->key.v6.address[!packet->direction];
    uint8_t source[16];

    *ip = (struct rte_ipv6_hdr){
        .vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t) class << RTE_IPV6_HDR_TC_SHIFT),
        .payload_len = rte_cpu_to_be_16((uint16_t)length),
        .proto = protocol,
        .hop_limits = HOPS,
    };
    if (is_group6(destination))
        write_link_local(source, own);
    else
        memcpy(source, destination, sizeof(source));
    memcpy(spill_dpdk_ipv6(ip->src_addr), source, sizeof(source));
    memcpy(spill_dpdk_ipv6(ip->dst_addr), packet->key.v6.address[packet->direction],
           sizeof(ip->dst_addr));
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

bool spill_answer_begin(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                        uint8_t protocol, uint8_t class, uint32_t length,
                        const struct rte_ether_addr *own, struct rte_mempool *pool,
                        struct spill_answer *answer)
{
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const uint32_t link = packet->l3_offset;
    const uint32_t header = v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
    uint8_t start[LINK_MAX];
    uint8_t *frame;

    if (packet->wrapped || link > sizeof(start) || !spill_answer_copy(mbuf, 0, link, start))
        return false;
    answer->mbuf = rte_pktmbuf_alloc(pool);
    if (answer->mbuf == NULL)
        return false;
    frame = (uint8_t *)rte_pktmbuf_append(answer->mbuf, (uint16_t)(link + header + length));
    if (frame == NULL) {
        rte_pktmbuf_free(answer->mbuf);
        return false;
    }
    answer->ip = frame + link;
    answer->payload = frame + link + header;
    write_link(frame, start, link, own);
    if (v4)
        write_ipv4(answer->ip, packet, protocol, class, length);
    else
        write_ipv6(answer->ip, packet, protocol, class, length, own);
    answer->mbuf->ol_flags |= mbuf->ol_flags & TAG_STRIPPED;
    answer->mbuf->vlan_tci = mbuf->vlan_tci;
    answer->mbuf->vlan_tci_outer = mbuf->vlan_tci_outer;
    return true;
}
