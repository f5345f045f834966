/* SPDX-License-Identifier: BSD-3-Clause */
/* An INI file: a strict scan for errors and line numbers, then rte_cfgfile. */
#include "ini.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "grow.h"

#define LINES_MAX      100000
#define LINE_BYTES_MAX 4096

/* The scan of one file; its lines array tells where rte_cfgfile's n-th item stood. */
struct scan {
    const char *path;
    unsigned int line;     /* the one being read */
    unsigned int sections; /* so far */
    unsigned int sections_max;
    FILE *copy;          /* what rte_cfgfile will read */
    size_t count;        /* of items: headings and keys */
    unsigned int *lines; /* owned; of each item */
    struct spill_error *error;
};

/* Cuts blanks off both ends, in place. */
static char *strip(char *text)
{
    size_t length;

    while (isspace((unsigned char)*text))
        text++;
    length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* Makes each run of blanks one blank, in place. */
static void squeeze(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (!isspace((unsigned char)*from))
            *to++ = *from;
        else if (!isspace((unsigned char)from[1]))
            *to++ = ' ';
    }
    *to = '\0';
}

static int note_item(struct scan *scan)
{
    unsigned int *lines = spill_grow(scan->lines, scan->count, sizeof(*lines));

    if (lines == NULL)
        return spill_error_set(scan->error, "%s: out of memory", scan->path);
    scan->lines = lines;
    lines[scan->count++] = scan->line;
    return 0;
}

static int scan_heading(struct scan *scan, char *text)
{
    char *end = strchr(text, ']');
    char *name = text + 1;

    if (end == NULL || end[1] != '\0')
        return spill_error_set(scan->error, "%s:%u: '%.100s': expected [section] and nothing else",
                               scan->path, scan->line, text);
    *end = '\0';
    name = strip(name);
    squeeze(name);
    if (name[0] == '\0' || strlen(name) >= CFG_NAME_LEN)
        return spill_error_set(scan->error,
                               "%s:%u: section '%.100s': expected a name of 1 to %d bytes",
                               scan->path, scan->line, name, CFG_NAME_LEN - 1);
    if (++scan->sections > scan->sections_max)
        return spill_error_set(scan->error, "%s:%u: section '%s': expected at most %u sections",
                               scan->path, scan->line, name, scan->sections_max);
    fprintf(scan->copy, "[%s]\n", name);
    return note_item(scan);
}

static int scan_key(struct scan *scan, char *text)
{
    char *equals = strchr(text, '=');
    char *key, *value;

    if (equals == NULL)
        return spill_error_set(scan->error, "%s:%u: '%.100s': expected key = value", scan->path,
                               scan->line, text);
    *equals = '\0';
    key = strip(text);
    value = strip(equals + 1);
    if (key[0] == '\0' || strlen(key) >= CFG_NAME_LEN)
        return spill_error_set(scan->error, "%s:%u: key '%.100s': expected a name of 1 to %d bytes",
                               scan->path, scan->line, key, CFG_NAME_LEN - 1);
    if (scan->sections == 0)
        return spill_error_set(scan->error,
                               "%s:%u: key '%s' stands before any section: expected [spillway] "
                               "above it",
                               scan->path, scan->line, key);
    if (value[0] == '\0' || strlen(value) >= CFG_VALUE_LEN)
        return spill_error_set(scan->error,
                               "%s:%u: key '%s', value '%.100s': expected 1 to %d bytes",
                               scan->path, scan->line, key, value, CFG_VALUE_LEN - 1);
    fprintf(scan->copy, "%s=%s\n", key, value);
    return note_item(scan);
}

static int scan_line(struct scan *scan, char *line, size_t length)
{
    char *text;

    /* Also keeps messages one line, and rte_cfgfile from seeing other ends of a line than ours. */
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)line[i];

        if ((byte < ' ' && strchr("\t\r\n", byte) == NULL) || byte == '\0' || byte == 0x7f)
            return spill_error_set(scan->error, "%s:%u: byte 0x%02x: expected text", scan->path,
                                   scan->line, byte);
    }
    line[strcspn(line, ";")] = '\0';
    text = strip(line);
    if (strchr(text, '\r') != NULL)
        return spill_error_set(scan->error, "%s:%u: byte 0x0d: expected text", scan->path,
                               scan->line);
    if (text[0] == '\0' || text[0] == '#')
        return 0;
    return text[0] == '[' ? scan_heading(scan, text) : scan_key(scan, text);
}

/* Reads a line into room for LINE_BYTES_MAX and a NUL. Returns its length, end included; 0 at the
 * end of the file, -1 with an error. */
static ssize_t read_line(const struct scan *scan, FILE *file, char *line)
{
    size_t length = 0;
    int byte = 0;

    while (byte != '\n' && (byte = getc_unlocked(file)) != EOF) {
        if (length == LINE_BYTES_MAX)
            return spill_error_set(scan->error, "%s:%u: expected a line of at most %d bytes",
                                   scan->path, scan->line + 1, LINE_BYTES_MAX);
        line[length++] = (char)byte;
    }
    line[length] = '\0';
    if (ferror(file))
        return spill_error_set(scan->error, "%s: cannot be read: %s", scan->path, strerror(errno));
    return (ssize_t)length;
}

static int scan_file(struct scan *scan, FILE *file)
{
    char line[LINE_BYTES_MAX + 1];
    ssize_t length;
    int status = 0;

    while (status == 0 && (length = read_line(scan, file, line)) != 0) {
        if (length < 0)
            return -1;
        if (++scan->line > LINES_MAX)
            status = spill_error_set(scan->error, "%s:%u: expected at most %d lines", scan->path,
                                     scan->line, LINES_MAX);
        else
            status = scan_line(scan, line, (size_t)length);
    }
    if (status == 0 && fflush(scan->copy) != 0)
        status =
            spill_error_set(scan->error, "%s: cannot be copied: %s", scan->path, strerror(errno));
    return status;
}

/* Fills ini->entries, which has room for scan->count of them. */
static int take_entries(const struct scan *scan, struct rte_cfgfile *file, struct spill_ini *ini)
{
    struct rte_cfgfile_entry *keys = calloc(scan->count, sizeof(*keys));
    int sections = rte_cfgfile_num_sections(file, NULL, 0);

    for (int i = 0; keys != NULL && i < sections; i++) {
        char name[CFG_NAME_LEN];
        int count = rte_cfgfile_section_num_entries_by_index(file, name, i);

        if (count < 0 || ini->count + 1 + (size_t)count > scan->count)
            break;
        rte_cfgfile_section_entries_by_index(file, i, name, keys, count);
        for (int j = -1; j < count; j++) {
            struct spill_ini_entry *entry = &ini->entries[ini->count];

            entry->line = scan->lines[ini->count++];
            memcpy(entry->section, name, sizeof(entry->section));
            if (j >= 0) {
                memcpy(entry->key, keys[j].name, sizeof(entry->key));
                memcpy(entry->value, keys[j].value, sizeof(entry->value));
            }
        }
    }
    free(keys);
    /* Each line that the scan took for an item must be one: else the line numbers would lie. */
    return ini->count == scan->count ? 0 : -1;
}

static int load_copy(const struct scan *scan, struct spill_ini *ini)
{
    const struct rte_cfgfile_parameters parameters = {.comment_character = ';'};
    char path[64];
    struct rte_cfgfile *file;
    int status = -1;

    if (scan->count == 0)
        return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(scan->copy));
    file = rte_cfgfile_load_with_params(path, 0, &parameters);
    ini->entries = calloc(scan->count, sizeof(*ini->entries));
    if (file != NULL && ini->entries != NULL)
        status = take_entries(scan, file, ini);
    if (file != NULL)
        rte_cfgfile_close(file);
    if (status != 0) {
        spill_ini_free(ini);
        spill_error_set(scan->error, "%s: DPDK's parser of configuration files refuses it",
                        scan->path);
    }
    return status;
}

static FILE *open_copy(void)
{
    int descriptor = memfd_create("spillway-config", MFD_CLOEXEC);
    FILE *copy = descriptor < 0 ? NULL : fdopen(descriptor, "w");

    if (copy == NULL && descriptor >= 0)
        close(descriptor);
    return copy;
}

int spill_ini_read(FILE *file, const char *name, unsigned int sections_max, struct spill_ini *ini,
                   struct spill_error *error)
{
    struct scan scan = {
        .path = name, .error = error, .copy = open_copy(), .sections_max = sections_max};
    int status;

    *ini = (struct spill_ini){0};
    if (scan.copy == NULL)
        return spill_error_set(error, "%s: cannot be copied: %s", name, strerror(errno));
    status = scan_file(&scan, file);
    if (status == 0)
        status = load_copy(&scan, ini);
    fclose(scan.copy);
    free(scan.lines);
    return status;
}

void spill_ini_free(struct spill_ini *ini)
{
    free(ini->entries);
    *ini = (struct spill_ini){0};
}
