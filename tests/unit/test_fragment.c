/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments of IPv4 packets, put together again by a naive reassembly. */
#include "ip_frames.h"

#include <errno.h>

#include "packet/fragment.h"

#define ROUNDS 20000
#define MOST   200 /* fragments */

/* What the fragments of one packet are put together to. */
struct whole {
    uint8_t bytes[65536];
    uint8_t there[65536]; /* 1: this byte has come */
    uint32_t length;      /* of the payload; 0 while the last fragment has not come */
};

static struct whole whole;

static bool is_complete(void)
{
    uint32_t i;

    for (i = 0; i < whole.length; i++)
        if (whole.there[i] == 0)
            return false;
    return whole.length > 0;
}

/* Takes a fragment's payload: it begins on a unit, and overlaps none. */
static void put_together(const uint8_t *ip)
{
    const uint32_t header = ip[0] % 16 * 4u, length = frames_read16(ip + 2) - header;
    const uint32_t flags = frames_read16(ip + 6), offset = flags % 8192 * 8;
    uint32_t i;

    for (i = 0; i < length; i++) {
        assert_int_equal(whole.there[offset + i], 0);
        whole.there[offset + i] = 1;
        whole.bytes[offset + i] = ip[header + i];
    }
    if ((flags & 0x2000) == 0)
        whole.length = offset + length;
    else
        assert_int_equal(length % 8, 0);
}

/* The options that each fragment must have: all of the first, of others those with the copied bit.
 */
static uint32_t expected_options(const uint8_t *ip, bool first, uint8_t *options)
{
    const uint32_t length = ip[0] % 16 * 4u - 20;
    uint32_t at = 0, count = 0;

    memset(options, 0, 40);
    if (first) {
        memcpy(options, ip + 20, length);
        return length;
    }
    while (at < length && ip[20 + at] != 0) {
        const uint32_t size = ip[20 + at] == 1 ? 1 : ip[21 + at];

        if (ip[20 + at] >= 128) {
            memcpy(options + count, ip + 20 + at, size);
            count += size;
        }
        at += size;
    }
    return (count + 3) / 4 * 4;
}

/* Everything of a fragment but its payload and place. */
static void check_fragment(const struct frame *frame, const struct rte_mbuf *mbuf, uint32_t mtu)
{
    const uint8_t *was = frame->bytes + frame->ip;
    const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *), *is = bytes + frame->ip;
    const uint32_t length = rte_pktmbuf_data_len(mbuf) - frame->ip;
    uint8_t options[40];
    bool first = frames_read16(is + 6) % 8192 == 0 || frames_read16(was + 6) % 8192 != 0;
    uint32_t size = expected_options(was, first, options);

    assert_int_equal(mbuf->nb_segs, 1);
    assert_int_equal(mbuf->pkt_len, mbuf->data_len);
    assert_in_range(length, 21, mtu);
    assert_memory_equal(bytes, frame->bytes, frame->ip);
    assert_int_equal(is[0], 0x45 + size / 4);
    assert_int_equal(is[1], was[1]);
    assert_int_equal(frames_read16(is + 2), length);
    assert_memory_equal(is + 4, was + 4, 2);
    assert_int_equal(is[6] & 0xc0, was[6] & 0xc0);
    assert_memory_equal(is + 8, was + 8, 2);
    assert_int_equal(frames_sum(is, 20 + size, 0), 0xffff);
    assert_memory_equal(is + 12, was + 12, 8);
    assert_memory_equal(is + 20, options, size);
}

/* Splits the frame in `mbuf` into what comes next in `fragments`; returns how many. */
static uint32_t split(const struct frame *frame, struct rte_mbuf *mbuf, uint32_t mtu,
                      struct rte_mbuf **fragments)
{
    static struct frame after;
    const struct spill_packet packet = frames_parse(mbuf);
    const int count =
        spill_fragment_ipv4(mbuf, &packet, (uint16_t)mtu, frames_pool, fragments, MOST);
    int i;

    if (count < 0)
        fail_msg("%u bytes, MTU %u, %u segments: %d", frame->length, mtu, mbuf->nb_segs, count);
    assert_in_range(count, 1, MOST);
    for (i = 0; i < count; i++)
        check_fragment(frame, fragments[i], mtu);
    frames_unlay(mbuf, &after);
    assert_int_equal(after.length, frame->length);
    assert_memory_equal(after.bytes, frame->bytes, frame->length);
    return (uint32_t)count;
}

/* A packet with options of all kinds: copied into fragments or not, and padding. */
static void build_any(struct frame *frame)
{
    static const uint8_t options[] = {1, 148, 4, 9, 9, 7, 3, 4, 1, 1, 130, 11,
                                      1, 2,   3, 4, 5, 6, 7, 8, 9, 0, 0,   0};
    const unsigned words = frames_one_in(3) ? 1 + frames_below(6) : 0;

    frames_build4(frame, frames_below(3), words, 47,
                  1 + frames_below(frames_one_in(2) ? 3000 : 100));
    memcpy(frame->bytes + frame->ip + 20, options, sizeof(options[0]) * 4 * words);
    if (words > 0 && words < 6) /* an option may not be cut: the list ends before */
        memset(frame->bytes + frame->ip + 20 +
                   (words < 2   ? 1
                    : words < 5 ? 5
                                : 10),
               0,
               4 * words - (words < 2   ? 1
                            : words < 5 ? 5
                                        : 10));
    if (frames_one_in(2))
        frame->bytes[frame->ip + 6] |= 0x80; /* the reserved flag is nobody's to clear */
    if (frames_one_in(3))
        frames_put_noise(frame, frames_below(80)); /* no part of the packet */
}

static void check_whole(const struct frame *frame)
{
    assert_true(is_complete());
    assert_int_equal(whole.length, frame->end - frame->payload);
    assert_memory_equal(whole.bytes, frame->bytes + frame->payload, whole.length);
}

static void test_fragments_make_the_packet(void **state)
{
    static struct frame frame;
    struct rte_mbuf *fragments[MOST];
    unsigned round;

    (void)state;
    for (round = 0; round < ROUNDS; round++) {
        const uint32_t mtu = 68 + frames_below(frames_one_in(2) ? 1600 : 100);
        struct rte_mbuf *mbuf;
        uint32_t count, i;

        build_any(&frame);
        mbuf = frames_lay(&frame, frames_below(4));
        count = split(&frame, mbuf, mtu, fragments);
        assert_int_equal(count == 1, frame.end - frame.ip <= mtu);
        memset(&whole, 0, sizeof(whole));
        for (i = 0; i < count; i++)
            put_together(rte_pktmbuf_mtod(fragments[i], const uint8_t *) + frame.ip);
        check_whole(&frame);
        rte_pktmbuf_free_bulk(fragments, count);
        rte_pktmbuf_free(mbuf);
    }
    assert_int_equal(rte_mempool_in_use_count(frames_pool), 0);
}

/* Fragments that are fragmented again, in any order, make the same packet. */
static void test_fragments_of_fragments(void **state)
{
    static struct frame frame, part;
    struct rte_mbuf *fragments[MOST], *smaller[MOST];
    unsigned round;

    (void)state;
    for (round = 0; round < ROUNDS / 10; round++) {
        struct rte_mbuf *mbuf;
        uint32_t count;

        build_any(&frame);
        mbuf = frames_lay(&frame, 0);
        count = split(&frame, mbuf, 300 + frames_below(1200), fragments);
        memset(&whole, 0, sizeof(whole));
        while (count > 0) {
            const uint32_t chosen = frames_below(count);
            struct rte_mbuf *fragment = fragments[chosen];
            uint32_t smaller_count, i;

            frames_unlay(fragment, &part);
            part.ip = frame.ip;
            smaller_count = split(&part, fragment, 68 + frames_below(500), smaller);
            for (i = 0; i < smaller_count; i++)
                put_together(rte_pktmbuf_mtod(smaller[i], const uint8_t *) + frame.ip);
            rte_pktmbuf_free_bulk(smaller, smaller_count);
            rte_pktmbuf_free(fragment);
            fragments[chosen] = fragments[--count];
        }
        check_whole(&frame);
        rte_pktmbuf_free(mbuf);
    }
    assert_int_equal(rte_mempool_in_use_count(frames_pool), 0);
}

static int try_to_split(const struct frame *frame, unsigned cuts, uint32_t mtu,
                        struct rte_mempool *pool, uint32_t most)
{
    struct rte_mbuf *fragments[MOST];
    struct rte_mbuf *mbuf = frames_lay(frame, cuts);
    const struct spill_packet packet = frames_parse(mbuf);
    const unsigned in_use = rte_mempool_in_use_count(pool);
    static struct frame after;
    int result;

    result = spill_fragment_ipv4(mbuf, &packet, (uint16_t)mtu, pool, fragments, most);
    if (result > 0)
        rte_pktmbuf_free_bulk(fragments, (unsigned)result);
    assert_int_equal(rte_mempool_in_use_count(pool), in_use);
    frames_unlay(mbuf, &after);
    assert_int_equal(after.length, frame->length);
    assert_memory_equal(after.bytes, frame->bytes, frame->length);
    rte_pktmbuf_free(mbuf);
    return result;
}

static void test_what_cannot_be(void **state)
{
    static struct frame frame;
    struct rte_mempool *small =
        rte_pktmbuf_pool_create("small", 3, 0, 0, RTE_PKTMBUF_HEADROOM + 500, SOCKET_ID_ANY);
    unsigned cuts;

    (void)state;
    assert_non_null(small);
    for (cuts = 0; cuts < 3; cuts++) {
        frames_build4(&frame, 2, 0, 47, 1000);
        assert_int_equal(try_to_split(&frame, cuts, 67, frames_pool, MOST), -EINVAL);
        assert_int_equal(try_to_split(&frame, cuts, 68, frames_pool, MOST), 21);
        assert_int_equal(try_to_split(&frame, cuts, 68, frames_pool, 21), 21);
        assert_int_equal(try_to_split(&frame, cuts, 68, frames_pool, 20), -EINVAL);
        assert_int_equal(try_to_split(&frame, cuts, 68, frames_pool, 0), -EINVAL);
        /* Mbufs run out at the fourth, or while a chain is copied; or are too small. */
        assert_int_equal(try_to_split(&frame, cuts, 276, small, MOST), -ENOMEM);
        assert_int_equal(try_to_split(&frame, cuts, 501, small, MOST), -EINVAL);
        frame.bytes[frame.ip + 6] |= 0x40;
        assert_int_equal(try_to_split(&frame, cuts, 500, frames_pool, MOST), -ENOTSUP);
    }
    frames_build4(&frame, 2, 0, 47, 800);
    assert_int_equal(try_to_split(&frame, 0, 500, small, MOST), 2);
    /* A packet that fits is one fragment, whatever the MTU and the rounding. */
    frames_build4(&frame, 0, 0, 47, 33);
    assert_int_equal(try_to_split(&frame, 0, 9000, small, MOST), 1);
    assert_int_equal(try_to_split(&frame, 0, 68, small, 1), 1);
    frames_build4(&frame, 0, 0, 47, 477);
    assert_int_equal(try_to_split(&frame, 0, 497, small, MOST), 1);
    assert_int_equal(try_to_split(&frame, 0, 496, small, MOST), 2);
    rte_mempool_free(small);
}

/* A tag that the device took off stays where it is. */
static void test_stripped_tags_are_kept(void **state)
{
    static struct frame frame;
    struct rte_mbuf *fragments[MOST], *mbuf;
    struct spill_packet packet;
    int count, i;

    (void)state;
    frames_build4(&frame, 0, 0, 47, 1000);
    mbuf = frames_lay(&frame, 0);
    mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    mbuf->vlan_tci = 7;
    mbuf->port = 3;
    packet = frames_parse(mbuf);
    count = spill_fragment_ipv4(mbuf, &packet, 576, frames_pool, fragments, MOST);
    assert_int_equal(count, 2);
    for (i = 0; i < count; i++) {
        assert_true((fragments[i]->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0);
        assert_int_equal(fragments[i]->vlan_tci, 7);
        assert_int_equal(fragments[i]->port, 3);
    }
    rte_pktmbuf_free_bulk(fragments, (unsigned)count);
    rte_pktmbuf_free(mbuf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_fragments_make_the_packet, frames_seed),
        cmocka_unit_test_setup(test_fragments_of_fragments, frames_seed),
        cmocka_unit_test(test_what_cannot_be),
        cmocka_unit_test(test_stripped_tags_are_kept),
    };

    return cmocka_run_group_tests(tests, frames_start, frames_stop);
}
