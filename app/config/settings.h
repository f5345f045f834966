/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SETTINGS_H
#define SPILLWAY_SETTINGS_H

#include <stddef.h>

#include "base/error.h"
#include "config/option_table.h"

/**
 * @file
 * Options as they were given, in their order and not yet read: the form in which the command line
 * and the configuration file are the same thing.
 */

struct spill_setting {
    const struct spill_option *option;
    char *instance;  /* owned; the port, class or wire it is about; NULL: none (plain, --wire) */
    char *value;     /* owned */
    char *where;     /* owned; "--mtu 'lan:9000'" or "wire.conf:7: key 'mtu', value '9000'" */
    char *directory; /* owned; of the file it stood in; NULL: a flag */
};

struct spill_settings {
    size_t count;
    struct spill_setting *list; /* owned */
};

/**
 * Appends a setting; the strings are copied.
 *
 * @param instance    given by the section it stood in; NULL: options that have one begin their
 *                   value with it (`NAME:value`, `CLASS=value`, `NAME=device`)
 * @param value      text as given
 * @param where      begins every message about it
 * @param directory  NULL for flags
 * @return 0, or -1 when the instance is missing or no name
 */
int spill_settings_add(struct spill_settings *settings, const struct spill_option *option,
                       const char *instance, const char *value, const char *where,
                       const char *directory, struct spill_error *error);

/** Frees all of them. */
void spill_settings_free(struct spill_settings *settings);

#endif
