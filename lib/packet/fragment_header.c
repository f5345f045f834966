/* SPDX-License-Identifier: BSD-3-Clause */
/* What a fragment's headers say. Parsing has seen already that all of them are there. */
#include <rte_tcp.h>

#include "packet/fragment_header.h"
#include "packet/parse_shared.h"

#define EXTENSION_UNIT 8
#define AH_UNIT        4

/* Copies what is known to be there; zeros if it should not be. */
static void read(const struct rte_mbuf *mbuf, uint32_t offset, uint32_t length, uint8_t *to)
{
    const void *from = rte_pktmbuf_read(mbuf, offset, length, to);

    if (from == NULL)
        memset(to, 0, length);
    else if (from != to)
        memcpy(to, from, length);
}

static void read_ipv4(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                      struct spill_fragment_header *header)
{
    uint8_t ip[sizeof(struct rte_ipv4_hdr)];
    uint32_t fragment;

    read(mbuf, packet->l3_offset, sizeof(ip), ip);
    fragment = spill_load_be16(ip + offsetof(struct rte_ipv4_hdr, fragment_offset));
    header->id = spill_load16(ip + offsetof(struct rte_ipv4_hdr, packet_id));
    header->first = (fragment & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS;
    header->more = (fragment & RTE_IPV4_HDR_MF_FLAG) != 0;
    header->end =
        header->first + packet->length - (ip[0] & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
}

static void read_ipv6(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                      struct spill_fragment_header *header)
{
    uint32_t offset = packet->l3_offset + (uint32_t)sizeof(struct rte_ipv6_hdr), length;
    uint32_t end = (uint32_t)packet->l3_offset + packet->length;
    uint8_t next[8] = {0}, type;
    unsigned found = 0;

    read(mbuf, packet->l3_offset, sizeof(next), next);
    type = next[offsetof(struct rte_ipv6_hdr, proto)];
    for (; offset < packet->l4_offset; offset += length) {
        read(mbuf, offset, sizeof(next), next);
        length = type == IPPROTO_FRAGMENT ? EXTENSION_UNIT
                 : type == IPPROTO_AH     ? (next[1] + 2U) * AH_UNIT
                                          : (next[1] + 1U) * EXTENSION_UNIT;
        if (type == IPPROTO_FRAGMENT) {
            found++;
            header->id = spill_load32(next + 4);
            header->first = spill_load_be16(next + 2) & ~7U;
            header->more = (next[3] & 1) != 0;
            header->end = header->first + end - offset - length;
        }
        type = next[0];
    }
    /* The walk of a later fragment ends where the next fragment header would stand. */
    header->nested = found > 1 || type == IPPROTO_FRAGMENT;
}

/* Whether the options of a TCP header lie in another fragment; other headers are all there. */
static bool is_short(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                     uint8_t protocol)
{
    uint8_t length;

    if (protocol != IPPROTO_TCP)
        return false;
    read(mbuf, packet->l4_offset + (uint32_t)offsetof(struct rte_tcp_hdr, data_off), 1, &length);
    return packet->l4_offset + (length >> 4) * 4U > (uint32_t)packet->l3_offset + packet->length;
}

void spill_fragment_header_read(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                struct spill_fragment_header *header)
{
    bool v4 = packet->kind == SPILL_PACKET_IPV4;

    *header = (struct spill_fragment_header){0};
    if (v4)
        read_ipv4(mbuf, packet, header);
    else
        read_ipv6(mbuf, packet, header);
    if (header->first == 0)
        header->short_header =
            is_short(mbuf, packet, v4 ? packet->key.v4.protocol : packet->key.v6.protocol);
}
