/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_PARSE_FRAMES_H
#define SPILLWAY_TEST_PARSE_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "parse_frame.h"

/**
 * @file
 * Random frames for the tests of the parser: valid ones, and damaged ones. They come out of rand().
 */

static uint32_t below(uint32_t limit)
{
    return (uint32_t)rand() % limit;
}

static bool one_in(uint32_t times)
{
    return below(times) == 0;
}

static void put(struct frame *frame, uint32_t value, uint32_t size)
{
    while (size-- > 0)
        frame->bytes[frame->length++] = (uint8_t)(value >> 8 * size);
}

static void put_random(struct frame *frame, uint32_t size)
{
    while (size-- > 0)
        put(frame, below(256), 1);
}

/** Few different addresses, so that ends are often equal in part or altogether. */
static void put_address(struct frame *frame, uint32_t size)
{
    uint8_t *address = frame->bytes + frame->length;

    memset(address, 0x20, size);
    address[size - 1] = (uint8_t)below(3);
    if (one_in(2))
        address[0] = (uint8_t)below(256);
    if (one_in(4))
        address[size / 2] = (uint8_t)below(256);
    frame->length += size;
}

static uint32_t two_of(const struct frame *frame, uint32_t at)
{
    return (uint32_t)frame->bytes[at] << 8 | frame->bytes[at + 1];
}

static void set16(struct frame *frame, uint32_t at, uint32_t value)
{
    frame->bytes[at] = (uint8_t)(value >> 8);
    frame->bytes[at + 1] = (uint8_t)value;
}

static const uint8_t protocols[] = {6, 6, 6, 17, 17, 17, 132, 136, 33, 1, 58, 47, 50, 51, 59, 89};

static const uint8_t icmp_types[] = {0,   8,   13,  14, 15,  16,  17,  18,  42,  43,  3,
                                     5,   11,  12,  2,  128, 129, 139, 140, 144, 145, 146,
                                     147, 160, 161, 1,  4,   133, 134, 135, 136, 137};

/** Appends a whole and true transport header with some payload. */
static void put_transport(struct frame *frame, uint8_t protocol)
{
    uint32_t payload = below(40), options = below(11) * 4, start = frame->length;

    put(frame, one_in(8) ? 4500 : 1000 + below(3), 2);
    put(frame, one_in(8) ? 4500 : 1000 + below(3), 2);
    put_random(frame, 36 + options);
    switch (protocol) {
    case 6:
        frame->bytes[start + 12] = (uint8_t)((20 + options) / 4 << 4);
        break;
    case 17:
        frame->length = start + 8 + payload;
        set16(frame, start + 4, one_in(4) ? 8 : 8 + payload);
        break;
    case 136:
        set16(frame, start + 4, one_in(2) ? 0 : 8 + below(8));
        break;
    case 33:
        frame->bytes[start + 4] = (uint8_t)(4 + below(5));
        break;
    case 1:
    case 58:
        frame->bytes[start] = icmp_types[below(sizeof(icmp_types))];
        frame->bytes[start + 1] = one_in(4) ? (uint8_t)below(4) : 0;
        if (one_in(8))
            frame->length = start + below(9);
        break;
    default:
        break;
    }
}

/** Tags, at most two of which have an id, in front of a type. */
static void put_link(struct frame *frame)
{
    static const uint16_t tpids[] = {0x8100, 0x8100, 0x88a8, 0x9100, 0x9200, 0x9300};
    unsigned tags = one_in(2) ? 0 : one_in(4) ? below(9) : below(3);
    unsigned stripped = one_in(4) ? below(RTE_MIN(tags, 2U) + 1) : 0;
    unsigned ids = 0, i;
    uint16_t tcis[9] = {0};

    put_random(frame, 12);
    for (i = 0; i < tags; i++) {
        tcis[i] = (uint16_t)(below(16) << 12);
        if (ids < 2 && !one_in(3)) {
            tcis[i] = (uint16_t)(tcis[i] + 1 + below(4095));
            ids++;
        }
    }
    for (i = stripped; i < tags; i++) {
        put(frame, tpids[below(6)], 2);
        put(frame, tcis[i], 2);
    }
    frame->vlan_tci = stripped == 2 ? tcis[1] : stripped == 1 ? tcis[0] : (uint16_t)rand();
    frame->vlan_tci_outer = stripped > 0 ? tcis[0] : (uint16_t)rand();
    if (stripped == 2)
        frame->ol_flags = RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED;
    else if (stripped == 1)
        frame->ol_flags = one_in(2) ? RTE_MBUF_F_RX_VLAN_STRIPPED : RTE_MBUF_F_RX_QINQ_STRIPPED;
}

/** IPv4 options, none of which is a route. */
static void put_options(struct frame *frame, uint32_t size)
{
    static const uint8_t kinds[] = {7, 68, 130, 136, 148, 205};

    while (size > 0) {
        uint32_t length = size >= 2 && one_in(2) ? 2 + below(size - 1) : 1;

        if (length == 1) {
            put(frame, 1, 1);
        } else {
            put(frame, kinds[below(6)], 1);
            put(frame, length, 1);
            put_random(frame, length - 2);
        }
        size -= length;
        if (one_in(10)) { /* the end of them, and anything */
            put(frame, 0, size > 0);
            put_random(frame, size > 0 ? size - 1 : 0);
            return;
        }
    }
}

static void put_ipv4(struct frame *frame)
{
    uint8_t protocol = protocols[below(sizeof(protocols))];
    uint32_t options = one_in(3) ? below(11) * 4 : 0;
    uint32_t start, fragment = one_in(2) ? 0x4000 : 0;

    if (one_in(4))
        fragment = below(2) * 0x2000 + (one_in(2) ? 2 + below(6000) : 0);
    put(frame, 0x0800, 2);
    start = frame->length;
    put(frame, 0x45 + options / 4, 1);
    put_random(frame, 3 + 2);
    put(frame, fragment, 2);
    put_random(frame, 1);
    put(frame, protocol, 1);
    put_random(frame, 2);
    put_address(frame, 4);
    put_address(frame, 4);
    put_options(frame, options);
    put_transport(frame, protocol);
    set16(frame, start + 2, frame->length - start);
}

/** Extension headers, hop-by-hop options first; behind a fragment header the short ones. */
static void put_extensions(struct frame *frame, uint32_t next_at, uint32_t count)
{
    static const uint8_t types[] = {0, 43, 60, 44, 60};
    bool first = true, cut = false;

    for (; count > 0; count--, first = false) {
        uint8_t type = types[first ? below(5) : cut ? 1 + below(2) : 1 + below(4)];
        uint32_t units = cut ? 0 : below(3);

        frame->bytes[next_at] = type;
        next_at = frame->length;
        put(frame, 59, 1);
        if (type == 44) {
            cut = true;
            put_random(frame, 1);
            put(frame, one_in(2) ? below(2) : below(7000) * 8 + 128, 2);
            put_random(frame, 4);
            continue;
        }
        put(frame, units, 1);
        put(frame, type == 43 ? below(5) : below(256), 1);
        put(frame, type == 43 ? 0 : below(256), 1); /* segments left */
        put_random(frame, units * 8 + 4);
    }
    frame->bytes[next_at] = protocols[below(sizeof(protocols))];
    put_transport(frame, frame->bytes[next_at]);
}

static void put_ipv6(struct frame *frame)
{
    uint32_t start;

    put(frame, 0x86dd, 2);
    start = frame->length;
    put(frame, 0x60, 1);
    put_random(frame, 5);
    put(frame, 59, 1);
    put_random(frame, 1);
    put_address(frame, 16);
    put_address(frame, 16);
    put_extensions(frame, start + 6, one_in(2) ? 0 : below(9));
    set16(frame, start + 4, frame->length - start - 40);
}

static void put_ip(struct frame *frame)
{
    if (one_in(2))
        put_ipv4(frame);
    else
        put_ipv6(frame);
}

static void put_snap(struct frame *frame)
{
    uint32_t start = frame->length;

    put(frame, 0, 2);
    put(frame, 0xaaaa03, 3);
    put(frame, one_in(2) ? 0x000000 : 0x0000f8, 3);
    put_ip(frame);
    set16(frame, start, frame->length - start - 2);
}

/** Takes bytes out of a frame. */
static void take_out(struct frame *frame, uint32_t at, uint32_t count)
{
    memmove(frame->bytes + at, frame->bytes + at + count, frame->length - at - count);
    frame->length -= count;
}

static void put_pppoe(struct frame *frame)
{
    uint32_t start = frame->length, at = start + 8;

    put(frame, 0x8864, 2);
    put(frame, 0x1100, 2);
    put_random(frame, 4);
    put_ip(frame);
    set16(frame, at, two_of(frame, at) == 0x0800 ? 0x0021 : 0x0057);
    if (one_in(2))
        take_out(frame, at, 1);
    set16(frame, start + 6, frame->length - at);
}

static void put_mpls(struct frame *frame)
{
    uint32_t labels = one_in(4) ? 1 + below(8) : 1 + below(3), at;

    put(frame, 0x8847 + below(2), 2);
    while (labels-- > 0) {
        put_random(frame, 2);
        put(frame, below(128) * 2 + (labels == 0), 1);
        put_random(frame, 1);
    }
    at = frame->length;
    put_ip(frame);
    take_out(frame, at, 2);
}

static void put_other(struct frame *frame)
{
    static const uint16_t types[] = {0x0806, 0x88cc, 0x8863, 0x88e7, 0x8926, 0x0600};
    static const uint32_t llcs[] = {0x424203, 0xfefe03, 0x060603, 0xaaaa03, 0xabaa03, 0xaaaaf3};
    static const uint32_t ouis[] = {0x00000c, 0x000000, 0x0080c2};
    static const uint16_t snaps[] = {0x010b, 0x2000, 0x2004, 0x0104};
    static const uint8_t isl[] = {1, 0, 0x0c, 0, 0};
    uint32_t length = below(60);

    if (one_in(4)) {
        memcpy(frame->bytes, isl, sizeof(isl));
        frame->bytes[0] = one_in(2) ? 1 : 3;
    }
    if (one_in(2)) {
        put(frame, one_in(2) ? types[below(6)] : 0x0600 + below(0x1f0), 2);
    } else {
        put(frame, 8 + length, 2);
        put(frame, llcs[below(6)], 3);
        put(frame, ouis[below(3)], 3);
        put(frame, one_in(2) ? snaps[below(4)] : below(0x600), 2);
    }
    put_random(frame, length);
}

/** A frame of which every header is right. */
static void build_valid(struct frame *frame)
{
    memset(frame, 0, offsetof(struct frame, vlan_tci));
    put_link(frame);
    switch (below(24)) {
    case 0:
    case 1:
        put_other(frame);
        break;
    case 2:
        put_snap(frame);
        break;
    case 3:
        put_pppoe(frame);
        break;
    case 4:
        put_mpls(frame);
        break;
    default:
        put_ip(frame);
    }
    if (one_in(3))
        put_random(frame, below(30)); /* Ethernet padding */
}

/** Damages a frame: cuts it, or overwrites bytes where headers are. */
static void mutate(struct frame *frame)
{
    static const uint8_t values[] = {0,    1,    2,    3,    4,    5,    6,    7,    8,
                                     17,   43,   44,   51,   60,   131,  137,  0x45, 0x60,
                                     0x81, 0x88, 0x64, 0x47, 0xaa, 0x21, 0x57, 0xff};
    uint32_t i, changes = below(4);

    if (one_in(2))
        frame->length = below(frame->length + 1);
    for (i = 0; i < changes && frame->length > 0; i++) {
        uint32_t limit = one_in(4) ? frame->length : RTE_MIN(frame->length, 64U);
        uint32_t at = limit > 12 ? 12 + below(limit - 12) : below(limit);

        frame->bytes[at] = one_in(2) ? (uint8_t)below(256) : values[below(sizeof(values))];
    }
    if (one_in(6) && frame->length >= 16)
        set16(frame, 12, one_in(2) ? 0x8100 : 0x0800);
}

#endif
