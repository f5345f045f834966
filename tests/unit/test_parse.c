/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parser: against an oracle (parse_oracle.h) on random frames, valid and hostile, contiguous
 * and cut into segments at every place; and frames made by hand, one for each rule.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "packet/parse.h"
#include "packet/parse_shared.h"

#include "parse_cases.h"
#include "parse_check.h"
#include "parse_frames.h"

#define RANDOM_FRAMES 200000
#define CUT_FRAMES    5000

/* ---- Tests on random frames ---- */

static int seed_random(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

    (void)state;
    print_message("SEED=%u\n", seed);
    srand(seed);
    return 0;
}

/** Valid frames in bursts of every size: each is understood, and nothing behind the burst written.
 */
static void test_valid_bursts(void **state)
{
    static struct frame frames[SPILL_BURST];
    struct spill_packet packets[SPILL_BURST + 1], untouched;
    struct rte_mbuf *mbufs[SPILL_BURST];
    unsigned i, round, count;

    (void)state;
    memset(&untouched, 0xa5, sizeof(untouched));
    for (round = 0; round < RANDOM_FRAMES / SPILL_BURST; round++) {
        count = round % (SPILL_BURST + 1);
        for (i = 0; i < count; i++) {
            build_valid(&frames[i]);
            mbufs[i] = parse_check_lay(&frames[i], i, NULL, 0);
        }
        memset(packets, 0xa5, sizeof(packets));
        spill_parse_burst(mbufs, count, PARSE_CHECK_NETWORK, packets);
        for (i = 0; i < count; i++) {
            struct expected expected = oracle(&frames[i]);

            if (expected.kind == SPILL_PACKET_MALFORMED ||
                !parse_check_agrees(&expected, &packets[i])) {
                parse_check_show(&frames[i]);
                fail_msg("kind %u drop %u, expected kind %u drop %s", packets[i].kind,
                         packets[i].drop, expected.kind,
                         expected.drop == NULL ? "none" : expected.drop->name);
            }
        }
        assert_memory_equal(&packets[count], &untouched, sizeof(untouched));
    }
}

static void test_hostile_frames(void **state)
{
    struct frame frame;
    unsigned i;

    (void)state;
    for (i = 0; i < RANDOM_FRAMES; i++) {
        build_valid(&frame);
        mutate(&frame);
        parse_check_mbuf(&frame, parse_check_lay(&frame, 0, NULL, 0));
    }
}

/** Where a quick way understands a frame, the careful one has the same to say, to the bit. */
static void test_ways_agree(void **state)
{
    struct spill_packet packet, careful;
    struct rte_mbuf *mbuf;
    struct frame frame;
    uint32_t cut;

    (void)state;
    for (unsigned i = 0; i < RANDOM_FRAMES; i++) {
        build_valid(&frame);
        if (one_in(2))
            mutate(&frame);
        cut = below(frame.length + 1);
        mbuf = parse_check_lay(&frame, 0, &cut, one_in(4));
        memset(&packet, 0xa5, sizeof(packet));
        memset(&careful, 0xa5, sizeof(careful));
        spill_parse_burst(&mbuf, 1, PARSE_CHECK_NETWORK, &packet);
        spill_parse_carefully(mbuf, PARSE_CHECK_NETWORK, &careful);
        if (memcmp(&packet, &careful, sizeof(packet)) != 0) {
            parse_check_show(&frame);
            fail_msg("kind %u drop %u, carefully kind %u drop %u", packet.kind, packet.drop,
                     careful.kind, careful.drop);
        }
    }
}

static void test_truncated_everywhere(void **state)
{
    struct frame frame;
    unsigned i;

    (void)state;
    for (i = 0; i < CUT_FRAMES; i++) {
        build_valid(&frame);
        while (frame.length-- > 0)
            parse_check_mbuf(&frame, parse_check_lay(&frame, 0, NULL, 0));
    }
}

static void test_cut_everywhere(void **state)
{
    struct frame frame;
    uint32_t cuts[2];
    unsigned i;

    (void)state;
    for (i = 0; i < CUT_FRAMES; i++) {
        build_valid(&frame);
        if (one_in(2))
            mutate(&frame);
        parse_check_cuts(&frame);
        cuts[0] = below(frame.length + 1);
        cuts[1] = cuts[0] + below(frame.length - cuts[0] + 1);
        parse_check_mbuf(&frame, parse_check_lay(&frame, 0, cuts, 2));
    }
}

/* ---- Tests by hand ---- */

/** Makes a frame of the bytes that a string gives in hexadecimal, behind two MAC addresses. */
static void frame_of(struct frame *frame, const char *hex)
{
    unsigned byte;
    int used;

    memset(frame, 0, sizeof(*frame));
    frame->length = 12;
    for (; sscanf(hex, "%2x%n", &byte, &used) == 1; hex += used)
        frame->bytes[frame->length++] = (uint8_t)byte;
}

static void test_each_rule(void **state)
{
    struct spill_packet packet;
    struct rte_mbuf *mbuf;
    struct frame frame;
    unsigned i;

    (void)state;
    for (i = 0; i < RTE_DIM(cases); i++) {
        bool v6 = cases[i].kind == SPILL_PACKET_IPV6;

        frame_of(&frame, cases[i].hex);
        mbuf = parse_check_lay(&frame, 0, NULL, 0);
        spill_parse_burst(&mbuf, 1, PARSE_CHECK_NETWORK, &packet);
        if (packet.kind != cases[i].kind || packet.has_ports != cases[i].has_ports ||
            packet.drop != (cases[i].drop == NULL ? 0 : cases[i].drop->id))
            fail_msg("%s: kind %u drop %u", cases[i].hex, packet.kind, packet.drop);
        if (v6 || cases[i].kind == SPILL_PACKET_IPV4) {
            assert_int_equal(v6 ? packet.key.v6.protocol : packet.key.v4.protocol,
                             cases[i].protocol);
            assert_int_equal(v6 ? packet.key.v6.zone : packet.key.v4.zone,
                             (PARSE_CHECK_NETWORK ^ packet.direction) |
                                 (cases[i].later ? SPILL_FLOW_FRAGMENT : 0));
        }
        parse_check_cuts(&frame);
    }
}

/** What is wrong with options and extension headers, and of whose packet. */
static void test_problems(void **state)
{
    static const struct {
        const char *hex;
        uint32_t pointer; /* 0: nothing is told */
        uint8_t code;
    } frames[] = {
        {OPTIONS4("94010000"), 21, 0}, /* shorter than itself */
        {OPTIONS4("01940400"), 22, 0}, /* longer than the header */
        {OPTIONS4("01010194"), 23, 0}, /* no length */
        {OPTIONS4("83010000"), 21, 0}, /* a source route that is wrong; one that is right: */
        {OPTIONS4("83030400"), 0, 0},
        {OPTIONS4("94040000"), 0, 0}, /* nothing is wrong */
        {V4("0018", "4000", "11") UDP, 0, 0},
        {V6("0010", "3c") "3cff 0000 0000 0000" UDP, 41, SPILL_PROBLEM_FIELD},
        {V6("0018", "3c") NEXT("00") NEXT("11") UDP, 40, SPILL_PROBLEM_NEXT_HEADER},
        {V6("0010", "2b") "1100 0401 00000000" UDP, 42, SPILL_PROBLEM_FIELD},
        {V6("0004", "3c") "1100 0000", 6, SPILL_PROBLEM_FIELD},
        {V6("0048", "3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c")
             NEXT("3c") NEXT("3c") NEXT("3b"),
         104, SPILL_PROBLEM_TOO_MANY},
        {V6("0010", "3c") NEXT("11") UDP, 0, 0},
        /* A header that the next fragment may end; and where a fragment, or what it is of, can't be
         * known. */
        {V6("0010", "2c") "3c00 0001 00000000"
                          "11ff 0000 0000 0000",
         0, 0},
        {V6("000c", "2c") "3c00 0001 00000000"
                          "1100 0000",
         0, 0},
        {V6("0020", "3c") NEXT("00") NEXT("2c") NEXT("11") UDP, 0, 0},
        {V6("0088", "3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c")
             NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c") NEXT("3c")
                 NEXT("3c") NEXT("3c") NEXT("3b"),
         0, 0},
        {V6("0009", "11") UDP, 0, 0}, /* the frame is too short */
    };
    struct spill_parse_problem problem;
    struct spill_packet packet;
    struct frame frame;
    uint32_t i, cut;

    (void)state;
    for (i = 0; i < RTE_DIM(frames); i++) {
        frame_of(&frame, frames[i].hex);
        for (cut = 0; cut <= frame.length; cut++) {
            const bool v4 = frame.bytes[12] == 8;
            const uint8_t *source;

            if (spill_parse_problem(parse_check_lay(&frame, 0, &cut, 1), PARSE_CHECK_NETWORK,
                                    &packet, &problem) != (frames[i].pointer != 0))
                fail_msg("%s: pointer %u", frames[i].hex, problem.pointer);
            if (frames[i].pointer == 0)
                continue;
            assert_int_equal(problem.pointer, frames[i].pointer);
            assert_int_equal(problem.code, frames[i].code);
            assert_int_equal(packet.kind, v4 ? SPILL_PACKET_IPV4 : SPILL_PACKET_IPV6);
            assert_int_equal(packet.length, frame.length - 14);
            source = v4 ? (const uint8_t *)&packet.key.v4.address[packet.direction]
                        : packet.key.v6.address[packet.direction];
            assert_memory_equal(source, frame.bytes + (v4 ? 26 : 22), v4 ? 4 : 16);
        }
    }
}

/** Where ESP is told, and where not. */
static void test_esp(void **state)
{
    static const struct {
        const char *hex;
        enum spill_esp esp;
        uint16_t l4_offset;
        bool has_ports, fragment, malformed;
    } frames[] = {
        {V4("001c", "4000", "32") ESP, SPILL_ESP_PLAIN, 34, false, false, false},
        {V4("001b", "4000", "32") ESP, SPILL_ESP_NONE, 0, false, false, true},
        {V6("0008", "32") ESP, SPILL_ESP_PLAIN, 54, false, false, false},
        {V6("0007", "32") ESP, SPILL_ESP_NONE, 0, false, false, true},
        {V6("0010", "3c") NEXT("32") ESP, SPILL_ESP_PLAIN, 62, false, false, false},
        {"8100 0001 " V4("001c", "4000", "32") ESP, SPILL_ESP_PLAIN, 38, false, false, false},
        /* A first fragment has the header, a later one has not, however it may look. */
        {V4("001c", "2000", "32") ESP, SPILL_ESP_PLAIN, 34, false, true, false},
        {V4("001c", "2001", "32") ESP, SPILL_ESP_NONE, 34, false, true, false},
        {V4("0015", "0001", "32") "00", SPILL_ESP_NONE, 34, false, true, false},
        {V6("0010", "2c") "3200 0001 00000000" ESP, SPILL_ESP_PLAIN, 62, false, true, false},
        {V6("0010", "2c") "3200 0000 00000000" ESP, SPILL_ESP_PLAIN, 62, false, false, false},
        {V6("0010", "2c") "3200 0080 00000000" ESP, SPILL_ESP_NONE, 62, false, true, false},
        /* UDP to port 4500, whoever sends it; no other protocol, nor the other way. */
        {V4("001c", "4000", "11") "1194 1194 0008 0000", SPILL_ESP_UDP, 34, true, false, false},
        {V4("001c", "4000", "11") "04d2 1194 0008 0000", SPILL_ESP_UDP, 34, true, false, false},
        {V4("001c", "4000", "11") "1194 04d2 0008 0000", SPILL_ESP_NONE, 34, true, false, false},
        {V4("001c", "4000", "11") "04d2 1194 0009 0000", SPILL_ESP_NONE, 0, false, false, true},
        {V4("001c", "4000", "88") "04d2 1194 0008 0000", SPILL_ESP_NONE, 34, true, false, false},
        {V4("001c", "2001", "11") "04d2 1194 0008 0000", SPILL_ESP_NONE, 34, false, true, false},
        {V6("0008", "11") "04d2 1194 0008 0000", SPILL_ESP_UDP, 54, true, false, false},
    };
    struct spill_packet packet;
    struct rte_mbuf *mbuf;
    struct frame frame;
    unsigned i;

    (void)state;
    for (i = 0; i < RTE_DIM(frames); i++) {
        frame_of(&frame, frames[i].hex);
        mbuf = parse_check_lay(&frame, 0, NULL, 0);
        memset(&packet, 0xa5, sizeof(packet));
        spill_parse_burst(&mbuf, 1, PARSE_CHECK_NETWORK, &packet);
        print_message("%s\n", frames[i].hex);
        assert_int_equal(packet.esp, frames[i].esp);
        assert_int_equal(packet.l4_offset, frames[i].l4_offset);
        assert_int_equal(packet.has_ports, frames[i].has_ports);
        assert_int_equal(packet.fragment, frames[i].fragment);
        assert_int_equal(packet.drop, frames[i].malformed ? spill_malformed_transport.id : 0);
        parse_check_cuts(&frame);
    }
}

/* What is told of a packet is what stands in it; of one that is reversed the other way round. */
static void assert_ends(struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);
    const uint8_t *ports = ip + packet->l4_offset - packet->l3_offset;
    const bool v4 = packet->kind == SPILL_PACKET_IPV4;
    const size_t size = v4 ? 4 : 16;
    struct spill_packet asked = *packet;
    uint8_t address[2][16];
    uint16_t port[2];
    unsigned reversed, end;

    for (reversed = 0; reversed < 2; reversed++) {
        asked.reversed = reversed & 1;
        assert_int_equal(spill_packet_ends(&asked, address, port), SPILL_PACKET_PORTS);
        for (end = 0; end < 2; end++) {
            const unsigned in = end ^ reversed;

            assert_memory_equal(address[end], ip + (v4 ? 12 : 8) + in * size, size);
            assert_int_equal(port[end], ports[2 * in] << 8 | ports[2 * in + 1]);
        }
    }
}

/** A packet and its answer have one key and one hash, and opposite directions. */
static void test_both_directions(void **state)
{
    static const char *const pairs[][2] = {
        {"0800 4500001c 00004000 40110000 0a000001 0a000002 0050 04d2 0008 0000",
         "0800 4500001c 00004000 40110000 0a000002 0a000001 04d2 0050 0008 0000"},
        {"0800 4500001c 00004000 40110000 7f000001 7f000001 0050 04d2 0008 0000",
         "0800 4500001c 00004000 40110000 7f000001 7f000001 04d2 0050 0008 0000"},
        {"0800 4500001c 00004000 40110000 01000002 02000001 0050 04d2 0008 0000",
         "0800 4500001c 00004000 40110000 02000001 01000002 04d2 0050 0008 0000"},
        {"86dd 60000000 0008 1140 00000000000000000000000000000001 00000000000000000000000000000100"
         "0100 0002 0008 0000",
         "86dd 60000000 0008 1140 00000000000000000000000000000100 00000000000000000000000000000001"
         "0002 0100 0008 0000"},
        {"86dd 60000000 0008 1140 00000000000000000000000000000001 00000000000000000000000000000001"
         "0002 0100 0008 0000",
         "86dd 60000000 0008 1140 00000000000000000000000000000001 00000000000000000000000000000001"
         "0100 0002 0008 0000"},
    };
    struct spill_packet packets[2];
    struct rte_mbuf *mbufs[2];
    struct frame frames[2];
    unsigned i, side;

    (void)state;
    for (i = 0; i < RTE_DIM(pairs); i++) {
        for (side = 0; side < 2; side++) {
            frame_of(&frames[side], pairs[i][side]);
            mbufs[side] = parse_check_lay(&frames[side], side, NULL, 0);
            spill_parse_burst(&mbufs[side], 1, (uint8_t)(PARSE_CHECK_NETWORK ^ side),
                              &packets[side]);
        }
        for (side = 0; side < 2; side++)
            assert_ends(mbufs[side], &packets[side]);
        assert_int_equal(packets[0].direction, 0);
        assert_int_equal(packets[1].direction, 1);
        assert_memory_equal(&packets[0].key, &packets[1].key,
                            packets[0].kind == SPILL_PACKET_IPV4 ? sizeof(packets[0].key.v4)
                                                                 : sizeof(packets[0].key.v6));
        assert_int_equal(spill_packet_hash(&packets[0], 7), spill_packet_hash(&packets[1], 7));
        assert_int_not_equal(spill_packet_hash(&packets[0], 7), spill_packet_hash(&packets[0], 8));
        /* By one end of the wire they are two connections. */
        spill_parse_burst(&mbufs[1], 1, PARSE_CHECK_NETWORK, &packets[1]);
        assert_memory_not_equal(&packets[0].key, &packets[1].key,
                                packets[0].kind == SPILL_PACKET_IPV4 ? sizeof(packets[0].key.v4)
                                                                     : sizeof(packets[0].key.v6));
        /* But not where one port has both directions. */
        spill_parse_burst(mbufs, 2, PARSE_CHECK_NETWORK | SPILL_FLOW_ONE_END, packets);
        assert_memory_equal(&packets[0].key, &packets[1].key,
                            packets[0].kind == SPILL_PACKET_IPV4 ? sizeof(packets[0].key.v4)
                                                                 : sizeof(packets[0].key.v6));
    }
}

/** A packet's source and destination are found where parse.h says. */
static void test_own_direction(void **state)
{
    struct spill_packet packet;
    struct rte_mbuf *mbuf;
    struct frame frame;

    (void)state;
    frame_of(&frame, "0800 4500001c 00004000 40110000 0a000009 0a000002 1234 5678 0008 0000");
    mbuf = parse_check_lay(&frame, 0, NULL, 0);
    spill_parse_burst(&mbuf, 1, PARSE_CHECK_NETWORK, &packet);
    assert_int_equal(packet.direction, 1);
    assert_int_equal(packet.key.v4.address[packet.direction], RTE_BE32(0x0a000009));
    assert_int_equal(packet.key.v4.address[!packet.direction], RTE_BE32(0x0a000002));
    assert_int_equal(packet.key.v4.port[packet.direction], RTE_BE16(0x1234));
    assert_int_equal(packet.key.v4.port[!packet.direction], RTE_BE16(0x5678));
}

/* Messages between two hosts; `back`: sent by the other one. The first of each is a query. */
#define ICMP(from, to, message)  "0800 4500001c 00004000 40010000 " from to message
#define ICMP6(from, to, message) "86dd 6000000000083a40" from to message
#define HOST_A                   "0a000001"
#define HOST_B                   "0a000002"
#define HOST_A6                  "20010db8000000000000000000000001"
#define HOST_B6                  "20010db8000000000000000000000002"

/** A query and its answers have one key, and no other message has it. */
static void test_icmp_queries(void **state)
{
    static const struct {
        const char *query, *other;
        bool same;
    } messages[] = {
        {ICMP(HOST_A, HOST_B, "08000000 00010001"), ICMP(HOST_B, HOST_A, "00000000 00010002"),
         true},
        {ICMP(HOST_B, HOST_A, "08000000 00010001"), ICMP(HOST_A, HOST_B, "00000000 00010001"),
         true},
        {ICMP(HOST_A, HOST_B, "0d000000 00010001"), ICMP(HOST_B, HOST_A, "0e000000 00010001"),
         true},
        {ICMP(HOST_A, HOST_B, "08000000 00010001"), ICMP(HOST_A, HOST_B, "08000000 00010002"),
         true},
        /* another identifier, another type of answer, the same from the one who asked */
        {ICMP(HOST_A, HOST_B, "08000000 00010001"), ICMP(HOST_B, HOST_A, "00000000 00020001"),
         false},
        {ICMP(HOST_A, HOST_B, "08000000 00010001"), ICMP(HOST_B, HOST_A, "0e000000 00010001"),
         false},
        {ICMP(HOST_A, HOST_B, "08000000 00010001"), ICMP(HOST_A, HOST_B, "00000000 00010001"),
         false},
        /* a query the other way, whatever its identifier */
        {ICMP(HOST_A, HOST_B, "08000000 00010001"), ICMP(HOST_B, HOST_A, "08000000 00010001"),
         false},
        {ICMP(HOST_A, HOST_B, "08000000 08000001"), ICMP(HOST_B, HOST_A, "08000000 08000001"),
         false},
        /* what nothing answers, either way */
        {ICMP(HOST_A, HOST_B, "05010000 00010001"), ICMP(HOST_B, HOST_A, "05010000 00010001"),
         false},
        {ICMP(HOST_A, HOST_B, "08010000 00010001"), ICMP(HOST_B, HOST_A, "00010000 00010001"),
         false},
        {ICMP6(HOST_A6, HOST_B6, "80000000 00010001"), ICMP6(HOST_B6, HOST_A6, "81000000 00010001"),
         true},
        {ICMP6(HOST_A6, HOST_B6, "80000000 00010001"), ICMP6(HOST_B6, HOST_A6, "80000000 00010001"),
         false},
        {ICMP6(HOST_A6, HOST_B6, "86000000 00010001"), ICMP6(HOST_B6, HOST_A6, "86000000 00010001"),
         false},
    };
    struct spill_packet packets[2];
    struct rte_mbuf *mbuf;
    struct frame frame;

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(messages); i++) {
        const bool back = strncmp(messages[i].query, messages[i].other, 60) != 0;

        frame_of(&frame, messages[i].query);
        parse_check_cuts(&frame);
        mbuf = parse_check_lay(&frame, 0, NULL, 0);
        spill_parse_burst(&mbuf, 1, PARSE_CHECK_NETWORK, &packets[0]);
        frame_of(&frame, messages[i].other);
        parse_check_cuts(&frame);
        mbuf = parse_check_lay(&frame, 0, NULL, 0);
        spill_parse_burst(&mbuf, 1, PARSE_CHECK_NETWORK ^ back, &packets[1]);
        if ((memcmp(&packets[0].key, &packets[1].key,
                    packets[0].kind == SPILL_PACKET_IPV4 ? sizeof(packets[0].key.v4)
                                                         : sizeof(packets[0].key.v6)) == 0) !=
            messages[i].same)
            fail_msg("%s and %s", messages[i].query, messages[i].other);
        assert_int_equal(packets[0].step, SPILL_STEP_NONE);
    }
}

/** What may be ESP between two addresses meets on one lcore, whatever else it has. */
static void test_hash_of_gateways(void **state)
{
    static const char *const alike[] = {
        "0800 4500001c 00004000 40320000 0a000001 0a000002 00001001 00000001", /* ESP */
        "0800 4500001c 00002000 40320000 0a000001 0a000002 00001001 00000001", /* in fragments */
        "0800 4500001c 00000001 40320000 0a000001 0a000002 00001001 00000001",
        "0800 4500001c 00004000 40110000 0a000001 0a000002 1194 1194 0008 0000", /* in UDP */
        "0800 4500001c 00004000 40110000 0a000001 0a000002 4e20 1194 0008 0000", /* NAT */
        "0800 4500001c 00004000 40110000 0a000002 0a000001 1194 4e21 0008 0000", /* back */
        "0800 4500001c 00000001 40110000 0a000001 0a000002 0000 0000 0008 0000", /* fragment */
        "8100 0007 0800 4500001c 00004000 40320000 0a000001 0a000002 00001001 00000001"};
    static const char *const other =
        "0800 4500001c 00004000 40110000 0a000001 0a000002 4e20 1195 0008 0000";
    struct spill_packet packet;
    struct rte_mbuf *mbuf;
    struct frame frame;
    uint32_t hash = 0;
    unsigned i;

    (void)state;
    for (i = 0; i < RTE_DIM(alike); i++) {
        frame_of(&frame, alike[i]);
        mbuf = parse_check_lay(&frame, 0, NULL, 0);
        spill_parse_burst(&mbuf, 1, (uint8_t)(i % 4), &packet);
        assert_int_equal(packet.kind, SPILL_PACKET_IPV4);
        if (i == 0)
            hash = spill_packet_hash(&packet, 99);
        assert_int_equal(spill_packet_hash(&packet, 99), hash);
    }
    frame_of(&frame, other);
    mbuf = parse_check_lay(&frame, 0, NULL, 0);
    spill_parse_burst(&mbuf, 1, 0, &packet);
    assert_int_not_equal(spill_packet_hash(&packet, 99), hash);
}

/** Flows spread over lcores; packets without a key stay together. */
static void test_hash_spreads(void **state)
{
    struct spill_packet packet = {.kind = SPILL_PACKET_OTHER};
    unsigned buckets[2][8] = {{0}};
    unsigned i;

    (void)state;
    assert_int_equal(spill_packet_hash(&packet, 99), 99);
    packet.kind = SPILL_PACKET_MALFORMED;
    assert_int_equal(spill_packet_hash(&packet, 99), 99);
    for (i = 0; i < 8000; i++) {
        memset(&packet, 0, sizeof(packet));
        packet.kind = SPILL_PACKET_IPV4;
        packet.key.v4.address[1] = i;
        buckets[0][spill_packet_hash(&packet, 99) % 8]++;
        memset(&packet, 0, sizeof(packet));
        packet.kind = SPILL_PACKET_IPV6;
        packet.key.v6.port[1] = (uint16_t)i;
        buckets[1][spill_packet_hash(&packet, 99) % 8]++;
    }
    for (i = 0; i < 8; i++) {
        assert_in_range(buckets[0][i], 800, 1200);
        assert_in_range(buckets[1][i], 800, 1200);
    }
}

int main(void)
{
    char *arguments[] = {"test_parse",    "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
                         "--log-level=4", "-m",        "64",       "-l",          "0"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_valid_bursts, seed_random),
        cmocka_unit_test_setup(test_hostile_frames, seed_random),
        cmocka_unit_test_setup(test_ways_agree, seed_random),
        cmocka_unit_test_setup(test_truncated_everywhere, seed_random),
        cmocka_unit_test_setup(test_cut_everywhere, seed_random),
        cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_esp),
        cmocka_unit_test(test_both_directions),
        cmocka_unit_test(test_own_direction),
        cmocka_unit_test(test_icmp_queries),
        cmocka_unit_test(test_hash_of_gateways),
        cmocka_unit_test(test_hash_spreads),
    };
    int failed;

    if (rte_eal_init(RTE_DIM(arguments), arguments) < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, parse_check_start, parse_check_stop);
    rte_eal_cleanup();
    return failed;
}
