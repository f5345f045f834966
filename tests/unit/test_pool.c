/* SPDX-License-Identifier: BSD-3-Clause */
/* The pool with its submitters: turns of the classes, order in the lanes, credits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_mbuf.h>

#include "lcores.h"
#include "runtime/submitter.h"

#define LCORES      4
#define CLASSES_MAX 3
#define MBUFS       8191
#define BUDGET      UINT64_MAX

static struct spill_error error;
static uint64_t seed;
static struct rte_mempool *mbuf_pool;

/* What a test's class does: it passes a time, and notes it. */
struct labour {
    uint64_t cycles;  /* of a job's work */
    uint64_t longest; /* that one took */
    uint32_t jobs;
};

static bool labour(struct spill_job *job, void *context)
{
    struct labour *labour = context;

    (void)job;
    labour->jobs++;
    test_spin(labour->cycles);
    return true;
}

/* A pool with one submitter whose worker is driven by hand. */
struct bench {
    struct spill_pool *pool;
    struct spill_submitter *submitter;
    struct labour labours[CLASSES_MAX];
    uint64_t retired[CLASSES_MAX];      /* packets */
    uint64_t expected[SPILL_LANES_MAX]; /* next number of each lane at retirement */
    uint64_t next[SPILL_LANES_MAX];     /* next number of each lane at submission */
    struct spill_class classes[CLASSES_MAX];
    uint64_t now; /* by which a refused class waits */
};

static struct bench *current; /* for the retire callbacks, which get their class as the owner */

static void count_retired(struct spill_job *job, void *owner)
{
    struct labour *labour = owner;
    uint64_t cycles = job->finished - job->started;

    current->retired[job->class_index] += job->count;
    labour->longest = RTE_MAX(labour->longest, cycles);
}

static void open_bench(struct bench *bench, uint32_t classes, const uint32_t capacities[],
                       uint32_t workers, uint32_t lanes, enum spill_ring_mode mode)
{
    static unsigned created;
    static const char *const names[CLASSES_MAX] = {"a", "b", "c"};
    struct spill_pool_config config = {
        .socket = SOCKET_ID_ANY,
        .workers = workers,
        .submitters = 1,
        .mode = mode,
        .class_count = classes,
        .classes = bench->classes,
    };
    char name[16];
    uint32_t i;

    memset(bench, 0, sizeof(*bench));
    /* A name of its own: one that a failed test left behind must not fail the others. */
    snprintf(name, sizeof(name), "test%u", created++);
    config.name = name;
    for (i = 0; i < classes; i++)
        bench->classes[i] = (struct spill_class){.name = names[i],
                                                 .work = labour,
                                                 .context = &bench->labours[i],
                                                 .capacity = capacities[i],
                                                 .dispatch = SPILL_DISPATCH_POOL};
    bench->pool = spill_pool_create(&config, &error);
    if (bench->pool == NULL)
        fail_msg("%s", error.text);
    bench->submitter = spill_submitter_create(bench->pool, 0, lanes, SOCKET_ID_ANY, BUDGET, &error);
    if (bench->submitter == NULL)
        fail_msg("%s", error.text);
    for (i = 0; i < classes; i++)
        spill_submitter_on_retire(bench->submitter, i, count_retired, &bench->labours[i]);
    current = bench;
}

static void close_bench(struct bench *bench)
{
    spill_submitter_free(bench->submitter);
    spill_pool_free(bench->pool);
}

static uint32_t free_credits(const struct spill_submitter *submitter)
{
    const struct spill_job *job;
    uint32_t count = 0;

    for (job = submitter->free; job != NULL; job = job->next)
        count++;
    return count;
}

/* Submits a job of one packet; the packet is none. Returns whether there was a credit. */
static bool submit_one(struct bench *bench, uint32_t class_index, uint32_t lane)
{
    if (!spill_lane_reserve(bench->submitter, class_index, lane, NULL))
        return false;
    spill_lane_add(bench->submitter, class_index, lane, NULL, true, 64, 1);
    spill_submitter_flush(bench->submitter);
    return true;
}

/* Submits jobs until `jobs` of the class are out. */
static void keep_out(struct bench *bench, uint32_t class_index, uint32_t jobs)
{
    while (bench->submitter->accounts[class_index].held < jobs)
        assert_true(submit_one(bench, class_index, 0));
}

static bool any_waits(const struct bench *bench)
{
    uint32_t i;

    for (i = 0; i < bench->pool->class_count; i++) {
        if (!rte_ring_empty(bench->pool->rings[i]))
            return true;
    }
    return false;
}

/* One turn of the worker, then what it has done is retired. A turn is never idle while a job waits.
 */
static uint32_t turn(struct bench *bench)
{
    bool waits = any_waits(bench);
    uint32_t packets = spill_worker_poll(&bench->pool->workers[0]);

    assert_int_equal(packets > 0, waits);
    bench->now += 1000;
    spill_submitter_retire(bench->submitter, bench->now);
    return packets;
}

/* ----------------------------------------------------------------------- the turns of classes */

/* Between classes that all wait, the worker's time differs by one job of each at most: the bound of
 * start-time fair queueing, whatever a job took. */
static void assert_fair(const struct bench *bench, uint32_t classes, const uint64_t since[])
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
    static struct bench bench;
    const uint64_t since[CLASSES_MAX] = {0};
    uint32_t classes, i, turns;

    (void)state;
    for (classes = 2; classes <= 3; classes++) {
        open_bench(&bench, classes, capacities, 1, 4, SPILL_RING_EXCLUSIVE);
        for (i = 0; i < classes; i++)
            bench.labours[i].cycles = costs[i];
        for (turns = 0; turns < 3000; turns++) {
            for (i = 0; i < classes; i++)
                keep_out(&bench, i, 4);
            assert_int_equal(turn(&bench), 1);
            assert_fair(&bench, classes, since);
        }
        for (i = 0; i < classes; i++)
            assert_int_equal(bench.pool->workers[0].jobs[i], bench.labours[i].jobs);
        while (turn(&bench) > 0)
            ;
        assert_true(spill_submitter_idle(bench.submitter));
        close_bench(&bench);
    }
}

static void an_idle_class_saves_up_no_turns_and_loses_none(void **state)
{
    static const uint32_t capacities[] = {4, 4, 4};
    static struct bench bench;
    uint64_t since[CLASSES_MAX];
    uint32_t alone, turns, i;

    (void)state;
    open_bench(&bench, 2, capacities, 1, 4, SPILL_RING_EXCLUSIVE);
    bench.labours[0].cycles = 2000;
    bench.labours[1].cycles = 5000;
    for (alone = 0; alone < 6; alone++) {
        /* One class has the worker for itself, also across a time when nothing waits. */
        for (turns = 0; turns < 200; turns++) {
            keep_out(&bench, alone % 2, turns == 100 ? 1 : 3);
            turn(&bench);
        }
        while (turn(&bench) > 0)
            ;
        assert_int_equal(spill_worker_poll(&bench.pool->workers[0]), 0);
        keep_out(&bench, alone % 2, 4);
        turn(&bench);
        for (i = 0; i < 2; i++)
            since[i] = bench.pool->workers[0].cycles[i];
        for (turns = 0; turns < 300; turns++) {
            keep_out(&bench, 0, 4);
            keep_out(&bench, 1, 4);
            turn(&bench);
            assert_fair(&bench, 2, since);
        }
        while (turn(&bench) > 0)
            ;
    }
    close_bench(&bench);
}

static void a_rare_class_is_served_next(void **state)
{
    static const uint32_t capacities[] = {1, 64, 1};
    static struct bench bench;
    uint32_t round;

    (void)state;
    open_bench(&bench, 2, capacities, 1, 4, SPILL_RING_EXCLUSIVE);
    bench.labours[0].cycles = 10000;
    bench.labours[1].cycles = 500;
    for (round = 0; round < 50; round++) {
        /* Until the flooding class has had the time of the rare job before. */
        do {
            keep_out(&bench, 1, 64);
            turn(&bench);
        } while (bench.pool->workers[0].virtual_now < bench.pool->workers[0].virtual_time[0]);
        assert_true(submit_one(&bench, 0, 0));
        assert_int_equal(turn(&bench), 1);
        assert_int_equal(bench.pool->workers[0].jobs[0], round + 1);
    }
    while (turn(&bench) > 0)
        ;
    close_bench(&bench);
}

static struct bench *stolen_from;

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
    static struct bench bench;
    uint32_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        open_bench(&bench, 2, capacities, 2, 4,
                   i == 0 ? SPILL_RING_EXCLUSIVE : SPILL_RING_PREEMPTIBLE);
        bench.pool->classes[0].work = let_another_work;
        keep_out(&bench, 0, 2);
        keep_out(&bench, 1, 1);
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
        close_bench(&bench);
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
static void drain(struct bench *bench, struct spill_worker *worker)
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
    static struct bench bench;
    struct spill_worker *other;
    struct spill_job *job;
    uint32_t taken = 0, limit;

    (void)state;
    open_bench(&bench, 2, capacities, 2, 4, SPILL_RING_PREEMPTIBLE);
    other = &bench.pool->workers[1];
    limit = rte_ring_get_cons_htd_max(bench.pool->rings[0]);
    assert_true(limit > 0);
    keep_out(&bench, 0, 100);
    job = take_and_freeze(bench.pool->rings[0]);
    /* As many as the ring's mode lets others be ahead of it; each comes back at once. */
    for (; taken < limit; taken++) {
        assert_true(spill_worker_poll(other) > 0);
        spill_submitter_retire(bench.submitter, 1);
        /* Lane 0 waits for the frozen job, so its credits don't come back: lane 1 does it. */
        if (free_credits(bench.submitter) > 0)
            assert_true(submit_one(&bench, 0, 1));
    }
    labour(job, &bench.labours[0]);
    thaw(bench.pool->rings[0]);
    atomic_store_explicit(&job->done, true, memory_order_release);
    drain(&bench, other);

    /* Lanes whose jobs all come back while another's is frozen. */
    assert_true(submit_one(&bench, 0, 3));
    job = take_and_freeze(bench.pool->rings[0]);
    for (taken = 0; taken < limit; taken++) {
        assert_true(submit_one(&bench, 0, 0));
        assert_int_equal(spill_worker_poll(other), 1);
        spill_submitter_retire(bench.submitter, 1);
    }
    keep_out(&bench, 0, 100); /* every credit has a slot */
    assert_int_equal(free_credits(bench.submitter), 0);
    thaw(bench.pool->rings[0]);
    atomic_store_explicit(&job->done, true, memory_order_release);
    drain(&bench, other);

    /* The first class's ring looks as if it held a job: the second's is done all the same. */
    assert_true(submit_one(&bench, 0, 3));
    job = take_and_freeze(bench.pool->rings[0]);
    assert_true(submit_one(&bench, 1, 0));
    other->virtual_time[1] = other->virtual_time[0] + 1000000;
    assert_int_equal(spill_worker_poll(other), 1);
    assert_int_equal(spill_worker_poll(other), 0);
    thaw(bench.pool->rings[0]);
    atomic_store_explicit(&job->done, true, memory_order_release);
    spill_submitter_retire(bench.submitter, 1);
    assert_true(spill_submitter_idle(bench.submitter));
    close_bench(&bench);
}

/* ---------------------------------------------------------------- credits between the classes */

static void a_class_borrows_all_credits_while_no_other_waits(void **state)
{
    static const uint32_t capacities[] = {3, 5, 2};
    static struct bench bench;
    uint32_t i;

    (void)state;
    open_bench(&bench, 3, capacities, 1, 4, SPILL_RING_EXCLUSIVE);
    for (i = 0; i < 10; i++)
        assert_true(submit_one(&bench, 1, i % 4));
    assert_false(submit_one(&bench, 1, 0));
    assert_int_equal(bench.submitter->accounts[1].high_water, 10);
    assert_int_equal(bench.submitter->accounts[1].refused, 1);
    while (turn(&bench) > 0)
        ;
    assert_int_equal(free_credits(bench.submitter), 10);
    close_bench(&bench);
}

static void while_another_waits_a_class_gets_its_share_and_no_more(void **state)
{
    static const uint32_t capacities[] = {4, 4, 1};
    static struct bench bench;
    struct spill_account *calm, *flood;
    bool waits = true;
    uint32_t round, i;

    (void)state;
    open_bench(&bench, 2, capacities, 1, 8, SPILL_RING_EXCLUSIVE);
    calm = &bench.submitter->accounts[0];
    flood = &bench.submitter->accounts[1];
    while (submit_one(&bench, 1, test_random_below(&seed, 8)))
        ;
    assert_int_equal(flood->held, 8);
    assert_false(submit_one(&bench, 0, 0));
    /* Both want more than there is, one of them ten times as much, in any order. */
    for (round = 0; round < 500; round++) {
        for (i = test_random_below(&seed, 6); i > 0; i--)
            turn(&bench);
        for (i = 0; i < 55; i++) {
            bool calms = test_random_below(&seed, 11) == 0;
            uint32_t held = flood->held;
            bool taken = submit_one(&bench, calms ? 0 : 1, test_random_below(&seed, 8));

            /* From a refusal until it has its share, what comes home is the calm one's. */
            if (calms)
                waits = !taken || (waits && calm->held < 4);
            assert_false(!calms && taken && waits && held >= 4);
        }
    }
    /* It wants no more: after a while, the flood has everything again. */
    while (turn(&bench) > 0)
        ;
    spill_submitter_retire(bench.submitter, bench.now + (UINT64_C(1) << 32));
    while (submit_one(&bench, 1, 0))
        ;
    assert_int_equal(flood->held, 8);
    while (turn(&bench) > 0)
        ;
    close_bench(&bench);
}

static void a_rare_packet_finds_a_credit_after_one_refusal(void **state)
{
    static const uint32_t capacities[] = {4, 4, 1};
    static struct bench bench;
    uint32_t round, i;

    (void)state;
    open_bench(&bench, 2, capacities, 1, 8, SPILL_RING_EXCLUSIVE);
    for (round = 0; round < 20; round++) {
        for (i = 0; i < 50; i++) {
            while (submit_one(&bench, 1, i % 8))
                ;
            turn(&bench);
        }
        while (submit_one(&bench, 1, 0))
            ;
        assert_false(submit_one(&bench, 0, 0));
        turn(&bench);
        for (i = 0; i < 10; i++)
            submit_one(&bench, 1, i % 8);
        assert_true(submit_one(&bench, 0, 0));
        bench.now += UINT64_C(1) << 32;
    }
    while (turn(&bench) > 0)
        ;
    close_bench(&bench);
}

/* ------------------------------------------------------ lanes and credits, against a model */

/* What must hold whatever happens: each credit is free or held, lanes and bits agree. */
static void assert_consistent(const struct bench *bench)
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
    assert_int_equal(free_credits(submitter) + held, credits);
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
        assert_ptr_equal(job->mbufs[i], number_in_lane(job->lane, current->expected[job->lane]));
        current->expected[job->lane]++;
    }
    current->retired[job->class_index] += job->count;
}

/* One random packet. The model: there is room in the open job, or a free credit, or a refusal. */
static void random_packet(struct bench *bench, uint32_t lanes)
{
    uint32_t lane = test_random_below(&seed, lanes);
    struct spill_account *account = &bench->submitter->accounts[0];
    bool open = account->lanes[lane].open != NULL, credit = bench->submitter->free != NULL;
    uint64_t refused = account->refused;
    uint32_t held = account->held;
    bool work = test_random_below(&seed, 3) > 0;

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

static void random_step(struct bench *bench, uint32_t lanes)
{
    uint32_t what = test_random_below(&seed, 16), i;

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

static uint64_t outstanding(const struct bench *bench)
{
    uint64_t packets = 0;
    uint32_t lane;

    for (lane = 0; lane < SPILL_LANES_MAX; lane++)
        packets += bench->next[lane] - bench->expected[lane];
    return packets;
}

static void finish(struct bench *bench)
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
    assert_int_equal(free_credits(bench->submitter), account->share);
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
    static struct bench bench;
    uint32_t i, j, step;

    (void)state;
    for (i = 0; i < RTE_DIM(lane_counts); i++) {
        for (j = 0; j < RTE_DIM(capacities); j++) {
            open_bench(&bench, 1, &capacities[j], 1, lane_counts[i], (enum spill_ring_mode)(j % 2));
            spill_submitter_on_retire(bench.submitter, 0, check_order, NULL);
            for (step = 0; step < 3000; step++) {
                random_step(&bench, lane_counts[i]);
                assert_consistent(&bench);
            }
            finish(&bench);
            close_bench(&bench);
        }
    }
}

static void abandon_returns_what_is_there_in_any_state(void **state)
{
    static struct bench bench;
    uint32_t round, step, steps, lanes, capacity;
    uint64_t left;

    (void)state;
    for (round = 0; round < 500; round++) {
        capacity = 1 + test_random_below(&seed, 20);
        lanes = 1 + test_random_below(&seed, SPILL_LANES_MAX);
        open_bench(&bench, 1, &capacity, 1, lanes, SPILL_RING_EXCLUSIVE);
        spill_submitter_on_retire(bench.submitter, 0, check_order, NULL);
        steps = test_random_below(&seed, 200);
        for (step = 0; step < steps; step++)
            random_step(&bench, lanes);
        left = outstanding(&bench);
        assert_int_equal(spill_submitter_abandon(bench.submitter, check_order, NULL), left);
        assert_int_equal(outstanding(&bench), 0);
        assert_consistent(&bench);
        assert_true(spill_submitter_idle(bench.submitter));
        assert_int_equal(free_credits(bench.submitter), capacity);
        assert_int_equal(spill_submitter_abandon(bench.submitter, check_order, NULL), 0);
        close_bench(&bench);
    }
}

static void packets_without_work_keep_their_place(void **state)
{
    static const uint32_t capacity = 3;
    static struct bench bench;
    uint32_t i;

    (void)state;
    open_bench(&bench, 1, &capacity, 1, 1, SPILL_RING_EXCLUSIVE);
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
    close_bench(&bench);
}

static void what_cannot_be_is_an_error_and_leaves_nothing(void **state)
{
    struct spill_class class = {.name = "a", .work = labour, .capacity = 1};
    struct spill_pool_config config = {.name = "bad",
                                       .socket = SOCKET_ID_ANY,
                                       .submitters = 1,
                                       .class_count = 1,
                                       .classes = &class};
    size_t before = test_heap_bytes();
    struct spill_pool *pool;

    (void)state;
    config.class_count = 0;
    assert_null(spill_pool_create(&config, &error));
    config.class_count = SPILL_POOL_CLASSES_MAX + 1;
    assert_null(spill_pool_create(&config, &error));
    config.class_count = 1;
    config.submitters = 0;
    assert_null(spill_pool_create(&config, &error));
    config.submitters = 1;
    class.capacity = 0;
    assert_null(spill_pool_create(&config, &error));
    class.capacity = 1;
    pool = spill_pool_create(&config, &error);
    assert_non_null(pool);
    assert_null(spill_pool_create(&config, &error)); /* the name is taken */
    assert_null(spill_submitter_create(pool, 0, 0, SOCKET_ID_ANY, 1, &error));
    assert_null(spill_submitter_create(pool, 0, 65, SOCKET_ID_ANY, 1, &error));
    assert_null(spill_submitter_create(pool, 1, 1, SOCKET_ID_ANY, 1, &error));
    spill_pool_free(pool);
    spill_pool_free(NULL);
    spill_submitter_free(NULL);
    assert_int_equal(test_heap_bytes(), before);
}

/* ------------------------------------------------------------------------------ inline work */

static void dispatch_decides_what_is_inline(void **state)
{
    static const uint32_t capacity = 8;
    static struct bench bench;
    struct spill_submitter *submitter;
    struct spill_account *account;
    uint32_t round;
    struct rte_mbuf *none = NULL;

    (void)state;
    open_bench(&bench, 1, &capacity, 1, 1, SPILL_RING_EXCLUSIVE);
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
        assert_true(submit_one(&bench, 0, 0));
        turn(&bench);
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
    close_bench(&bench);

    open_bench(&bench, 1, &capacity, 0, 1, SPILL_RING_EXCLUSIVE);
    bench.submitter->budget.available = 0;
    assert_true(
        spill_inline_fits(bench.submitter, 0, NULL, 1, 1500)); /* no workers: all is inline */
    close_bench(&bench);
}

/* ----------------------------------------------------------- order under workers of any speed */

#define PACKETS UINT64_C(10000000)
#define FLOWS   10000
#define LANES   64

struct packet {
    uint32_t flow;
    uint32_t number;
    bool work;
    bool worked;
    bool twice;
};

struct crowd {
    struct spill_pool *pool;
    struct spill_submitter *submitter;
    uint32_t expected[FLOWS]; /* numbers, at retirement */
    uint32_t next[FLOWS];     /* at submission */
    uint64_t retired;
    uint64_t disorder; /* packets out of order */
    uint64_t unworked; /* packets whose work was not done, or done twice */
};

static struct packet *packet_of(struct rte_mbuf *mbuf)
{
    return (struct packet *)rte_mbuf_to_priv(mbuf);
}

/* Work of any length from none to some microseconds. No assertion: it runs on any lcore. */
static bool random_work(struct spill_job *job, void *context)
{
    static __thread uint64_t random;
    uint32_t i;

    (void)context;
    if (random == 0)
        random = (rte_rdtsc() ^ (uint64_t)rte_lcore_id() << 32) | 1;
    for (i = 0; i < job->count; i++) {
        struct packet *packet = packet_of(job->mbufs[i]);

        packet->twice = packet->worked;
        packet->worked = true;
    }
    if (test_random_below(&random, 4) == 0)
        test_spin(test_random_below(&random, 8000));
    return true;
}

static void check_flows(struct spill_job *job, void *owner)
{
    struct crowd *crowd = owner;
    uint32_t i;

    for (i = 0; i < job->count; i++) {
        const struct packet *packet = packet_of(job->mbufs[i]);

        crowd->disorder += packet->number != crowd->expected[packet->flow];
        crowd->expected[packet->flow] = packet->number + 1;
        crowd->unworked += packet->twice || (packet->work && !packet->worked);
    }
    crowd->retired += job->count;
    rte_pktmbuf_free_bulk(job->mbufs, job->count);
}

static int work(void *argument)
{
    struct spill_worker *worker = argument;

    while (!spill_worker_ended(worker)) {
        if (spill_worker_poll(worker) == 0)
            sched_yield();
    }
    return 0;
}

/* Submits a burst; what is refused is left in `mbufs`. Returns how many were taken. */
static uint32_t submit_burst(struct crowd *crowd, struct rte_mbuf **mbufs, uint32_t count,
                             uint64_t *inlined)
{
    struct spill_submitter *submitter = crowd->submitter;
    uint32_t inline_share = test_random_below(&seed, 3), taken = 0, i;

    for (i = 0; i < count; i++) {
        uint32_t flow = test_random_below(&seed, FLOWS), lane = flow % LANES;
        struct packet *packet = packet_of(mbufs[i]);
        bool here =
            !spill_lane_busy(submitter, 0, lane) && test_random_below(&seed, 4) < inline_share;

        if (!here && !spill_lane_reserve(submitter, 0, lane, NULL))
            break;
        *packet = (struct packet){.flow = flow,
                                  .number = crowd->next[flow]++,
                                  .work = here || test_random_below(&seed, 8) > 0};
        if (here)
            spill_inline_add(submitter, 0, NULL, &mbufs[i], 1, 64, 1);
        else
            spill_lane_add(submitter, 0, lane, mbufs[i], packet->work, 64, 1);
        *inlined += here;
        taken++;
    }
    spill_inline_run(submitter, 0);
    return taken;
}

static void crowd_run(uint32_t workers, uint64_t packets, uint32_t capacity,
                      enum spill_ring_mode mode)
{
    static unsigned created;
    struct spill_class class = {
        .name = "a", .work = random_work, .capacity = capacity, .dispatch = SPILL_DISPATCH_AUTO};
    struct spill_pool_config config = {.socket = SOCKET_ID_ANY,
                                       .workers = workers,
                                       .submitters = 1,
                                       .mode = mode,
                                       .class_count = 1,
                                       .classes = &class};
    static struct crowd crowd;
    struct rte_mbuf *mbufs[32];
    uint64_t submitted = 0, inlined = 0, done = 0;
    struct spill_account *account;
    char name[16];
    uint32_t i;

    snprintf(name, sizeof(name), "crowd%u", created++);
    config.name = name;
    memset(&crowd, 0, sizeof(crowd));
    crowd.pool = spill_pool_create(&config, &error);
    assert_non_null(crowd.pool);
    crowd.submitter = spill_submitter_create(crowd.pool, 0, LANES, SOCKET_ID_ANY, 100000, &error);
    assert_non_null(crowd.submitter);
    spill_submitter_on_retire(crowd.submitter, 0, check_flows, &crowd);
    account = &crowd.submitter->accounts[0];
    for (i = 0; i < workers; i++)
        rte_eal_remote_launch(work, &crowd.pool->workers[i], 1 + i);

    while (submitted < packets) {
        uint32_t count = 1 + test_random_below(&seed, 32), taken = 0;

        spill_submitter_retire(crowd.submitter, rte_rdtsc());
        if (rte_pktmbuf_alloc_bulk(mbuf_pool, mbufs, count) == 0) {
            taken = submit_burst(&crowd, mbufs, count, &inlined);
            rte_pktmbuf_free_bulk(mbufs + taken, count - taken);
        }
        submitted += taken;
        if (test_random_below(&seed, 3) == 0)
            spill_submitter_flush(crowd.submitter);
        assert_true(account->held <= capacity);
        if (taken < count) {
            spill_submitter_flush(crowd.submitter);
            sched_yield();
        }
    }
    while (!spill_submitter_idle(crowd.submitter)) {
        spill_submitter_flush(crowd.submitter);
        spill_submitter_retire(crowd.submitter, rte_rdtsc());
        sched_yield();
    }
    spill_submitter_leave(crowd.submitter);
    rte_eal_mp_wait_lcore();
    assert_int_equal(crowd.disorder, 0);
    assert_int_equal(crowd.unworked, 0);
    assert_int_equal(crowd.retired, submitted);
    assert_memory_equal(crowd.expected, crowd.next, sizeof(crowd.next));
    assert_int_equal(free_credits(crowd.submitter), capacity);
    assert_int_equal(account->held, 0);
    assert_int_equal(account->inline_packets, inlined);
    assert_true(inlined > 0 && account->pool_packets > 0);
    for (i = 0; i < workers; i++)
        done += crowd.pool->workers[i].jobs[0];
    assert_int_equal(done, account->jobs);
    assert_int_equal(rte_mempool_avail_count(mbuf_pool), MBUFS);
    printf("%u workers: %.1f %% inline, %.1f packets a job, %lu refused\n", workers,
           100.0 * (double)inlined / (double)submitted,
           (double)account->pool_packets / (double)account->jobs, (unsigned long)account->refused);
    spill_submitter_free(crowd.submitter);
    spill_pool_free(crowd.pool);
}

static void order_of_flows_is_kept_and_none_is_lost(void **state)
{
    (void)state;
    crowd_run(3, TEST_ROUNDS(PACKETS), 128, SPILL_RING_PREEMPTIBLE);
    crowd_run(2, TEST_ROUNDS(PACKETS / 10), 8, SPILL_RING_PREEMPTIBLE);
    crowd_run(2, TEST_ROUNDS(PACKETS / 50), 1, SPILL_RING_PREEMPTIBLE);
    crowd_run(1, TEST_ROUNDS(PACKETS / 10), 64, SPILL_RING_EXCLUSIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_of_different_cost_share_the_worker),
        cmocka_unit_test(an_idle_class_saves_up_no_turns_and_loses_none),
        cmocka_unit_test(a_rare_class_is_served_next),
        cmocka_unit_test(workers_take_each_job_once),
        cmocka_unit_test(a_preempted_worker_holds_up_neither_submitter_nor_classes),
        cmocka_unit_test(a_class_borrows_all_credits_while_no_other_waits),
        cmocka_unit_test(while_another_waits_a_class_gets_its_share_and_no_more),
        cmocka_unit_test(a_rare_packet_finds_a_credit_after_one_refusal),
        cmocka_unit_test(refusal_at_every_point_leaves_everything_consistent),
        cmocka_unit_test(abandon_returns_what_is_there_in_any_state),
        cmocka_unit_test(packets_without_work_keep_their_place),
        cmocka_unit_test(what_cannot_be_is_an_error_and_leaves_nothing),
        cmocka_unit_test(dispatch_decides_what_is_inline),
        cmocka_unit_test(order_of_flows_is_kept_and_none_is_lost),
    };
    int failed;

    test_eal_start(LCORES, 128, NULL);
    seed = test_seed() | 1;
    mbuf_pool = rte_pktmbuf_pool_create("packets", MBUFS, 0, RTE_ALIGN(sizeof(struct packet), 8), 0,
                                        SOCKET_ID_ANY);
    if (mbuf_pool == NULL)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_mempool_free(mbuf_pool);
    rte_eal_cleanup();
    return failed;
}
