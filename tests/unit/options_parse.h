/* SPDX-License-Identifier: BSD-3-Clause */
/* A folder with a configuration file for each test to write, and options parsed from it. */
#ifndef SPILLWAY_TEST_OPTIONS_PARSE_H
#define SPILLWAY_TEST_OPTIONS_PARSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/command_line.h"

#define ARGUMENTS_MAX   64
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static char directory[64];
static char config_path[128]; /* written anew by each test that has a file */

static struct spill_options options;
static struct spill_error error;

/* Two ports and their wire as a file; other settings are added to it. */
static const char base_file[] = "[port wan]\n"
                                "device = net_null1\n"
                                "[wire lan-wan]\n"
                                "ports = lan, wan\n"
                                "[port lan]\n"
                                "device = net_null0\n"; /* open for more keys of the port */

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/spillway-options-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(config_path, sizeof(config_path), "%s/test.conf", directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(config_path);
    return rmdir(directory);
}

static void write_bytes(const void *bytes, size_t length)
{
    FILE *file;

    unlink(config_path); /* a new file: some file systems wait for the disk on truncation */
    file = fopen(config_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

__attribute__((format(printf, 1, 2))) static void write_config(const char *format, ...)
{
    char text[4096];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert_in_range(length, 0, sizeof(text) - 1);
    write_bytes(text, (size_t)length);
}

/* Parses `count` arguments from the list and then those up to NULL. */
static enum spill_options_result parse_list(size_t count, const char *const *list,
                                            va_list arguments)
{
    static const char *argv[ARGUMENTS_MAX];
    int argc = 0;
    const char *argument;

    argv[argc++] = "spillway";
    for (size_t i = 0; i < count; i++)
        argv[argc++] = list[i];
    while ((argument = va_arg(arguments, const char *)) != NULL)
        argv[argc++] = argument;
    argv[argc] = NULL;
    error.text[0] = '\0';
    spill_options_free(&options);
    return spill_options_parse(argc, (char **)(uintptr_t)argv, NULL, &options, &error);
}

/* Parses these arguments. */
__attribute__((sentinel)) static enum spill_options_result parse(const char *first, ...)
{
    enum spill_options_result result;
    va_list arguments;

    va_start(arguments, first);
    result = parse_list(first != NULL, &first, arguments);
    va_end(arguments);
    return result;
}

static enum spill_options_result parse_config(void)
{
    return parse("--config", config_path, NULL);
}

static void assert_error(enum spill_options_result result, const char *part)
{
    if (result != SPILL_OPTIONS_ERROR)
        fail_msg("no error, expected one with '%s'", part);
    if (strstr(error.text, part) == NULL)
        fail_msg("error '%s' has not '%s'", error.text, part);
    assert_null(strchr(error.text, '\n'));
    spill_options_free(&options);
}

static void assert_good(enum spill_options_result result)
{
    if (result != SPILL_OPTIONS_GO_ON)
        fail_msg("unexpected: %s", error.text);
}

#endif
