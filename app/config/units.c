/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers, sizes and times as people write them. */
#include "config/units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Smallest first. "m" is a minute in times and nothing in sizes, where M could be meant. */
static const struct unit time_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000 * 1000},
    {"s", 1000 * 1000 * 1000},
    {"m", UINT64_C(60) * 1000 * 1000 * 1000},
    {"h", UINT64_C(3600) * 1000 * 1000 * 1000},
};

static const struct unit size_units[] = {
    {"", 1},
    {"k", 1024},
    {"M", 1024 * 1024},
    {"G", 1024 * 1024 * 1024},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Reads the digits at *text and moves it behind them; false without digits or past 64 bits. */
static bool read_digits(const char **text, uint64_t *value)
{
    const char *at = *text;
    uint64_t sum = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(sum, UINT64_C(10), &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*at - '0'), &sum))
            return false;
    }
    if (at == *text)
        return false;
    *text = at;
    *value = sum;
    return true;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name,
                                    size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == length && strncmp(units[i].name, name, length) == 0)
            return &units[i];
    }
    return NULL;
}

int spill_units_parse_size(const char *text, uint64_t *value, struct spill_error *error)
{
    const char *rest = text;
    const struct unit *unit = NULL;
    uint64_t digits, product;

    if (read_digits(&rest, &digits))
        unit = find_unit(size_units, COUNT_OF(size_units), rest, strlen(rest));
    if (unit == NULL || __builtin_mul_overflow(digits, unit->factor, &product))
        return spill_error_set(error, "expected a number such as 1000, 64k, 1M or 1G (k is 1024)");
    *value = product;
    return 0;
}

/* Reads one number and its unit at *text, which is smaller than `above`, and adds it to *sum. */
static bool read_time(const char **text, const struct unit **above, uint64_t *sum)
{
    const struct unit *unit;
    uint64_t digits, product;
    size_t length;

    if (!read_digits(text, &digits))
        return false;
    length = strcspn(*text, "0123456789");
    unit = find_unit(time_units, COUNT_OF(time_units), *text, length);
    if (unit == NULL || unit >= *above || __builtin_mul_overflow(digits, unit->factor, &product) ||
        __builtin_add_overflow(*sum, product, sum))
        return false;
    *text += length;
    *above = unit;
    return true;
}

int spill_units_parse_time(const char *text, uint64_t *nanoseconds, struct spill_error *error)
{
    const struct unit *above = time_units + COUNT_OF(time_units);
    const char *rest = text;
    uint64_t sum = 0, digits;

    if (read_digits(&rest, &digits) && *rest == '\0') {
        if (digits != 0)
            return spill_error_set(error,
                                   "a time needs a unit: %.20sns, %.20sus, %.20sms or %.20ss", text,
                                   text, text, text);
        *nanoseconds = 0;
        return 0;
    }
    rest = text;
    do {
        if (!read_time(&rest, &above, &sum))
            return spill_error_set(error,
                                   "expected a time such as 500ns, 10us, 100ms, 2s, 1m or 2h5m");
    } while (*rest != '\0');
    *nanoseconds = sum;
    return 0;
}

static const char *format(const struct unit *units, size_t count, uint64_t value, char *text,
                          size_t size)
{
    const struct unit *largest = &units[0];

    for (size_t i = 1; i < count; i++) {
        if (value % units[i].factor == 0)
            largest = &units[i];
    }
    snprintf(text, size, "%" PRIu64 "%s", value / largest->factor, largest->name);
    return text;
}

const char *spill_units_format_time(uint64_t nanoseconds, char *text, size_t size)
{
    if (nanoseconds != 0)
        return format(time_units, COUNT_OF(time_units), nanoseconds, text, size);
    snprintf(text, size, "0");
    return text;
}

const char *spill_units_format_size(uint64_t value, char *text, size_t size)
{
    if (value != 0)
        return format(size_units, COUNT_OF(size_units), value, text, size);
    snprintf(text, size, "0");
    return text;
}
