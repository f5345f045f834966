/* SPDX-License-Identifier: BSD-3-Clause */
/* A job that is used again has nothing left of what it was; and when it is done with, in order. */
#include "subject_bench.h"

#define BYTES 64 /* that put() says of each packet */

/* What the class was given to do, by its own count. */
static uint64_t jobs_begun, packets_begun, bytes_begun;
static uint64_t wrong; /* jobs that said something else of themselves than was put into them */

static void count_begun(struct spill_job *job, void *context)
{
    subject_begin(job, context);
    jobs_begun++;
    packets_begun += job->count;
    bytes_begun += job->bytes;
    wrong += job->bytes != job->count * BYTES || job->work != job->count;
}

/* In the lane the job is its subject's until what it brought is applied: whoever sees no job of a
 * subject may free what the retirement still writes to. */
static void retire_within(struct spill_job *job, void *owner)
{
    subject_retire(job, owner);
    if (job->lane != SPILL_LANE_INLINE)
        wrong += spill_subject_idle(job->subject);
}

static void open_counted(enum spill_dispatch dispatch)
{
    struct spill_class class = subject_class(dispatch);

    class.begin = count_begun;
    subject_open(&class, 1, BUDGET, NULL);
    spill_submitter_on_retire(subject_submitter, 1, retire_within, NULL);
    jobs_begun = packets_begun = bytes_begun = wrong = 0;
}

static void add_inline(struct subject *subject, uint32_t count)
{
    struct rte_mbuf *none[SPILL_JOB_PACKETS] = {0};

    spill_inline_add(subject_submitter, 1, &subject->subject, none, count, count * BYTES, 1);
    spill_inline_run(subject_submitter, 1);
}

static void abandon_all(void)
{
    void *job;

    spill_submitter_abandon(subject_submitter, retire_within, NULL);
    while (rte_ring_dequeue(subject_pool->rings[1], &job) == 0)
        ;
}

/* Each job often, home by each way: worked on, done here, taken back at a forced end. */
static void a_job_comes_back_empty(void **state)
{
    uint64_t put_in = 0, seed = test_seed() | 1;
    uint32_t round, count;

    (void)state;
    open_counted(SPILL_DISPATCH_POOL);
    for (round = 0; round < 40 * CAPACITY; round++) {
        struct subject *subject = &subject_all[test_random_below(&seed, SUBJECTS)];

        count = 1 + test_random_below(&seed, SPILL_JOB_PACKETS);
        subject_put(test_random_below(&seed, LANES), subject, count);
        put_in += count;
        spill_submitter_flush(subject_submitter);
        if (round % 5 == 4)
            abandon_all();
        else
            subject_work_all();
        count = 1 + test_random_below(&seed, SPILL_JOB_PACKETS);
        add_inline(subject, count);
        put_in += count;
    }
    assert_true(jobs_begun > 10 * CAPACITY);
    assert_int_equal(wrong, 0);
    assert_int_equal(packets_begun, put_in);
    assert_int_equal(bytes_begun, put_in * BYTES);
    subject_close();
}

/* Never begun, so nothing of it was counted: what follows must not count it either. */
static void a_job_that_was_not_begun_leaves_nothing(void **state)
{
    uint32_t round;

    (void)state;
    open_counted(SPILL_DISPATCH_POOL);
    for (round = 0; round < 4 * CAPACITY; round++) {
        subject_put(0, &subject_all[0], 7);
        abandon_all();
    }
    assert_int_equal(jobs_begun, 0);
    subject_put(0, &subject_all[0], 3);
    spill_submitter_flush(subject_submitter);
    subject_work_all();
    assert_int_equal(bytes_begun, 3 * BYTES);
    assert_int_equal(wrong, 0);
    subject_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_comes_back_empty),
        cmocka_unit_test(a_job_that_was_not_begun_leaves_nothing),
    };
    int failed;

    test_eal_start(1, 64, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
