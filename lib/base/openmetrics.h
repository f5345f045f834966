/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPENMETRICS_H
#define SPILLWAY_OPENMETRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics.h"

/**
 * @file
 * Writes what is counted (metrics.h) as text for Prometheus and its like: OpenMetrics 1.0, or the
 * format before it (0.0.4), in which a counter's type has the name of its sample.
 *
 * Names are spillway, the families, and the metric, with "_total" behind a counter's. Times become
 * seconds, and times and bytes say so in their names. Labels are those of the families. Texts are
 * labels of an info metric of their member, but for those that repeat its name. A histogram has
 * buckets by powers of two of a microsecond up to a second, and a sum, each right to 1/32.
 *
 * In this text all samples of a metric stand together, and not all values of a member: so it is
 * kept until the end. One thread, not a fast lcore.
 */

enum spill_openmetrics_format {
    SPILL_OPENMETRICS_1_0,
    SPILL_OPENMETRICS_BEFORE, /* 0.0.4 */
};

#define SPILL_OPENMETRICS_DEPTH_MAX 4

/** All samples of one metric. */
struct spill_openmetrics_metric {
    char name[128]; /* without the suffix of its type */
    const char *type;
    const char *unit; /* "seconds", "bytes"; NULL: none that the name has */
    char help[256];
    char *text; /* owned, as the next: the samples so far */
    size_t size;
    FILE *out;
};

struct spill_openmetrics {
    struct spill_metric_writer writer;
    enum spill_openmetrics_format format;
    struct spill_openmetrics_metric **metrics; /* owned */
    uint32_t count, last;                      /* metrics; index of the one of the last sample */
    bool lost;                                 /* memory was short, or something too long */
    uint32_t depth;                            /* families that have begun */
    /* Of each of them, and before the first of the program itself: */
    struct {
        const struct spill_metric_family *family;
        size_t prefix;     /* length of the name's beginning, with it */
        size_t labels;     /* length of the labels, without its own */
        char member[4300]; /* empty: none */
        char texts[8192];  /* labels of the info metric */
    } levels[SPILL_OPENMETRICS_DEPTH_MAX];
    char prefix[128];
    char labels[9000]; /* of the members that have begun: `a="b",` */
};

/** @param writer  large: not on a stack. Given to what writes metrics, by its `writer` */
void spill_openmetrics_begin(struct spill_openmetrics *writer,
                             enum spill_openmetrics_format format);

/** Prints it, and frees what the writer has. @return 0, or -1: it is not whole */
int spill_openmetrics_end(struct spill_openmetrics *writer, FILE *out);

#endif
