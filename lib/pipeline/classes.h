/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CLASSES_H
#define SPILLWAY_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/pool.h"

/**
 * @file
 * The one table of classes of expensive work. Options, plan, pipeline and accounts go through it.
 *
 * A class is a row in the file that does its work, its index here, and its line in classes.c.
 * Whether it is there follows from what is configured; its index does not.
 */

/** Index of a class, everywhere. */
enum spill_class_index {
    SPILL_CLASS_CLASSIFY,
    SPILL_CLASS_DECRYPT,
    SPILL_CLASS_ENCRYPT,
    SPILL_CLASSES,
};

/** What a class needs to be of use; bits. */
enum spill_class_need {
    SPILL_NEED_IPSEC = 0x1,
};

/** What becomes of a packet that needs work when its class has no credit. */
enum spill_overflow {
    SPILL_OVERFLOW_DROP,   /* drop it, as pool_full_CLASS */
    SPILL_OVERFLOW_INLINE, /* do the work here, over the budget if need be */
    SPILL_OVERFLOW_ALLOW,  /* let it pass, and forget it */
    SPILL_OVERFLOWS,
};

/** Jobs of a class that each fast lcore may have out, where the user says nothing: 64 bursts are
 * some 200 us of work for a worker that takes 100 cycles a packet. */
#define SPILL_CLASS_CAPACITY 64

struct spill_fast;
struct spill_pipeline_config;

/** A class; constant. */
struct spill_class_row {
    const char *name;  /* as the user writes it */
    unsigned needs;    /* enum spill_class_need; 0: it is always there */
    unsigned overflow; /* a bit for each policy that it permits */
    /** Its work; name, capacity and dispatch are filled in by who calls it. Control thread. */
    struct spill_class (*make)(const struct spill_pipeline_config *config);
    /** Connects a fast lcore to its submitter. Control thread, before the lcores start. */
    void (*attach)(struct spill_fast *fast);
};

/** By index. */
extern const struct spill_class_row *const spill_class_rows[SPILL_CLASSES];

/** Whether a class is there, given what is configured (enum spill_class_need). Any thread. */
static inline bool spill_class_is_there(uint32_t index, unsigned configured)
{
    return (spill_class_rows[index]->needs & ~configured) == 0;
}

/** Whether a class permits a policy. Any thread. */
static inline bool spill_class_permits(uint32_t index, enum spill_overflow overflow)
{
    return (spill_class_rows[index]->overflow >> overflow & 1) != 0;
}

#endif
