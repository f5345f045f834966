/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragmentation by DPDK's librte_ip_frag, which wants to have an mbuf that begins with the IPv4
 * header and ends with the packet, and leaves the checksums and what stood before IP to the caller.
 */
#include "packet/fragment.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_ip_frag.h>

#define LINK_MAX     (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)
#define TAG_STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/* Fragments without what stands before IP. The packet is cut to its IP part for so long. */
static int split_segment(struct rte_mbuf *mbuf, uint16_t link, uint16_t total, uint16_t mtu,
                         struct rte_mempool *pool, struct rte_mbuf **fragments, uint16_t most)
{
    const uint16_t behind = (uint16_t)(rte_pktmbuf_data_len(mbuf) - link - total);
    int count;

    rte_pktmbuf_adj(mbuf, link);
    rte_pktmbuf_trim(mbuf, behind);
    count = rte_ipv4_fragment_copy_nonseg_packet(mbuf, fragments, most, mtu, pool);
    rte_pktmbuf_append(mbuf, behind);
    rte_pktmbuf_prepend(mbuf, link);
    return count;
}

/* The same for a packet in several segments, whose headers may lie across them: of a copy. */
static int split_chain(const struct rte_mbuf *mbuf, uint16_t link, uint16_t total, uint16_t mtu,
                       struct rte_mempool *pool, struct rte_mbuf **fragments, uint16_t most)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(mbuf, pool, link, total);
    int count;

    if (copy == NULL)
        return -ENOMEM;
    count = rte_ipv4_fragment_copy_nonseg_packet(copy, fragments, most, mtu, pool);
    rte_pktmbuf_free(copy);
    return count;
}

_Static_assert(RTE_PKTMBUF_HEADROOM >= LINK_MAX, "a fragment's mbuf has room for them");

/* Makes a frame of a fragment. */
static void complete(struct rte_mbuf *fragment, const struct rte_mbuf *mbuf, const uint8_t *start,
                     uint16_t link)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(fragment, struct rte_ipv4_hdr *);

    memcpy(rte_pktmbuf_prepend(fragment, link), start, link);
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    fragment->port = mbuf->port;
    fragment->ol_flags |= mbuf->ol_flags & TAG_STRIPPED;
    fragment->vlan_tci = mbuf->vlan_tci;
    fragment->vlan_tci_outer = mbuf->vlan_tci_outer;
}

int spill_fragment_ipv4(struct rte_mbuf *mbuf, const struct spill_packet *packet, uint16_t mtu,
                        struct rte_mempool *pool, struct rte_mbuf **fragments, uint32_t most)
{
    const uint16_t link = packet->l3_offset;
    const uint16_t total = packet->length;
    const uint16_t places = (uint16_t)RTE_MIN(most, (uint32_t)UINT16_MAX);
    const uint8_t *start;
    uint8_t copy[LINK_MAX];
    int count, i;

    if ((uint32_t)link + total > rte_pktmbuf_pkt_len(mbuf) || packet->wrapped ||
        link > sizeof(copy) || mtu < RTE_ETHER_MIN_MTU ||
        /* librte_ip_frag compares the room with the payload only, and forgets the header. */
        RTE_MIN(mtu, total) + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(pool))
        return -EINVAL;
    /* It rounds down to units of eight bytes, of a packet that fits too. */
    if (total <= mtu)
        mtu = (uint16_t)RTE_MAX(total + RTE_IPV4_HDR_OFFSET_UNITS - 1, RTE_ETHER_MIN_MTU);
    if (mbuf->nb_segs == 1)
        count = split_segment(mbuf, link, total, mtu, pool, fragments, places);
    else
        count = split_chain(mbuf, link, total, mtu, pool, fragments, places);
    start = rte_pktmbuf_read(mbuf, 0, link, copy);
    for (i = 0; i < count; i++)
        complete(fragments[i], mbuf, start, link);
    return count;
}
