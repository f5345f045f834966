/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PARSE_SHARED_H
#define SPILLWAY_PARSE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "packet/packet.h"

/**
 * @file
 * What the quick and the careful way of parsing have in common: how results are written. Only for
 * the files of the parser.
 */

/* Bytes of a transport header that are always there. */
#define SPILL_TCP_FIXED 20
#define SPILL_UDP_FIXED 8
#define SPILL_ESP_FIXED 8 /* SPI and sequence number (RFC 4303) */

#define SPILL_ESP_UDP_PORT 4500 /* RFC 3948 */

/* What the layers below IP say about a packet. */
struct spill_link {
    uint16_t type;       /* EtherType behind the tags, network order */
    uint16_t vlan;       /* id in the outermost tag, host order */
    uint16_t inner_vlan; /* in the one behind it */
    uint32_t l3_offset;  /* of the header behind them, from the start of the frame */
    uint32_t end;        /* of what they hold; by the careful way */
    const struct spill_drop_reason *reason; /* where there is no IP behind them: why */
    const struct spill_zones *zones;
    bool wrapped; /* there is more than Ethernet and two tags */
};

/* Bytes of Ethernet and two tags. */
#define SPILL_LINK_PLAIN (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)

/* What the transport layer says. */
struct spill_transport {
    uint32_t port;    /* source and destination as they stand in the header; 0 without ports */
    uint8_t protocol; /* as in the key */
    uint8_t fragment; /* SPILL_FLOW_FRAGMENT or 0 */
    uint8_t esp;      /* enum spill_esp */
    uint8_t step;     /* enum spill_step */
    bool has_ports;
    bool fragmented; /* a first or a later fragment */
    uint32_t offset; /* of the transport header, from the start of the frame */
    uint32_t length; /* of the IP packet */
};

static inline uint16_t spill_load16(const uint8_t *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint32_t spill_load32(const uint8_t *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint32_t spill_load_be32(const uint8_t *from)
{
    return rte_be_to_cpu_32(spill_load32(from));
}

static inline uint64_t spill_load64(const uint8_t *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint16_t spill_load_be16(const uint8_t *from)
{
    return rte_be_to_cpu_16(spill_load16(from));
}

/** Copies bytes out of a frame, however many segments they lie in; false when it is too short. */
static inline bool spill_read_frame(const struct rte_mbuf *mbuf, uint32_t offset, uint32_t length,
                                    void *to)
{
    const void *from = rte_pktmbuf_read(mbuf, offset, length, to);

    if (from != NULL && from != to)
        memcpy(to, from, length);
    return from != NULL;
}

/** The tags of the quick way. @param type  network order */
static inline bool spill_is_tag(uint16_t type)
{
    return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ) ||
           type == RTE_BE16(RTE_ETHER_TYPE_QINQ1);
}

/* A pair of halves that stand side by side in a header, with the halves swapped. */
static inline uint32_t spill_swap_pair32(uint32_t pair)
{
    return pair << 16 | pair >> 16;
}

static inline uint64_t spill_swap_pair64(uint64_t pair)
{
    return pair << 32 | pair >> 32;
}

/* The same if so, which is 0 or 1. Without a branch: half of all packets want it. */
static inline uint32_t spill_turn_pair32(uint32_t pair, uint64_t turn)
{
    const unsigned bits = (unsigned)turn * 16u;

    return pair << bits | pair >> (-bits & 31);
}

/*
 * Fields that stand side by side are put together in a register and written at once: what reads
 * them next, as words, would have to wait for the stores of their parts.
 */

_Static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "words are put together in this order");

/** What stands behind the key first, up to the offset of the transport header, as a word of
 * memory. */
static __rte_always_inline uint64_t spill_rest_word(enum spill_packet_kind kind, uint64_t direction,
                                                    const struct spill_link *link,
                                                    const struct spill_transport *transport)
{
    /* What is constant for who calls this is put together by the compiler. */
    return (uint64_t)link->inner_vlan | (uint64_t)link->l3_offset << 16 | direction << 24 |
           (uint64_t)kind << 25 | (uint64_t)transport->has_ports << 27 |
           (uint64_t)transport->fragmented << 28 | (uint64_t)transport->esp << 29 |
           (uint64_t)link->wrapped << 31 | (uint64_t)transport->length << 32 |
           (uint64_t)transport->offset << 48;
}

/** Writes everything behind the key: that word, and that nothing is decided. */
static __rte_always_inline void spill_store_rest(struct spill_packet *packet, uint64_t word,
                                                 uint8_t step)
{
    /* Of no flow and no verdict, and of the byte behind that one bit on. */
    const uint64_t undecided[] = {0, (uint64_t)step << 9};

    _Static_assert(offsetof(struct spill_packet, verdict) ==
                       offsetof(struct spill_packet, flow) + sizeof(undecided[0]),
                   "verdict stands behind flow");
    memcpy(&packet->inner_vlan, &word, sizeof(word));
    memcpy(&packet->flow, undecided, sizeof(undecided));
}

/** The same, by what was found. */
static __rte_always_inline void spill_write_rest(struct spill_packet *packet,
                                                 enum spill_packet_kind kind, uint64_t direction,
                                                 const struct spill_link *link,
                                                 const struct spill_transport *transport)
{
    spill_store_rest(packet, spill_rest_word(kind, direction, link, transport), transport->step);
}

/* Flags of a TCP header that say more than that the connection goes on. */
#define SPILL_TCP_STEPS (RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG)

/** What a TCP packet does to its connection, by its flags. */
static inline enum spill_step spill_tcp_step(uint8_t flags)
{
    if ((flags & RTE_TCP_RST_FLAG) != 0)
        return SPILL_STEP_RESET;
    if ((flags & RTE_TCP_SYN_FLAG) != 0)
        return (flags & RTE_TCP_ACK_FLAG) != 0 ? SPILL_STEP_ACCEPT : SPILL_STEP_OPEN;
    return (flags & RTE_TCP_FIN_FLAG) != 0 ? SPILL_STEP_FINISH : SPILL_STEP_NONE;
}

/** Enters what a header says that is whole and true: one with ports, or ESP's. */
static __rte_always_inline void spill_enter_header(const uint8_t *header,
                                                   struct spill_transport *transport)
{
    if (transport->protocol == IPPROTO_ESP) {
        transport->esp = SPILL_ESP_PLAIN;
        return;
    }
    transport->has_ports = true;
    transport->port = spill_load32(header);
    if (transport->protocol == IPPROTO_UDP && transport->port >> 16 == RTE_BE16(SPILL_ESP_UDP_PORT))
        transport->esp = SPILL_ESP_UDP;
    if (transport->protocol == IPPROTO_TCP)
        transport->step = (uint8_t)spill_tcp_step(header[offsetof(struct rte_tcp_hdr, tcp_flags)]);
}

/* What a key has of its wire, by the packet's direction, at its place in the word behind the
 * addresses. */
struct spill_zones {
    uint64_t of[2];
};

/** The wire, and at which end of it the first address is where that can be told. */
static inline struct spill_zones spill_key_zones(uint8_t zone)
{
    const uint64_t one_end = (zone & SPILL_FLOW_ONE_END) / SPILL_FLOW_ONE_END;
    const uint64_t first = zone & ~one_end;

    return (struct spill_zones){.of = {first << 40, (first ^ !one_end) << 40}};
}

/** The part of a key behind its addresses, as a word of memory. */
static __rte_always_inline uint64_t spill_key_rest(uint32_t port, uint64_t direction,
                                                   const struct spill_link *link,
                                                   const struct spill_transport *transport)
{
    return port | (uint64_t)transport->protocol << 32 | link->zones->of[direction] |
           (uint64_t)transport->fragment << 40 | (uint64_t)link->vlan << 48;
}

/** Whether the first port of a pair is the higher one. */
static __rte_always_inline bool spill_first_is_higher(uint32_t port)
{
    uint32_t ordered = rte_be_to_cpu_32(port);

    return ordered > spill_swap_pair32(ordered);
}

/**
 * Writes an IPv4 packet's metadata.
 *
 * @param addresses  where source and destination stand in the IP header
 */
static __rte_always_inline void spill_write_packet4(struct spill_packet *packet,
                                                    const struct spill_link *link,
                                                    const uint8_t *addresses,
                                                    const struct spill_transport *transport)
{
    struct spill_key4 *key = &packet->key.v4;
    const uint64_t sent = rte_be_to_cpu_64(spill_load64(addresses));
    const uint64_t answered = spill_swap_pair64(sent);
    const uint64_t address = rte_cpu_to_be_64(RTE_MIN(sent, answered));
    uint64_t direction = sent > answered;
    uint32_t port = transport->port;
    uint64_t rest;

    if (unlikely(sent == answered))
        direction = spill_first_is_higher(port);
    port = spill_turn_pair32(port, direction);
    rest = spill_key_rest(port, direction, link, transport);

    memcpy(key->address, &address, sizeof(address));
    rte_compiler_barrier(); /* it would bring both into a vector first, which takes longer */
    memcpy((uint8_t *)key + offsetof(__typeof__(*key), port), &rest, sizeof(rest));
    spill_write_rest(packet, SPILL_PACKET_IPV4, direction, link, transport);
}

/** Whether the source comes behind the destination. */
static __rte_always_inline bool spill_is_second6(const uint8_t *addresses, uint32_t port)
{
    uint64_t source = spill_load64(addresses);
    uint64_t destination = spill_load64(addresses + 16);

    if (source == destination) {
        source = spill_load64(addresses + 8);
        destination = spill_load64(addresses + 24);
        if (unlikely(source == destination))
            return spill_first_is_higher(port);
    }
    return rte_be_to_cpu_64(source) > rte_be_to_cpu_64(destination);
}

/** The same for IPv6. */
static __rte_always_inline void spill_write_packet6(struct spill_packet *packet,
                                                    const struct spill_link *link,
                                                    const uint8_t *addresses,
                                                    const struct spill_transport *transport)
{
    struct spill_key6 *key = &packet->key.v6;
    uint32_t port = transport->port;
    bool direction = spill_is_second6(addresses, port);
    uint64_t rest;

    memcpy(key->address[direction], addresses, sizeof(key->address[0]));
    memcpy(key->address[!direction], addresses + 16, sizeof(key->address[0]));
    port = spill_turn_pair32(port, direction);
    rest = spill_key_rest(port, direction, link, transport);
    memcpy((uint8_t *)key + offsetof(__typeof__(*key), port), &rest, sizeof(rest));
    spill_write_rest(packet, SPILL_PACKET_IPV6, direction, link, transport);
}

/**
 * Walks from the start of a frame to IP, or to where it is clear that there is none. The thread
 * that holds the packet.
 *
 * @param link  zero but for `zones`; written
 * @return false: the frame contradicts itself, as `reason` says. `reason` is NULL behind which
 * there is IP, and for others the name to drop them under unless their type may pass
 */
bool spill_parse_link(const struct rte_mbuf *mbuf, struct spill_link *link);

/**
 * Enters what an ICMP header says into a packet whose key is written: whom it answers, or that
 * nothing answers it. The thread that holds the packet.
 *
 * @param length    bytes of the IP packet from its ICMP header on
 */
void spill_parse_icmp(const struct rte_mbuf *mbuf, uint32_t length, struct spill_packet *packet);

/**
 * Parses a packet of any kind, contiguous or not. A result is always written, as
 * spill_parse_burst() says. The thread that holds the packet.
 */
void spill_parse_carefully(const struct rte_mbuf *mbuf, uint8_t zone, struct spill_packet *packet);

#endif
