/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ESP_HEADER_H
#define SPILLWAY_ESP_HEADER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>
#include <rte_esp.h>
#include <rte_udp.h>

#include "packet/parse.h"

/**
 * @file
 * What an ESP packet says before it is decrypted: for decryption.c and fragments.c. The lcore.
 */

/** A fragment of ESP behind the first, which has no header to read. */
static inline bool spill_esp_is_later_fragment(const struct rte_mbuf *mbuf,
                                               const struct spill_packet *packet)
{
    return packet->fragment != 0 && packet->esp == SPILL_ESP_NONE &&
           spill_packet_claim(mbuf, packet) == IPPROTO_ESP;
}

/** Whether a UDP datagram says that it has so many bytes behind its header. */
static inline bool spill_esp_has_udp_payload(const struct rte_mbuf *mbuf,
                                             const struct spill_packet *packet, uint32_t size)
{
    struct rte_udp_hdr copy;
    const struct rte_udp_hdr *udp = rte_pktmbuf_read(mbuf, packet->l4_offset, sizeof(copy), &copy);

    return udp != NULL && rte_be_to_cpu_16(udp->dgram_len) >= sizeof(copy) + size;
}

/**
 * Reads SPI and sequence number, both 0 where there are none. False: it is no ESP; in UDP it may be
 * IKE, or a byte that keeps a NAT's mapping alive (RFC 3948 2.2, 2.3).
 */
static inline bool spill_esp_read_header(const struct rte_mbuf *mbuf,
                                         const struct spill_packet *packet, rte_be32_t *spi,
                                         uint32_t *sequence)
{
    uint32_t offset = packet->l4_offset;
    const struct rte_esp_hdr *header;
    struct rte_esp_hdr copy;

    *spi = 0;
    *sequence = 0;
    if (packet->esp == SPILL_ESP_NONE)
        return spill_esp_is_later_fragment(mbuf, packet);
    if (packet->esp == SPILL_ESP_UDP)
        offset += sizeof(struct rte_udp_hdr);
    /* A keepalive is a byte, whatever Ethernet has put behind it. */
    if (packet->esp == SPILL_ESP_UDP && !spill_esp_has_udp_payload(mbuf, packet, sizeof(copy)))
        return false;
    header = rte_pktmbuf_read(mbuf, offset, sizeof(copy), &copy);
    if (header == NULL)
        return false;
    *spi = header->spi;
    *sequence = rte_be_to_cpu_32(header->seq);
    return packet->esp == SPILL_ESP_PLAIN || header->spi != 0;
}

#endif
