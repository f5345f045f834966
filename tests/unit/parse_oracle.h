/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_PARSE_ORACLE_H
#define SPILLWAY_TEST_PARSE_ORACLE_H

#include <string.h>

#include <rte_mbuf.h>

#include "packet/parse.h"

#include "parse_frame.h"

/**
 * @file
 * What the parser has to say of a frame, by a second one: as naive as can be, byte by byte over a
 * flat copy, with the numbers of the standards in place of names.
 */

struct expected {
    enum spill_packet_kind kind;
    const struct spill_drop_reason *drop;
    uint32_t l3, l4; /* l4 is 0 for what has no key */
    uint8_t source[16], destination[16];
    uint8_t ports[4]; /* source, destination */
    uint8_t protocol;
    uint16_t vlan, inner_vlan;
    uint32_t length; /* of the IP packet; 0 for what has no key */
    bool has_ports, later;
    uint8_t esp;      /* 0 none, 1 plain, 2 in UDP */
    uint8_t fragment; /* 1: first or later */
};

static uint32_t two_bytes(const struct frame *frame, uint32_t at)
{
    return (uint32_t)frame->bytes[at] << 8 | frame->bytes[at + 1];
}

static void malformed(struct expected *expected, const struct spill_drop_reason *reason)
{
    expected->kind = SPILL_PACKET_MALFORMED;
    expected->l4 = expected->length = 0;
    expected->fragment = 0;
    expected->drop = reason;
}

static void oracle_transport(const struct frame *frame, struct expected *expected, uint32_t at,
                             uint32_t end, bool first_of_many)
{
    uint32_t there = end - at;
    uint32_t room = first_of_many ? 65535 : there;
    uint32_t length;

    expected->l4 = at;
    expected->fragment = expected->later || first_of_many;
    if (expected->later)
        return;
    switch (expected->protocol) {
    case 6:
        if (there < 20) {
            malformed(expected,
                      first_of_many ? &spill_malformed_fragment : &spill_malformed_transport);
            return;
        }
        length = frame->bytes[at + 12] / 16 * 4;
        if (length < 20 || length > room)
            malformed(expected, &spill_malformed_transport);
        break;
    case 17:
    case 136:
        if (there < 8) {
            malformed(expected, &spill_malformed_transport);
            return;
        }
        length = two_bytes(frame, at + 4);
        if (expected->protocol == 136 && length == 0)
            break;
        if (length < 8 || length > room)
            malformed(expected, &spill_malformed_transport);
        break;
    case 33:
        if (there < 12) {
            malformed(expected, &spill_malformed_transport);
            return;
        }
        length = frame->bytes[at + 4] * 4U;
        if (length < (frame->bytes[at + 8] % 2 == 1 ? 16 : 12) || length > room)
            malformed(expected, &spill_malformed_transport);
        break;
    case 132:
        if (there < 12) {
            malformed(expected, &spill_malformed_transport);
            return;
        }
        break;
    case 50:
        if (there < 8)
            malformed(expected, &spill_malformed_transport);
        else
            expected->esp = 1;
        return;
    default:
        return;
    }
    if (expected->kind == SPILL_PACKET_MALFORMED)
        return;
    expected->has_ports = true;
    memcpy(expected->ports, frame->bytes + at, 4);
    if (expected->protocol == 17 && two_bytes(frame, at + 2) == 4500)
        expected->esp = 2;
}

static void oracle_ipv4(const struct frame *frame, struct expected *expected)
{
    uint32_t ip = expected->l3;
    uint32_t header, total, offset;
    bool more;

    expected->kind = SPILL_PACKET_IPV4;
    if (frame->length < ip + 20) {
        malformed(expected, &spill_malformed_ipv4);
        return;
    }
    header = frame->bytes[ip] % 16 * 4;
    total = two_bytes(frame, ip + 2);
    if (frame->bytes[ip] / 16 != 4 || header < 20 || total < header || ip + total > frame->length) {
        malformed(expected, &spill_malformed_ipv4);
        return;
    }
    memcpy(expected->source, frame->bytes + ip + 12, 4);
    memcpy(expected->destination, frame->bytes + ip + 16, 4);
    expected->protocol = frame->bytes[ip + 9];
    expected->length = total;
    offset = two_bytes(frame, ip + 6) % 8192 * 8;
    more = frame->bytes[ip + 6] / 32 % 2 == 1;
    expected->later = offset > 0;
    if (offset + total > 65535 || (offset == 8 && expected->protocol == 6)) {
        malformed(expected, &spill_malformed_fragment);
        return;
    }
    oracle_transport(frame, expected, ip + header, ip + total, more);
}

static void oracle_ipv6(const struct frame *frame, struct expected *expected)
{
    uint32_t ip = expected->l3, at = ip + 40, end, offset, size;
    unsigned headers = 0;
    bool more = false;
    uint8_t type;

    expected->kind = SPILL_PACKET_IPV6;
    if (frame->length < at || frame->bytes[ip] / 16 != 6) {
        malformed(expected, &spill_malformed_ipv6);
        return;
    }
    end = at + two_bytes(frame, ip + 4);
    if (end > frame->length || (end == at && frame->bytes[ip + 6] == 0)) {
        malformed(expected, &spill_malformed_ipv6);
        return;
    }
    expected->length = end - ip;
    memcpy(expected->source, frame->bytes + ip + 8, 16);
    memcpy(expected->destination, frame->bytes + ip + 24, 16);
    for (type = frame->bytes[ip + 6];
         type == 0 || type == 43 || type == 44 || type == 51 || type == 60;) {
        size = 8;
        if (at + 8 <= end && type == 51)
            size = (frame->bytes[at + 1] + 2U) * 4;
        else if (at + 8 <= end && type != 44)
            size = (frame->bytes[at + 1] + 1U) * 8;
        if (++headers > 8 || at + size > end) {
            malformed(expected, &spill_malformed_ipv6_extension);
            return;
        }
        offset = type == 44 ? two_bytes(frame, at + 2) / 8 * 8 : 0;
        more |= type == 44 && offset == 0 && frame->bytes[at + 3] % 2 == 1;
        type = frame->bytes[at];
        at += size;
        if (offset > 0) {
            expected->later = true;
            if (offset + end - (ip + 40) - 8 > 65535 || (offset == 8 && type == 6)) {
                malformed(expected, &spill_malformed_fragment);
                return;
            }
            break;
        }
    }
    expected->protocol = type;
    oracle_transport(frame, expected, at, end, more);
}

static struct expected oracle(const struct frame *frame)
{
    struct expected expected = {.kind = SPILL_PACKET_OTHER};
    uint16_t ids[3];
    unsigned tags = 0;
    uint32_t type;

    if (frame->length < 14) {
        malformed(&expected, &spill_malformed_ethernet);
        return expected;
    }
    if (frame->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED)
        ids[tags++] = frame->vlan_tci_outer % 4096;
    if (frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
        ids[tags++] = frame->vlan_tci % 4096;
    expected.inner_vlan = tags > 1 ? ids[1] : 0;
    expected.l3 = 14;
    type = two_bytes(frame, 12);
    while ((type == 0x8100 || type == 0x88a8 || type == 0x9100) && tags < 2) {
        if (frame->length < expected.l3 + 4) {
            malformed(&expected, &spill_malformed_vlan);
            return expected;
        }
        ids[tags++] = (uint16_t)(two_bytes(frame, expected.l3) % 4096);
        expected.inner_vlan = tags > 1 ? ids[1] : 0;
        type = two_bytes(frame, expected.l3 + 2);
        expected.l3 += 4;
    }
    expected.vlan = tags > 0 ? ids[0] : 0;
    if (type == 0x0800)
        oracle_ipv4(frame, &expected);
    else if (type == 0x86dd)
        oracle_ipv6(frame, &expected);
    return expected;
}

#endif
