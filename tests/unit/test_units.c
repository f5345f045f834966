/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes and times as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/units.h"

struct good {
    const char *text;
    uint64_t value;
};

static const struct good good_sizes[] = {
    {"0", 0},
    {"1", 1},
    {"007", 7},
    {"64k", 65536},
    {"1M", 1048576},
    {"1G", 1073741824},
    {"18446744073709551615", UINT64_MAX},
};

static const char *const bad_sizes[] = {
    "",
    " ",
    "k",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1.5k",
    "1K",
    "1m",
    "1kB",
    "0x10",
    "1e3",
    "1k1",
    "１",
    "10x",
    "18446744073709551616",
    "17179869184G",
    "99999999999999999999999999",
};

static const struct good good_times[] = {
    {"0", 0},
    {"000", 0},
    {"0s", 0},
    {"500ns", 500},
    {"10us", 10000},
    {"100ms", 100000000},
    {"2s", 2000000000},
    {"1m", 60000000000},
    {"1h", 3600000000000},
    {"2h5m", 7500000000000},
    {"1h1m1s1ms1us1ns", 3661001001001},
    {"18446744073709551615ns", UINT64_MAX},
};

static const char *const bad_times[] = {
    "5m2h",
    "1s1s",
    "2h5",
    "18446744073709551615ns1ns",
    "",
    "s",
    "us",
    "-1s",
    "+1s",
    " 1s",
    "1s ",
    "1 s",
    "1.5s",
    "1S",
    "1sec",
    "1µs",
    "1min",
    "1d",
    "10x",
    "1k",
    "1e3s",
    "1sms",
    "18446744073709551616ns",
    "5124096h",
    "99999999999999999999999999s",
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void test_sizes(void **state)
{
    struct spill_error error;
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good_sizes); i++) {
        assert_int_equal(spill_units_parse_size(good_sizes[i].text, &value, &error), 0);
        assert_true(value == good_sizes[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(bad_sizes); i++) {
        value = 42;
        error.text[0] = '\0';
        if (spill_units_parse_size(bad_sizes[i], &value, &error) == 0)
            fail_msg("size '%s' was taken", bad_sizes[i]);
        assert_int_equal(value, 42);
        assert_non_null(strstr(error.text, "64k"));
    }
}

static void test_times(void **state)
{
    struct spill_error error;
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good_times); i++) {
        assert_int_equal(spill_units_parse_time(good_times[i].text, &value, &error), 0);
        assert_true(value == good_times[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(bad_times); i++) {
        value = 42;
        error.text[0] = '\0';
        if (spill_units_parse_time(bad_times[i], &value, &error) == 0)
            fail_msg("time '%s' was taken", bad_times[i]);
        assert_int_equal(value, 42);
        assert_non_null(strstr(error.text, "10us"));
    }
}

static void test_time_without_unit_names_units(void **state)
{
    struct spill_error error;
    uint64_t value;

    (void)state;
    assert_int_equal(spill_units_parse_time("10", &value, &error), -1);
    assert_string_equal(error.text, "a time needs a unit: 10ns, 10us, 10ms or 10s");
    /* The caller may want no text. */
    assert_int_equal(spill_units_parse_time("10", &value, NULL), -1);
}

static void test_format_reads_back(void **state)
{
    static const struct good times[] = {
        {"0", 0},
        {"1ns", 1},
        {"1500ns", 1500},
        {"10us", 10000},
        {"100ms", 100000000},
        {"90s", 90000000000},
        {"1m", 60000000000},
        {"48h", 172800000000000},
        {"18446744073709551615ns", UINT64_MAX},
    };
    static const struct good sizes[] = {
        {"0", 0},
        {"1000", 1000},
        {"64k", 65536},
        {"1025k", 1049600},
        {"1M", 1048576},
        {"16G", 17179869184},
        {"18446744073709551615", UINT64_MAX},
    };
    char text[SPILL_UNITS_TEXT_SIZE];
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        assert_string_equal(spill_units_format_time(times[i].value, text, sizeof(text)),
                            times[i].text);
        assert_int_equal(spill_units_parse_time(text, &value, NULL), 0);
        assert_true(value == times[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_string_equal(spill_units_format_size(sizes[i].value, text, sizeof(text)),
                            sizes[i].text);
        assert_int_equal(spill_units_parse_size(text, &value, NULL), 0);
        assert_true(value == sizes[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_time_without_unit_names_units),
        cmocka_unit_test(test_format_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
