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

#include "base/bytes16.h"
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

/* Bytes that are there of the header of any transport on the quick way. */
#define LEAST SPILL_UDP_FIXED

_Static_assert(SPILL_ESP_FIXED <= LEAST, "an ESP header is there where a UDP header is");

/* How the key of an IPv4 packet with ports comes out of its header, by direction. A power of two
 * long, so that its place takes one shift. */
struct key4 {
    struct spill_bytes16 places; /* where its bytes stand, counted from the TTL on */
    struct spill_bytes16 wire;   /* what it has beside them */
    uint64_t rest;               /* the word behind the key, but for the packet's length */
} __rte_aligned(64);

/* What is the same for all packets of a burst. */
struct burst {
    struct key4 keys4[2]; /* of frames without tags */
    struct spill_zones zones;
};

/**
 * Whether this is a TCP or UDP header that is all there and tells the truth. Of TCP, the first way
 * takes no packet that opens or ends a connection.
 *
 * @param room    bytes that can be read behind the first LEAST of `header`
 * @param length  bytes of the IP packet behind them
 */
static __rte_always_inline bool quick_transport(enum quick quick, uint8_t protocol,
                                                const uint8_t *header, uint32_t room,
                                                uint32_t length)
{
    uint32_t offset_flags, claimed;

    /* What is less than the least wraps round, and is too much. */
    if (protocol == IPPROTO_UDP) {
        claimed = spill_load_be32(header + 4) >> 16; /* length, checksum */
        return claimed - LEAST <= length;
    }
    if (protocol == IPPROTO_TCP && room >= SPILL_TCP_FIXED - LEAST) {
        offset_flags = spill_load_be16(header + offsetof(struct rte_tcp_hdr, data_off));
        claimed = (offset_flags >> 12) * 4;
        return claimed >= SPILL_TCP_FIXED && claimed - LEAST <= length &&
               (quick != QUICK_PORTS || (offset_flags & SPILL_TCP_STEPS) == 0);
    }
    return false;
}

/** The same, for what this quick way takes. */
static __rte_always_inline bool quick_header(enum quick quick, uint8_t protocol,
                                             const uint8_t *header, uint32_t room, uint32_t length)
{
    if (quick == QUICK_ESP && protocol == IPPROTO_ESP)
        return true;
    if (quick == QUICK_PORTS && protocol == IPPROTO_UDP &&
        spill_load16(header + 2) == RTE_BE16(SPILL_ESP_UDP_PORT))
        return false;
    return quick_transport(quick, protocol, header, room, length);
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

/** Bytes of an IP packet that may stand behind the LEAST of its transport header. The first way
 * wants all of it in one segment, which spares it a look. */
static __rte_always_inline uint32_t quick_most(enum quick quick, const struct rte_mbuf *mbuf,
                                               uint32_t behind)
{
    return (quick == QUICK_PORTS ? rte_pktmbuf_data_len(mbuf) : rte_pktmbuf_pkt_len(mbuf)) -
           (behind + LEAST);
}

/* ------------------------------------------------------------------------------------ IPv4 */

/* What stands from the type of a frame on where IPv4 has no options and is no fragment, and the
 * bits that say so. */
static const uint8_t plain4[16] __rte_aligned(
    16) = {RTE_ETHER_TYPE_IPV4 >> 8, RTE_ETHER_TYPE_IPV4 & 0xff, RTE_IPV4_VHL_DEF},
   plain4_bits[16] __rte_aligned(16) = {
       0xff, 0xff, 0xff, [8] = (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK) >> 8, 0xff};

/** @param type  where it stands in a frame, with sixteen bytes that can be read */
static __rte_always_inline bool is_plain4(const uint8_t *type)
{
    return spill_bytes16_agree(spill_bytes16_load(type), spill_bytes16_load_aligned(plain4),
                               spill_bytes16_load_aligned(plain4_bits));
}

/** Writes what spill_write_packet4() does, of a packet with ports in a frame without tags. @return
 * false when it goes to where it comes from: that is not for the first way */
static __rte_always_inline bool write_plain4(struct spill_packet *packet, const struct burst *burst,
                                             const uint8_t *ip, uint32_t length)
{
    const uint64_t sent =
        rte_be_to_cpu_64(spill_load64(ip + offsetof(struct rte_ipv4_hdr, src_addr)));
    const uint64_t answered = spill_swap_pair64(sent);
    const struct key4 *how = &burst->keys4[sent > answered];
    const struct spill_bytes16 key = spill_bytes16_pick(
        spill_bytes16_load(ip + offsetof(struct rte_ipv4_hdr, time_to_live)), how->places);

    if (unlikely(sent == answered))
        return false;
    spill_bytes16_store(&packet->key.v4, spill_bytes16_or(key, how->wire));
    spill_store_rest(packet, how->rest | (uint64_t)length << 32, SPILL_STEP_NONE);
    return true;
}

/** A packet that is_plain4(). @return false when the packet needs the careful way */
static __rte_always_inline bool quick_ipv4(enum quick quick, const struct rte_mbuf *mbuf,
                                           const uint8_t *frame, const struct spill_link *link,
                                           const struct burst *burst, struct spill_packet *packet)
{
    const uint8_t *ip = frame + link->l3_offset;
    const uint8_t *header = ip + sizeof(struct rte_ipv4_hdr);
    const uint32_t behind = link->l3_offset + (uint32_t)sizeof(struct rte_ipv4_hdr);
    const uint32_t contiguous = rte_pktmbuf_data_len(mbuf);
    uint32_t total, length;
    struct spill_transport transport = {.offset = behind};

    if (unlikely(contiguous < behind + LEAST))
        return false;
    /* With the identification behind it: to swap four bytes takes less than two. */
    total = spill_load_be32(ip + offsetof(struct rte_ipv4_hdr, total_length)) >> 16;
    length = total - ((uint32_t)sizeof(struct rte_ipv4_hdr) + LEAST);
    transport.protocol = ip[offsetof(struct rte_ipv4_hdr, next_proto_id)];
    transport.length = total;
    if (unlikely(
            length > quick_most(quick, mbuf, behind) ||
            !quick_header(quick, transport.protocol, header, contiguous - behind - LEAST, length)))
        return false;
    if (quick == QUICK_PORTS && link->l3_offset == RTE_ETHER_HDR_LEN)
        return write_plain4(packet, burst, ip, total);
    quick_enter(quick, header, &transport);
    spill_write_packet4(packet, link, ip + offsetof(struct rte_ipv4_hdr, src_addr), &transport);
    return true;
}

/* ------------------------------------------------------------------------------------ IPv6 */

/** @param type  as above */
static __rte_always_inline bool is_plain6(const uint8_t *type)
{
    /* The type, and the version behind it. */
    return (spill_load32(type) & RTE_BE32(0xfffff000)) ==
           RTE_BE32((uint32_t)RTE_ETHER_TYPE_IPV6 << 16 | 0x6000);
}

/** A packet that is_plain6(). @return false when the packet needs the careful way */
static __rte_always_inline bool quick_ipv6(enum quick quick, const struct rte_mbuf *mbuf,
                                           const uint8_t *frame, const struct spill_link *link,
                                           struct spill_packet *packet)
{
    const uint8_t *ip = frame + link->l3_offset;
    const uint8_t *header = ip + sizeof(struct rte_ipv6_hdr);
    const uint32_t behind = link->l3_offset + (uint32_t)sizeof(struct rte_ipv6_hdr);
    const uint32_t contiguous = rte_pktmbuf_data_len(mbuf);
    uint32_t length_protocol, length;
    struct spill_transport transport = {.offset = behind};

    if (unlikely(contiguous < behind + LEAST))
        return false;
    length_protocol = spill_load_be32(ip + 4); /* payload length, next header, hop limit */
    transport.protocol = (uint8_t)(length_protocol >> 8);
    transport.length = (uint32_t)sizeof(struct rte_ipv6_hdr) + (length_protocol >> 16);
    length = (length_protocol >> 16) - LEAST;
    if (unlikely(
            length > quick_most(quick, mbuf, behind) ||
            !quick_header(quick, transport.protocol, header, contiguous - behind - LEAST, length)))
        return false;
    quick_enter(quick, header, &transport);
    spill_write_packet6(packet, link, ip + offsetof(struct rte_ipv6_hdr, src_addr), &transport);
    return true;
}

/* --------------------------------------------------------------------------------- a frame */

/** @return false when the packet needs the careful way */
static __rte_always_inline bool parse_quickly(enum quick quick, const struct rte_mbuf *mbuf,
                                              const struct burst *burst,
                                              struct spill_packet *packet)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const uint8_t *type = frame + offsetof(struct rte_ether_hdr, ether_type);
    struct spill_link link = {.l3_offset = RTE_ETHER_HDR_LEN, .zones = &burst->zones};

    /* The shortest packet that can succeed; longer than Ethernet, two tags, and what is_plain4()
     * reads. */
    if (unlikely(rte_pktmbuf_data_len(mbuf) <
                     RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + LEAST ||
                 (mbuf->ol_flags & TAG_STRIPPED) != 0))
        return false;
    /* Apart, so that their offsets are constant. */
    if (likely(is_plain4(type)))
        return quick_ipv4(quick, mbuf, frame, &link, burst, packet);
    if (is_plain6(type))
        return quick_ipv6(quick, mbuf, frame, &link, packet);
    if (!spill_is_tag(spill_load16(type)))
        return false;
    link.vlan = spill_load_be16(type + 2) & RTE_VLAN_ID_MASK;
    link.l3_offset += RTE_VLAN_HLEN;
    type += RTE_VLAN_HLEN;
    if (spill_is_tag(spill_load16(type))) {
        link.inner_vlan = spill_load_be16(type + 2) & RTE_VLAN_ID_MASK;
        link.l3_offset += RTE_VLAN_HLEN;
        type += RTE_VLAN_HLEN;
        if (link.vlan == 0) { /* a priority, and no VLAN */
            link.vlan = link.inner_vlan;
            link.inner_vlan = 0;
        }
    }
    if (is_plain4(type))
        return quick_ipv4(quick, mbuf, frame, &link, burst, packet);
    return is_plain6(type) && quick_ipv6(quick, mbuf, frame, &link, packet);
}

/** What is neither TCP nor UDP on the quick way, and TCP that opens or ends a connection. */
static bool parse_other(const struct rte_mbuf *mbuf, uint8_t zone, const struct burst *burst,
                        struct spill_packet *packet)
{
    if (likely(parse_quickly(QUICK_ESP, mbuf, burst, packet)))
        return packet->step > SPILL_STEP_ANSWER;
    spill_parse_carefully(mbuf, zone, packet);
    return packet->fragment != 0 || spill_packet_steps(packet);
}

/** The first of packets that is such, and those behind it, as far as one is ESP before each of
 * them: then it mostly is, too. Returns how many. */
static __rte_noinline uint32_t parse_others(struct rte_mbuf **mbufs, uint32_t count, uint8_t zone,
                                            const struct burst *burst, struct spill_packet *packets,
                                            bool *more)
{
    uint32_t i = 0;

    do
        *more |= parse_other(mbufs[i], zone, burst, &packets[i]);
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

#define NONE SPILL_BYTES16_ZERO

static void begin_burst(struct burst *burst, uint8_t zone)
{
    static const uint8_t places[2][16] = {
        {4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, NONE, NONE, NONE},
        {8, 9, 10, 11, 4, 5, 6, 7, 14, 15, 12, 13, 1, NONE, NONE, NONE},
    };
    const struct spill_transport ports = {
        .has_ports = true, .offset = RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr)};
    const struct spill_link link = {.l3_offset = RTE_ETHER_HDR_LEN};

    burst->zones = spill_key_zones(zone);
    for (unsigned direction = 0; direction < 2; direction++) {
        const uint64_t wire[2] = {0, burst->zones.of[direction]};
        struct key4 *key = &burst->keys4[direction];

        key->places = spill_bytes16_load(places[direction]);
        key->wire = spill_bytes16_load(wire);
        key->rest = spill_rest_word(SPILL_PACKET_IPV4, direction, &link, &ports);
    }
}

bool spill_parse_burst(struct rte_mbuf **mbufs, uint32_t count, uint8_t zone,
                       struct spill_packet *packets)
{
    struct rte_mbuf **end = mbufs + count;
    struct burst burst;
    bool more = false;
    uint32_t others;

    begin_burst(&burst, zone);
    fetch_headers(mbufs, count);
    for (; mbufs < end; mbufs++, packets++) {
        if (likely(parse_quickly(QUICK_PORTS, *mbufs, &burst, packets)))
            continue;
        others = parse_others(mbufs, (uint32_t)(end - mbufs), zone, &burst, packets, &more);
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
