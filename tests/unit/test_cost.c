/* SPDX-License-Identifier: BSD-3-Clause */
/* The running estimate of a class's cost: what it learns from jobs of known cost. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lcores.h"
#include "runtime/cost.h"

static uint64_t seed;

static uint32_t below(uint32_t limit)
{
    return test_random_below(&seed, limit);
}

static void assert_near(double found, double wanted, double share)
{
    if (fabs(found - wanted) > fabs(wanted) * share + 1)
        fail_msg("%f is not near %f", found, wanted);
}

static void nothing_is_known_at_first(void **state)
{
    struct spill_cost cost = {0};

    (void)state;
    assert_int_equal(spill_cost_estimate(&cost, 32, 48000), 0);
    spill_cost_learn(&cost, 0, 0, 1000);
    assert_int_equal(spill_cost_estimate(&cost, 32, 48000), 0);
    assert_int_equal(cost.jobs, 0);
}

static void packets_and_bytes_are_told_apart(void **state)
{
    static const struct {
        double packet, byte;
    } known[] = {{100, 1}, {50, 0.25}, {1000, 0}, {0, 3}, {20, 10}, {5000, 0.5}};
    uint32_t i, j;

    (void)state;
    for (i = 0; i < RTE_DIM(known); i++) {
        struct spill_cost cost = {0};

        for (j = 0; j < 2000; j++) {
            uint32_t packets = 1 + below(32), bytes = packets * (64 + below(1400));
            double cycles = packets * known[i].packet + bytes * known[i].byte;

            spill_cost_learn(&cost, packets, bytes, (uint64_t)cycles);
        }
        assert_near(cost.per_packet, known[i].packet, 0.01);
        assert_near(cost.per_byte * 1000, known[i].byte * 1000, 0.01);
        assert_near((double)spill_cost_estimate(&cost, 32, 32 * 700),
                    32 * known[i].packet + 32 * 700 * known[i].byte, 0.01);
    }
}

static void noise_is_averaged(void **state)
{
    struct spill_cost cost = {0};
    double sum = 0;
    uint32_t i;

    (void)state;
    for (i = 0; i < 20000; i++) {
        uint32_t packets = 16 + below(17), bytes = packets * (64 + below(1400));
        uint64_t cycles = 200 * packets + 2 * bytes;

        /* A fifth more or less. */
        spill_cost_learn(&cost, packets, bytes, cycles * (80 + below(41)) / 100);
        if (i >= 1000)
            sum += (double)spill_cost_estimate(&cost, 32, 32 * 700) / (32 * 200 + 2 * 32 * 700);
    }
    assert_near(1000 * sum / 19000, 1000, 0.03);
}

static void with_one_size_all_is_the_packets(void **state)
{
    uint32_t sizes[] = {0, 64, 1400}, i, j;

    (void)state;
    for (i = 0; i < RTE_DIM(sizes); i++) {
        struct spill_cost cost = {0};

        for (j = 0; j < 1000; j++) {
            uint32_t packets = 1 + below(32);

            spill_cost_learn(&cost, packets, packets * sizes[i], packets * 300);
        }
        assert_near(cost.per_packet, 300, 0.001);
        assert_true(cost.per_byte == 0);
    }
}

static void the_first_job_is_learned_and_a_change_is_followed(void **state)
{
    struct spill_cost cost = {0};
    uint32_t i;

    (void)state;
    spill_cost_learn(&cost, 32, 2048, 3200);
    assert_near((double)spill_cost_estimate(&cost, 32, 2048), 3200, 0.001);
    for (i = 0; i < 1000; i++)
        spill_cost_learn(&cost, 32, 2048, 3200);
    for (i = 0; i < 640; i++)
        spill_cost_learn(&cost, 32, 2048, 32000);
    assert_near((double)spill_cost_estimate(&cost, 32, 2048), 32000, 0.01);
}

static void no_part_is_ever_negative(void **state)
{
    uint32_t round, i;

    (void)state;
    for (round = 0; round < 300; round++) {
        struct spill_cost cost = {0};
        uint32_t spread = 1 + below(1400), most = 1 + below(32);

        for (i = 0; i < 300; i++) {
            uint32_t packets = 1 + below(most), bytes = packets * (64 + below(spread));
            /* The more bytes the cheaper, or the more packets, or neither; from time to time an
             * interrupt. */
            uint64_t cycles = round % 3 == 0   ? 100000 - bytes
                              : round % 3 == 1 ? bytes * 10 + (33 - packets) * 1000
                                               : below(1000000);

            spill_cost_learn(&cost, packets, bytes, below(50) == 0 ? cycles * 1000 : cycles);
            assert_true(cost.per_packet >= 0 && isfinite(cost.per_packet));
            assert_true(cost.per_byte >= 0 && isfinite(cost.per_byte));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(packets_and_bytes_are_told_apart),
        cmocka_unit_test(noise_is_averaged),
        cmocka_unit_test(with_one_size_all_is_the_packets),
        cmocka_unit_test(the_first_job_is_learned_and_a_change_is_followed),
        cmocka_unit_test(no_part_is_ever_negative),
    };

    seed = test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
