/* SPDX-License-Identifier: BSD-3-Clause */
/* An INI file, line by line. */
#include "config/ini.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/grow.h"

#define LINES_MAX      100000
#define LINE_BYTES_MAX 4096

/* The scan of one file. */
struct scan {
    const char *path;
    unsigned int line;     /* the one being read */
    unsigned int sections; /* so far */
    unsigned int sections_max;
    struct spill_ini *ini;
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

/* Appends what the line has; a heading has no key, a key stands in the last section. */
static int add_entry(struct scan *scan, const char *section, const char *key, const char *value)
{
    struct spill_ini *ini = scan->ini;
    struct spill_ini_entry *entries = spill_grow(ini->entries, ini->count, sizeof(*entries));
    struct spill_ini_entry *entry;

    if (entries == NULL)
        return spill_error_set(scan->error, "%s: out of memory", scan->path);
    ini->entries = entries;
    entry = &entries[ini->count];
    entry->line = scan->line;
    snprintf(entry->section, sizeof(entry->section), "%s",
             section != NULL ? section : entry[-1].section);
    snprintf(entry->key, sizeof(entry->key), "%s", key);
    snprintf(entry->value, sizeof(entry->value), "%s", value);
    ini->count++;
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
    if (name[0] == '\0' || strlen(name) >= SPILL_INI_NAME_SIZE)
        return spill_error_set(scan->error,
                               "%s:%u: section '%.100s': expected a name of 1 to %d bytes",
                               scan->path, scan->line, name, SPILL_INI_NAME_SIZE - 1);
    if (++scan->sections > scan->sections_max)
        return spill_error_set(scan->error, "%s:%u: section '%s': expected at most %u sections",
                               scan->path, scan->line, name, scan->sections_max);
    return add_entry(scan, name, "", "");
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
    if (key[0] == '\0' || strlen(key) >= SPILL_INI_NAME_SIZE)
        return spill_error_set(scan->error, "%s:%u: key '%.100s': expected a name of 1 to %d bytes",
                               scan->path, scan->line, key, SPILL_INI_NAME_SIZE - 1);
    if (scan->sections == 0)
        return spill_error_set(scan->error,
                               "%s:%u: key '%s' stands before any section: expected [spillway] "
                               "above it",
                               scan->path, scan->line, key);
    if (value[0] == '\0' || strlen(value) >= SPILL_INI_VALUE_SIZE)
        return spill_error_set(scan->error,
                               "%s:%u: key '%s', value '%.100s': expected 1 to %d bytes",
                               scan->path, scan->line, key, value, SPILL_INI_VALUE_SIZE - 1);
    return add_entry(scan, NULL, key, value);
}

static int scan_line(struct scan *scan, char *line, size_t length)
{
    char *text;

    /* Also keeps messages one line. */
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
    return status;
}

int spill_ini_read(FILE *file, const char *name, unsigned int sections_max, struct spill_ini *ini,
                   struct spill_error *error)
{
    struct scan scan = {.path = name, .error = error, .ini = ini, .sections_max = sections_max};

    *ini = (struct spill_ini){0};
    if (scan_file(&scan, file) == 0)
        return 0;
    spill_ini_free(ini);
    return -1;
}

void spill_ini_free(struct spill_ini *ini)
{
    free(ini->entries);
    *ini = (struct spill_ini){0};
}
