/* SPDX-License-Identifier: BSD-3-Clause */
/* The pipeline in all shapes: order, and the balance of the accounts whatever fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_acl.h>

#include "pipeline/protection.h"
#include "pipeline_bench.h"

#define LCORES 7

static const struct bench_shape shapes[] = {
    {"all on one lcore", 1, 0, 0, 0},
    {"one lcore and workers", 1, 0, 0, 2},
    {"rx, fast and tx apart", 2, 1, 1, 0},
    {"rx, fast, tx and workers", 2, 1, 1, 2},
    {"fast lcores that share one-queue ports", 2, 0, 0, 1},
};

static struct bench bench;

static struct bench_options options_for(uint32_t shape)
{
    return (struct bench_options){.shape = shapes[shape],
                                  .dispatch = SPILL_DISPATCH_AUTO,
                                  .overflow = SPILL_OVERFLOW_DROP,
                                  .idle = SPILL_IDLE_PAUSE,
                                  .lanes = 8,
                                  .capacity = 16,
                                  .channel_capacity = 256,
                                  .budget_ns = 10000};
}

/* The n-th allocation from now on fails; 0: none does. See the wrappers below. */
static uint32_t allocation_to_fail;
static uint32_t allocations;

static void open_or_fail(const struct bench_options *options)
{
    if (bench_open(&bench, options) != 0)
        fail_msg("%s: %s", options->shape.name, bench.error.text);
}

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

static void assert_equal(const char *what, uint64_t found, uint64_t wanted)
{
    if (found != wanted)
        fail_msg("%s, dispatch %d, overflow %d, %u lanes: %s: %lu is not %lu",
                 bench.options.shape.name, bench.options.dispatch, bench.options.overflow,
                 bench.options.lanes, what, (unsigned long)found, (unsigned long)wanted);
}

/* After all loops have ended, and what a forced end left was abandoned: nothing is lost, nothing is
 * left, and the order was kept. */
static void assert_balanced(void)
{
    uint64_t left = bench_take_back();
    struct spill_ledger ledger;

    while (bench_drain(&bench) > 0)
        ;
    assert_equal("left within", spill_pipeline_abandon(bench.pipeline, NULL), 0);
    spill_pipeline_ledger(bench.pipeline, &ledger);
    assert_equal("received", ledger.received, bench.fed - left);
    assert_equal("transmitted", ledger.transmitted, bench.came[0] + bench.came[1]);
    assert_equal("left it", ledger.transmitted + spill_ledger_dropped(&ledger), ledger.received);
    assert_equal("in flight", (uint64_t)spill_ledger_in_flight(&ledger), 0);
    assert_equal("out of order", bench.disorder, 0);
    assert_equal("mbufs", rte_mempool_avail_count(bench_mbufs), BENCH_MBUFS);
}

static void wait_for_end(void)
{
    uint64_t deadline = rte_rdtsc() + 20 * rte_get_tsc_hz();
    uint32_t hanging;

    while (spill_pipeline_running(bench.pipeline, &hanging)) {
        if (bench_drain(&bench) == 0)
            sched_yield();
        if (rte_rdtsc() > deadline) {
            spill_token_cancel(&bench.force, "test");
            fail_msg("%s: %s does not end", bench.options.shape.name,
                     bench.plan.lcores[hanging].name);
        }
    }
}

static void launch(void)
{
    if (spill_pipeline_launch(bench.pipeline, &bench.error) != 0)
        fail_msg("%s", bench.error.text);
}

/* Feeds so many packets in all, at the pace at which they are taken. */
static void feed_and_drain(uint32_t packets, uint32_t flows)
{
    while (bench.fed < packets) {
        uint32_t port = test_random_below(&bench_seed, 3) == 0;
        uint32_t fed = bench_feed(&bench, port, 1 + test_random_below(&bench_seed, 32), flows);

        if (bench_drain(&bench) + fed == 0)
            sched_yield();
    }
}

static void wait_until_received(void)
{
    while (!rte_ring_empty(bench_in[0]) || !rte_ring_empty(bench_in[1])) {
        if (bench_drain(&bench) == 0)
            sched_yield();
    }
}

static void run(const struct bench_options *options, uint32_t packets, bool receive_all)
{
    open_or_fail(options);
    launch();
    feed_and_drain(packets, BENCH_FLOWS);
    if (receive_all)
        wait_until_received();
    spill_token_cancel(&bench.stop, "test");
    wait_for_end();
    assert_false(spill_pipeline_forced(bench.pipeline));
    assert_balanced();
    bench_close(&bench);
}

/* After a test that failed: the next one finds everything as it was. */
static int clear(void **state)
{
    uint64_t deadline = rte_rdtsc() + 5 * rte_get_tsc_hz();

    (void)state;
    held = false;
    allocation_to_fail = 0;
    if (bench.rules == NULL && bench.pipeline == NULL)
        return 0;
    spill_token_cancel(&bench.force, "test");
    while (bench.pipeline != NULL && spill_pipeline_running(bench.pipeline, NULL)) {
        if (rte_rdtsc() > deadline)
            return -1;
        sched_yield();
    }
    if (bench.pipeline != NULL)
        spill_pipeline_abandon(bench.pipeline, NULL);
    bench_take_back();
    while (bench_drain(&bench) > 0)
        ;
    bench_close(&bench);
    return 0;
}

static void order_is_kept_and_all_is_accounted_for_in_every_shape(void **state)
{
    uint32_t shape, dispatch, lanes;

    (void)state;
    set_fault(FAULT_NONE, 0);
    for (shape = 0; shape < RTE_DIM(shapes); shape++) {
        for (dispatch = SPILL_DISPATCH_AUTO; dispatch <= SPILL_DISPATCH_POOL; dispatch++) {
            for (lanes = 1; lanes <= 64; lanes *= 8) {
                struct bench_options options = options_for(shape);

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
            assert_equal(name, ledger->dropped[id], 0);
    }
}

/* A source that can wait loses nothing for want of room, only by rule. */
static void a_source_that_waits_loses_nothing(void **state)
{
    uint32_t shape, dispatch;

    (void)state;
    for (shape = 0; shape < RTE_DIM(shapes); shape++) {
        for (dispatch = SPILL_DISPATCH_AUTO; dispatch <= SPILL_DISPATCH_POOL; dispatch++) {
            struct bench_options options = options_for(shape);
            struct spill_ledger ledger;

            set_fault(shape % 2 == 0 ? FAULT_NONE : FAULT_RANDOM, 0);

            options.dispatch = dispatch;
            options.source_waits = true;
            options.capacity = 64;
            open_or_fail(&options);
            launch();
            while (bench.fed < TEST_ROUNDS(4000)) {
                if (bench_feed(&bench, 0, 32, BENCH_FLOWS) + bench_drain(&bench) == 0)
                    sched_yield();
            }
            wait_until_received();
            spill_token_cancel(&bench.stop, "test");
            wait_for_end();
            assert_false(spill_pipeline_forced(bench.pipeline));
            assert_balanced();
            spill_pipeline_ledger(bench.pipeline, &ledger);
            assert_dropped_by_rule_alone(&ledger);
            assert_equal("allowed ones", bench.came[1], bench.fed_allowed);
            bench_close(&bench);
        }
    }
}

/* ----------------------------------------------------------------------- turns of the loops */

/* An lcore that is within the driver for the first time may have read there what is changed now. */
static void a_first_turn_is_waited_for(void **state)
{
    struct bench_options options = options_for(0);

    (void)state;
    open_or_fail(&options);
    assert_true(spill_pipeline_await_turn(bench.pipeline, 0)); /* of no lcore that runs */
    held = true;
    receiving = false;
    launch();
    while (!receiving)
        sched_yield();
    assert_false(spill_pipeline_await_turn(bench.pipeline, 1000000));
    held = false;
    assert_true(spill_pipeline_await_turn(bench.pipeline, UINT64_C(20000000000)));
    spill_token_cancel(&bench.stop, "test");
    wait_for_end();
    assert_false(spill_pipeline_forced(bench.pipeline));
    bench_close(&bench);
}

/* ------------------------------------------------------------------------ transmit faults */

static void each_transmit_may_fail(void **state)
{
    static const enum fault faults[] = {FAULT_NTH_TAKES_NONE, FAULT_NTH_TAKES_HALF};
    uint32_t shape, at, count;

    (void)state;
    for (shape = 0; shape < RTE_DIM(shapes); shape++) {
        struct bench_options options = options_for(shape);

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
    for (shape = 0; shape < RTE_DIM(shapes); shape++) {
        for (dispatch = SPILL_DISPATCH_AUTO; dispatch <= SPILL_DISPATCH_POOL; dispatch++) {
            struct bench_options options = options_for(shape);

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
    for (shape = 0; shape < RTE_DIM(shapes); shape++) {
        for (at = 0; at < 20; at += 4) {
            struct bench_options options = options_for(shape);
            struct spill_ledger ledger;
            uint64_t abandoned;

            set_fault(FAULT_FROM_NTH_ON, at);
            open_or_fail(&options);
            launch();
            while (bench.fed < 1500 || atomic_load(&transmits) < at + 3)
                feed_and_drain((uint32_t)bench.fed + 100, BENCH_FLOWS);
            spill_token_cancel(&bench.stop, "test");
            spill_token_cancel(&bench.force, "deadline");
            wait_for_end();
            told = 0;
            assert_true(spill_pipeline_forced(bench.pipeline));
            abandoned = spill_pipeline_abandon(bench.pipeline, count_told);
            assert_true(abandoned > 0);
            assert_int_equal(told, abandoned);
            spill_pipeline_ledger(bench.pipeline, &ledger);
            assert_int_equal(bench_drops(&ledger, "drain_deadline"), abandoned);
            assert_balanced();
            assert_int_equal(spill_pipeline_abandon(bench.pipeline, NULL), 0);
            bench_close(&bench);
        }
    }
}

/* Force at any moment. */
static void a_forced_end_loses_no_count(void **state)
{
    uint32_t round;

    (void)state;
    for (round = 0; round < TEST_ROUNDS(40); round++) {
        struct bench_options options = options_for(round % RTE_DIM(shapes));

        set_fault(round % 2 == 0 ? FAULT_NONE : FAULT_RANDOM, 0);
        options.dispatch = round % 3;
        open_or_fail(&options);
        launch();
        feed_and_drain(test_random_below(&bench_seed, 3000), BENCH_FLOWS);
        spill_token_cancel(&bench.force, "test");
        wait_for_end();
        spill_pipeline_abandon(bench.pipeline, NULL);
        assert_balanced();
        bench_close(&bench);
    }
}

/* ------------------------------------------- every lcore's stages by hand, in one thread */

struct hand {
    bool ended[SPILL_LCORES_MAX];
    struct rte_ring *full; /* in place of the channels', while their sends are to fail */
};

/* A turn of every lcore, as its loop does. Returns whether all have ended. */
static bool turn_all(struct hand *hand)
{
    bool all = true;
    uint32_t i, j;

    for (i = 1; i < bench.plan.lcore_count; i++) {
        struct spill_loop *loop = bench.pipeline->lcores[i].loop;
        bool ended = true;

        if (hand->ended[i])
            continue;
        for (j = 0; j < loop->stage_count; j++)
            loop->stages[j].poll(loop->stages[j].context, rte_rdtsc());
        if (loop->budget != NULL)
            spill_budget_earn(loop->budget, 5000);
        for (j = 0; spill_token_cancelled(&bench.stop) && j < loop->stage_count; j++)
            ended &= loop->stages[j].end(loop->stages[j].context);
        hand->ended[i] = spill_token_cancelled(&bench.stop) && ended;
        all &= hand->ended[i];
    }
    return all;
}

/* Makes the sends of all channels fail, or work again. */
static void fail_channels(const struct hand *hand, bool fail)
{
    uint32_t i, j;

    for (i = 0; i < bench.plan.channel_count; i++) {
        struct spill_channel *channel = bench.pipeline->channels[i];

        for (j = 0; j < channel->sender_count; j++)
            channel->senders[j].ring = fail ? hand->full : channel->ring;
    }
}

enum channel_fault {
    CHANNELS_FULL,
    CHANNELS_CLOSED,
    CHANNEL_FAULTS,
};

static uint64_t run_by_hand(const struct bench_options *options, enum channel_fault what,
                            uint32_t at, uint32_t *turns)
{
    static struct hand hand;
    uint64_t refused = 0;
    uint32_t number = 0, i;
    bool all = false;

    memset(&hand, 0, sizeof(hand));
    hand.full = rte_ring_lookup("full");
    open_or_fail(options);
    while (!all) {
        if (number < 12)
            bench_feed(&bench, number % 3 == 2, 32, BENCH_FLOWS);
        if (number == 16)
            spill_token_cancel(&bench.stop, "test");
        if (number == at && what == CHANNELS_FULL)
            fail_channels(&hand, true);
        for (i = 0; number == at && what == CHANNELS_CLOSED && i < bench.plan.channel_count; i++)
            spill_channel_close(bench.pipeline->channels[i]);
        all = turn_all(&hand);
        if (number == at && what == CHANNELS_FULL)
            fail_channels(&hand, false);
        bench_drain(&bench);
        assert_true(++number < 1000);
    }
    *turns = number;
    for (i = 0; i < bench.plan.channel_count; i++)
        refused += spill_channel_refused(bench.pipeline->channels[i]);
    assert_balanced();
    bench_close(&bench);
    return refused;
}

static void each_enqueue_may_be_refused(void **state)
{
    struct rte_ring *full = rte_ring_create("full", 1, SOCKET_ID_ANY, RING_F_EXACT_SZ);
    uint32_t shape, what, at, turns, dispatch;

    (void)state;
    assert_non_null(full);
    assert_int_equal(rte_ring_enqueue(full, full), 0);
    set_fault(FAULT_NONE, 0);
    for (shape = 0; shape < RTE_DIM(shapes); shape++) {
        for (what = 0; what < CHANNEL_FAULTS; what++) {
            for (dispatch = SPILL_DISPATCH_AUTO; dispatch <= SPILL_DISPATCH_POOL; dispatch++) {
                struct bench_options options = options_for(shape);
                uint64_t refused = 0;

                options.dispatch = dispatch;
                for (at = 0, turns = 1; at < turns; at++)
                    refused += run_by_hand(&options, what, at, &turns);
                assert_int_equal(refused > 0, bench.plan.channel_count > 0);
            }
        }
    }
    rte_ring_free(full);
}

/* No credit for each number of credits there are, under each policy. */
static void each_job_may_find_no_credit(void **state)
{
    uint32_t capacity, overflow, lanes, turns;

    (void)state;
    set_fault(FAULT_NONE, 0);
    for (capacity = 1; capacity <= 12; capacity++) {
        for (overflow = SPILL_OVERFLOW_DROP; overflow <= SPILL_OVERFLOW_ALLOW; overflow++) {
            for (lanes = 1; lanes <= 8; lanes++) {
                struct bench_options options = options_for(1);

                options.dispatch = SPILL_DISPATCH_POOL;
                options.capacity = capacity;
                options.overflow = overflow;
                options.lanes = lanes;
                run_by_hand(&options, CHANNELS_FULL, UINT32_MAX, &turns);
            }
        }
    }
}

/* Lets a port receive packets of one flow, with the addresses of one of its directions. */
static void feed_direction(unsigned port, uint32_t flow, unsigned direction, uint32_t count)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    uint32_t i;

    assert_int_equal(rte_pktmbuf_alloc_bulk(bench_mbufs, mbufs, count), 0);
    for (i = 0; i < count; i++)
        bench_fill(&bench, mbufs[i], flow, direction);
    assert_int_equal(rte_ring_enqueue_bulk(bench_in[port], (void **)mbufs, count, NULL), count);
    bench.fed += count;
}

/* The same, and all look as if they came from inside. */
static void feed_flow(unsigned port, uint32_t flow, uint32_t count)
{
    feed_direction(port, flow, 0, count);
}

/*
 * The last credit's last place goes to a flow's first packet, and the next packet of the burst is
 * of the same flow: to let that one pass would let it overtake.
 */
static void none_that_is_let_pass_overtakes_its_flow(void **state)
{
    struct bench_options options = options_for(1);
    static struct hand hand;
    struct spill_ledger ledger;
    uint32_t i;

    (void)state;
    set_fault(FAULT_NONE, 0);
    options.dispatch = SPILL_DISPATCH_POOL;
    options.overflow = SPILL_OVERFLOW_ALLOW;
    options.lanes = 1;
    options.capacity = 1;
    memset(&hand, 0, sizeof(hand));
    open_or_fail(&options);
    for (i = 0; i < 10; i++)
        turn_all(&hand); /* time to spare: new flows may be entered */
    feed_flow(0, 1, SPILL_JOB_PACKETS - 1);
    feed_flow(1, 2, 2); /* read after the other port, in the same turn */
    for (i = 0; i < 10; i++)
        turn_all(&hand);
    while (bench_drain(&bench) > 0)
        ;
    assert_equal("out of order", bench.disorder, 0);
    assert_equal("of the first flow", bench.came[1], SPILL_JOB_PACKETS - 1);
    assert_equal("of the second flow", bench.came[0], 1);
    spill_pipeline_ledger(bench.pipeline, &ledger);
    assert_equal("dropped", bench_drops(&ledger, "pool_full_classify"), 1);
    spill_token_cancel(&bench.stop, "test");
    while (!turn_all(&hand))
        ;
    assert_balanced();
    bench_close(&bench);
}

/* Feeds a packet; returns how many come out by the other port. */
static uint64_t pass(struct hand *hand, unsigned port, uint32_t flow, unsigned direction)
{
    const uint64_t before = bench.came[!port];

    feed_direction(port, flow, direction, 1);
    turn_all(hand);
    bench_drain(&bench);
    return bench.came[!port] - before;
}

/* Whoever uses the addresses of a flow at the other end of the wire has no part in it. */
static void a_flow_belongs_to_the_ends_of_its_wire(void **state)
{
    struct bench_options options = options_for(0);
    static struct hand hand;

    (void)state;
    set_fault(FAULT_NONE, 0);
    memset(&hand, 0, sizeof(hand));
    open_or_fail(&options);
    turn_all(&hand);
    /* The rule says nothing of ports, so this passes; but it opens nothing for its own end. */
    assert_int_equal(pass(&hand, 1, 1, 0), 1);
    assert_int_equal(pass(&hand, 1, 1, 1), 0);
    /* What was opened is a reply from inside, to the inside. */
    assert_int_equal(pass(&hand, 0, 1, 1), 1);
    /* From inside it is another flow, and its reply comes from outside alone. */
    assert_int_equal(pass(&hand, 0, 2, 1), 0);
    assert_int_equal(pass(&hand, 0, 2, 0), 1);
    assert_int_equal(pass(&hand, 0, 2, 1), 0);
    assert_int_equal(pass(&hand, 1, 2, 1), 1);
    spill_token_cancel(&bench.stop, "test");
    while (!turn_all(&hand))
        ;
    assert_balanced();
    bench_close(&bench);
}

/* New rules; and turns until all flows go by them. */
static void renew(struct hand *hand, uint64_t number, const char *rules, bool wait)
{
    const uint64_t deadline = rte_rdtsc() + 60 * rte_get_tsc_hz();
    const struct spill_fast *fast = bench.pipeline->lcores[1].fast;

    assert_int_equal(bench_publish(&bench, number, rules), 0);
    do
        turn_all(hand);
    while (wait && fast->version.renewed != number && rte_rdtsc() < deadline);
    assert_true(!wait || fast->version.renewed == number);
}

/* A reload keeps what the rules would let its initiator begin, and ends what not, whoever speaks.
 */
static void a_reload_knows_who_began(void **state)
{
    struct bench_options options = options_for(0);
    static struct hand hand;

    (void)state;
    set_fault(FAULT_NONE, 0);
    memset(&hand, 0, sizeof(hand));
    open_or_fail(&options);
    turn_all(&hand);
    for (uint32_t flow = 1; flow <= 6; flow++) {
        assert_int_equal(pass(&hand, 1, flow, 1), 0); /* denied before, for itself */
        assert_int_equal(pass(&hand, 0, flow, 0), 1);
        assert_int_equal(pass(&hand, 1, flow, 1), 1);
    }
    /* The same rules, and the one who did not begin speaks first: at once, and when all must ask.
     */
    renew(&hand, 2, bench_usual_rules, false);
    for (uint32_t flow = 1; flow <= 3; flow++)
        assert_int_equal(pass(&hand, 1, flow, 1), 1);
    renew(&hand, 3, bench_usual_rules, true);
    for (uint32_t flow = 1; flow <= 6; flow++)
        assert_int_equal(pass(&hand, 1, flow, 1), 1);
    /* And once more: what was asked for the one who began was noted as that one's. */
    renew(&hand, 4, bench_usual_rules, true);
    for (uint32_t flow = 1; flow <= 6; flow++)
        assert_int_equal(pass(&hand, 1, flow, 1), 1);
    /* Others: both directions end, with the packet of either. */
    renew(&hand, 5, "deny any from any to any\n", true);
    for (uint32_t flow = 1; flow <= 6; flow++) {
        assert_int_equal(pass(&hand, flow % 2, flow, flow % 2), 0);
        assert_int_equal(pass(&hand, !(flow % 2), flow, !(flow % 2)), 0);
    }
    spill_token_cancel(&bench.stop, "test");
    while (!turn_all(&hand))
        ;
    assert_balanced();
    bench_close(&bench);
}

/* A pipeline whose classification is all the pool's, and that turns when the test says so. */
static void open_by_hand(struct hand *hand)
{
    struct bench_options options = options_for(1);

    set_fault(FAULT_NONE, 0);
    options.dispatch = SPILL_DISPATCH_POOL;
    memset(hand, 0, sizeof(*hand));
    open_or_fail(&options);
}

/* Pool lcores on a node without a fast lcore have a plan, and no pool. */
static void a_pool_without_work_is_passed_over(void **state)
{
    static struct hand hand;
    struct spill_pipeline_config config;

    (void)state;
    open_by_hand(&hand);
    config = bench.pipeline->config;
    config.classes[SPILL_CLASS_CLASSIFY].dispatch = SPILL_DISPATCH_INLINE;
    bench.pipeline->pools[bench.pipeline->pool_count++] = NULL;
    spill_pipeline_set(bench.pipeline, &config);
    bench.pipeline->pool_count--;
    assert_int_equal(bench.pipeline->pools[0]->classes[SPILL_CLASS_CLASSIFY].dispatch,
                     SPILL_DISPATCH_INLINE);
    spill_token_cancel(&bench.stop, "test");
    while (!turn_all(&hand))
        ;
    assert_balanced();
    bench_close(&bench);
}

/* A verdict by rules that were replaced while it was found is its packet's, and not its flow's. */
static void a_verdict_of_old_rules_is_not_noted_as_new(void **state)
{
    static struct hand hand;
    unsigned turn;

    (void)state;
    open_by_hand(&hand);
    for (turn = 0; turn < 10; turn++)
        turn_all(&hand); /* time to spare: new flows may be entered */
    feed_direction(0, 1, 0, 1);
    turn_all(&hand); /* the workers come behind the fast lcore, which has not seen it yet */
    renew(&hand, 2, "deny any from any to any\n", true);
    while (bench_drain(&bench) > 0)
        ;
    assert_int_equal(bench.came[1], 1);
    feed_direction(0, 1, 0, 1);
    for (turn = 0; turn < 10; turn++)
        turn_all(&hand);
    while (bench_drain(&bench) > 0)
        ;
    assert_int_equal(bench.came[1], 1);
    spill_token_cancel(&bench.stop, "test");
    while (!turn_all(&hand))
        ;
    assert_balanced();
    bench_close(&bench);
}

/* But where they hold at once (an IKE daemon was told so), what is under way goes by them. */
static void rules_at_once_hold_for_what_is_under_way(void **state)
{
    static struct hand hand;
    struct spill_ruleset *ruleset;
    unsigned turn;

    (void)state;
    open_by_hand(&hand);
    for (turn = 0; turn < 10; turn++)
        turn_all(&hand);
    feed_direction(0, 1, 0, 1);
    turn_all(&hand); /* a worker has an answer, which the fast lcore has not seen yet */
    ruleset = bench_read_rules(&bench, "deny any from any to any\n");
    assert_non_null(ruleset);
    assert_int_equal(bench_publish_rules(&bench, 2, ruleset, true), 0);
    for (turn = 0; turn < 10; turn++)
        turn_all(&hand);
    while (bench_drain(&bench) > 0)
        ;
    assert_int_equal(bench.came[1], 0);
    spill_token_cancel(&bench.stop, "test");
    while (!turn_all(&hand))
        ;
    assert_balanced();
    bench_close(&bench);
}

/* A reply in the burst of the packet that opens its flow, though it had been denied before. */
static void a_reply_waits_for_who_opens_its_flow(void **state)
{
    static struct hand hand;
    unsigned turn;

    (void)state;
    open_by_hand(&hand);
    assert_int_equal(pass(&hand, 1, 1, 1), 0);
    for (turn = 0; turn < 10; turn++)
        turn_all(&hand);
    feed_direction(0, 1, 0, 1);
    feed_direction(1, 1, 1, 1);
    for (turn = 0; turn < 10; turn++)
        turn_all(&hand);
    while (bench_drain(&bench) > 0)
        ;
    assert_int_equal(bench.came[1], 1);
    assert_int_equal(bench.came[0], 1);
    spill_token_cancel(&bench.stop, "test");
    while (!turn_all(&hand))
        ;
    assert_balanced();
    bench_close(&bench);
}

/* The same where both are in one burst, which no lane has seen yet: of a port with both ends. */
static void a_reply_waits_for_who_asks_in_its_burst(void **state)
{
    struct spill_flow flow = {.rights = SPILL_FLOW_DENIED << 1};
    struct spill_packet opening = {.flow = &flow, .direction = 0};
    struct spill_packet reply = {.flow = &flow, .direction = 1};

    (void)state;
    assert_int_equal(spill_protection_verdict(&reply), SPILL_VERDICT_DENY);
    assert_int_equal(spill_protection_verdict(&opening), SPILL_VERDICT_UNKNOWN);
    assert_int_equal(spill_protection_verdict(&reply), SPILL_VERDICT_UNKNOWN);
}

/* A turn with so much time for new flows, at the end of a long burst; returns what is left. */
static int64_t turn_with_time(struct hand *hand, struct spill_fast *fast, int64_t admission)
{
    fast->receive.has_time = false;
    fast->receive.last_turn = rte_rdtsc();
    fast->admission.entering.left = admission;
    turn_all(hand);
    while (bench_drain(&bench) > 0)
        ;
    return fast->admission.entering.left;
}

/* Law 3: without time for them new flows are dropped, and known ones go on. */
static void new_flows_get_the_time_that_there_is(void **state)
{
    const int64_t debt = -(INT64_C(1) << 40);
    struct bench_options options = options_for(0);
    static struct hand hand;
    struct spill_ledger ledger;
    struct spill_fast *fast;

    (void)state;
    set_fault(FAULT_NONE, 0);
    memset(&hand, 0, sizeof(hand));
    open_or_fail(&options);
    fast = bench.pipeline->lcores[1].fast;
    feed_flow(0, 1, 1);
    assert_true(turn_with_time(&hand, fast, 1) < 1); /* what a new flow cost is paid */
    assert_equal("of the first flow", bench.came[1], 1);

    feed_flow(0, 2, SPILL_BURST);
    assert_true(turn_with_time(&hand, fast, debt) >= debt); /* what is refused costs nothing */
    feed_flow(0, 1, SPILL_BURST);
    turn_with_time(&hand, fast, debt);
    assert_equal("of the first flow", bench.came[1], 1 + SPILL_BURST);
    spill_pipeline_ledger(bench.pipeline, &ledger);
    assert_equal("dropped", bench_drops(&ledger, "new_flow_limit"), SPILL_BURST);

    feed_flow(0, 2, SPILL_BURST);
    turn_with_time(&hand, fast, 1);
    assert_equal("of both flows", bench.came[1], 1 + 2 * SPILL_BURST);
    spill_token_cancel(&bench.stop, "test");
    while (!turn_all(&hand))
        ;
    assert_balanced();
    bench_close(&bench);
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
    for (shape = 0; shape < RTE_DIM(shapes); shape++) {
        struct bench_options options = options_for(shape);
        size_t before = test_heap_bytes();

        allocation_to_fail = 0;
        allocations = 0;
        open_or_fail(&options);
        needed = allocations;
        bench_close(&bench);
        assert_int_equal(test_heap_bytes(), before);
        assert_true(needed > 10);
        for (n = 1; n <= needed; n++) {
            allocation_to_fail = n;
            allocations = 0;
            if (bench_open(&bench, &options) == 0)
                fail_msg("%s: allocation %u failed, but the pipeline is there", shapes[shape].name,
                         n);
            assert_true(strlen(bench.error.text) > 0);
            allocation_to_fail = 0;
            bench_close(&bench);
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
        cmocka_unit_test_teardown(each_enqueue_may_be_refused, clear),
        cmocka_unit_test_teardown(each_job_may_find_no_credit, clear),
        cmocka_unit_test_teardown(none_that_is_let_pass_overtakes_its_flow, clear),
        cmocka_unit_test_teardown(a_flow_belongs_to_the_ends_of_its_wire, clear),
        cmocka_unit_test_teardown(a_reload_knows_who_began, clear),
        cmocka_unit_test_teardown(a_pool_without_work_is_passed_over, clear),
        cmocka_unit_test_teardown(a_verdict_of_old_rules_is_not_noted_as_new, clear),
        cmocka_unit_test_teardown(rules_at_once_hold_for_what_is_under_way, clear),
        cmocka_unit_test_teardown(a_reply_waits_for_who_opens_its_flow, clear),
        cmocka_unit_test(a_reply_waits_for_who_asks_in_its_burst),
        cmocka_unit_test_teardown(new_flows_get_the_time_that_there_is, clear),
        cmocka_unit_test_teardown(each_allocation_may_fail, clear),
    };
    unsigned port;
    int failed;

    bench_start(LCORES);
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
