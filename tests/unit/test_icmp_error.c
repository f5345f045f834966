/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors about packets that are too big: what they say, and where there must be none. */
#include "ip_frames.h"

#include "packet/icmp_error.h"

#define ROUNDS 30000

/* Of the port that is too small, and its link-local address. */
static const struct rte_ether_addr own = {{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}};
static const uint8_t own6[16] = {0xfe, 0x80, [9] = 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55};

/* A frame of any kind that may be answered. */
static void build_any(struct frame *frame)
{
    static const uint8_t protocols[] = {6, 17, 47, 50, 89};
    const uint8_t protocol = protocols[frames_below(sizeof(protocols))];
    const unsigned tags = frames_below(3), more = frames_one_in(3) ? frames_below(5) : 0;
    const uint32_t payload = 20 + frames_below(frames_one_in(2) ? 2000 : 60);

    if (frames_one_in(2))
        frames_build4(frame, tags, more, protocol, payload);
    else
        frames_build6(frame, tags, more, protocol, payload);
    if (protocol == 17)
        frames_make_udp(frame);
    if (protocol == 6)
        frame->bytes[frame->payload + 12] = 0x50;
    if (frames_one_in(3))
        frames_put_noise(frame, frames_below(50)); /* Ethernet padding, no part of the packet */
}

static void check_ethernet(const struct frame *frame, const struct frame *error)
{
    assert_memory_equal(error->bytes, frame->bytes + 6, 6);
    assert_memory_equal(error->bytes + 6, frame->bytes, 6);
    assert_memory_equal(error->bytes + 12, frame->bytes + 12, frame->ip - 12);
}

/* The IP header; returns where ICMP begins. */
static const uint8_t *check_ip(const struct frame *frame, const struct frame *error, uint32_t *icmp)
{
    const uint8_t *was = frame->bytes + frame->ip, *is = error->bytes + frame->ip;
    const uint32_t length = error->length - frame->ip;

    if (was[0] >> 4 == 4) {
        assert_int_equal(is[0], 0x45);
        assert_int_equal(is[1] & 3, 0); /* not ECN capable */
        assert_int_equal(frames_read16(is + 2), length);
        assert_int_equal(frames_read16(is + 6), 0x4000);
        assert_int_equal(is[8], 64);
        assert_int_equal(is[9], 1);
        assert_int_equal(frames_sum(is, 20, 0), 0xffff);
        assert_memory_equal(is + 12, was + 16, 4);
        assert_memory_equal(is + 16, was + 12, 4);
        *icmp = length - 20;
        return is + 20;
    }
    assert_int_equal(frames_read16(is) & 0xf03f, 0x6000); /* version, not ECN capable, no label */
    assert_int_equal(frames_read16(is + 2), 0);
    assert_int_equal(frames_read16(is + 4), length - 40);
    assert_int_equal(is[6], 58);
    assert_int_equal(is[7], 64);
    assert_memory_equal(is + 8, was + 24, 16);
    assert_memory_equal(is + 24, was + 8, 16);
    *icmp = length - 40;
    return is + 40;
}

static void check_error(const struct frame *frame, const struct frame *error, uint16_t mtu)
{
    const bool v4 = frame->bytes[frame->ip] >> 4 == 4;
    const uint32_t packet = frame->end - frame->ip, most = v4 ? 576 - 28 : 1280 - 48;
    uint32_t length;
    const uint8_t *icmp;

    check_ethernet(frame, error);
    icmp = check_ip(frame, error, &length);
    assert_int_equal(icmp[0], v4 ? 3 : 2);
    assert_int_equal(icmp[1], v4 ? 4 : 0);
    assert_int_equal(frames_read16(icmp + 4), 0);
    assert_int_equal(frames_read16(icmp + 6), mtu);
    if (v4)
        assert_int_equal(frames_sum(icmp, length, 0), 0xffff);
    else
        assert_int_equal(frames_sum(icmp, length, frames_sum(icmp - 32, 32, 58 + length)), 0xffff);
    assert_int_equal(length - 8, RTE_MIN(packet, most));
    assert_memory_equal(icmp + 8, frame->bytes + frame->ip, length - 8);
}

static void test_errors_answer_any_packet(void **state)
{
    static struct frame frame, error;
    unsigned i;

    (void)state;
    for (i = 0; i < ROUNDS; i++) {
        const uint16_t mtu = (uint16_t)frames_below(65536);
        struct rte_mbuf *mbuf, *answer;
        struct spill_packet packet;

        build_any(&frame);
        mbuf = frames_lay(&frame, frames_below(4));
        mbuf->vlan_tci = (uint16_t)frames_below(65536);
        packet = frames_parse(mbuf);
        answer = spill_icmp_too_big(mbuf, &packet, mtu, &own, frames_pool);
        assert_non_null(answer);
        assert_int_equal(answer->nb_segs, 1);
        assert_int_equal(answer->ol_flags, 0);
        frames_unlay(answer, &error);
        check_error(&frame, &error, mtu);
        rte_pktmbuf_free(answer);
        frames_unlay(mbuf, &error); /* the packet is as it was */
        assert_memory_equal(error.bytes, frame.bytes, frame.length);
        rte_pktmbuf_free(mbuf);
    }
    assert_int_equal(rte_mempool_in_use_count(frames_pool), 0);
}

/* A tag that the device took off stays where it is. */
static void test_stripped_tags_are_kept(void **state)
{
    static struct frame frame;
    struct rte_mbuf *mbuf, *answer;
    struct spill_packet packet;

    (void)state;
    frames_build4(&frame, 0, 0, 47, 1000);
    mbuf = frames_lay(&frame, 0);
    mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    mbuf->vlan_tci = 7;
    packet = frames_parse(mbuf);
    answer = spill_icmp_too_big(mbuf, &packet, 500, &own, frames_pool);
    assert_non_null(answer);
    assert_true((answer->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0);
    assert_int_equal(answer->vlan_tci, 7);
    rte_pktmbuf_free(answer);
    rte_pktmbuf_free(mbuf);
}

/* Whether a frame is answered, however it lies in its mbufs. */
static bool is_answered(const struct frame *frame)
{
    bool first = false;
    unsigned cuts;

    for (cuts = 0; cuts < 4; cuts++) {
        struct rte_mbuf *mbuf = frames_lay(frame, cuts);
        struct spill_packet packet = frames_parse(mbuf);
        struct rte_mbuf *answer = spill_icmp_too_big(mbuf, &packet, 1400, &own, frames_pool);

        if (cuts == 0)
            first = answer != NULL;
        assert_int_equal(answer != NULL, first);
        assert_int_equal(spill_icmp_may_answer(mbuf, &packet), first);
        rte_pktmbuf_free(answer);
        rte_pktmbuf_free(mbuf);
    }
    return first;
}

static void test_none_to_icmp_errors(void **state)
{
    static const uint8_t errors4[] = {3, 4, 5, 11, 12};
    static struct frame frame;
    unsigned type;

    (void)state;
    for (type = 0; type < 256; type++) {
        frames_build4(&frame, 0, frames_below(3), 1, 600);
        frame.bytes[frame.payload] = (uint8_t)type;
        assert_int_equal(is_answered(&frame), memchr(errors4, (int)type, sizeof(errors4)) == NULL);
        frames_build6(&frame, 1, frames_below(3), 58, 600);
        frame.bytes[frame.payload] = (uint8_t)type;
        assert_int_equal(is_answered(&frame), type >= 128 && type != 137);
    }
    /* Of the other family's ICMP there are no errors. */
    frames_build4(&frame, 0, 0, 58, 600);
    frame.bytes[frame.payload] = 3;
    assert_true(is_answered(&frame));
    /* One that ends before its type could be any. */
    frames_build4(&frame, 0, 0, 1, 0);
    assert_false(is_answered(&frame));
    frames_build6(&frame, 0, 0, 58, 0);
    assert_false(is_answered(&frame));
}

static void make_fragment6(struct frame *frame, uint16_t offset_and_more)
{
    frame->bytes[frame->ip + 6] = 44;
    frames_write16(frame->bytes + frame->ip + 40 + 2, offset_and_more);
}

/* Of IPv6 they may be answered (RFC 4443 2.4 e 3), but where they may be of an error. */
static void test_later_fragments(void **state)
{
    static struct frame frame;

    (void)state;
    frames_build4(&frame, 0, 0, 47, 600);
    frames_write16(frame.bytes + frame.ip + 6, 0x2000);
    assert_true(is_answered(&frame));
    frames_write16(frame.bytes + frame.ip + 6, 0x2001);
    assert_false(is_answered(&frame));
    frames_write16(frame.bytes + frame.ip + 6, 0x0100);
    assert_false(is_answered(&frame));

    frames_build6(&frame, 0, 1, 47, 600);
    make_fragment6(&frame, 1);
    assert_true(is_answered(&frame));
    make_fragment6(&frame, 9);
    assert_true(is_answered(&frame));
    frames_build6(&frame, 0, 1, 58, 600);
    frame.bytes[frame.payload] = 128;
    make_fragment6(&frame, 1);
    assert_true(is_answered(&frame));
    make_fragment6(&frame, 9);
    assert_false(is_answered(&frame));
}

/* What goes to a group of IPv6 or Ethernet is answered from the port's own addresses. */
static void test_groups_are_answered_from_the_port(void **state)
{
    static struct frame frame, error;
    struct spill_packet packet;
    struct rte_mbuf *mbuf, *answer;
    const uint8_t *icmp;
    unsigned which;

    (void)state;
    for (which = 1; which < 4; which++) { /* bit 0: of IPv6, bit 1: of Ethernet */
        frames_build6(&frame, 1, 0, 17, 1400);
        frames_make_udp(&frame);
        if ((which & 1) != 0)
            frame.bytes[frame.ip + 24] = 0xff;
        frame.bytes[0] = (uint8_t)((frame.bytes[0] & 0xfe) | which >> 1);
        mbuf = frames_lay(&frame, 0);
        packet = frames_parse(mbuf);
        answer = spill_icmp_too_big(mbuf, &packet, 1300, &own, frames_pool);
        assert_non_null(answer);
        frames_unlay(answer, &error);
        assert_memory_equal(error.bytes, frame.bytes + 6, 6);
        assert_memory_equal(error.bytes + 6, (which & 2) != 0 ? own.addr_bytes : frame.bytes, 6);
        assert_memory_equal(error.bytes + frame.ip + 8,
                            (which & 1) != 0 ? own6 : frame.bytes + frame.ip + 24, 16);
        icmp = error.bytes + frame.ip + 40;
        assert_int_equal(frames_sum(icmp, 1240, frames_sum(icmp - 32, 32, 58 + 1240)), 0xffff);
        rte_pktmbuf_free(answer);
        rte_pktmbuf_free(mbuf);
    }
}

static void test_none_without_a_single_host_at_each_end(void **state)
{
    static const struct {
        const char *address;
        bool answered;
    } v4[] =
        {
            {"\x00\x00\x00\x00", false}, {"\x00\xff\xff\xff", false}, {"\x01\x00\x00\x00", true},
            {"\x7e\xff\xff\xff", true},  {"\x7f\x00\x00\x01", false}, {"\x7f\xff\xff\xff", false},
            {"\x80\x00\x00\x00", true},  {"\xdf\xff\xff\xff", true},  {"\xe0\x00\x00\x01", false},
            {"\xf0\x00\x00\x01", false}, {"\xff\xff\xff\xff", false},
        },
      v6[] = {
          {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", false},
          {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", false},
          {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2", true},
          {"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", true},
          {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1", true},
          {"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", true},
          {"\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1", false}, /* as a source */
      };
    static struct frame frame;
    unsigned i, end;

    (void)state;
    for (end = 0; end < 2; end++) {
        for (i = 0; i < RTE_DIM(v4); i++) {
            frames_build4(&frame, 0, 0, 47, 600);
            memcpy(frame.bytes + frame.ip + 12 + 4 * end, v4[i].address, 4);
            assert_int_equal(is_answered(&frame), v4[i].answered);
        }
        for (i = 0; i < RTE_DIM(v6); i++) {
            frames_build6(&frame, 0, 0, 47, 600);
            memcpy(frame.bytes + frame.ip + 8 + 16 * end, v6[i].address, 16);
            assert_int_equal(is_answered(&frame), v6[i].answered || (end == 1 && i == 6));
        }
        frames_build6(&frame, 0, 0, 47, 600);
        frame.bytes[6 * end] |= 1; /* a group of Ethernet */
        assert_int_equal(is_answered(&frame), end == 0);
        frames_build4(&frame, 0, 0, 47, 600);
        frame.bytes[6 * end] |= 1;
        assert_false(is_answered(&frame));
    }
}

static void test_none_without_an_mbuf(void **state)
{
    static struct frame frame;
    struct rte_mbuf *all[FRAME_MBUFS], *mbuf;
    struct spill_packet packet;
    unsigned count = 0;

    (void)state;
    frames_build4(&frame, 0, 0, 47, 600);
    mbuf = frames_lay(&frame, 0);
    packet = frames_parse(mbuf);
    while ((all[count] = rte_pktmbuf_alloc(frames_pool)) != NULL)
        count++;
    assert_null(spill_icmp_too_big(mbuf, &packet, 1400, &own, frames_pool));
    rte_pktmbuf_free_bulk(all, count);
    rte_pktmbuf_free(mbuf);
    assert_int_equal(rte_mempool_in_use_count(frames_pool), 0);
}

/* Mbufs that are too small for an error: none, and nothing lost. */
static void test_none_into_a_small_mbuf(void **state)
{
    struct rte_mempool *small =
        rte_pktmbuf_pool_create("small", 7, 0, 0, RTE_PKTMBUF_HEADROOM + 256, SOCKET_ID_ANY);
    static struct frame frame;
    struct spill_packet packet;
    struct rte_mbuf *mbuf;

    (void)state;
    assert_non_null(small);
    frames_build6(&frame, 0, 0, 47, 600);
    mbuf = frames_lay(&frame, 0);
    packet = frames_parse(mbuf);
    assert_null(spill_icmp_too_big(mbuf, &packet, 1400, &own, small));
    assert_int_equal(rte_mempool_in_use_count(small), 0);
    rte_pktmbuf_free(mbuf);
    rte_mempool_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_errors_answer_any_packet, frames_seed),
        cmocka_unit_test(test_stripped_tags_are_kept),
        cmocka_unit_test(test_none_to_icmp_errors),
        cmocka_unit_test(test_later_fragments),
        cmocka_unit_test(test_groups_are_answered_from_the_port),
        cmocka_unit_test(test_none_without_a_single_host_at_each_end),
        cmocka_unit_test(test_none_without_an_mbuf),
        cmocka_unit_test(test_none_into_a_small_mbuf),
    };

    return cmocka_run_group_tests(tests, frames_start, frames_stop);
}
