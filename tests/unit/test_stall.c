/* SPDX-License-Identifier: BSD-3-Clause */
/* Slow turns: which are kept, with what stands around them, and what finds no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lcores.h"

#include "runtime/stall.h"

static struct spill_stalls stalls;
static uint64_t turns;
static uint32_t slow;
static uint64_t clock_now = 1000;

/* One turn of so many cycles, in which stage 1 took half. */
static void turn(uint64_t cycles, bool over_budget)
{
    struct spill_turn *now = spill_stalls_turn(&stalls, turns);

    now->began = clock_now;
    now->handled = 1 << 1;
    now->cycles[1] = cycles / 2;
    now->packets = (uint32_t)turns;
    clock_now += cycles;
    now->ended = clock_now;
    if (spill_stalls_is_due(&stalls, now, over_budget))
        slow += spill_stalls_keep(&stalls, turns, over_budget);
    turns++;
}

static int open_stalls(void **state)
{
    static uint32_t number;
    struct spill_error error;
    char name[16];

    (void)state;
    snprintf(name, sizeof(name), "%u", number++);
    spill_stalls_init(&stalls);
    turns = slow = 0;
    return spill_stalls_open(&stalls, name, SOCKET_ID_ANY, &error);
}

static int close_stalls(void **state)
{
    (void)state;
    spill_stalls_close(&stalls);
    return 0;
}

static void a_slow_turn_is_kept_with_its_neighbours(void **state)
{
    const uint64_t cycles = stalls.longest + 1;
    struct spill_stall kept;

    (void)state;
    turn(10, false);
    turn(stalls.longest, false); /* as long as one may be */
    turn(cycles, false);
    assert_false(spill_stalls_take(&stalls, &kept)); /* the one after is still to come */
    turn(30, false);
    turn(40, false);
    assert_true(spill_stalls_take(&stalls, &kept));
    assert_false(kept.over_budget);
    assert_int_equal(kept.turns[SPILL_STALL_BEFORE].packets, 1);
    assert_int_equal(kept.turns[SPILL_STALL_ITSELF].packets, 2);
    assert_int_equal(kept.turns[SPILL_STALL_ITSELF].cycles[1], cycles / 2);
    assert_int_equal(kept.turns[SPILL_STALL_ITSELF].handled, 2);
    assert_int_equal(kept.turns[SPILL_STALL_AFTER].packets, 3);
    assert_int_equal(kept.turns[SPILL_STALL_AFTER].ended - kept.turns[SPILL_STALL_AFTER].began, 30);
    assert_false(spill_stalls_take(&stalls, &kept));
    assert_int_equal(slow, 1);
}

static void slow_turns_in_a_row_are_all_kept(void **state)
{
    struct spill_stall kept;

    (void)state;
    turn(stalls.longest * 2, false);
    turn(5, true);
    turn(5, false);
    assert_true(spill_stalls_take(&stalls, &kept));
    assert_int_equal(kept.turns[SPILL_STALL_BEFORE].began, 0); /* there was none */
    assert_int_equal(kept.turns[SPILL_STALL_AFTER].packets, 1);
    assert_true(spill_stalls_take(&stalls, &kept));
    assert_true(kept.over_budget);
    assert_int_equal(kept.turns[SPILL_STALL_BEFORE].packets, 0);
    assert_int_equal(kept.turns[SPILL_STALL_AFTER].packets, 2);
    assert_false(spill_stalls_take(&stalls, &kept));
    assert_int_equal(slow, 2);
}

static void what_finds_no_room_is_counted(void **state)
{
    struct spill_stall kept;
    uint32_t found = 0;

    (void)state;
    for (uint32_t i = 0; i < 2 * SPILL_STALL_RECORDS; i++)
        turn(stalls.longest * 2, false);
    turn(1, false);
    while (spill_stalls_take(&stalls, &kept))
        found++;
    assert_int_equal(found, SPILL_STALL_RECORDS);
    assert_int_equal(stalls.lost, SPILL_STALL_RECORDS);
    assert_int_equal(slow, 2 * SPILL_STALL_RECORDS);
    turn(stalls.longest * 2, false);
    turn(1, false);
    assert_true(spill_stalls_take(&stalls, &kept));
}

/* Where nothing is kept, as in loops of tests, nothing goes wrong. */
static void without_a_ring_none_is_kept(void **state)
{
    (void)state;
    spill_stalls_init(&stalls);
    slow = 0;
    turn(UINT64_C(1) << 40, false);
    turn(1, true);
    assert_int_equal(slow, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_slow_turn_is_kept_with_its_neighbours, open_stalls,
                                        close_stalls),
        cmocka_unit_test_setup_teardown(slow_turns_in_a_row_are_all_kept, open_stalls,
                                        close_stalls),
        cmocka_unit_test_setup_teardown(what_finds_no_room_is_counted, open_stalls, close_stalls),
        cmocka_unit_test(without_a_ring_none_is_kept),
    };
    int failed;

    test_eal_start(1, 64, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
