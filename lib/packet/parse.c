/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parsing of a burst: the quick way, which knows only what nearly all packets are, decides in a few
 * compares, and leaves the rest to the careful way. Where it succeeds, the careful way would have
 * come to the same result.
 */

#include "packet/parse.h"

#include <rte_branch_prediction.h>
#include <rte_jhash.h>
#include <rte_prefetch.h>
#include <rte_udp.h>

#include "packet/parse_shared.h"

#define TAG_STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/*
 * The quick way is compiled twice: for TCP and UDP, and for ESP, plain and in UDP, so that the many
 * pay next to nothing for the few. What the first does not take, the second begins anew.
 */
enum quick {
    QUICK_PORTS,
    QUICK_ESP,
};

/**
 * Whether this is a TCP or UDP header that is all there and tells the truth. Of TCP, the first way
 * takes no packet that opens or ends a connection.
 *
 * @param contiguous  bytes that can be read at `header`, at least SPILL_UDP_FIXED
 * @param length      bytes of the IP packet from there on; negative when its header lies
 */
static __rte_always_inline bool quick_transport(enum quick quick, uint8_t protocol,
                                                const uint8_t *header, uint32_t contiguous,
                                                int32_t length)
{
    uint32_t offset_flags;
    int32_t claimed;

    if (protocol == IPPROTO_UDP) {
        claimed = (int32_t)(spill_load_be32(header + 4) >> 16); /* length, checksum */
        return claimed >= SPILL_UDP_FIXED && claimed <= length;
    }
    if (protocol == IPPROTO_TCP && contiguous >= SPILL_TCP_FIXED) {
        offset_flags = spill_load_be16(header + offsetof(struct rte_tcp_hdr, data_off));
        claimed = (int32_t)(offset_flags >> 12) * 4;
        return claimed >= SPILL_TCP_FIXED && claimed <= length &&
               (quick != QUICK_PORTS || (offset_flags & SPILL_TCP_STEPS) == 0);
    }
    return false;
}

_Static_assert(SPILL_ESP_FIXED <= SPILL_UDP_FIXED, "an ESP header is there where a UDP header is");

/** The same, for what this quick way takes. */
static __rte_always_inline bool quick_header(enum quick quick, uint8_t protocol,
                                             const uint8_t *header, uint32_t contiguous,
                                             int32_t length)
{
    if (quick == QUICK_ESP && protocol == IPPROTO_ESP)
        return length >= SPILL_ESP_FIXED;
    if (quick == QUICK_PORTS && protocol == IPPROTO_UDP &&
        spill_load16(header + 2) == RTE_BE16(SPILL_ESP_UDP_PORT))
        return false;
    return quick_transport(quick, protocol, header, contiguous, length);
}

/** Enters what such a header says. */
static __rte_always_inline void quick_enter(enum quick quick, const uint8_t *header,
                                            struct spill_transport *transport)
{
    if (quick == QUICK_ESP) {
        spill_enter_header(header, transport);
        return;
    }
    transport->port = spill_load32(header);
    transport->has_ports = true;
}

/** @return false when the packet needs the careful way */
static __rte_always_inline bool quick_ipv4(enum quick quick, const struct rte_mbuf *mbuf,
                                           const uint8_t *frame, const struct spill_link *link,
                                           struct spill_packet *packet)
{
    const uint8_t *ip = frame + link->l3_offset;
    const uint8_t *header = ip + sizeof(struct rte_ipv4_hdr);
    uint32_t behind = link->l3_offset + (uint32_t)sizeof(struct rte_ipv4_hdr);
    uint32_t contiguous = rte_pktmbuf_data_len(mbuf);
    uint32_t fragment, total;
    struct spill_transport transport = {.offset = behind};

    if (unlikely(contiguous < behind + SPILL_UDP_FIXED))
        return false;
    /* With the identification behind it: to swap four bytes takes less than two. */
    total = spill_load_be32(ip + offsetof(struct rte_ipv4_hdr, total_length)) >> 16;
    fragment = spill_load16(ip + offsetof(struct rte_ipv4_hdr, fragment_offset));
    transport.protocol = ip[offsetof(struct rte_ipv4_hdr, next_proto_id)];
    transport.length = total;
    if (unlikely(ip[0] != RTE_IPV4_VHL_DEF ||
                 (fragment & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0 ||
                 link->l3_offset + total > rte_pktmbuf_pkt_len(mbuf) ||
                 !quick_header(quick, transport.protocol, header, contiguous - behind,
                               (int32_t)total - (int32_t)sizeof(struct rte_ipv4_hdr))))
        return false;
    quick_enter(quick, header, &transport);
    spill_write_packet4(packet, link, ip + offsetof(struct rte_ipv4_hdr, src_addr), &transport);
    return true;
}

/** @return false when the packet needs the careful way */
static __rte_always_inline bool quick_ipv6(enum quick quick, const struct rte_mbuf *mbuf,
                                           const uint8_t *frame, const struct spill_link *link,
                                           struct spill_packet *packet)
{
    const uint8_t *ip = frame + link->l3_offset;
    const uint8_t *header = ip + sizeof(struct rte_ipv6_hdr);
    uint32_t behind = link->l3_offset + (uint32_t)sizeof(struct rte_ipv6_hdr);
    uint32_t contiguous = rte_pktmbuf_data_len(mbuf);
    uint32_t length_protocol, length;
    struct spill_transport transport = {.offset = behind};

    if (unlikely(contiguous < behind + SPILL_UDP_FIXED || ip[0] >> 4 != 6))
        return false;
    length_protocol = spill_load_be32(ip + 4); /* payload length, next header, hop limit */
    length = length_protocol >> 16;
    transport.protocol = (uint8_t)(length_protocol >> 8);
    transport.length = (uint32_t)sizeof(struct rte_ipv6_hdr) + length;
    if (unlikely(
            behind + length > rte_pktmbuf_pkt_len(mbuf) ||
            !quick_header(quick, transport.protocol, header, contiguous - behind, (int32_t)length)))
        return false;
    quick_enter(quick, header, &transport);
    spill_write_packet6(packet, link, ip + offsetof(struct rte_ipv6_hdr, src_addr), &transport);
    return true;
}

/** @return false when the packet needs the careful way */
static __rte_always_inline bool parse_quickly(enum quick quick, const struct rte_mbuf *mbuf,
                                              const struct spill_zones *zones,
                                              struct spill_packet *packet)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const uint8_t *type = frame + offsetof(struct rte_ether_hdr, ether_type);
    struct spill_link link = {.l3_offset = RTE_ETHER_HDR_LEN, .zones = zones};

    /* The shortest packet that can succeed; longer than Ethernet and two tags. */
    if (unlikely(rte_pktmbuf_data_len(mbuf) <
                     RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + SPILL_UDP_FIXED ||
                 (mbuf->ol_flags & TAG_STRIPPED) != 0))
        return false;
    link.type = spill_load16(type);
    /* Apart, so that their offsets are constant. */
    if (link.type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
        return quick_ipv4(quick, mbuf, frame, &link, packet);
    if (link.type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
        return quick_ipv6(quick, mbuf, frame, &link, packet);
    if (spill_is_tag(link.type)) {
        link.vlan = spill_load_be16(type + 2) & RTE_VLAN_ID_MASK;
        link.type = spill_load16(type + RTE_VLAN_HLEN);
        link.l3_offset += RTE_VLAN_HLEN;
        if (spill_is_tag(link.type)) {
            link.inner_vlan = spill_load_be16(type + RTE_VLAN_HLEN + 2) & RTE_VLAN_ID_MASK;
            link.type = spill_load16(type + 2 * RTE_VLAN_HLEN);
            link.l3_offset += RTE_VLAN_HLEN;
            if (link.vlan == 0) { /* a priority, and no VLAN */
                link.vlan = link.inner_vlan;
                link.inner_vlan = 0;
            }
        }
        if (link.type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
            return quick_ipv4(quick, mbuf, frame, &link, packet);
    }
    return link.type == RTE_BE16(RTE_ETHER_TYPE_IPV6) &&
           quick_ipv6(quick, mbuf, frame, &link, packet);
}

/** What is neither TCP nor UDP on the quick way, and TCP that opens or ends a connection. */
static bool parse_other(const struct rte_mbuf *mbuf, uint8_t zone, const struct spill_zones *zones,
                        struct spill_packet *packet)
{
    if (likely(parse_quickly(QUICK_ESP, mbuf, zones, packet)))
        return packet->step > SPILL_STEP_ANSWER;
    spill_parse_carefully(mbuf, zone, packet);
    return packet->fragment != 0 || spill_packet_steps(packet);
}

/** The first of packets that is such, and those behind it, as far as one is ESP before each of
 * them: then it mostly is, too. Returns how many. */
static __rte_noinline uint32_t parse_others(struct rte_mbuf **mbufs, uint32_t count, uint8_t zone,
                                            const struct spill_zones *zones,
                                            struct spill_packet *packets, bool *more)
{
    uint32_t i = 0;

    do
        *more |= parse_other(mbufs[i], zone, zones, &packets[i]);
    while (packets[i++].esp != SPILL_ESP_NONE && i < count);
    return i;
}

/* All at once: one after the other, they would be waited for. */
static void fetch_headers(struct rte_mbuf **mbufs, uint32_t count)
{
    struct rte_mbuf **end = mbufs + count;

    for (; end - mbufs >= 4; mbufs += 4) {
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[0], const void *));
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[1], const void *));
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[2], const void *));
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[3], const void *));
    }
    for (; mbufs < end; mbufs++)
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[0], const void *));
}

bool spill_parse_burst(struct rte_mbuf **mbufs, uint32_t count, uint8_t zone,
                       struct spill_packet *packets)
{
    const struct spill_zones zones = spill_key_zones(zone);
    struct rte_mbuf **end = mbufs + count;
    bool more = false;
    uint32_t others;

    fetch_headers(mbufs, count);
    for (; mbufs < end; mbufs++, packets++) {
        if (likely(parse_quickly(QUICK_PORTS, *mbufs, &zones, packets)))
            continue;
        others = parse_others(mbufs, (uint32_t)(end - mbufs), zone, &zones, packets, &more);
        mbufs += others - 1;
        packets += others - 1;
    }
    return more;
}

/* Whether a packet is, or may be, ESP between two gateways, plain or in UDP: fragments without
 * ports may be, too. */
static bool is_between_gateways(const struct spill_packet *packet, uint8_t protocol,
                                const uint16_t port[2])
{
    const uint16_t esp = RTE_BE16(SPILL_ESP_UDP_PORT);

    return protocol == IPPROTO_ESP || protocol == IPPROTO_FRAGMENT ||
           (protocol == IPPROTO_UDP &&
            (packet->has_ports ? port[0] == esp || port[1] == esp : packet->fragment));
}

uint32_t spill_packet_hash(const struct spill_packet *packet, uint32_t seed)
{
    const struct spill_key4 *v4 = &packet->key.v4;
    const struct spill_key6 *v6 = &packet->key.v6;

    switch (packet->kind) {
    case SPILL_PACKET_IPV4:
        if (unlikely(is_between_gateways(packet, v4->protocol, v4->port)))
            return rte_jhash_32b(v4->address, sizeof(v4->address) / sizeof(uint32_t), seed);
        return rte_jhash_32b((const uint32_t *)v4, sizeof(*v4) / sizeof(uint32_t), seed);
    case SPILL_PACKET_IPV6:
        if (unlikely(is_between_gateways(packet, v6->protocol, v6->port)))
            return rte_jhash_32b((const uint32_t *)v6->address,
                                 sizeof(v6->address) / sizeof(uint32_t), seed);
        return rte_jhash_32b((const uint32_t *)v6, sizeof(*v6) / sizeof(uint32_t), seed);
    default:
        return seed;
    }
}

uint32_t spill_packet_address_hash(const struct spill_packet *packet, uint32_t seed)
{
    switch (packet->kind) {
    case SPILL_PACKET_IPV4:
        return rte_jhash_32b(packet->key.v4.address,
                             sizeof(packet->key.v4.address) / sizeof(uint32_t), seed);
    case SPILL_PACKET_IPV6:
        return rte_jhash_32b((const uint32_t *)&packet->key.v6,
                             sizeof(packet->key.v6.address) / sizeof(uint32_t), seed);
    default:
        return seed;
    }
}
