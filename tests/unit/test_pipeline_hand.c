/* SPDX-License-Identifier: BSD-3-Clause */
/* The pipeline with every lcore's stages turned by hand, in one thread: what follows when. */
#include "pipeline/protection.h"
#include "pipeline_run.h"

struct hand {
    bool ended[SPILL_LCORES_MAX];
    struct rte_ring *full; /* in place of the channels', while their sends are to fail */
};

/* A turn of every lcore, as its loop does. Returns whether all have ended. */
static bool turn_all(struct hand *hand)
{
    bool all = true;
    uint32_t i, j;

    for (i = 1; i < run_bench.plan.lcore_count; i++) {
        struct spill_loop *loop = run_bench.pipeline->lcores[i].loop;
        bool ended = true;

        if (hand->ended[i])
            continue;
        for (j = 0; j < loop->stage_count; j++)
            loop->stages[j].poll(loop->stages[j].context, rte_rdtsc());
        if (loop->budget != NULL)
            spill_budget_earn(loop->budget, 5000);
        for (j = 0; spill_token_cancelled(&run_bench.stop) && j < loop->stage_count; j++)
            ended &= loop->stages[j].end(loop->stages[j].context);
        hand->ended[i] = spill_token_cancelled(&run_bench.stop) && ended;
        all &= hand->ended[i];
    }
    return all;
}

/* Drains it: all that it had is in the books. */
static void close_by_hand(struct hand *hand)
{
    spill_token_cancel(&run_bench.stop, "test");
    while (!turn_all(hand))
        ;
    run_assert_balanced();
    bench_close(&run_bench);
}

/* Makes the sends of all channels fail, or work again. */
static void fail_channels(const struct hand *hand, bool fail)
{
    uint32_t i, j;

    for (i = 0; i < run_bench.plan.channel_count; i++) {
        struct spill_channel *channel = run_bench.pipeline->channels[i];

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
    run_open(options);
    while (!all) {
        if (number < 12)
            bench_feed(&run_bench, number % 3 == 2, 32, BENCH_FLOWS);
        if (number == 16)
            spill_token_cancel(&run_bench.stop, "test");
        if (number == at && what == CHANNELS_FULL)
            fail_channels(&hand, true);
        for (i = 0; number == at && what == CHANNELS_CLOSED && i < run_bench.plan.channel_count;
             i++)
            spill_channel_close(run_bench.pipeline->channels[i]);
        all = turn_all(&hand);
        if (number == at && what == CHANNELS_FULL)
            fail_channels(&hand, false);
        bench_drain(&run_bench);
        assert_true(++number < 1000);
    }
    *turns = number;
    for (i = 0; i < run_bench.plan.channel_count; i++)
        refused += spill_channel_refused(run_bench.pipeline->channels[i]);
    run_assert_balanced();
    bench_close(&run_bench);
    return refused;
}

static void each_enqueue_may_be_refused(void **state)
{
    struct rte_ring *full = rte_ring_create("full", 1, SOCKET_ID_ANY, RING_F_EXACT_SZ);
    uint32_t shape, what, at, turns, dispatch;

    (void)state;
    assert_non_null(full);
    assert_int_equal(rte_ring_enqueue(full, full), 0);
    for (shape = 0; shape < RTE_DIM(run_shapes); shape++) {
        for (what = 0; what < CHANNEL_FAULTS; what++) {
            for (dispatch = SPILL_DISPATCH_AUTO; dispatch <= SPILL_DISPATCH_POOL; dispatch++) {
                struct bench_options options = run_options(shape);
                uint64_t refused = 0;

                options.dispatch = dispatch;
                for (at = 0, turns = 1; at < turns; at++)
                    refused += run_by_hand(&options, what, at, &turns);
                assert_int_equal(refused > 0, run_bench.plan.channel_count > 0);
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
    for (capacity = 1; capacity <= 12; capacity++) {
        for (overflow = SPILL_OVERFLOW_DROP; overflow <= SPILL_OVERFLOW_ALLOW; overflow++) {
            for (lanes = 1; lanes <= 8; lanes++) {
                struct bench_options options = run_options(1);

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
        bench_fill(&run_bench, mbufs[i], flow, direction);
    assert_int_equal(rte_ring_enqueue_bulk(bench_in[port], (void **)mbufs, count, NULL), count);
    run_bench.fed += count;
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
    struct bench_options options = run_options(1);
    static struct hand hand;
    struct spill_ledger ledger;
    uint32_t i;

    (void)state;
    options.dispatch = SPILL_DISPATCH_POOL;
    options.overflow = SPILL_OVERFLOW_ALLOW;
    options.lanes = 1;
    options.capacity = 1;
    memset(&hand, 0, sizeof(hand));
    run_open(&options);
    for (i = 0; i < 10; i++)
        turn_all(&hand); /* time to spare: new flows may be entered */
    feed_flow(0, 1, SPILL_JOB_PACKETS - 1);
    feed_flow(1, 2, 2); /* read after the other port, in the same turn */
    for (i = 0; i < 10; i++)
        turn_all(&hand);
    while (bench_drain(&run_bench) > 0)
        ;
    run_assert_equal("out of order", run_bench.disorder, 0);
    run_assert_equal("of the first flow", run_bench.came[1], SPILL_JOB_PACKETS - 1);
    run_assert_equal("of the second flow", run_bench.came[0], 1);
    spill_pipeline_ledger(run_bench.pipeline, &ledger);
    run_assert_equal("dropped", bench_drops(&ledger, "pool_full_classify"), 1);
    close_by_hand(&hand);
}

/* Feeds a packet; returns how many come out by the other port. */
static uint64_t pass(struct hand *hand, unsigned port, uint32_t flow, unsigned direction)
{
    const uint64_t before = run_bench.came[!port];

    feed_direction(port, flow, direction, 1);
    turn_all(hand);
    bench_drain(&run_bench);
    return run_bench.came[!port] - before;
}

/* Whoever uses the addresses of a flow at the other end of the wire has no part in it. */
static void a_flow_belongs_to_the_ends_of_its_wire(void **state)
{
    struct bench_options options = run_options(0);
    static struct hand hand;

    (void)state;
    memset(&hand, 0, sizeof(hand));
    run_open(&options);
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
    close_by_hand(&hand);
}

/* New rules; and turns until all flows go by them. */
static void renew(struct hand *hand, uint64_t number, const char *rules, bool wait)
{
    const uint64_t deadline = rte_rdtsc() + 60 * rte_get_tsc_hz();
    const struct spill_fast *fast = run_bench.pipeline->lcores[1].fast;

    assert_int_equal(bench_publish(&run_bench, number, rules), 0);
    do
        turn_all(hand);
    while (wait && fast->version.renewed != number && rte_rdtsc() < deadline);
    assert_true(!wait || fast->version.renewed == number);
}

/* A reload keeps what the rules would let its initiator begin, and ends what not, whoever speaks.
 */
static void a_reload_knows_who_began(void **state)
{
    struct bench_options options = run_options(0);
    static struct hand hand;

    (void)state;
    memset(&hand, 0, sizeof(hand));
    run_open(&options);
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
    close_by_hand(&hand);
}

/* A pipeline whose classification is all the pool's, and that turns when the test says so. */
static void open_by_hand(struct hand *hand)
{
    struct bench_options options = run_options(1);

    options.dispatch = SPILL_DISPATCH_POOL;
    memset(hand, 0, sizeof(*hand));
    run_open(&options);
}

/* Pool lcores on a node without a fast lcore have a plan, and no pool. */
static void a_pool_without_work_is_passed_over(void **state)
{
    static struct hand hand;
    struct spill_pipeline_config config;

    (void)state;
    open_by_hand(&hand);
    config = run_bench.pipeline->config;
    config.classes[SPILL_CLASS_CLASSIFY].dispatch = SPILL_DISPATCH_INLINE;
    run_bench.pipeline->pools[run_bench.pipeline->pool_count++] = NULL;
    spill_pipeline_set(run_bench.pipeline, &config);
    run_bench.pipeline->pool_count--;
    assert_int_equal(run_bench.pipeline->pools[0]->classes[SPILL_CLASS_CLASSIFY].dispatch,
                     SPILL_DISPATCH_INLINE);
    close_by_hand(&hand);
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
    while (bench_drain(&run_bench) > 0)
        ;
    assert_int_equal(run_bench.came[1], 1);
    feed_direction(0, 1, 0, 1);
    for (turn = 0; turn < 10; turn++)
        turn_all(&hand);
    while (bench_drain(&run_bench) > 0)
        ;
    assert_int_equal(run_bench.came[1], 1);
    close_by_hand(&hand);
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
    ruleset = bench_read_rules(&run_bench, "deny any from any to any\n");
    assert_non_null(ruleset);
    assert_int_equal(bench_publish_rules(&run_bench, 2, ruleset, true), 0);
    for (turn = 0; turn < 10; turn++)
        turn_all(&hand);
    while (bench_drain(&run_bench) > 0)
        ;
    assert_int_equal(run_bench.came[1], 0);
    close_by_hand(&hand);
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
    while (bench_drain(&run_bench) > 0)
        ;
    assert_int_equal(run_bench.came[1], 1);
    assert_int_equal(run_bench.came[0], 1);
    close_by_hand(&hand);
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
    while (bench_drain(&run_bench) > 0)
        ;
    return fast->admission.entering.left;
}

/* Law 3: without time for them new flows are dropped, and known ones go on. */
static void new_flows_get_the_time_that_there_is(void **state)
{
    const int64_t debt = -(INT64_C(1) << 40);
    struct bench_options options = run_options(0);
    static struct hand hand;
    struct spill_ledger ledger;
    struct spill_fast *fast;

    (void)state;
    memset(&hand, 0, sizeof(hand));
    run_open(&options);
    fast = run_bench.pipeline->lcores[1].fast;
    feed_flow(0, 1, 1);
    assert_true(turn_with_time(&hand, fast, 1) < 1); /* what a new flow cost is paid */
    run_assert_equal("of the first flow", run_bench.came[1], 1);

    feed_flow(0, 2, SPILL_BURST);
    assert_true(turn_with_time(&hand, fast, debt) >= debt); /* what is refused costs nothing */
    feed_flow(0, 1, SPILL_BURST);
    turn_with_time(&hand, fast, debt);
    run_assert_equal("of the first flow", run_bench.came[1], 1 + SPILL_BURST);
    spill_pipeline_ledger(run_bench.pipeline, &ledger);
    run_assert_equal("dropped", bench_drops(&ledger, "new_flow_limit"), SPILL_BURST);

    feed_flow(0, 2, SPILL_BURST);
    turn_with_time(&hand, fast, 1);
    run_assert_equal("of both flows", run_bench.came[1], 1 + 2 * SPILL_BURST);
    close_by_hand(&hand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_enqueue_may_be_refused, run_clear),
        cmocka_unit_test_teardown(each_job_may_find_no_credit, run_clear),
        cmocka_unit_test_teardown(none_that_is_let_pass_overtakes_its_flow, run_clear),
        cmocka_unit_test_teardown(a_flow_belongs_to_the_ends_of_its_wire, run_clear),
        cmocka_unit_test_teardown(a_reload_knows_who_began, run_clear),
        cmocka_unit_test_teardown(a_pool_without_work_is_passed_over, run_clear),
        cmocka_unit_test_teardown(a_verdict_of_old_rules_is_not_noted_as_new, run_clear),
        cmocka_unit_test_teardown(rules_at_once_hold_for_what_is_under_way, run_clear),
        cmocka_unit_test_teardown(a_reply_waits_for_who_opens_its_flow, run_clear),
        cmocka_unit_test(a_reply_waits_for_who_asks_in_its_burst),
        cmocka_unit_test_teardown(new_flows_get_the_time_that_there_is, run_clear),
    };
    int failed;

    bench_start(RUN_LCORES);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
