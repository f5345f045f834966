/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator's frames: read by spillway's parser, checksums by the plain sum of RFC 1071 (two
 * bytes at a time), flows, sizes, shares and numbers counted.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lcores.h"
#include "packet/parse.h"
#include "traffic.h"

#define BURST  32
#define BURSTS 500
#define MBUFS  63 /* few, so that classes get each other's buffers */
#define STAMP  UINT64_C(0x123456789abcdef)

static struct rte_mempool *pool;

/* A burst as the polling loop makes it. */
struct burst {
    struct rte_mbuf *mbufs[BURST];
    struct spill_load_pick picks[BURST];
    struct spill_packet packets[BURST];
    struct spill_load_probe probes[BURST];
};

static struct spill_load_traffic *traffic_of(const char *const *texts, unsigned count)
{
    struct spill_load_class classes[SPILL_LOAD_CLASSES_MAX];
    struct spill_load_traffic *traffic;
    struct spill_error error;

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(spill_load_class_parse(texts[i], &classes[i], &error), 0);
    assert_int_equal(spill_load_classes_check(classes, count, &error), 0);
    traffic = spill_load_traffic_create(classes, count, SOCKET_ID_ANY, &error);
    assert_non_null(traffic);
    return traffic;
}

#define TRAFFIC(...)                                                                               \
    traffic_of((const char *const[]){__VA_ARGS__},                                                 \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void make(struct spill_load_traffic *traffic, struct burst *burst)
{
    assert_int_equal(rte_pktmbuf_alloc_bulk(pool, burst->mbufs, BURST), 0);
    spill_load_traffic_make(traffic, burst->mbufs, burst->picks, BURST, STAMP);
    spill_parse_burst(burst->mbufs, BURST, 0, burst->packets);
    for (int i = 0; i < BURST; i++) {
        const uint8_t *probe = rte_pktmbuf_mtod_offset(burst->mbufs[i], const uint8_t *,
                                                       burst->packets[i].l4_offset + 8);

        memcpy(&burst->probes[i], probe, sizeof(burst->probes[i]));
    }
}

static uint32_t sum_words(const uint8_t *bytes, uint32_t length)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
    return sum;
}

static uint32_t fold(uint32_t sum)
{
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Lengths and checksums of one frame, read with nothing but the standards. */
static void check_frame(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const uint8_t *ip = frame + packet->l3_offset, *udp = frame + packet->l4_offset;
    const uint32_t length = rte_pktmbuf_data_len(mbuf);
    const uint32_t udp_length = length - packet->l4_offset;

    assert_int_equal(rte_pktmbuf_pkt_len(mbuf), length);
    assert_int_equal(udp[4] << 8 | udp[5], udp_length);
    if (packet->kind == SPILL_PACKET_IPV4) {
        assert_int_equal(ip[2] << 8 | ip[3], length - packet->l3_offset);
        assert_int_equal(fold(sum_words(ip, 20)), 0xffff);
        assert_int_equal(udp[6] << 8 | udp[7], 0); /* none, which IPv4 allows */
        return;
    }
    assert_int_equal(packet->kind, SPILL_PACKET_IPV6);
    assert_int_equal(ip[4] << 8 | ip[5], udp_length);
    assert_int_not_equal(udp[6] << 8 | udp[7], 0);
    assert_int_equal(fold(sum_words(ip + 8, 32) + udp_length + 17 + sum_words(udp, udp_length)),
                     0xffff);
}

static void test_frames(void **unused)
{
    struct spill_load_traffic *traffic =
        TRAFFIC("a:share=40,size=64-1500", "b:share=20,family=6,size=84-1500",
                "c:share=20,family=6,vlan=7,size=88-1518,new=yes", "d:share=20,vlan=4094,size=68");
    static const uint16_t vlans[] = {0, 0, 7, 4094};
    struct burst burst;

    (void)unused;
    for (int round = 0; round < BURSTS; round++) {
        make(traffic, &burst);
        for (int i = 0; i < BURST; i++) {
            const struct spill_packet *packet = &burst.packets[i];
            const struct spill_load_class *class = &traffic->streams[burst.picks[i].class].class;
            const bool v4 = packet->kind == SPILL_PACKET_IPV4;

            check_frame(burst.mbufs[i], packet);
            assert_int_equal(v4, class->family == 4);
            assert_in_range(rte_pktmbuf_data_len(burst.mbufs[i]) + SPILL_LOAD_FCS, class->least,
                            class->most);
            assert_int_equal(v4 ? packet->key.v4.protocol : packet->key.v6.protocol, IPPROTO_UDP);
            assert_int_equal(v4 ? packet->key.v4.vlan : packet->key.v6.vlan,
                             vlans[burst.picks[i].class]);
            assert_int_equal(burst.probes[i].mark, SPILL_LOAD_MARK | burst.picks[i].class);
            assert_int_equal(burst.probes[i].flow, burst.picks[i].flow);
            assert_int_equal(burst.probes[i].sequence, burst.picks[i].sequence);
            assert_true(burst.probes[i].stamp == STAMP);
        }
        rte_pktmbuf_free_bulk(burst.mbufs, BURST);
    }
    spill_load_traffic_free(traffic);
}

/* Addresses stay within their prefixes, and spread over them. */
static void test_prefixes(void **unused)
{
    struct spill_load_traffic *traffic = TRAFFIC("a:from=10.1.2.0/29,to=172.16.5.4/32");
    struct burst burst;
    unsigned seen = 0;

    (void)unused;
    for (int round = 0; round < 8; round++) {
        make(traffic, &burst);
        for (int i = 0; i < BURST; i++) {
            const uint8_t *ip = rte_pktmbuf_mtod_offset(burst.mbufs[i], const uint8_t *, 14);

            assert_memory_equal(ip + 12, "\x0a\x01\x02", 3);
            assert_in_range(ip[15], 0, 7);
            assert_memory_equal(ip + 16, "\xac\x10\x05\x04", 4);
            seen |= 1u << ip[15];
        }
        rte_pktmbuf_free_bulk(burst.mbufs, BURST);
    }
    assert_int_equal(seen, 0xff);
    spill_load_traffic_free(traffic);
}

/* The ports as one number: what tells flows apart. */
static uint32_t ports_of(const struct rte_mbuf *mbuf)
{
    uint32_t ports;

    memcpy(&ports, rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, 34), sizeof(ports));
    return rte_be_to_cpu_32(ports);
}

/* All flows take turns, no two of two classes have the same ports, and each counts for itself. */
static void test_flows(void **unused)
{
    enum { FLOWS = 5000, TURNS = 3, PACKETS = 2 * TURNS * FLOWS };
    struct spill_load_traffic *traffic = TRAFFIC("a:share=50,flows=5000", "b:share=50,flows=5000");
    static uint32_t turns[2][FLOWS], ports[2][FLOWS];
    static uint8_t taken[1 << 27]; /* a bit for each pair of ports above 32767 */
    struct burst burst;

    (void)unused;
    for (int made = 0; made < PACKETS;) {
        make(traffic, &burst);
        for (int i = 0; i < BURST && made < PACKETS; i++, made++) {
            const struct spill_load_pick *pick = &burst.picks[i];
            uint32_t *turn = &turns[pick->class][pick->flow], both = ports_of(burst.mbufs[i]);

            assert_true((both & 0x80008000) == 0x80008000);
            both = (both >> 16 & 0x7fff) << 15 | (both & 0x7fff);
            assert_int_equal(pick->sequence, *turn);
            assert_int_equal(*turn, made / (2 * FLOWS));
            if ((*turn)++ == 0) {
                assert_int_equal(taken[both / 8] & 1 << both % 8, 0);
                taken[both / 8] |= (uint8_t)(1 << both % 8);
                ports[pick->class][pick->flow] = both;
            }
            assert_int_equal(ports[pick->class][pick->flow], both);
        }
        rte_pktmbuf_free_bulk(burst.mbufs, BURST);
    }
    spill_load_traffic_free(traffic);
}

/* New flows are new, across trials too, and one slot sees their numbers in order. */
static void test_new_flows(void **unused)
{
    struct spill_load_traffic *traffic = TRAFFIC("a:new=yes");
    uint64_t last = 0;
    struct burst burst;

    (void)unused;
    for (int round = 0; round < 3 * SPILL_LOAD_NEW_WINDOW / BURST; round++) {
        const bool again = round == SPILL_LOAD_NEW_WINDOW / BURST + 7;

        if (again)
            spill_load_traffic_restart(traffic);
        make(traffic, &burst);
        for (int i = 0; i < BURST; i++) {
            struct spill_load_flow *slot =
                spill_load_stream_slot(&traffic->streams[0], burst.picks[i].flow);

            assert_true(last == 0 || burst.picks[i].flow > last);
            last = burst.picks[i].flow;
            assert_ptr_equal(slot, &traffic->streams[0].flows[burst.picks[i].slot]);
            assert_int_equal(burst.picks[i].sequence, slot->expected);
            assert_int_equal(spill_load_arrive(slot, burst.picks[i].sequence), SPILL_LOAD_IN_ORDER);
        }
        rte_pktmbuf_free_bulk(burst.mbufs, BURST);
    }
    spill_load_traffic_free(traffic);
}

/* What was taken back is sent again under the same numbers. */
static void test_take_back(void **unused)
{
    struct spill_load_traffic *traffic = TRAFFIC("a:share=60,flows=3", "b:share=40,new=yes");
    uint32_t next[3] = {0}, next_new = 0;
    struct burst burst;

    (void)unused;
    for (uint32_t round = 0; round < 200; round++) {
        const uint32_t kept = round * 7 % (BURST + 1);

        make(traffic, &burst);
        for (uint32_t i = 0; i < kept; i++) {
            if (burst.picks[i].class == 0)
                assert_int_equal(burst.picks[i].sequence, next[burst.picks[i].flow]++);
            else
                assert_int_equal(burst.picks[i].flow, next_new++);
        }
        spill_load_traffic_take_back(traffic, burst.picks + kept, BURST - kept);
        rte_pktmbuf_free_bulk(burst.mbufs, BURST);
    }
    spill_load_traffic_free(traffic);
}

/* Shares hold within each hundred packets, and IMIX is 7 : 4 : 1. */
static void test_mix(void **unused)
{
    struct spill_load_traffic *traffic =
        TRAFFIC("a:share=73,size=imix", "b:share=20,size=100", "c:share=7,size=200-201");
    unsigned classes[3] = {0}, sizes[2048] = {0};
    struct burst burst;
    const int rounds = 300; /* 9 600 packets: 96 hundreds, 584 rounds of IMIX */

    (void)unused;
    for (int round = 0; round < rounds; round++) {
        make(traffic, &burst);
        for (int i = 0; i < BURST; i++) {
            classes[burst.picks[i].class]++;
            sizes[rte_pktmbuf_data_len(burst.mbufs[i]) + SPILL_LOAD_FCS]++;
        }
        rte_pktmbuf_free_bulk(burst.mbufs, BURST);
    }
    assert_int_equal(classes[0], 73 * 96);
    assert_int_equal(classes[1], 20 * 96);
    assert_int_equal(classes[2], 7 * 96);
    assert_int_equal(sizes[64], 584 * 7);
    assert_int_equal(sizes[570], 584 * 4);
    assert_int_equal(sizes[1518], 584);
    assert_int_equal(sizes[100], 20 * 96);
    assert_int_equal(sizes[200] + sizes[201], 7 * 96);
    assert_in_range(sizes[200], 7 * 96 / 3, 7 * 96 * 2 / 3);
    spill_load_traffic_free(traffic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),    cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_flows),     cmocka_unit_test(test_new_flows),
        cmocka_unit_test(test_take_back), cmocka_unit_test(test_mix),
    };

    test_eal_start(1, 64, NULL);
    pool = rte_pktmbuf_pool_create("frames", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (pool == NULL)
        return 1;
    spill_load_traffic_clear(pool);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
