/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_SUBJECT_BENCH_H
#define SPILLWAY_TEST_SUBJECT_BENCH_H

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
 * A pool with one submitter and two classes: "a", and "b", whose jobs have subjects and a serial
 * part. All of it is the main lcore's but the work.
 */

#define CLASSES  2
#define LANES    8
#define SUBJECTS 4
#define CAPACITY 16
#define BUDGET   UINT64_C(1000000)

#define PACKET_BYTES 64 /* of each packet */

/* What the class's serial part counts, as an SA's sequence numbers. */
struct subject {
    struct spill_subject subject; /* first: jobs point to it */
    uint64_t taken;
    uint64_t begun;   /* numbers, in the order of begin() */
    uint64_t retired; /* last number that was retired */
};

static struct spill_error error;
static struct subject subjects[SUBJECTS];
static struct spill_pool *pool;
static struct spill_submitter *submitter;
static uint64_t work_cycles;        /* of a job */
static uint64_t disorder;           /* jobs or packets out of their order */
static uint64_t retired;            /* packets */
static uint64_t worked;             /* packets */
static uint32_t strange_bytes;      /* jobs that have other bytes than their packets' */
static uint32_t work_at_most;       /* begin() lowers `work` to it */
static struct spill_job *order[64]; /* jobs as they were retired */
static uint32_t order_count;

static inline struct subject *subject_of(const struct spill_job *job)
{
    return (struct subject *)job->subject;
}

static inline bool work(struct spill_job *job, void *context)
{
    (void)context;
    worked += job->work;
    test_spin(work_cycles);
    return true;
}

static inline void begin(struct spill_job *job, void *context)
{
    struct subject *subject = subject_of(job);

    (void)context;
    if (subject != NULL) {
        job->serial = subject->taken + 1;
        subject->taken += job->count;
        subject->begun++;
    }
    strange_bytes += job->bytes != job->count * PACKET_BYTES;
    job->work = (uint16_t)RTE_MIN(job->work, work_at_most);
}

static inline void retire(struct spill_job *job, void *owner)
{
    struct subject *subject = subject_of(job);

    (void)owner;
    retired += job->count;
    if (order_count < RTE_DIM(order))
        order[order_count++] = job;
    if (subject == NULL)
        return;
    disorder += job->serial != subject->retired + 1;
    subject->retired = job->serial + job->count - 1;
}

static inline void open_pool(const struct spill_class *class, uint32_t workers, uint64_t budget,
                             const struct spill_pool_device *device)
{
    static unsigned created;
    struct spill_class classes[CLASSES] = {{.name = "a", .work = work, .capacity = CAPACITY},
                                           *class};
    char name[16];
    struct spill_pool_config config = {.name = name,
                                       .socket = SOCKET_ID_ANY,
                                       .workers = workers,
                                       .submitters = 1,
                                       .mode = SPILL_RING_PREEMPTIBLE,
                                       .class_count = CLASSES,
                                       .classes = classes};
    uint32_t i;

    snprintf(name, sizeof(name), "test%u", created++);
    if (device != NULL)
        config.device = *device;
    memset(subjects, 0, sizeof(subjects));
    disorder = retired = worked = 0;
    order_count = strange_bytes = 0;
    work_at_most = SPILL_JOB_PACKETS;
    work_cycles = 0;
    pool = spill_pool_create(&config, &error);
    assert_non_null(pool);
    submitter = spill_submitter_create(pool, 0, LANES, SOCKET_ID_ANY, budget, &error);
    assert_non_null(submitter);
    for (i = 0; i < CLASSES; i++)
        spill_submitter_on_retire(submitter, i, retire, NULL);
}

static inline void close_pool(void)
{
    uint32_t i;

    assert_true(spill_submitter_idle(submitter));
    /* Jobs are used over and over, and bring nothing along from the time before. */
    assert_int_equal(strange_bytes, 0);
    for (i = 0; i < SUBJECTS; i++)
        assert_true(spill_subject_idle(&subjects[i].subject));
    spill_submitter_free(submitter);
    spill_pool_free(pool);
}

static inline struct spill_class class_of(enum spill_dispatch dispatch)
{
    return (struct spill_class){
        .name = "b", .work = work, .begin = begin, .capacity = CAPACITY, .dispatch = dispatch};
}

/* Puts packets of a subject, which are none, into a lane of class b. */
static inline void put(uint32_t lane, struct subject *subject, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        assert_true(spill_lane_reserve(submitter, 1, lane, &subject->subject));
        spill_lane_add(submitter, 1, lane, NULL, true, PACKET_BYTES, 1);
    }
}

static inline void work_all(void)
{
    while (spill_worker_poll(&pool->workers[0]) > 0)
        ;
    spill_submitter_retire(submitter, rte_rdtsc());
}

#endif
