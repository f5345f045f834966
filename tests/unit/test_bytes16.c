/* SPDX-License-Identifier: BSD-3-Clause */
/* Sixteen bytes at once are what they are one by one. Built twice: with vectors, and plainly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/bytes16.h"

#define ROUNDS 100000

/* At any address, and with a byte on either side that is nobody's. */
struct place {
    uint8_t before, bytes[16], behind;
};

static struct place draw(void)
{
    struct place place;
    uint8_t *byte = &place.before;

    /* Few values, so that bytes are often the same. */
    for (size_t i = 0; i < sizeof(place); i++)
        byte[i] = (uint8_t)(rand() % 4 == 0 ? rand() : rand() % 2 * 0x80);
    return place;
}

static struct spill_bytes16 load(const struct place *place)
{
    return spill_bytes16_load(place->bytes);
}

static void assert_bytes(struct spill_bytes16 bytes, const uint8_t expected[16])
{
    struct place place = {.before = 0xa5, .behind = 0x5a};

    spill_bytes16_store(place.bytes, bytes);
    assert_memory_equal(place.bytes, expected, sizeof(place.bytes));
    assert_int_equal(place.before, 0xa5);
    assert_int_equal(place.behind, 0x5a);
}

static void they_are_what_they_are_one_by_one(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const struct place one = draw(), other = draw(), mask = draw();
        uint8_t both[16], larger[16], picked[16], numbers[16], all[16];
        uint32_t matches = 0;
        bool agree = true;

        for (unsigned i = 0; i < 16; i++) {
            const uint8_t number = (uint8_t)(rand() % 17);

            both[i] = one.bytes[i] | other.bytes[i];
            larger[i] = one.bytes[i] > other.bytes[i] ? one.bytes[i] : other.bytes[i];
            matches |= (uint32_t)(one.bytes[i] == other.bytes[i]) << i;
            agree &= (one.bytes[i] & mask.bytes[i]) == (other.bytes[i] & mask.bytes[i]);
            numbers[i] = number == 16 ? SPILL_BYTES16_ZERO : number;
            picked[i] = number == 16 ? 0 : one.bytes[number];
            all[i] = mask.before;
        }
        assert_bytes(load(&one), one.bytes);
        assert_bytes(spill_bytes16_all(mask.before), all);
        assert_bytes(spill_bytes16_or(load(&one), load(&other)), both);
        assert_bytes(spill_bytes16_max(load(&one), load(&other)), larger);
        assert_bytes(spill_bytes16_pick(load(&one), spill_bytes16_load(numbers)), picked);
        assert_int_equal(spill_bytes16_matches(load(&one), load(&other)), matches);
        assert_int_equal(spill_bytes16_agree(load(&one), load(&other), load(&mask)), agree);
    }
}

/* Each bit counts. */
static void two_that_differ_are_not_equal(void **state)
{
    const struct place one = draw(), none = {0};

    (void)state;
    assert_true(spill_bytes16_equal(load(&one), load(&one)));
    for (unsigned bit = 0; bit < 128; bit++) {
        struct place other = one, mask = none;

        other.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        mask.bytes[bit / 8] = (uint8_t)(1u << bit % 8);
        assert_false(spill_bytes16_equal(load(&one), load(&other)));
        assert_false(spill_bytes16_agree(load(&one), load(&other), load(&mask)));
        assert_true(spill_bytes16_agree(load(&one), load(&other), load(&none)));
    }
}

int main(void)
{
    const char *given = getenv("SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_what_they_are_one_by_one),
        cmocka_unit_test(two_that_differ_are_not_equal),
    };

    print_message("SEED=%u\n", seed);
    srand(seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
