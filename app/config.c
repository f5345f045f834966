/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration file as settings: what its sections and keys mean. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "ini.h"
#include "option_value.h"
#include "options.h"

/* What keys of a section are about. */
enum section_kind { SECTION_SPILLWAY, SECTION_PORT, SECTION_WIRE };

struct section {
    enum section_kind kind;
    const char *name; /* the port's or wire's; NULL in [spillway] */
};

/* The key that makes the port or the wire of a section. */
static const char *const main_keys[] = {
    [SECTION_SPILLWAY] = NULL,
    [SECTION_PORT] = "device",
    [SECTION_WIRE] = "ports",
};

static bool read_section(const char *text, struct section *section)
{
    if (strcmp(text, "spillway") == 0)
        *section = (struct section){SECTION_SPILLWAY, NULL};
    else if (strncmp(text, "port ", 5) == 0)
        *section = (struct section){SECTION_PORT, text + 5};
    else if (strncmp(text, "wire ", 5) == 0)
        *section = (struct section){SECTION_WIRE, text + 5};
    else
        return false;
    return section->name == NULL || spill_option_is_name(section->name);
}

/* The option a key stands for in a section, or NULL. */
static const struct spill_option *find_option(const struct section *section, const char *key)
{
    const struct spill_option *option = spill_option_find(key);

    switch (section->kind) {
    case SECTION_SPILLWAY:
        return option == NULL || option->flag_only ? NULL : option;
    case SECTION_PORT:
        if (strcmp(key, main_keys[SECTION_PORT]) == 0)
            return spill_option_find("port");
        return option != NULL && option->scope == SPILL_OPTION_PER_PORT ? option : NULL;
    case SECTION_WIRE:
        return strcmp(key, main_keys[SECTION_WIRE]) == 0 ? spill_option_find("wire") : NULL;
    }
    return NULL;
}

static int refuse_key(const char *path, const struct spill_ini_entry *entry,
                      const struct section *section, struct spill_error *error)
{
    const struct spill_option *option = spill_option_find(entry->key);
    const char *nearest;

    if (section->kind == SECTION_PORT)
        return spill_error_set(error,
                               "%s:%u: key '%s' is unknown in [%s]: expected device, rx-queues, "
                               "tx-queues, mtu, promiscuous, mbufs, rx-descriptors or "
                               "tx-descriptors",
                               path, entry->line, entry->key, entry->section);
    if (section->kind == SECTION_WIRE)
        return spill_error_set(error, "%s:%u: key '%s' is unknown in [%s]: expected ports", path,
                               entry->line, entry->key, entry->section);
    if (option != NULL)
        return spill_error_set(error, "%s:%u: key '%s' is a flag only: give --%s to the command",
                               path, entry->line, entry->key, entry->key);
    nearest = spill_option_nearest(entry->key);
    if (nearest != NULL && !spill_option_find(nearest)->flag_only)
        return spill_error_set(error, "%s:%u: key '%s' is unknown: did you mean '%s'?", path,
                               entry->line, entry->key, nearest);
    return spill_error_set(error,
                           "%s:%u: key '%s' is unknown: expected the name of a flag, as in --help",
                           path, entry->line, entry->key);
}

/* Refuses a second heading of a section. */
static int check_heading(const char *path, const struct spill_ini *ini, size_t index,
                         struct section *section, struct spill_error *error)
{
    const struct spill_ini_entry *entry = &ini->entries[index];

    if (!read_section(entry->section, section))
        return spill_error_set(error,
                               "%s:%u: section [%s] is unknown: expected [spillway], [port NAME] "
                               "or [wire NAME], NAME of 1 to 16 letters, digits, '_' or '-'",
                               path, entry->line, entry->section);
    for (size_t i = 0; i < index; i++) {
        if (ini->entries[i].key[0] == '\0' && strcmp(ini->entries[i].section, entry->section) == 0)
            return spill_error_set(error, "%s:%u: section [%s] stands in line %u already", path,
                                   entry->line, entry->section, ini->entries[i].line);
    }
    if (main_keys[section->kind] == NULL)
        return 0;
    for (size_t i = index + 1; i < ini->count && ini->entries[i].key[0] != '\0'; i++) {
        if (strcmp(ini->entries[i].key, main_keys[section->kind]) == 0)
            return 0;
    }
    return spill_error_set(error, "%s:%u: section [%s] has no key '%s': expected %s", path,
                           entry->line, entry->section, main_keys[section->kind],
                           section->kind == SECTION_PORT ? "device = DEVICE" : "ports = A, B");
}

/* Two settings that say the same thing; wires without a name are told apart by their ends later. */
static bool same_thing(const struct spill_setting *left, const struct spill_setting *right)
{
    if (left->option != right->option)
        return false;
    if (left->subject == NULL || right->subject == NULL)
        return left->subject == right->subject && left->option->scope != SPILL_OPTION_WIRE;
    return strcmp(left->subject, right->subject) == 0;
}

/* Appends what a key sets. */
static int add_key(const char *path, const char *directory, const struct spill_ini_entry *entry,
                   const struct section *section, struct spill_settings *settings,
                   struct spill_error *error)
{
    const struct spill_option *option = find_option(section, entry->key);
    const struct spill_setting *added;
    char *where;
    int status;

    if (option == NULL)
        return refuse_key(path, entry, section, error);
    if (asprintf(&where, "%s:%u: key '%s', value '%.100s'", path, entry->line, entry->key,
                 entry->value) < 0)
        return spill_error_set(error, "%s: out of memory", path);
    status =
        spill_settings_add(settings, option, section->name, entry->value, where, directory, error);
    free(where);
    if (status != 0)
        return -1;
    added = &settings->list[settings->count - 1];
    for (size_t i = 0; i + 1 < settings->count; i++) {
        if (same_thing(&settings->list[i], added))
            return spill_error_set(error, "%s: given already: %s", added->where,
                                   settings->list[i].where);
    }
    return 0;
}

int spill_config_load(const char *path, struct spill_settings *settings, struct spill_error *error)
{
    const char *slash = strrchr(path, '/');
    char *directory =
        slash == NULL ? NULL : strndup(path, (size_t)(slash - path) + (slash == path));
    struct section section = {SECTION_SPILLWAY, NULL};
    struct spill_ini ini;
    int status;

    status = spill_ini_load(path, &ini, error);
    for (size_t i = 0; status == 0 && i < ini.count; i++) {
        if (ini.entries[i].key[0] == '\0')
            status = check_heading(path, &ini, i, &section, error);
        else
            status = add_key(path, directory, &ini.entries[i], &section, settings, error);
    }
    if (ini.entries != NULL)
        spill_ini_free(&ini);
    free(directory);
    return status;
}
