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

#define DONE 0x10000 /* in place of a type: nothing comes after it */

struct expected {
    enum spill_packet_kind kind;
    const struct spill_drop_reason *drop;
    uint32_t l3, l4; /* l4 is 0 for what has no key */
    uint8_t source[16], destination[16];
    uint8_t ports[4]; /* source, destination */
    uint8_t protocol;
    uint16_t vlan, inner_vlan;
    uint16_t type; /* of what isn't IP */
    bool wrapped;
    uint32_t end;    /* of what the link layers hold */
    uint32_t length; /* of the IP packet; 0 for what has no key */
    bool has_ports, later;
    uint8_t esp;      /* 0 none, 1 plain, 2 in UDP */
    uint8_t fragment; /* 1: first or later */
    bool icmp;        /* `ports` are in that order whoever sent it; and: */
    bool answers;
    bool error;
    uint8_t step;   /* of TCP and SCTP: enum spill_step */
    uint16_t alone; /* in the VLAN: that nothing answers it */
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
    expected->vlan = expected->inner_vlan = 0;
    expected->wrapped = false;
    expected->drop = reason;
}

static void not_ip(struct expected *expected, uint32_t type, const struct spill_drop_reason *reason)
{
    malformed(expected, reason);
    expected->kind = SPILL_PACKET_OTHER;
    expected->type = (uint16_t)type;
}

/* enum spill_step */
static unsigned oracle_step(const struct expected *expected)
{
    if (expected->answers)
        return SPILL_STEP_ANSWER;
    return expected->error ? SPILL_STEP_ERROR : expected->step;
}

static uint8_t oracle_tcp(uint8_t flags)
{
    const bool fin = flags % 2 == 1, syn = flags / 2 % 2 == 1, ack = flags / 16 % 2 == 1;

    if (flags / 4 % 2 == 1)
        return SPILL_STEP_RESET;
    if (syn && ack)
        return SPILL_STEP_ACCEPT;
    if (syn)
        return SPILL_STEP_OPEN;
    return fin ? SPILL_STEP_FINISH : SPILL_STEP_NONE;
}

static uint8_t oracle_sctp(uint8_t chunk)
{
    static const uint8_t steps[256] = {[1] = SPILL_STEP_OPEN,
                                       [2] = SPILL_STEP_ANSWER,
                                       [6] = SPILL_STEP_RESET,
                                       [14] = SPILL_STEP_RESET};

    return steps[chunk];
}

static void oracle_icmp(const struct frame *frame, struct expected *expected, uint32_t at,
                        uint32_t there)
{
    const uint8_t *icmp = frame->bytes + at;
    bool asks;

    expected->icmp = true;
    expected->alone = 0x4000;
    if (there < 8)
        return;
    memcpy(expected->ports + 2, icmp, 2);
    if (expected->protocol == 1) {
        asks = icmp[0] == 8 || icmp[0] == 13 || icmp[0] == 15 || icmp[0] == 17 || icmp[0] == 42;
        expected->answers =
            icmp[0] == 0 || icmp[0] == 14 || icmp[0] == 16 || icmp[0] == 18 || icmp[0] == 43;
    } else {
        asks =
            icmp[0] == 128 || icmp[0] == 139 || icmp[0] == 144 || icmp[0] == 146 || icmp[0] == 160;
        expected->answers =
            icmp[0] == 129 || icmp[0] == 140 || icmp[0] == 145 || icmp[0] == 147 || icmp[0] == 161;
    }
    if (!expected->answers && (!asks || icmp[1] != 0)) {
        if (expected->protocol == 1)
            expected->error = icmp[0] == 3 || icmp[0] == 11 || icmp[0] == 12;
        else
            expected->error = icmp[0] >= 1 && icmp[0] <= 4;
        expected->error = expected->error && expected->fragment == 0;
        return;
    }
    expected->alone = 0;
    memcpy(expected->ports, icmp + 4, 2);
    expected->ports[3] = 0;
    if (icmp[0] == 0)
        expected->ports[2] = 8;
    else if (expected->answers)
        expected->ports[2] = icmp[0] - 1;
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
        expected->step = oracle_tcp(frame->bytes[at + 13]);
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
        if (there >= 16)
            expected->step = oracle_sctp(frame->bytes[at + 12]);
        break;
    case 50:
        if (there < 8)
            malformed(expected, &spill_malformed_transport);
        else
            expected->esp = 1;
        return;
    case 1:
    case 58:
        if ((expected->protocol == 1) == (expected->kind == SPILL_PACKET_IPV4))
            oracle_icmp(frame, expected, at, there);
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
    uint32_t header, total, offset, at;
    bool more;

    expected->kind = SPILL_PACKET_IPV4;
    if (expected->end < ip + 20) {
        malformed(expected, &spill_malformed_ipv4);
        return;
    }
    header = frame->bytes[ip] % 16 * 4;
    total = two_bytes(frame, ip + 2);
    if (frame->bytes[ip] / 16 != 4 || header < 20 || total < header || ip + total > expected->end) {
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
    for (at = ip + 20; at < ip + header && frame->bytes[at] != 0;) {
        if (frame->bytes[at] == 1) {
            at++;
            continue;
        }
        if (frame->bytes[at] == 131 || frame->bytes[at] == 137) {
            malformed(expected, &spill_source_routed);
            return;
        }
        if (at + 1 == ip + header || frame->bytes[at + 1] < 2 ||
            at + frame->bytes[at + 1] > ip + header) {
            malformed(expected, &spill_malformed_ipv4);
            return;
        }
        at += frame->bytes[at + 1];
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
    if (expected->end < at || frame->bytes[ip] / 16 != 6) {
        malformed(expected, &spill_malformed_ipv6);
        return;
    }
    end = at + two_bytes(frame, ip + 4);
    if (end > expected->end || (end == at && frame->bytes[ip + 6] == 0)) {
        malformed(expected, &spill_malformed_ipv6);
        return;
    }
    expected->length = end - ip;
    memcpy(expected->source, frame->bytes + ip + 8, 16);
    memcpy(expected->destination, frame->bytes + ip + 24, 16);
    for (type = frame->bytes[ip + 6]; type == 0 || type == 43 || type == 44 || type == 60;) {
        size = 8;
        if (at + 8 <= end && type != 44)
            size = (frame->bytes[at + 1] + 1U) * 8;
        if (++headers > 8 || at + size > end || (type == 0 && headers > 1)) {
            malformed(expected, &spill_malformed_ipv6_extension);
            return;
        }
        if (type == 43 && frame->bytes[at + 3] > 0) {
            malformed(expected, &spill_source_routed);
            return;
        }
        if (type == 44) {
            offset = two_bytes(frame, at + 2) / 8 * 8;
            if (offset + end - (ip + 40) - 8 > 65535 || (offset == 8 && frame->bytes[at] == 6)) {
                malformed(expected, &spill_malformed_fragment);
                return;
            }
            more |= offset == 0 && frame->bytes[at + 3] % 2 == 1;
            if (offset > 0) {
                expected->later = true;
                type = 44;
                at += 8;
                break;
            }
        }
        type = frame->bytes[at];
        at += size;
    }
    expected->protocol = type;
    oracle_transport(frame, expected, at, end, more);
}

/* One more of the ids that say which VLAN it is; a third is too many. */
static bool oracle_id(struct expected *expected, uint32_t tci)
{
    if (tci % 4096 == 0)
        return true;
    if (expected->vlan == 0)
        expected->vlan = tci % 4096;
    else if (expected->inner_vlan == 0)
        expected->inner_vlan = tci % 4096;
    else
        return false;
    return true;
}

/* What begins with LLC; DONE: the frame is done with, else the type that SNAP says. */
static uint32_t oracle_llc(const struct frame *frame, struct expected *expected, uint32_t length)
{
    static const uint8_t ethernet[] = {0, 0, 0}, bridge[] = {0, 0, 0xf8}, cisco[] = {0, 0, 0x0c};
    static const uint16_t control[] = {0x2000, 0x2003, 0x2004, 0x0111, 0x0104, 0x010b};
    const uint8_t *llc = frame->bytes + expected->l3;
    unsigned i;

    if (length < 3 && expected->l3 + length <= expected->end) {
        not_ip(expected, 0, &spill_non_ip);
        return DONE;
    }
    if (expected->l3 + length > expected->end || (llc[0] / 2 == 0x55 && length < 8)) {
        malformed(expected, &spill_malformed_encapsulation);
        return DONE;
    }
    expected->end = expected->l3 + length;
    if (llc[0] / 2 == 3)
        not_ip(expected, 6, &spill_encapsulated_ip);
    else if (llc[0] / 2 != 0x55)
        not_ip(expected, llc[0], &spill_non_ip);
    else if (llc[1] / 2 != 0x55 || llc[2] != 3 || memcmp(frame->bytes, "\1\0\x0c\0", 5) == 0 ||
             memcmp(frame->bytes, "\3\0\x0c\0", 5) == 0)
        not_ip(expected, 0xaa, &spill_encapsulated_ip);
    else if (memcmp(llc + 3, cisco, 3) == 0) {
        not_ip(expected, 0xaa, &spill_encapsulated_ip);
        for (i = 0; i < 6; i++) {
            if (llc[6] * 256 + llc[7] == control[i])
                not_ip(expected, SPILL_TYPE_CISCO, &spill_non_ip);
        }
    } else if ((memcmp(llc + 3, ethernet, 3) != 0 && memcmp(llc + 3, bridge, 3) != 0) || llc[6] < 6)
        not_ip(expected, 0xaa, &spill_encapsulated_ip);
    else {
        expected->l3 += 8;
        return two_bytes(frame, expected->l3 - 2);
    }
    return DONE;
}

static uint32_t oracle_pppoe(const struct frame *frame, struct expected *expected)
{
    uint32_t at = expected->l3, length, protocol, session;
    const uint8_t *bytes = frame->bytes + at;

    length = at + 6 > expected->end ? 0 : two_bytes(frame, at + 4);
    if (length == 0 || at + 6 + length > expected->end) {
        malformed(expected, &spill_malformed_encapsulation);
        return DONE;
    }
    session = two_bytes(frame, at + 2);
    if (bytes[0] != 0x11 || bytes[1] != 0) {
        not_ip(expected, 0x8864, &spill_encapsulated_ip);
        return DONE;
    }
    expected->l3 += 6;
    expected->end = at + 6 + length;
    protocol = bytes[6];
    if (protocol % 2 == 0 && length == 1) {
        malformed(expected, &spill_malformed_encapsulation);
        return DONE;
    }
    if (protocol % 2 == 0)
        protocol = two_bytes(frame, at + 6);
    if (protocol >= 0x8000) {
        not_ip(expected, 0x8864, &spill_non_ip);
        return DONE;
    }
    if ((protocol != 0x21 && protocol != 0x57) || expected->inner_vlan != 0) {
        not_ip(expected, 0x8864, &spill_encapsulated_ip);
        return DONE;
    }
    expected->l3 += bytes[6] % 2 == 0 ? 2 : 1;
    expected->vlan += 0x1000;
    expected->inner_vlan = (uint16_t)session;
    return protocol == 0x21 ? 0x0800 : 0x86dd;
}

static uint32_t oracle_mpls(const struct frame *frame, struct expected *expected, uint32_t type,
                            unsigned headers)
{
    bool bottom = false;

    while (!bottom) {
        if (headers++ == 8) {
            not_ip(expected, type, &spill_link_too_deep);
            return DONE;
        }
        if (expected->l3 + 4 > expected->end) {
            malformed(expected, &spill_malformed_encapsulation);
            return DONE;
        }
        bottom = frame->bytes[expected->l3 + 2] % 2 == 1;
        expected->l3 += 4;
    }
    if (expected->l3 == expected->end) {
        malformed(expected, &spill_malformed_encapsulation);
        return DONE;
    }
    expected->vlan += 0x2000;
    if (frame->bytes[expected->l3] / 16 == 4)
        return 0x0800;
    if (frame->bytes[expected->l3] / 16 == 6)
        return 0x86dd;
    not_ip(expected, type, &spill_encapsulated_ip);
    return DONE;
}

static bool oracle_is_opaque(uint32_t type)
{
    static const uint16_t types[] = {0x22f3, 0x4305, 0x6558, 0x6559, 0x876b, 0x880b, 0x8870,
                                     0x8874, 0x8899, 0xdada, 0x88e5, 0x88e7, 0x8903, 0x8909,
                                     0x8926, 0x892f, 0x893f, 0x894f, 0xa0ed, 0xf1c1};
    bool found = type >= 0x1001 && type <= 0x100f;

    for (unsigned i = 0; i < RTE_DIM(types); i++)
        found |= types[i] == type;
    return found;
}

/* Walks on from a type; DONE: the frame is done with, else the next type. */
static uint32_t oracle_link(const struct frame *frame, struct expected *expected, uint32_t type,
                            unsigned *headers)
{
    switch (type) {
    case 0x8100:
    case 0x88a8:
    case 0x9100:
    case 0x9200:
    case 0x9300:
        if (++*headers > 8) {
            not_ip(expected, type, &spill_link_too_deep);
            return DONE;
        }
        if (expected->end < expected->l3 + 4) {
            malformed(expected, &spill_malformed_vlan);
            return DONE;
        }
        if (!oracle_id(expected, two_bytes(frame, expected->l3))) {
            not_ip(expected, type, &spill_link_too_deep);
            return DONE;
        }
        expected->l3 += 4;
        return two_bytes(frame, expected->l3 - 2);
    case 0x8864:
        expected->wrapped = true;
        return oracle_pppoe(frame, expected);
    case 0x8847:
    case 0x8848:
        expected->wrapped = true;
        return oracle_mpls(frame, expected, type, *headers);
    default:
        if (type >= 0x600) {
            not_ip(expected, type, oracle_is_opaque(type) ? &spill_encapsulated_ip : &spill_non_ip);
            return DONE;
        }
        expected->wrapped = true;
        return oracle_llc(frame, expected, type);
    }
}

static struct expected oracle(const struct frame *frame)
{
    struct expected expected = {.end = frame->length};
    unsigned headers = 0;
    uint32_t type;

    if (frame->length < 14) {
        malformed(&expected, &spill_malformed_ethernet);
        return expected;
    }
    if (frame->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED)
        headers += oracle_id(&expected, frame->vlan_tci_outer);
    if (frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
        headers += oracle_id(&expected, frame->vlan_tci);
    expected.l3 = 14;
    type = two_bytes(frame, 12);
    while (type != DONE && type != 0x0800 && type != 0x86dd)
        type = oracle_link(frame, &expected, type, &headers);
    expected.wrapped |= type != DONE && expected.l3 > 22;
    if (type == 0x0800)
        oracle_ipv4(frame, &expected);
    else if (type == 0x86dd)
        oracle_ipv6(frame, &expected);
    return expected;
}

#endif
