/* SPDX-License-Identifier: BSD-3-Clause */
/* What a transmitter records of the time that packets took: by the clock of the turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_ethdev.h>

#include "base/clock.h"
#include "pipeline/output.h"
#include "runtime/stamp.h"

#define PORT 0

static struct spill_ledger ledger;
static struct spill_latency latency;
static struct spill_output output;
static uint16_t room; /* packets that the device takes */

static uint16_t take(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    (void)queue;
    (void)mbufs;
    count = count < room ? count : room;
    room = (uint16_t)(room - count);
    return count;
}

static int set_up(void **state)
{
    static void *queue[1], *callback[1];

    (void)state;
    ledger = (struct spill_ledger){0};
    latency = (struct spill_latency){0};
    output = (struct spill_output){.port = PORT, .ledger = &ledger, .latency = &latency};
    rte_eth_fp_ops[PORT].tx_pkt_burst = take;
    rte_eth_fp_ops[PORT].txq.data = queue;
    rte_eth_fp_ops[PORT].txq.clbk = callback;
    spill_stamp_offset = RTE_ALIGN(offsetof(struct rte_mbuf, dynfield1), sizeof(uint64_t));
    room = UINT16_MAX;
    return 0;
}

static void transmit(uint32_t count, uint64_t stamp, enum spill_path path)
{
    static struct rte_mbuf packet;
    struct rte_mbuf *mbufs[SPILL_BURST];

    for (uint32_t i = 0; i < count; i++)
        mbufs[i] = &packet;
    spill_output_send(&output, mbufs, count, stamp, path);
}

static void assert_recorded(enum spill_path path, uint64_t count, uint64_t longest)
{
    assert_int_equal(spill_histogram_count(&latency.paths[path]), count);
    assert_int_equal(latency.paths[path].max, longest);
}

/* All bursts of a turn have one stamp. */
static void what_a_turn_sends_is_recorded_at_its_end(void **state)
{
    (void)state;
    transmit(5, 1000, SPILL_PATH_FAST);
    transmit(2, 1000, SPILL_PATH_FAST);
    assert_recorded(SPILL_PATH_FAST, 0, 0);
    spill_latency_settle(&latency, 1700);
    assert_recorded(SPILL_PATH_FAST, 7, 700);
    spill_latency_settle(&latency, 2900);
    assert_recorded(SPILL_PATH_FAST, 7, 700);
}

/* What came at another time, or took the other way, is not told by the same time. */
static void another_burst_is_recorded_apart(void **state)
{
    const uint64_t began = spill_clock();

    (void)state;
    transmit(3, began, SPILL_PATH_FAST);
    transmit(2, began, SPILL_PATH_POOL);
    assert_int_equal(spill_histogram_count(&latency.paths[SPILL_PATH_FAST]), 3);
    assert_true(latency.paths[SPILL_PATH_FAST].max <= spill_clock() - began);
    transmit(1, began + 100, SPILL_PATH_POOL);
    assert_int_equal(spill_histogram_count(&latency.paths[SPILL_PATH_POOL]), 2);
    spill_latency_settle(&latency, began);
    assert_int_equal(spill_histogram_count(&latency.paths[SPILL_PATH_POOL]), 3);
}

/* Another lcore's clock may be ahead. */
static void no_time_is_below_zero(void **state)
{
    (void)state;
    transmit(4, 1000, SPILL_PATH_FAST);
    spill_latency_settle(&latency, 990);
    assert_recorded(SPILL_PATH_FAST, 4, 0);
}

static void what_the_device_refuses_was_not_sent(void **state)
{
    (void)state;
    room = 3;
    transmit(5, 1000, SPILL_PATH_FAST);
    spill_latency_settle(&latency, 1200);
    assert_recorded(SPILL_PATH_FAST, 3, 200);
    assert_int_equal(output.waiting, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_turn_sends_is_recorded_at_its_end, set_up),
        cmocka_unit_test_setup(another_burst_is_recorded_apart, set_up),
        cmocka_unit_test_setup(no_time_is_below_zero, set_up),
        cmocka_unit_test_setup(what_the_device_refuses_was_not_sent, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
