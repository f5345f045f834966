/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_COUNTER_H
#define SPILLWAY_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include "metrics.h"

/**
 * @file
 * A counter that each lcore keeps in its ledger (ledger.h): declared in the file that counts, with
 * SPILL_COUNTER(), and counted by spill_ledger_count(). That is all: it is added up over the lcores
 * and told under its family by every writer. For counters of a thing, such as a queue or a flow
 * table, metrics.h has tables.
 */

#define SPILL_COUNTERS_MAX 64

/** Ids are given before main() and stay. */
struct spill_counter {
    struct spill_metric metric;
    const char *family; /* key of the report: counters of one family stand together */
    uint8_t id;
};

/**
 * Registers a counter: SPILL_COUNTER() calls it before main(). Aborts when there are more than
 * SPILL_COUNTERS_MAX or a name stands twice in its family: a programming error.
 *
 * @param counter  stays the caller's; must live until the program ends. Its id is written
 */
void spill_counter_register(struct spill_counter *counter);

/** The counter of an id; NULL behind the last. Any thread. */
const struct spill_counter *spill_counter_get(uint32_t id);

/**
 * Gives a writer all counters, by families. Any thread.
 *
 * @param sums    by id
 * @param family  this one alone; NULL: all
 */
void spill_counters_write(const uint64_t sums[SPILL_COUNTERS_MAX], const char *family,
                          struct spill_metric_writer *writer);

/** Declares a counter `variable` at file scope; `static` may stand before it. */
#define SPILL_COUNTER(variable, family_, name_, unit_, help_)                                      \
    struct spill_counter variable = {.metric = {.name = (name_),                                   \
                                                .unit = (unit_),                                   \
                                                .help = (help_),                                   \
                                                .kind = SPILL_METRIC_COUNTER},                     \
                                     .family = (family_)};                                         \
    RTE_INIT(register_##variable)                                                                  \
    {                                                                                              \
        spill_counter_register(&variable);                                                         \
    }                                                                                              \
    extern struct spill_counter variable

#endif
