/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PARSE_H
#define SPILLWAY_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include <rte_mbuf.h>

#include "base/ledger.h"
#include "packet/packet.h"

/**
 * @file
 * From received frames to flow keys.
 *
 * Reads Ethernet with tags (0x8100, 0x88a8, 0x9100, 0x9200, 0x9300; a tag that the device stripped
 * into the mbuf is the outermost), LLC with SNAP, PPPoE sessions and MPLS, in all up to eight tags
 * and labels; IPv4 with options, IPv6 with up to eight extension headers, and the ports of TCP,
 * UDP, UDP-Lite, SCTP and DCCP, and tells ESP (`esp`). AH is a protocol like others, in both
 * families: it is not looked into. Nothing in a frame is believed before it is checked against what
 * is there, and nothing is read past its end; the device's packet type is not used.
 *
 * What becomes of a packet, by its `kind`:
 * - SPILL_PACKET_IPV4, SPILL_PACKET_IPV6: `key.v4` or `key.v6` is complete. Its protocol is that of
 *   the transport header, or, where the walk over IPv6 extension headers ends before one, of the
 *   header it ends at (ESP, AH, no next header). That of a later IPv6 fragment is IPPROTO_FRAGMENT:
 *   what it says it continues is what its sender likes. `wrapped` is 1 where IP stands behind more
 *   than Ethernet and two tags: it can be judged and sent, but nothing can be put around it.
 * - SPILL_PACKET_OTHER: not IP (`drop` is spill_non_ip), or what may be IP for others and is not
 *   looked into (spill_encapsulated_ip, spill_link_too_deep). The key is all zero but for `type`,
 *   where the walk ended.
 * - SPILL_PACKET_MALFORMED: `drop` is the id of another of the reasons below. The key is all zero.
 *
 * VLANs: hosts take off tags with id 0, so such a tag is none. The ids of the outermost tags that
 * have one are `key.vlan` and `inner_vlan`.
 *
 * The packet's own direction: its source is `key.address[direction]` and `key.port[direction]`, its
 * destination `key.address[!direction]` and `key.port[!direction]`, in v4 and v6 alike. A packet
 * whose two ends are equal has direction 0.
 *
 * ICMP and ICMPv6, whose key has `port[0]` and `port[1]` whatever the direction, and `has_ports` 0:
 * of a query and of an answer to one, its identifier, and the query's type (high byte); of other
 * messages 0, and their type and code, with SPILL_VLAN_ALONE in `key.vlan`. SPILL_VLAN_SECOND there
 * says who asks, or sent the message: so only the one who is asked sends answers of the same key.
 *
 * `step`: of TCP by its flags, of SCTP by its first chunk, of ICMP by its type; of a later fragment
 * SPILL_STEP_NONE.
 *
 * Fragments: a first fragment has ports. A later one has none, and SPILL_FLOW_FRAGMENT in
 * `key.zone`; it has no ESP header either, whatever its protocol. Both have `fragment` 1. An
 * IPv6 packet that is its own only fragment (RFC 6946) is no fragment.
 */

#define SPILL_FRAGMENT_HEADER 8 /* bytes of IPv6's */

/* Why a packet is not IP, or malformed. The help of each, where it is declared, says what counts.
 */
extern struct spill_drop_reason spill_non_ip;
extern struct spill_drop_reason spill_encapsulated_ip;
extern struct spill_drop_reason spill_link_too_deep;
extern struct spill_drop_reason spill_source_routed;
extern struct spill_drop_reason spill_malformed_ethernet;
extern struct spill_drop_reason spill_malformed_vlan;
extern struct spill_drop_reason spill_malformed_encapsulation;
extern struct spill_drop_reason spill_malformed_ipv4;
extern struct spill_drop_reason spill_malformed_ipv6;
extern struct spill_drop_reason spill_malformed_ipv6_extension;
extern struct spill_drop_reason spill_malformed_fragment;
extern struct spill_drop_reason spill_malformed_transport;

/**
 * Parses a burst. The thread that holds the packets; takes no lock and allocates nothing.
 *
 * A TCP, UDP or ESP packet over IPv4 without options or IPv6 without extension headers, whose
 * headers are in its first segment and whose tags are in the frame, takes a quick way; TCP and UDP
 * that is whole there, and neither opens nor ends a connection, the quickest. Everything else takes
 * a few times as long.
 *
 * @param mbufs    frames from their Ethernet header on, without FCS; only read
 * @param count    how many; 0 is fine
 * @param zone     wire they came on, 0 to 31, times 2, plus the end of it by which they came in, 0
 * or 1. Goes into each key, the end turned round for those of direction 1
 * @param packets  room for `count`. Of each are written the member of `key` that its kind names
 * (all of the larger one for kinds without key) and all other fields: `flow` NULL, `verdict`
 * unknown, `drop` 0 for IP, `input`, `output`, `sa` and `inbound_sa` 0, `length` and
 * `l4_offset` 0 for kinds without key.
 * @return whether any is a fragment, or needs more than a lookup (`step`)
 */
bool spill_parse_burst(struct rte_mbuf **mbufs, uint32_t count, uint8_t zone,
                       struct spill_packet *packets);

/* Codes of a parameter problem (RFC 4443 3.4, RFC 8883 2; of IPv4 only the first). */
#define SPILL_PROBLEM_FIELD       0 /* a field is wrong */
#define SPILL_PROBLEM_NEXT_HEADER 1 /* a header of this type is not known there */
#define SPILL_PROBLEM_TOO_MANY    8 /* extension headers */

/** What is wrong with an IP header, as its sender is told. */
struct spill_parse_problem {
    uint32_t pointer; /* bytes from the IP header to what is wrong; 0: that can't be told */
    uint8_t code;
};

/**
 * Finds what is wrong with the options, or the extension headers, of a malformed packet. The thread
 * that holds the packet.
 *
 * @param packet   written, as far as it can be known, when there is something to tell: of kind IPv4
 *                 or IPv6, with its addresses and without ports; all else about it like one's from
 *                 spill_parse_burst()
 * @param problem  written likewise
 * @return whether there is: not what is wrong about the packet's length, version or transport,
 * nor where a first fragment is cut within its headers, or a fragment or an ICMP error may hide
 * behind more of them
 */
bool spill_parse_problem(const struct rte_mbuf *mbuf, uint8_t zone, struct spill_packet *packet,
                         struct spill_parse_problem *problem);

/**
 * Whether frames of a type are IP, or hold what may be: they go by the rules, or are dropped as
 * `encapsulated_ip`, and never pass by their type. Any thread.
 */
bool spill_parse_holds_packets(uint16_t type);

/**
 * What an IP packet is of, by its sender: its protocol, or what a later IPv6 fragment says that it
 * continues. That may be anything: no right may follow from it. The thread that holds the packet.
 */
static inline uint8_t spill_packet_claim(const struct rte_mbuf *mbuf,
                                         const struct spill_packet *packet)
{
    const uint8_t *next;
    uint8_t copy;

    if (packet->kind == SPILL_PACKET_IPV4)
        return packet->key.v4.protocol;
    if (packet->key.v6.protocol != IPPROTO_FRAGMENT)
        return packet->key.v6.protocol;
    next = rte_pktmbuf_read(mbuf, packet->l4_offset - SPILL_FRAGMENT_HEADER, 1, &copy);
    return next != NULL ? *next : IPPROTO_FRAGMENT;
}

/**
 * Type (high byte) and code of the ICMP or ICMPv6 message that a packet is; that of the other
 * direction where the packet is `reversed`: of an answer the query, and the other way round. Codes
 * of answers are not in keys: 0. Any thread.
 *
 * @return false, and nothing is written: it is no such message, too short, or a later fragment
 * whose first is not known
 */
bool spill_icmp_message(const struct spill_packet *packet, uint16_t *message);

/** What stands in the ports that spill_packet_ends() tells. */
enum spill_packet_port {
    SPILL_PACKET_NO_PORT, /* zeros */
    SPILL_PACKET_PORTS,
    SPILL_PACKET_TYPE, /* of an ICMP message: its type and code */
};

/**
 * From where to where an IP packet is, as records of it have it; that of the other direction where
 * it is `reversed`. Any thread.
 *
 * @param address  source, destination: written, IPv4 in the first four bytes
 * @param port     written, host order
 */
enum spill_packet_port spill_packet_ends(const struct spill_packet *packet, uint8_t address[2][16],
                                         uint16_t port[2]);

/**
 * Hash of a packet's flow, for spreading packets over lcores. Both directions of a connection have
 * the same; fragments that carry no ports may differ from the one that does. What may be ESP, plain
 * or in UDP by port 4500, has one for each pair of addresses: whatever a NAT makes of its ports, by
 * whatever wire and VLAN it comes, in fragments or whole, it reaches one lcore. Packets without a
 * key (other, malformed) all have `seed` itself. Any thread.
 *
 * @param seed  random and kept secret, or a sender can aim all of his flows at one lcore; the same
 *              for all lcores that spread the same packets
 */
uint32_t spill_packet_hash(const struct spill_packet *packet, uint32_t seed);

/** The same of its addresses alone, which all fragments of a datagram have in common. */
uint32_t spill_packet_address_hash(const struct spill_packet *packet, uint32_t seed);

/** Shares hashes out evenly: 0 to `count` - 1, without a division (Lemire 2016). */
static inline uint32_t spill_packet_share(uint32_t hash, uint32_t count)
{
    return (uint32_t)((uint64_t)hash * count >> 32);
}

#endif
