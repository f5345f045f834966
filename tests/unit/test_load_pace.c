/* SPDX-License-Identifier: BSD-3-Clause */
/* When packets are due: nothing of the schedule is missing, and nothing comes early. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lcores.h"
#include "pace.h"

#define HZ     UINT64_C(2600000000)
#define BURST  32
#define ROUNDS 300

static uint64_t state;

/* A loop of any speed: due and too late together are the schedule, and no call gives it early. */
static void test_account(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        const double rate = 1000.0 + test_random_below(&state, 30000000);
        const uint64_t catch_up = test_random_below(&state, 300000);
        const uint32_t step = 1 + test_random_below(&state, 200000);
        const uint64_t start = test_random(&state);
        struct spill_load_pace pace = spill_load_pace_begin(start, rate, catch_up, HZ);
        uint64_t now = start, sent = 0;

        while (now < start + HZ / 100) {
            uint64_t schedule;

            now += test_random_below(&state, step);
            sent += spill_load_pace_due(&pace, now, BURST);
            schedule = (uint64_t)((double)(now - start) * (rate / (double)HZ));
            assert_true(sent + pace.too_late <= schedule);
            assert_true(schedule - sent - pace.too_late <= pace.slack);
            assert_int_equal(pace.dealt, sent + pace.too_late);
        }
        while (spill_load_pace_due(&pace, now, 1) > 0)
            sent++;
        assert_int_equal(sent + pace.too_late, (uint64_t)((double)(now - start) * (rate / HZ)));
    }
}

/* A loop that looks often is never late, and the rate is the one that was asked for. */
static void test_in_time(void **unused)
{
    struct spill_load_pace pace = spill_load_pace_begin(5, 1e6, HZ / 10000, HZ);
    uint64_t sent = 0;

    (void)unused;
    for (uint64_t now = 5; now <= HZ + 5; now += 1000)
        sent += spill_load_pace_due(&pace, now, BURST);
    assert_int_equal(pace.too_late, 0);
    assert_in_range(sent, 999999, 1000000);
}

/* After a stall of a millisecond what is older than a tenth of it is given up, and no more. */
static void test_stall(void **unused)
{
    struct spill_load_pace pace = spill_load_pace_begin(0, 1e6, HZ / 10000, HZ);
    uint64_t due = 0;
    uint32_t burst;

    (void)unused;
    while ((burst = spill_load_pace_due(&pace, HZ / 1000 + 1, BURST)) > 0) {
        assert_true(burst <= BURST);
        due += burst;
    }
    assert_int_equal(due, 100);
    assert_int_equal(pace.too_late, 900);
}

static void test_unlimited(void **unused)
{
    struct spill_load_pace pace = spill_load_pace_begin(7, 0, 100, HZ);

    (void)unused;
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(spill_load_pace_due(&pace, 7, BURST), BURST);
        assert_int_equal(pace.dealt, i * BURST);
    }
    assert_int_equal(pace.too_late, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account),
        cmocka_unit_test(test_in_time),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_unlimited),
    };

    state = test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
