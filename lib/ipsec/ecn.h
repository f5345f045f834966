/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ECN_H
#define SPILLWAY_ECN_H

#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

/**
 * @file
 * Explicit congestion notification at a tunnel's end (RFC 6040). Any thread: works on what it is
 * given alone.
 */

/* Codes of the ECN field: the lower two bits of an IPv4 type of service or IPv6 traffic class. */
enum spill_ecn {
    SPILL_ECN_NOT_ECT = 0,
    SPILL_ECN_ECT_1 = 1,
    SPILL_ECN_ECT_0 = 2,
    SPILL_ECN_CE = 3,
};

#define SPILL_ECN_MASK 3
#define SPILL_ECN_DROP (-1)

/* The ECN field within rte_ipv6_hdr.vtc_flow, host order. */
#define SPILL_ECN_IPV6_SHIFT RTE_IPV6_HDR_TC_SHIFT

/**
 * What the inner packet's ECN field must be after its outer header is taken off (RFC 6040,
 * figure 4).
 *
 * @param inner  the field in the inner header; bits above it are ignored, so a whole traffic class
 *               will do
 * @param outer  the same of the outer header
 * @return enum spill_ecn; SPILL_ECN_DROP: the packet must be dropped, as congestion was noted on it
 * in vain: its ends don't understand ECN
 */
static inline int spill_ecn_decapsulate(uint8_t inner, uint8_t outer)
{
    inner &= SPILL_ECN_MASK;
    outer &= SPILL_ECN_MASK;
    if (outer == SPILL_ECN_CE)
        return inner == SPILL_ECN_NOT_ECT ? SPILL_ECN_DROP : SPILL_ECN_CE;
    if (outer == SPILL_ECN_ECT_1 && inner == SPILL_ECN_ECT_0)
        return SPILL_ECN_ECT_1;
    return inner;
}

/** The ECN field of a header. */
static inline uint8_t spill_ecn_of_ipv4(const struct rte_ipv4_hdr *ip)
{
    return ip->type_of_service & SPILL_ECN_MASK;
}

static inline uint8_t spill_ecn_of_ipv6(const struct rte_ipv6_hdr *ip)
{
    return rte_be_to_cpu_32(ip->vtc_flow) >> SPILL_ECN_IPV6_SHIFT & SPILL_ECN_MASK;
}

/**
 * Writes the ECN field of an IPv4 header, and what that changes in its checksum (RFC 1624,
 * equation 3); a checksum that was wrong stays wrong.
 *
 * @param ecn  enum spill_ecn
 */
static inline void spill_ecn_set_ipv4(struct rte_ipv4_hdr *ip, uint8_t ecn)
{
    uint16_t before, after;
    uint32_t sum;

    /* The field's 16 bit word, in whatever order: the sum is the same in both. */
    memcpy(&before, ip, sizeof(before));
    ip->type_of_service = (uint8_t)((ip->type_of_service & ~SPILL_ECN_MASK) | ecn);
    memcpy(&after, ip, sizeof(after));
    sum = (uint32_t)(uint16_t)~ip->hdr_checksum + (uint16_t)~before + after;
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    ip->hdr_checksum = (uint16_t)~sum;
}

/** Writes the ECN field of an IPv6 header. */
static inline void spill_ecn_set_ipv6(struct rte_ipv6_hdr *ip, uint8_t ecn)
{
    const rte_be32_t mask = RTE_BE32((uint32_t)SPILL_ECN_MASK << SPILL_ECN_IPV6_SHIFT);

    ip->vtc_flow = (ip->vtc_flow & ~mask) | rte_cpu_to_be_32((uint32_t)ecn << SPILL_ECN_IPV6_SHIFT);
}

#endif
