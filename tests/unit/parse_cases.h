/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_PARSE_CASES_H
#define SPILLWAY_TEST_PARSE_CASES_H

#include "packet/parse.h"

/**
 * @file
 * Frames made by hand for the tests of the parser: one for each rule and for the bounds of each. In
 * hexadecimal, from the EtherType on.
 */

#define V4(total, fragment, protocol)                                                              \
    "0800 4500" total "0000" fragment "40" protocol "0000 0a000001 0a000002"
#define IP4(total, fragment, protocol)                                                             \
    "4500" total "0000" fragment "40" protocol "0000 0a000001 0a000002"
#define OPTIONS4(options) "0800 4600 0018 0000 0000 4001 0000 0a000001 0a000002 " options
#define V6(length, next)                                                                           \
    "86dd 60000000" length next "40"                                                               \
    "20010db8000000000000000000000001 20010db8000000000000000000000002"
#define PORTS      "04d2 0050"
#define TCP        PORTS "00000000 00000000 5000 0000 0000 0000"
#define UDP        PORTS "0008 0000"
#define SCTP       PORTS "00000000 00000000"
#define ESP        "00001001 00000001"
#define NEXT(type) type "00 0000 0000 0000"

/* One frame for each rule. `drop` NULL: IP. */
static const struct {
    const char *hex;
    enum spill_packet_kind kind;
    const struct spill_drop_reason *drop;
    bool has_ports, later;
    uint8_t protocol;
} cases[] = {
    {"08", SPILL_PACKET_MALFORMED, &spill_malformed_ethernet, false, false, 0},
    {"0806", SPILL_PACKET_OTHER, &spill_non_ip, false, false, 0},
    {"8100 0001 08", SPILL_PACKET_MALFORMED, &spill_malformed_vlan, false, false, 0},
    {"8100 0001 88a8 0002 9100", SPILL_PACKET_MALFORMED, &spill_malformed_vlan, false, false, 0},
    /* Tags without an id, up to eight; ids, up to two. */
    {"8100 0000 8100 e000 8100 0000 " V4("001c", "4000", "11") UDP, SPILL_PACKET_IPV4, NULL, true,
     false, 17},
    {"8100 0000 9200 0000 9300 0000 8100 0000 8100 0001 8100 0000 88a8 0002 9100 "
     "0000 " V4("001c", "4000", "11") UDP,
     SPILL_PACKET_IPV4, NULL, true, false, 17},
    {"8100 0000 8100 0000 8100 0000 8100 0000 8100 0000 8100 0000 8100 0000 8100 0000 8100 "
     "0000 " V4("001c", "4000", "11") UDP,
     SPILL_PACKET_OTHER, &spill_link_too_deep, false, false, 0},
    {"8100 0001 8100 0002 8100 0003 " V4("001c", "4000", "11") UDP, SPILL_PACKET_OTHER,
     &spill_link_too_deep, false, false, 0},
    /* LLC and SNAP */
    {"0026 424203 000000 0000"
     "000000000000000000000000000000000000000000000000000000000000",
     SPILL_PACKET_OTHER, &spill_non_ip, false, false, 0},
    {"0024 aaaa03 000000 " V4("001c", "4000", "11") UDP, SPILL_PACKET_IPV4, NULL, true, false, 17},
    {"0024 abab03 0000f8 " V4("001c", "4000", "11") UDP "0000", SPILL_PACKET_IPV4, NULL, true,
     false, 17},
    {"8100 0000 0028 aaaa03 000000 8100 0000 " V4("001c", "4000", "11") UDP, SPILL_PACKET_IPV4,
     NULL, true, false, 17},
    {"0023 aaaa03 000000 " V4("001c", "4000", "11") UDP, SPILL_PACKET_MALFORMED,
     &spill_malformed_ipv4, false, false, 0},
    {"0025 aaaa03 000000 " V4("001c", "4000", "11") UDP, SPILL_PACKET_MALFORMED,
     &spill_malformed_encapsulation, false, false, 0},
    {"05dc aaaa03 000000 " V4("001c", "4000", "11") UDP, SPILL_PACKET_MALFORMED,
     &spill_malformed_encapsulation, false, false, 0},
    {"0024 aaaa13 000000 " V4("001c", "4000", "11") UDP, SPILL_PACKET_OTHER, &spill_encapsulated_ip,
     false, false, 0},
    {"0024 aaaa03 0080c2 " V4("001c", "4000", "11") UDP, SPILL_PACKET_OTHER, &spill_encapsulated_ip,
     false, false, 0},
    {"0008 aaaa03 00000c 2000", SPILL_PACKET_OTHER, &spill_non_ip, false, false, 0},
    {"0008 aaaa03 00000c 2001", SPILL_PACKET_OTHER, &spill_encapsulated_ip, false, false, 0},
    {"0008 aaaa13 00000c 2000", SPILL_PACKET_OTHER, &spill_encapsulated_ip, false, false, 0},
    {"0007 aaaa03 00000c 2000", SPILL_PACKET_MALFORMED, &spill_malformed_encapsulation, false,
     false, 0},
    {"001f 060603 " IP4("001c", "4000", "11") UDP, SPILL_PACKET_OTHER, &spill_encapsulated_ip,
     false, false, 0},
    {"0002 4242 00", SPILL_PACKET_OTHER, &spill_non_ip, false, false, 0},
    {"0000 424203", SPILL_PACKET_OTHER, &spill_non_ip, false, false, 0},
    /* PPPoE: IP with a protocol of two bytes and of one, control, what may be IP, two ids before */
    {"8864 1100 0007 001e 0021 " IP4("001c", "4000", "11") UDP, SPILL_PACKET_IPV4, NULL, true,
     false, 17},
    {"8100 0001 8864 1100 0007 001d 21 " IP4("001c", "4000", "11") UDP "00", SPILL_PACKET_IPV4,
     NULL, true, false, 17},
    {"8864 1100 0007 001d 0021 " IP4("001c", "4000", "11") UDP, SPILL_PACKET_MALFORMED,
     &spill_malformed_ipv4, false, false, 0},
    {"8864 1100 0007 001f 0021 " IP4("001c", "4000", "11") UDP, SPILL_PACKET_MALFORMED,
     &spill_malformed_encapsulation, false, false, 0},
    {"8864 1100 0007 0002 c021 0000", SPILL_PACKET_OTHER, &spill_non_ip, false, false, 0},
    {"8864 1100 0007 0002 003d 0000", SPILL_PACKET_OTHER, &spill_encapsulated_ip, false, false, 0},
    {"8864 1100 0007 0020 ff03 0021 " IP4("001c", "4000", "11") UDP, SPILL_PACKET_OTHER,
     &spill_encapsulated_ip, false, false, 0},
    {"8864 2100 0007 001e 0021 " IP4("001c", "4000", "11") UDP, SPILL_PACKET_OTHER,
     &spill_encapsulated_ip, false, false, 0},
    {"8100 0001 8100 0002 8864 1100 0007 001e 0021 " IP4("001c", "4000", "11") UDP,
     SPILL_PACKET_OTHER, &spill_encapsulated_ip, false, false, 0},
    {"8864 1100 0007 0000 0021", SPILL_PACKET_MALFORMED, &spill_malformed_encapsulation, false,
     false, 0},
    {"8864 1100 0007 0001 00", SPILL_PACKET_MALFORMED, &spill_malformed_encapsulation, false, false,
     0},
    /* MPLS: IP by its version, eight labels, nine, a pseudowire's control word, no bottom */
    {"8847 000101ff " IP4("001c", "4000", "11") UDP, SPILL_PACKET_IPV4, NULL, true, false, 17},
    {"8848 000100ff 000101ff " IP4("001c", "4000", "11") UDP, SPILL_PACKET_IPV4, NULL, true, false,
     17},
    {"8847 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
     "00000100 " IP4("001c", "4000", "11") UDP,
     SPILL_PACKET_IPV4, NULL, true, false, 17},
    {"8847 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
     "00000100 " IP4("001c", "4000", "11") UDP,
     SPILL_PACKET_OTHER, &spill_link_too_deep, false, false, 0},
    {"8847 00000100 00000000 " IP4("001c", "4000", "11") UDP, SPILL_PACKET_OTHER,
     &spill_encapsulated_ip, false, false, 0},
    {"8847 00000000 000000", SPILL_PACKET_MALFORMED, &spill_malformed_encapsulation, false, false,
     0},
    {"8847 00000100", SPILL_PACKET_MALFORMED, &spill_malformed_encapsulation, false, false, 0},
    /* Not looked into */
    {"88e7 00000001 020000000001 020000000002 0800", SPILL_PACKET_OTHER, &spill_encapsulated_ip,
     false, false, 0},
    {"8926 00000000 " V4("001c", "4000", "11") UDP, SPILL_PACKET_OTHER, &spill_encapsulated_ip,
     false, false, 0},
    {"8100 0001 88a8 0002 08", SPILL_PACKET_MALFORMED, &spill_malformed_vlan, false, false, 0},
    /* IPv4 */
    {V4("0028", "0000", "06") TCP, SPILL_PACKET_IPV4, NULL, true, false, 6},
    {V4("001c", "4000", "11") UDP, SPILL_PACKET_IPV4, NULL, true, false, 17},
    {V4("001c", "4000", "11") UDP "000000", SPILL_PACKET_IPV4, NULL, true, false, 17},
    {V4("0020", "0000", "84") SCTP, SPILL_PACKET_IPV4, NULL, true, false, 132},
    {V4("0014", "0000", "01"), SPILL_PACKET_IPV4, NULL, false, false, 1},
    {V4("0013", "0000", "01"), SPILL_PACKET_MALFORMED, &spill_malformed_ipv4, false, false, 0},
    {V4("0015", "0000", "01"), SPILL_PACKET_MALFORMED, &spill_malformed_ipv4, false, false, 0},
    {"0800 6500 0014 0000 0000 4001 0000 0a000001 0a000002", SPILL_PACKET_MALFORMED,
     &spill_malformed_ipv4, false, false, 0},
    {"0800 4400 0014 0000 0000 4001 0000 0a000001 0a000002", SPILL_PACKET_MALFORMED,
     &spill_malformed_ipv4, false, false, 0},
    {"0800 4600 0014 0000 0000 4001 0000 0a000001 0a000002", SPILL_PACKET_MALFORMED,
     &spill_malformed_ipv4, false, false, 0},
    /* IPv4 options: nothing, the end and noise, a route record, one that is too long or short */
    {OPTIONS4("01010101"), SPILL_PACKET_IPV4, NULL, false, false, 1},
    {OPTIONS4("0083ffff"), SPILL_PACKET_IPV4, NULL, false, false, 1},
    {OPTIONS4("01070304"), SPILL_PACKET_IPV4, NULL, false, false, 1},
    {OPTIONS4("01070404"), SPILL_PACKET_MALFORMED, &spill_malformed_ipv4, false, false, 0},
    {OPTIONS4("01070104"), SPILL_PACKET_MALFORMED, &spill_malformed_ipv4, false, false, 0},
    {OPTIONS4("01010107"), SPILL_PACKET_MALFORMED, &spill_malformed_ipv4, false, false, 0},
    {OPTIONS4("01830304"), SPILL_PACKET_MALFORMED, &spill_source_routed, false, false, 0},
    {OPTIONS4("89030400"), SPILL_PACKET_MALFORMED, &spill_source_routed, false, false, 0},
    /* Transport */
    {V4("0027", "0000", "06") TCP, SPILL_PACKET_MALFORMED, &spill_malformed_transport, false, false,
     0},
    {V4("0028", "0000", "06") PORTS "00000000 00000000 4000 0000 0000 0000", SPILL_PACKET_MALFORMED,
     &spill_malformed_transport, false, false, 0},
    {V4("0028", "0000", "06") PORTS "00000000 00000000 6000 0000 0000 0000", SPILL_PACKET_MALFORMED,
     &spill_malformed_transport, false, false, 0},
    {V4("001c", "0000", "11") PORTS "0009 0000", SPILL_PACKET_MALFORMED, &spill_malformed_transport,
     false, false, 0},
    {V4("001c", "0000", "11") PORTS "0007 0000", SPILL_PACKET_MALFORMED, &spill_malformed_transport,
     false, false, 0},
    {V4("001c", "0000", "88") PORTS "0000 0000", SPILL_PACKET_IPV4, NULL, true, false, 136},
    {V4("001c", "0000", "88") PORTS "0007 0000", SPILL_PACKET_MALFORMED, &spill_malformed_transport,
     false, false, 0},
    {V4("0020", "0000", "21") PORTS "03000000 00000000", SPILL_PACKET_IPV4, NULL, true, false, 33},
    {V4("0020", "0000", "21") PORTS "03000000 01000000", SPILL_PACKET_MALFORMED,
     &spill_malformed_transport, false, false, 0},
    {V4("001f", "0000", "84") SCTP, SPILL_PACKET_MALFORMED, &spill_malformed_transport, false,
     false, 0},
    /* IPv4 fragments */
    {V4("001c", "2000", "11") PORTS "ffff 0000", SPILL_PACKET_IPV4, NULL, true, false, 17},
    {V4("001c", "2000", "11") PORTS "0007 0000", SPILL_PACKET_MALFORMED, &spill_malformed_transport,
     false, false, 0},
    {V4("0028", "2000", "06") PORTS "00000000 00000000 f000 0000 0000 0000", SPILL_PACKET_IPV4,
     NULL, true, false, 6},
    {V4("0024", "2000", "06") TCP, SPILL_PACKET_MALFORMED, &spill_malformed_fragment, false, false,
     0},
    {V4("001b", "2000", "11") UDP, SPILL_PACKET_MALFORMED, &spill_malformed_transport, false, false,
     0},
    {V4("001c", "0001", "06") UDP, SPILL_PACKET_MALFORMED, &spill_malformed_fragment, false, false,
     0},
    {V4("001c", "0001", "11") UDP, SPILL_PACKET_IPV4, NULL, false, true, 17},
    {V4("001c", "4002", "06") UDP, SPILL_PACKET_IPV4, NULL, false, true, 6},
    {V4("001f", "1ffc", "11") UDP "000000", SPILL_PACKET_IPV4, NULL, false, true, 17},
    {V4("0020", "1ffc", "11") UDP "00000000", SPILL_PACKET_MALFORMED, &spill_malformed_fragment,
     false, false, 0},
    /* IPv6 */
    {V6("0014", "06") TCP, SPILL_PACKET_IPV6, NULL, true, false, 6},
    {V6("0008", "11") UDP, SPILL_PACKET_IPV6, NULL, true, false, 17},
    {V6("0000", "3b"), SPILL_PACKET_IPV6, NULL, false, false, 59},
    {V6("0000", "00"), SPILL_PACKET_MALFORMED, &spill_malformed_ipv6, false, false, 0},
    {V6("0001", "3b"), SPILL_PACKET_MALFORMED, &spill_malformed_ipv6, false, false, 0},
    {"86dd 40000000 0000 3b40 20010db8000000000000000000000001 20010db8000000000000000000000002",
     SPILL_PACKET_MALFORMED, &spill_malformed_ipv6, false, false, 0},
    {V6("0008", "11") PORTS "0000 0000", SPILL_PACKET_MALFORMED, &spill_malformed_transport, false,
     false, 0},
    {V6("0010", "32") UDP UDP, SPILL_PACKET_IPV6, NULL, false, false, 50},
    {V6("0048", "00") NEXT("2b") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c")
         NEXT("11") UDP,
     SPILL_PACKET_IPV6, NULL, true, false, 17},
    {V6("0050", "00") NEXT("2b") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c")
         NEXT("3c") NEXT("11") UDP,
     SPILL_PACKET_MALFORMED, &spill_malformed_ipv6_extension, false, false, 0},
    {V6("0007", "3c") NEXT("11"), SPILL_PACKET_MALFORMED, &spill_malformed_ipv6_extension, false,
     false, 0},
    {V6("0008", "3c") "1101 0000 0000 0000 " UDP, SPILL_PACKET_MALFORMED,
     &spill_malformed_ipv6_extension, false, false, 0},
    /* The walk ends at AH, as in IPv4; hop-by-hop options come first, or are none. */
    {V6("0014", "33") "1101 0000 0000 0000 00000000" UDP, SPILL_PACKET_IPV6, NULL, false, false,
     51},
    {V4("0028", "4000", "33") "1101 0000 0000 0000 00000000" UDP, SPILL_PACKET_IPV4, NULL, false,
     false, 51},
    {V6("0018", "3c") NEXT("00") NEXT("11") UDP, SPILL_PACKET_MALFORMED,
     &spill_malformed_ipv6_extension, false, false, 0},
    /* A routing header with a way to go, of type 0 and of segment routing, and without */
    {V6("0010", "2b") "1100 0001 00000000" UDP, SPILL_PACKET_MALFORMED, &spill_source_routed, false,
     false, 0},
    {V6("0010", "2b") "1100 0000 00000000" UDP, SPILL_PACKET_IPV6, NULL, true, false, 17},
    {V6("0010", "2b") "1100 0401 00000000" UDP, SPILL_PACKET_MALFORMED, &spill_source_routed, false,
     false, 0},
    {V6("0010", "2b") "1100 0400 00000000" UDP, SPILL_PACKET_IPV6, NULL, true, false, 17},
    /* IPv6 fragments: atomic, first, first and tiny, later, later TCP at 8, past the largest */
    {V6("0010", "2c") "1100 0000 00000000" UDP, SPILL_PACKET_IPV6, NULL, true, false, 17},
    {V6("0010", "2c") "1100 0000 00000000" PORTS "0009 0000", SPILL_PACKET_MALFORMED,
     &spill_malformed_transport, false, false, 0},
    {V6("0010", "2c") "1100 0001 00000000" PORTS "0009 0000", SPILL_PACKET_IPV6, NULL, true, false,
     17},
    {V6("0018", "2c") "0600 0001 00000000" TCP, SPILL_PACKET_MALFORMED, &spill_malformed_fragment,
     false, false, 0},
    /* A fragment of a fragment, whichever of them is first */
    {V6("0018", "2c") "2c00 0001 00000000 1100 0000 00000000" PORTS "0009 0000", SPILL_PACKET_IPV6,
     NULL, true, false, 17},
    {V6("0018", "2c") "2c00 0000 00000000 1100 0080 00000000" UDP, SPILL_PACKET_IPV6, NULL, false,
     true, 44},
    /* Whatever a later one says that it continues, it is a fragment. */
    {V6("0010", "2c") "3c00 0010 00000000" UDP, SPILL_PACKET_IPV6, NULL, false, true, 44},
    {V6("0010", "2c") "1100 0080 00000000" UDP, SPILL_PACKET_IPV6, NULL, false, true, 44},
    {V6("0010", "2c") "0600 0008 00000000" UDP, SPILL_PACKET_MALFORMED, &spill_malformed_fragment,
     false, false, 0},
    {V6("000f", "2c") "1100 fff8 00000000" UDP, SPILL_PACKET_IPV6, NULL, false, true, 44},
    {V6("0010", "2c") "1100 fff8 00000000" UDP, SPILL_PACKET_MALFORMED, &spill_malformed_fragment,
     false, false, 0},
};

#endif
