/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop: its stages, its end, what it counts, what it does when idle, how it hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lcores.h"
#include "runtime/loop.h"

#define STAGES        3
#define SCRIPT_MAX    64
#define HANGS_IN_TURN 3

/* What the stages did, in order: 'a'.. polled, 'A'.. asked for the end. */
struct diary {
    char entries[16384];
    uint32_t count;
    struct spill_token force, stop;
    struct spill_loop *loop;
};

/* A stage that says by a script what each turn handles, and ends after so many questions. */
struct actor {
    struct diary *diary;
    char name;
    uint32_t turns;              /* so far */
    uint32_t script[SCRIPT_MAX]; /* packets of each turn, then 0 */
    uint32_t stop_after;         /* turns; then it cancels stop; 0: never */
    uint32_t force_after;
    uint32_t asked;
    uint32_t ends_when_asked; /* so many times */
    uint64_t spin;            /* cycles of each turn with packets */
    uint64_t spend;           /* cycles of inline work that each turn with packets claims */
    uint64_t last_now;
    bool went_back; /* `now` */
};

static void note(struct diary *diary, char entry)
{
    if (diary->count < sizeof(diary->entries) - 1)
        diary->entries[diary->count++] = entry;
}

static uint32_t act(void *context, uint64_t now)
{
    struct actor *actor = context;
    uint32_t packets = actor->turns < SCRIPT_MAX ? actor->script[actor->turns] : 0;

    note(actor->diary, actor->name);
    actor->turns++;
    actor->went_back |= now < actor->last_now || now > rte_rdtsc();
    actor->last_now = now;
    if (actor->turns == actor->stop_after)
        spill_token_cancel(&actor->diary->stop, "test");
    if (actor->turns == actor->force_after)
        spill_token_cancel(&actor->diary->force, "test");
    if (packets > 0) {
        test_spin(actor->spin);
        if (actor->spend > 0)
            spill_budget_spend(actor->diary->loop->budget, actor->spend);
    }
    return packets;
}

static bool end(void *context)
{
    struct actor *actor = context;

    note(actor->diary, (char)(actor->name - 'a' + 'A'));
    return ++actor->asked >= actor->ends_when_asked;
}

struct stage_set {
    struct diary diary;
    struct actor actors[STAGES];
    struct spill_loop loop;
};

static struct stage_set *make(uint32_t stages)
{
    static const char *const names[STAGES] = {"first", "second", "third"};
    static struct stage_set set;
    uint32_t i;

    memset(&set, 0, sizeof(set));
    spill_token_init(&set.diary.force, NULL);
    spill_token_init(&set.diary.stop, &set.diary.force);
    set.diary.loop = &set.loop;
    spill_loop_init(&set.loop, &set.diary.stop, &set.diary.force);
    for (i = 0; i < stages; i++) {
        struct spill_stage stage = {
            .name = names[i], .poll = act, .end = end, .context = &set.actors[i]};

        set.actors[i].diary = &set.diary;
        set.actors[i].name = (char)('a' + i);
        spill_loop_add(&set.loop, &stage);
    }
    return &set;
}

static void unmake(struct stage_set *set)
{
    spill_token_destroy(&set->diary.stop);
    spill_token_destroy(&set->diary.force);
}

static void stages_run_in_order_and_all_must_end(void **state)
{
    struct stage_set *set = make(3);

    (void)state;
    set->actors[1].stop_after = 2;
    set->actors[0].ends_when_asked = 3;
    assert_int_equal(spill_loop_run(&set->loop), 0);
    /* The end is asked for after the turn in which stop was heard, of all, until all say so. */
    assert_string_equal(set->diary.entries, "abcabcABCabcABCabcABC");
    assert_int_equal(set->loop.counters.polls, 4);
    unmake(set);
}

/* A stage that says it is at its end, and gets packets later from the one before it. */
static void a_stage_that_gets_packets_after_its_end_ends_again(void **state)
{
    struct stage_set *set = make(2);

    (void)state;
    set->actors[0].stop_after = 1;
    set->actors[0].ends_when_asked = 2; /* it holds something, and sends it on in turn 2 */
    set->actors[1].ends_when_asked = 1;
    assert_int_equal(spill_loop_run(&set->loop), 0);
    assert_int_equal(set->actors[1].asked, 2); /* the first answer was not the last word */
    unmake(set);
}

static void force_ends_at_once(void **state)
{
    struct stage_set *set = make(2);

    (void)state;
    set->actors[0].stop_after = 3;
    set->actors[1].force_after = 5;
    set->actors[0].ends_when_asked = UINT32_MAX;
    assert_int_equal(spill_loop_run(&set->loop), 1);
    assert_int_equal(set->actors[0].turns, 5);
    assert_int_equal(set->actors[1].turns, 5);
    assert_int_equal(set->actors[0].asked, 2);
    unmake(set);
}

static void tokens_cancelled_before_the_start_are_heard(void **state)
{
    struct stage_set *set = make(2);

    (void)state;
    spill_token_cancel(&set->diary.stop, "early");
    assert_int_equal(spill_loop_run(&set->loop), 0);
    assert_string_equal(set->diary.entries, "abAB");
    unmake(set);

    set = make(2);
    spill_token_cancel(&set->diary.force, "early");
    assert_int_equal(spill_loop_run(&set->loop), 1);
    assert_string_equal(set->diary.entries, "ab");
    unmake(set);

    set = make(0);
    spill_token_cancel(&set->diary.stop, "early");
    assert_int_equal(spill_loop_run(&set->loop), 0);
    unmake(set);
}

static void counters_tell_what_was_done(void **state)
{
    struct stage_set *set = make(3);
    const struct spill_loop_counters *counters = &set->loop.counters;
    uint64_t began = rte_rdtsc(), passed;

    (void)state;
    set->actors[0].script[0] = 32;
    set->actors[0].script[2] = 7;
    set->actors[2].script[2] = 5;
    set->actors[2].script[6] = 1;
    set->actors[0].spin = 3000;
    set->actors[2].spin = 20000;
    set->actors[1].stop_after = 10;
    assert_int_equal(spill_loop_run(&set->loop), 0);
    passed = rte_rdtsc() - began;
    assert_int_equal(counters->polls, 10);
    assert_int_equal(counters->empty_polls, 7);
    assert_int_equal(counters->packets, 45);
    assert_int_equal(set->loop.stages[0].packets, 39);
    assert_int_equal(set->loop.stages[1].packets, 0);
    assert_int_equal(set->loop.stages[2].packets, 6);
    assert_true(set->loop.stages[0].cycles >= 6000);
    assert_int_equal(set->loop.stages[1].cycles, 0);
    assert_true(set->loop.stages[2].cycles >= 40000);
    assert_true(set->loop.stages[2].longest >= 20000);
    assert_true(set->loop.stages[2].longest <= set->loop.stages[2].cycles);
    /* Iterations that found something: all of those stages' cycles, no more than passed. */
    assert_true(counters->busy_cycles >= set->loop.stages[0].cycles + set->loop.stages[2].cycles);
    assert_true(counters->busy_cycles <= passed);
    assert_true(counters->longest >= 23000 && counters->longest <= counters->busy_cycles);
    assert_false(set->actors[0].went_back || set->actors[1].went_back || set->actors[2].went_back);
    assert_int_equal(counters->over_budget, 0);
    unmake(set);
}

static void spare_turns_earn_and_what_goes_over_the_budget_is_counted(void **state)
{
    struct spill_budget budget = {.size = 1000000000};
    struct stage_set *set = make(1);
    uint32_t i;

    (void)state;
    /* Busy turns alone earn nothing. */
    set->loop.budget = &budget;
    for (i = 0; i < 20; i++)
        set->actors[0].script[i] = SPILL_SPARE_PACKETS + 1;
    set->actors[0].stop_after = 20;
    spill_loop_run(&set->loop);
    assert_int_equal(budget.available, 0);
    unmake(set);

    /* Those with few packets do, but not what inline work took of them. */
    set = make(1);
    set->loop.budget = &budget;
    for (i = 0; i < 20; i++)
        set->actors[0].script[i] = SPILL_SPARE_PACKETS;
    set->actors[0].spin = 1000;
    set->actors[0].stop_after = 20;
    spill_loop_run(&set->loop);
    assert_true(budget.available >= 20 * 1000);
    assert_true(budget.available <= set->loop.counters.busy_cycles);
    unmake(set);
    set = make(1);
    budget = (struct spill_budget){.size = 1000000000};
    set->loop.budget = &budget;
    set->actors[0].script[0] = 1;
    set->actors[0].spend = 1000000000;
    set->actors[0].stop_after = 1;
    spill_loop_run(&set->loop);
    assert_int_equal(budget.available, 0);
    unmake(set);
    budget = (struct spill_budget){.size = 1000000000};

    /* Empty ones do, whatever the idle policy, up to the size. */
    for (i = 0; i < 6; i++) {
        set = make(1);
        budget = (struct spill_budget){.size = i < 5 ? 1000000000 : 50};
        set->loop.budget = &budget;
        set->loop.idle = (enum spill_idle)(i % 3);
        set->loop.yield = i >= 3;
        set->actors[0].stop_after = 200;
        spill_loop_run(&set->loop);
        assert_true(budget.available > 0);
        assert_true(budget.available <= budget.size);
        unmake(set);
    }

    /* Of three busy turns with inline work, two spend more than the size in one go. */
    set = make(1);
    budget = (struct spill_budget){.size = 1000, .available = 500};
    set->loop.budget = &budget;
    set->actors[0].script[0] = 1;
    set->actors[0].script[1] = 1;
    set->actors[0].script[2] = 1;
    set->actors[0].spend = 1001;
    set->actors[0].stop_after = 3;
    spill_loop_run(&set->loop);
    assert_int_equal(set->loop.counters.over_budget, 3);
    unmake(set);
    set = make(1);
    budget = (struct spill_budget){.size = 1000};
    set->loop.budget = &budget;
    set->actors[0].script[0] = 1;
    set->actors[0].script[1] = 1;
    set->actors[0].spend = 1000; /* each turn for itself: not over */
    set->actors[0].stop_after = 2;
    spill_loop_run(&set->loop);
    assert_int_equal(set->loop.counters.over_budget, 0);
    unmake(set);
}

static void all_idle_policies_come_to_the_end(void **state)
{
    uint32_t i;

    (void)state;
    for (i = 0; i < 6; i++) {
        struct stage_set *set = make(2);

        set->loop.idle = (enum spill_idle)(i % 3);
        set->loop.yield = i >= 3;
        set->actors[0].script[10] = 1;
        set->actors[1].stop_after = 100;
        assert_int_equal(spill_loop_run(&set->loop), 0);
        assert_int_equal(set->loop.counters.polls, 100);
        assert_int_equal(set->loop.counters.empty_polls, 99);
        assert_int_equal(set->actors[0].went_back, false);
        unmake(set);
    }
}

/* Sleeping, a loop that found nothing for long passes its time in few turns; one with work in
 * every turn doesn't sleep at all. */
static void sleep_is_longer_the_longer_nothing_comes(void **state)
{
    struct stage_set *set = make(1);
    uint64_t began = rte_rdtsc(), passed;

    (void)state;
    set->loop.idle = SPILL_IDLE_SLEEP;
    set->actors[0].stop_after = 400;
    spill_loop_run(&set->loop);
    passed = rte_rdtsc() - began;
    /* 400 turns of polling alone would be well below a millisecond. */
    assert_true(passed > rte_get_tsc_hz() / 100);
    assert_true(set->loop.idle_since != 0);
    unmake(set);
}

/* -------------------------------------------------------------------------- the heartbeat */

struct hanging {
    struct spill_loop loop;
    struct spill_token force, stop;
    uint32_t turns;
    _Atomic bool entered, go_on;
};

static uint32_t hang(void *context, uint64_t now)
{
    struct hanging *hanging = context;

    (void)now;
    if (++hanging->turns == HANGS_IN_TURN) {
        atomic_store(&hanging->entered, true);
        while (!atomic_load(&hanging->go_on))
            sched_yield();
    }
    return 0;
}

static bool end_now(void *context)
{
    (void)context;
    return true;
}

static void keep_report(const struct spill_watchdog_report *report, void *argument)
{
    *(struct spill_watchdog_report *)argument = *report;
}

static void a_watchdog_sees_the_stage_that_hangs(void **state)
{
    struct spill_watchdog_report report = {0};
    struct spill_stage stage = {.name = "the slow one", .poll = hang, .end = end_now};
    static struct spill_watchdog watchdog;
    static struct hanging hanging;
    uint64_t now = 1000000, i;

    (void)state;
    spill_token_init(&hanging.force, NULL);
    spill_token_init(&hanging.stop, &hanging.force);
    spill_loop_init(&hanging.loop, &hanging.stop, &hanging.force);
    stage.context = &hanging;
    spill_loop_add(&hanging.loop, &stage);
    spill_watchdog_init(&watchdog, 1000, keep_report, &report);
    assert_int_equal(spill_watchdog_watch(&watchdog, &hanging.loop.heartbeat, 1), 0);

    /* Not started: asleep. */
    for (i = 0; i < 10; i++)
        assert_int_equal(spill_watchdog_check(&watchdog, now += 250), 0);
    /* It beats, then it hangs. */
    rte_eal_remote_launch(spill_loop_run, &hanging.loop, 1);
    while (!atomic_load(&hanging.entered))
        sched_yield();
    for (i = 0; i < 10; i++)
        spill_watchdog_check(&watchdog, now += 250);
    assert_non_null(report.stage);
    assert_string_equal(report.stage, "the slow one");
    assert_int_equal(report.lcore_id, 1);
    assert_false(report.over);

    atomic_store(&hanging.go_on, true);
    spill_token_cancel(&hanging.stop, "test");
    assert_int_equal(rte_eal_wait_lcore(1), 0);
    spill_watchdog_check(&watchdog, now += 250);
    assert_true(report.over);
    memset(&report, 0, sizeof(report));
    /* Ended: asleep. */
    for (i = 0; i < 10; i++)
        spill_watchdog_check(&watchdog, now += 250);
    assert_int_equal(report.lcore_id, 0);
    spill_token_destroy(&hanging.stop);
    spill_token_destroy(&hanging.force);
}

/* ------------------------------------------------------------------------------ its start */

static void begin(void *context)
{
    note(context, 's');
}

/* Tells its loop to start again from within the second turn, twice; the fourth is its last. */
static uint32_t tell_again(void *context, uint64_t now)
{
    struct diary *diary = context;

    (void)now;
    note(diary, 't');
    if (diary->count == 3) {
        spill_loop_start_again(diary->loop);
        spill_loop_start_again(diary->loop);
    }
    if (diary->count == 6)
        spill_token_cancel(&diary->stop, "test");
    return 0;
}

static void it_starts_again_between_turns(void **state)
{
    struct diary diary = {.count = 0};
    struct spill_stage stage = {
        .name = "tell", .poll = tell_again, .end = end_now, .context = &diary};
    struct spill_loop loop;

    (void)state;
    spill_token_init(&diary.force, NULL);
    spill_token_init(&diary.stop, &diary.force);
    spill_loop_init(&loop, &diary.stop, &diary.force);
    loop.start = begin;
    loop.start_context = &diary;
    diary.loop = &loop;
    spill_loop_add(&loop, &stage);
    /* Before the first turn it starts anyway. */
    spill_loop_start_again(&loop);
    assert_int_equal(spill_loop_run(&loop), 0);
    assert_string_equal(diary.entries, "sttstt");
    spill_token_destroy(&diary.stop);
    spill_token_destroy(&diary.force);
}

/* ------------------------------------------------------------------------------ snapshots */

static uint32_t freed;

static void count_free(void *version)
{
    (void)version;
    freed++;
}

struct reading {
    struct spill_snapshot *snapshot;
    uint32_t turns;
    unsigned held_within; /* versions held up while the loop was in its stage */
};

/* Replaces what is read from within the loop, which holds it until its turn is over. */
static uint32_t replace(void *context, uint64_t now)
{
    struct reading *reading = context;

    (void)now;
    if (reading->turns++ % 2 == 0) {
        assert_int_equal(spill_snapshot_publish(reading->snapshot, reading, count_free), 0);
        reading->held_within += spill_snapshot_reclaim(reading->snapshot) > 0;
    } else {
        assert_int_equal(spill_snapshot_reclaim(reading->snapshot), 0);
    }
    return 0;
}

static void a_loop_reads_a_snapshot_within_a_turn_only(void **state)
{
    struct reading reading = {0};
    struct spill_stage stage = {
        .name = "replace", .poll = replace, .end = end_now, .context = &reading};
    struct spill_snapshot_reader reader;
    struct stage_set *set = make(1);

    (void)state;
    reading.snapshot = spill_snapshot_create(SOCKET_ID_ANY, 1);
    assert_non_null(reading.snapshot);
    assert_int_equal(spill_snapshot_publish(reading.snapshot, &reading, count_free), 0);
    assert_int_equal(spill_snapshot_reader_register(reading.snapshot, &reader), 0);
    spill_loop_add(&set->loop, &stage);
    set->loop.reader = &reader;
    set->loop.idle = SPILL_IDLE_SLEEP;
    set->actors[0].stop_after = 100;
    assert_int_equal(spill_loop_run(&set->loop), 0);
    assert_int_equal(reading.held_within, 50);
    assert_int_equal(freed, 50);
    /* Ended: it holds up nothing. */
    assert_int_equal(spill_snapshot_publish(reading.snapshot, &reading, count_free), 0);
    assert_int_equal(spill_snapshot_reclaim(reading.snapshot), 0);
    spill_snapshot_reader_unregister(&reader);
    spill_snapshot_destroy(reading.snapshot);
    unmake(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_run_in_order_and_all_must_end),
        cmocka_unit_test(a_stage_that_gets_packets_after_its_end_ends_again),
        cmocka_unit_test(force_ends_at_once),
        cmocka_unit_test(it_starts_again_between_turns),
        cmocka_unit_test(tokens_cancelled_before_the_start_are_heard),
        cmocka_unit_test(counters_tell_what_was_done),
        cmocka_unit_test(spare_turns_earn_and_what_goes_over_the_budget_is_counted),
        cmocka_unit_test(all_idle_policies_come_to_the_end),
        cmocka_unit_test(sleep_is_longer_the_longer_nothing_comes),
        cmocka_unit_test(a_watchdog_sees_the_stage_that_hangs),
        cmocka_unit_test(a_loop_reads_a_snapshot_within_a_turn_only),
    };
    int failed;

    test_eal_start(2, 64, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
