/* SPDX-License-Identifier: BSD-3-Clause */
/* The exit status where two bad things meet: the worst is told, in whatever order they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/steps.h"
#include "program.h"

static struct spill_program program;

static enum spill_status status_of(enum spill_outcome first, enum spill_outcome second,
                                   uint64_t leaked)
{
    memset(&program, 0, sizeof(program));
    spill_program_end_as(&program, first);
    spill_program_end_as(&program, second);
    program.leaked = leaked;
    return spill_program_status(&program);
}

static void the_worst_of_two_outcomes_stays(void **state)
{
    static const enum spill_status expected[3][3] = {
        {SPILL_STATUS_DRAINED, SPILL_STATUS_FORCED, SPILL_STATUS_FAILED},
        {SPILL_STATUS_FORCED, SPILL_STATUS_FORCED, SPILL_STATUS_FAILED},
        {SPILL_STATUS_FAILED, SPILL_STATUS_FAILED, SPILL_STATUS_FAILED},
    };

    (void)state;
    for (int first = 0; first < 3; first++) {
        for (int second = 0; second < 3; second++)
            assert_int_equal(status_of((enum spill_outcome)first, (enum spill_outcome)second, 0),
                             expected[first][second]);
    }
}

static void a_leak_fails_the_exit(void **state)
{
    (void)state;
    assert_int_equal(status_of(SPILL_OUTCOME_DRAINED, SPILL_OUTCOME_DRAINED, 1),
                     SPILL_STATUS_FORCED);
    assert_int_equal(status_of(SPILL_OUTCOME_FORCED, SPILL_OUTCOME_DRAINED, 1),
                     SPILL_STATUS_FORCED);
    assert_int_equal(status_of(SPILL_OUTCOME_FAILED, SPILL_OUTCOME_DRAINED, 1),
                     SPILL_STATUS_FAILED);
}

/* With books: both what is in flight and what is missing from the mempools count. */
static void books_that_do_not_balance(void **state)
{
    static struct spill_pipeline pipeline;
    static const struct spill_plan plan = {.lcore_count = 1};
    uint32_t flight, leaked;

    (void)state;
    memset(&program, 0, sizeof(program));
    pipeline.config.plan = &plan;
    program.pipeline = &pipeline;
    for (flight = 0; flight < 2; flight++) {
        for (leaked = 0; leaked < 2; leaked++) {
            pipeline.ledger.received = 7 + flight;
            pipeline.ledger.transmitted = 7;
            program.leaked = leaked;
            assert_int_equal(spill_program_status(&program),
                             flight + leaked == 0 ? SPILL_STATUS_DRAINED : SPILL_STATUS_FORCED);
        }
    }
}

static void a_report_that_can_not_be_written_is_worse_than_force(void **state)
{
    static const enum spill_status any[] = {SPILL_STATUS_DRAINED, SPILL_STATUS_FORCED,
                                            SPILL_STATUS_FAILED};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(spill_status_worse(any[i], SPILL_STATUS_FAILED), SPILL_STATUS_FAILED);
        assert_int_equal(spill_status_worse(SPILL_STATUS_FAILED, any[i]), SPILL_STATUS_FAILED);
        assert_int_equal(spill_status_worse(any[i], SPILL_STATUS_DRAINED), any[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_of_two_outcomes_stays),
        cmocka_unit_test(a_leak_fails_the_exit),
        cmocka_unit_test(books_that_do_not_balance),
        cmocka_unit_test(a_report_that_can_not_be_written_is_worse_than_force),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
