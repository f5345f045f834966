/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments of IPv6: librte_ip_frag's have the identification 0, and chains of two mbufs each. */
#include "packet/fragment_ipv6.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#define UNIT 8u /* of a fragment's offset */

struct fragment_header {
    uint8_t next_header;
    uint8_t reserved;
    rte_be16_t offset; /* in units, above three bits, of which the lowest is set if more follow */
    rte_be32_t identification;
} __attribute__((packed));

/* What all fragments of a packet have in common. */
struct split {
    const struct rte_mbuf *mbuf;
    uint32_t link;
    uint32_t headers; /* bytes before the payload, in the packet */
    uint32_t identification;
};

static struct rte_mbuf *make(const struct split *split, uint32_t offset, uint32_t length, bool more,
                             struct rte_mempool *pool)
{
    const uint8_t *frame = rte_pktmbuf_mtod(split->mbuf, const uint8_t *);
    struct rte_mbuf *fragment = rte_pktmbuf_alloc(pool);
    struct fragment_header header = {
        .next_header = frame[split->link + offsetof(struct rte_ipv6_hdr, proto)],
        .offset = rte_cpu_to_be_16((uint16_t)(offset | more)),
        .identification = rte_cpu_to_be_32(split->identification),
    };
    struct rte_ipv6_hdr *ip;
    uint8_t *to;

    if (fragment == NULL)
        return NULL;
    /* There is room: spill_fragment_ipv6() has looked. */
    to = (uint8_t *)rte_pktmbuf_append(fragment,
                                       (uint16_t)(split->headers + sizeof(header) + length));
    memcpy(to, frame, split->headers);
    ip = (struct rte_ipv6_hdr *)(to + split->link);
    ip->proto = IPPROTO_FRAGMENT;
    ip->payload_len = rte_cpu_to_be_16((uint16_t)(sizeof(header) + length));
    memcpy(to + split->headers, &header, sizeof(header));
    memcpy(to + split->headers + sizeof(header), frame + split->headers + offset, length);
    fragment->port = split->mbuf->port;
    fragment->ol_flags |=
        split->mbuf->ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED);
    fragment->vlan_tci = split->mbuf->vlan_tci;
    fragment->vlan_tci_outer = split->mbuf->vlan_tci_outer;
    return fragment;
}

int spill_fragment_ipv6(const struct rte_mbuf *mbuf, uint16_t l3_offset, uint16_t mtu,
                        uint32_t identification, struct rte_mempool *pool,
                        struct rte_mbuf **fragments, uint32_t most)
{
    const uint32_t before =
        (uint32_t)(sizeof(struct rte_ipv6_hdr) + sizeof(struct fragment_header));
    const struct split split = {.mbuf = mbuf,
                                .link = l3_offset,
                                .headers = l3_offset + (uint32_t)sizeof(struct rte_ipv6_hdr),
                                .identification = identification};
    const uint32_t payload = rte_pktmbuf_pkt_len(mbuf) - split.headers;
    const uint32_t piece = mtu < before ? 0 : RTE_ALIGN_FLOOR(mtu - before, UNIT);
    uint32_t count = 0, offset, length;

    if (piece == 0 || payload > most * piece ||
        RTE_PKTMBUF_HEADROOM + l3_offset + before + RTE_MIN(piece, payload) >
            rte_pktmbuf_data_room_size(pool))
        return -EINVAL;
    for (offset = 0; offset < payload; offset += length) {
        length = RTE_MIN(piece, payload - offset);
        fragments[count] = make(&split, offset, length, offset + length < payload, pool);
        if (fragments[count] == NULL) {
            rte_pktmbuf_free_bulk(fragments, count);
            return -ENOMEM;
        }
        count++;
    }
    return (int)count;
}
