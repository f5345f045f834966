/* SPDX-License-Identifier: BSD-3-Clause */
/* Order and duplicates of a flow, against an oracle that remembers every number that came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lcores.h"
#include "sequence.h"

#define ROUNDS  200
#define NUMBERS 5000
#define SPREAD  100 /* how far a number may be behind or ahead: past the window too */

static uint64_t state;

/* What RFC 4737 says of a number, given all that came before. */
static enum spill_load_arrival expected_arrival(const bool *came, uint32_t next, uint32_t number)
{
    if (number >= next)
        return SPILL_LOAD_IN_ORDER;
    /* The window ends 64 behind the highest: nothing older is called a duplicate. */
    return came[number] && next - number <= SPILL_LOAD_WINDOW ? SPILL_LOAD_DUPLICATE
                                                              : SPILL_LOAD_REORDERED;
}

static void test_any_order(void **unused)
{
    static bool came[NUMBERS + 2 * SPREAD];

    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        /* Each round somewhere else, and every other so that the numbers go round at 2^32. */
        const uint32_t base = round % 2 == 0 ? test_random(&state) : UINT32_MAX - NUMBERS / 2;
        const uint32_t spread = 1 + test_random_below(&state, SPREAD);
        struct spill_load_flow flow = {.expected = base};
        uint32_t next = 0;

        memset(came, 0, sizeof(came));
        while (next < NUMBERS) {
            const uint32_t ahead = next + test_random_below(&state, spread);
            const uint32_t back = test_random_below(&state, spread);
            const uint32_t number = ahead > back ? ahead - back : 0;

            assert_int_equal(spill_load_arrive(&flow, base + number),
                             expected_arrival(came, next, number));
            came[number] = true;
            next = number >= next ? number + 1 : next;
            assert_int_equal(flow.expected, base + next);
        }
    }
}

static void test_in_order(void **unused)
{
    struct spill_load_flow flow = {0};

    (void)unused;
    for (uint32_t i = 0; i < NUMBERS; i++)
        assert_int_equal(spill_load_arrive(&flow, i), SPILL_LOAD_IN_ORDER);
}

/* Loss alone is no reordering; a packet that comes late is, once, and its copy is a duplicate. */
static void test_late(void **unused)
{
    struct spill_load_flow flow = {0};

    (void)unused;
    assert_int_equal(spill_load_arrive(&flow, 0), SPILL_LOAD_IN_ORDER);
    assert_int_equal(spill_load_arrive(&flow, 3), SPILL_LOAD_IN_ORDER);
    assert_int_equal(spill_load_arrive(&flow, 1), SPILL_LOAD_REORDERED);
    assert_int_equal(spill_load_arrive(&flow, 1), SPILL_LOAD_DUPLICATE);
    assert_int_equal(spill_load_arrive(&flow, 3), SPILL_LOAD_DUPLICATE);
    assert_int_equal(spill_load_arrive(&flow, 2), SPILL_LOAD_REORDERED);
    assert_int_equal(spill_load_arrive(&flow, 4), SPILL_LOAD_IN_ORDER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_any_order),
    };

    state = test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
