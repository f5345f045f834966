/* SPDX-License-Identifier: BSD-3-Clause */
/* Credits between the classes; lanes and credits against a model; what is inline. */
#include "pool_bench.h"

/* ---------------------------------------------------------------- credits between the classes */

static void a_class_borrows_all_credits_while_no_other_waits(void **state)
{
    static const uint32_t capacities[] = {3, 5, 2};
    static struct pool_bench bench;
    uint32_t i;

    (void)state;
    pool_bench_open(&bench, 3, capacities, 1, 4, SPILL_RING_EXCLUSIVE);
    for (i = 0; i < 10; i++)
        assert_true(pool_submit_one(&bench, 1, i % 4));
    assert_false(pool_submit_one(&bench, 1, 0));
    assert_int_equal(bench.submitter->accounts[1].high_water, 10);
    assert_int_equal(bench.submitter->accounts[1].refused, 1);
    while (pool_turn(&bench) > 0)
        ;
    assert_int_equal(pool_free_credits(bench.submitter), 10);
    pool_bench_close(&bench);
}

static void add_class(struct pool_bench *bench, uint32_t index)
{
    const struct spill_class class = {.name = index == 1 ? "late" : "later",
                                      .work = pool_pass_time,
                                      .context = &bench->labours[index],
                                      .dispatch = SPILL_DISPATCH_POOL};
    const struct spill_pool_device device = {.collect = NULL};

    if (spill_pool_add_class(bench->pool, &class, &device, &pool_error) != 0)
        fail_msg("%s", pool_error.text);
    spill_submitter_on_retire(bench->submitter, index, pool_count_retired, &bench->labours[index]);
}

/* It comes while jobs of another are out, and brings no credit: all have equal parts of those that
 * there were. */
static void a_class_that_is_added_shares_what_there_is(void **state)
{
    static const uint32_t capacities[] = {9};
    static struct pool_bench bench;
    const struct spill_pool_device device = {.collect = NULL};
    uint32_t added, i;

    (void)state;
    pool_bench_open(&bench, 1, capacities, 1, 4, SPILL_RING_EXCLUSIVE);
    for (added = 1; added < CLASSES_MAX; added++) {
        while (pool_turn(&bench) > 0)
            ;
        spill_submitter_retire(bench.submitter, bench.now + (UINT64_C(1) << 32)); /* none waits */
        pool_keep_out(&bench, 0, 9);
        add_class(&bench, added);
        assert_int_equal(spill_pool_class_count(bench.pool), added + 1);
        /* All are out: it is refused, waits, and then gets its part. */
        assert_false(pool_submit_one(&bench, added, 0));
        for (i = 0; i < 40; i++) {
            pool_turn(&bench);
            pool_submit_one(&bench, added, i % 4);
            pool_submit_one(&bench, 0, i % 4);
            assert_true(pool_free_credits(bench.submitter) + bench.submitter->held == 9);
        }
        assert_int_equal(bench.submitter->accounts[added].share, 9 / (added + 1));
        assert_true(bench.submitter->accounts[added].held >= 9 / (added + 1));
        assert_true(bench.pool->workers[0].jobs[added] > 0);
    }
    assert_int_equal(spill_pool_add_class(bench.pool, &bench.classes[0], &device, &pool_error), -1);
    while (pool_turn(&bench) > 0)
        ;
    assert_true(spill_submitter_idle(bench.submitter));
    pool_bench_close(&bench);
}

static void while_another_waits_a_class_gets_its_share_and_no_more(void **state)
{
    static const uint32_t capacities[] = {4, 4, 1};
    static struct pool_bench bench;
    struct spill_account *calm, *flood;
    bool waits = true;
    uint32_t round, i;

    (void)state;
    pool_bench_open(&bench, 2, capacities, 1, 8, SPILL_RING_EXCLUSIVE);
    calm = &bench.submitter->accounts[0];
    flood = &bench.submitter->accounts[1];
    while (pool_submit_one(&bench, 1, test_random_below(&pool_seed, 8)))
        ;
    assert_int_equal(flood->held, 8);
    assert_false(pool_submit_one(&bench, 0, 0));
    /* Both want more than there is, one of them ten times as much, in any order. */
    for (round = 0; round < 500; round++) {
        for (i = test_random_below(&pool_seed, 6); i > 0; i--)
            pool_turn(&bench);
        for (i = 0; i < 55; i++) {
            bool calms = test_random_below(&pool_seed, 11) == 0;
            uint32_t held = flood->held;
            bool taken = pool_submit_one(&bench, calms ? 0 : 1, test_random_below(&pool_seed, 8));

            /* From a refusal until it has its share, what comes home is the calm one's. */
            if (calms)
                waits = !taken || (waits && calm->held < 4);
            assert_false(!calms && taken && waits && held >= 4);
        }
    }
    /* It wants no more: after a while, the flood has everything again. */
    while (pool_turn(&bench) > 0)
        ;
    spill_submitter_retire(bench.submitter, bench.now + (UINT64_C(1) << 32));
    while (pool_submit_one(&bench, 1, 0))
        ;
    assert_int_equal(flood->held, 8);
    while (pool_turn(&bench) > 0)
        ;
    pool_bench_close(&bench);
}

static void a_rare_packet_finds_a_credit_after_one_refusal(void **state)
{
    static const uint32_t capacities[] = {4, 4, 1};
    static struct pool_bench bench;
    uint32_t round, i;

    (void)state;
    pool_bench_open(&bench, 2, capacities, 1, 8, SPILL_RING_EXCLUSIVE);
    for (round = 0; round < 20; round++) {
        for (i = 0; i < 50; i++) {
            while (pool_submit_one(&bench, 1, i % 8))
                ;
            pool_turn(&bench);
        }
        while (pool_submit_one(&bench, 1, 0))
            ;
        assert_false(pool_submit_one(&bench, 0, 0));
        pool_turn(&bench);
        for (i = 0; i < 10; i++)
            pool_submit_one(&bench, 1, i % 8);
        assert_true(pool_submit_one(&bench, 0, 0));
        bench.now += UINT64_C(1) << 32;
    }
    while (pool_turn(&bench) > 0)
        ;
    pool_bench_close(&bench);
}

/* ------------------------------------------------------ lanes and credits, against a model */

/* What must hold whatever happens: each credit is free or held, lanes and bits agree. */
static void assert_consistent(const struct pool_bench *bench)
{
    const struct spill_submitter *submitter = bench->submitter;
    uint32_t held = 0, credits = 0, i, lane;

    for (i = 0; i < submitter->class_count; i++) {
        const struct spill_account *account = &submitter->accounts[i];
        uint32_t jobs = 0;

        credits += account->share;
        for (lane = 0; lane < SPILL_LANES_MAX; lane++) {
            const struct spill_job *job = account->lanes[lane].head, *last = NULL;

            assert_int_equal(job != NULL, account->busy >> lane & 1);
            assert_int_equal(job != NULL, spill_lane_busy(submitter, i, lane));
            for (; job != NULL; last = job, job = job->next) {
                assert_int_equal(job->lane, lane);
                assert_int_equal(job->class_index, i);
                jobs++;
            }
            if (last != NULL)
                assert_ptr_equal(account->lanes[lane].tail, last);
            if (account->lanes[lane].open != NULL)
                assert_ptr_equal(account->lanes[lane].open, last);
        }
        assert_int_equal(account->held, jobs);
        assert_true(account->closed_count <= account->held);
        assert_true(account->high_water >= account->held && account->high_water <= credits + 64);
        held += jobs;
    }
    assert_int_equal(pool_free_credits(submitter) + held, credits);
    assert_int_equal(spill_submitter_idle(submitter), held == 0);
}

/* A packet in the model: its lane and number in the pointer. */
static struct rte_mbuf *number_in_lane(uint32_t lane, uint64_t number)
{
    return (struct rte_mbuf *)(uintptr_t)((uint64_t)(lane + 1) << 48 | number);
}

static void check_order(struct spill_job *job, void *owner)
{
    uint32_t i;

    (void)owner;
    for (i = 0; i < job->count; i++) {
        assert_ptr_equal(job->mbufs[i],
                         number_in_lane(job->lane, pool_bench_current->expected[job->lane]));
        pool_bench_current->expected[job->lane]++;
    }
    pool_bench_current->retired[job->class_index] += job->count;
}

/* One random packet. The model: there is room in the open job, or a free credit, or a refusal. */
static void random_packet(struct pool_bench *bench, uint32_t lanes)
{
    uint32_t lane = test_random_below(&pool_seed, lanes);
    struct spill_account *account = &bench->submitter->accounts[0];
    bool open = account->lanes[lane].open != NULL, credit = bench->submitter->free != NULL;
    uint64_t refused = account->refused;
    uint32_t held = account->held;
    bool work = test_random_below(&pool_seed, 3) > 0;

    if (!spill_lane_reserve(bench->submitter, 0, lane, NULL)) {
        assert_false(open || credit);
        assert_int_equal(account->refused, refused + 1);
        assert_int_equal(account->held, held);
        return;
    }
    assert_true(open || credit);
    assert_int_equal(account->refused, refused);
    assert_int_equal(account->held, held + !open);
    assert_true(account->held <= account->share);
    spill_lane_add(bench->submitter, 0, lane, number_in_lane(lane, bench->next[lane]++), work, 64,
                   1);
}

static void random_step(struct pool_bench *bench, uint32_t lanes)
{
    uint32_t what = test_random_below(&pool_seed, 16), i;

    if (what < 12) {
        /* Often more than one: full jobs, several of them closed in one lane. */
        for (i = what == 0 ? 100 : 1; i > 0; i--)
            random_packet(bench, lanes);
    } else if (what == 12) {
        spill_submitter_flush(bench->submitter);
    } else if (what < 15) {
        spill_worker_poll(&bench->pool->workers[0]);
    } else {
        spill_submitter_retire(bench->submitter, rte_rdtsc());
    }
}

static uint64_t outstanding(const struct pool_bench *bench)
{
    uint64_t packets = 0;
    uint32_t lane;

    for (lane = 0; lane < SPILL_LANES_MAX; lane++)
        packets += bench->next[lane] - bench->expected[lane];
    return packets;
}

static void finish(struct pool_bench *bench)
{
    struct spill_account *account = &bench->submitter->accounts[0];

    /* More than once: a job stays open while there are enough before it. */
    while (!spill_submitter_idle(bench->submitter)) {
        spill_submitter_flush(bench->submitter);
        while (spill_worker_poll(&bench->pool->workers[0]) > 0)
            ;
        spill_submitter_retire(bench->submitter, rte_rdtsc());
    }
    assert_int_equal(outstanding(bench), 0);
    assert_true(spill_submitter_idle(bench->submitter));
    assert_int_equal(pool_free_credits(bench->submitter), account->share);
    assert_int_equal(bench->pool->workers[0].jobs[0], account->jobs);
    assert_int_equal(bench->labours[0].jobs, account->jobs);
    assert_int_equal(account->inline_packets, 0);
    assert_int_equal(spill_histogram_count(&account->wait), account->jobs);
    assert_int_equal(spill_histogram_count(&account->service), account->jobs);
}

static void refusal_at_every_point_leaves_everything_consistent(void **state)
{
    static const uint32_t lane_counts[] = {1, 2, 3, 32, 63, 64};
    static const uint32_t capacities[] = {1, 2, 3, 5, 64};
    static struct pool_bench bench;
    uint32_t i, j, step;

    (void)state;
    for (i = 0; i < RTE_DIM(lane_counts); i++) {
        for (j = 0; j < RTE_DIM(capacities); j++) {
            pool_bench_open(&bench, 1, &capacities[j], 1, lane_counts[i],
                            (enum spill_ring_mode)(j % 2));
            spill_submitter_on_retire(bench.submitter, 0, check_order, NULL);
            for (step = 0; step < 3000; step++) {
                random_step(&bench, lane_counts[i]);
                assert_consistent(&bench);
            }
            finish(&bench);
            pool_bench_close(&bench);
        }
    }
}

static void abandon_returns_what_is_there_in_any_state(void **state)
{
    static struct pool_bench bench;
    uint32_t round, step, steps, lanes, capacity;
    uint64_t left;

    (void)state;
    for (round = 0; round < 500; round++) {
        capacity = 1 + test_random_below(&pool_seed, 20);
        lanes = 1 + test_random_below(&pool_seed, SPILL_LANES_MAX);
        pool_bench_open(&bench, 1, &capacity, 1, lanes, SPILL_RING_EXCLUSIVE);
        spill_submitter_on_retire(bench.submitter, 0, check_order, NULL);
        steps = test_random_below(&pool_seed, 200);
        for (step = 0; step < steps; step++)
            random_step(&bench, lanes);
        left = outstanding(&bench);
        assert_int_equal(spill_submitter_abandon(bench.submitter, check_order, NULL), left);
        assert_int_equal(outstanding(&bench), 0);
        assert_consistent(&bench);
        assert_true(spill_submitter_idle(bench.submitter));
        assert_int_equal(pool_free_credits(bench.submitter), capacity);
        assert_int_equal(spill_submitter_abandon(bench.submitter, check_order, NULL), 0);
        pool_bench_close(&bench);
    }
}

static void packets_without_work_keep_their_place(void **state)
{
    static const uint32_t capacity = 3;
    static struct pool_bench bench;
    uint32_t i;

    (void)state;
    pool_bench_open(&bench, 1, &capacity, 1, 1, SPILL_RING_EXCLUSIVE);
    spill_submitter_on_retire(bench.submitter, 0, check_order, NULL);
    /* A job with work, one without, one with both. */
    for (i = 0; i < 3; i++) {
        assert_true(spill_lane_reserve(bench.submitter, 0, 0, NULL));
        spill_lane_add(bench.submitter, 0, 0, number_in_lane(0, bench.next[0]++), i != 1, 64, 1);
        spill_submitter_flush(bench.submitter);
        if (i == 2)
            continue;
        assert_int_equal(rte_ring_count(bench.pool->rings[0]), 1);
    }
    assert_int_equal(rte_ring_count(bench.pool->rings[0]), 2);
    assert_int_equal(spill_submitter_retire(bench.submitter, 1), 0);
    assert_int_equal(spill_worker_poll(&bench.pool->workers[0]), 1);
    assert_int_equal(spill_submitter_retire(bench.submitter, 1), 2);
    assert_int_equal(bench.submitter->accounts[0].pool_packets, 2);
    assert_int_equal(bench.submitter->accounts[0].jobs, 2);
    assert_int_equal(spill_worker_poll(&bench.pool->workers[0]), 1);
    assert_int_equal(spill_submitter_retire(bench.submitter, 1), 1);
    assert_int_equal(bench.labours[0].jobs, 2);
    assert_true(spill_submitter_idle(bench.submitter));
    pool_bench_close(&bench);
}

static void what_cannot_be_is_an_error_and_leaves_nothing(void **state)
{
    struct spill_class class = {.name = "a", .work = pool_pass_time, .capacity = 1};
    struct spill_pool_config config = {.name = "bad",
                                       .socket = SOCKET_ID_ANY,
                                       .submitters = 1,
                                       .class_count = 1,
                                       .classes = &class};
    size_t before = test_heap_bytes();
    struct spill_pool *pool;

    (void)state;
    config.class_count = 0;
    assert_null(spill_pool_create(&config, &pool_error));
    config.class_count = SPILL_POOL_CLASSES_MAX + 1;
    assert_null(spill_pool_create(&config, &pool_error));
    config.class_count = 1;
    config.submitters = 0;
    assert_null(spill_pool_create(&config, &pool_error));
    config.submitters = 1;
    class.capacity = 0;
    assert_null(spill_pool_create(&config, &pool_error));
    class.capacity = 1;
    pool = spill_pool_create(&config, &pool_error);
    assert_non_null(pool);
    assert_null(spill_pool_create(&config, &pool_error)); /* the name is taken */
    assert_null(spill_submitter_create(pool, 0, 0, SOCKET_ID_ANY, 1, &pool_error));
    assert_null(spill_submitter_create(pool, 0, 65, SOCKET_ID_ANY, 1, &pool_error));
    assert_null(spill_submitter_create(pool, 1, 1, SOCKET_ID_ANY, 1, &pool_error));
    spill_pool_free(pool);
    spill_pool_free(NULL);
    spill_submitter_free(NULL);
    assert_int_equal(test_heap_bytes(), before);
}

/* ------------------------------------------------------------------------------ inline work */

static void dispatch_decides_what_is_inline(void **state)
{
    static const uint32_t capacity = 8;
    static struct pool_bench bench;
    struct spill_submitter *submitter;
    struct spill_account *account;
    uint32_t round;
    struct rte_mbuf *none = NULL;

    (void)state;
    pool_bench_open(&bench, 1, &capacity, 1, 1, SPILL_RING_EXCLUSIVE);
    submitter = bench.submitter;
    account = &submitter->accounts[0];
    submitter->budget = (struct spill_budget){.size = 100000};
    bench.labours[0].cycles = 1000;
    assert_false(spill_inline_fits(submitter, 0, NULL, 1, 0)); /* pool */
    bench.pool->classes[0].dispatch = SPILL_DISPATCH_INLINE;
    assert_true(spill_inline_fits(submitter, 0, NULL, 1, 0));
    bench.pool->classes[0].dispatch = SPILL_DISPATCH_AUTO;
    assert_false(spill_inline_fits(submitter, 0, NULL, 1, 0)); /* nothing earned: all to the pool */

    /* What the class costs is learned. */
    for (round = 0; round < 20; round++) {
        assert_true(pool_submit_one(&bench, 0, 0));
        pool_turn(&bench);
    }
    account->cost.per_packet = 1000; /* known: a preempted job would have told otherwise */
    account->cost.per_byte = 10;
    spill_budget_earn(&submitter->budget, 2640);
    assert_true(spill_inline_fits(submitter, 0, NULL, 1, 64));
    spill_inline_add(submitter, 0, NULL, &none, 1, 64, 1);
    assert_false(spill_inline_fits(submitter, 0, NULL, 1, 64)); /* two would cost 3280 */
    assert_false(spill_inline_fits(submitter, 0, NULL, 2, 0));  /* three 3640 */
    assert_true(spill_inline_fits(submitter, 0, NULL, 1, 0));   /* 2640: all of it */
    spill_inline_run(submitter, 0);
    assert_int_equal(account->inline_packets, 1);
    assert_int_equal(submitter->budget.spent,
                     account->inline_job->finished - account->inline_job->started);
    assert_true(submitter->budget.available <= 1640);
    assert_int_equal(bench.retired[0], 21);
    spill_inline_run(submitter, 0); /* nothing in it */
    assert_int_equal(account->inline_packets, 1);

    /* More is spent than there was: nothing is left, and the iteration was over the budget. */
    spill_budget_earn(&submitter->budget, 1000000);
    assert_int_equal(submitter->budget.available, 100000);
    assert_false(spill_budget_end_iteration(&submitter->budget) &&
                 bench.labours[0].longest <= 100000);
    bench.labours[0].cycles = 150000;
    spill_inline_add(submitter, 0, NULL, &none, 1, 64, 1);
    spill_inline_run(submitter, 0);
    assert_int_equal(submitter->budget.available, 0);
    assert_true(spill_budget_end_iteration(&submitter->budget));
    assert_false(spill_budget_end_iteration(&submitter->budget));
    pool_bench_close(&bench);

    pool_bench_open(&bench, 1, &capacity, 0, 1, SPILL_RING_EXCLUSIVE);
    bench.submitter->budget.available = 0;
    assert_true(
        spill_inline_fits(bench.submitter, 0, NULL, 1, 1500)); /* no workers: all is inline */
    pool_bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_borrows_all_credits_while_no_other_waits),
        cmocka_unit_test(a_class_that_is_added_shares_what_there_is),
        cmocka_unit_test(while_another_waits_a_class_gets_its_share_and_no_more),
        cmocka_unit_test(a_rare_packet_finds_a_credit_after_one_refusal),
        cmocka_unit_test(refusal_at_every_point_leaves_everything_consistent),
        cmocka_unit_test(abandon_returns_what_is_there_in_any_state),
        cmocka_unit_test(packets_without_work_keep_their_place),
        cmocka_unit_test(what_cannot_be_is_an_error_and_leaves_nothing),
        cmocka_unit_test(dispatch_decides_what_is_inline),
    };
    int failed;

    test_eal_start(LCORES, 128, NULL);
    pool_seed = test_seed() | 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
