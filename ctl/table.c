/* SPDX-License-Identifier: BSD-3-Clause */
#include "table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"

#define CELL_MAX 256 /* bytes; of a longer text the middle is left out */

void spill_ctl_table_begin(struct spill_ctl_table *table, unsigned columns)
{
    *table = (struct spill_ctl_table){.columns = columns};
}

void spill_ctl_table_add(struct spill_ctl_table *table, const char *text)
{
    char printable[CELL_MAX];
    char **texts = reallocarray(table->texts, table->cells + 1, sizeof(*texts));

    spill_printable(printable, sizeof(printable), text);
    if (texts != NULL)
        table->texts = texts;
    if (texts == NULL || (texts[table->cells] = strdup(printable)) == NULL)
        table->lost = 1;
    else
        table->cells++;
}

/* Characters, not bytes. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static bool is_number(const char *text)
{
    char *end;

    if (strcmp(text, "-") == 0)
        return true;
    strtod(text, &end);
    return end != text && *end == '\0';
}

struct column {
    int width;
    bool numbers;
};

static struct column measure(const struct spill_ctl_table *table, unsigned index)
{
    struct column column = {.width = 0, .numbers = table->cells > table->columns};
    size_t i;

    for (i = index; i < table->cells; i += table->columns) {
        const int width = width_of(table->texts[i]);

        if (width > column.width)
            column.width = width;
        if (i >= table->columns && !is_number(table->texts[i]))
            column.numbers = false;
    }
    return column;
}

static void print_cell(const char *text, const struct column *column, bool last, FILE *out)
{
    const int fill = column->width - width_of(text);

    if (column->numbers)
        fprintf(out, "%*s%s", fill, "", text);
    else
        fprintf(out, "%s%*s", text, last ? 0 : fill, "");
    fputs(last ? "\n" : "  ", out);
}

static void print(const struct spill_ctl_table *table, FILE *out)
{
    struct column columns[SPILL_CTL_COLUMNS_MAX];
    const size_t whole = table->cells - table->cells % table->columns;
    unsigned i;

    for (i = 0; i < table->columns; i++)
        columns[i] = measure(table, i);
    for (size_t cell = 0; cell < whole; cell++) {
        i = (unsigned)(cell % table->columns);
        print_cell(table->texts[cell], &columns[i], i + 1 == table->columns, out);
    }
}

int spill_ctl_table_end(struct spill_ctl_table *table, FILE *out)
{
    if (!table->lost)
        print(table, out);
    while (table->cells > 0)
        free(table->texts[--table->cells]);
    free(table->texts);
    table->texts = NULL;
    return table->lost ? -1 : 0;
}
