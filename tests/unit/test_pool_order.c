/* SPDX-License-Identifier: BSD-3-Clause */
/* Order of flows through the pool, under workers of any speed. */
#include "pool_bench.h"

#include "runtime/thread.h"

#define MBUFS   8191
#define PACKETS UINT64_C(2000000)
#define FLOWS   10000
#define LANES   64
#define LATER   1 /* workers that come and leave meanwhile */

static struct rte_mempool *mbuf_pool;

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
    struct spill_thread *threads[LATER];
    struct spill_worker *later[LATER];
    uint32_t comings;
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
    uint32_t inline_share = test_random_below(&pool_seed, 3), taken = 0, i;

    for (i = 0; i < count; i++) {
        uint32_t flow = test_random_below(&pool_seed, FLOWS), lane = flow % LANES;
        struct packet *packet = packet_of(mbufs[i]);
        bool here =
            !spill_lane_busy(submitter, 0, lane) && test_random_below(&pool_seed, 4) < inline_share;

        if (!here && !spill_lane_reserve(submitter, 0, lane, NULL))
            break;
        *packet = (struct packet){.flow = flow,
                                  .number = crowd->next[flow]++,
                                  .work = here || test_random_below(&pool_seed, 8) > 0};
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

/* One of those comes, or leaves; it may come again as soon as its loop has ended. */
static void change_workers(struct crowd *crowd)
{
    const uint32_t i = test_random_below(&pool_seed, LATER);

    if (!spill_worker_leaves(crowd->later[i])) {
        spill_worker_leave(crowd->later[i]);
    } else if (!spill_thread_runs(crowd->threads[i])) {
        spill_worker_come(crowd->later[i]);
        spill_thread_launch(crowd->threads[i], work, crowd->later[i]);
        crowd->comings++;
    }
}

static void add_later(struct crowd *crowd)
{
    for (uint32_t i = 0; i < LATER; i++) {
        crowd->later[i] = spill_pool_add_worker(crowd->pool);
        crowd->threads[i] = spill_thread_create("later", 0, &pool_error);
        assert_non_null(crowd->later[i]);
        assert_non_null(crowd->threads[i]);
        assert_true(rte_lcore_has_role(spill_thread_lcore(crowd->threads[i]), ROLE_NON_EAL));
    }
}

/* Whether one of those has done a job; on a machine that is busy they may have to wait for a CPU.
 */
static bool later_worked(const struct crowd *crowd)
{
    for (uint32_t i = 0; i < LATER; i++) {
        if (__atomic_load_n(&crowd->later[i]->jobs[0], __ATOMIC_RELAXED) > 0)
            return true;
    }
    return false;
}

/* Returns the jobs that they did. */
static uint64_t end_later(struct crowd *crowd)
{
    uint64_t done = 0;

    for (uint32_t i = 0; i < LATER; i++) {
        while (spill_thread_runs(crowd->threads[i]))
            sched_yield();
        spill_thread_free(crowd->threads[i]);
        done += crowd->later[i]->jobs[0];
    }
    return done;
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
    crowd.pool = spill_pool_create(&config, &pool_error);
    assert_non_null(crowd.pool);
    crowd.submitter =
        spill_submitter_create(crowd.pool, 0, LANES, SOCKET_ID_ANY, 100000, &pool_error);
    assert_non_null(crowd.submitter);
    spill_submitter_on_retire(crowd.submitter, 0, check_flows, &crowd);
    account = &crowd.submitter->accounts[0];
    add_later(&crowd);
    for (i = 0; i < workers; i++)
        rte_eal_remote_launch(work, &crowd.pool->workers[i], 1 + i);

    while (submitted < packets || !later_worked(&crowd)) {
        uint32_t count = 1 + test_random_below(&pool_seed, 32), taken = 0;

        spill_submitter_retire(crowd.submitter, rte_rdtsc());
        if (rte_pktmbuf_alloc_bulk(mbuf_pool, mbufs, count) == 0) {
            taken = submit_burst(&crowd, mbufs, count, &inlined);
            rte_pktmbuf_free_bulk(mbufs + taken, count - taken);
        }
        submitted += taken;
        if (test_random_below(&pool_seed, 3) == 0)
            spill_submitter_flush(crowd.submitter);
        assert_true(account->held <= capacity);
        if (test_random_below(&pool_seed, 64) == 0)
            change_workers(&crowd);
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
    done = end_later(&crowd);
    assert_true(done > 0);
    assert_int_equal(crowd.disorder, 0);
    assert_int_equal(crowd.unworked, 0);
    assert_int_equal(crowd.retired, submitted);
    assert_memory_equal(crowd.expected, crowd.next, sizeof(crowd.next));
    assert_int_equal(pool_free_credits(crowd.submitter), capacity);
    assert_int_equal(account->held, 0);
    assert_int_equal(account->inline_packets, inlined);
    assert_true(inlined > 0 && account->pool_packets > 0);
    for (i = 0; i < workers; i++)
        done += crowd.pool->workers[i].jobs[0];
    assert_int_equal(done, account->jobs);
    assert_int_equal(rte_mempool_avail_count(mbuf_pool), MBUFS);
    printf("%u workers, %u comings: %.1f %% inline, %.1f packets a job, %lu refused\n", workers,
           crowd.comings, 100.0 * (double)inlined / (double)submitted,
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
        cmocka_unit_test(order_of_flows_is_kept_and_none_is_lost),
    };
    int failed;

    test_eal_start(LCORES, 128, NULL);
    pool_seed = test_seed() | 1;
    mbuf_pool = rte_pktmbuf_pool_create("packets", MBUFS, 0, RTE_ALIGN(sizeof(struct packet), 8), 0,
                                        SOCKET_ID_ANY);
    if (mbuf_pool == NULL)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_mempool_free(mbuf_pool);
    rte_eal_cleanup();
    return failed;
}
