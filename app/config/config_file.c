/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration file as settings: what its sections and keys mean. */
#include "config/config_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "config/ini.h"
#include "config/option_reader.h"
#include "config/options.h"
#include "config/stream.h"

/* What keys of a section are about. */
enum section_kind {
    SECTION_SPILLWAY,
    SECTION_PORT,
    SECTION_WIRE,
    SECTION_SA,
    SECTION_ROUTE,
    SECTION_NEIGHBOR,
    SECTION_ROUTER,
    SECTION_IKE,
    SECTION_KINDS,
};

struct section {
    enum section_kind kind;
    const char *name; /* the port's, the wire's, …; NULL in [spillway] */
};

/* The file being read, and where in it. */
struct load {
    const char *path;
    const char *directory; /* NULL: the working one */
    struct section section;
    size_t section_settings;              /* settings before the section's first */
    unsigned int sections[SECTION_KINDS]; /* of each kind, so far */
    struct spill_settings *settings;
    struct spill_error *error;
};

/* More than any good file has: each key of a section is compared with those before it. */
#define KEYS_MAX 1024

/* Keys that a message lists, and its room for them. */
#define KEYS_LISTED 32
#define KEYS_TEXT   256

#define PORTS_MAX (SPILL_PORTS_MAX + SPILL_ROUTER_INTERFACES_MAX) /* with sub-ports */
#define SECTIONS_MAX                                                                               \
    (2 + PORTS_MAX + SPILL_WIRES_MAX + SPILL_OPTION_SAS_MAX + SPILL_OPTION_ROUTES_MAX +            \
     SPILL_OPTION_NEIGHBORS_MAX)

static bool is_prefix(const char *text)
{
    struct spill_ip_prefix prefix;

    return strchr(text, '/') != NULL && spill_ip_prefix_read(text, &prefix) &&
           spill_ip_prefix_is_exact(&prefix);
}

static bool is_address(const char *text)
{
    struct spill_ip ip;

    return spill_ip_read(text, &ip);
}

/* Of each kind of section. */
static const struct {
    const char *word;                  /* in its heading */
    bool (*is_name)(const char *text); /* what stands behind it; NULL: nothing */
    unsigned int most;
    const char *expected; /* of the name, where it is none of NAME_RULE */
} kinds[] = {
    [SECTION_SPILLWAY] = {"spillway", NULL, 1, NULL},
    [SECTION_PORT] = {"port", spill_is_interface_name, PORTS_MAX, NULL},
    [SECTION_WIRE] = {"wire", spill_is_name, SPILL_WIRES_MAX, NULL},
    [SECTION_SA] = {"sa", spill_is_name, SPILL_OPTION_SAS_MAX, NULL},
    [SECTION_ROUTE] = {"route", is_prefix, SPILL_OPTION_ROUTES_MAX,
                       "a prefix with no bit set beyond its length, as 10.9.0.0/16"},
    [SECTION_NEIGHBOR] = {"neighbor", is_address, SPILL_OPTION_NEIGHBORS_MAX,
                          "an address, as 10.9.0.1"},
    [SECTION_ROUTER] = {"router", NULL, 1, NULL},
    [SECTION_IKE] = {"ike", NULL, 1, NULL},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* @return false: it is none; `section` has its kind where that much is one, and no name */
static bool read_section(const char *text, struct section *section)
{
    *section = (struct section){SECTION_SPILLWAY, NULL};
    for (size_t i = 0; i < KINDS; i++) {
        size_t length = strlen(kinds[i].word);

        if (strncmp(text, kinds[i].word, length) != 0 ||
            text[length] != (kinds[i].is_name != NULL ? ' ' : '\0'))
            continue;
        *section =
            (struct section){(enum section_kind)i, kinds[i].is_name ? text + length + 1 : NULL};
        if (section->name == NULL || kinds[i].is_name(section->name))
            return true;
        section->name = NULL;
        return false;
    }
    return false;
}

/* Whether a row is of a section; [spillway] has besides what flags can say. */
static bool is_of(const struct spill_option *option, enum section_kind kind)
{
    switch (option->scope) {
    case SPILL_OPTION_PORT:
    case SPILL_OPTION_PER_PORT:
    case SPILL_OPTION_PER_INTERFACE:
        return kind == SECTION_PORT;
    case SPILL_OPTION_WIRE:
        return kind == SECTION_WIRE;
    case SPILL_OPTION_PER_SA:
        return kind == SECTION_SA;
    case SPILL_OPTION_PER_ROUTE:
        return kind == SECTION_ROUTE;
    case SPILL_OPTION_PER_NEIGHBOR:
        return kind == SECTION_NEIGHBOR;
    case SPILL_OPTION_ROUTER:
        return kind == SECTION_ROUTER;
    case SPILL_OPTION_IKE:
        return kind == SECTION_IKE;
    default:
        return false;
    }
}

/* What a row is called in its section. */
static const char *key_of(const struct spill_option *option)
{
    return option->key != NULL ? option->key : option->name;
}

/* The option a key stands for in a section, or NULL. */
static const struct spill_option *find_option(const struct section *section, const char *key)
{
    const struct spill_option *option;
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    if (section->kind == SECTION_SPILLWAY) {
        option = spill_option_find(key, false);
        return option == NULL || option->flag_only ? NULL : option;
    }
    for (option = table; option < table + count; option++) {
        if (is_of(option, section->kind) && strcmp(key_of(option), key) == 0)
            return option;
    }
    return NULL;
}

/* Writes the keys of a section, with `last` before the last one. */
static void list_keys(enum section_kind kind, const char *last, char *text, size_t size)
{
    struct spill_option_word keys[KEYS_LISTED + 1];
    size_t count, listed = 0;
    const struct spill_option *table = spill_option_table(&count);

    for (size_t i = 0; i < count && listed < KEYS_LISTED; i++) {
        if (is_of(&table[i], kind))
            keys[listed++].word = key_of(&table[i]);
    }
    keys[listed].word = NULL;
    spill_option_words(keys, last, text, size);
}

/* Refuses a key that is unknown in [sa NAME]: with the one that is near, or with all there are. */
static int refuse_sa_key(const struct load *load, const struct spill_ini_entry *entry)
{
    const char *nearest = spill_option_nearest(entry->key, true);
    char keys[KEYS_TEXT];

    if (nearest != NULL)
        return spill_error_set(load->error,
                               "%s:%u: key '%s' is unknown in [%s]: did you mean '%s'?", load->path,
                               entry->line, entry->key, entry->section, nearest);
    list_keys(SECTION_SA, ", ", keys, sizeof(keys));
    return spill_error_set(load->error, "%s:%u: key '%s' is unknown in [%s]: expected one of: %s",
                           load->path, entry->line, entry->key, entry->section, keys);
}

static int refuse_key(const struct load *load, const struct spill_ini_entry *entry)
{
    const struct spill_option *option = spill_option_find(entry->key, false);
    const char *nearest;

    if (load->section.kind == SECTION_SA)
        return refuse_sa_key(load, entry);
    if (load->section.kind != SECTION_SPILLWAY) {
        char keys[KEYS_TEXT];

        list_keys(load->section.kind, " or ", keys, sizeof(keys));
        return spill_error_set(load->error, "%s:%u: key '%s' is unknown in [%s]: expected %s",
                               load->path, entry->line, entry->key, entry->section, keys);
    }
    if (option == NULL && spill_option_find(entry->key, true) != NULL)
        return spill_error_set(load->error, "%s:%u: key '%s': expected in a section [sa NAME]",
                               load->path, entry->line, entry->key);
    if (option != NULL)
        return spill_error_set(load->error,
                               "%s:%u: key '%s' is a flag only: give --%s to the command",
                               load->path, entry->line, entry->key, entry->key);
    nearest = spill_option_nearest(entry->key, false);
    if (nearest != NULL && !spill_option_find(nearest, false)->flag_only)
        return spill_error_set(load->error, "%s:%u: key '%s' is unknown: did you mean '%s'?",
                               load->path, entry->line, entry->key, nearest);
    return spill_error_set(load->error,
                           "%s:%u: key '%s' is unknown: expected the name of a flag, as in --help",
                           load->path, entry->line, entry->key);
}

static bool has_key(const struct spill_ini *ini, size_t heading, const char *key)
{
    for (size_t i = heading + 1; i < ini->count && ini->entries[i].key[0] != '\0'; i++) {
        if (strcmp(ini->entries[i].key, key) == 0)
            return true;
    }
    return false;
}

static int check_required(const struct load *load, const struct spill_ini *ini, size_t heading)
{
    const struct spill_ini_entry *entry = &ini->entries[heading];
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    for (const struct spill_option *row = table; row < table + count; row++) {
        const char *key = key_of(row);
        char form[SPILL_OPTION_TEXT_SIZE];

        if (!row->required || !is_of(row, load->section.kind) || has_key(ini, heading, key) ||
            (row->scope == SPILL_OPTION_PORT && has_key(ini, heading, "parent")))
            continue;
        if (row->form != NULL)
            snprintf(form, sizeof(form), "%s", row->form);
        else if (row->kind == SPILL_OPTION_WORD)
            spill_option_words(row->words, " or ", form, sizeof(form));
        else
            spill_option_argument(row, form, sizeof(form));
        return spill_error_set(load->error, "%s:%u: section [%s] has no key '%s': expected %s = %s",
                               load->path, entry->line, entry->section, key, key, form);
    }
    return 0;
}

/* Begins a section: it must be known and have the keys that it needs. */
static int take_heading(struct load *load, const struct spill_ini *ini, size_t index)
{
    const struct spill_ini_entry *entry = &ini->entries[index];

    if (!read_section(entry->section, &load->section) && kinds[load->section.kind].expected != NULL)
        return spill_error_set(load->error, "%s:%u: section [%s]: expected %s", load->path,
                               entry->line, entry->section, kinds[load->section.kind].expected);
    if (!read_section(entry->section, &load->section))
        return spill_error_set(load->error,
                               "%s:%u: section [%s] is unknown: expected [spillway], [port NAME], "
                               "[wire NAME] or [sa NAME], NAME of " SPILL_NAME_RULE
                               ", [router], [ike], [route PREFIX] or [neighbor ADDRESS]",
                               load->path, entry->line, entry->section);
    if (++load->sections[load->section.kind] > kinds[load->section.kind].most)
        return spill_error_set(load->error,
                               "%s:%u: section [%s]: expected at most %u sections [%s NAME]",
                               load->path, entry->line, entry->section,
                               kinds[load->section.kind].most, kinds[load->section.kind].word);
    load->section_settings = load->settings->count;
    return check_required(load, ini, index);
}

/* A heading, and what it says however that is spelled. */
struct heading {
    const struct spill_ini_entry *entry;
    char text[SPILL_IP_PREFIX_TEXT + SPILL_INI_NAME_SIZE];
};

static void set_heading(struct heading *heading, const struct spill_ini_entry *entry)
{
    char address[SPILL_IP_PREFIX_TEXT];
    struct spill_ip_prefix prefix;
    struct section section;
    const char *name;

    heading->entry = entry;
    if (!read_section(entry->section, &section) || kinds[section.kind].expected == NULL) {
        snprintf(heading->text, sizeof(heading->text), "%s", entry->section);
        return;
    }
    if (section.kind == SECTION_ROUTE) {
        spill_ip_prefix_read(section.name, &prefix);
        name = spill_ip_prefix_write(&prefix, address);
    } else {
        spill_ip_read(section.name, &prefix.address);
        name = spill_ip_write(&prefix.address, address);
    }
    snprintf(heading->text, sizeof(heading->text), "%s %s", kinds[section.kind].word, name);
}

/* By what they say, then in the order of the file. */
static int compare_headings(const void *left, const void *right)
{
    const struct heading *first = left, *second = right;
    int order = strcmp(first->text, second->text);

    return order != 0 ? order : (first->entry > second->entry) - (first->entry < second->entry);
}

/* Refuses a second heading of a section. Sorted, as there may be thousands. */
static int check_headings(const struct load *load, const struct spill_ini *ini)
{
    struct heading *headings;
    size_t count = 0;
    int status = 0;

    if (ini->count == 0)
        return 0;
    headings = calloc(ini->count, sizeof(*headings));
    if (headings == NULL)
        return spill_error_set(load->error, "%s: out of memory", load->path);
    for (size_t i = 0; i < ini->count; i++) {
        if (ini->entries[i].key[0] == '\0')
            set_heading(&headings[count++], &ini->entries[i]);
    }
    qsort(headings, count, sizeof(*headings), compare_headings);
    for (size_t i = 1; status == 0 && i < count; i++) {
        if (strcmp(headings[i].text, headings[i - 1].text) == 0)
            status = spill_error_set(load->error, "%s:%u: section [%s] stands in line %u already",
                                     load->path, headings[i].entry->line,
                                     headings[i].entry->section, headings[i - 1].entry->line);
    }
    free(headings);
    return status;
}

/* Two settings that say the same thing; wires without a name are told apart by their ends later. */
static bool same_thing(const struct spill_setting *left, const struct spill_setting *right)
{
    if (left->option != right->option)
        return false;
    if (left->instance == NULL || right->instance == NULL)
        return left->instance == right->instance && left->option->scope != SPILL_OPTION_WIRE;
    return strcmp(left->instance, right->instance) == 0;
}

/* Refuses what was said before: in the same section, or in [spillway] what [port NAME] says too. */
static int check_once(const struct load *load)
{
    const struct spill_settings *settings = load->settings;
    const struct spill_setting *added = &settings->list[settings->count - 1];
    /* Of some there may be thousands; their headings are compared. */
    size_t first = load->section.kind >= SECTION_SA ? load->section_settings : 0;

    for (size_t i = first; i + 1 < settings->count; i++) {
        if (same_thing(&settings->list[i], added))
            return spill_error_set(load->error, "%s: given already: %s", added->where,
                                   settings->list[i].where);
    }
    return 0;
}

/* Appends what a key sets. */
static int take_key(struct load *load, const struct spill_ini_entry *entry)
{
    const struct spill_option *option = find_option(&load->section, entry->key);
    char *where;
    int status;

    if (option == NULL)
        return refuse_key(load, entry);
    if (load->settings->count - load->section_settings == KEYS_MAX)
        return spill_error_set(load->error,
                               "%s:%u: key '%s': expected at most %d keys in a section", load->path,
                               entry->line, entry->key, KEYS_MAX);
    if (asprintf(&where, "%s:%u: key '%s', value '%.100s'", load->path, entry->line, entry->key,
                 entry->value) < 0)
        return spill_error_set(load->error, "%s: out of memory", load->path);
    status = spill_settings_add(load->settings, option, load->section.name, entry->value, where,
                                load->directory, load->error);
    free(where);
    return status == 0 ? check_once(load) : -1;
}

int spill_config_file_read(FILE *file, const char *path, struct spill_settings *settings,
                           struct spill_error *error)
{
    const char *slash = strrchr(path, '/');
    char *directory =
        slash == NULL ? NULL : strndup(path, (size_t)(slash - path) + (slash == path));
    struct load load = {.path = path, .directory = directory, .settings = settings, .error = error};
    struct spill_ini ini = {0};
    int status;

    status = spill_ini_read(file, path, SECTIONS_MAX, &ini, error);
    if (status == 0)
        status = check_headings(&load, &ini);
    for (size_t i = 0; status == 0 && i < ini.count; i++) {
        if (ini.entries[i].key[0] == '\0')
            status = take_heading(&load, &ini, i);
        else
            status = take_key(&load, &ini.entries[i]);
    }
    spill_ini_free(&ini);
    free(directory);
    return status;
}

int spill_config_file_load(const char *path, const struct spill_token *stop,
                           struct spill_settings *settings, struct spill_error *error)
{
    struct spill_stream stream;
    int status;

    if (spill_stream_open(path, stop, &stream, error) != 0)
        return -1;
    status = spill_config_file_read(stream.file, path, settings, error);
    spill_stream_close(&stream, error);
    return status;
}
