/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What handing work to the pool costs the lcore that does it: cycles a packet at burst 32, above
 * those of allocating and freeing the mbufs. Two cases: the worker keeps up, its work being one
 * line of each packet; and the pool is overloaded, so that most packets are refused and dropped.
 * Arguments: the EAL's, with two lcores.
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
#define BURSTS   256    /* in a round */
#define PACE     6400   /* cycles from burst to burst when the worker is to keep up */
#define SLOW     200000 /* cycles that a job takes when it is not */
#define CAPACITY 64
#define LANES    16
#define MBUFS    16383
#define CACHE    512

static struct rte_mempool *mempool;
static struct spill_pool *pool;
static struct spill_submitter *submitter;
static uint64_t job_cycles; /* that a job takes at least; the worker reads it */

/* ------------------------------------------------------------------------------- the worker */

static void work(struct spill_job *job, void *context)
{
    uint64_t until = rte_rdtsc() + job_cycles;
    uint32_t i;

    (void)context;
    for (i = 0; i < job->count; i++)
        ++*rte_pktmbuf_mtod(job->mbufs[i], uint64_t *);
    while (job_cycles != 0 && rte_rdtsc() < until)
        rte_pause();
}

static int worker(void *argument)
{
    struct spill_worker *self = argument;

    while (!spill_worker_ended(self))
        spill_worker_poll(self);
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
        if (spill_lane_reserve(submitter, 0, lane))
            spill_lane_add(submitter, 0, lane, mbufs[i], true, 0, now);
        else
            refused[refused_count++] = mbufs[i];
    }
    if (refused_count > 0)
        rte_pktmbuf_free_bulk(refused, refused_count);
    spill_submitter_flush(submitter);
    return refused_count;
}

static void allocate_and_free(void)
{
    struct rte_mbuf *mbufs[BURST];

    allocate(mbufs);
    rte_pktmbuf_free_bulk(mbufs, BURST);
}

/* Cycles a packet of a round, waiting for the next burst's time left out. */
static double run_round(bool with_pool, uint64_t pace, uint32_t *refused)
{
    uint64_t spent = 0, next = rte_rdtsc();
    uint32_t i;

    for (i = 0; i < BURSTS; i++) {
        uint64_t began;

        while (rte_rdtsc() < next)
            rte_pause();
        next += pace;
        began = rte_rdtsc();
        if (with_pool)
            *refused += submit(i % LANES, began);
        else
            allocate_and_free();
        spent += rte_rdtsc() - began;
    }
    return (double)spent / (BURSTS * BURST);
}

static void wait_for_pool(void)
{
    while (!spill_submitter_idle(submitter))
        spill_submitter_retire(submitter, rte_rdtsc());
}

static void compare(const char *name, uint64_t pace, uint64_t cycles)
{
    struct bench_series series[2] = {{.count = 0}};
    struct bench_times times = bench_times_now();
    uint32_t refused = 0;
    double share, without, with;
    unsigned i;

    job_cycles = cycles;
    for (i = 0; i < BENCH_ROUNDS; i++) {
        uint32_t ignored = 0;

        bench_add(&series[0], run_round(false, pace, &ignored));
        bench_add(&series[1], run_round(true, pace, &refused));
        if (pace != 0)
            wait_for_pool();
    }
    share = bench_share_since(&times);
    wait_for_pool();
    without = bench_median(&series[0]);
    with = bench_median(&series[1]);
    printf("  %s: %.1f cycles a packet, of which mbufs %.1f: %.1f more (%.1f%% refused, %.0f%% of "
           "its CPU)\n",
           name, with, without, with - without,
           100.0 * refused / ((double)BENCH_ROUNDS * BURSTS * BURST), share * 100);
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
    if (mempool == NULL)
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

    if (rte_eal_init(argc, argv) < 0)
        return 1;
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
    compare("worker touches one line", PACE, 0);
    compare("overloaded             ", 0, SLOW);
    spill_submitter_leave(submitter);
    rte_eal_wait_lcore(other);
    spill_submitter_free(submitter);
    spill_pool_free(pool);
    rte_mempool_free(mempool);
    rte_eal_cleanup();
    return 0;
}
