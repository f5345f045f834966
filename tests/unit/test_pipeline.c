/* SPDX-License-Identifier: BSD-3-Clause */
/* The pipeline in all shapes, its lcores running: order, and the balance of the accounts whatever
 * fails. */
#include <rte_acl.h>

#include "pipeline_run.h"

/* The n-th allocation from now on fails; 0: none does. See the wrappers below. */
static uint32_t allocation_to_fail;
static uint32_t allocations;

/* -------------------------------------------------------------------- a device with faults */

enum fault {
    FAULT_NONE,
    FAULT_NTH_TAKES_NONE,
    FAULT_NTH_TAKES_HALF,
    FAULT_FROM_NTH_ON, /* takes nothing more */
    FAULT_RANDOM, /* takes none, half, or all; who is refused gets no room by asking for another */
};

static enum fault fault;
static uint32_t fault_at;
static _Atomic uint32_t transmits;
static eth_tx_burst_t real_transmit;

/* All of a burst, half of it, or none. */
static enum fault random_fault(const void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    static __thread uint64_t random;
    static __thread const struct rte_mbuf *refused;
    static __thread const void *refused_by;
    enum fault now;

    if (random == 0)
        random = rte_rdtsc() | 1;
    now = test_random_below(&random, FAULT_RANDOM);
    if (queue == refused_by && mbufs[0] != refused)
        now = FAULT_NTH_TAKES_NONE;
    if (now == FAULT_NTH_TAKES_NONE || (now == FAULT_NTH_TAKES_HALF && count == 1)) {
        refused_by = queue;
        refused = mbufs[0];
    } else {
        refused_by = NULL;
    }
    return now;
}

static uint16_t faulty_transmit(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    uint32_t number = atomic_fetch_add_explicit(&transmits, 1, memory_order_relaxed);
    enum fault now = fault;

    if (now == FAULT_RANDOM)
        now = random_fault(queue, mbufs, count);
    else if (now == FAULT_FROM_NTH_ON)
        now = number >= fault_at ? FAULT_NTH_TAKES_NONE : FAULT_NONE;
    else if (number != fault_at)
        now = FAULT_NONE;
    if (now == FAULT_NTH_TAKES_NONE)
        return 0;
    return real_transmit(queue, mbufs, now == FAULT_NTH_TAKES_HALF ? count / 2 : count);
}

static _Atomic bool held, receiving;
static eth_rx_burst_t real_receive;

static uint16_t held_receive(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    receiving = true;
    while (held)
        rte_pause();
    return real_receive(queue, mbufs, count);
}

static void set_fault(enum fault which, uint32_t at)
{
    fault = which;
    fault_at = at;
    atomic_store(&transmits, 0);
}

/* -------------------------------------------------------------------------- runs and books */

static void wait_for_end(void)
{
    uint64_t deadline = rte_rdtsc() + 20 * rte_get_tsc_hz();
    uint32_t hanging;

    while (spill_pipeline_running(run_bench.pipeline, &hanging)) {
        if (bench_drain(&run_bench) == 0)
            sched_yield();
        if (rte_rdtsc() > deadline) {
            spill_token_cancel(&run_bench.force, "test");
            fail_msg("%s: %s does not end", run_bench.options.shape.name,
                     run_bench.plan.lcores[hanging].name);
        }
    }
}

static void launch(void)
{
    if (spill_pipeline_launch(run_bench.pipeline, &run_bench.error) != 0)
        fail_msg("%s", run_bench.error.text);
}

/* Feeds so many packets in all, at the pace at which they are taken. */
static void feed_and_drain(uint32_t packets, uint32_t flows)
{
    while (run_bench.fed < packets) {
        uint32_t port = test_random_below(&bench_seed, 3) == 0;
        uint32_t fed = bench_feed(&run_bench, port, 1 + test_random_below(&bench_seed, 32), flows);

        if (bench_drain(&run_bench) + fed == 0)
            sched_yield();
    }
}

static void wait_until_received(void)
{
    while (!rte_ring_empty(bench_in[0]) || !rte_ring_empty(bench_in[1])) {
        if (bench_drain(&run_bench) == 0)
            sched_yield();
    }
}

static void run(const struct bench_options *options, uint32_t packets, bool receive_all)
{
    run_open(options);
    launch();
    feed_and_drain(packets, BENCH_FLOWS);
    if (receive_all)
        wait_until_received();
    spill_token_cancel(&run_bench.stop, "test");
    wait_for_end();
    assert_false(spill_pipeline_forced(run_bench.pipeline));
    run_assert_balanced();
    bench_close(&run_bench);
}

static int clear(void **state)
{
    held = false;
    allocation_to_fail = 0;
    return run_clear(state);
}

static void order_is_kept_and_all_is_accounted_for_in_every_shape(void **state)
{
    uint32_t shape, dispatch, lanes;

    (void)state;
    set_fault(FAULT_NONE, 0);
    for (shape = 0; shape < RTE_DIM(run_shapes); shape++) {
        for (dispatch = SPILL_DISPATCH_AUTO; dispatch <= SPILL_DISPATCH_POOL; dispatch++) {
            for (lanes = 1; lanes <= 64; lanes *= 8) {
                struct bench_options options = run_options(shape);

                options.dispatch = dispatch;
                options.lanes = lanes;
                options.idle = lanes % 3;
                options.overflow = (enum spill_overflow)(lanes % 3);
                run(&options, TEST_ROUNDS(4000), lanes > 1);
            }
        }
    }
}

static void assert_dropped_by_rule_alone(const struct spill_ledger *ledger)
{
    static const char *const by_rule[] = {"denied", "non_ip", "malformed_ipv4"};
    unsigned id, i;

    for (id = 0; id < spill_drop_reason_count(); id++) {
        const char *name = spill_drop_reason_get(id)->name;

        for (i = 0; i < RTE_DIM(by_rule) && strcmp(name, by_rule[i]) != 0; i++)
            ;
        if (i == RTE_DIM(by_rule))
            run_assert_equal(name, ledger->dropped[id], 0);
    }
}

/* A source that can wait loses nothing for want of room, only by rule. */
static void a_source_that_waits_loses_nothing(void **state)
{
    uint32_t shape, dispatch;

    (void)state;
    for (shape = 0; shape < RTE_DIM(run_shapes); shape++) {
        for (dispatch = SPILL_DISPATCH_AUTO; dispatch <= SPILL_DISPATCH_POOL; dispatch++) {
            struct bench_options options = run_options(shape);
            struct spill_ledger ledger;

            set_fault(shape % 2 == 0 ? FAULT_NONE : FAULT_RANDOM, 0);

            options.dispatch = dispatch;
            options.source_waits = true;
            options.capacity = 64;
            run_open(&options);
            launch();
            while (run_bench.fed < TEST_ROUNDS(4000)) {
                if (bench_feed(&run_bench, 0, 32, BENCH_FLOWS) + bench_drain(&run_bench) == 0)
                    sched_yield();
            }
            wait_until_received();
            spill_token_cancel(&run_bench.stop, "test");
            wait_for_end();
            assert_false(spill_pipeline_forced(run_bench.pipeline));
            run_assert_balanced();
            spill_pipeline_ledger(run_bench.pipeline, &ledger);
            assert_dropped_by_rule_alone(&ledger);
            run_assert_equal("allowed ones", run_bench.came[1], run_bench.fed_allowed);
            bench_close(&run_bench);
        }
    }
}

/* ----------------------------------------------------------------------- turns of the loops */

/* An lcore that is within the driver for the first time may have read there what is changed now. */
static void a_first_turn_is_waited_for(void **state)
{
    struct bench_options options = run_options(0);

    (void)state;
    run_open(&options);
    assert_true(spill_pipeline_await_turn(run_bench.pipeline, 0)); /* of no lcore that runs */
    held = true;
    receiving = false;
    launch();
    while (!receiving)
        sched_yield();
    assert_false(spill_pipeline_await_turn(run_bench.pipeline, 1000000));
    held = false;
    assert_true(spill_pipeline_await_turn(run_bench.pipeline, UINT64_C(20000000000)));
    spill_token_cancel(&run_bench.stop, "test");
    wait_for_end();
    assert_false(spill_pipeline_forced(run_bench.pipeline));
    bench_close(&run_bench);
}

/* ------------------------------------------------------------------------ transmit faults */

static void each_transmit_may_fail(void **state)
{
    static const enum fault faults[] = {FAULT_NTH_TAKES_NONE, FAULT_NTH_TAKES_HALF};
    uint32_t shape, at, count;

    (void)state;
    for (shape = 0; shape < RTE_DIM(run_shapes); shape++) {
        struct bench_options options = run_options(shape);

        for (at = 0, count = 1; at < count && at < 100; at++) {
            set_fault(faults[(at + shape) % RTE_DIM(faults)], at);
            run(&options, 200, true);
            count = atomic_load(&transmits);
        }
    }
}

static void transmits_may_fail_at_random(void **state)
{
    uint32_t shape, dispatch;

    (void)state;
    for (shape = 0; shape < RTE_DIM(run_shapes); shape++) {
        for (dispatch = SPILL_DISPATCH_AUTO; dispatch <= SPILL_DISPATCH_POOL; dispatch++) {
            struct bench_options options = run_options(shape);

            options.dispatch = dispatch;
            set_fault(FAULT_RANDOM, 0);
            run(&options, TEST_ROUNDS(4000), false);
            options.channel_capacity = 3;
            options.capacity = 1;
            options.lanes = 1;
            set_fault(FAULT_RANDOM, 0);
            run(&options, TEST_ROUNDS(4000), true);
        }
    }
}

static uint64_t told;

static void count_told(const char *place, uint64_t packets)
{
    assert_non_null(place);
    assert_true(packets > 0);
    told += packets;
}

/* The device takes nothing from some transmit on: the drain can't end by itself. */
static void a_device_that_takes_nothing_is_left_by_force(void **state)
{
    uint32_t shape, at;

    (void)state;
    for (shape = 0; shape < RTE_DIM(run_shapes); shape++) {
        for (at = 0; at < 20; at += 4) {
            struct bench_options options = run_options(shape);
            struct spill_ledger ledger;
            uint64_t abandoned;

            set_fault(FAULT_FROM_NTH_ON, at);
            run_open(&options);
            launch();
            while (run_bench.fed < 1500 || atomic_load(&transmits) < at + 3)
                feed_and_drain((uint32_t)run_bench.fed + 100, BENCH_FLOWS);
            spill_token_cancel(&run_bench.stop, "test");
            spill_token_cancel(&run_bench.force, "deadline");
            wait_for_end();
            told = 0;
            assert_true(spill_pipeline_forced(run_bench.pipeline));
            abandoned = spill_pipeline_abandon(run_bench.pipeline, count_told);
            assert_true(abandoned > 0);
            assert_int_equal(told, abandoned);
            spill_pipeline_ledger(run_bench.pipeline, &ledger);
            assert_int_equal(bench_drops(&ledger, "drain_deadline"), abandoned);
            run_assert_balanced();
            assert_int_equal(spill_pipeline_abandon(run_bench.pipeline, NULL), 0);
            bench_close(&run_bench);
        }
    }
}

/* Force at any moment. */
static void a_forced_end_loses_no_count(void **state)
{
    uint32_t round;

    (void)state;
    for (round = 0; round < TEST_ROUNDS(40); round++) {
        struct bench_options options = run_options(round % RTE_DIM(run_shapes));

        set_fault(round % 2 == 0 ? FAULT_NONE : FAULT_RANDOM, 0);
        options.dispatch = round % 3;
        run_open(&options);
        launch();
        feed_and_drain(test_random_below(&bench_seed, 3000), BENCH_FLOWS);
        spill_token_cancel(&run_bench.force, "test");
        wait_for_end();
        spill_pipeline_abandon(run_bench.pipeline, NULL);
        run_assert_balanced();
        bench_close(&run_bench);
    }
}

/* ---------------------------------------------------------------------- allocation faults */

static bool allocation_fails(void)
{
    return ++allocations == allocation_to_fail;
}

#define WRAP(result, name, parameters, arguments)                                                  \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        return allocation_fails() ? NULL : __real_##name arguments;                                \
    }

WRAP(void *, rte_zmalloc_socket, (const char *type, size_t size, unsigned align, int socket),
     (type, size, align, socket))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, reallocarray, (void *old, size_t count, size_t size), (old, count, size))
WRAP(struct rte_ring *, rte_ring_create,
     (const char *name, unsigned count, int socket, unsigned flags), (name, count, socket, flags))
WRAP(struct rte_acl_ctx *, rte_acl_create, (const struct rte_acl_param *parameters), (parameters))

static void each_allocation_may_fail(void **state)
{
    uint32_t shape, n, needed;

    (void)state;
    for (shape = 0; shape < RTE_DIM(run_shapes); shape++) {
        struct bench_options options = run_options(shape);
        size_t before = test_heap_bytes();

        allocation_to_fail = 0;
        allocations = 0;
        run_open(&options);
        needed = allocations;
        bench_close(&run_bench);
        assert_int_equal(test_heap_bytes(), before);
        assert_true(needed > 10);
        for (n = 1; n <= needed; n++) {
            allocation_to_fail = n;
            allocations = 0;
            if (bench_open(&run_bench, &options) == 0)
                fail_msg("%s: allocation %u failed, but the pipeline is there",
                         run_shapes[shape].name, n);
            assert_true(strlen(run_bench.error.text) > 0);
            allocation_to_fail = 0;
            bench_close(&run_bench);
            assert_int_equal(test_heap_bytes(), before);
        }
        /* And then it works as if nothing had been. */
        set_fault(FAULT_NONE, 0);
        run(&options, 1000, true);
        assert_int_equal(test_heap_bytes(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(order_is_kept_and_all_is_accounted_for_in_every_shape, clear),
        cmocka_unit_test_teardown(a_source_that_waits_loses_nothing, clear),
        cmocka_unit_test_teardown(a_first_turn_is_waited_for, clear),
        cmocka_unit_test_teardown(each_transmit_may_fail, clear),
        cmocka_unit_test_teardown(transmits_may_fail_at_random, clear),
        cmocka_unit_test_teardown(a_device_that_takes_nothing_is_left_by_force, clear),
        cmocka_unit_test_teardown(a_forced_end_loses_no_count, clear),
        cmocka_unit_test_teardown(each_allocation_may_fail, clear),
    };
    unsigned port;
    int failed;

    bench_start(RUN_LCORES);
    for (port = 0; port < 2; port++) {
        real_transmit = rte_eth_fp_ops[bench_ports[port].id].tx_pkt_burst;
        rte_eth_fp_ops[bench_ports[port].id].tx_pkt_burst = faulty_transmit;
        real_receive = rte_eth_fp_ops[bench_ports[port].id].rx_pkt_burst;
        rte_eth_fp_ops[bench_ports[port].id].rx_pkt_burst = held_receive;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
