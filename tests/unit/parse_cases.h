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
#define V6(length, next)                                                                           \
    "86dd 60000000" length next "40"                                                               \
    "20010db8000000000000000000000001 20010db8000000000000000000000002"
#define PORTS      "04d2 0050"
#define TCP        PORTS "00000000 00000000 5000 0000 0000 0000"
#define UDP        PORTS "0008 0000"
#define SCTP       PORTS "00000000 00000000"
#define ESP        "00001001 00000001"
#define NEXT(type) type "00 0000 0000 0000"

/* One frame for each rule. `drop` NULL: not malformed. */
static const struct {
    const char *hex;
    enum spill_packet_kind kind;
    const struct spill_drop_reason *drop;
    bool has_ports, later;
    uint8_t protocol;
} cases[] = {
    {"08", SPILL_PACKET_MALFORMED, &spill_malformed_ethernet, false, false, 0},
    {"0806", SPILL_PACKET_OTHER, NULL, false, false, 0},
    {"8100 0001 08", SPILL_PACKET_MALFORMED, &spill_malformed_vlan, false, false, 0},
    {"8100 0001 88a8 0002 9100", SPILL_PACKET_OTHER, NULL, false, false, 0},
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
    {V6("0048", "00") NEXT("2b") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("33")
         NEXT("11") UDP,
     SPILL_PACKET_IPV6, NULL, true, false, 17},
    {V6("0050", "00") NEXT("2b") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("33")
         NEXT("3c") NEXT("11") UDP,
     SPILL_PACKET_MALFORMED, &spill_malformed_ipv6_extension, false, false, 0},
    {V6("0007", "3c") NEXT("11"), SPILL_PACKET_MALFORMED, &spill_malformed_ipv6_extension, false,
     false, 0},
    {V6("0008", "3c") "1101 0000 0000 0000 " UDP, SPILL_PACKET_MALFORMED,
     &spill_malformed_ipv6_extension, false, false, 0},
    {V6("0014", "33") "1101 0000 0000 0000 00000000" UDP, SPILL_PACKET_IPV6, NULL, true, false, 17},
    /* IPv6 fragments: atomic, first, first and tiny, later, later TCP at 8, past the largest */
    {V6("0010", "2c") "1100 0000 00000000" UDP, SPILL_PACKET_IPV6, NULL, true, false, 17},
    {V6("0010", "2c") "1100 0000 00000000" PORTS "0009 0000", SPILL_PACKET_MALFORMED,
     &spill_malformed_transport, false, false, 0},
    {V6("0010", "2c") "1100 0001 00000000" PORTS "0009 0000", SPILL_PACKET_IPV6, NULL, true, false,
     17},
    {V6("0018", "2c") "0600 0001 00000000" TCP, SPILL_PACKET_MALFORMED, &spill_malformed_fragment,
     false, false, 0},
    {V6("0018", "2c") "2c00 0001 00000000 1100 0000 00000000" PORTS "0009 0000", SPILL_PACKET_IPV6,
     NULL, true, false, 17},
    {V6("0010", "2c") "3c00 0010 00000000" UDP, SPILL_PACKET_IPV6, NULL, false, true, 60},
    {V6("0010", "2c") "0600 0008 00000000" UDP, SPILL_PACKET_MALFORMED, &spill_malformed_fragment,
     false, false, 0},
    {V6("000f", "2c") "1100 fff8 00000000" UDP, SPILL_PACKET_IPV6, NULL, false, true, 17},
    {V6("0010", "2c") "1100 fff8 00000000" UDP, SPILL_PACKET_MALFORMED, &spill_malformed_fragment,
     false, false, 0},
};

#endif
