/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_IP_FRAMES_H
#define SPILLWAY_TEST_IP_FRAMES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_mbuf.h>

#include "packet/parse.h"
#include "poison.h"

/**
 * @file
 * Frames for the tests of what makes packets out of packets: written byte by byte, laid into mbufs,
 * and read back with the numbers of the standards. They come out of rand().
 */

#define FRAME_MAX   9600
#define FRAME_MBUFS 255

struct frame {
    uint8_t bytes[FRAME_MAX];
    uint32_t length;
    uint32_t ip;      /* where the IP header is */
    uint32_t payload; /* where what is behind IP's headers is */
    uint32_t end;     /* of the IP packet */
};

static struct rte_mempool *frame_pool;

static inline uint32_t below(uint32_t limit)
{
    return (uint32_t)rand() % limit;
}

static inline bool one_in(uint32_t times)
{
    return below(times) == 0;
}

static inline uint32_t read16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static inline void write16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/** The one's complement sum of bytes; 0xffff of what holds its right checksum. */
static inline uint32_t naive_sum(const uint8_t *bytes, uint32_t length, uint32_t sum)
{
    uint32_t i;

    for (i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/** Puts Ethernet and so many tags in front; the EtherType is for who knows the family. */
static inline void put_ethernet(struct frame *frame, unsigned tags)
{
    unsigned i;

    for (i = 0; i < 12; i++)
        frame->bytes[i] = (uint8_t)below(256);
    frame->bytes[0] &= 0xfe;
    frame->bytes[6] &= 0xfe;
    for (i = 0; i < tags; i++) {
        write16(frame->bytes + 12 + 4 * i, i == 0 && tags == 2 ? 0x88a8 : 0x8100);
        write16(frame->bytes + 14 + 4 * i, below(65536));
    }
    frame->ip = 14 + 4 * tags;
}

/** Fills up to `length` bytes with chance, behind what is there. */
static inline void put_noise(struct frame *frame, uint32_t length)
{
    while (length-- > 0)
        frame->bytes[frame->length++] = (uint8_t)below(256);
}

/** An IPv4 packet from 10.x to 172.16.x with noise for a payload. `options`: words of them. */
static inline void build4(struct frame *frame, unsigned tags, unsigned options, uint8_t protocol,
                          uint32_t payload)
{
    uint8_t *ip;

    put_ethernet(frame, tags);
    ip = frame->bytes + frame->ip;
    write16(ip - 2, 0x0800);
    memset(ip, 0, 20 + 4 * (size_t)options);
    ip[0] = (uint8_t)(0x45 + options);
    ip[1] = (uint8_t)below(256);
    write16(ip + 2, 20 + 4 * options + payload);
    write16(ip + 4, below(65536));
    ip[8] = (uint8_t)(1 + below(255));
    ip[9] = protocol;
    ip[12] = 10;
    ip[13] = (uint8_t)below(256);
    ip[16] = 172;
    ip[17] = 16;
    ip[18] = (uint8_t)below(256);
    frame->length = frame->payload = frame->ip + 20 + 4 * options;
    put_noise(frame, payload);
    frame->end = frame->length;
}

/** An IPv6 packet from 2001:db8::x to fd00::x; `headers`: destination options before the payload.
 */
static inline void build6(struct frame *frame, unsigned tags, unsigned headers, uint8_t protocol,
                          uint32_t payload)
{
    uint8_t *ip;
    unsigned i;

    put_ethernet(frame, tags);
    ip = frame->bytes + frame->ip;
    write16(ip - 2, 0x86dd);
    memset(ip, 0, 40 + 8 * (size_t)headers);
    ip[0] = 0x60;
    write16(ip + 4, 8 * headers + payload);
    ip[6] = headers > 0 ? 60 : protocol;
    ip[7] = 64;
    memcpy(ip + 8, "\x20\x01\x0d\xb8", 4);
    ip[23] = (uint8_t)below(256);
    ip[24] = 0xfd;
    ip[39] = (uint8_t)below(256);
    for (i = 0; i < headers; i++)
        ip[40 + 8 * i] = i + 1 < headers ? 60 : protocol;
    frame->length = frame->payload = frame->ip + 40 + 8 * headers;
    put_noise(frame, payload);
    frame->end = frame->length;
}

/** Makes a true UDP header of the first bytes of the payload. */
static inline void make_udp(struct frame *frame)
{
    write16(frame->bytes + frame->payload + 4, frame->end - frame->payload);
}

/** Lays a frame into mbufs, cut at so many places. */
static inline struct rte_mbuf *lay(const struct frame *frame, unsigned cuts)
{
    struct rte_mbuf *head = NULL;
    uint32_t from = 0;

    while (head == NULL || from < frame->length) {
        struct rte_mbuf *segment = rte_pktmbuf_alloc(frame_pool);
        uint32_t room, length = frame->length - from;

        assert_non_null(segment);
        room = rte_pktmbuf_tailroom(segment);
        if (cuts > 0)
            length = below(one_in(2) ? RTE_MIN(length, 60U) + 1 : length + 1);
        cuts -= cuts > 0;
        length = RTE_MIN(length, room);
        memcpy(rte_pktmbuf_append(segment, (uint16_t)length), frame->bytes + from, length);
        from += length;
        if (head == NULL)
            head = segment;
        else
            assert_int_equal(rte_pktmbuf_chain(head, segment), 0);
    }
    return head;
}

/** What the parser says of a frame that it must understand. */
static inline struct spill_packet parse(struct rte_mbuf *mbuf)
{
    struct spill_packet packet;

    spill_parse_burst(&mbuf, 1, 0, &packet);
    assert_in_range(packet.kind, SPILL_PACKET_IPV4, SPILL_PACKET_IPV6);
    return packet;
}

/** Takes all bytes out of an mbuf. */
static inline void unlay(const struct rte_mbuf *mbuf, struct frame *frame)
{
    const void *bytes;

    frame->length = rte_pktmbuf_pkt_len(mbuf);
    assert_in_range(frame->length, 0, FRAME_MAX);
    bytes = rte_pktmbuf_read(mbuf, 0, frame->length, frame->bytes);
    assert_non_null(bytes);
    if (bytes != frame->bytes)
        memcpy(frame->bytes, bytes, frame->length);
}

static inline int seed_random(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

    (void)state;
    print_message("SEED=%u\n", seed);
    srand(seed);
    return 0;
}

static inline int start_eal(void **state)
{
    char *arguments[] = {"test_frames",   "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
                         "--log-level=4", "-m",        "64",       "-l",          "0"};

    (void)state;
    if (rte_eal_init(RTE_DIM(arguments), arguments) < 0)
        return -1;
    frame_pool = fixture_poison_pool("frames", FRAME_MBUFS, 0, RTE_MBUF_DEFAULT_BUF_SIZE);
    return frame_pool == NULL ? -1 : 0;
}

static inline int stop_eal(void **state)
{
    unsigned left = rte_mempool_in_use_count(frame_pool);

    (void)state;
    fixture_poison_free(frame_pool);
    return rte_eal_cleanup() != 0 || left != 0 ? -1 : 0;
}

#endif
