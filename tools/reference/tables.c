/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of options for docs/reference.md, from their rows; `write` puts them there. */
#include <stdio.h>

#include "config/option_table.h"

/* A '|' would end the cell. */
static void print_escaped(const char *text)
{
    for (; *text != '\0'; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_section(const struct spill_option *row)
{
    if (!spill_option_is_flag(row))
        return;
    if (row->flag_only)
        printf(" - |");
    else if (row->scope == SPILL_OPTION_PORT || row->scope == SPILL_OPTION_WIRE)
        printf(" `%s` in `[%s NAME]` |", row->key, row->name);
    else
        printf(" `[%s]` |", row->scope == SPILL_OPTION_PER_PORT ? "port NAME" : "spillway");
}

static void print_default(const struct spill_option *row)
{
    if (row->preset != NULL)
        printf(" `%s` |", row->preset);
    else if (row->kind == SPILL_OPTION_ACTION)
        printf(" |");
    else if (row->kind == SPILL_OPTION_SWITCH)
        printf(" off |");
    else if (row->required && !spill_option_is_flag(row))
        printf(" must be there |");
    else
        printf(" %s |", row->absent != NULL ? row->absent : "none");
}

static void print_row(const struct spill_option *row)
{
    char text[SPILL_OPTION_TEXT_SIZE];

    printf("| `%s%s", spill_option_is_flag(row) ? "--" : "", row->name);
    if (spill_option_argument(row, text, sizeof(text))[0] != '\0') {
        putchar(' ');
        print_escaped(text);
    }
    printf("` |");
    print_section(row);
    print_default(row);
    if (spill_option_range(row, text, sizeof(text))[0] != '\0')
        printf(" %s", text);
    printf(" | ");
    print_escaped(row->help);
    printf("%s |\n", !spill_option_is_flag(row)            ? ""
                     : row->when == SPILL_OPTION_AT_RELOAD ? "; read again at SIGHUP"
                     : row->when == SPILL_OPTION_AT_ONCE
                         ? "; [`set`](#spillwayctl) changes it at once"
                         : "");
}

int main(void)
{
    const struct spill_option_table *table = &spill_options_table;

    for (const struct spill_option *row = table->rows; row < table->rows + table->count; row++) {
        if (row == table->rows || row->group != row[-1].group) {
            printf("### %s\n", table->groups[row->group].title);
            printf(!spill_option_is_flag(row)
                       ? "| key | default | range | what it says |\n| --- | --- | --- | --- |\n"
                       : "| flag | key | default | range | what it does |\n"
                         "| --- | --- | --- | --- | --- |\n");
        }
        print_row(row);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
