/* SPDX-License-Identifier: BSD-3-Clause */
/* Histogram: percentiles against the sorted values themselves, edges, sums, overflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/histogram.h"

#define VALUES 20000

static struct spill_histogram *histogram_new(void)
{
    struct spill_histogram *histogram = calloc(1, sizeof(*histogram));

    assert_non_null(histogram);
    return histogram;
}

static void empty_has_no_percentiles(void **state)
{
    struct spill_histogram *histogram = histogram_new();

    (void)state;
    assert_int_equal(spill_histogram_count(histogram), 0);
    assert_int_equal(spill_histogram_percentile(histogram, 0.0), 0);
    assert_int_equal(spill_histogram_percentile(histogram, 0.999), 0);
    free(histogram);
}

static void buckets_cover_all_values_in_order(void **state)
{
    uint32_t last = 0;
    unsigned exponent, part;

    (void)state;
    assert_int_equal(spill_histogram_bucket(0), 0);
    for (exponent = 5; exponent < SPILL_HISTOGRAM_MAX_BITS; exponent++) {
        for (part = 0; part < SPILL_HISTOGRAM_SUB; part++) {
            uint64_t width = UINT64_C(1) << (exponent - SPILL_HISTOGRAM_SUB_BITS);
            uint64_t lowest = (SPILL_HISTOGRAM_SUB + part) * width;
            uint32_t bucket = spill_histogram_bucket(lowest);

            assert_int_equal(spill_histogram_bucket(lowest + width - 1), bucket);
            assert_int_equal(spill_histogram_bucket(lowest - 1), bucket - 1);
            assert_true(bucket > last);
            last = bucket;
        }
    }
    assert_int_equal(last, SPILL_HISTOGRAM_BUCKETS - 1);
}

static void small_values_are_exact(void **state)
{
    struct spill_histogram *histogram = histogram_new();
    uint64_t value;

    (void)state;
    for (value = 0; value < 64; value++)
        spill_histogram_record(histogram, value, 1);
    assert_int_equal(spill_histogram_percentile(histogram, 0.0), 0);
    for (value = 0; value < 64; value++)
        assert_int_equal(spill_histogram_percentile(histogram, (double)(value + 1) / 64), value);
    free(histogram);
}

static void shares_outside_are_the_nearer_end(void **state)
{
    struct spill_histogram *histogram = histogram_new();

    (void)state;
    spill_histogram_record(histogram, 3, 1);
    spill_histogram_record(histogram, 1000003, 1);
    assert_int_equal(spill_histogram_percentile(histogram, -1.0), 3);
    assert_int_equal(spill_histogram_percentile(histogram, 0.5), 3);
    assert_int_equal(spill_histogram_percentile(histogram, 0.51), 1000003);
    assert_int_equal(spill_histogram_percentile(histogram, 1.0), 1000003);
    assert_int_equal(spill_histogram_percentile(histogram, 2.0), 1000003);
    free(histogram);
}

static void times_count_as_so_many_records(void **state)
{
    struct spill_histogram *histogram = histogram_new();

    (void)state;
    spill_histogram_record(histogram, 10, 999);
    spill_histogram_record(histogram, 20, 1);
    assert_int_equal(spill_histogram_count(histogram), 1000);
    assert_int_equal(spill_histogram_percentile(histogram, 0.999), 10);
    assert_int_equal(spill_histogram_percentile(histogram, 0.9995), 20);
    free(histogram);
}

/* No percentile lies above the largest value, though its bucket may reach further. */
static void maximum_is_exact(void **state)
{
    struct spill_histogram *histogram = histogram_new();

    (void)state;
    spill_histogram_record(histogram, 1000001, 1);
    spill_histogram_record(histogram, 1000000, 5);
    assert_int_equal(histogram->max, 1000001);
    assert_int_equal(spill_histogram_percentile(histogram, 0.5), 1000001);
    assert_int_equal(spill_histogram_percentile(histogram, 1.0), 1000001);
    free(histogram);
}

static void overflow_counts_in_the_last_bucket(void **state)
{
    const uint64_t limit = UINT64_C(1) << SPILL_HISTOGRAM_MAX_BITS;
    struct spill_histogram *histogram = histogram_new();

    (void)state;
    assert_int_equal(spill_histogram_bucket(limit - 1), SPILL_HISTOGRAM_BUCKETS - 1);
    assert_int_equal(spill_histogram_bucket(limit), SPILL_HISTOGRAM_BUCKETS - 1);
    assert_int_equal(spill_histogram_bucket(UINT64_MAX), SPILL_HISTOGRAM_BUCKETS - 1);

    spill_histogram_record(histogram, 7, 2);
    spill_histogram_record(histogram, limit, 1);
    spill_histogram_record(histogram, limit * 1000 + 1, 1);
    assert_int_equal(spill_histogram_count(histogram), 4);
    assert_int_equal(spill_histogram_percentile(histogram, 0.5), 7);
    assert_int_equal(spill_histogram_percentile(histogram, 0.75), limit * 1000 + 1);
    assert_int_equal(spill_histogram_percentile(histogram, 1.0), limit * 1000 + 1);
    free(histogram);
}

/* As many magnitudes as there are, each about as often. */
static uint64_t random_value(void)
{
    uint64_t value = ((uint64_t)rand() << 31 | (uint64_t)rand()) & ((UINT64_C(1) << 40) - 1);

    return value >> (rand() % 41);
}

static int compare_values(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void assert_within_a_part(uint64_t found, uint64_t exact)
{
    assert_true(found >= exact);
    assert_true(found - exact <= exact / SPILL_HISTOGRAM_SUB);
}

static void percentiles_agree_with_the_sorted_values(void **state)
{
    static const double shares[] = {0.0, 0.001, 0.01,  0.1,    0.25, 0.5,
                                    0.9, 0.99,  0.999, 0.9999, 1.0};
    static uint64_t values[VALUES];
    struct spill_histogram *histogram = histogram_new();
    unsigned seed = (unsigned)time(NULL);
    size_t i;

    (void)state;
    printf("seed %u\n", seed);
    srand(seed);
    for (i = 0; i < VALUES; i++) {
        values[i] = random_value();
        spill_histogram_record(histogram, values[i], 1);
    }
    qsort(values, VALUES, sizeof(values[0]), compare_values);

    assert_int_equal(spill_histogram_count(histogram), VALUES);
    assert_int_equal(histogram->max, values[VALUES - 1]);
    for (i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        double exact = shares[i] * VALUES;
        size_t rank = (size_t)exact + ((double)(size_t)exact < exact);

        assert_within_a_part(spill_histogram_percentile(histogram, shares[i]),
                             values[rank > 0 ? rank - 1 : 0]);
    }
    /* And at every record of its own. */
    for (i = 0; i < VALUES; i += 97)
        assert_within_a_part(spill_histogram_percentile(histogram, ((double)i + 0.5) / VALUES),
                             values[i]);
    free(histogram);
}

static void sum_is_that_of_all_records(void **state)
{
    struct spill_histogram *parts[2] = {histogram_new(), histogram_new()};
    struct spill_histogram *whole = histogram_new();
    struct spill_histogram *sum = histogram_new();
    unsigned i;

    (void)state;
    srand(1);
    for (i = 0; i < VALUES; i++) {
        uint64_t value = random_value() + (i % 2 << 20);

        spill_histogram_record(parts[i % 2], value, i % 3);
        spill_histogram_record(whole, value, i % 3);
    }
    spill_histogram_add(sum, parts[1]);
    spill_histogram_add(sum, parts[0]);
    assert_memory_equal(sum, whole, sizeof(*sum));
    free(parts[0]);
    free(parts[1]);
    free(whole);
    free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_has_no_percentiles),
        cmocka_unit_test(buckets_cover_all_values_in_order),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(shares_outside_are_the_nearer_end),
        cmocka_unit_test(times_count_as_so_many_records),
        cmocka_unit_test(maximum_is_exact),
        cmocka_unit_test(overflow_counts_in_the_last_bucket),
        cmocka_unit_test(percentiles_agree_with_the_sorted_values),
        cmocka_unit_test(sum_is_that_of_all_records),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
