/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_TABLE_H
#define SPILLWAY_CTL_TABLE_H

#include <stdio.h>

/**
 * @file
 * A table as text: headings, then rows; columns two spaces apart, numbers to the right. Cells are
 * copied, and made printable: a terminal shows them and does not obey. One thread.
 */

#define SPILL_CTL_COLUMNS_MAX 16

struct spill_ctl_table {
    unsigned columns;
    size_t cells; /* so far, those of the headings too; row by row */
    char **texts; /* owned */
    int lost;     /* memory was short: nothing is printed */
};

/** @param columns  1 to SPILL_CTL_COLUMNS_MAX: of each so many cells, the first are the headings */
void spill_ctl_table_begin(struct spill_ctl_table *table, unsigned columns);

/** Adds the next cell. */
void spill_ctl_table_add(struct spill_ctl_table *table, const char *text);

/** Prints it, without a row that is not whole, and frees it. @return 0, or -1 without memory */
int spill_ctl_table_end(struct spill_ctl_table *table, FILE *out);

#endif
