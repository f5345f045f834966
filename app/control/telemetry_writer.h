/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TELEMETRY_WRITER_H
#define SPILLWAY_TELEMETRY_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include <rte_telemetry.h>

#include "base/metrics.h"

/**
 * @file
 * Writes what is counted as an answer of DPDK's telemetry: the names of families; of one family the
 * names of its members; or the values of one member, or of a family that has none. Values are flat,
 * as not all versions of DPDK nest them: what stands in a family or histogram of its own has the
 * names before its own. Fractions are text, as telemetry has none. Texts and names of members are
 * ASCII, as DPDK escapes by a table of that and reads beyond it: others become \xHH; and of those
 * that are too long for telemetry the middle is left out.
 */

#define SPILL_TELEMETRY_DEPTH_MAX 4

struct spill_telemetry_writer {
    struct spill_metric_writer writer;
    struct rte_tel_data *data;
    enum {
        SPILL_TELEMETRY_FAMILIES,
        SPILL_TELEMETRY_MEMBERS,
        SPILL_TELEMETRY_VALUES,
    } wanted;
    const char *member; /* whose values are wanted; NULL: of a family without members */
    bool found;
    bool open;                                 /* what is written now is wanted */
    uint32_t depth;                            /* families and members that have begun */
    size_t lengths[SPILL_TELEMETRY_DEPTH_MAX]; /* of the prefix, before each of them */
    char prefix[128];                          /* of the names of values */
};

/** Begins an answer with the names of all families. @param data  stays the caller's */
void spill_telemetry_list(struct spill_telemetry_writer *writer, struct rte_tel_data *data);

/**
 * Begins an answer about the one family that will be written; `found` says in the end whether there
 * was such a thing.
 *
 * @param member  NULL: its members, or values if it has none; stays the caller's
 */
void spill_telemetry_answer(struct spill_telemetry_writer *writer, struct rte_tel_data *data,
                            const char *member);

/** Whether a thing of that name is meant, which `wanted` has as it is or as it is told. */
bool spill_telemetry_is_named(const char *name, const char *wanted);

/** Begins an answer of values without a family. */
void spill_telemetry_values(struct spill_telemetry_writer *writer, struct rte_tel_data *data);

#endif
