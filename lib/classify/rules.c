/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads rule files: files within files, lines, and statements that are no rules. */
#include "classify/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classify/rule_levels.h"
#include "classify/rule_reader.h"
#include "classify/rule_words.h"

#define DEPTH_MAX 8 /* files within files */
#define BLANKS    " \t\v\f\r"

/* A file being read. */
struct open_file {
    struct spill_rule_file file;
    struct spill_rule_location location;
    uint8_t set; /* whose prefixes it has; 0: it has rules */
};

struct reader {
    const struct spill_rule_files *files;
    struct spill_ruleset *ruleset;
    struct open_file open[DEPTH_MAX]; /* the last is read */
    unsigned depth;
};

/* ----------------------------------------------------------------------------------- files */

/* The path of a file that is named in another: relative to that one's folder. NULL: no memory. */
static char *resolve(const char *in, const char *path)
{
    const char *slash = strrchr(in, '/');
    char *result;

    if (path[0] == '/' || slash == NULL)
        return strdup(path);
    if (asprintf(&result, "%.*s/%s", (int)(slash - in), in, path) < 0)
        return NULL;
    return result;
}

/* The name of a file, kept with the rules. NULL: no memory, or too many. */
static const char *keep_name(struct spill_ruleset *ruleset, char *path)
{
    char **paths = reallocarray(ruleset->paths, ruleset->path_count + 1u, sizeof(*paths));

    if (paths == NULL)
        return NULL;
    ruleset->paths = paths;
    paths[ruleset->path_count++] = path;
    return path;
}

/* Goes on with a file that the present one names; its lines are rules, or prefixes of a set. */
static int open_file(struct reader *reader, const char *path, uint8_t set)
{
    const struct spill_rule_location *location = &reader->open[reader->depth - 1].location;
    struct open_file *next = &reader->open[reader->depth];
    struct spill_error error = {.text = ""};
    char *resolved;

    if (reader->files == NULL)
        return spill_rule_error(location, "%.80s: no file can be named here", path);
    if (reader->depth == DEPTH_MAX)
        return spill_rule_error(location, "%.80s: files within files, more than %u deep", path,
                                DEPTH_MAX);
    if (reader->ruleset->path_count == SPILL_RULE_FILES_MAX)
        return spill_rule_error(location, "%.80s: more than %u files", path, SPILL_RULE_FILES_MAX);
    resolved = resolve(location->name, path);
    *next = (struct open_file){.set = set, .location = {.line = 1, .error = location->error}};
    next->location.file = (uint16_t)reader->ruleset->path_count;
    next->location.name = resolved == NULL ? NULL : keep_name(reader->ruleset, resolved);
    if (next->location.name == NULL) {
        free(resolved);
        return spill_rule_error(location, "no memory for a file's name");
    }
    if (reader->files->open(reader->files->context, resolved, &next->file, &error) != 0)
        return spill_rule_error(location, "%s", error.text);
    reader->depth++;
    return 0;
}

/* The first file is its reader's to close. */
static void close_file(struct reader *reader)
{
    struct open_file *last = &reader->open[--reader->depth];

    if (reader->depth > 0)
        reader->files->close(reader->files->context, &last->file, last->location.error);
}

/* ----------------------------------------------------------------------------------- lines */

/* NAME = [PREFIX...] [file PATH] */
static int read_set(struct reader *reader, const struct spill_rule_location *location, char *rest)
{
    const char *name = spill_rule_next_word(&rest),
               *word = name == NULL ? NULL : spill_rule_next_word(&rest);
    uint8_t set;

    if (word == NULL || strcmp(word, "=") != 0)
        return spill_rule_error(location,
                                "'%.80s': set NAME = PREFIX... [file PATH] is expected here",
                                word != NULL ? word : "end of line");
    set = spill_rule_set_add(location, reader->ruleset, name);
    if (set == 0)
        return -1;
    while ((word = spill_rule_next_word(&rest)) != NULL && strcmp(word, "file") != 0)
        if (spill_rule_set_prefix(location, reader->ruleset, set, word) != 0)
            return -1;
    if (word == NULL)
        return 0;
    word = spill_rule_next_word(&rest);
    if (word == NULL)
        return spill_rule_error(location, "no path after 'file'");
    if (spill_rule_next_word(&rest) != NULL)
        return spill_rule_error(location, "set %s: nothing is expected behind the file", name);
    return open_file(reader, word, set);
}

/* PATH */
static int read_include(struct reader *reader, const struct spill_rule_location *location,
                        char *rest)
{
    const char *path = spill_rule_next_word(&rest);

    if (path == NULL)
        return spill_rule_error(location, "no path after 'include'");
    if (spill_rule_next_word(&rest) != NULL)
        return spill_rule_error(location, "include %.80s: nothing is expected behind the path",
                                path);
    return open_file(reader, path, 0);
}

/* As it is told when it changes: without blanks behind it. Returns where it begins; 0: no memory.
 */
static uint32_t keep_line(struct spill_ruleset *ruleset, char *line)
{
    size_t length = strlen(line);

    while (length > 0 && strchr(BLANKS, line[length - 1]) != NULL)
        length--;
    line[length] = '\0';
    return spill_rule_keep_text(&ruleset->lines, line);
}

static int read_rule(const struct spill_rule_location *location, char *line,
                     struct spill_ruleset *ruleset)
{
    struct spill_rule rule = {
        .last_port = {UINT16_MAX, UINT16_MAX}, .line = location->line, .file = location->file};
    struct spill_rule_words words;

    rule.text = keep_line(ruleset, line);
    if (rule.text == 0)
        return spill_rule_error(location, "no memory for another line");
    if (spill_rule_split(location, line, &words) != 0)
        return -1;
    if (words.word[0][0] == '@' ? spill_rule_read_filter(location, &words, ruleset, &rule) != 0
                                : spill_rule_read_text(location, &words, ruleset, &rule) != 0)
        return -1;
    if (words.word[words.next] != NULL)
        return spill_rule_error(location, "'%.80s': nothing is expected behind the rule",
                                spill_rule_shown(&words));
    return 0;
}

/* Whether a line begins with this word; then `rest` is behind it. */
static bool begins_with(char *line, const char *word, char **rest)
{
    const size_t length = strlen(word);

    if (strncmp(line, word, length) != 0 || strchr(BLANKS, line[length]) == NULL)
        return false;
    *rest = line + length;
    return true;
}

static int read_prefix(struct reader *reader, const struct spill_rule_location *location,
                       uint8_t set, char *line)
{
    const char *prefix = spill_rule_next_word(&line);

    if (spill_rule_next_word(&line) != NULL)
        return spill_rule_error(location, "a file of prefixes has one a line");
    return spill_rule_set_prefix(location, reader->ruleset, set, prefix);
}

static int read_statement(struct reader *reader, const struct open_file *file, char *line)
{
    char *rest;

    line += strspn(line, BLANKS);
    if (*line == '\0')
        return 0;
    if (file->set != 0)
        return read_prefix(reader, &file->location, file->set, line);
    if (begins_with(line, "set", &rest))
        return read_set(reader, &file->location, rest);
    if (begins_with(line, "include", &rest))
        return read_include(reader, &file->location, rest);
    return read_rule(&file->location, line, reader->ruleset);
}

/* Reads a line without its end and comment. Returns 1, 0 at the end of the file, -1 with an error.
 */
static int read_line(FILE *file, const struct spill_rule_location *location, char *line)
{
    size_t size = 0;
    int byte;

    while ((byte = getc_unlocked(file)) != EOF && byte != '\n') {
        if (byte == '\0')
            return spill_rule_error(location, "a NUL byte; a rule file is text");
        if (size == SPILL_RULES_MAX_LINE)
            return spill_rule_error(location, "the line is longer than %u bytes",
                                    SPILL_RULES_MAX_LINE);
        line[size++] = (char)byte;
    }
    if (ferror(file))
        return spill_rule_error(location, "can't read: %s", strerror(errno));
    line[size] = '\0';
    spill_rule_cut_comment(line);
    return byte == EOF && size == 0 ? 0 : 1;
}

static int read_all(struct reader *reader)
{
    char line[SPILL_RULES_MAX_LINE + 1];

    while (reader->depth > 0) {
        struct open_file *file = &reader->open[reader->depth - 1];
        const int result = read_line(file->file.stream, &file->location, line);

        if (result < 0 || (result > 0 && read_statement(reader, file, line) != 0))
            return -1;
        file->location.line++;
        if (result == 0)
            close_file(reader);
    }
    return 0;
}

struct spill_ruleset *spill_rules_read(FILE *file, const char *name,
                                       const struct spill_rule_files *files,
                                       struct spill_error *error)
{
    struct reader reader = {
        .files = files, .ruleset = calloc(1, sizeof(*reader.ruleset)), .depth = 1};
    char *path = strdup(name);
    int result;

    if (reader.ruleset == NULL || path == NULL || keep_name(reader.ruleset, path) == NULL) {
        spill_error_set(error, "%s: no memory for the rules", name);
        free(path);
        free(reader.ruleset);
        return NULL;
    }
    reader.open[0] = (struct open_file){.file.stream = file,
                                        .location = {.name = path, .line = 1, .error = error}};
    result = read_all(&reader);
    while (reader.depth > 0)
        close_file(&reader);
    if (result == 0 && spill_rule_levels_assign(reader.ruleset, error) == 0)
        return reader.ruleset;
    spill_rules_free(reader.ruleset);
    return NULL;
}
