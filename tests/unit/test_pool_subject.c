/* SPDX-License-Identifier: BSD-3-Clause */
/* Classes of the pool whose jobs have subjects and a serial part; spare time. */
#include "subject_bench.h"

static void a_job_is_of_one_subject(void **state)
{
    struct spill_class class = subject_class(SPILL_DISPATCH_POOL);
    uint32_t i;

    (void)state;
    subject_open(&class, 1, 0, NULL);
    /* Of one lane: 3 of one, 2 of another, 1 of the first again. A lane beside it has its own. */
    subject_put(0, &subject_all[0], 3);
    subject_put(0, &subject_all[1], 2);
    subject_put(0, &subject_all[0], 1);
    subject_put(1, &subject_all[0], 4);
    assert_int_equal(subject_submitter->held, 4);
    assert_int_equal(subject_all[0].subject.jobs, 3);
    assert_int_equal(subject_all[1].subject.jobs, 1);
    assert_false(spill_subject_idle(&subject_all[0].subject));
    assert_int_equal(subject_all[0].taken, 0); /* numbers are taken when a job is complete */
    spill_submitter_flush(subject_submitter);
    assert_int_equal(subject_all[0].taken, 8);
    assert_int_equal(subject_all[0].begun, 3);
    assert_int_equal(subject_all[1].taken, 2);
    assert_int_equal(rte_ring_count(subject_pool->rings[1]), 4);
    for (i = 0; i < 4; i++)
        assert_true(spill_worker_poll(&subject_pool->workers[0]) > 0);
    assert_false(spill_subject_idle(&subject_all[1].subject)); /* until it is retired */
    assert_int_equal(spill_submitter_retire(subject_submitter, 1), 10);
    assert_int_equal(subject_order[0]->serial, 1);
    assert_true(subject_order[1]->subject == &subject_all[1].subject);
    /* The first two jobs of the subject came back in the order of their lane. */
    assert_int_equal(subject_order[2]->serial, 4);
    subject_close();
}

static void forced_ends_leave_no_job_with_a_subject(void **state)
{
    struct spill_class class = subject_class(SPILL_DISPATCH_POOL);

    (void)state;
    subject_open(&class, 1, 0, NULL);
    subject_put(0, &subject_all[0], 40);
    subject_put(0, &subject_all[1], 2);
    spill_submitter_flush(subject_submitter);
    subject_put(0, &subject_all[1], 5);
    subject_put(3, &subject_all[2], 5);
    assert_int_equal(subject_all[1].subject.jobs, 2);
    assert_int_equal(spill_submitter_abandon(subject_submitter, subject_retire, NULL), 52);
    subject_close();
}

/* Jobs of two subjects, of which one takes forty times as long; what they cost by the estimates. */
static void work_on_two(uint64_t *cheap, uint64_t *dear)
{
    for (uint32_t i = 0; i < 64; i++) {
        subject_work_cycles = 2000;
        subject_put(0, &subject_all[0], 8);
        spill_submitter_flush(subject_submitter);
        subject_work_all();
        subject_work_cycles = 80000;
        subject_put(0, &subject_all[1], 8);
        spill_submitter_flush(subject_submitter);
        subject_work_all();
    }
    *cheap = spill_cost_estimate(&subject_all[0].subject.cost, 8, 8 * 64);
    *dear = spill_cost_estimate(&subject_all[1].subject.cost, 8, 8 * 64);
}

static void each_subject_has_a_cost_of_its_own(void **state)
{
    struct spill_class class = subject_class(SPILL_DISPATCH_AUTO);
    uint64_t cheap = 0, dear = 0;
    uint32_t i;
    struct rte_mbuf *none = NULL;

    (void)state;
    subject_open(&class, 1, BUDGET, NULL);
    /* A job that lost its CPU counts as dear as it was, for a while. */
    for (i = 0; i < 50 && dear <= 5 * cheap; i++)
        work_on_two(&cheap, &dear);
    assert_true(cheap >= 1000 && dear > 5 * cheap);
    assert_int_equal(subject_submitter->accounts[1].cost.jobs, 0);
    /* What fits into the budget depends on it. */
    subject_submitter->budget.available = (cheap + dear) / 2;
    for (i = 0; i < 7; i++)
        spill_inline_add(subject_submitter, 1, &subject_all[0].subject, &none, 1, PACKET_BYTES, 1);
    assert_true(spill_inline_fits(subject_submitter, 1, &subject_all[0].subject, 1, 64));
    assert_false(spill_inline_fits(subject_submitter, 1, &subject_all[1].subject, 1, 64));
    spill_inline_run(subject_submitter, 1);
    assert_int_equal(subject_disorder, 0);
    assert_int_equal(subject_all[0].retired, subject_all[0].taken);
    subject_close();
}

/* What begin() takes away from the work is not worked on; all of it: no worker is asked. */
static void begin_may_lower_the_work(void **state)
{
    struct spill_class class = subject_class(SPILL_DISPATCH_AUTO);
    uint64_t before;
    struct rte_mbuf *none = NULL;

    (void)state;
    subject_open(&class, 1, BUDGET, NULL);
    subject_work_at_most = 5;
    subject_put(0, &subject_all[0], 12);
    spill_submitter_flush(subject_submitter);
    subject_work_all();
    assert_int_equal(subject_worked, 5);
    assert_int_equal(subject_retired, 12);
    assert_int_equal(subject_submitter->accounts[1].pool_packets, 5);
    subject_work_at_most = 0;
    subject_put(0, &subject_all[0], 12);
    subject_put(1, &subject_all[1], 3);
    spill_submitter_flush(subject_submitter);
    assert_true(rte_ring_empty(subject_pool->rings[1]));
    assert_int_equal(spill_submitter_retire(subject_submitter, 1), 15);
    assert_int_equal(subject_submitter->accounts[1].jobs, 1);
    assert_int_equal(subject_disorder, 0);
    /* The same inline. */
    before = subject_worked;
    subject_work_at_most = 5;
    spill_inline_add(subject_submitter, 1, &subject_all[0].subject, &none, 1, PACKET_BYTES, 1);
    spill_inline_add(subject_submitter, 1, &subject_all[0].subject, &none, 1, PACKET_BYTES, 1);
    spill_inline_run(subject_submitter, 1);
    assert_int_equal(subject_worked - before, 2);
    assert_int_equal(subject_all[0].taken, 26);
    assert_int_equal(subject_submitter->accounts[1].inline_job->serial, 25);
    subject_close();
}

static void a_job_takes_half_when_all_would_exceed_the_budget(void **state)
{
    struct spill_class class = subject_class(SPILL_DISPATCH_POOL);

    (void)state;
    subject_open(&class, 1, BUDGET, NULL);
    subject_all[0].subject.cost.per_packet = (float)BUDGET / SPILL_JOB_PACKETS * 1.1F;
    subject_all[1].subject.cost.per_packet = (float)BUDGET / SPILL_JOB_PACKETS * 0.9F;
    subject_put(0, &subject_all[0], 15);
    assert_int_equal(subject_submitter->accounts[1].closed_count, 0);
    subject_put(0, &subject_all[0], 1);
    assert_int_equal(subject_submitter->accounts[1].closed_count, 1);
    subject_put(0, &subject_all[0], 16);
    assert_int_equal(subject_submitter->accounts[1].closed_count, 2);
    subject_put(1, &subject_all[1], 31);
    assert_int_equal(subject_submitter->accounts[1].closed_count, 2);
    subject_put(1, &subject_all[1], 1);
    assert_int_equal(subject_submitter->accounts[1].closed_count, 3);
    assert_int_equal(subject_submitter->held, 3);
    /* Bytes count as well. */
    subject_all[1].subject.cost.per_byte = (float)BUDGET / (SPILL_JOB_PACKETS * 64);
    subject_put(1, &subject_all[1], 16);
    assert_int_equal(subject_submitter->accounts[1].closed_count, 4);
    spill_submitter_flush(subject_submitter);
    subject_work_all();
    subject_close();

    /* Without a budget nothing is done in one go. */
    subject_open(&class, 1, 0, NULL);
    subject_all[0].subject.cost.per_packet = 1e9F;
    subject_put(0, &subject_all[0], 31);
    assert_int_equal(subject_submitter->accounts[1].closed_count, 0);
    subject_put(0, &subject_all[0], 1);
    assert_int_equal(subject_submitter->accounts[1].closed_count, 1);
    spill_submitter_flush(subject_submitter);
    subject_work_all();
    subject_close();
}

/* ----------------------------------------------------------------------------- spare time */

static void waiting_jobs_are_done_in_spare_time(void **state)
{
    struct spill_class class = subject_class(SPILL_DISPATCH_AUTO);
    struct spill_account *account;
    uint32_t i;

    (void)state;
    subject_open(&class, 1, BUDGET, NULL);
    account = &subject_submitter->accounts[1];
    subject_put(0, &subject_all[0], 8);
    subject_put(0, &subject_all[1], 8);
    subject_put(0, &subject_all[0], 8);
    spill_submitter_flush(subject_submitter);
    subject_submitter->budget.available = BUDGET;
    assert_int_equal(spill_submitter_help(subject_submitter),
                     0); /* what a job costs is not known yet */
    account->job_cycles = 50000;
    subject_submitter->budget.available = 49999;
    assert_int_equal(spill_submitter_help(subject_submitter), 0);
    assert_int_equal(subject_worked, 0);
    subject_submitter->budget.available = 50000;
    subject_work_cycles = 5000;
    assert_int_equal(spill_submitter_help(subject_submitter), 8);
    assert_int_equal(subject_worked, 8);
    assert_int_equal(account->helped_packets, 8);
    assert_true(subject_submitter->budget.available <= 45000); /* paid, by what it took */
    assert_true(subject_submitter->budget.spent >= 5000);
    assert_int_equal(subject_retired, 0); /* its lane retires it, in its turn */
    assert_int_equal(spill_submitter_retire(subject_submitter, rte_rdtsc()), 8);
    assert_int_equal(rte_ring_count(subject_pool->rings[1]), 2);
    /* The rest by a worker and here: in order. */
    subject_submitter->budget.available = BUDGET;
    assert_int_equal(spill_worker_poll(&subject_pool->workers[0]), 8);
    assert_int_equal(spill_submitter_help(subject_submitter), 8);
    assert_int_equal(spill_submitter_help(subject_submitter), 0); /* nothing waits */
    assert_int_equal(spill_submitter_retire(subject_submitter, rte_rdtsc()), 16);
    assert_true(subject_order[1]->subject == &subject_all[1].subject);
    assert_int_equal(subject_disorder, 0);
    subject_close();

    /* Not what goes to the pool alone, nor without one. */
    for (i = 0; i < 3; i++) {
        class = subject_class(i == 0 ? SPILL_DISPATCH_POOL : SPILL_DISPATCH_AUTO);
        class.defers = i == 1;
        subject_open(&class, i < 2 ? 1 : 0, BUDGET, &(struct spill_pool_device){.depth = 1});
        subject_submitter->accounts[1].job_cycles = 1;
        subject_submitter->budget.available = BUDGET;
        subject_put(0, &subject_all[0], 8);
        spill_submitter_flush(subject_submitter);
        assert_int_equal(spill_submitter_help(subject_submitter), 0);
        assert_int_equal(subject_worked, 0);
        assert_int_equal(spill_submitter_abandon(subject_submitter, subject_retire, NULL), 8);
        subject_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_of_one_subject),
        cmocka_unit_test(forced_ends_leave_no_job_with_a_subject),
        cmocka_unit_test(each_subject_has_a_cost_of_its_own),
        cmocka_unit_test(begin_may_lower_the_work),
        cmocka_unit_test(a_job_takes_half_when_all_would_exceed_the_budget),
        cmocka_unit_test(waiting_jobs_are_done_in_spare_time),
    };
    int failed;

    test_eal_start(1, 64, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
