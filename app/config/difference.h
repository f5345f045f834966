/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DIFFERENCE_H
#define SPILLWAY_DIFFERENCE_H

#include <stdint.h>

#include "base/json.h"
#include "config/option_row.h"

/**
 * @file
 * What differs between a configuration in force and one that was read: single differences as they
 * are found, and a bounded list of them. One thread at a time.
 */

enum spill_change {
    SPILL_CHANGED,
    SPILL_NEW,
    SPILL_GONE,
};

/** One, as whoever finds it tells it. */
struct spill_difference {
    const char *what; /* "mtu of port lan", "rule office.rules:12" */
    enum spill_option_when when;
    enum spill_change change;
    const char *before, *after; /* values, as a user would write them; NULL: not told */
    const char *was;            /* where a rule that has changed stood before; NULL: no such */
};

typedef void spill_difference_tell(const struct spill_difference *difference, void *context);

#define SPILL_DIFFERENCES_MAX 512

/** Starts as all zeros. */
struct spill_differences {
    uint32_t count;  /* all of them */
    uint32_t listed; /* those before SPILL_DIFFERENCES_MAX for which there was memory */
    struct spill_differences_entry {
        enum spill_option_when when;
        enum spill_change change;
        char *what, *before, *after, *was; /* whole; NULL: not told */
    } list[SPILL_DIFFERENCES_MAX];
};

/** Adds one. @param differences  struct spill_differences *, to be a spill_difference_tell */
void spill_differences_add(const struct spill_difference *difference, void *differences);

/** Frees the list and what is in it. @param differences  NULL does nothing */
void spill_differences_free(struct spill_differences *differences);

/** Writes them as `differences`, an array of objects, and as `more` how many are not in it. */
void spill_differences_write(const struct spill_differences *differences, struct spill_json *json);

#endif
