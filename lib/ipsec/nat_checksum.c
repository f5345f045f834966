/* SPDX-License-Identifier: BSD-3-Clause */
#include "ipsec/nat_checksum.h"

#include <netinet/in.h>
#include <stddef.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

/* Of both addresses, the protocol and the size, as the pseudo header has them (RFC 9293 3.1,
 * RFC 8200 8.1). */
static uint32_t sum_of_header(const uint8_t *ip, bool ipv6, uint8_t protocol, uint16_t size)
{
    const uint32_t addresses = ipv6
                                   ? rte_raw_cksum(ip + offsetof(struct rte_ipv6_hdr, src_addr), 32)
                                   : rte_raw_cksum(ip + offsetof(struct rte_ipv4_hdr, src_addr), 8);

    return addresses + rte_cpu_to_be_16(protocol) + rte_cpu_to_be_16(size);
}

static uint16_t fold(uint32_t sum)
{
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t) ~((sum & UINT16_MAX) + (sum >> 16));
}

void spill_nat_checksum_mend(struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint8_t protocol = spill_packet_protocol(packet);
    const bool udp = protocol == IPPROTO_UDP, ipv6 = packet->kind == SPILL_PACKET_IPV6;
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);
    uint8_t *header = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, packet->l4_offset);
    uint16_t size = (uint16_t)(packet->length - (packet->l4_offset - packet->l3_offset)), sum = 0;
    unaligned_uint16_t *field = (void *)(header + (udp ? offsetof(struct rte_udp_hdr, dgram_cksum)
                                                       : offsetof(struct rte_tcp_hdr, cksum)));

    if (packet->fragment || !packet->has_ports || (!udp && protocol != IPPROTO_TCP) ||
        size < (udp ? sizeof(struct rte_udp_hdr) : sizeof(struct rte_tcp_hdr)) ||
        (udp && *field == 0))
        return;
    if (udp)
        size = (uint16_t)RTE_MIN(
            size, rte_be_to_cpu_16(((struct rte_udp_hdr *)(void *)header)->dgram_len));
    *field = 0;
    if (rte_raw_cksum_mbuf(mbuf, packet->l4_offset, size, &sum) != 0)
        return;
    *field = fold(sum + sum_of_header(ip, ipv6, protocol, size));
    if (udp && *field == 0)
        *field = UINT16_MAX; /* 0: there is none */
}
