/* SPDX-License-Identifier: BSD-3-Clause */
/* Text from outside: what a terminal gets of it, and what an error does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/printable.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void what_is_plain_stays_and_what_acts_is_escaped(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"lan: 'x' \\n 100 %", "lan: 'x' \\n 100 %"},
        {"a\nb\r\tc", "a\\nb\\r\\tc"},
        {"\x1b[2J\x07\x7f", "\\x1b[2J\\x07\\x7f"},
        {"gr\xc3\xbcn \xe2\x80\xa6 \xf0\x9f\x8c\x8a", "gr\xc3\xbcn \xe2\x80\xa6 \xf0\x9f\x8c\x8a"},
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b"
         "2J"}, /* CSI as one character */
        {"\x9b"
         "2J \xff",
         "\\x9b"
         "2J \\xff"},                        /* no UTF-8 */
        {"\xc3", "\\xc3"},                   /* cut off */
        {"\xc0\x8a", "\\xc0\\x8a"},          /* a long way to write a newline */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
        {"\xe2\x80\xa8|\xe2\x80\xae|\xe2\x81\xa6",
         "\\xe2\\x80\\xa8|\\xe2\\x80\\xae|\\xe2\\x81\\xa6"},
    };
    char shown[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        spill_printable(shown, sizeof(shown), cases[i][0]);
        assert_string_equal(shown, cases[i][1]);
        spill_printable(shown, sizeof(shown), cases[i][1]);
        assert_string_equal(shown, cases[i][1]);
    }
}

static void ascii_escapes_all_else(void **state)
{
    char shown[64];

    (void)state;
    spill_printable_ascii(shown, sizeof(shown), "gr\xc3\xbcn\n~\xff \xf0\x9f\x8c\x8a");
    assert_string_equal(shown, "gr\\xc3\\xbcn\\n~\\xff \\xf0\\x9f\\x8c\\x8a");
}

/* A key file named in the place of another file. */
static void an_error_repeats_no_key(void **state)
{
#define DIGITS "00112233445566778899aAbBcCdDeEf"
    static const char *const cases[][2] = {
        {"k:1: '" DIGITS "f': unknown action",
         "k:1: '********************************': unknown action"},
        {DIGITS "ff", "*********************************"},
        {"key '" DIGITS "', value '1'", "key '" DIGITS "', value '1'"},
        {"/run/" DIGITS "ff/x:1: no", "/run/" DIGITS "ff/x:1: no"},
    };
    struct spill_error error;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        spill_error_set(&error, "%s", cases[i][0]);
        assert_string_equal(error.text, cases[i][1]);
    }
}

static void a_long_text_keeps_its_ends(void **state)
{
    char text[400], shown[100];

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "file:3:", 7);
    memcpy(text + sizeof(text) - 8, "is long", 8);
    spill_printable(shown, sizeof(shown), text);
    assert_int_equal(strlen(shown), sizeof(shown) - 1);
    assert_ptr_equal(strstr(shown, "file:3:"), shown);
    assert_non_null(strstr(shown, "x...x"));
    assert_string_equal(shown + strlen(shown) - 7, "is long");
    memset(text, '\x1b', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    spill_printable(shown, sizeof(shown), text);
    assert_non_null(strstr(shown, "\\x1b...\\x1b")); /* no half of an escape */
}

/* Whatever the bytes and the room: one line, within the room, valid UTF-8, nothing that acts. */
static void any_bytes_are_safe(void **state)
{
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    printf("seed %u\n", seed);
    srandom(seed);
    for (unsigned round = 0; round < 20000; round++) {
        char text[200], shown[128];
        size_t length = (size_t)random() % sizeof(text), size = 16 + (size_t)random() % 112;

        for (size_t i = 0; i < length; i++)
            text[i] = (char)random();
        text[length == sizeof(text) ? length - 1 : length] = '\0';
        memset(shown, 'G', sizeof(shown));
        spill_printable(shown, size, text);
        assert_true(strlen(shown) < size);
        for (size_t i = size; i < sizeof(shown); i++)
            assert_int_equal(shown[i], 'G');
        for (const char *at = shown; *at != '\0'; at += spill_utf8_length(at)) {
            assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
            assert_true(spill_utf8_length(at) > 0);
        }
    }
}

static void an_error_is_one_line_whatever_it_repeats(void **state)
{
    struct spill_error error;
    char path[5000];

    (void)state;
    assert_int_equal(spill_error_set(NULL, "%s", "x"), -1);
    assert_int_equal(spill_error_set(&error, "--rules '%s': %d", "a\n\x1b[1m", 3), -1);
    assert_string_equal(error.text, "--rules 'a\\n\\x1b[1m': 3");
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    spill_error_set(&error, "%s: no such file", path);
    assert_non_null(strstr(error.text, "p: no such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_plain_stays_and_what_acts_is_escaped),
        cmocka_unit_test(ascii_escapes_all_else),
        cmocka_unit_test(an_error_repeats_no_key),
        cmocka_unit_test(a_long_text_keeps_its_ends),
        cmocka_unit_test(any_bytes_are_safe),
        cmocka_unit_test(an_error_is_one_line_whatever_it_repeats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
