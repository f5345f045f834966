/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/options_at_once.h"

#include <stdio.h>
#include <string.h>

#include "config/option_table.h"
#include "config/options_apply.h"
#include "config/settings.h"

static void take_scope(enum spill_option_scope scope, void *to, const void *from)
{
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (table[i].scope == scope && table[i].when == SPILL_OPTION_AT_ONCE)
            memcpy((char *)to + table[i].offset, (const char *)from + table[i].offset,
                   table[i].size);
    }
}

void spill_options_take_at_once(struct spill_options *to, const struct spill_options *from)
{
    take_scope(SPILL_OPTION_PLAIN, to, from);
    for (unsigned i = 0; i < SPILL_CLASSES; i++)
        take_scope(SPILL_OPTION_PER_CLASS, &to->pipeline.classes[i], &from->pipeline.classes[i]);
}

static int refuse(const char *key, const struct spill_option *option, struct spill_error *error)
{
    size_t count, used = 0;
    const struct spill_option *table = spill_option_table(&count);
    const char *nearest = option == NULL ? spill_option_nearest(key, false) : NULL;
    char known[256] = "";

    for (size_t i = 0; i < count && used < sizeof(known); i++) {
        if (table[i].when == SPILL_OPTION_AT_ONCE)
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                     used > 0 ? ", " : "", table[i].name);
    }
    if (nearest != NULL)
        return spill_error_set(error, "set '%s': unknown key: did you mean %s? Expected one of: %s",
                               key, nearest, known);
    return spill_error_set(error, "set '%s': %s: expected one of: %s", key,
                           option == NULL ? "unknown key"
                           : option->when == SPILL_OPTION_AT_RELOAD
                               ? "it takes effect at a reload"
                               : "it takes effect at the next start",
                           known);
}

int spill_options_set(struct spill_options *options, const char *setting, struct spill_error *error)
{
    const char *equals = strchr(setting, '=');
    struct spill_settings settings = {0}, none = {0};
    const struct spill_option *option;
    char key[64], where[SPILL_OPTION_TEXT_SIZE];
    int status;

    if (equals == NULL)
        return spill_error_set(error, "set '%s': expected KEY=VALUE", setting);
    snprintf(key, sizeof(key), "%.*s", (int)(equals - setting), setting);
    option = spill_option_find(key, false);
    if (option == NULL || option->when != SPILL_OPTION_AT_ONCE)
        return refuse(key, option, error);
    snprintf(where, sizeof(where), "set %s '%s'", key, equals + 1);
    status = spill_settings_add(&settings, option, NULL, equals + 1, where, NULL, error);
    if (status == 0)
        status = spill_options_apply(options, &settings, &none, error);
    spill_settings_free(&settings);
    return status;
}
