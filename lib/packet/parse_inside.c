/* SPDX-License-Identifier: BSD-3-Clause */
/* What an ICMP error carries: the beginning of the packet that it is about. */
#include "packet/parse_inside.h"

#include "packet/parse_shared.h"

#define ICMP_HEADER    8 /* bytes before the packet inside */
#define ADDRESSES4     8
#define HEADERS_MAX    8 /* IPv6 extension headers that are walked over */
#define TRANSPORT_PART 8 /* bytes that are always inside (RFC 792) */

/* Where the reading has got to. Offsets are from the start of the frame. */
struct inside {
    const struct rte_mbuf *mbuf;
    uint32_t at;
    uint32_t end;                 /* of the error */
    uint8_t addresses[32];        /* source, destination */
    struct spill_transport found; /* what the packet inside is of */
};

static bool take(struct inside *inside, uint32_t length, void *to)
{
    if (inside->end - inside->at < length ||
        !spill_read_frame(inside->mbuf, inside->at, length, to))
        return false;
    inside->at += length;
    return true;
}

static bool read_ipv4(struct inside *inside)
{
    uint8_t ip[sizeof(struct rte_ipv4_hdr)];
    const uint32_t start = inside->at;
    uint32_t header, fragment;

    if (!take(inside, sizeof(ip), ip))
        return false;
    header = (ip[0] & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
    fragment = spill_load_be16(ip + offsetof(struct rte_ipv4_hdr, fragment_offset));
    if (ip[0] >> 4 != IPVERSION || header < sizeof(ip) || header > inside->end - start ||
        (fragment & RTE_IPV4_HDR_OFFSET_MASK) != 0)
        return false;
    inside->at = start + header;
    inside->found.protocol = ip[offsetof(struct rte_ipv4_hdr, next_proto_id)];
    memcpy(inside->addresses, ip + offsetof(struct rte_ipv4_hdr, src_addr), ADDRESSES4);
    return true;
}

static bool is_extension(uint8_t protocol)
{
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
           protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

/* Goes behind IPv6 extension headers. False: there are too many, or a later fragment's. */
static bool walk(struct inside *inside)
{
    for (unsigned i = 0; is_extension(inside->found.protocol); i++) {
        const bool is_fragment = inside->found.protocol == IPPROTO_FRAGMENT;
        uint8_t header[8];
        uint32_t more;

        if (i == HEADERS_MAX || !take(inside, sizeof(header), header))
            return false;
        if (is_fragment && (spill_load_be16(header + 2) & ~7U) != 0)
            return false;
        more = is_fragment ? 0 : header[1] * 8U;
        if (more > inside->end - inside->at)
            return false;
        inside->at += more;
        inside->found.protocol = header[0];
    }
    return true;
}

static bool read_ipv6(struct inside *inside)
{
    uint8_t ip[sizeof(struct rte_ipv6_hdr)];

    if (!take(inside, sizeof(ip), ip) || ip[0] >> 4 != 6)
        return false;
    inside->found.protocol = ip[offsetof(struct rte_ipv6_hdr, proto)];
    memcpy(inside->addresses, ip + offsetof(struct rte_ipv6_hdr, src_addr),
           sizeof(inside->addresses));
    return walk(inside);
}

/* Enters ports, where the protocol has any. */
static bool read_ports(struct inside *inside)
{
    uint8_t part[TRANSPORT_PART];

    inside->found.offset = inside->at;
    switch (inside->found.protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
    case IPPROTO_SCTP:
    case IPPROTO_DCCP:
        if (!take(inside, sizeof(part), part))
            return false;
        inside->found.port = spill_load32(part);
        inside->found.has_ports = true;
        return true;
    default:
        return true;
    }
}

/* Of the end of the wire by which the packet inside came: the error comes by the other one. */
static struct spill_zones other_end(uint8_t zone, unsigned direction)
{
    return spill_key_zones(zone ^ (uint8_t)direction ^ 1);
}

static bool write_packet4(const struct inside *inside, const struct spill_packet *error,
                          struct spill_packet *packet)
{
    const struct spill_key4 *key = &error->key.v4;
    const struct spill_zones zones = other_end(key->zone, error->direction);
    const struct spill_link link = {.vlan = key->vlan & SPILL_VLAN_PLACE,
                                    .inner_vlan = error->inner_vlan,
                                    .l3_offset = error->l3_offset,
                                    .zones = &zones};

    spill_write_packet4(packet, &link, inside->addresses, &inside->found);
    if (packet->key.v4.protocol == IPPROTO_ICMP)
        spill_parse_icmp(inside->mbuf, inside->end - inside->at, packet);
    return packet->key.v4.address[packet->direction] == key->address[!error->direction] &&
           (packet->key.v4.vlan & SPILL_VLAN_ALONE) == 0;
}

static bool write_packet6(const struct inside *inside, const struct spill_packet *error,
                          struct spill_packet *packet)
{
    const struct spill_key6 *key = &error->key.v6;
    const struct spill_zones zones = other_end(key->zone, error->direction);
    const struct spill_link link = {.vlan = key->vlan & SPILL_VLAN_PLACE,
                                    .inner_vlan = error->inner_vlan,
                                    .l3_offset = error->l3_offset,
                                    .zones = &zones};

    spill_write_packet6(packet, &link, inside->addresses, &inside->found);
    if (packet->key.v6.protocol == IPPROTO_ICMPV6)
        spill_parse_icmp(inside->mbuf, inside->end - inside->at, packet);
    return memcmp(packet->key.v6.address[packet->direction], key->address[!error->direction],
                  sizeof(key->address[0])) == 0 &&
           (packet->key.v6.vlan & SPILL_VLAN_ALONE) == 0;
}

bool spill_parse_inside(const struct rte_mbuf *mbuf, const struct spill_packet *error,
                        struct spill_packet *packet)
{
    const bool v4 = error->kind == SPILL_PACKET_IPV4;
    struct inside inside = {
        .mbuf = mbuf,
        .at = error->l4_offset + ICMP_HEADER,
        .end = error->l3_offset + error->length,
    };

    if (!(v4 ? read_ipv4(&inside) : read_ipv6(&inside)) || !read_ports(&inside))
        return false;
    return v4 ? write_packet4(&inside, error, packet) : write_packet6(&inside, error, packet);
}
