/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of spillwayctl, byte for byte, whatever stands in the cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table.h"

static void expect(unsigned columns, const char *const *cells, const char *expected)
{
    struct spill_ctl_table table;
    size_t size;
    char *text;
    FILE *out = open_memstream(&text, &size);

    spill_ctl_table_begin(&table, columns);
    for (; *cells != NULL; cells++)
        spill_ctl_table_add(&table, *cells);
    assert_int_equal(spill_ctl_table_end(&table, out), 0);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void numbers_stand_to_the_right(void **state)
{
    const char *const cells[] = {"PORT", "RX",   "LINK", "wan",  "7", "up", "a",
                                 "100",  "gone", "long", "-2.5", "-", NULL};

    (void)state;
    expect(3, cells, "PORT    RX  LINK\nwan      7  up\na      100  gone\nlong  -2.5  -\n");
}

static void without_rows_the_headings_stand_alone(void **state)
{
    const char *const cells[] = {"REASON", "PACKETS", NULL};

    (void)state;
    expect(2, cells, "REASON  PACKETS\n");
}

static void a_row_that_is_not_whole_is_left_out(void **state)
{
    const char *const cells[] = {"A", "B", "1", NULL};

    (void)state;
    expect(2, cells, "A  B\n");
}

static void a_terminal_is_not_steered(void **state)
{
    const char *const cells[] = {"NAME", "\x1b[2J\n", "grün", "\xff", NULL};

    (void)state;
    expect(1, cells, "NAME\n\\x1b[2J\\n\ngrün\n\\xff\n");
}

static void characters_are_counted_not_bytes(void **state)
{
    const char *const cells[] = {"N", "X", "grün", "a", "blau", "b", NULL};

    (void)state;
    expect(2, cells, "N     X\ngrün  a\nblau  b\n");
}

static void of_what_is_too_long_the_middle_is_left_out(void **state)
{
    char text[1000], expected[300];
    const char *const cells[] = {text, NULL};

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memset(expected, 'x', 255);
    memcpy(expected + 126, "...", 3);
    strcpy(expected + 255, "\n");
    expect(1, cells, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stand_to_the_right),
        cmocka_unit_test(without_rows_the_headings_stand_alone),
        cmocka_unit_test(a_row_that_is_not_whole_is_left_out),
        cmocka_unit_test(a_terminal_is_not_steered),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(of_what_is_too_long_the_middle_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
