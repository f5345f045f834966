/* SPDX-License-Identifier: BSD-3-Clause */
/* Protected packets that are larger than what they leave by. */
#include "pipeline/outer.h"

#include <netinet/in.h>

#include <rte_ip.h>

#include "base/clock.h"
#include "packet/fragment.h"
#include "packet/fragment_ipv6.h"
#include "pipeline/drops.h"
#include "pipeline/too_big.h"

/* What a fragment may have at most: as much as there is room for, in an mbuf as well. */
static uint16_t fragment_size(const struct rte_mbuf *mbuf, uint32_t l3_offset, uint32_t room)
{
    uint32_t most = rte_pktmbuf_data_room_size(mbuf->pool) - RTE_PKTMBUF_HEADROOM - l3_offset;

    return (uint16_t)RTE_MIN(room, most);
}

/* Routers must not be told to leave whole what comes in fragments. */
static int split_ipv4(struct rte_mbuf *mbuf, struct spill_packet *packet, uint16_t size,
                      struct rte_mbuf **fragments)
{
    struct rte_ipv4_hdr *ip =
        rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv4_hdr *, packet->l3_offset);

    ip->fragment_offset = 0;
    packet->kind = SPILL_PACKET_IPV4;
    packet->length = rte_be_to_cpu_16(ip->total_length);
    packet->l4_offset = (uint16_t)(packet->l3_offset + rte_ipv4_hdr_len(ip));
    return spill_fragment_ipv4(mbuf, packet, size, mbuf->pool, fragments, SPILL_FRAGMENTS_MAX);
}

static int split(struct rte_mbuf *mbuf, struct spill_packet *packet, uint16_t size,
                 uint32_t identification, struct rte_mbuf **fragments)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);

    if (ip[0] >> 4 == 4)
        return split_ipv4(mbuf, packet, size, fragments);
    return spill_fragment_ipv6(mbuf, packet->l3_offset, size, identification, mbuf->pool, fragments,
                               SPILL_FRAGMENTS_MAX);
}

/* Work that copies a packet, when there is time for it. */
static uint32_t split_in_time(struct spill_fast *fast, struct rte_mbuf *mbuf,
                              struct spill_packet *packet, uint16_t size, uint32_t identification,
                              struct rte_mbuf **fragments)
{
    struct spill_exits *exits = &fast->exits;
    uint64_t began = spill_clock();
    int count;

    if (exits->fitting.left <= 0) {
        spill_ledger_drop(&fast->ledger, &spill_drop_tx_fit_limit, &mbuf, 1);
        return 0;
    }
    count = split(mbuf, packet, size, identification, fragments);
    exits->fitting.left -= (int64_t)(spill_clock() - began);
    if (count <= 0) {
        spill_ledger_drop(&fast->ledger, &spill_drop_esp_too_big, &mbuf, 1);
        return 0;
    }
    spill_too_big_count_fragments(fast, (uint32_t)count);
    rte_pktmbuf_free(mbuf);
    return (uint32_t)count;
}

void spill_outer_send(struct spill_fast *fast, struct rte_mbuf *mbuf, struct spill_packet *packet,
                      uint32_t mtu, uint32_t identification, uint64_t stamp, enum spill_path path)
{
    uint32_t room = RTE_MIN(spill_exit_room(&fast->exits, mbuf, packet), mtu), count = 1, i;
    struct rte_mbuf *fragments[SPILL_FRAGMENTS_MAX];
    struct spill_packet ours = *packet, *packets[SPILL_FRAGMENTS_MAX];

    fragments[0] = mbuf;
    if (rte_pktmbuf_pkt_len(mbuf) - packet->l3_offset > room)
        count = split_in_time(fast, mbuf, packet, fragment_size(mbuf, packet->l3_offset, room),
                              identification, fragments);
    for (i = 0; i < count; i++)
        packets[i] = &ours;
    spill_exit_send(fast, fragments, packets, count, stamp, path);
}
