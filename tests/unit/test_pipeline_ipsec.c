/* SPDX-License-Identifier: BSD-3-Clause */
/* A gateway's pipeline: order, whoever encrypts; bypass beside a full pool; new versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway_traffic.h"

static const struct bench_shape shapes[] = {
    {"one worker", 1, 0, 0, 1},    {"two workers", 1, 0, 0, 2},
    {"three workers", 1, 0, 0, 3}, {"two fast lcores, two workers", 2, 0, 0, 2},
    {"no worker", 1, 0, 0, 0},     {"four workers", 1, 0, 0, 4},
};

static struct gateway_options options_for(uint32_t shape, uint32_t dispatch)
{
    return (struct gateway_options){
        .shape = shapes[shape],
        .dispatch = {(enum spill_dispatch)dispatch, (enum spill_dispatch)dispatch,
                     (enum spill_dispatch)dispatch},
        .capacity = 64,
        .budget_ns = 10000,
        .algorithm = shape % 2 == 0 ? "aes-128-gcm" : "aes-128-cbc+sha256",
        .esn = dispatch == SPILL_DISPATCH_AUTO,
        .source_waits = true,
    };
}

static void order_is_kept(enum gateway_direction direction)
{
    struct spill_ledger ledger;
    uint32_t shape, dispatch;

    gateway_delay = 8000;
    for (shape = 0; shape < RTE_DIM(shapes); shape++) {
        for (dispatch = SPILL_DISPATCH_AUTO; dispatch <= SPILL_DISPATCH_POOL; dispatch++) {
            struct gateway_options options = options_for(shape, dispatch);

            gateway_open(&options);
            gateway_run(direction, TEST_ROUNDS(6000));
            gateway_finish(&ledger);
            gateway_assert_drops(&ledger, gateway.doubled > 0 ? "esp_replayed" : NULL);
            assert_int_equal(spill_ledger_dropped(&ledger), gateway.doubled);
            assert_int_equal(gateway.lost, 0);
            assert_int_equal(gateway.came[direction], gateway.fed[direction]);
            assert_int_equal(gateway.came_clear, gateway.fed_clear);
            gateway_close();
        }
    }
}

static void encrypted_flows_keep_their_order(void **state)
{
    (void)state;
    order_is_kept(GATEWAY_ENCRYPTS);
}

static void decrypted_flows_keep_their_order(void **state)
{
    (void)state;
    order_is_kept(GATEWAY_DECRYPTS);
}

/* Without a credit a packet is worked on here, over the budget: but not past one in its lane. */
static void overflow_inline_keeps_the_order(void **state)
{
    static const char *const full[] = {"pool_full_encrypt", "pool_full_decrypt"};
    struct spill_ledger ledger;
    uint32_t direction;

    (void)state;
    for (direction = GATEWAY_ENCRYPTS; direction <= GATEWAY_DECRYPTS; direction++) {
        struct gateway_options options = options_for(0, SPILL_DISPATCH_POOL);

        options.dispatch[SPILL_CLASS_CLASSIFY] = SPILL_DISPATCH_INLINE;
        options.overflow = SPILL_OVERFLOW_INLINE;
        options.source_waits = false;
        options.capacity = 2;
        gateway_delay = 200000;
        gateway_open(&options);
        gateway_run((enum gateway_direction)direction, TEST_ROUNDS(6000));
        gateway_finish(&ledger);
        assert_true(bench_drops(&ledger, full[direction]) > 0);
        assert_int_equal(gateway.came_clear, gateway.fed_clear);
        gateway_close();
    }
}

/* On a device jobs come back when they come; nothing is left in its queues at the end. */
static void a_device_gives_all_back_in_order(void **state)
{
    struct spill_ledger ledger;
    uint32_t shape, direction;

    (void)state;
    gateway_delay = 8000;
    for (shape = 0; shape < 4; shape++) {
        for (direction = GATEWAY_ENCRYPTS; direction <= GATEWAY_DECRYPTS; direction++) {
            struct gateway_options options = options_for(shape, SPILL_DISPATCH_AUTO);

            options.device = true;
            options.esn = direction == GATEWAY_DECRYPTS;
            gateway_open(&options);
            gateway_run((enum gateway_direction)direction, TEST_ROUNDS(6000));
            gateway_finish(&ledger);
            gateway_assert_drops(&ledger, gateway.doubled > 0 ? "esp_replayed" : NULL);
            assert_int_equal(spill_ledger_dropped(&ledger), gateway.doubled);
            assert_int_equal(gateway.came[direction], gateway.fed[direction]);
            gateway_close();
        }
    }
}

/* Polls the lcores up to the pool's, a turn each; returns the worker. */
static struct spill_worker *turn_by_hand(void)
{
    uint32_t i, stage;

    for (i = 1; i < bench.plan.lcore_count; i++) {
        struct spill_pipeline_lcore *lcore = &bench.pipeline->lcores[i];

        if (lcore->worker != NULL)
            return lcore->worker;
        for (stage = 0; stage < lcore->loop->stage_count; stage++)
            lcore->loop->stages[stage].poll(lcore->loop->stages[stage].context, rte_rdtsc());
    }
    return NULL;
}

static unsigned mbufs_in_use(void)
{
    return rte_mempool_in_use_count(bench_mbufs);
}

/*
 * The end is forced while a job is on the device, which does not answer: the test worked in the
 * worker's place, and what is under way is in the queue of the test's lcore. Its packets are
 * counted and not freed.
 */
static void a_device_that_does_not_answer_keeps_its_packets(void **state)
{
    struct gateway_options options = options_for(0, SPILL_DISPATCH_POOL);
    struct spill_job *done[SPILL_CRYPTO_DEPTH];
    uint64_t abandoned, before;
    struct spill_ledger ledger;
    uint32_t count, i;
    struct spill_worker *worker;

    (void)state;
    gateway_delay = 0;
    options.device = options.by_hand = true;
    options.dispatch[SPILL_CLASS_CLASSIFY] = SPILL_DISPATCH_INLINE;
    before = mbufs_in_use();
    gateway_open(&options);
    /* A burst may be of flows in the clear alone. */
    do {
        gateway_feed(GATEWAY_ENCRYPTS, SPILL_BURST);
        worker = turn_by_hand();
        while (spill_worker_poll(worker) > 0 && worker->under_way == 0)
            ;
    } while (worker->under_way == 0);
    spill_token_cancel(&bench.force, "test");
    spill_pipeline_abandon(bench.pipeline, NULL);
    spill_pipeline_ledger(bench.pipeline, &ledger);
    abandoned = bench_drops(&ledger, "crypto_abandoned");
    assert_true(abandoned > 0);
    assert_int_equal(bench.pipeline->abandoned_mbufs, abandoned);
    assert_int_equal(spill_ledger_in_flight(&ledger), 0);
    while (gateway_drain() > 0)
        ;
    assert_int_equal(mbufs_in_use(), before + abandoned);

    /* The device answers after all: the test frees what it kept, or nothing could be taken down. */
    for (count = 0; worker->under_way > 0; worker->under_way -= count) {
        count = spill_esp_collect(done, RTE_DIM(done), gateway.device);
        for (i = 0; i < count; i++) {
            rte_pktmbuf_free_bulk(done[i]->mbufs, done[i]->count);
            done[i]->subject->jobs--;
        }
    }
    assert_int_equal(mbufs_in_use(), before);
    gateway_close();
}

/*
 * An association's ESP comes by the port where its first authentic packet came, and not by the
 * other end of the wire: also when all of it is in one job.
 */
static void one_job_may_hold_esp_of_both_ports(void **state)
{
    struct gateway_options options = options_for(0, SPILL_DISPATCH_POOL);
    struct rte_mbuf *mbufs[16];
    struct spill_worker *worker;
    struct spill_ledger ledger;
    uint32_t i;

    (void)state;
    gateway_delay = 0;
    options.by_hand = true;
    options.dispatch[SPILL_CLASS_CLASSIFY] = SPILL_DISPATCH_INLINE;
    gateway_open(&options);
    assert_int_equal(rte_pktmbuf_alloc_bulk(bench_mbufs, mbufs, RTE_DIM(mbufs)), 0);
    for (i = 0; i < RTE_DIM(mbufs); i++)
        gateway_fill(mbufs[i], i < 8 ? 0 : 1, 1);
    gateway_encrypt(mbufs, RTE_DIM(mbufs));
    gateway_put(0, mbufs, 8);
    gateway_put(1, mbufs + 8, 8);
    worker = turn_by_hand();
    assert_int_equal(spill_worker_poll(worker), RTE_DIM(mbufs));
    turn_by_hand();
    spill_pipeline_ledger(bench.pipeline, &ledger);
    assert_int_equal(bench_drops(&ledger, "esp_wrong_port"), 8);
    assert_int_equal(spill_ledger_dropped(&ledger), 8);
    spill_token_cancel(&bench.force, "test");
    spill_pipeline_abandon(bench.pipeline, NULL);
    while (gateway_drain() > 0)
        ;
    gateway_close();
}

/* Whether a packet of each flow in the clear has come. */
static bool clear_flows_known(void)
{
    uint32_t flow;

    for (flow = 0; flow < BENCH_FLOWS; flow++) {
        if (gateway_is_clear(flow) && gateway.expected[0][flow] == 0)
            return false;
    }
    return true;
}

/* Far more to encrypt than the workers can do: what needs no work passes as if there was none. */
static void bypass_loses_nothing_while_the_pool_is_full(void **state)
{
    struct spill_ledger ledger;
    uint32_t workers, i;

    (void)state;
    for (workers = 1; workers <= 3; workers++) {
        struct gateway_options options = options_for(workers - 1, SPILL_DISPATCH_POOL);

        options.dispatch[SPILL_CLASS_CLASSIFY] = SPILL_DISPATCH_INLINE;
        options.source_waits = false;
        options.capacity = 2;
        gateway_delay = 0;
        gateway_open(&options);
        /* Flows are known before it begins: to enter them is work of another class. */
        while (!clear_flows_known()) {
            gateway_feed(GATEWAY_ENCRYPTS, gateway.came_clear + gateway.came[0] == bench.fed);
            gateway_drain();
        }
        gateway_delay = 200000;
        gateway_run(GATEWAY_ENCRYPTS, TEST_ROUNDS(12000));
        gateway_finish(&ledger);
        gateway_assert_drops(&ledger, "pool_full_encrypt");
        assert_true(bench_drops(&ledger, "pool_full_encrypt") > 0);
        assert_int_equal(
            bench.pipeline->pools[0]->submitters[0]->accounts[SPILL_CLASS_ENCRYPT].refused,
            bench_drops(&ledger, "pool_full_encrypt"));
        assert_int_equal(gateway.came_clear, gateway.fed_clear);
        for (i = 0; i < BENCH_FLOWS; i++) {
            if (gateway_is_clear(i))
                assert_int_equal(gateway.expected[0][i], gateway.next[0][i]);
        }
        gateway_close();
    }
}

/* An SA with this lifetime lets so many packets in, each of 40 bytes inside. */
static void let_in(uint64_t packets_hard, uint64_t bytes_hard, uint64_t expected)
{
    struct gateway_options options = options_for(1, SPILL_DISPATCH_AUTO);
    struct spill_ledger ledger;

    gateway_open(&options);
    gateway.configs[1].packets_hard = packets_hard;
    gateway.configs[1].bytes_hard = bytes_hard;
    gateway_publish("");
    gateway_quiet();
    gateway_run(GATEWAY_DECRYPTS, 2000);
    gateway_finish(&ledger);
    assert_int_equal(gateway.came[1], expected);
    assert_int_equal(bench_drops(&ledger, "esp_expired") + bench_drops(&ledger, "esp_replayed"),
                     spill_ledger_dropped(&ledger));
    gateway_close();
}

/* As outbound: while a lifetime lasts, a packet may begin. So the two ends of an SA with the same
 * one stop at the same packet. */
static void inbound_lifetimes_end_where_they_should(void **state)
{
    (void)state;
    gateway_delay = 8000;
    let_in(100, 0, 100);
    let_in(0, 4000, 100);
    let_in(0, 4001, 101);
    let_in(50, 4000, 50);
}

/* An SA's window has one writer at a time: what can't be noted goes no further, and nothing waits
 * for an lcore that has lost its CPU meanwhile. */
static void a_window_has_one_writer(void **state)
{
    struct gateway_options options = options_for(0, SPILL_DISPATCH_AUTO);
    const struct spill_generation *generation;
    struct spill_ledger ledger;

    (void)state;
    gateway_open(&options);
    generation = spill_snapshot_get(bench.rules);
    atomic_store(&spill_sa_set_find(generation->sas, "in")->state->writer, RTE_MAX_LCORE - 1);
    gateway_run(GATEWAY_DECRYPTS, 500);
    gateway_finish(&ledger);
    gateway_assert_drops(&ledger, "esp_other_lcore");
    assert_int_equal(bench_drops(&ledger, "esp_other_lcore"), bench.fed);
    assert_int_equal(gateway.came[1], 0);
    gateway_close();
}

/* ------------------------------------------------------------------------------ new versions */

/* What a version changes, in turn; each leaves all flows with the way that they had. */
static void next_version(uint32_t which)
{
    static const char *const more[] = {"", "deny tcp from any to any\n",
                                       "allow udp from any to any port 4444\n"};

    if (which % 3 == 1)
        gateway_rekey();
    else if (which % 3 == 2)
        gateway.configs[which / 3 % 2].packets_soft++; /* the same key: its numbers go on */
    gateway_publish(more[which % RTE_DIM(more)]);
}

static void versions_change_under(enum gateway_direction direction)
{
    struct spill_ledger ledger;
    uint32_t shape, dispatch, version;

    gateway_delay = 8000;
    for (shape = 0; shape < RTE_DIM(shapes); shape++) {
        /* What one direction leaves out has the other. */
        for (dispatch = (shape + direction) % 2; dispatch <= SPILL_DISPATCH_POOL; dispatch += 2) {
            struct gateway_options options = options_for(shape, dispatch);
            uint32_t packets = TEST_ROUNDS(4000);

            options.capacity = 128;
            gateway_open(&options);
            for (version = 1; version <= 12; version++) {
                gateway_run(direction, (uint64_t)packets * version / 12);
                if (direction == GATEWAY_DECRYPTS)
                    gateway_quiet();
                next_version(version);
                if (direction == GATEWAY_DECRYPTS)
                    gateway_quiet();
            }
            gateway_finish(&ledger);
            gateway_assert_drops(&ledger, gateway.doubled > 0 ? "esp_replayed" : NULL);
            assert_int_equal(spill_ledger_dropped(&ledger), gateway.doubled);
            assert_int_equal(gateway.lost, 0);
            assert_int_equal(gateway.came[direction], gateway.fed[direction]);
            assert_int_equal(gateway.came_clear, gateway.fed_clear);
            gateway_close();
        }
    }
}

/* Feeds so many packets more, and waits until they are through. */
static void pass(uint64_t packets)
{
    uint64_t deadline = rte_rdtsc() + 20 * rte_get_tsc_hz();

    gateway_run(GATEWAY_ENCRYPTS, bench.fed + packets);
    while (gateway.came[0] + gateway.came_clear < bench.fed) {
        assert_true(rte_rdtsc() < deadline && gateway.bad == 0);
        if (gateway_drain() == 0)
            sched_yield();
    }
}

static void flows_are_asked_again_by_a_new_version(void **state)
{
    struct spill_ledger ledger;
    uint64_t before, denied;
    uint32_t shape;

    (void)state;
    gateway_delay = 8000;
    /* Each takes three seconds, in which flows are asked: not every shape by every dispatch. */
    for (shape = 2; shape < 5; shape++) {
        struct gateway_options options = options_for(shape, shape % 3);

        gateway_open(&options);
        pass(500);
        gateway_publish("protect out udp from 10.0.0.0/8 to any port 3333\n");
        gateway_quiet();
        gateway_all_asked();
        gateway.protect_all = true;
        pass(500);
        gateway_publish("");
        gateway_quiet();
        gateway_all_asked();
        gateway.protect_all = false;
        pass(500);
        gateway_publish("deny udp from any to any port 3333\n");
        gateway_quiet();
        gateway_all_asked();
        before = gateway.fed_clear;
        gateway_run(GATEWAY_ENCRYPTS, bench.fed + 500);
        denied = gateway.fed_clear - before;
        gateway_finish(&ledger);
        gateway_assert_drops(&ledger, "denied");
        assert_int_equal(bench_drops(&ledger, "denied"), denied);
        assert_int_equal(gateway.came[0], gateway.fed[0]);
        gateway_close();
    }
}

/* Rules that are newer than what the lcore's turn began with name SAs that are as new. */
static void a_version_may_come_within_a_turn(void **state)
{
    struct gateway_options options = options_for(4, SPILL_DISPATCH_AUTO);
    struct spill_ledger ledger;
    struct spill_loop *loop;
    uint32_t turn, stage;

    (void)state;
    gateway_delay = 0;
    options.by_hand = true;
    gateway_open(&options);
    loop = bench.pipeline->lcores[1].loop;
    for (turn = 0; turn < 20; turn++) {
        gateway_feed(GATEWAY_ENCRYPTS, SPILL_BURST);
        for (stage = 0; stage < loop->stage_count; stage++) {
            loop->stages[stage].poll(loop->stages[stage].context, rte_rdtsc());
            if (stage > 0)
                continue;
            gateway_rekey();
            gateway_publish("");
        }
        gateway_drain();
    }
    /* A turn that lost its CPU owes that time, and the next one takes nothing. */
    while (!rte_ring_empty(bench_in[0])) {
        for (stage = 0; stage < loop->stage_count; stage++)
            loop->stages[stage].poll(loop->stages[stage].context, rte_rdtsc());
        gateway_drain();
    }
    gateway_finish(&ledger);
    gateway_assert_drops(&ledger, NULL);
    assert_int_equal(gateway.came[0], gateway.fed[0]);
    assert_int_equal(gateway.lost, 0);
    gateway_close();
}

static void new_versions_lose_nothing_outbound(void **state)
{
    (void)state;
    versions_change_under(GATEWAY_ENCRYPTS);
}

static void new_versions_lose_nothing_inbound(void **state)
{
    (void)state;
    versions_change_under(GATEWAY_DECRYPTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(encrypted_flows_keep_their_order, gateway_clear),
        cmocka_unit_test_teardown(decrypted_flows_keep_their_order, gateway_clear),
        cmocka_unit_test_teardown(overflow_inline_keeps_the_order, gateway_clear),
        cmocka_unit_test_teardown(a_device_gives_all_back_in_order, gateway_clear),
        cmocka_unit_test_teardown(a_device_that_does_not_answer_keeps_its_packets, gateway_clear),
        cmocka_unit_test_teardown(one_job_may_hold_esp_of_both_ports, gateway_clear),
        cmocka_unit_test_teardown(bypass_loses_nothing_while_the_pool_is_full, gateway_clear),
        cmocka_unit_test_teardown(inbound_lifetimes_end_where_they_should, gateway_clear),
        cmocka_unit_test_teardown(a_window_has_one_writer, gateway_clear),
        cmocka_unit_test_teardown(flows_are_asked_again_by_a_new_version, gateway_clear),
        cmocka_unit_test_teardown(a_version_may_come_within_a_turn, gateway_clear),
        cmocka_unit_test_teardown(new_versions_lose_nothing_outbound, gateway_clear),
        cmocka_unit_test_teardown(new_versions_lose_nothing_inbound, gateway_clear),
    };
    int failed;

    gateway_start();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    spill_crypto_free(gateway.crypto);
    rte_eal_cleanup();
    return failed;
}
