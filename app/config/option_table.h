/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTION_TABLE_H
#define SPILLWAY_OPTION_TABLE_H

#include "config/option_row.h"

/**
 * @file
 * spillway's one table of options.
 *
 * To add an option: its row in option_table.c, which says where the value is stored: in the struct
 * that its user in `lib/` takes, or in one of options.h. The tests then ask for one good and one
 * bad value of it, and `tools/reference` writes it into the documents. Constant; any thread.
 */

enum spill_option_groups {
    SPILL_OPTION_GROUP_GENERAL,
    SPILL_OPTION_GROUP_PORTS,
    SPILL_OPTION_GROUP_FIREWALL,
    SPILL_OPTION_GROUP_SA,
    SPILL_OPTION_GROUP_PORT_ROUTED,
    SPILL_OPTION_GROUP_ROUTE,
    SPILL_OPTION_GROUP_NEIGHBOR,
    SPILL_OPTION_GROUP_ROUTER,
    SPILL_OPTION_GROUP_IKE,
    SPILL_OPTION_GROUP_ROLES,
    SPILL_OPTION_GROUP_WORK,
    SPILL_OPTION_GROUP_MEMORY,
    SPILL_OPTION_GROUP_END,
    SPILL_OPTION_GROUP_OUTPUT,
    SPILL_OPTION_GROUPS,
};

extern const struct spill_option_table spill_options_table;

/** @param count  written: the number of rows. @return the rows of the table */
const struct spill_option *spill_option_table(size_t *count);

/** spill_option_find_in() the table. */
const struct spill_option *spill_option_find(const char *name, bool per_sa);

/** spill_option_nearest_in() the table. */
const char *spill_option_nearest(const char *name, bool per_sa);

/** @return the class of that name (its index), or -1 */
int spill_option_find_class(const char *name);

/** Room for spill_option_class_list(). */
#define SPILL_OPTION_CLASS_LIST_SIZE 64

/** Writes the names of all classes, "classify, encrypt". @return text */
const char *spill_option_class_list(char *text, size_t size);

/** Prints `--help`; no line is longer than 79 columns. */
void spill_option_print_help(void);

#endif
