/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The careful way of parsing: knows every header, reads each with rte_pktmbuf_read(), so that it
 * may lie across segments, and names what is wrong.
 */

#include <rte_udp.h>

#include "packet/parse.h"
#include "packet/parse_shared.h"

SPILL_DROP_REASON(
    spill_malformed_ipv4, "malformed_ipv4",
    "The IPv4 version, header length or an option's length is wrong, or the header or the "
    "total length contradicts the length of the frame.");
SPILL_DROP_REASON(
    spill_malformed_ipv6, "malformed_ipv6",
    "The IPv6 version is wrong, the header or the payload length exceeds the frame, or "
    "the packet is a jumbogram.");
SPILL_DROP_REASON(
    spill_malformed_ipv6_extension, "malformed_ipv6_extension",
    "An IPv6 extension header exceeds the packet, hop-by-hop options are not the first, or "
    "there are more than eight headers.");
SPILL_DROP_REASON(
    spill_malformed_fragment, "malformed_fragment",
    "The fragment ends past the largest packet, or cuts a TCP header in two (RFC 1858, RFC 3128).");
SPILL_DROP_REASON(spill_source_routed, "source_routed",
                  "The packet says by which addresses to go on: IPv4 source routes, an IPv6 "
                  "routing header with segments left.");
SPILL_DROP_REASON(
    spill_malformed_transport, "malformed_transport",
    "The TCP, UDP, UDP-Lite, SCTP, DCCP or ESP header exceeds the packet, or a length in "
    "it is wrong.");

#define EXTENSION_HEADERS_MAX 8
#define PACKET_LENGTH_MAX     65535

/* IPv4 options (RFC 791 3.1). */
#define OPTIONS_MAX         40
#define OPTION_END          0
#define OPTION_NOTHING      1
#define OPTION_LOOSE_ROUTE  131
#define OPTION_STRICT_ROUTE 137

/* Bytes of these headers that are always there. */
#define SCTP_FIXED 12
#define DCCP_FIXED 12

/* SCTP's chunks (RFC 9260 3.2): bytes of a header, and types. */
#define CHUNK_FIXED             4
#define CHUNK_INIT              1
#define CHUNK_INIT_ACK          2
#define CHUNK_ABORT             6
#define CHUNK_SHUTDOWN_COMPLETE 14

/* An IP packet's payload, as far as it is known. Offsets are from the start of the frame. */
struct payload {
    uint32_t start;  /* of the IP packet */
    uint32_t offset; /* of the next header to look at */
    uint32_t end;    /* of the IP packet; not past the frame's */
    uint8_t protocol;
    bool first_fragment; /* more follow, so lengths in it may exceed it */
    bool later_fragment;
};

/** Notes what is wrong. @param offset  from the start of the frame */
static void note_problem(struct spill_parse_problem *problem, const struct payload *payload,
                         uint32_t offset, uint8_t code)
{
    *problem = (struct spill_parse_problem){.pointer = offset - payload->start, .code = code};
}

/**
 * Enters what a fragment's header says.
 *
 * @param offset  bytes of the packet before this fragment's
 * @param length  bytes that the limit of the whole packet's length counts in this one
 */
static const struct spill_drop_reason *enter_fragment(struct payload *payload, uint32_t offset,
                                                      bool more, uint32_t length)
{
    if (offset + length > PACKET_LENGTH_MAX)
        return &spill_malformed_fragment;
    /* It would overwrite the flags of a TCP header that a rule has judged already. */
    if (offset == 8 && payload->protocol == IPPROTO_TCP)
        return &spill_malformed_fragment;
    payload->later_fragment = offset > 0;
    payload->first_fragment |= offset == 0 && more;
    return NULL;
}

/** Bytes of a protocol's header that hold what is read of it; 0 for protocols not looked into. */
static uint32_t fixed_length(uint8_t protocol)
{
    switch (protocol) {
    case IPPROTO_TCP:
        return SPILL_TCP_FIXED;
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
        return SPILL_UDP_FIXED;
    case IPPROTO_SCTP:
        return SCTP_FIXED;
    case IPPROTO_DCCP:
        return DCCP_FIXED;
    case IPPROTO_ESP:
        return SPILL_ESP_FIXED;
    default:
        return 0;
    }
}

/** Whether the length that a transport header states is possible. */
static bool is_true_length(uint8_t protocol, const uint8_t *header, uint32_t length)
{
    uint32_t fixed = fixed_length(protocol);
    uint32_t claimed;

    switch (protocol) {
    case IPPROTO_TCP:
        claimed = (header[offsetof(struct rte_tcp_hdr, data_off)] >> 4) * 4U;
        break;
    case IPPROTO_UDP:
        claimed = spill_load_be16(header + offsetof(struct rte_udp_hdr, dgram_len));
        break;
    case IPPROTO_UDPLITE: /* what the checksum covers: 0 is all of it */
        claimed = spill_load_be16(header + offsetof(struct rte_udp_hdr, dgram_len));
        if (claimed == 0)
            return true;
        break;
    case IPPROTO_DCCP: /* byte 4 is the data offset; long sequence numbers take four bytes more */
        claimed = header[4] * 4U;
        if ((header[8] & 1) != 0)
            fixed += 4;
        break;
    default:
        return true;
    }
    return claimed >= fixed && claimed <= length;
}

/** What an SCTP packet does to its association, by its first chunk. */
static enum spill_step sctp_step(const struct rte_mbuf *mbuf, const struct payload *payload)
{
    const uint32_t offset = payload->offset + SCTP_FIXED;
    uint8_t chunk[CHUNK_FIXED];

    if (payload->end - offset < sizeof(chunk) ||
        !spill_read_frame(mbuf, offset, sizeof(chunk), chunk))
        return SPILL_STEP_NONE;
    switch (chunk[0]) {
    case CHUNK_INIT:
        return SPILL_STEP_OPEN;
    case CHUNK_INIT_ACK:
        return SPILL_STEP_ANSWER;
    case CHUNK_ABORT:
    case CHUNK_SHUTDOWN_COMPLETE:
        return SPILL_STEP_RESET;
    default:
        return SPILL_STEP_NONE;
    }
}

/** What is known of a payload before its transport header is read. */
static struct spill_transport outline(const struct payload *payload)
{
    return (struct spill_transport){
        .protocol = payload->protocol,
        .fragment = payload->later_fragment ? SPILL_FLOW_FRAGMENT : 0,
        .fragmented = payload->later_fragment || payload->first_fragment,
        .offset = payload->offset,
        .length = payload->end - payload->start,
    };
}

/** Reads the transport header, as far as the payload has one that is known. */
static const struct spill_drop_reason *careful_transport(const struct rte_mbuf *mbuf,
                                                         const struct payload *payload,
                                                         struct spill_transport *transport)
{
    uint32_t fixed = payload->later_fragment ? 0 : fixed_length(payload->protocol);
    uint32_t length = payload->end - payload->offset;
    uint8_t header[SPILL_TCP_FIXED];

    *transport = outline(payload);
    if (fixed == 0)
        return NULL;
    if (length < fixed && payload->first_fragment && payload->protocol == IPPROTO_TCP)
        return &spill_malformed_fragment;
    if (length < fixed || !spill_read_frame(mbuf, payload->offset, fixed, header))
        return &spill_malformed_transport;
    if (!is_true_length(payload->protocol, header,
                        payload->first_fragment ? PACKET_LENGTH_MAX : length))
        return &spill_malformed_transport;
    spill_enter_header(header, transport);
    if (payload->protocol == IPPROTO_SCTP)
        transport->step = (uint8_t)sctp_step(mbuf, payload);
    return NULL;
}

/* Looks through IPv4 options: one that is wrong, or that sends the packet elsewhere than it says.
 */
static const struct spill_drop_reason *walk_options(const struct rte_mbuf *mbuf,
                                                    const struct payload *payload,
                                                    struct spill_parse_problem *problem)
{
    const uint32_t offset = payload->start + (uint32_t)sizeof(struct rte_ipv4_hdr);
    const uint32_t length = payload->offset - offset;
    uint8_t options[OPTIONS_MAX];
    uint32_t size, i;

    if (!spill_read_frame(mbuf, offset, length, options))
        return &spill_malformed_ipv4;
    for (i = 0; i < length && options[i] != OPTION_END; i += size) {
        size = 1;
        if (options[i] == OPTION_NOTHING)
            continue;
        if (length - i < 2 || options[i + 1] < 2 || options[i + 1] > length - i)
            note_problem(problem, payload, offset + i + (length - i > 1), 0);
        if (options[i] == OPTION_LOOSE_ROUTE || options[i] == OPTION_STRICT_ROUTE)
            return &spill_source_routed;
        if (problem->pointer != 0)
            return &spill_malformed_ipv4;
        size = options[i + 1];
    }
    return NULL;
}

static const struct spill_drop_reason *careful_ipv4(const struct rte_mbuf *mbuf,
                                                    const struct spill_link *link,
                                                    struct spill_packet *packet,
                                                    struct spill_parse_problem *problem)
{
    uint32_t there = link->end - link->l3_offset;
    const struct spill_drop_reason *reason;
    struct payload payload = {.start = link->l3_offset};
    uint8_t ip[sizeof(struct rte_ipv4_hdr)];
    struct spill_transport transport;
    uint32_t header, total, fragment;

    if (!spill_read_frame(mbuf, link->l3_offset, sizeof(ip), ip))
        return &spill_malformed_ipv4;
    header = (ip[0] & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
    total = spill_load_be16(ip + offsetof(struct rte_ipv4_hdr, total_length));
    if (ip[0] >> 4 != IPVERSION || header < sizeof(ip) || total < header || total > there)
        return &spill_malformed_ipv4;

    payload.offset = link->l3_offset + header;
    payload.end = link->l3_offset + total;
    payload.protocol = ip[offsetof(struct rte_ipv4_hdr, next_proto_id)];
    fragment = spill_load_be16(ip + offsetof(struct rte_ipv4_hdr, fragment_offset));
    reason =
        enter_fragment(&payload, (fragment & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS,
                       (fragment & RTE_IPV4_HDR_MF_FLAG) != 0, total);
    if (reason == NULL && header > sizeof(ip))
        reason = walk_options(mbuf, &payload, problem);
    if (reason == NULL)
        reason = careful_transport(mbuf, &payload, &transport);
    else
        transport = outline(&payload);
    spill_write_packet4(packet, link, ip + offsetof(struct rte_ipv4_hdr, src_addr), &transport);
    if (reason == NULL && payload.protocol == IPPROTO_ICMP && !payload.later_fragment)
        spill_parse_icmp(mbuf, payload.end - payload.offset, packet);
    return reason;
}

/**
 * Whether the walk goes on through an IPv6 header of this type. It ends at AH, as in IPv4: what AH
 * holds is for who shares the keys of an SA, as with ESP, and is not what a rule would mean by it.
 */
static bool is_extension(uint8_t protocol)
{
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
           protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

/** Enters an IPv6 fragment header, behind which payload->offset is. */
static const struct spill_drop_reason *enter_fragment6(struct payload *payload,
                                                       const uint8_t *header)
{
    return enter_fragment(payload, spill_load_be16(header + 2) & ~7U, (header[3] & 1) != 0,
                          payload->end - payload->start - (uint32_t)sizeof(struct rte_ipv6_hdr) -
                              SPILL_FRAGMENT_HEADER);
}

/* An IPv6 extension header that the walk has come to. */
struct extension {
    uint8_t type;
    uint32_t offset; /* from the start of the frame */
    uint32_t named;  /* of the field in the header before that names its type */
    unsigned index;  /* how many are before it */
};

/** Enters an IPv6 extension header, behind which payload->offset is. */
static const struct spill_drop_reason *enter_extension(struct payload *payload,
                                                       const struct extension *extension,
                                                       const uint8_t *header,
                                                       struct spill_parse_problem *problem)
{
    switch (extension->type) {
    case IPPROTO_FRAGMENT:
        return enter_fragment6(payload, header);
    case IPPROTO_HOPOPTS: /* only the first; elsewhere nobody knows them (RFC 8200 4) */
        if (extension->index == 0)
            return NULL;
        note_problem(problem, payload, extension->named, SPILL_PROBLEM_NEXT_HEADER);
        return &spill_malformed_ipv6_extension;
    case IPPROTO_ROUTING: /* of any type, with segments left: another destination comes next */
        if (header[3] == 0)
            return NULL;
        note_problem(problem, payload, extension->offset + 2, SPILL_PROBLEM_FIELD);
        return &spill_source_routed;
    default:
        return NULL;
    }
}

/** Notes a header that the packet has no end of: of a first fragment it may be in the next. */
static void note_cut(struct spill_parse_problem *problem, const struct payload *payload,
                     uint32_t offset)
{
    if (!payload->first_fragment)
        note_problem(problem, payload, offset, SPILL_PROBLEM_FIELD);
}

/** Reads the extension header at payload->offset, and goes on to what is behind it. */
static const struct spill_drop_reason *walk_extension(const struct rte_mbuf *mbuf,
                                                      struct payload *payload,
                                                      const struct extension *extension,
                                                      struct spill_parse_problem *problem)
{
    uint8_t header[SPILL_FRAGMENT_HEADER];
    uint32_t length;

    if (extension->index == EXTENSION_HEADERS_MAX) {
        note_problem(problem, payload, extension->offset, SPILL_PROBLEM_TOO_MANY);
        return &spill_malformed_ipv6_extension;
    }
    if (payload->end - payload->offset < sizeof(header) ||
        !spill_read_frame(mbuf, payload->offset, sizeof(header), header)) {
        note_cut(problem, payload, extension->named);
        return &spill_malformed_ipv6_extension;
    }
    length = extension->type == IPPROTO_FRAGMENT ? sizeof(header) : (header[1] + 1U) * 8;
    if (length > payload->end - payload->offset) {
        note_cut(problem, payload, extension->offset + 1);
        return &spill_malformed_ipv6_extension;
    }
    payload->protocol = header[0];
    payload->offset += length;
    return enter_extension(payload, extension, header, problem);
}

/** Walks from the IPv6 header to the first that is no extension, or that a later fragment lacks. */
static const struct spill_drop_reason *walk_extensions(const struct rte_mbuf *mbuf,
                                                       struct payload *payload,
                                                       struct spill_parse_problem *problem)
{
    const struct spill_drop_reason *reason = NULL;
    struct extension extension = {.offset = payload->start +
                                            (uint32_t)offsetof(struct rte_ipv6_hdr, proto)};

    while (reason == NULL && is_extension(payload->protocol) && !payload->later_fragment) {
        extension.named = extension.offset;
        extension.type = payload->protocol;
        extension.offset = payload->offset;
        reason = walk_extension(mbuf, payload, &extension, problem);
        extension.index++;
    }
    /* A later fragment repeats what the sender likes: it is told by what it is. */
    if (payload->later_fragment)
        payload->protocol = IPPROTO_FRAGMENT;
    return reason;
}

/**
 * Goes on from an extension header that is wrong to the transport: of an ICMP error nothing is told
 * (RFC 4443 2.4 e).
 *
 * @return false: it can't be known
 */
static bool find_transport(const struct rte_mbuf *mbuf, struct payload *payload)
{
    uint8_t header[2];
    uint32_t length;
    unsigned i;

    for (i = 0; i < EXTENSION_HEADERS_MAX && is_extension(payload->protocol); i++) {
        if (payload->protocol == IPPROTO_FRAGMENT)
            return false;
        if (!spill_read_frame(mbuf, payload->offset, sizeof(header), header))
            return true; /* the packet has none */
        length = (header[1] + 1U) * 8;
        if (length > payload->end - payload->offset)
            return true;
        payload->protocol = header[0];
        payload->offset += length;
    }
    return !is_extension(payload->protocol);
}

static const struct spill_drop_reason *careful_ipv6(const struct rte_mbuf *mbuf,
                                                    const struct spill_link *link,
                                                    struct spill_packet *packet,
                                                    struct spill_parse_problem *problem)
{
    const struct spill_drop_reason *reason;
    struct payload payload = {.start = link->l3_offset};
    struct spill_transport transport;
    uint8_t ip[sizeof(struct rte_ipv6_hdr)];
    uint32_t length;

    if (link->end - link->l3_offset < sizeof(ip) ||
        !spill_read_frame(mbuf, link->l3_offset, sizeof(ip), ip))
        return &spill_malformed_ipv6;
    payload.offset = link->l3_offset + (uint32_t)sizeof(ip);
    payload.protocol = ip[offsetof(struct rte_ipv6_hdr, proto)];
    length = spill_load_be16(ip + offsetof(struct rte_ipv6_hdr, payload_len));
    /* No length and hop-by-hop options: those of a jumbogram would hold its length. */
    if (ip[0] >> 4 != 6 || length > link->end - payload.offset ||
        (length == 0 && payload.protocol == IPPROTO_HOPOPTS))
        return &spill_malformed_ipv6;

    payload.end = payload.offset + length;
    reason = walk_extensions(mbuf, &payload, problem);
    if (problem->pointer != 0 && !find_transport(mbuf, &payload))
        problem->pointer = 0;
    if (reason == NULL)
        reason = careful_transport(mbuf, &payload, &transport);
    else
        transport = outline(&payload);
    spill_write_packet6(packet, link, ip + offsetof(struct rte_ipv6_hdr, src_addr), &transport);
    if (reason == NULL && payload.protocol == IPPROTO_ICMPV6)
        spill_parse_icmp(mbuf, payload.end - payload.offset, packet);
    return reason;
}

static const struct spill_drop_reason *careful_ip(const struct rte_mbuf *mbuf,
                                                  const struct spill_link *link,
                                                  struct spill_packet *packet,
                                                  struct spill_parse_problem *problem)
{
    *problem = (struct spill_parse_problem){0};
    return link->type == RTE_BE16(RTE_ETHER_TYPE_IPV4) ? careful_ipv4(mbuf, link, packet, problem)
                                                       : careful_ipv6(mbuf, link, packet, problem);
}

void spill_parse_carefully(const struct rte_mbuf *mbuf, uint8_t zone, struct spill_packet *packet)
{
    const struct spill_transport none = {0};
    const struct spill_zones zones = spill_key_zones(zone);
    struct spill_link link = {.zones = &zones};
    bool sound = spill_parse_link(mbuf, &link);
    const struct spill_drop_reason *reason = link.reason;
    struct spill_parse_problem problem;

    if (sound && reason == NULL) {
        reason = careful_ip(mbuf, &link, packet, &problem);
        sound = reason == NULL;
        if (sound)
            return;
    }
    memset(&packet->key, 0, sizeof(packet->key));
    link.inner_vlan = 0;
    link.wrapped = false;
    spill_write_rest(packet, sound ? SPILL_PACKET_OTHER : SPILL_PACKET_MALFORMED, 0, &link, &none);
    if (sound)
        packet->key.type = rte_be_to_cpu_16(link.type);
    packet->drop = reason->id;
}

bool spill_parse_problem(const struct rte_mbuf *mbuf, uint8_t zone, struct spill_packet *packet,
                         struct spill_parse_problem *problem)
{
    const struct spill_zones zones = spill_key_zones(zone);
    struct spill_link link = {.zones = &zones};

    return spill_parse_link(mbuf, &link) && link.reason == NULL &&
           careful_ip(mbuf, &link, packet, problem) != NULL && problem->pointer != 0;
}
