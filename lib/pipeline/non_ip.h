/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PIPELINE_NON_IP_H
#define SPILLWAY_PIPELINE_NON_IP_H

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include <rte_ip.h>

#include "packet/parse.h"

/**
 * @file
 * Which frames pass that are not IP, and so have no rule. Zero: none. And what is to IPv6 what ARP
 * is to IPv4: solicitations and advertisements of neighbours.
 */

#define SPILL_NON_IP_TYPES_MAX 32

struct spill_non_ip {
    uint16_t count;
    bool rest;         /* what is of none of the types passes, too */
    bool encapsulated; /* and what may hold IP that the rules can't look into */
    uint16_t types[SPILL_NON_IP_TYPES_MAX]; /* host order, or SPILL_TYPE_… */
};

/* Counters of those that passed: one for each type, by its index, and two for all others. */
#define SPILL_NON_IP_REST         SPILL_NON_IP_TYPES_MAX
#define SPILL_NON_IP_ENCAPSULATED (SPILL_NON_IP_TYPES_MAX + 1)
#define SPILL_NON_IP_COUNTERS     (SPILL_NON_IP_TYPES_MAX + 2)

/**
 * @param packet  of the kind SPILL_PACKET_OTHER
 * @return the counter that it passes under, or -1: it is dropped, under `packet->drop`
 */
static inline int spill_non_ip_find(const struct spill_non_ip *set,
                                    const struct spill_packet *packet)
{
    uint16_t i;

    if (packet->drop != spill_non_ip.id)
        return set->encapsulated ? SPILL_NON_IP_ENCAPSULATED : -1;
    for (i = 0; i < set->count; i++) {
        if (set->types[i] == packet->key.type)
            return i;
    }
    return set->rest ? SPILL_NON_IP_REST : -1;
}

/* Bytes of the least of these messages, with the IPv6 header before it (RFC 4861 4.3, 4.4). */
#define SPILL_ND_LENGTH (sizeof(struct rte_ipv6_hdr) + 24)

/**
 * Whether a packet solicits or advertises a neighbour, on its own link: nobody has forwarded it,
 * and nothing stands before its header (RFC 4861 7.1, RFC 6980). The thread that holds the packet.
 */
static inline bool spill_non_ip_is_neighbour(const struct rte_mbuf *mbuf,
                                             const struct spill_packet *packet)
{
    const struct spill_key6 *key = &packet->key.v6;
    const uint8_t *hops;
    uint8_t copy;

    if (packet->kind != SPILL_PACKET_IPV6 || key->protocol != IPPROTO_ICMPV6 ||
        packet->inbound_sa != 0 || packet->fragment != 0 || packet->length < SPILL_ND_LENGTH ||
        packet->l4_offset != packet->l3_offset + sizeof(struct rte_ipv6_hdr) ||
        !spill_packet_is_alone(packet) ||
        (key->port[1] != RTE_BE16(135 << 8) && key->port[1] != RTE_BE16(136 << 8)))
        return false;
    hops = rte_pktmbuf_read(mbuf, packet->l3_offset + offsetof(struct rte_ipv6_hdr, hop_limits), 1,
                            &copy);
    return hops != NULL && *hops == UINT8_MAX;
}

/** The counter that such a packet passes under, or -1: it goes by the rules. */
static inline int spill_non_ip_find_neighbour(const struct spill_non_ip *set)
{
    uint16_t i;

    for (i = 0; i < set->count; i++) {
        if (set->types[i] == SPILL_TYPE_ND)
            return i;
    }
    return set->rest ? SPILL_NON_IP_REST : -1;
}

#endif
