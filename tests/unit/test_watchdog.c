/* SPDX-License-Identifier: BSD-3-Clause */
/* The watchdog, with a clock that the test moves by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/watchdog.h"

#define LIMIT 1000
#define TICK  250
#define LOOPS 3

struct bench {
    struct spill_watchdog watchdog;
    struct spill_heartbeat heartbeats[LOOPS];
    uint64_t now;
    struct spill_watchdog_report reports[16];
    unsigned report_count;
};

static void keep_report(const struct spill_watchdog_report *report, void *argument)
{
    struct bench *bench = argument;

    assert_true(bench->report_count < RTE_DIM(bench->reports));
    bench->reports[bench->report_count++] = *report;
}

/* Three loops, lcores 10, 11 and 12, that have beaten once and been seen. */
static int make_bench(void **state)
{
    struct bench *bench = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*bench));
    unsigned i;

    if (bench == NULL)
        return -1;
    bench->now = 1000000;
    bench->report_count = 0;
    spill_watchdog_init(&bench->watchdog, LIMIT, keep_report, bench);
    for (i = 0; i < LOOPS; i++) {
        spill_heartbeat_init(&bench->heartbeats[i]);
        spill_heartbeat_beat(&bench->heartbeats[i]);
        if (spill_watchdog_watch(&bench->watchdog, &bench->heartbeats[i], 10 + i) != 0)
            return -1;
    }
    spill_watchdog_check(&bench->watchdog, bench->now);
    *state = bench;
    return 0;
}

static int free_bench(void **state)
{
    free(*state);
    return 0;
}

/* The loops in `beating` (a bit each) beat, then a tick passes and the watchdog looks. */
static unsigned tick(struct bench *bench, unsigned beating)
{
    unsigned i;

    for (i = 0; i < LOOPS; i++)
        if ((beating >> i & 1) != 0)
            spill_heartbeat_beat(&bench->heartbeats[i]);
    bench->now += TICK;
    return spill_watchdog_check(&bench->watchdog, bench->now);
}

static void assert_report(const struct spill_watchdog_report *report, unsigned lcore_id,
                          const char *stage, uint64_t cycles, bool over)
{
    assert_int_equal(report->lcore_id, lcore_id);
    if (stage == NULL)
        assert_null(report->stage);
    else
        assert_string_equal(report->stage, stage);
    assert_int_equal(report->cycles, cycles);
    assert_int_equal(report->over, over);
}

static void loops_that_beat_are_left_alone(void **state)
{
    struct bench *bench = *state;
    unsigned i;

    for (i = 0; i < 100; i++)
        assert_int_equal(tick(bench, 7), 0);
    assert_int_equal(bench->report_count, 0);
}

static void hang_is_reported_once_with_its_stage(void **state)
{
    struct bench *bench = *state;
    unsigned i;

    spill_heartbeat_stage(&bench->heartbeats[1], "classify");
    for (i = 1; i < LIMIT / TICK; i++)
        assert_int_equal(tick(bench, 5), 0);
    assert_int_equal(bench->report_count, 0);
    assert_int_equal(tick(bench, 5), 1);
    assert_int_equal(bench->report_count, 1);
    assert_report(&bench->reports[0], 11, "classify", LIMIT, false);

    for (i = 0; i < 50; i++)
        assert_int_equal(tick(bench, 5), 1);
    assert_int_equal(bench->report_count, 1);
}

static void end_of_a_hang_is_reported_with_its_length(void **state)
{
    struct bench *bench = *state;
    unsigned i;

    spill_heartbeat_stage(&bench->heartbeats[0], "transmit");
    for (i = 0; i < 9; i++)
        tick(bench, 6);
    spill_heartbeat_stage(&bench->heartbeats[0], NULL);
    assert_int_equal(tick(bench, 7), 0);
    assert_int_equal(bench->report_count, 2);
    assert_report(&bench->reports[1], 10, "transmit", 10 * TICK, true);

    for (i = 0; i < 20; i++)
        tick(bench, 7);
    assert_int_equal(bench->report_count, 2);
}

static void second_hang_is_reported_again(void **state)
{
    struct bench *bench = *state;
    unsigned i;

    for (i = 0; i < LIMIT / TICK; i++)
        tick(bench, 3);
    tick(bench, 7);
    spill_heartbeat_stage(&bench->heartbeats[2], "parse");
    for (i = 0; i < LIMIT / TICK; i++)
        tick(bench, 3);
    assert_int_equal(bench->report_count, 3);
    assert_report(&bench->reports[0], 12, NULL, LIMIT, false);
    assert_report(&bench->reports[1], 12, NULL, LIMIT + TICK, true);
    assert_report(&bench->reports[2], 12, "parse", LIMIT, false);
}

static void each_loop_hangs_for_itself(void **state)
{
    struct bench *bench = *state;

    tick(bench, 6);
    tick(bench, 4);
    tick(bench, 4);
    assert_int_equal(tick(bench, 4), 1);
    assert_int_equal(tick(bench, 4), 2);
    assert_int_equal(bench->report_count, 2);
    assert_report(&bench->reports[0], 10, NULL, LIMIT, false);
    assert_report(&bench->reports[1], 11, NULL, LIMIT, false);
    assert_int_equal(tick(bench, 6), 1);
    assert_report(&bench->reports[2], 11, NULL, LIMIT + TICK, true);
}

/* It beats only just often enough: what counts is the time since the last beat. */
static void slow_loop_does_not_hang(void **state)
{
    struct bench *bench = *state;
    unsigned i;

    for (i = 0; i < 100; i++)
        assert_int_equal(tick(bench, i % 4 == 0 ? 7 : 3), 0);
    assert_int_equal(bench->report_count, 0);
}

static void sleeper_is_left_alone_and_its_waking_is_no_hang(void **state)
{
    struct bench *bench = *state;
    uint64_t beats = bench->heartbeats[0].beats;
    unsigned i;

    spill_heartbeat_sleep(&bench->heartbeats[0]);
    for (i = 0; i < 20; i++)
        assert_int_equal(tick(bench, 6), 0);
    spill_heartbeat_beat(&bench->heartbeats[0]);
    assert_int_equal(bench->heartbeats[0].beats, beats + 1);
    for (i = 1; i < LIMIT / TICK; i++)
        assert_int_equal(tick(bench, 6), 0);
    assert_int_equal(bench->report_count, 0);
    /* Awake, it is watched again. */
    tick(bench, 6);
    assert_int_equal(tick(bench, 6), 1);
    assert_int_equal(bench->report_count, 1);
}

static void not_yet_started_is_asleep(void **state)
{
    struct bench *bench = *state;
    struct spill_heartbeat late;
    unsigned i;

    spill_heartbeat_init(&late);
    assert_int_equal(spill_watchdog_watch(&bench->watchdog, &late, 13), 0);
    for (i = 0; i < 20; i++)
        assert_int_equal(tick(bench, 7), 0);
    spill_heartbeat_beat(&late);
    for (i = 0; i < LIMIT / TICK; i++)
        assert_int_equal(tick(bench, 7), 0);
    assert_int_equal(tick(bench, 7), 1);
    assert_report(&bench->reports[0], 13, NULL, LIMIT, false);
    /* It ends: the hang is over, and never comes again. */
    spill_heartbeat_sleep(&late);
    for (i = 0; i < 20; i++)
        assert_int_equal(tick(bench, 7), 0);
    assert_int_equal(bench->report_count, 2);
    assert_report(&bench->reports[1], 13, NULL, LIMIT + TICK, true);
}

/* Added between checks while it runs: nothing is known of the time before the next check. */
static void newly_watched_starts_with_the_next_check(void **state)
{
    struct bench *bench = *state;
    struct spill_heartbeat added;
    unsigned i;

    spill_heartbeat_init(&added);
    spill_heartbeat_beat(&added);
    assert_int_equal(spill_watchdog_watch(&bench->watchdog, &added, 13), 0);
    for (i = 0; i < LIMIT / TICK; i++)
        assert_int_equal(tick(bench, 7), 0);
    assert_int_equal(tick(bench, 7), 1);
    assert_report(&bench->reports[0], 13, NULL, LIMIT, false);
}

static void late_control_thread_accuses_nobody(void **state)
{
    struct bench *bench = *state;
    unsigned i;

    /* Three of four ticks without a beat, and then the machine is suspended. */
    for (i = 1; i < LIMIT / TICK; i++)
        tick(bench, 0);
    bench->now += LIMIT / 2 + 1;
    assert_int_equal(spill_watchdog_check(&bench->watchdog, bench->now), 0);
    for (i = 1; i < LIMIT / TICK; i++)
        assert_int_equal(tick(bench, 0), 0);
    assert_int_equal(bench->report_count, 0);
    /* The whole limit anew, and it is a hang. */
    assert_int_equal(tick(bench, 0), LOOPS);
    assert_int_equal(bench->report_count, LOOPS);
    assert_report(&bench->reports[0], 10, NULL, LIMIT, false);
}

static void half_the_limit_is_not_late(void **state)
{
    struct bench *bench = *state;

    bench->now += LIMIT / 2;
    assert_int_equal(spill_watchdog_check(&bench->watchdog, bench->now), 0);
    bench->now += LIMIT / 2;
    assert_int_equal(spill_watchdog_check(&bench->watchdog, bench->now), LOOPS);
}

static void hang_does_not_grow_by_a_suspension(void **state)
{
    struct bench *bench = *state;
    unsigned i;

    for (i = 0; i < LIMIT / TICK; i++)
        tick(bench, 6);
    bench->now += 3600 * LIMIT;
    assert_int_equal(spill_watchdog_check(&bench->watchdog, bench->now), 1);
    assert_int_equal(bench->report_count, 1);
    assert_int_equal(tick(bench, 7), 0);
    assert_int_equal(bench->report_count, 2);
    assert_report(&bench->reports[1], 10, NULL, LIMIT + TICK, true);
}

static void clock_that_goes_back_accuses_nobody(void **state)
{
    struct bench *bench = *state;
    unsigned i;

    tick(bench, 0);
    bench->now -= 10 * LIMIT;
    assert_int_equal(spill_watchdog_check(&bench->watchdog, bench->now), 0);
    for (i = 1; i < LIMIT / TICK; i++)
        assert_int_equal(tick(bench, 0), 0);
    assert_int_equal(tick(bench, 0), LOOPS);
}

static void interval_is_never_late(void **state)
{
    struct bench *bench = *state;

    assert_true(spill_watchdog_interval(&bench->watchdog) > 0);
    assert_true(2 * spill_watchdog_interval(&bench->watchdog) <= LIMIT / 2);
}

static void watching_too_many_is_refused(void **state)
{
    struct bench *bench = *state;
    unsigned i;

    for (i = LOOPS; i < RTE_MAX_LCORE; i++)
        assert_int_equal(spill_watchdog_watch(&bench->watchdog, &bench->heartbeats[0], i), 0);
    assert_int_equal(spill_watchdog_watch(&bench->watchdog, &bench->heartbeats[0], i), -ENOSPC);
}

#define WATCHDOG_TEST(test) cmocka_unit_test_setup_teardown(test, make_bench, free_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCHDOG_TEST(loops_that_beat_are_left_alone),
        WATCHDOG_TEST(hang_is_reported_once_with_its_stage),
        WATCHDOG_TEST(end_of_a_hang_is_reported_with_its_length),
        WATCHDOG_TEST(second_hang_is_reported_again),
        WATCHDOG_TEST(each_loop_hangs_for_itself),
        WATCHDOG_TEST(slow_loop_does_not_hang),
        WATCHDOG_TEST(sleeper_is_left_alone_and_its_waking_is_no_hang),
        WATCHDOG_TEST(not_yet_started_is_asleep),
        WATCHDOG_TEST(newly_watched_starts_with_the_next_check),
        WATCHDOG_TEST(late_control_thread_accuses_nobody),
        WATCHDOG_TEST(half_the_limit_is_not_late),
        WATCHDOG_TEST(hang_does_not_grow_by_a_suspension),
        WATCHDOG_TEST(clock_that_goes_back_accuses_nobody),
        WATCHDOG_TEST(interval_is_never_late),
        WATCHDOG_TEST(watching_too_many_is_refused),
    };

    return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}
