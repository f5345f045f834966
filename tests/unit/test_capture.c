/* SPDX-License-Identifier: BSD-3-Clause */
/* What a capture keeps of packets that are offered to a device, which takes some of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_ethdev.h>
#include <rte_ring_elem.h>

#include "pipeline/capture.h"
#include "pipeline/output.h"
#include "runtime/stamp.h"

#define PORT    0
#define PACKETS 5
#define BYTES   14

static struct spill_capture_choice choice = {.port = PORT, .bytes = BYTES};
static struct spill_ledger ledger;
static struct spill_latency latency;
static struct spill_output output;
static struct spill_filter filter; /* all */
static struct spill_watch watch;
static struct rte_mbuf packets[PACKETS];
static uint8_t frames[PACKETS][BYTES];
static uint16_t room; /* packets that the device takes */

/* It frees what it takes: others write there. */
static uint16_t take(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    (void)queue;
    count = count < room ? count : room;
    for (uint16_t i = 0; i < count; i++)
        memset(mbufs[i]->buf_addr, 0xff, BYTES);
    room = (uint16_t)(room - count);
    return count;
}

static void watch_with(uint32_t records, uint32_t most)
{
    const uint32_t element = spill_capture_element(BYTES);

    spill_capture_init(&watch, &choice, most);
    watch.filter = &filter;
    watch.element = element;
    watch.ring = aligned_alloc(
        RTE_CACHE_LINE_SIZE,
        RTE_ALIGN((size_t)rte_ring_get_memsize_elem(element, rte_align32pow2(records + 1)),
                  (size_t)RTE_CACHE_LINE_SIZE));
    assert_non_null(watch.ring);
    assert_int_equal(rte_ring_init(watch.ring, "records", records,
                                   RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ),
                     0);
    ledger.watch = &watch.drops;
}

static int set_up(void **state)
{
    static void *queue[1], *callback[1];

    (void)state;
    ledger = (struct spill_ledger){0};
    output = (struct spill_output){.port = PORT, .ledger = &ledger, .latency = &latency};
    rte_eth_fp_ops[PORT].tx_pkt_burst = take;
    rte_eth_fp_ops[PORT].txq.data = queue;
    rte_eth_fp_ops[PORT].txq.clbk = callback;
    spill_stamp_offset = RTE_ALIGN(offsetof(struct rte_mbuf, dynfield1), sizeof(uint64_t));
    for (uint8_t i = 0; i < PACKETS; i++) {
        memset(frames[i], i, BYTES);
        packets[i] = (struct rte_mbuf){
            .buf_addr = frames[i], .pkt_len = BYTES, .data_len = BYTES, .nb_segs = 1};
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(watch.ring);
    return 0;
}

static void transmit(void)
{
    struct rte_mbuf *mbufs[PACKETS];

    for (uint32_t i = 0; i < PACKETS; i++)
        mbufs[i] = &packets[i];
    spill_output_send(&output, mbufs, PACKETS, 1000, SPILL_PATH_FAST);
}

/* The next records are those of some packets, as they were when they were offered. */
static void expect_records(uint8_t first, uint8_t end)
{
    union {
        struct spill_capture_record record;
        uint8_t bytes[sizeof(struct spill_capture_record) + BYTES + 8];
    } found;

    for (; first < end; first++) {
        assert_int_equal(rte_ring_sc_dequeue_elem(watch.ring, &found, watch.element), 0);
        assert_int_equal(found.record.event, SPILL_CAPTURE_OUT);
        assert_int_equal(found.record.kept, BYTES);
        assert_int_equal(found.record.data[0], first);
        assert_int_equal(found.record.data[BYTES - 1], first);
    }
    assert_true(rte_ring_empty(watch.ring));
}

static void each_is_kept_once_and_when_it_is_taken(void **state)
{
    (void)state;
    watch_with(64, 64);
    room = 3;
    transmit();
    expect_records(0, 3);
    room = 2;
    assert_int_equal(spill_output_retry(&output, 1000), 2);
    expect_records(3, 5);
    assert_int_equal(watch.lost, 0);
}

static void what_finds_no_room_is_lost_where_it_was_taken(void **state)
{
    (void)state;
    watch_with(2, 64);
    room = 4;
    transmit();
    assert_int_equal(watch.lost, 2);
    expect_records(0, 2);
}

static void enough_is_enough(void **state)
{
    (void)state;
    watch_with(64, PACKETS);
    room = UINT16_MAX;
    transmit();
    expect_records(0, PACKETS);
    transmit();
    expect_records(0, 0);
    assert_int_equal(watch.lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_is_kept_once_and_when_it_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_finds_no_room_is_lost_where_it_was_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(enough_is_enough, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
