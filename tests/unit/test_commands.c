/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of the control socket: those that are some, and all that strangers may send in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/commands.h"

static struct spill_command_request request;
static struct spill_error error;

static int read_line(const char *line)
{
    error.text[0] = '\0';
    return spill_command_read(line, strlen(line), &request, &error);
}

static void a_request_is_read(void **state)
{
    (void)state;
    assert_int_equal(read_line("{\"version\": 1, \"command\": \"reload\"}"), 0);
    assert_non_null(request.command);
    assert_string_equal(request.argument, "");
    assert_int_equal(read_line("{\"version\": 1, \"command\": \"reload\", \"argument\": \"60s\"}"),
                     0);
    assert_string_equal(request.argument, "60s");
    assert_int_equal(
        read_line(" {\"argument\":\"debug\",\"command\":\"log-level\",\"version\":1}\r"), 0);
    assert_string_equal(request.argument, "debug");
}

static void what_is_no_request_is_refused(void **state)
{
    static const struct {
        const char *line, *said;
    } wrong[] = {
        {"", "no JSON object"},
        {"reload", "no JSON object"},
        {"[1]", "no JSON object"},
        {"{\"version\": 1, \"command\": \"reload\"} {}", "no JSON object"},
        {"{\"version\": 1, \"version\": 1, \"command\": \"reload\"}", "no JSON object"},
        {"{\"version\": 1, \"command\": \"\xff\"}", "no JSON object"},
        {"{\"command\": \"reload\"}", "of another version, or none"},
        {"{\"version\": 2, \"command\": \"reload\"}", "of another version, or none"},
        {"{\"version\": 1.0, \"command\": \"reload\"}", "of another version, or none"},
        {"{\"version\": 1}", "'' is no command"},
        {"{\"version\": 1, \"command\": 1}", "'' is no command"},
        {"{\"version\": 1, \"command\": \"Reload\"}", "'Reload' is no command"},
        {"{\"version\": 1, \"command\": \"reload\", \"when\": 0}", "has other keys"},
        {"{\"version\": 1, \"command\": \"reload\", \"argument\": null}", "is no text"},
        {"{\"version\": 1, \"command\": \"check\", \"argument\": \"x\"}", "expected no argument"},
        {"{\"version\": 1, \"command\": \"log-level\"}", "expected the argument LEVEL"},
        {"{\"version\": 1, \"command\": \"log-level\", \"argument\": 7}", "is no text"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(read_line(wrong[i].line), -1);
        if (strstr(error.text, wrong[i].said) == NULL)
            fail_msg("'%s': '%s', not '%s'", wrong[i].line, error.text, wrong[i].said);
    }
}

/* Any length of what is right, and any byte of it changed: nothing but an answer. */
static void cut_off_and_changed(void **state)
{
    static const char whole[] =
        "{\"version\": 1, \"command\": \"log-level\", \"argument\": \"info\"}";
    char *copy;

    (void)state;
    for (size_t size = 0; size < sizeof(whole) - 1; size++) {
        copy = malloc(size + 1);
        memcpy(copy, whole, size);
        assert_int_equal(spill_command_read(copy, size, &request, &error), -1);
        free(copy);
    }
    for (size_t at = 0; at < sizeof(whole) - 1; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            copy = strdup(whole);
            copy[at] = (char)byte;
            spill_command_read(copy, sizeof(whole) - 1, &request, &error);
            free(copy);
        }
    }
}

static void long_and_deep(void **state)
{
    char *line = malloc(SPILL_COMMAND_LINE_MAX);
    char argument[257] = "";

    (void)state;
    memset(line, '[', SPILL_COMMAND_LINE_MAX);
    assert_int_equal(spill_command_read(line, SPILL_COMMAND_LINE_MAX, &request, &error), -1);
    memset(argument, 'x', sizeof(argument) - 1);
    snprintf(line, SPILL_COMMAND_LINE_MAX,
             "{\"version\": 1, \"command\": \"log-level\", \"argument\": \"%s\"}", argument);
    assert_int_equal(read_line(line), -1);
    assert_non_null(strstr(error.text, "expected at most 255 bytes"));
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(cut_off_and_changed),
        cmocka_unit_test(long_and_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
