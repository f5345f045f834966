/* SPDX-License-Identifier: BSD-3-Clause */
/* Options as they were given, from flags and from a file, in one form. */
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "config/grow.h"

/* What stands between an option's instance and its value, or 0 when it has no instance. */
static char separator_of(const struct spill_option *option)
{
    switch (option->scope) {
    case SPILL_OPTION_PER_PORT:
        return ':';
    case SPILL_OPTION_PER_CLASS:
    case SPILL_OPTION_PORT:
        return '=';
    default:
        return '\0';
    }
}

static int check_instance(const struct spill_option *option, const char *instance,
                          const char *where, struct spill_error *error)
{
    char argument[SPILL_OPTION_TEXT_SIZE];

    spill_option_argument(option, argument, sizeof(argument));
    if (option->scope == SPILL_OPTION_PER_CLASS) {
        char classes[SPILL_OPTION_CLASS_LIST_SIZE];

        if (spill_option_find_class(instance) < 0)
            return spill_error_set(error, "%s: expected %s, where CLASS is one of: %s", where,
                                   argument, spill_option_class_list(classes, sizeof(classes)));
    } else if (!spill_is_name(instance)) {
        return spill_error_set(error, "%s: expected %s, where NAME is " SPILL_NAME_RULE, where,
                               argument);
    }
    return 0;
}

int spill_settings_add(struct spill_settings *settings, const struct spill_option *option,
                       const char *instance, const char *value, const char *where,
                       const char *directory, struct spill_error *error)
{
    char separator = separator_of(option);
    struct spill_setting setting = {.option = option};
    struct spill_setting *list;
    size_t length;

    if (instance != NULL) {
        setting.instance = strdup(instance);
    } else if (separator != '\0') {
        const char *end = strchr(value, separator);

        length = end == NULL ? 0 : (size_t)(end - value);
        setting.instance = strndup(value, length);
        if (setting.instance == NULL)
            return spill_error_set(error, "%s: out of memory", where);
        if (check_instance(option, setting.instance, where, error) != 0) {
            free(setting.instance);
            return -1;
        }
        value += length + 1;
    }
    setting.value = strdup(value);
    setting.where = strdup(where);
    setting.directory = directory == NULL ? NULL : strdup(directory);

    list = spill_grow(settings->list, settings->count, sizeof(*list));
    if (list == NULL || setting.value == NULL || setting.where == NULL) {
        free(setting.instance);
        free(setting.value);
        free(setting.where);
        free(setting.directory);
        return spill_error_set(error, "%s: out of memory", where);
    }
    settings->list = list;
    list[settings->count++] = setting;
    return 0;
}

void spill_settings_free(struct spill_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        free(settings->list[i].instance);
        free(settings->list[i].value);
        free(settings->list[i].where);
        free(settings->list[i].directory);
    }
    free(settings->list);
    settings->list = NULL;
    settings->count = 0;
}
