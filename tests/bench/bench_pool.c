/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What handing work to the pool costs the lcore that does it: cycles a packet at burst 32, above
 * those of allocating and freeing the mbufs. Two cases: the worker keeps up, its work being one
 * line of each packet; and the pool is overloaded, so that most packets are refused and dropped.
 * A line of JSON each. Arguments: the EAL's, with two lcores, and how many rounds.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "bench.h"
#include "runtime/pool.h"
#include "runtime/submitter.h"

#define BURST    SPILL_JOB_PACKETS
#define BURSTS   64     /* in a round */
#define PACE     3200   /* cycles from burst to burst when the worker is to keep up */
#define SLOW     200000 /* cycles that a job takes when it is not */
#define CAPACITY 64
#define LANES    16
#define VOID_MAX 2000 /* rounds */
#define MBUFS    16383
#define CACHE    512

static unsigned rounds;
static struct rte_mempool *mempool;
static struct spill_pool *pool;
static struct spill_submitter *submitter;
static uint64_t job_cycles; /* that a job takes at least; the worker reads it */

/* The barest hand-over: bursts in the order of submission. */
struct bare_job {
    _Atomic bool done;
    struct rte_mbuf *mbufs[BURST] __rte_cache_aligned;
} __rte_cache_aligned;

static struct bare_job bare_jobs[CAPACITY];
static struct rte_ring *bare_ring;
static uint32_t bare_first, bare_count; /* those that are out */

/* ------------------------------------------------------------------------------- the worker */

/* The line behind the mbuf, as classification does; the mbuf itself is not looked into. */
static inline void touch(struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++)
        ++*(uint64_t *)rte_mbuf_to_priv(mbufs[i]);
}

static bool work(struct spill_job *job, void *context)
{
    uint64_t until = rte_rdtsc() + job_cycles;

    (void)context;
    touch(job->mbufs, job->count);
    while (job_cycles != 0 && rte_rdtsc() < until)
        rte_pause();
    return true;
}

static int worker(void *argument)
{
    struct spill_worker *self = argument;
    struct bare_job *job;

    while (!spill_worker_ended(self)) {
        spill_worker_poll(self);
        if (rte_ring_dequeue(bare_ring, (void **)&job) == 0) {
            touch(job->mbufs, BURST);
            atomic_store_explicit(&job->done, true, memory_order_release);
        }
    }
    return 0;
}

/* ---------------------------------------------------------------------------- the submitter */

static void retire(struct spill_job *job, void *owner)
{
    (void)owner;
    rte_pktmbuf_free_bulk(job->mbufs, job->count);
}

static void allocate(struct rte_mbuf **mbufs)
{
    if (rte_pktmbuf_alloc_bulk(mempool, mbufs, BURST) != 0)
        abort();
}

/* A turn of a fast lcore, all of whose packets need work. Returns how many were refused. */
static uint32_t submit(uint32_t lane, uint64_t now)
{
    struct rte_mbuf *mbufs[BURST], *refused[BURST];
    uint32_t refused_count = 0, i;

    spill_submitter_retire(submitter, now);
    allocate(mbufs);
    for (i = 0; i < BURST; i++) {
        if (spill_lane_reserve(submitter, 0, lane, NULL))
            spill_lane_add(submitter, 0, lane, mbufs[i], true, 0, now);
        else
            refused[refused_count++] = mbufs[i];
    }
    if (refused_count > 0)
        rte_pktmbuf_free_bulk(refused, refused_count);
    spill_submitter_flush(submitter);
    return refused_count;
}

static void bare_retire(void)
{
    while (bare_count > 0 &&
           atomic_load_explicit(&bare_jobs[bare_first].done, memory_order_acquire)) {
        rte_pktmbuf_free_bulk(bare_jobs[bare_first].mbufs, BURST);
        bare_first = (bare_first + 1) % CAPACITY;
        bare_count--;
    }
}

static uint32_t bare_submit(void)
{
    struct bare_job *job = &bare_jobs[(bare_first + bare_count) % CAPACITY];

    bare_retire();
    if (bare_count == CAPACITY)
        return BURST;
    allocate(job->mbufs);
    atomic_store_explicit(&job->done, false, memory_order_relaxed);
    bare_count++;
    return rte_ring_enqueue(bare_ring, job) == 0 ? 0 : BURST;
}

static void allocate_and_free(void)
{
    struct rte_mbuf *mbufs[BURST];

    allocate(mbufs);
    rte_pktmbuf_free_bulk(mbufs, BURST);
}

enum subject {
    MBUFS_ONLY,
    BARE,
    POOL,
    SUBJECTS,
};

/* Cycles a packet of a round, waiting for the next burst's time left out. */
static double run_round(enum subject subject, uint64_t pace, uint32_t *refused)
{
    uint64_t spent = 0, next = rte_rdtsc();
    uint32_t i;

    for (i = 0; i < BURSTS; i++) {
        uint64_t began;

        while (rte_rdtsc() < next)
            rte_pause();
        next += pace;
        began = rte_rdtsc();
        if (subject == POOL)
            *refused += submit(i % LANES, began);
        else if (subject == BARE)
            *refused += bare_submit();
        else
            allocate_and_free();
        spent += rte_rdtsc() - began;
    }
    return (double)spent / (BURSTS * BURST);
}

static void wait_for_worker(void)
{
    while (bare_count > 0)
        bare_retire();
    while (!spill_submitter_idle(submitter))
        spill_submitter_retire(submitter, rte_rdtsc());
}

/*
 * The worker keeps up in every round, or it had not its CPU: the round is void when a packet was
 * refused, and repeated.
 */
static void keeping_up(void)
{
    struct bench_series series[SUBJECTS] = {{.count = 0}};
    struct bench_times times = bench_times_now();
    double medians[SUBJECTS], share;
    uint32_t void_rounds = 0;
    unsigned i;

    job_cycles = 0;
    while (series[0].count < rounds && void_rounds < VOID_MAX) {
        double figures[SUBJECTS];
        uint32_t refused = 0;

        for (i = 0; i < SUBJECTS; i++) {
            figures[i] = run_round(i, PACE, &refused);
            wait_for_worker();
        }
        for (i = 0; i < SUBJECTS && refused == 0; i++)
            bench_add(&series[i], figures[i]);
        void_rounds += refused > 0;
    }
    share = bench_share_since(&times);
    for (i = 0; i < SUBJECTS; i++)
        medians[i] = bench_median(&series[i]);
    printf("{\"case\": \"kept up\", \"mbufs\": %.2f, \"pool\": %.2f, \"bare\": %.2f, "
           "\"void_rounds\": %u, \"share\": %.3f}\n",
           medians[MBUFS_ONLY], medians[POOL], medians[BARE], void_rounds, share);
    fflush(stdout);
}

static void overloaded(void)
{
    struct bench_series mbufs = {.count = 0}, pooled = {.count = 0};
    struct bench_times times = bench_times_now();
    uint32_t refused = 0;
    double share, without, with;

    job_cycles = SLOW;
    while (mbufs.count < rounds) {
        bench_add(&mbufs, run_round(MBUFS_ONLY, 0, &refused));
        bench_add(&pooled, run_round(POOL, 0, &refused));
    }
    share = bench_share_since(&times);
    wait_for_worker();
    without = bench_median(&mbufs);
    with = bench_median(&pooled);
    printf("{\"case\": \"overloaded\", \"mbufs\": %.2f, \"pool\": %.2f, \"refused\": %.4f, "
           "\"share\": %.3f}\n",
           without, with, (double)refused / ((double)rounds * BURSTS * BURST), share);
}

static int create(struct spill_error *error)
{
    static const struct spill_class class = {
        .name = "bench", .work = work, .capacity = CAPACITY, .dispatch = SPILL_DISPATCH_POOL};
    const struct spill_pool_config config = {
        .name = "pool",
        .socket = SOCKET_ID_ANY,
        .workers = 1,
        .submitters = 1,
        .class_count = 1,
        .classes = &class,
    };

    mempool = rte_pktmbuf_pool_create("mbufs", MBUFS, CACHE, 64, RTE_MBUF_DEFAULT_BUF_SIZE,
                                      SOCKET_ID_ANY);
    bare_ring = rte_ring_create("bare", CAPACITY, SOCKET_ID_ANY, RING_F_EXACT_SZ);
    if (mempool == NULL || bare_ring == NULL)
        return spill_error_set(error, "no memory for mbufs");
    pool = spill_pool_create(&config, error);
    if (pool == NULL)
        return -1;
    submitter = spill_submitter_create(pool, 0, LANES, SOCKET_ID_ANY, 0, error);
    if (submitter == NULL)
        return -1;
    spill_submitter_on_retire(submitter, 0, retire, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    struct spill_error error;
    unsigned other;
    int used;

    used = rte_eal_init(argc, argv);
    if (used < 0)
        return 1;
    rounds = bench_rounds(argc - used, argv + used);
    other = rte_get_next_lcore(-1, 1, 0);
    if (other == RTE_MAX_LCORE) {
        fprintf(stderr, "bench_pool: needs two lcores\n");
        return 1;
    }
    if (create(&error) != 0) {
        fprintf(stderr, "bench_pool: %s\n", error.text);
        return 1;
    }
    rte_eal_remote_launch(worker, &pool->workers[0], other);
    keeping_up();
    overloaded();
    spill_submitter_leave(submitter);
    rte_eal_wait_lcore(other);
    spill_submitter_free(submitter);
    spill_pool_free(pool);
    rte_ring_free(bare_ring);
    rte_mempool_free(mempool);
    rte_eal_cleanup();
    return 0;
}
