/* SPDX-License-Identifier: BSD-3-Clause */
/* Jobs that are left under way on a device, and subjects with workers of any speed. */
#include "subject_bench.h"

#define LCORES 4
#define MBUFS  8191
#define DEPTH  4

static uint64_t seed;
static struct rte_mempool *mbuf_pool;

/* ------------------------------------------------------------------------ a device of our own */

/* What an lcore has under way. Written by it. */
struct device {
    struct spill_job *jobs[DEPTH];
    uint32_t count;
    uint32_t most;    /* it may have had at a time */
    uint32_t excess;  /* jobs beyond its depth */
    uint64_t random;  /* 0: gives back in the order in which it was asked to */
    uint32_t release; /* by hand: how many it gives back, the latest first */
} __rte_cache_aligned;

static struct device devices[LCORES];

static bool leave_under_way(struct spill_job *job, void *context)
{
    struct device *device = &devices[rte_lcore_id()];

    (void)context;
    if (device->count == DEPTH) {
        device->excess++;
        return true;
    }
    device->jobs[device->count++] = job;
    device->most = RTE_MAX(device->most, device->count);
    return false;
}

static uint32_t collect_latest(struct spill_job **done, uint32_t most, void *context)
{
    struct device *device = &devices[rte_lcore_id()];
    uint32_t count = 0;

    (void)context;
    while (count < most && device->release > 0) {
        device->release--;
        done[count++] = device->jobs[--device->count];
    }
    return count;
}

static void jobs_may_be_under_way_on_a_device(void **state)
{
    static const struct spill_pool_device fake = {.collect = collect_latest, .depth = DEPTH};
    struct spill_class class = subject_class(SPILL_DISPATCH_POOL);
    struct spill_worker *worker;
    uint32_t i;

    (void)state;
    memset(devices, 0, sizeof(devices));
    class.work = leave_under_way;
    class.defers = true;
    subject_open(&class, 1, 0, &fake);
    worker = &subject_pool->workers[0];
    for (i = 0; i < DEPTH + 2; i++)
        subject_put(i % 2, &subject_all[i % 2], SPILL_JOB_PACKETS);
    spill_submitter_flush(subject_submitter);
    for (i = 0; i < DEPTH; i++)
        assert_int_equal(spill_worker_poll(worker), SPILL_JOB_PACKETS);
    assert_int_equal(worker->under_way, DEPTH);
    assert_int_equal(spill_worker_poll(worker), 0); /* the depth is its bound */
    assert_int_equal(devices[0].count, DEPTH);

    /* The other class goes on meanwhile. */
    assert_true(spill_lane_reserve(subject_submitter, 0, 0, NULL));
    spill_lane_add(subject_submitter, 0, 0, NULL, true, 64, 1);
    spill_submitter_flush(subject_submitter);
    assert_int_equal(spill_worker_poll(worker), 1);
    assert_int_equal(worker->jobs[0], 1);

    /* The latest of a lane first: nothing is retired before those in front of it. */
    devices[0].release = 2;
    assert_int_equal(spill_worker_poll(worker), 3 * SPILL_JOB_PACKETS); /* two back, one begun */
    assert_int_equal(worker->under_way, DEPTH - 1);
    assert_int_equal(spill_submitter_retire(subject_submitter, rte_rdtsc()), 1);
    spill_submitter_leave(subject_submitter);
    assert_int_equal(spill_worker_poll(worker), SPILL_JOB_PACKETS);
    assert_true(rte_ring_empty(subject_pool->rings[1]));
    assert_false(spill_worker_ended(worker)); /* not while any is under way */
    devices[0].release = DEPTH;
    assert_int_equal(spill_worker_poll(worker), DEPTH * SPILL_JOB_PACKETS);
    assert_true(spill_worker_ended(worker));
    assert_int_equal(spill_submitter_retire(subject_submitter, rte_rdtsc()),
                     (DEPTH + 2) * SPILL_JOB_PACKETS);
    assert_int_equal(subject_disorder, 0);
    assert_int_equal(devices[0].excess, 0);
    assert_int_equal(worker->jobs[1], DEPTH + 2);
    subject_close();
}

/* What a worker that leaves has under way is done by it; what waits is not. */
static void a_worker_leaves_once_the_device_has_given_back(void **state)
{
    static const struct spill_pool_device fake = {.collect = collect_latest, .depth = DEPTH};
    struct spill_class class = subject_class(SPILL_DISPATCH_POOL);
    struct spill_worker *worker;
    uint32_t i;

    (void)state;
    memset(devices, 0, sizeof(devices));
    class.work = leave_under_way;
    class.defers = true;
    subject_open(&class, 1, 0, &fake);
    worker = spill_pool_add_worker(subject_pool);
    assert_non_null(worker);
    assert_int_equal(spill_pool_workers(subject_pool), 1);
    for (i = 0; i < DEPTH; i++)
        subject_put(0, &subject_all[0], SPILL_JOB_PACKETS);
    spill_submitter_flush(subject_submitter);
    assert_int_equal(spill_worker_poll(worker), 0); /* it has not come */
    assert_true(spill_worker_ended(worker));
    spill_worker_come(worker);
    assert_int_equal(spill_pool_workers(subject_pool), 2);
    assert_int_equal(spill_worker_poll(worker), SPILL_JOB_PACKETS);
    assert_int_equal(spill_worker_poll(worker), SPILL_JOB_PACKETS);
    spill_worker_leave(worker);
    assert_int_equal(spill_pool_workers(subject_pool), 1);
    assert_int_equal(spill_worker_poll(worker), 0);
    assert_false(spill_worker_ended(worker));
    devices[0].release = 2;
    assert_int_equal(spill_worker_poll(worker), 2 * SPILL_JOB_PACKETS);
    assert_true(spill_worker_ended(worker));
    spill_worker_come(worker);
    assert_int_equal(spill_worker_poll(worker), SPILL_JOB_PACKETS);
    assert_int_equal(spill_worker_poll(worker), SPILL_JOB_PACKETS);
    devices[0].release = 2;
    assert_int_equal(spill_worker_poll(worker), 2 * SPILL_JOB_PACKETS);
    assert_int_equal(spill_submitter_retire(subject_submitter, rte_rdtsc()),
                     DEPTH * SPILL_JOB_PACKETS);
    assert_int_equal(subject_disorder, 0);
    assert_int_equal(worker->jobs[1], DEPTH);
    spill_submitter_leave(subject_submitter);
    subject_close();
}

static uint64_t left_to_the_device;

static void take_what_is_ours(struct spill_job *job, void *owner)
{
    (void)owner;
    if (job->under_way)
        left_to_the_device += job->count;
    else
        subject_retired += job->count;
}

/* A forced end: a device that does not answer keeps its jobs, and those alone. */
static void a_device_keeps_what_it_never_gave_back(void **state)
{
    static const struct spill_pool_device fake = {.collect = collect_latest, .depth = DEPTH};
    struct spill_class class = subject_class(SPILL_DISPATCH_POOL);
    struct spill_worker *worker;
    uint32_t i;

    (void)state;
    memset(devices, 0, sizeof(devices));
    left_to_the_device = 0;
    class.work = leave_under_way;
    class.defers = true;
    subject_open(&class, 1, 0, &fake);
    worker = &subject_pool->workers[0];
    for (i = 0; i < DEPTH + 2; i++)
        subject_put(i, &subject_all[i % 2], SPILL_JOB_PACKETS);
    spill_submitter_flush(subject_submitter);
    for (i = 0; i < DEPTH; i++)
        spill_worker_poll(worker);
    devices[0].release = 1;
    spill_worker_collect(worker, 1000);
    assert_int_equal(worker->under_way, DEPTH - 1);
    assert_int_equal(spill_submitter_abandon(subject_submitter, take_what_is_ours, NULL),
                     (DEPTH + 2) * SPILL_JOB_PACKETS);
    assert_int_equal(left_to_the_device, (DEPTH - 1) * SPILL_JOB_PACKETS);
    assert_int_equal(subject_retired, 3 * SPILL_JOB_PACKETS);
    /* The jobs of the device, and what it works with for their subjects, are in use for ever. */
    assert_int_equal(subject_all[0].subject.jobs + subject_all[1].subject.jobs, DEPTH - 1);
    assert_int_equal(subject_submitter->credits, CLASSES * CAPACITY - (DEPTH - 1));
    spill_submitter_free(subject_submitter);
    spill_pool_free(subject_pool);
}

/* ------------------------------------------------------------- workers of any speed, together */

#define PACKETS UINT64_C(250000)

struct packet {
    uint32_t subject;
    uint32_t worked;
    uint64_t number; /* of its subject */
};

static uint64_t submitted[SUBJECTS];
static uint64_t came[SUBJECTS];
static uint64_t unworked;

static void work_on(struct spill_job *job)
{
    uint32_t i;

    for (i = 0; i < job->work; i++)
        ((struct packet *)rte_mbuf_to_priv(job->mbufs[i]))->worked++;
}

static uint64_t *random_of_lcore(void)
{
    struct device *device = &devices[rte_lcore_id()];

    if (device->random == 0)
        device->random = (rte_rdtsc() ^ (uint64_t)rte_lcore_id() << 32) | 1;
    return &device->random;
}

static bool random_work(struct spill_job *job, void *context)
{
    uint64_t *random = random_of_lcore();

    if (test_random_below(random, 4) == 0)
        test_spin(test_random_below(random, 8000));
    if (context != NULL && test_random_below(random, 8) > 0)
        return leave_under_way(job, NULL);
    work_on(job);
    return true;
}

/* Some of what is under way, in any order. */
static uint32_t collect_some(struct spill_job **done, uint32_t most, void *context)
{
    struct device *device = &devices[rte_lcore_id()];
    uint32_t count = 0, which;

    (void)context;
    while (count < most && device->count > 0 && test_random_below(random_of_lcore(), 3) > 0) {
        which = test_random_below(random_of_lcore(), device->count);
        done[count] = device->jobs[which];
        device->jobs[which] = device->jobs[--device->count];
        work_on(done[count++]);
    }
    return count;
}

static void check_packets(struct spill_job *job, void *owner)
{
    struct subject *subject = subject_of(job);
    uint32_t which = (uint32_t)(subject - subject_all), i;

    (void)owner;
    subject_disorder += job->serial != subject->retired + 1;
    subject->retired += job->count;
    for (i = 0; i < job->count; i++) {
        const struct packet *packet = rte_mbuf_to_priv(job->mbufs[i]);

        subject_disorder += packet->subject != which || packet->number != came[which]++;
        unworked += packet->worked != 1;
    }
    subject_retired += job->count;
    rte_pktmbuf_free_bulk(job->mbufs, job->count);
}

static int worker_thread(void *argument)
{
    struct spill_worker *worker = argument;

    while (!spill_worker_ended(worker)) {
        if (spill_worker_poll(worker) == 0)
            sched_yield();
    }
    return 0;
}

/* Submits a burst of one subject, here or into its lane. Returns how many were taken. */
static uint32_t submit_burst(struct rte_mbuf **mbufs, uint32_t count, bool defers)
{
    uint32_t which = test_random_below(&seed, SUBJECTS), lane = which % 3, i;
    struct spill_subject *subject = &subject_all[which].subject;
    bool here =
        !defers && !spill_lane_busy(subject_submitter, 1, lane) && test_random_below(&seed, 4) == 0;

    for (i = 0; i < count; i++) {
        struct packet *packet = rte_mbuf_to_priv(mbufs[i]);

        if (!here && !spill_lane_reserve(subject_submitter, 1, lane, subject))
            break;
        *packet = (struct packet){.subject = which, .number = submitted[which]++};
        if (here)
            spill_inline_add(subject_submitter, 1, subject, &mbufs[i], 1, 64, 1);
        else
            spill_lane_add(subject_submitter, 1, lane, mbufs[i], true, 64, 1);
    }
    spill_inline_run(subject_submitter, 1);
    return i;
}

static void crowd_run(uint32_t workers, uint64_t packets, bool defers)
{
    static const struct spill_pool_device fake = {.collect = collect_some, .depth = DEPTH};
    struct spill_class class = subject_class(defers ? SPILL_DISPATCH_POOL : SPILL_DISPATCH_AUTO);
    uint64_t total = 0, helped = 0;
    struct rte_mbuf *mbufs[32];
    uint32_t i;

    class.work = random_work;
    class.context = defers ? &devices : NULL;
    class.defers = defers;
    memset(devices, 0, sizeof(devices));
    memset(submitted, 0, sizeof(submitted));
    memset(came, 0, sizeof(came));
    unworked = 0;
    subject_open(&class, workers, BUDGET, &fake);
    spill_submitter_on_retire(subject_submitter, 1, check_packets, NULL);
    for (i = 0; i < workers; i++)
        rte_eal_remote_launch(worker_thread, &subject_pool->workers[i], 1 + i);
    while (total < packets || !spill_submitter_idle(subject_submitter)) {
        uint32_t count = 1 + test_random_below(&seed, 32), taken = 0;

        spill_submitter_retire(subject_submitter, rte_rdtsc());
        if (total < packets && rte_pktmbuf_alloc_bulk(mbuf_pool, mbufs, count) == 0) {
            taken = submit_burst(mbufs, count, defers);
            rte_pktmbuf_free_bulk(mbufs + taken, count - taken);
        }
        total += taken;
        if (taken < count || test_random_below(&seed, 3) == 0)
            spill_submitter_flush(subject_submitter);
        spill_budget_earn(&subject_submitter->budget, 10000);
        helped += spill_submitter_help(subject_submitter);
        if (taken < count)
            sched_yield();
    }
    spill_submitter_leave(subject_submitter);
    rte_eal_mp_wait_lcore();
    assert_int_equal(subject_disorder, 0);
    assert_int_equal(unworked, 0);
    assert_int_equal(subject_retired, total);
    assert_memory_equal(came, submitted, sizeof(came));
    for (i = 0; i < SUBJECTS; i++)
        assert_int_equal(subject_all[i].taken, submitted[i]);
    for (i = 0; i < LCORES; i++)
        assert_true(devices[i].excess == 0 && devices[i].count == 0);
    assert_int_equal(helped > 0, !defers);
    assert_int_equal(subject_submitter->accounts[1].helped_packets, helped);
    assert_int_equal(rte_mempool_avail_count(mbuf_pool), MBUFS);
    subject_close();
}

static void order_of_subjects_is_kept_whoever_works(void **state)
{
    uint32_t workers;

    (void)state;
    for (workers = 1; workers < LCORES; workers++) {
        crowd_run(workers, TEST_ROUNDS(PACKETS), false);
        crowd_run(workers, TEST_ROUNDS(PACKETS), true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_may_be_under_way_on_a_device),
        cmocka_unit_test(a_worker_leaves_once_the_device_has_given_back),
        cmocka_unit_test(a_device_keeps_what_it_never_gave_back),
        cmocka_unit_test(order_of_subjects_is_kept_whoever_works),
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
