/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_VIEW_H
#define SPILLWAY_CTL_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "telemetry.h"

/**
 * @file
 * What a command shows of what telemetry tells: which of its answers, and which of their values as
 * columns. All of them are told as JSON. One thread.
 */

/** A value of the answer, and the heading of its column with its unit. */
struct spill_ctl_column {
    const char *key;
    const char *heading;
};

/** One answer that has values, or one that names members which have some, or a list. */
struct spill_ctl_part {
    const char *name; /* key, where a view has several parts */
    const char *path; /* telemetry's command */
    bool members;
    bool list;             /* the answer is a list of texts, printed where there are any */
    const char *label;     /* heading of the names of members, or of values */
    const char *heading;   /* of values that stand in rows: no members */
    const char *elsewhere; /* of values that stand in rows: one that another part has; NULL: none */
    const struct spill_ctl_column *columns; /* of members; ends with a key of NULL */
};

#define SPILL_CTL_PARTS_MAX 3

struct spill_ctl_view {
    struct spill_ctl_part parts[SPILL_CTL_PARTS_MAX]; /* ends with a path of NULL, or is full */
};

/**
 * Asks for all of a part.
 *
 * @return an object: of values, or of members with their values, null for those that have gone
 *         meanwhile; or a list. The caller's to json_decref(). NULL with an error
 */
json_t *spill_ctl_part_read(const struct spill_ctl_part *part,
                            struct spill_ctl_telemetry *telemetry, struct spill_error *error);

/** Prints what was read as a table. @return 0, or -1 with an error */
int spill_ctl_part_print(const struct spill_ctl_part *part, json_t *values, FILE *out,
                         struct spill_error *error);

/** Reads a view and prints it, as text or JSON. @return 0, or -1 with an error */
int spill_ctl_view_show(const struct spill_ctl_view *view, struct spill_ctl_telemetry *telemetry,
                        bool as_json, FILE *out, struct spill_error *error);

#endif
