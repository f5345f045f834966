/* SPDX-License-Identifier: BSD-3-Clause */
/* The exit: a device that refuses, and links that change (law 10). */
#include "exit_bench.h"

static eth_tx_burst_t real_transmit;
static eth_tx_prep_t real_prepare;
static bool takes_nothing;

/* A device that never takes a frame that ends so, as some do with what is wrong for them. */
static bool is_hated(const struct rte_mbuf *mbuf)
{
    return rte_pktmbuf_mtod(mbuf, const uint8_t *)[mbuf->data_len - 1] == 0xee;
}

static uint16_t choosy_transmit(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    uint16_t taken = 0;

    while (!takes_nothing && taken < count && !is_hated(mbufs[taken]))
        taken++;
    return real_transmit(queue, mbufs, taken);
}

static uint16_t choosy_prepare(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    (void)queue;
    (void)count;
    rte_errno = EINVAL;
    return is_hated(mbufs[0]) ? 0 : 1;
}

static void set_device(bool nothing, bool prepares)
{
    struct rte_eth_fp_ops *device = &rte_eth_fp_ops[bench_ports[1].id];

    takes_nothing = nothing;
    device->tx_pkt_burst = choosy_transmit;
    device->tx_pkt_prepare = prepares ? choosy_prepare : real_prepare;
}

static int reset_device(void **state)
{
    struct rte_eth_fp_ops *device = &rte_eth_fp_ops[bench_ports[1].id];
    int status = exit_clear(state);

    device->tx_pkt_burst = real_transmit;
    device->tx_pkt_prepare = real_prepare;
    return status;
}

static void feed_number(uint32_t number, bool hated)
{
    static struct frame frame;

    exit_udp4(&frame, 0, 200, false);
    frames_write16(frame.bytes + frame.ip + 4, number);
    frame.bytes[frame.length - 1] = hated ? 0xee : 0;
    exit_feed(frames_lay(&frame, 0));
}

static uint32_t number_of(const struct rte_mbuf *mbuf)
{
    return frames_read16(rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, 14 + 4));
}

/* The output's backlog at a time that the test says. */
static void retry_at(uint64_t now)
{
    struct spill_transmitter *transmitter = NULL;
    uint32_t i, lcore;

    exit_turn();
    for (lcore = 1; lcore < exit_bench.plan.lcore_count; lcore++) {
        transmitter = spill_pipeline_transmitter(&exit_bench.pipeline->lcores[lcore]);
        for (i = 0; transmitter != NULL && i < transmitter->output_count; i++)
            spill_output_retry(transmitter->outputs[i], now);
    }
    exit_take_all();
}

/* The driver says so itself: at once. */
static void a_packet_that_the_driver_rejects_is_dropped_at_once(void **state)
{
    uint32_t shape, i;

    (void)state;
    exit_limit(EXIT_MTU);
    set_device(false, true);
    for (shape = 0; shape < 2; shape++) {
        exit_open(shape);
        for (i = 0; i < 20; i++)
            feed_number(i, i % 3 == 0);
        exit_turn();
        assert_int_equal(exit_came_count[1], 13);
        for (i = 1; i < exit_came_count[1]; i++)
            assert_true(number_of(exit_came[1][i]) > number_of(exit_came[1][i - 1]));
        exit_assert_dropped("tx_refused", 7);
        exit_close();
    }
}

/* It says nothing, but takes others: those behind the first wait for a while, and then go. */
static void a_packet_that_is_never_taken_blocks_no_other(void **state)
{
    uint32_t shape, i, all;

    (void)state;
    exit_limit(EXIT_MTU);
    set_device(false, false);
    for (shape = 0; shape < 2; shape++) {
        exit_open(shape);
        for (i = 0; i < 20; i++)
            feed_number(i, i < 2 || i == 10);
        exit_turn();
        for (i = 0, all = 0; i < 10 && all < 17; i++) {
            retry_at(rte_rdtsc() + (i + 1) * rte_get_tsc_hz());
            all += exit_came_count[1];
        }
        assert_int_equal(all, 17);
        exit_assert_dropped("tx_refused", 3);
        exit_close();
    }
}

static void alone_it_is_given_up(void **state)
{
    uint64_t now;

    (void)state;
    exit_limit(EXIT_MTU);
    set_device(false, false);
    exit_open(0);
    feed_number(1, true);
    exit_turn();
    now = rte_rdtsc();
    retry_at(now + rte_get_tsc_hz() / 2);
    exit_assert_dropped("tx_refused", 0);
    retry_at(now + 2 * rte_get_tsc_hz());
    exit_assert_dropped("tx_refused", 1);
    exit_close();
}

/* "Not now" waits, for as long as it may take, and nothing is lost. */
static void a_device_that_takes_nothing_is_waited_for(void **state)
{
    uint32_t i;

    (void)state;
    exit_limit(EXIT_MTU);
    set_device(true, false);
    exit_open(0);
    for (i = 0; i < 20; i++)
        feed_number(i, false);
    exit_turn();
    for (i = 0; i < 100; i++)
        retry_at(rte_rdtsc() + i * rte_get_tsc_hz());
    exit_assert_dropped("tx_refused", 0);
    set_device(false, false);
    exit_turn();
    assert_int_equal(exit_came_count[1], 20);
    for (i = 0; i < 20; i++)
        assert_int_equal(number_of(exit_came[1][i]), i);
    exit_assert_dropped("tx_refused", 0);
    exit_close();
}

/* ---------------------------------------------------------------------------------- links */

static void link_is(uint16_t mtu, bool lost)
{
    spill_links_set(&exit_bench.pipeline->links, bench_ports[1].id,
                    (struct spill_link){.mtu = mtu, .lost = lost});
    exit_turn();
}

/* Of an interface that is down its driver would take them: what waited is dropped with the rest. */
static void what_leaves_by_a_lost_link_is_dropped(void **state)
{
    uint32_t shape, i;

    (void)state;
    exit_limit(EXIT_MTU);
    for (shape = 0; shape < 2; shape++) {
        exit_open(shape);
        set_device(true, false);
        for (i = 0; i < 20; i++)
            feed_number(i, false);
        exit_turn();
        exit_assert_dropped("tx_link_down", 0);
        link_is(0, true);
        exit_assert_dropped("tx_link_down", 20);
        set_device(false, false);
        for (i = 0; i < 5; i++)
            feed_number(i, false);
        exit_turn();
        assert_int_equal(exit_came_count[1], 0);
        exit_assert_dropped("tx_link_down", 25);
        link_is(0, false);
        feed_number(1, false);
        exit_turn();
        assert_int_equal(exit_came_count[1], 1);
        exit_close();
    }
}

/* Nor is anybody told that a packet was too big, who could do nothing about it. */
static void a_link_s_mtu_is_in_force_at_once(void **state)
{
    static struct frame frame;

    (void)state;
    exit_limit(EXIT_MTU);
    exit_open(0);
    exit_udp4(&frame, 0, EXIT_MTU, true);
    link_is(EXIT_MTU - 1, false);
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[1], 0);
    assert_int_equal(exit_came_count[0], 1);
    assert_int_equal(
        frames_read16(rte_pktmbuf_mtod_offset(exit_came[0][0], const uint8_t *, 14 + 20 + 6)),
        EXIT_MTU - 1);
    exit_assert_dropped("tx_too_big", 1);
    link_is(EXIT_MTU - 1, true);
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[0] + exit_came_count[1], 0);
    link_is(9000, false); /* its buffers are for the EXIT_MTU that it was started with */
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[1], 1);
    exit_udp4(&frame, 0, EXIT_MTU + 1, true);
    exit_pass(&frame, 0);
    assert_int_equal(exit_came_count[1], 0);
    exit_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_packet_that_the_driver_rejects_is_dropped_at_once,
                                  reset_device),
        cmocka_unit_test_teardown(a_packet_that_is_never_taken_blocks_no_other, reset_device),
        cmocka_unit_test_teardown(alone_it_is_given_up, reset_device),
        cmocka_unit_test_teardown(a_device_that_takes_nothing_is_waited_for, reset_device),
        cmocka_unit_test_teardown(what_leaves_by_a_lost_link_is_dropped, reset_device),
        cmocka_unit_test_teardown(a_link_s_mtu_is_in_force_at_once, exit_clear),
    };
    int failed;

    exit_start();
    real_transmit = rte_eth_fp_ops[bench_ports[1].id].tx_pkt_burst;
    real_prepare = rte_eth_fp_ops[bench_ports[1].id].tx_pkt_prepare;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
