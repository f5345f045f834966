/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DSCP_H
#define SPILLWAY_DSCP_H

#include <rte_ip.h>

#include "packet/packet.h"

/**
 * @file
 * The differentiated services codepoint of an IP packet (RFC 2474), by which others queue it.
 */

#define SPILL_DSCP_MAX 63

/**
 * Sets it, and IPv4's checksum right for it (RFC 1624 eqn. 3). ECN's bits stay (RFC 3168). A header
 * that does not lie in the frame's first buffer is left as it is. The thread that holds the packet.
 *
 * @param packet  IPv4 or IPv6, parsed from this mbuf
 */
static inline void spill_dscp_set(struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                  uint8_t codepoint)
{
    const uint32_t header = packet->kind == SPILL_PACKET_IPV4 ? sizeof(struct rte_ipv4_hdr)
                                                              : sizeof(struct rte_ipv6_hdr);

    if (packet->l3_offset + header > rte_pktmbuf_data_len(mbuf))
        return;
    if (packet->kind == SPILL_PACKET_IPV4) {
        struct rte_ipv4_hdr *ip =
            rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv4_hdr *, packet->l3_offset);
        const uint8_t was = ip->type_of_service;
        uint32_t sum;

        ip->type_of_service = (uint8_t)(codepoint << 2 | (was & 3));
        /* It is the low byte of its word. */
        sum = (uint16_t)~rte_be_to_cpu_16(ip->hdr_checksum) + (uint16_t)~was + ip->type_of_service;
        sum = (sum & UINT16_MAX) + (sum >> 16);
        sum = (sum & UINT16_MAX) + (sum >> 16);
        ip->hdr_checksum = rte_cpu_to_be_16((uint16_t)~sum);
    } else {
        struct rte_ipv6_hdr *ip =
            rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv6_hdr *, packet->l3_offset);
        const uint32_t bits = UINT32_C(0xfc) << 20;

        ip->vtc_flow =
            (ip->vtc_flow & rte_cpu_to_be_32(~bits)) | rte_cpu_to_be_32((uint32_t)codepoint << 22);
    }
}

#endif
