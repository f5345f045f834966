/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ESP_FRAME_H
#define SPILLWAY_ESP_FRAME_H

#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>

#include "ipsec/esp.h"

/**
 * @file
 * Frames before and after the work of ESP: what comes off first, and what goes on again. For
 * encrypt.c and decrypt.c alone. Whoever works on the packet.
 */

/** Cuts off what a frame of one segment has behind an offset, which is within it. */
static inline void spill_esp_cut(struct rte_mbuf *mbuf, uint32_t end)
{
    uint32_t excess = rte_pktmbuf_pkt_len(mbuf) - end;

    if (unlikely(excess > 0))
        rte_pktmbuf_trim(mbuf, (uint16_t)excess);
}

/**
 * Makes a packet one segment that ends where its IP packet ends, with room for ESP.
 *
 * @return false when it has failed
 */
static inline bool spill_esp_trim(struct rte_mbuf *mbuf, struct spill_packet *packet)
{
    if (unlikely(!rte_pktmbuf_is_contiguous(mbuf) && rte_pktmbuf_linearize(mbuf) != 0)) {
        spill_esp_fail(mbuf, &spill_esp_no_room);
        return false;
    }
    /* What Ethernet has behind the packet, padding or a trailer, is no part of it. */
    spill_esp_cut(mbuf, (uint32_t)packet->l3_offset + packet->length);
    if (unlikely(rte_pktmbuf_tailroom(mbuf) < SPILL_ESP_TAIL ||
                 rte_pktmbuf_headroom(mbuf) < SPILL_ESP_HEAD)) {
        spill_esp_fail(mbuf, &spill_esp_no_room);
        return false;
    }
    return true;
}

/**
 * Writes a link header in front of an IP packet of a family.
 *
 * @param link  SPILL_ESP_LINK bytes, the link header at their end
 */
static inline void spill_esp_write_link(uint8_t *ip, const uint8_t *link, bool ipv6)
{
    rte_be16_t type = ipv6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);

    memcpy(ip - SPILL_ESP_LINK, link, SPILL_ESP_LINK);
    memcpy(ip - sizeof(type), &type, sizeof(type));
}

/**
 * The field of an IPv6 header, or of the last extension header behind it, that names the header at
 * `l3_size`. Parsing has walked over the headers: they are there.
 */
static inline uint8_t *spill_esp_next_header_field(uint8_t *ip, uint32_t l3_size)
{
    uint8_t *field = &((struct rte_ipv6_hdr *)ip)->proto;
    size_t offset = sizeof(struct rte_ipv6_hdr), size = 0;

    while (offset < l3_size && rte_ipv6_get_next_ext(ip + offset, *field, &size) >= 0) {
        field = ip + offset;
        offset += size;
    }
    return field;
}

#endif
