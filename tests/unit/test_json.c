/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON as written, byte for byte; and what is no JSON is not written. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"

/* Ends the document and compares; frees the text. */
static void expect(struct spill_json *json, FILE *out, char **text, const char *expected)
{
    assert_int_equal(spill_json_end(json), 0);
    fclose(out);
    assert_string_equal(*text, expected);
    free(*text);
}

static void nested_values(void **state)
{
    struct spill_json json;
    size_t size;
    char *text;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    spill_json_begin(&json, out);
    spill_json_object_begin(&json, NULL);
    spill_json_array_begin(&json, "empty");
    spill_json_array_end(&json);
    spill_json_array_begin(&json, "list");
    spill_json_unsigned(&json, NULL, UINT64_MAX);
    spill_json_object_begin(&json, NULL);
    spill_json_signed(&json, "least", INT64_MIN);
    spill_json_object_end(&json);
    spill_json_array_end(&json);
    spill_json_boolean(&json, "yes", true);
    spill_json_string(&json, "none", NULL);
    spill_json_object_end(&json);
    expect(&json, out, &text,
           "{\n  \"empty\": [],\n  \"list\": [\n    18446744073709551615,\n    {\n"
           "      \"least\": -9223372036854775808\n    }\n  ],\n  \"yes\": true,\n"
           "  \"none\": null\n}\n");
}

static void a_document_on_one_line(void **state)
{
    struct spill_json json;
    size_t size;
    char *text;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    spill_json_begin_line(&json, out);
    spill_json_object_begin(&json, NULL);
    spill_json_array_begin(&json, "list");
    spill_json_unsigned(&json, NULL, 1);
    spill_json_unsigned(&json, NULL, 2);
    spill_json_array_end(&json);
    spill_json_string(&json, "text", "a\nb");
    spill_json_object_end(&json);
    expect(&json, out, &text, "{\"list\": [1,2],\"text\": \"a\\nb\"}\n");
}

static void strings_are_escaped(void **state)
{
    struct spill_json json;
    size_t size;
    char *text;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    spill_json_begin(&json, out);
    /* Quotes, controls, good UTF-8; then an overlong form, a surrogate, a cut sequence. */
    spill_json_string(&json, NULL,
                      "a\"b\\c\n\t\x01 \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
                      "|\xc0\xaf|\xed\xa0\x80|\xe2\x82");
    expect(&json, out, &text,
           "\"a\\\"b\\\\c\\n\\t\\u0001 \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
           "|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\"\n");
}

static void numbers(void **state)
{
    struct spill_json json;
    size_t size;
    char *text;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    spill_json_begin(&json, out);
    spill_json_array_begin(&json, NULL);
    spill_json_double(&json, NULL, 0.5);
    spill_json_double(&json, NULL, 1e300);
    spill_json_double(&json, NULL, NAN);
    spill_json_double(&json, NULL, -INFINITY);
    spill_json_array_end(&json);
    expect(&json, out, &text, "[\n  0.5,\n  1e+300,\n  null,\n  null\n]\n");
}

static void a_full_disk_is_reported(void **state)
{
    FILE *out = fopen("/dev/full", "w");
    struct spill_json json;

    (void)state;
    if (out == NULL)
        skip();
    spill_json_begin(&json, out);
    spill_json_string(&json, NULL, "lost");
    assert_int_equal(spill_json_end(&json), -1);
    fclose(out);
}

static void misuse(unsigned which)
{
    FILE *out = fopen("/dev/null", "w");
    struct spill_json json;
    unsigned i;

    spill_json_begin(&json, out);
    if (which == 0) { /* a value without a key in an object */
        spill_json_object_begin(&json, NULL);
        spill_json_unsigned(&json, NULL, 1);
    } else if (which == 1) { /* the wrong end */
        spill_json_object_begin(&json, NULL);
        spill_json_array_end(&json);
    } else if (which == 2) { /* left open */
        spill_json_array_begin(&json, NULL);
        spill_json_end(&json);
    } else { /* too deep */
        for (i = 0; i <= SPILL_JSON_DEPTH_MAX; i++)
            spill_json_array_begin(&json, NULL);
    }
}

static void misuse_aborts(void **state)
{
    unsigned which;
    int status;
    pid_t child;

    (void)state;
    for (which = 0; which < 4; which++) {
        child = fork();
        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            misuse(which);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_on_one_line),  cmocka_unit_test(nested_values),
        cmocka_unit_test(strings_are_escaped),     cmocka_unit_test(numbers),
        cmocka_unit_test(a_full_disk_is_reported), cmocka_unit_test(misuse_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
