/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 2544's search, on devices whose capacity is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lcores.h"
#include "search.h"

#define HIGHEST 10e6

/* A device, the generator before it, and what was asked of them; trials take a second. */
struct rig {
    double capacity;  /* packets a second that it forwards */
    double takes;     /* that its receive side takes; what is above is refused to the port */
    double generator; /* that can be made */
    int hiccups;      /* trials in which the generator makes only half of it */
    int stop_at;      /* trial at which the user ends it; 0: none */
    int trials;
    double highest_asked;
};

static struct spill_load_outcome forward(double rate, void *argument)
{
    struct rig *rig = argument;
    double made = rate < rig->generator ? rate : rig->generator, sent;

    rig->trials++;
    rig->highest_asked = rate > rig->highest_asked ? rate : rig->highest_asked;
    made = rig->hiccups-- > 0 ? made / 2 : made;
    sent = (double)(uint64_t)(made < rig->takes ? made : rig->takes); /* whole packets */
    return (struct spill_load_outcome){
        .asked = (uint64_t)rate,
        .sent = (uint64_t)sent,
        .tx_full = (uint64_t)(made - sent),
        .received = (uint64_t)(sent < rig->capacity ? sent : rig->capacity),
        .rate = sent,
        .stopped = rig->trials == rig->stop_at,
    };
}

static struct rig plain(double capacity)
{
    return (struct rig){.capacity = capacity, .takes = 1e9, .generator = 1e9};
}

static void test_capacity(void **unused)
{
    uint64_t state = test_seed() | 1;

    (void)unused;
    for (int round = 0; round < 500; round++) {
        struct rig rig =
            plain(HIGHEST * 0.01 + test_random_below(&state, (uint32_t)(HIGHEST * 0.98)));
        struct spill_load_found found = spill_load_search(HIGHEST, 0, forward, &rig);

        assert_true(found.complete && !found.generator_limited);
        assert_true(found.rate <= rig.capacity && found.rate >= rig.capacity * 0.985);
        assert_true(found.failed >= rig.capacity);
        assert_true(rig.trials <= 16);
        assert_true(rig.highest_asked == HIGHEST);
    }
}

static void test_allowed_loss(void **unused)
{
    struct rig rig = plain(5e6);
    struct spill_load_found found = spill_load_search(HIGHEST, 0.2, forward, &rig);

    (void)unused;
    assert_true(found.rate > 5e6 / 0.8 * 0.985 && found.rate <= 5e6 / 0.8);
}

/* The first trial passes: there is nothing to search. */
static void test_highest_passes(void **unused)
{
    struct rig rig = plain(20e6);
    struct spill_load_found found = spill_load_search(HIGHEST, 0, forward, &rig);

    (void)unused;
    assert_true(found.rate == HIGHEST && found.failed == 0);
    assert_int_equal(rig.trials, 1);
}

/* What the port refuses is the device's loss. */
static void test_refused(void **unused)
{
    struct rig rig = {.capacity = 1e9, .takes = 3e6, .generator = 1e9};
    struct spill_load_found found = spill_load_search(HIGHEST, 0, forward, &rig);

    (void)unused;
    assert_true(found.rate > 3e6 * 0.985 && found.rate <= 3e6);
    assert_true(found.failed >= 3e6 && found.failed < 3e6 * 1.02);
    assert_false(found.generator_limited);
}

/* What the generator can't make is not the device's loss, nor its throughput. */
static void test_generator(void **unused)
{
    struct rig rig = {.capacity = 8e6, .takes = 1e9, .generator = 4e6};
    struct spill_load_found found = spill_load_search(HIGHEST, 0, forward, &rig);

    (void)unused;
    assert_true(found.rate > 4e6 * 0.97 && found.rate <= 4e6);
    assert_true(found.generator_limited);
}

/* A generator that was held up for once is given another trial. */
static void test_hiccup(void **unused)
{
    struct rig rig = plain(20e6);
    struct spill_load_found found;

    (void)unused;
    rig.hiccups = SPILL_LOAD_TRIES - 1;
    found = spill_load_search(HIGHEST, 0, forward, &rig);
    assert_true(found.rate == HIGHEST);
    assert_int_equal(rig.trials, SPILL_LOAD_TRIES);
}

static void test_dead(void **unused)
{
    struct rig rig = plain(0);
    struct spill_load_found found = spill_load_search(HIGHEST, 0, forward, &rig);

    (void)unused;
    assert_true(found.rate == 0 && found.complete);
    assert_true(rig.trials <= 11);
    /* Not even a loss of everything makes nothing a throughput. */
    rig = plain(0);
    assert_true(spill_load_search(HIGHEST, 1, forward, &rig).rate == 0);
}

static void test_stopped(void **unused)
{
    struct rig rig = plain(5e6);
    struct spill_load_found found;

    (void)unused;
    rig.stop_at = 3;
    found = spill_load_search(HIGHEST, 0, forward, &rig);
    assert_false(found.complete);
    assert_int_equal(rig.trials, 3);
    assert_true(found.rate == 5e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capacity),       cmocka_unit_test(test_allowed_loss),
        cmocka_unit_test(test_highest_passes), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_generator),      cmocka_unit_test(test_hiccup),
        cmocka_unit_test(test_dead),           cmocka_unit_test(test_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
