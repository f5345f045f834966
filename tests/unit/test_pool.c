/* SPDX-License-Identifier: BSD-3-Clause */
/* The workers: turns of the classes, and jobs taken once. */
#include "pool_bench.h"

/* Between classes that all wait, the worker's time differs by one job of each at most: the bound of
 * start-time fair queueing, whatever a job took. */
static void assert_fair(const struct pool_bench *bench, uint32_t classes, const uint64_t since[])
{
    const struct spill_worker *worker = &bench->pool->workers[0];
    uint32_t i, j;

    for (i = 0; i < classes; i++) {
        for (j = 0; j < i; j++) {
            int64_t difference =
                (int64_t)(worker->cycles[i] - since[i]) - (int64_t)(worker->cycles[j] - since[j]);
            uint64_t bound = bench->labours[i].longest + bench->labours[j].longest;

            assert_true((uint64_t)llabs(difference) <= bound);
        }
    }
}

static void classes_of_different_cost_share_the_worker(void **state)
{
    static const uint32_t capacities[] = {4, 4, 4};
    static const uint64_t costs[] = {1000, 7000, 20000};
    static struct pool_bench bench;
    const uint64_t since[CLASSES_MAX] = {0};
    uint32_t classes, i, turns;

    (void)state;
    for (classes = 2; classes <= 3; classes++) {
        pool_bench_open(&bench, classes, capacities, 1, 4, SPILL_RING_EXCLUSIVE);
        for (i = 0; i < classes; i++)
            bench.labours[i].cycles = costs[i];
        for (turns = 0; turns < 3000; turns++) {
            for (i = 0; i < classes; i++)
                pool_keep_out(&bench, i, 4);
            assert_int_equal(pool_turn(&bench), 1);
            assert_fair(&bench, classes, since);
        }
        for (i = 0; i < classes; i++)
            assert_int_equal(bench.pool->workers[0].jobs[i], bench.labours[i].jobs);
        while (pool_turn(&bench) > 0)
            ;
        assert_true(spill_submitter_idle(bench.submitter));
        pool_bench_close(&bench);
    }
}

static void an_idle_class_saves_up_no_turns_and_loses_none(void **state)
{
    static const uint32_t capacities[] = {4, 4, 4};
    static struct pool_bench bench;
    uint64_t since[CLASSES_MAX];
    uint32_t alone, turns, i;

    (void)state;
    pool_bench_open(&bench, 2, capacities, 1, 4, SPILL_RING_EXCLUSIVE);
    bench.labours[0].cycles = 2000;
    bench.labours[1].cycles = 5000;
    for (alone = 0; alone < 6; alone++) {
        /* One class has the worker for itself, also across a time when nothing waits. */
        for (turns = 0; turns < 200; turns++) {
            pool_keep_out(&bench, alone % 2, turns == 100 ? 1 : 3);
            pool_turn(&bench);
        }
        while (pool_turn(&bench) > 0)
            ;
        assert_int_equal(spill_worker_poll(&bench.pool->workers[0]), 0);
        pool_keep_out(&bench, alone % 2, 4);
        pool_turn(&bench);
        for (i = 0; i < 2; i++)
            since[i] = bench.pool->workers[0].cycles[i];
        for (turns = 0; turns < 300; turns++) {
            pool_keep_out(&bench, 0, 4);
            pool_keep_out(&bench, 1, 4);
            pool_turn(&bench);
            assert_fair(&bench, 2, since);
        }
        while (pool_turn(&bench) > 0)
            ;
    }
    pool_bench_close(&bench);
}

static void a_rare_class_is_served_next(void **state)
{
    static const uint32_t capacities[] = {1, 64, 1};
    static struct pool_bench bench;
    uint32_t round;

    (void)state;
    pool_bench_open(&bench, 2, capacities, 1, 4, SPILL_RING_EXCLUSIVE);
    bench.labours[0].cycles = 10000;
    bench.labours[1].cycles = 500;
    for (round = 0; round < 50; round++) {
        /* Until the flooding class has had the time of the rare job before. */
        do {
            pool_keep_out(&bench, 1, 64);
            pool_turn(&bench);
        } while (bench.pool->workers[0].virtual_now < bench.pool->workers[0].virtual_time[0]);
        assert_true(pool_submit_one(&bench, 0, 0));
        assert_int_equal(pool_turn(&bench), 1);
        assert_int_equal(bench.pool->workers[0].jobs[0], round + 1);
    }
    while (pool_turn(&bench) > 0)
        ;
    pool_bench_close(&bench);
}

static struct pool_bench *stolen_from;

/* A job whose work lets a second worker take what waits in its class. */
static bool let_another_work(struct spill_job *job, void *context)
{
    (void)job;
    (void)context;
    if (stolen_from != NULL) {
        struct spill_worker *other = &stolen_from->pool->workers[1];

        stolen_from = NULL;
        assert_int_equal(spill_worker_poll(other), 1);
    }
    return true;
}

static void workers_take_each_job_once(void **state)
{
    static const uint32_t capacities[] = {8, 8, 8};
    static struct pool_bench bench;
    uint32_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        pool_bench_open(&bench, 2, capacities, 2, 4,
                        i == 0 ? SPILL_RING_EXCLUSIVE : SPILL_RING_PREEMPTIBLE);
        bench.pool->classes[0].work = let_another_work;
        pool_keep_out(&bench, 0, 2);
        pool_keep_out(&bench, 1, 1);
        stolen_from = &bench;
        assert_int_equal(spill_worker_poll(&bench.pool->workers[0]), 1);
        assert_int_equal(bench.pool->workers[0].jobs[0] + bench.pool->workers[1].jobs[0] +
                             bench.pool->workers[1].jobs[1],
                         2);
        assert_int_equal(spill_worker_poll(&bench.pool->workers[1]), 1);
        assert_int_equal(spill_worker_poll(&bench.pool->workers[0]), 0);
        assert_int_equal(spill_worker_poll(&bench.pool->workers[1]), 0);
        assert_int_equal(spill_submitter_retire(bench.submitter, 1), 3);
        assert_true(spill_submitter_idle(bench.submitter));
        pool_bench_close(&bench);
    }
}

/* Which classes there are follows from what is configured, their indexes do not: what is not there
 * between two others takes no credits, no ring and no turn. */
static void an_index_without_a_class_costs_nothing(void **state)
{
    static const uint32_t capacities[] = {3, 0, 5};
    static struct pool_bench bench;
    uint32_t worker, i;

    (void)state;
    for (worker = 0; worker <= 1; worker++) {
        pool_bench_open(&bench, 3, capacities, worker, 4, SPILL_RING_EXCLUSIVE);
        assert_null(bench.pool->rings[1]);
        assert_int_equal(pool_free_credits(bench.submitter), 8);
        for (i = 0; i < 4; i++) {
            assert_true(pool_submit_one(&bench, 0, i % 4));
            assert_true(pool_submit_one(&bench, 2, i % 4));
        }
        while (worker == 1 && spill_worker_poll(&bench.pool->workers[0]) > 0)
            ;
        for (i = 0; i < 16 && worker == 0; i++)
            spill_submitter_help(bench.submitter);
        spill_submitter_retire(bench.submitter, 1);
        assert_int_equal(bench.retired[0], 4 * worker);
        assert_int_equal(bench.retired[1], 0);
        assert_int_equal(bench.retired[2], 4 * worker);
        if (worker == 1) {
            spill_submitter_leave(bench.submitter);
            assert_true(spill_worker_ended(&bench.pool->workers[0]));
        }
        pool_bench_close(&bench);
    }
}

/* Takes a job from a ring as a worker does that is preempted before it has told so (in RTS mode:
 * rte_ring_rts_elem_pvt.h). */
static struct spill_job *take_and_freeze(struct rte_ring *ring)
{
    struct spill_job *job =
        ((struct spill_job **)(ring + 1))[ring->rts_cons.head.val.pos & ring->mask];

    assert_int_equal(rte_ring_get_cons_sync_type(ring), RTE_RING_SYNC_MT_RTS);
    ring->rts_cons.head.val.pos++;
    ring->rts_cons.head.val.cnt++;
    return job;
}

static void thaw(struct rte_ring *ring)
{
    if (++ring->rts_cons.tail.val.cnt == ring->rts_cons.head.val.cnt)
        ring->rts_cons.tail.val.pos = ring->rts_cons.head.val.pos;
}

/* Lets a worker do all that there is. An open job may be handed over only once those before it are
 * home. */
static void drain(struct pool_bench *bench, struct spill_worker *worker)
{
    uint32_t turns;

    for (turns = 0; turns < 1000 && !spill_submitter_idle(bench->submitter); turns++) {
        spill_submitter_flush(bench->submitter);
        while (spill_worker_poll(worker) > 0)
            ;
        spill_submitter_retire(bench->submitter, 1);
    }
    assert_true(spill_submitter_idle(bench->submitter));
}

/*
 * A worker that is preempted while it takes a job keeps the ring's tail where it was, and so the
 * slots of the jobs that the others take meanwhile. There must be slots for all credits even so,
 * and the class whose ring seems to hold a job must not keep the others from working for the rest.
 */
static void a_preempted_worker_holds_up_neither_submitter_nor_classes(void **state)
{
    static const uint32_t capacities[] = {50, 50, 1};
    static struct pool_bench bench;
    struct spill_worker *other;
    struct spill_job *job;
    uint32_t taken = 0, limit;

    (void)state;
    pool_bench_open(&bench, 2, capacities, 2, 4, SPILL_RING_PREEMPTIBLE);
    other = &bench.pool->workers[1];
    limit = rte_ring_get_cons_htd_max(bench.pool->rings[0]);
    assert_true(limit > 0);
    pool_keep_out(&bench, 0, 100);
    job = take_and_freeze(bench.pool->rings[0]);
    /* As many as the ring's mode lets others be ahead of it; each comes back at once. */
    for (; taken < limit; taken++) {
        assert_true(spill_worker_poll(other) > 0);
        spill_submitter_retire(bench.submitter, 1);
        /* Lane 0 waits for the frozen job, so its credits don't come back: lane 1 does it. */
        if (pool_free_credits(bench.submitter) > 0)
            assert_true(pool_submit_one(&bench, 0, 1));
    }
    pool_pass_time(job, &bench.labours[0]);
    thaw(bench.pool->rings[0]);
    atomic_store_explicit(&job->done, true, memory_order_release);
    drain(&bench, other);

    /* Lanes whose jobs all come back while another's is frozen. */
    assert_true(pool_submit_one(&bench, 0, 3));
    job = take_and_freeze(bench.pool->rings[0]);
    for (taken = 0; taken < limit; taken++) {
        assert_true(pool_submit_one(&bench, 0, 0));
        assert_int_equal(spill_worker_poll(other), 1);
        spill_submitter_retire(bench.submitter, 1);
    }
    pool_keep_out(&bench, 0, 100); /* every credit has a slot */
    assert_int_equal(pool_free_credits(bench.submitter), 0);
    thaw(bench.pool->rings[0]);
    atomic_store_explicit(&job->done, true, memory_order_release);
    drain(&bench, other);

    /* The first class's ring looks as if it held a job: the second's is done all the same. */
    assert_true(pool_submit_one(&bench, 0, 3));
    job = take_and_freeze(bench.pool->rings[0]);
    assert_true(pool_submit_one(&bench, 1, 0));
    other->virtual_time[1] = other->virtual_time[0] + 1000000;
    assert_int_equal(spill_worker_poll(other), 1);
    assert_int_equal(spill_worker_poll(other), 0);
    thaw(bench.pool->rings[0]);
    atomic_store_explicit(&job->done, true, memory_order_release);
    spill_submitter_retire(bench.submitter, 1);
    assert_true(spill_submitter_idle(bench.submitter));
    pool_bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_of_different_cost_share_the_worker),
        cmocka_unit_test(an_idle_class_saves_up_no_turns_and_loses_none),
        cmocka_unit_test(a_rare_class_is_served_next),
        cmocka_unit_test(workers_take_each_job_once),
        cmocka_unit_test(an_index_without_a_class_costs_nothing),
        cmocka_unit_test(a_preempted_worker_holds_up_neither_submitter_nor_classes),
    };
    int failed;

    test_eal_start(LCORES, 128, NULL);
    pool_seed = test_seed() | 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
