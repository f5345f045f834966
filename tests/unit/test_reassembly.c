/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP in fragments, put together again: any order, all bounds, and what an attacker makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <cmocka.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "lcores.h"
#include "packet/fragment_ipv6.h"
#include "packet/parse.h"
#include "pipeline/reassembly.h"
#include "poison.h"

#define MBUFS   1023
#define LINK    14
#define PAYLOAD 1600
#define SECOND  1000u

static struct rte_mempool *pool;
static struct spill_ledger ledger;
static struct spill_reassembly table;
static uint8_t payload[PAYLOAD];

static int setup(void **state)
{
    (void)state;
    memset(&ledger, 0, sizeof(ledger));
    memset(&table, 0, sizeof(table));
    table.timeout = SPILL_REASSEMBLY_SECONDS * SECOND;
    table.ledger = &ledger;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    spill_reassembly_expire(&table, UINT64_MAX);
    assert_int_equal(table.used, 0);
    assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
    return 0;
}

static uint64_t drops(const char *name)
{
    uint32_t i;

    for (i = 0; i < spill_drop_reason_count(); i++) {
        if (strcmp(spill_drop_reason_get((uint8_t)i)->name, name) == 0)
            return ledger.dropped[i];
    }
    fail_msg("no reason %s", name);
    return 0;
}

/* A fragment of a payload of ESP, `length` bytes of it from `offset`. */
static struct rte_mbuf *fragment(bool ipv6, uint32_t id, uint32_t offset, uint32_t length,
                                 bool more)
{
    const uint32_t headers = ipv6 ? 48 : 20;
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
    uint8_t *frame;

    assert_non_null(mbuf);
    frame = (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)(LINK + headers + length + 3));
    memset(frame, 0, LINK + headers);
    memset(frame + LINK + headers + length, 0xee, 3); /* a trailer */
    if (ipv6) {
        struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(frame + LINK);

        frame[12] = 0x86;
        frame[13] = 0xdd;
        ip->vtc_flow = RTE_BE32(0x60000000);
        ip->payload_len = rte_cpu_to_be_16((uint16_t)(8 + length));
        ip->proto = IPPROTO_FRAGMENT;
        frame[LINK + 8] = frame[LINK + 24] = 0x20;
        frame[LINK + 39] = 1;
        frame[LINK + 40] = IPPROTO_ESP;
        frame[LINK + 42] = (uint8_t)(offset >> 8);
        frame[LINK + 43] = (uint8_t)(offset | more);
        frame[LINK + 47] = (uint8_t)id;
    } else {
        struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + LINK);

        frame[12] = 0x08;
        ip->version_ihl = RTE_IPV4_VHL_DEF;
        ip->total_length = rte_cpu_to_be_16((uint16_t)(headers + length));
        ip->packet_id = rte_cpu_to_be_16((uint16_t)id);
        ip->fragment_offset =
            rte_cpu_to_be_16((uint16_t)(offset / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
        ip->next_proto_id = IPPROTO_ESP;
        ip->src_addr = RTE_BE32(0x0a000001);
        ip->dst_addr = RTE_BE32(0x0a000002);
    }
    memcpy(frame + LINK + headers, payload + offset, length);
    return mbuf;
}

static struct spill_datagram *take(struct rte_mbuf *mbuf, uint64_t now)
{
    struct spill_packet packet;

    spill_parse_burst(&mbuf, 1, 0, &packet);
    assert_true(packet.kind <= SPILL_PACKET_IPV6 && packet.fragment != 0);
    return spill_reassembly_take(&table, mbuf, &packet, now);
}

static void check_whole(struct rte_mbuf *mbuf, bool ipv6, uint32_t total)
{
    const uint32_t headers = ipv6 ? 40 : 20;
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    struct spill_packet packet;

    assert_int_equal(mbuf->nb_segs, 1);
    assert_int_equal(rte_pktmbuf_pkt_len(mbuf), LINK + headers + total);
    spill_parse_burst(&mbuf, 1, 0, &packet);
    assert_int_equal(packet.kind, ipv6 ? SPILL_PACKET_IPV6 : SPILL_PACKET_IPV4);
    assert_int_equal(packet.esp, SPILL_ESP_PLAIN);
    assert_int_equal(packet.fragment, 0);
    assert_int_equal(packet.length, headers + total);
    if (!ipv6)
        assert_int_equal(rte_raw_cksum(frame + LINK, 20), 0xffff);
    assert_memory_equal(frame + LINK + headers, payload, total);
    rte_pktmbuf_free(mbuf);
}

/* Pieces in any order make the whole; the last of them to come brings it. */
static void fragments_come_in_any_order(void **state)
{
    uint64_t random = test_seed() | 1;
    uint32_t round, count, i, j;

    (void)state;
    for (round = 0; round < TEST_ROUNDS(500); round++) {
        bool ipv6 = round % 2 != 0;
        uint32_t cuts[SPILL_REASSEMBLY_PIECES + 1] = {0}, order[SPILL_REASSEMBLY_PIECES] = {0};
        uint32_t total = 200 + (uint32_t)test_random_below(&random, PAYLOAD - 200);
        struct spill_datagram *whole = NULL;
        struct rte_mbuf *mbuf;

        count = 2 + (uint32_t)test_random_below(&random, SPILL_REASSEMBLY_PIECES - 1);
        for (i = 1; i < count; i++)
            cuts[i] = i * (total / count) / 8 * 8;
        cuts[count] = total;
        for (i = 0; i < count; i++) {
            j = (uint32_t)test_random_below(&random, i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (i = 0; i < count; i++) {
            assert_null(whole);
            whole = take(fragment(ipv6, round, cuts[order[i]], cuts[order[i] + 1] - cuts[order[i]],
                                  order[i] + 1 < count),
                         round + 1);
        }
        assert_non_null(whole);
        assert_int_equal(spill_reassembly_first(whole)->esp, SPILL_ESP_PLAIN);
        mbuf = spill_reassembly_join(&table, whole);
        assert_non_null(mbuf);
        check_whole(mbuf, ipv6, total);
        assert_int_equal(table.used, 0);
    }
    assert_true(drops("esp_reassembled") == spill_ledger_dropped(&ledger));
}

static void what_overlaps_ends_its_datagram(void **state)
{
    static const struct {
        uint32_t offset, length;
        bool more;
    } bad[] = {{8, 64, true},  {56, 64, true},   {0, 128, true}, {120, 8, false},
               {136, 8, true}, {128, 16, false}, {24, 3, false}};
    uint32_t i;

    (void)state;
    for (i = 0; i < RTE_DIM(bad); i++) {
        setup(NULL);
        assert_null(take(fragment(i % 2 != 0, 7, 0, 64, true), 1));
        assert_null(take(fragment(i % 2 != 0, 7, 120, 13, false), 1));
        assert_null(take(fragment(i % 2 != 0, 7, bad[i].offset, bad[i].length, bad[i].more), 1));
        assert_int_equal(drops("esp_fragment_overlap"), 3);
        /* Nor does what comes later. */
        assert_null(take(fragment(i % 2 != 0, 7, 64, 56, true), 1));
        assert_null(take(fragment(i % 2 != 0, 7, 0, 120, true), 1));
        assert_int_equal(drops("esp_fragment_overlap"), 5);
        assert_int_equal(table.used, 1);
        spill_reassembly_expire(&table, 1 + SPILL_REASSEMBLY_SECONDS * SECOND);
        assert_int_equal(table.used, 0);
    }
}

/* What came by another port, or on a routed one with another tag, is of another datagram. */
static void links_are_told_apart(void **state)
{
    struct spill_datagram *whole;
    struct spill_packet packet;
    uint32_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        struct rte_mbuf *mbuf = fragment(i % 2 != 0, 7, 64, 13, false);

        spill_parse_burst(&mbuf, 1, 0, &packet);
        packet.input = i < 2;
        if (i >= 2) {
            mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN;
            mbuf->vlan_tci = 100;
        }
        assert_null(spill_reassembly_take(&table, mbuf, &packet, 1));
        assert_null(take(fragment(i % 2 != 0, 7, 0, 64, true), 1));
        assert_int_equal(table.used, 2);
        whole = take(fragment(i % 2 != 0, 7, 64, 13, false), 1);
        assert_non_null(whole);
        check_whole(spill_reassembly_join(&table, whole), i % 2 != 0, 77);
        spill_reassembly_expire(&table, 1 + SPILL_REASSEMBLY_SECONDS * SECOND);
    }
    assert_int_equal(drops("esp_fragment_timeout"), 4);
}

/* The network may double a fragment: it changes nothing. */
static void duplicates_go_alone(void **state)
{
    struct spill_datagram *whole;

    (void)state;
    assert_null(take(fragment(true, 7, 0, 64, true), 1));
    assert_null(take(fragment(true, 7, 0, 64, true), 1));
    whole = take(fragment(true, 7, 64, 33, false), 1);
    assert_non_null(whole);
    check_whole(spill_reassembly_join(&table, whole), true, 97);
    assert_int_equal(drops("esp_fragment_overlap"), 1);
    assert_int_equal(drops("esp_reassembled"), 1);
}

static void datagrams_are_told_apart(void **state)
{
    struct spill_packet packet;
    struct rte_mbuf *mbuf;

    (void)state;
    assert_null(take(fragment(false, 7, 0, 64, true), 1));
    assert_null(take(fragment(false, 8, 64, 33, false), 1)); /* another identification */
    mbuf = fragment(false, 7, 64, 33, false);                /* another sender */
    rte_pktmbuf_mtod(mbuf, uint8_t *)[LINK + 15] ^= 1;
    assert_null(take(mbuf, 1));
    mbuf = fragment(false, 7, 64, 33, false); /* another protocol */
    rte_pktmbuf_mtod(mbuf, uint8_t *)[LINK + 9] = IPPROTO_UDP;
    assert_null(take(mbuf, 1));
    mbuf = fragment(false, 7, 64, 33, false); /* another wire */
    spill_parse_burst(&mbuf, 1, 2, &packet);
    assert_null(spill_reassembly_take(&table, mbuf, &packet, 1));
    assert_int_equal(table.used, 5);
}

static void everything_is_bounded(void **state)
{
    uint32_t i;

    (void)state;
    /* In time. */
    assert_null(take(fragment(false, 1, 0, 64, true), 10));
    spill_reassembly_expire(&table, 9 + SPILL_REASSEMBLY_SECONDS * SECOND);
    assert_int_equal(table.used, 1);
    spill_reassembly_expire(&table, 10 + SPILL_REASSEMBLY_SECONDS * SECOND);
    assert_int_equal(drops("esp_fragment_timeout"), 1);
    /* In datagrams: the oldest goes. */
    for (i = 0; i <= SPILL_REASSEMBLY_DATAGRAMS; i++)
        assert_null(take(fragment(false, i, 0, 64, true), 100 + i));
    assert_int_equal(table.used, SPILL_REASSEMBLY_DATAGRAMS);
    assert_int_equal(drops("esp_fragment_limit"), 1);
    assert_non_null(take(fragment(false, 1, 64, 8, false), 200));
    assert_null(take(fragment(false, 0, 64, 8, false), 200));
}

static void a_datagram_has_few_fragments(void **state)
{
    uint32_t i;

    (void)state;
    for (i = 0; i < SPILL_REASSEMBLY_PIECES; i++)
        assert_null(take(fragment(false, 1, i * 16, 8, true), 1));
    assert_null(take(fragment(false, 1, i * 16, 8, true), 1));
    assert_int_equal(drops("esp_fragment_limit"), SPILL_REASSEMBLY_PIECES + 1);
}

/* A packet that no mbuf has room for is dropped by name. */
static void a_whole_needs_room(void **state)
{
    struct spill_datagram *whole;

    (void)state;
    assert_null(take(fragment(false, 1, 0, 1504, true), 1));
    whole = take(fragment(false, 1, 1504, 96, false), 1);
    assert_non_null(whole);
    rte_pktmbuf_append(whole->pieces[0].mbuf, rte_pktmbuf_tailroom(whole->pieces[0].mbuf));
    whole->pieces[0].length = (uint16_t)(whole->pieces[0].mbuf->data_len - LINK - 20);
    whole->total += whole->pieces[0].length - 1504u;
    assert_null(spill_reassembly_join(&table, whole));
    assert_int_equal(drops("esp_no_room"), 2);
}

/* What a tunnel's end cuts comes together again. */
static void own_fragments_fit(void **state)
{
    struct rte_mbuf *pieces[8], *whole = fragment(true, 1, 0, PAYLOAD, false);
    struct spill_datagram *datagram = NULL;
    uint8_t *frame = rte_pktmbuf_mtod(whole, uint8_t *);
    struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(frame + LINK);
    int count, i;

    (void)state;
    /* Without its fragment header and trailer. */
    memmove(frame + LINK + 40, frame + LINK + 48, PAYLOAD);
    rte_pktmbuf_trim(whole, 8 + 3);
    ip->proto = IPPROTO_ESP;
    ip->payload_len = RTE_BE16(PAYLOAD);
    count = spill_fragment_ipv6(whole, LINK, 600, 0x12345678, pool, pieces, RTE_DIM(pieces));
    assert_int_equal(count, 3);
    for (i = 0; i < count; i++) {
        assert_true(rte_pktmbuf_pkt_len(pieces[i]) <= LINK + 600);
        assert_null(datagram);
        datagram = take(pieces[i], 1);
    }
    assert_non_null(datagram);
    assert_int_equal(datagram->key.identification, RTE_BE32(0x12345678));
    check_whole(spill_reassembly_join(&table, datagram), true, PAYLOAD);
    assert_int_equal(spill_fragment_ipv6(whole, LINK, 600, 1, pool, pieces, 2), -EINVAL);
    assert_int_equal(spill_fragment_ipv6(whole, LINK, 50, 1, pool, pieces, 8), -EINVAL);
    rte_pktmbuf_free(whole);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fragments_come_in_any_order),
        TEST(what_overlaps_ends_its_datagram),
        TEST(duplicates_go_alone),
        TEST(datagrams_are_told_apart),
        TEST(links_are_told_apart),
        TEST(everything_is_bounded),
        TEST(a_datagram_has_few_fragments),
        TEST(a_whole_needs_room),
        TEST(own_fragments_fit),
    };
    uint32_t i;
    int failed;

    test_eal_start(1, 64, NULL);
    pool = fixture_poison_pool("fragments", MBUFS, SPILL_PACKET_PRIVATE_SIZE,
                               RTE_PKTMBUF_HEADROOM + 2048);
    if (pool == NULL)
        return 1;
    for (i = 0; i < PAYLOAD; i++)
        payload[i] = (uint8_t)(i * 7 + i / 256 + 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
