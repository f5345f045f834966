/* SPDX-License-Identifier: BSD-3-Clause */
/* The exit: what doesn't fit the port that it leaves by (law 10). */
#include "exit_bench.h"

static void build_udp6(struct frame *frame, unsigned tags, uint32_t length)
{
    frames_build6(frame, tags, 0, IPPROTO_UDP, length - 40);
    frames_make_udp(frame);
}

static void assert_same(const struct rte_mbuf *mbuf, const struct frame *frame, uint32_t length)
{
    static struct frame got;

    frames_unlay(mbuf, &got);
    assert_int_equal(got.length, length);
    assert_memory_equal(got.bytes, frame->bytes, RTE_MIN(length, frame->length));
}

/* ------------------------------------------------------------------------------- the largest */

static void what_fits_leaves_as_it_came(void **state)
{
    static struct frame frame;
    uint32_t shape, tags, cuts;

    (void)state;
    exit_limit(EXIT_MTU);
    for (shape = 0; shape < 2; shape++) {
        exit_open(shape);
        for (tags = 0; tags <= 2; tags++) {
            for (cuts = 0; cuts < 3; cuts++) {
                exit_udp4(&frame, tags, EXIT_MTU, cuts == 1);
                exit_pass(&frame, cuts);
                assert_int_equal(exit_came_count[1], 1);
                assert_same(exit_came[1][0], &frame, frame.length);
                build_udp6(&frame, tags, EXIT_MTU);
                exit_pass(&frame, cuts);
                assert_int_equal(exit_came_count[1], 1);
                assert_same(exit_came[1][0], &frame, frame.length);
            }
        }
        exit_assert_dropped("tx_too_big", 0);
        exit_close();
    }
}

/* The sender is told by an error that comes back by the port that the packet came by. */
static void the_sender_of_what_is_too_big_is_told(void **state)
{
    static struct frame frame;
    const uint8_t *icmp;
    uint32_t shape;

    (void)state;
    exit_limit(EXIT_MTU);
    for (shape = 0; shape < 2; shape++) {
        exit_open(shape);
        exit_udp4(&frame, 1, EXIT_MTU + 1, true);
        exit_pass(&frame, 0);
        assert_int_equal(exit_came_count[1], 0);
        assert_int_equal(exit_came_count[0], 1);
        icmp = rte_pktmbuf_mtod_offset(exit_came[0][0], const uint8_t *, frame.ip + 20);
        assert_int_equal(icmp[0], 3);
        assert_int_equal(icmp[1], 4);
        assert_int_equal(frames_read16(icmp + 6), EXIT_MTU);
        build_udp6(&frame, 0, EXIT_MTU + 1);
        exit_pass(&frame, 2);
        assert_int_equal(exit_came_count[1], 0);
        assert_int_equal(exit_came_count[0], 1);
        icmp = rte_pktmbuf_mtod_offset(exit_came[0][0], const uint8_t *, frame.ip + 40);
        assert_int_equal(icmp[0], 2);
        assert_int_equal(frames_read16(icmp + 6), EXIT_MTU);
        exit_assert_dropped("tx_too_big", 2);
        assert_int_equal(exit_books().originated, 2);
        exit_close();
    }
}

/* Of less than IPv6's least EXIT_MTU nobody is told; what is not IP has nobody to tell. */
static void nobody_is_told_what_is_of_no_use(void **state)
{
    static struct frame frame;
    const uint8_t *icmp;

    (void)state;
    exit_limit(1000);
    exit_open(0);
    build_udp6(&frame, 0, 1280);
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[0] + exit_came_count[1], 0);
    build_udp6(&frame, 0, 1281);
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[0], 1);
    icmp = rte_pktmbuf_mtod_offset(exit_came[0][0], const uint8_t *, frame.ip + 40);
    assert_int_equal(frames_read16(icmp + 6), 1280);
    exit_udp4(&frame, 0, 1200, true);
    frames_write16(frame.bytes + 12, 0x88b5); /* for experiments */
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[0] + exit_came_count[1], 0);
    exit_assert_dropped("tx_too_big", 3);
    exit_close();
}

/* Bytes of IP that came out by wan together, in packets of at most `most` bytes each. */
static uint32_t payload_that_came(uint32_t ip, uint32_t most)
{
    uint32_t sum = 0, i;

    for (i = 0; i < exit_came_count[1]; i++) {
        const uint8_t *header = rte_pktmbuf_mtod_offset(exit_came[1][i], const uint8_t *, ip);

        assert_in_range(frames_read16(header + 2), 21, most);
        assert_int_equal(frames_sum(header, 20, 0), 0xffff);
        sum += frames_read16(header + 2) - 20;
    }
    return sum;
}

static void ipv4_that_may_be_is_fragmented(void **state)
{
    static struct frame frame;
    uint32_t shape;

    (void)state;
    exit_limit(EXIT_MTU)->least = 60;
    for (shape = 0; shape < 2; shape++) {
        exit_open(shape);
        exit_udp4(&frame, 1, 4000, false);
        exit_pass(&frame, 3);
        assert_int_equal(exit_came_count[0], 0);
        assert_int_equal(exit_came_count[1], 3);
        assert_int_equal(payload_that_came(frame.ip, EXIT_MTU), 4000 - 20);
        exit_udp4(&frame, 0, EXIT_MTU + 1, false); /* the second fragment is short */
        exit_pass(&frame, 0);
        assert_int_equal(exit_came_count[1], 2);
        assert_int_equal(rte_pktmbuf_pkt_len(exit_came[1][1]), 60);
        assert_int_equal(payload_that_came(frame.ip, EXIT_MTU), EXIT_MTU + 1 - 20);
        assert_int_equal(exit_counted("fragmented"), 2);
        assert_int_equal(exit_counted("fragments"), 5);
        assert_int_equal(exit_counted("padded"), 1);
        assert_int_equal(exit_books().originated, 3);
        exit_assert_dropped("tx_too_big", 0);
        exit_close();
    }
}

/* A port without a link but with a driver that has a limit: whole or not at all. */
static void a_file_gets_it_whole_or_not_at_all(void **state)
{
    static struct frame frame;

    (void)state;
    exit_limit(UINT16_MAX)->frame = 9014;
    exit_open(0);
    exit_udp4(&frame, 0, 9000, false);
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[1], 1);
    assert_same(exit_came[1][0], &frame, frame.length);
    exit_udp4(&frame, 0, 9001, false);
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[1], 0);
    exit_assert_dropped("tx_too_big", 1);
    exit_close();
}

/* A kernel interface takes one tag of 802.1Q beyond its EXIT_MTU. */
static void tags_are_counted_as_the_kernel_does(void **state)
{
    static struct frame frame;

    (void)state;
    exit_limit(EXIT_MTU)->kernel_tag = true;
    exit_open(0);
    exit_udp4(&frame, 1, EXIT_MTU, true);
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[1], 1);
    exit_udp4(&frame, 2, EXIT_MTU - 8, true); /* 0x88a8 outside */
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[1], 1);
    exit_udp4(&frame, 2, EXIT_MTU, true);
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[1], 0);
    assert_int_equal(exit_came_count[0], 1);
    assert_int_equal(
        frames_read16(rte_pktmbuf_mtod_offset(exit_came[0][0], const uint8_t *, frame.ip + 20 + 6)),
        EXIT_MTU - 8);
    exit_assert_dropped("tx_too_big", 1);
    exit_close();
}

/* What stands behind an IP packet is no part of it. */
static void a_trailer_is_cut_off(void **state)
{
    static struct frame frame;
    uint32_t cuts, end;

    (void)state;
    exit_limit(EXIT_MTU);
    exit_open(0);
    for (cuts = 0; cuts < 8; cuts++) {
        exit_udp4(&frame, 0, EXIT_MTU - cuts, true);
        end = frame.length;
        frames_put_noise(&frame, 50);
        exit_pass(&frame, cuts);
        assert_int_equal(exit_came_count[1], 1);
        assert_same(exit_came[1][0], &frame, end);
        rte_mbuf_sanity_check(exit_came[1][0], 1);
    }
    assert_int_equal(exit_counted("cut"), 8);
    exit_assert_dropped("tx_too_big", 0);
    exit_close();
}

/* Of a burst in which some don't fit the others leave in order. */
static void one_too_big_holds_up_no_other(void **state)
{
    static struct frame frame;
    uint32_t i;

    (void)state;
    exit_limit(EXIT_MTU);
    exit_open(0);
    for (i = 0; i < SPILL_BURST; i++) {
        exit_udp4(&frame, 0, i % 4 == 1 ? EXIT_MTU + 100 : 100 + i, i % 8 == 1);
        frames_write16(frame.bytes + frame.ip + 4, i);
        exit_feed(frames_lay(&frame, 0));
    }
    exit_turn();
    /* 4 of 8 that are too big have DF; the others become two. */
    assert_int_equal(exit_came_count[0], 4);
    assert_int_equal(exit_came_count[1], 24 + 2 * 4);
    for (i = 1; i < exit_came_count[1]; i++)
        assert_true(
            frames_read16(rte_pktmbuf_mtod_offset(exit_came[1][i], const uint8_t *, 14 + 4)) >=
            frames_read16(rte_pktmbuf_mtod_offset(exit_came[1][i - 1], const uint8_t *, 14 + 4)));
    exit_assert_dropped("tx_too_big", 4);
    exit_close();
}

/* -------------------------------------------------------------------- segments, the shortest */

static void what_has_too_many_segments_is_made_one(void **state)
{
    static struct frame frame;
    struct rte_mbuf *mbuf;

    (void)state;
    exit_limit(9000)->segments = 1;
    exit_open(0);
    exit_udp4(&frame, 0, 1000, false);
    mbuf = frames_lay(&frame, 3);
    while (mbuf->nb_segs == 1 || mbuf->data_len == 0 || mbuf->buf_len < 2048) {
        rte_pktmbuf_free(mbuf);
        mbuf = frames_lay(&frame, 3);
    }
    exit_feed(mbuf);
    exit_turn();
    assert_int_equal(exit_came_count[1], 1);
    assert_int_equal(exit_came[1][0]->nb_segs, 1);
    assert_same(exit_came[1][0], &frame, frame.length);
    assert_int_equal(exit_counted("linearized"), 1);
    exit_udp4(&frame, 0, 5000, false); /* more than an mbuf holds */
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[1], 0);
    exit_assert_dropped("tx_too_many_segments", 1);
    exit_close();
}

static void what_is_too_short_is_padded_with_zeros(void **state)
{
    static struct frame frame;
    struct rte_mbuf *mbuf;
    uint32_t i;

    (void)state;
    exit_limit(EXIT_MTU)->least = 60;
    exit_open(0);
    exit_udp4(&frame, 0, 28, false);
    mbuf = frames_lay(&frame, 0);
    memset(rte_pktmbuf_mtod_offset(mbuf, char *, mbuf->data_len), 0xaa,
           100); /* of the one before */
    exit_feed(mbuf);
    exit_turn();
    assert_int_equal(exit_came_count[1], 1);
    assert_same(exit_came[1][0], &frame, 60);
    for (i = frame.length; i < 60; i++)
        assert_int_equal(rte_pktmbuf_mtod(exit_came[1][0], const uint8_t *)[i], 0);
    exit_udp4(&frame, 0, 59 - sizeof(struct rte_ether_hdr), false);
    exit_feed(frames_lay(&frame, 0));
    exit_turn();
    assert_int_equal(exit_came_count[1], 1);
    assert_int_equal(exit_came[1][0]->pkt_len, 60);
    exit_udp4(&frame, 0, 28, false);
    mbuf = frames_lay(&frame, 0);
    mbuf->buf_len = (uint16_t)(mbuf->data_off + mbuf->data_len + 17); /* one byte too few */
    exit_feed(mbuf);
    exit_turn();
    assert_int_equal(exit_came_count[1], 0);
    exit_assert_dropped("tx_too_short", 1);
    exit_close();
}

/* Law 3: what copies packets has an allowance; without any it is dropped, and the rest goes on. */
static void what_copies_packets_gets_the_time_that_there_is(void **state)
{
    static struct frame large, small;
    struct spill_fast *fast;
    struct spill_allowance *fitting;
    struct rte_mbuf *mbuf;

    (void)state;
    exit_limit(EXIT_MTU)->segments = 1;
    exit_open(0);
    fast = exit_bench.pipeline->lcores[1].fast;
    fitting = &fast->exits.fitting;
    exit_udp4(&large, 0, EXIT_MTU + 1, false);
    exit_udp4(&small, 0, 500, false);
    exit_pass(&large, 0);
    assert_int_equal(exit_came_count[1], 2);
    exit_feed(frames_lay(&large, 0));
    fitting->left = 1;
    fast->receive.has_time = false;
    fast->receive.last_turn = rte_rdtsc();
    exit_turn_once();
    assert_int_equal(exit_came_count[1], 4);
    assert_true(fitting->left < 1); /* what it costs is taken out */
    fitting->most = -1;             /* nothing is earned */
    fitting->left = -1;
    exit_pass(&large, 0);
    assert_int_equal(exit_came_count[1], 0);
    exit_pass(&small, 0);
    assert_int_equal(exit_came_count[1], 1);
    do
        mbuf = frames_lay(&small, 3);
    while (mbuf->nb_segs == 1 && (rte_pktmbuf_free(mbuf), true));
    exit_feed(mbuf);
    exit_turn();
    assert_int_equal(exit_came_count[1], 0);
    exit_assert_dropped("tx_fit_limit", 2);
    exit_close();
}

/* ------------------------------------------------------------------------- limits of errors */

static struct spill_packet source4(uint32_t address)
{
    struct spill_packet packet = {.kind = SPILL_PACKET_IPV4, .direction = 1};

    packet.key.v4.address[1] = rte_cpu_to_be_32(address);
    return packet;
}

/* Errors that a source gets in a second in which it asks each of so many times. */
static uint32_t tokens(struct spill_error_limit *errors, const struct spill_packet *packet,
                       uint64_t from, uint32_t times)
{
    uint32_t count = 0, i;

    for (i = 0; i < times; i++)
        count += spill_error_limit_take(errors, packet, from + (uint64_t)i * 1000000 / times);
    return count;
}

/* By a clock of a million ticks a second, and at most a thousand errors. */
static void one_sender_leaves_errors_for_the_others(void **state)
{
    static struct spill_error_limit errors;
    struct spill_packet one = source4(0x0a000001), other;
    uint32_t i, all = 0;

    (void)state;
    spill_error_limit_init(&errors, 1000000, 1000, 7);
    assert_in_range(tokens(&errors, &one, 1000000, 100000), 100, 110);
    assert_in_range(tokens(&errors, &one, 2000000, 100000), 95, 105); /* no second burst */
    for (i = 0; i < 100000; i++) {
        uint64_t now = 5000000 + i * 10;

        spill_error_limit_take(&errors, &one, now);
        if (i % 1000 != 0)
            continue;
        other = source4(0x0b000000 + i);
        all += spill_error_limit_take(&errors, &other, now);
    }
    assert_int_equal(all, 100); /* each of them, beside the one that floods */
    for (i = 0, all = 0; i < 100000; i++) {
        other = source4(0xc0000000 + i);
        all += spill_error_limit_take(&errors, &other, 9000000 + i * 10);
    }
    assert_in_range(all, 1000, 1070); /* in all */
    spill_error_limit_init(&errors, 1000000, 1000, 7);
    assert_int_equal(tokens(&errors, &one, 1000000, 1), 1); /* a clock near 0 owes nothing */
}

/* In IPv6 a host can have any address below its first 64 bits. */
static void errors_to_one_prefix_are_counted_together(void **state)
{
    static struct spill_error_limit errors;
    struct spill_packet packet = {.kind = SPILL_PACKET_IPV6};
    uint32_t count = 0, i;

    (void)state;
    spill_error_limit_init(&errors, 1000000, 1000, 7);
    for (i = 0; i < 200; i++) {
        memcpy(packet.key.v6.address[0], "\x20\x01\x0d\xb8\0\0\0\1", 8);
        memcpy(packet.key.v6.address[0] + 12, &i, 4);
        count += spill_error_limit_take(&errors, &packet, 1000000);
    }
    assert_in_range(count, 1, 10);
}

/* What may not be answered takes nothing from those that may. */
static void only_answers_count(void **state)
{
    static struct frame frame;
    uint32_t i;

    (void)state;
    exit_limit(EXIT_MTU);
    exit_open(0);
    for (i = 0; i < 2000; i++) {
        frames_build4(&frame, 0, 0, IPPROTO_ICMP, EXIT_MTU);
        frames_write16(frame.bytes + frame.ip + 6, 0x4000);
        frame.bytes[frame.payload] = 3; /* an error */
        exit_pass(&frame, 0);
        assert_int_equal(exit_came_count[0], 0);
    }
    exit_udp4(&frame, 0, EXIT_MTU + 1, true);
    for (i = 0; i < 100; i++)
        exit_pass(&frame, 0);
    assert_true(exit_counted("icmp_errors") >= 8);
    assert_int_equal(exit_counted("icmp_errors") + exit_counted("icmp_errors_limited"), 100);
    exit_assert_dropped("tx_too_big", 2100);
    exit_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_fits_leaves_as_it_came, exit_clear),
        cmocka_unit_test_teardown(the_sender_of_what_is_too_big_is_told, exit_clear),
        cmocka_unit_test_teardown(nobody_is_told_what_is_of_no_use, exit_clear),
        cmocka_unit_test_teardown(ipv4_that_may_be_is_fragmented, exit_clear),
        cmocka_unit_test_teardown(a_file_gets_it_whole_or_not_at_all, exit_clear),
        cmocka_unit_test_teardown(tags_are_counted_as_the_kernel_does, exit_clear),
        cmocka_unit_test_teardown(a_trailer_is_cut_off, exit_clear),
        cmocka_unit_test_teardown(one_too_big_holds_up_no_other, exit_clear),
        cmocka_unit_test_teardown(what_has_too_many_segments_is_made_one, exit_clear),
        cmocka_unit_test_teardown(what_is_too_short_is_padded_with_zeros, exit_clear),
        cmocka_unit_test_teardown(what_copies_packets_gets_the_time_that_there_is, exit_clear),
        cmocka_unit_test(one_sender_leaves_errors_for_the_others),
        cmocka_unit_test(errors_to_one_prefix_are_counted_together),
        cmocka_unit_test_teardown(only_answers_count, exit_clear),
    };
    int failed;

    exit_start();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
