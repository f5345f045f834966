/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ICMP_ERROR_H
#define SPILLWAY_ICMP_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "packet/packet.h"
#include "packet/parse.h"

/**
 * @file
 * ICMP errors that answer a packet: from where it was going to (see answer.h), or, where spillway
 * routes, from an address of its own.
 */

/** Where a router's errors come from: of the packet's family. */
struct spill_answer_source {
    uint32_t address4; /* network order */
    uint8_t address6[16];
};

/** Why a router does not forward a packet. */
enum spill_icmp_refusal {
    SPILL_ICMP_NO_ROUTE,         /* network unreachable; IPv6: no route to destination */
    SPILL_ICMP_HOST_UNREACHABLE, /* IPv6: address unreachable */
    SPILL_ICMP_PROHIBITED,       /* administratively */
    SPILL_ICMP_TIME_EXCEEDED,    /* in transit */
    SPILL_ICMP_BEYOND_SCOPE,     /* of the source address: IPv6 alone (RFC 4443 3.1) */
};

/**
 * Whether a packet may be answered with an error that says that it is too big. Not (RFC 1122 3.2.2,
 * RFC 4443 2.4 e) an ICMP error, or what may be one, nor what comes from no single host; of IPv4
 * neither a later fragment nor what goes to no single host, in IP or in Ethernet. The thread that
 * holds the packet.
 *
 * @param mbuf    the packet, as it was received; only read, in one segment or several
 * @param packet  what parsing said of it; of kind IPv4 or IPv6
 */
bool spill_icmp_may_answer(const struct rte_mbuf *mbuf, const struct spill_packet *packet);

/**
 * Makes the error that tells a packet's source that the packet is too big: for IPv4 "fragmentation
 * needed and DF set" with the next hop's MTU (RFC 792, RFC 1191), for IPv6 "packet too big"
 * (RFC 4443). It carries the VLAN tags of the packet and as much of it as fits into 576 bytes of
 * IPv4 (RFC 1812, 4.3.2.3) or 1280 of IPv6, and has DSCP CS6. The thread that holds the packet;
 * takes no lock and no memory but the mbuf.
 *
 * The caller sees to it that an IPv4 packet has DF set, that the MTU is none that hosts must ignore
 * (RFC 8201 4), and that the rate of errors is bounded (RFC 1812, 4.3.2.8; RFC 4443, 2.4(f)).
 *
 * @param mbuf    the packet, as it was received; only read, in one segment or several
 * @param packet  what parsing said of it; of kind IPv4 or IPv6
 * @param mtu     bytes that an IP packet may have here
 * @param own     of the port that is too small
 * @param pool    where the error's mbuf comes from; its mbufs hold 1302 bytes in one segment
 * @return the error's frame, the caller's to send on the port that the packet came in by; NULL when
 * no mbuf is free, and where spill_icmp_may_answer() says no
 */
struct rte_mbuf *spill_icmp_too_big(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                    uint16_t mtu, const struct rte_ether_addr *own,
                                    struct rte_mempool *pool);

/**
 * Makes the error that tells a packet's source that it is not to be sent: "communication
 * administratively prohibited" (RFC 1812 5.2.7.1, RFC 4443 3.1); otherwise like
 * spill_icmp_too_big(), but that it never answers what goes to a group, nor later fragments.
 */
struct rte_mbuf *spill_icmp_prohibited(const struct rte_mbuf *mbuf,
                                       const struct spill_packet *packet, struct rte_mempool *pool);

/**
 * Makes the error that a router sends about a packet that it does not forward (RFC 1812 5.2.7,
 * 5.3.1, RFC 4443 3.1, 3.3); otherwise like spill_icmp_prohibited().
 *
 * @param source  where it comes from; NULL: from where the packet was going to
 */
struct rte_mbuf *spill_icmp_refuse(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                   enum spill_icmp_refusal refusal,
                                   const struct spill_answer_source *source,
                                   struct rte_mempool *pool);

/**
 * Makes the error that a router sends about a packet whose header is wrong: "parameter problem"
 * (RFC 1812 4.3.3.5, RFC 4443 3.4); otherwise like spill_icmp_refuse().
 *
 * @param packet   as spill_parse_problem() has written it
 * @param problem  likewise
 */
struct rte_mbuf *spill_icmp_problem(const struct rte_mbuf *mbuf, const struct spill_packet *packet,
                                    const struct spill_parse_problem *problem,
                                    const struct spill_answer_source *source,
                                    struct rte_mempool *pool);

/** spill_icmp_too_big() of a router. */
struct rte_mbuf *spill_icmp_too_big_from(const struct rte_mbuf *mbuf,
                                         const struct spill_packet *packet, uint16_t mtu,
                                         const struct spill_answer_source *source,
                                         struct rte_mempool *pool);

#endif
