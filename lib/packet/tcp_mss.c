/* SPDX-License-Identifier: BSD-3-Clause */
/* The MSS option of SYNs. */
#include "packet/tcp_mss.h"

#include <rte_byteorder.h>
#include <rte_tcp.h>

#define KIND_END 0
#define KIND_NOP 1
#define KIND_MSS 2
#define SIZE_MSS 4 /* bytes: kind, length, and the size */

/* A segment's header with its options, where all of it lies in the first buffer; else NULL. */
static struct rte_tcp_hdr *header_of(struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                     unsigned *size)
{
    struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(mbuf, void *, packet->l4_offset);

    if (packet->fragment != 0 || packet->l4_offset + sizeof(*tcp) > rte_pktmbuf_data_len(mbuf))
        return NULL;
    *size = (tcp->data_off >> 4) * 4u;
    return packet->l4_offset + *size <= rte_pktmbuf_data_len(mbuf) ? tcp : NULL;
}

/* Where the option's size stands; NULL: there is none. */
static uint8_t *find_mss(struct rte_tcp_hdr *tcp, unsigned size)
{
    uint8_t *bytes = (uint8_t *)tcp;
    unsigned at = sizeof(*tcp), length;

    for (; at < size && bytes[at] != KIND_END; at += length) {
        length = bytes[at] == KIND_NOP ? 1 : at + 1 < size ? bytes[at + 1] : 0;
        if (length == 0 || (length == 1 && bytes[at] != KIND_NOP) || at + length > size)
            return NULL;
        if (bytes[at] == KIND_MSS && length == SIZE_MSS)
            return &bytes[at + 2];
    }
    return NULL;
}

/* RFC 1624, equation 3. The checksum is of words from the header's start: where the size stands
 * across two of them, it counts with its bytes swapped. */
static void correct(struct rte_tcp_hdr *tcp, const uint8_t *place, uint16_t was, uint16_t is)
{
    const bool across = (place - (const uint8_t *)tcp) % 2 != 0;
    uint32_t sum = (uint16_t)~rte_be_to_cpu_16(tcp->cksum);

    sum += (uint16_t) ~(across ? rte_bswap16(was) : was);
    sum += across ? rte_bswap16(is) : is;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    tcp->cksum = rte_cpu_to_be_16((uint16_t)~sum);
}

void spill_tcp_clamp_mss(struct rte_mbuf *mbuf, const struct spill_packet *packet, uint16_t most)
{
    unsigned size;
    struct rte_tcp_hdr *tcp = header_of(mbuf, packet, &size);
    uint8_t *place = tcp == NULL ? NULL : find_mss(tcp, size);
    uint16_t was;

    if (place == NULL)
        return;
    was = (uint16_t)(place[0] << 8 | place[1]);
    if (was <= most)
        return;
    place[0] = (uint8_t)(most >> 8);
    place[1] = (uint8_t)most;
    correct(tcp, place, was, most);
}
