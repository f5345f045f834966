/* SPDX-License-Identifier: BSD-3-Clause */
/* ECN at a tunnel's end: the whole table of RFC 6040, and how a field is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ipsec/ecn.h"

#define ROUNDS 100000

/* Figure 4, with the codes of RFC 3168: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
static void the_table_of_rfc_6040(void **state)
{
    static const int FORWARDED[4][4] = {
        /* outer:  Not-ECT, ECT(1), ECT(0), CE */
        [0] = {0, 0, 0, -1}, /* inner: Not-ECT */
        [1] = {1, 1, 1, 3},  /* ECT(1) */
        [2] = {2, 1, 2, 3},  /* ECT(0) */
        [3] = {3, 3, 3, 3},  /* CE */
    };

    (void)state;
    for (unsigned inner = 0; inner < 256; inner++)
        for (unsigned outer = 0; outer < 256; outer++)
            assert_int_equal(spill_ecn_decapsulate((uint8_t)inner, (uint8_t)outer),
                             FORWARDED[inner % 4][outer % 4]);
}

/* The one's complement sum of an IPv4 header without options: 0xffff where its checksum is right.
 */
static unsigned naive_sum(const uint8_t *bytes)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < 20; i += 2)
        sum += bytes[i] * 256u + bytes[i + 1];
    while (sum > 0xffff)
        sum = sum % 65536 + sum / 65536;
    return sum;
}

static void fill(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)rand();
}

/* Every checksum there is, with every change of the field. */
static void a_field_of_ipv4(void **state)
{
    uint8_t bytes[20], before[20];

    (void)state;
    fill(bytes, sizeof(bytes));
    bytes[0] = 0x45;
    for (unsigned i = 0; i < 65536 * 16; i++) {
        unsigned sum;

        bytes[1] = (uint8_t)(bytes[1] / 4 * 4 + i % 4);
        bytes[4] = (uint8_t)(i >> 12);
        bytes[5] = (uint8_t)(i >> 4);
        bytes[10] = bytes[11] = 0;
        sum = naive_sum(bytes);
        bytes[10] = (uint8_t)(~sum >> 8);
        bytes[11] = (uint8_t)~sum;
        memcpy(before, bytes, sizeof(before));
        assert_int_equal(spill_ecn_of_ipv4((const void *)bytes), i % 4);
        spill_ecn_set_ipv4((void *)bytes, i / 4 % 4);
        assert_int_equal(bytes[1], before[1] / 4 * 4 + i / 4 % 4);
        /* Not only right, but what a new computation gives. */
        sum = bytes[10] * 256u + bytes[11];
        bytes[10] = bytes[11] = 0;
        assert_int_equal(sum, (uint16_t)~naive_sum(bytes));
        bytes[1] = before[1];
        memcpy(bytes + 10, before + 10, 2);
        assert_memory_equal(bytes, before, sizeof(bytes));
    }
}

static void a_wrong_checksum_stays_wrong(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t bytes[20];
        bool wrong;

        fill(bytes, sizeof(bytes));
        bytes[0] = 0x45;
        wrong = naive_sum(bytes) != 0xffff;
        spill_ecn_set_ipv4((void *)bytes, (uint8_t)(round % 4));
        assert_int_equal(naive_sum(bytes) != 0xffff, wrong);
    }
}

static void a_field_of_ipv6(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t bytes[40], before[40];
        const uint8_t ecn = (uint8_t)(round % 4);

        fill(bytes, sizeof(bytes));
        memcpy(before, bytes, sizeof(before));
        assert_int_equal(spill_ecn_of_ipv6((const void *)bytes), bytes[1] / 16 % 4);
        spill_ecn_set_ipv6((void *)bytes, ecn);
        assert_int_equal(bytes[1] / 16 % 4, ecn);
        assert_int_equal(bytes[1] & 0xcf, before[1] & 0xcf);
        bytes[1] = before[1];
        assert_memory_equal(bytes, before, sizeof(bytes));
    }
}

static int seed_random(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

    (void)state;
    print_message("SEED=%u\n", seed);
    srand(seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_rfc_6040),
        cmocka_unit_test_setup(a_field_of_ipv4, seed_random),
        cmocka_unit_test_setup(a_wrong_checksum_stays_wrong, seed_random),
        cmocka_unit_test_setup(a_field_of_ipv6, seed_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
