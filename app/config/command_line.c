/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/command_line.h"

#include <rte_version.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_file.h"
#include "config/option_table.h"
#include "config/options_apply.h"
#include "config/options_check.h"
#include "config/settings.h"

/* Copies what stands between the dashes and a '='; false without dashes. A longer name is cut: the
 * table has none of that length. */
static bool read_name(const char *argument, char *name, size_t size)
{
    if (argument[0] != '-' || argument[1] != '-')
        return false;
    snprintf(name, size, "%s", argument + 2);
    name[strcspn(name, "=")] = '\0';
    return true;
}

static int refuse_argument(const struct spill_options *options, const char *argument,
                           struct spill_error *error)
{
    char name[64];
    const char *nearest;

    if (read_name(argument, name, sizeof(name))) {
        if (spill_option_find(name, true) != NULL)
            return spill_error_set(
                error, "--%s: expected as a key of [sa NAME] in the configuration file", name);
        nearest = spill_option_nearest(name, false);
        if (nearest != NULL)
            return spill_error_set(error, "--%s: unknown option: did you mean --%s?", name,
                                   nearest);
        return spill_error_set(error, "--%s: unknown option: see --help", name);
    }
    if (argument[0] == '-' && !options->eal_given)
        return spill_error_set(error,
                               "'%.60s': expected an option as in --help; options of the EAL stand "
                               "before a '--' of their own: spillway %.60s ... -- --port ...",
                               argument, argument);
    return spill_error_set(error, "'%.60s': expected an option as in --help", argument);
}

/* Takes the flag at argv[*index] with its value, and moves *index to its last argument. */
static int take_flag(const struct spill_options *options, char **argv, int *index,
                     struct spill_settings *settings, struct spill_error *error)
{
    const char *argument = argv[*index];
    const char *equals = strchr(argument, '=');
    const char *value = equals == NULL ? argv[*index + 1] : equals + 1;
    const struct spill_option *option = NULL;
    char name[64], form[SPILL_OPTION_TEXT_SIZE], *where;
    int status;

    if (read_name(argument, name, sizeof(name)))
        option = spill_option_find(name, false);
    if (option == NULL)
        return refuse_argument(options, argument, error);
    if (option->kind == SPILL_OPTION_SWITCH && equals == NULL) {
        value = "on";
    } else if (equals == NULL) {
        if (value == NULL || strncmp(value, "--", 2) == 0)
            return spill_error_set(error, "--%s: a value is missing: expected --%s %s", name, name,
                                   spill_option_argument(option, form, sizeof(form)));
        (*index)++;
    }
    if (asprintf(&where, "--%s '%.100s'", name, value) < 0)
        return spill_error_set(error, "--%s: out of memory", name);
    status = spill_settings_add(settings, option, NULL, value, where, NULL, error);
    free(where);
    return status;
}

static bool print_information(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            spill_option_print_help();
            return true;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("spillway %s (%s)\n", SPILL_VERSION, rte_version());
            return true;
        }
    }
    return false;
}

/* Moves what stands before the first `--` into the options; returns the first argument of ours. */
static int split_arguments(int argc, char **argv, struct spill_options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            options->eal_given = true;
            options->eal_argc = i - 1;
            options->eal_argv = argv + 1;
            return i + 1;
        }
    }
    return 1;
}

static int load_config(const struct spill_settings *flags, const struct spill_token *stop,
                       struct spill_settings *settings, struct spill_error *error)
{
    const char *path = NULL;

    for (size_t i = 0; i < flags->count; i++) {
        if (strcmp(flags->list[i].option->name, "config") == 0)
            path = flags->list[i].value;
    }
    return path == NULL ? 0 : spill_config_file_load(path, stop, settings, error);
}

enum spill_options_result spill_options_parse(int argc, char **argv, const struct spill_token *stop,
                                              struct spill_options *options,
                                              struct spill_error *error)
{
    struct spill_settings flags = {0}, file = {0};
    int first, status = 0;

    spill_options_preset(options);
    first = split_arguments(argc, argv, options);
    if (print_information(argc - first, argv + first))
        return SPILL_OPTIONS_DONE;
    for (int i = first; status == 0 && i < argc; i++)
        status = take_flag(options, argv, &i, &flags, error);
    if (status == 0)
        status = load_config(&flags, stop, &file, error);
    if (status == 0)
        status = spill_options_apply(options, &file, &flags, error);
    if (status == 0)
        status = spill_options_check(options, error);
    spill_settings_free(&file);
    spill_settings_free(&flags);
    return status == 0 ? SPILL_OPTIONS_GO_ON : SPILL_OPTIONS_ERROR;
}
