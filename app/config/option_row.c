/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of options: how one is found, and what it says of itself. */
#include "config/option_row.h"

#include <stdio.h>
#include <string.h>

#include "config/units.h"

static bool is_meant(const struct spill_option *row, bool per_sa)
{
    return per_sa ? row->scope == SPILL_OPTION_PER_SA : spill_option_is_flag(row);
}

const struct spill_option *spill_option_find_in(const struct spill_option_table *table,
                                                const char *name, bool per_sa)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spill_option *row = &table->rows[i];

        if (is_meant(row, per_sa) && strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

#define NAME_MAX_COMPARED 31

/* Levenshtein's distance, one row at a time. */
static unsigned int edit_distance(const char *left, const char *right)
{
    unsigned int row[NAME_MAX_COMPARED + 1];
    size_t columns = strlen(right);

    for (unsigned int j = 0; j <= columns; j++)
        row[j] = j;
    for (unsigned int i = 1; left[i - 1] != '\0'; i++) {
        unsigned int diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            unsigned int substituted = diagonal + (left[i - 1] != right[j - 1]);
            unsigned int nearest = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

            diagonal = row[j];
            row[j] = substituted < nearest ? substituted : nearest;
        }
    }
    return row[columns];
}

const char *spill_option_nearest_in(const struct spill_option_table *table, const char *name,
                                    bool per_sa)
{
    size_t length = strlen(name);
    const char *nearest = NULL;
    unsigned int least;

    if (length < 2 || length > NAME_MAX_COMPARED)
        return NULL;
    /* An option that begins so is meant; else at most a third of the letters may be wrong. */
    least = (unsigned int)length / 3 + 2;
    for (size_t i = 0; i < table->count; i++) {
        const struct spill_option *row = &table->rows[i];
        unsigned int distance;

        if (!is_meant(row, per_sa))
            continue;
        distance = edit_distance(name, row->name);
        if (strncmp(row->name, name, length) == 0)
            return row->name;
        if (distance < least) {
            least = distance;
            nearest = row->name;
        }
    }
    return nearest;
}

static const char *join_words(const struct spill_option_word *words, const char *separator,
                              const char *last, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; words[i].word != NULL && used < size; i++) {
        const char *before = i == 0 ? "" : words[i + 1].word == NULL ? last : separator;

        used += (size_t)snprintf(text + used, size - used, "%s%s", before, words[i].word);
    }
    return text;
}

const char *spill_option_words(const struct spill_option_word *words, const char *last, char *text,
                               size_t size)
{
    return join_words(words, ", ", last, text, size);
}

const char *spill_option_argument(const struct spill_option *option, char *text, size_t size)
{
    static const char *const before[] = {
        [SPILL_OPTION_PER_PORT] = "NAME:",
        [SPILL_OPTION_PER_CLASS] = "CLASS=",
        [SPILL_OPTION_ROUTER] = "",
        [SPILL_OPTION_IKE] = "",
    };
    const char *prefix = before[option->scope] != NULL ? before[option->scope] : "";
    const char *own = option->argument;
    char words[SPILL_OPTION_TEXT_SIZE];

    if (own == NULL && option->kind == SPILL_OPTION_WORD)
        own = join_words(option->words, "|", "|", words, sizeof(words));
    else if (own == NULL)
        own = option->kind == SPILL_OPTION_ON_OFF   ? "on|off"
              : option->kind == SPILL_OPTION_YES_NO ? "yes|no"
              : option->kind == SPILL_OPTION_TIME   ? "TIME"
              : option->kind == SPILL_OPTION_CPUS   ? "LIST"
              : option->kind == SPILL_OPTION_FILE   ? "FILE"
              : option->most > 0                    ? "N"
                                                    : "";
    snprintf(text, size, "%s%s", prefix, own);
    return text;
}

/* "1 to 64", "from 1". */
static void write_numbers(const struct spill_option *option, const char *before, char *text,
                          size_t size)
{
    const char *(*format)(uint64_t, char *, size_t) =
        option->kind == SPILL_OPTION_TIME ? spill_units_format_time : spill_units_format_size;
    char least[SPILL_UNITS_TEXT_SIZE], most[SPILL_UNITS_TEXT_SIZE];

    format(option->least, least, sizeof(least));
    format(option->most, most, sizeof(most));
    if (option->most == UINT64_MAX)
        snprintf(text, size, "%sfrom %s", before, least);
    else
        snprintf(text, size, "%s%s to %s", before, least, most);
}

const char *spill_option_range(const struct spill_option *option, char *text, size_t size)
{
    text[0] = '\0';
    if (option->range != NULL) {
        snprintf(text, size, "%s", option->range);
        return text;
    }
    switch (option->kind) {
    case SPILL_OPTION_SWITCH:
    case SPILL_OPTION_ON_OFF:
        snprintf(text, size, "on, off");
        break;
    case SPILL_OPTION_YES_NO:
        snprintf(text, size, "yes, no");
        break;
    case SPILL_OPTION_NUMBER:
    case SPILL_OPTION_TIME:
        write_numbers(option, "", text, size);
        break;
    case SPILL_OPTION_POWER_OF_TWO:
        write_numbers(option, "powers of two, ", text, size);
        break;
    case SPILL_OPTION_WORD:
        spill_option_words(option->words, ", ", text, size);
        break;
    default:
        break;
    }
    return text;
}

/* ------------------------------------------------------------------------------------ --help */

#define HELP_COLUMN 30 /* where the help texts begin */
#define LAST_COLUMN 79

/* Prints words from `column` on, and wraps them between HELP_COLUMN and LAST_COLUMN. */
static size_t print_wrapped(const char *text, size_t column)
{
    while (*text != '\0') {
        size_t length = strcspn(text, " ");

        if (column > HELP_COLUMN && column + 1 + length > LAST_COLUMN) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    return column;
}

static void print_option(const struct spill_option *option)
{
    const char *dashes = spill_option_is_flag(option) ? "--" : "";
    int used = printf("  %s%s", dashes, option->name);
    char argument[SPILL_OPTION_TEXT_SIZE], preset[64], absent[64];
    size_t column;

    if (spill_option_argument(option, argument, sizeof(argument))[0] != '\0')
        used += printf(" %s", argument);
    if (used + 1 > HELP_COLUMN) {
        putchar('\n');
        used = 0;
    }
    printf("%*s", HELP_COLUMN - used, "");
    column = print_wrapped(option->help, HELP_COLUMN);
    if (option->absent != NULL) {
        snprintf(absent, sizeof(absent), "not given: %s", option->absent);
        putchar(';');
        column = print_wrapped(absent, column + 1);
    }
    if (option->preset != NULL) {
        snprintf(preset, sizeof(preset), "[%s]", option->preset);
        print_wrapped(preset, column);
    }
    putchar('\n');
}

void spill_option_print(const struct spill_option_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spill_option *row = &table->rows[i];
        const struct spill_option_group *group = &table->groups[row->group];

        if (i == 0 || row->group != row[-1].group)
            printf("\n%s%s:\n", group->title, group->note != NULL ? group->note : "");
        print_option(row);
    }
}
