/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_POOL_BENCH_H
#define SPILLWAY_TEST_POOL_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_mbuf.h>

#include "lcores.h"
#include "runtime/submitter.h"

/**
 * @file
 * A pool with one submitter, whose classes pass their time, and whose worker is driven by hand.
 */

#define LCORES      4
#define CLASSES_MAX 3
#define BUDGET      UINT64_MAX

static struct spill_error error;
static uint64_t seed;

/* What a test's class does: it passes a time, and notes it. */
struct labour {
    uint64_t cycles;  /* of a job's work */
    uint64_t longest; /* that one took */
    uint32_t jobs;
};

static inline bool labour(struct spill_job *job, void *context)
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

static inline void count_retired(struct spill_job *job, void *owner)
{
    struct labour *labour = owner;
    uint64_t cycles = job->finished - job->started;

    current->retired[job->class_index] += job->count;
    labour->longest = RTE_MAX(labour->longest, cycles);
}

static inline void open_bench(struct bench *bench, uint32_t classes, const uint32_t capacities[],
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
        if (capacities[i] != 0) /* 0: there is no class of that index */
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

static inline void close_bench(struct bench *bench)
{
    spill_submitter_free(bench->submitter);
    spill_pool_free(bench->pool);
}

static inline uint32_t free_credits(const struct spill_submitter *submitter)
{
    const struct spill_job *job;
    uint32_t count = 0;

    for (job = submitter->free; job != NULL; job = job->next)
        count++;
    return count;
}

/* Submits a job of one packet; the packet is none. Returns whether there was a credit. */
static inline bool submit_one(struct bench *bench, uint32_t class_index, uint32_t lane)
{
    if (!spill_lane_reserve(bench->submitter, class_index, lane, NULL))
        return false;
    spill_lane_add(bench->submitter, class_index, lane, NULL, true, 64, 1);
    spill_submitter_flush(bench->submitter);
    return true;
}

/* Submits jobs until `jobs` of the class are out. */
static inline void keep_out(struct bench *bench, uint32_t class_index, uint32_t jobs)
{
    while (bench->submitter->accounts[class_index].held < jobs)
        assert_true(submit_one(bench, class_index, 0));
}

static inline bool any_waits(const struct bench *bench)
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
static inline uint32_t turn(struct bench *bench)
{
    bool waits = any_waits(bench);
    uint32_t packets = spill_worker_poll(&bench->pool->workers[0]);

    assert_int_equal(packets > 0, waits);
    bench->now += 1000;
    spill_submitter_retire(bench->submitter, bench->now);
    return packets;
}

#endif
