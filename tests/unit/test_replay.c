/* SPDX-License-Identifier: BSD-3-Clause */
/* The anti-replay window against an oracle that remembers every number it has seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipsec/replay.h"
#include "lcores.h"

static const uint32_t windows[] = {0, 1, 32, 63, 64, 65, 1000, 1024, SPILL_REPLAY_WINDOW_MAX};

#define REMEMBERED (UINT64_C(1) << 26) /* numbers from the oracle's base on */

/* All that was noted, and the highest of it: the definition of a window, without its cleverness. */
struct oracle {
    uint64_t base;
    uint64_t top;
    uint32_t window;
    uint8_t *seen; /* a bit for each number from the base on */
};

static struct oracle oracle;
static struct spill_replay replay;
static uint64_t seed;

static void begin(uint32_t window, uint64_t base)
{
    memset(&replay, 0, sizeof(replay));
    replay.window = window;
    memset(oracle.seen, 0, REMEMBERED / 8);
    oracle.base = base;
    oracle.top = 0;
    oracle.window = window;
}

static bool remembered(uint64_t number)
{
    uint64_t bit = number - oracle.base;

    return (oracle.seen[bit / 8] >> bit % 8 & 1) != 0;
}

static enum spill_replay_verdict expected(uint64_t number)
{
    if (oracle.window == 0)
        return SPILL_REPLAY_FRESH;
    if (number == 0 || (oracle.top >= oracle.window && number <= oracle.top - oracle.window))
        return SPILL_REPLAY_OLD;
    return remembered(number) ? SPILL_REPLAY_SEEN : SPILL_REPLAY_FRESH;
}

static void remember(uint64_t number)
{
    uint64_t bit = number - oracle.base;

    oracle.seen[bit / 8] |= (uint8_t)(1u << bit % 8);
    if (number > oracle.top)
        oracle.top = number;
}

/* A packet comes: both must say the same, before its crypto and after. */
static enum spill_replay_verdict come(uint64_t number)
{
    enum spill_replay_verdict wanted = expected(number), found;

    found = spill_replay_check(&replay, number);
    if (found == wanted)
        found = spill_replay_note(&replay, number);
    if (found != wanted)
        fail_msg("window %u, top %llu: %llu is %d, not %d", oracle.window,
                 (unsigned long long)oracle.top, (unsigned long long)number, found, wanted);
    if (wanted == SPILL_REPLAY_FRESH)
        remember(number);
    assert_true(replay.top == oracle.top);
    return wanted;
}

static void edges_of_every_window(void **state)
{
    uint32_t i, window;

    (void)state;
    for (i = 0; i < RTE_DIM(windows); i++) {
        uint64_t top = 100000;

        window = windows[i];
        begin(window, 0);
        come(0); /* no sender uses it; nothing has come yet */
        come(1);
        assert_int_equal(come(1), window > 0 ? SPILL_REPLAY_SEEN : SPILL_REPLAY_FRESH);
        come(0);
        come(top);
        if (window == 0)
            continue;
        assert_int_equal(come(top), SPILL_REPLAY_SEEN);
        assert_int_equal(come(top - window), SPILL_REPLAY_OLD);
        if (window > 1)
            assert_int_equal(come(top - window + 1), SPILL_REPLAY_FRESH);
        assert_int_equal(come(top - window + 1), SPILL_REPLAY_SEEN);
        /* One on: what was the last within is without. */
        assert_int_equal(come(top + 1), SPILL_REPLAY_FRESH);
        assert_int_equal(come(top - window + 1), SPILL_REPLAY_OLD);
        /* As far as numbers go. */
        assert_int_equal(spill_replay_note(&replay, UINT64_MAX), SPILL_REPLAY_FRESH);
        assert_int_equal(spill_replay_check(&replay, top + 1), SPILL_REPLAY_OLD);
        assert_int_equal(spill_replay_check(&replay, UINT64_MAX - window), SPILL_REPLAY_OLD);
        assert_int_equal(spill_replay_check(&replay, UINT64_MAX), SPILL_REPLAY_SEEN);
    }
}

/* Every step from one number to the next highest, from a full window: nothing stale is left. */
static void steps_of_every_length(void **state)
{
    static const uint32_t beside[] = {62,    63,    64,    65,    1000,    1023,
                                      1024,  1025,  16383, 16384, 16385,   32704,
                                      32767, 32768, 32769, 65536, 1u << 20};
    uint32_t i, j, start;

    (void)state;
    for (i = 1; i < RTE_DIM(windows); i++) {
        for (j = 0; j < RTE_DIM(beside); j++) {
            for (start = 40000; start < 40000 + 3 * 63; start += 63) {
                uint64_t number;

                begin(windows[i], 0);
                for (number = start - windows[i] + 1; number <= start; number++)
                    come(number);
                come(start + beside[j]);
                for (number = start + beside[j] + 1; number-- > start + beside[j] - windows[i];)
                    come(number);
            }
        }
    }
}

/* A number near the top, as networks make them: next, reordered, doubled, or far ahead. */
static uint64_t next_number(uint64_t limit)
{
    uint64_t top = oracle.top > oracle.base ? oracle.top : oracle.base + 1;
    uint32_t span = 2 * oracle.window + 200;
    uint64_t number;

    switch (test_random_below(&seed, 16)) {
    case 0:
        number = top + test_random_below(&seed, 64);
        break;
    case 1:
        number = top + test_random_below(&seed, span);
        break;
    case 2:
        number = top + test_random_below(&seed, 50000) * test_random_below(&seed, 2);
        break;
    case 3:
    case 4:
    case 5:
        number = top - test_random_below(&seed, span);
        break;
    case 6:
        number = top - oracle.window + test_random_below(&seed, 3) - 1;
        break;
    default:
        number = top + 1;
    }
    if (number < oracle.base || number > top + span + 50000)
        number = oracle.base;
    return number < limit ? number : limit - 1;
}

static void any_traffic(void **state)
{
    static const uint64_t bases[] = {0, 1000, (UINT64_C(1) << 32) - 100000, UINT64_C(1) << 40};
    uint32_t i, j, k;

    (void)state;
    for (i = 0; i < RTE_DIM(windows); i++) {
        for (j = 0; j < RTE_DIM(bases); j++) {
            uint32_t verdicts[3] = {0};

            begin(windows[i], bases[j]);
            for (k = 0; k < TEST_ROUNDS(60000); k++)
                verdicts[come(next_number(bases[j] + REMEMBERED))]++;
            if (windows[i] == 0)
                continue;
            assert_true(verdicts[SPILL_REPLAY_FRESH] > 0 && verdicts[SPILL_REPLAY_SEEN] > 0 &&
                        verdicts[SPILL_REPLAY_OLD] > 0);
        }
    }
}

/* ------------------------------------------------------------------- extended sequence numbers */

/* The lowest number with this low half that is not below the window. */
static uint64_t extended(uint64_t top, uint32_t window, uint32_t low)
{
    uint64_t bottom = top >= window ? top - window + 1 : 0;
    uint64_t number = (bottom >> 32 << 32) | low;

    return number >= bottom ? number : number + (UINT64_C(1) << 32);
}

static void high_halves_are_found(void **state)
{
    static const uint64_t around[] = {0,
                                      1,
                                      63,
                                      64,
                                      16384,
                                      UINT64_C(1) << 31,
                                      UINT64_C(1) << 32,
                                      (UINT64_C(1) << 32) + (UINT64_C(1) << 31),
                                      UINT64_C(3) << 32,
                                      UINT64_C(0xfffffffe) << 32};
    uint32_t i, j, k;

    (void)state;
    for (i = 0; i < RTE_DIM(around); i++) {
        for (j = 0; j < RTE_DIM(windows); j++) {
            for (k = 0; k < 20000; k++) {
                uint32_t window = RTE_MAX(windows[j], (uint32_t)SPILL_REPLAY_WINDOW_ESN);
                uint64_t top = around[i] + test_random_below(&seed, 3 * window) -
                               RTE_MIN(around[i], (uint64_t)test_random_below(&seed, 3 * window));
                uint32_t low =
                    k % 2 == 0 ? test_random(&seed)
                               : (uint32_t)top + test_random_below(&seed, 4 * window) - 2 * window;
                uint64_t found = spill_replay_extend(top, window, low);

                if (found != extended(top, window, low))
                    fail_msg("window %u, top %llx: %x is extended to %llx", window,
                             (unsigned long long)top, low, (unsigned long long)found);
            }
        }
    }
}

/* Whole numbers are sent and low halves come: across 2^32 each is what it was. */
static void traffic_across_the_end_of_the_low_half(void **state)
{
    uint32_t i, k;

    (void)state;
    for (i = 0; i < RTE_DIM(windows); i++) {
        uint32_t window = RTE_MAX(windows[i], (uint32_t)SPILL_REPLAY_WINDOW_ESN);
        uint64_t base = (UINT64_C(1) << 32) - 3 * window - 5000;

        begin(window, base);
        /* An SA that has come so far. */
        replay.top = base;
        come(base + 1);
        for (k = 0; k < TEST_ROUNDS(60000); k++) {
            uint64_t number = next_number(base + REMEMBERED);

            if (number + window > oracle.top)
                assert_true(spill_replay_extend(replay.top, window, (uint32_t)number) == number);
            come(number);
        }
        assert_true(oracle.top > UINT64_C(1) << 32);
    }
}

/* A ring of 2^n words that holds what is reached has a word to spare. */
static void reach_leaves_a_word(void **state)
{
    uint32_t window;

    (void)state;
    for (window = SPILL_REPLAY_WINDOW_ESN; window <= SPILL_REPLAY_WINDOW_MAX; window++) {
        uint32_t reach = spill_replay_reach(window), words = 1;

        while (words * 64 < reach)
            words *= 2;
        assert_in_range(reach, window, window + 128);
        assert_true(words * 64 - reach >= 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_of_every_window),
        cmocka_unit_test(steps_of_every_length),
        cmocka_unit_test(any_traffic),
        cmocka_unit_test(reach_leaves_a_word),
        cmocka_unit_test(high_halves_are_found),
        cmocka_unit_test(traffic_across_the_end_of_the_low_half),
    };

    seed = test_seed() | 1;
    oracle.seen = calloc(1, REMEMBERED / 8);
    if (oracle.seen == NULL)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
