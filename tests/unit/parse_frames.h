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

static void set16(struct frame *frame, uint32_t at, uint32_t value)
{
    frame->bytes[at] = (uint8_t)(value >> 8);
    frame->bytes[at + 1] = (uint8_t)value;
}

static const uint8_t protocols[] = {6, 6, 6, 17, 17, 17, 132, 136, 33, 1, 58, 47, 50, 59, 89};

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
    default:
        break;
    }
}

static void put_link(struct frame *frame)
{
    static const uint16_t tpids[] = {0x8100, 0x88a8, 0x9100};
    unsigned tags = one_in(2) ? 0 : below(3);
    unsigned stripped = one_in(4) ? below(tags + 1) : 0;
    unsigned i;

    put_random(frame, 12);
    for (i = stripped; i < tags; i++) {
        put(frame, tpids[below(3)], 2);
        put_random(frame, 2);
    }
    frame->vlan_tci = (uint16_t)rand();
    frame->vlan_tci_outer = (uint16_t)rand();
    if (stripped == 2)
        frame->ol_flags = RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED;
    else if (stripped == 1)
        frame->ol_flags = one_in(2) ? RTE_MBUF_F_RX_VLAN_STRIPPED : RTE_MBUF_F_RX_QINQ_STRIPPED;
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
    put_random(frame, options);
    put_transport(frame, protocol);
    set16(frame, start + 2, frame->length - start);
}

static void put_extensions(struct frame *frame, uint32_t next_at, uint32_t count)
{
    static const uint8_t types[] = {0, 43, 44, 51, 60};

    while (count-- > 0) {
        uint8_t type = types[below(5)];
        uint32_t units = below(3);

        frame->bytes[next_at] = type;
        next_at = frame->length;
        put(frame, 59, 1);
        if (type == 44) {
            put_random(frame, 1);
            put(frame, one_in(2) ? below(2) : below(7000) * 8 + 16, 2);
            put_random(frame, 4);
        } else {
            put(frame, type == 51 ? units * 2 : units, 1);
            put_random(frame, units * 8 + 6);
        }
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

/** A frame of which every header is right. */
static void build_valid(struct frame *frame)
{
    memset(frame, 0, offsetof(struct frame, vlan_tci));
    put_link(frame);
    if (one_in(12)) {
        put(frame, one_in(2) ? 0x0806 : below(1500), 2);
        put_random(frame, below(60));
    } else if (one_in(2)) {
        put_ipv4(frame);
    } else {
        put_ipv6(frame);
    }
    if (one_in(3))
        put_random(frame, below(30)); /* Ethernet padding */
}

/** Damages a frame: cuts it, or overwrites bytes where headers are. */
static void mutate(struct frame *frame)
{
    static const uint8_t values[] = {0, 1, 2, 4, 5, 6, 7, 8, 17, 43, 44, 51, 60, 0x45, 0x60, 0xff};
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
