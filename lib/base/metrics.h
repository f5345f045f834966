/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_METRICS_H
#define SPILLWAY_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>

#include "histogram.h"
#include "json.h"

/**
 * @file
 * What is counted: declared once, in the file of the part that counts it, and written by whoever
 * wants it told: the report, telemetry.
 *
 * A *metric* is a name, a unit, a sentence of help and a kind, with the field of a struct that has
 * the value. A *table* has the metrics of one struct:
 *
 *     static const struct spill_metric rows[] = {
 *         SPILL_METRIC(COUNTER, "hits", struct spill_flow_counters, hits, "packets",
 *                      "whose flow was found"),
 *     };
 *     const struct spill_metrics spill_flow_metrics = SPILL_METRICS(rows);
 *
 * A *family* has the things that are counted alike, such as ports, and says by which label they are
 * told apart. A *writer* gets families, their members and values, and knows none of them.
 *
 * Reading is for any thread, at any time that the struct is there. Fields that an lcore writes are
 * read once and whole, by relaxed loads, into memory of the reader's: spill_metrics_add(). Nothing
 * is ever written where an lcore writes, so a reader costs an lcore no more than that the line it
 * writes next must come back to its cache, once for each line and reading. That is true of
 * histograms, too: all of a histogram's lines are read, but an lcore has few of them in use. What
 * is told of a histogram is computed from the reader's copy, so that its numbers agree.
 */

enum spill_metric_kind {
    SPILL_METRIC_COUNTER,   /* only grows */
    SPILL_METRIC_GAUGE,     /* at this moment, or as it was set up */
    SPILL_METRIC_HISTOGRAM, /* of cycles; told in microseconds */
    SPILL_METRIC_TEXT,
    SPILL_METRIC_PART, /* added up for a ratio; told by no writer */
};

/** How the value lies in its struct. */
enum spill_metric_form {
    SPILL_FORM_U64,
    SPILL_FORM_U32,
    SPILL_FORM_INT,
    SPILL_FORM_STRING, /* const char * */
    SPILL_FORM_CHARS,  /* char[] */
    SPILL_FORM_HISTOGRAM,
    SPILL_FORM_CYCLES,   /* uint64_t; told in microseconds */
    SPILL_FORM_RATIO,    /* of two uint64_t */
    SPILL_FORM_COMPUTED, /* by a function */
};

/** A value for a writer; strings and histograms live until the writer's function returns. */
struct spill_metric_value {
    enum {
        SPILL_VALUE_NONE, /* can't be told */
        SPILL_VALUE_UNSIGNED,
        SPILL_VALUE_SIGNED,
        SPILL_VALUE_REAL,
        SPILL_VALUE_TEXT,
        SPILL_VALUE_HISTOGRAM,
    } type;
    union {
        uint64_t number;
        int64_t signed_number;
        double real;
        const char *text;
        const struct spill_histogram *histogram;
    };
};

struct spill_metric {
    const char *name; /* snake_case; a key of the report */
    const char *unit; /* "packets", "us", …; empty: none */
    const char *help; /* what it counts, to stand in a sentence or behind a colon */
    enum spill_metric_kind kind;
    enum spill_metric_form form;
    uint32_t offset;  /* of the field, or of a ratio's dividend */
    uint32_t divisor; /* offset of it, of a ratio */
    bool with_count;  /* of a histogram: how many were recorded is told, too */
    struct spill_metric_value (*compute)(const void *instance);
};

/* A field's form follows from its type; a type of none doesn't compile. */
#define SPILL_METRIC_FORM_OF(type_, field_)                                                        \
    _Generic(((type_ *)0)->field_,                                                                 \
        uint64_t: SPILL_FORM_U64,                                                                  \
        uint32_t: SPILL_FORM_U32,                                                                  \
        int: SPILL_FORM_INT,                                                                       \
        const char *: SPILL_FORM_STRING,                                                           \
        char *: SPILL_FORM_CHARS,                                                                  \
        struct spill_histogram: SPILL_FORM_HISTOGRAM)

/** A metric whose value is a field of `type_`. `kind_` without its prefix, such as COUNTER. */
#define SPILL_METRIC(kind_, name_, type_, field_, unit_, help_)                                    \
    {                                                                                              \
        .name = (name_), .unit = (unit_), .help = (help_), .kind = SPILL_METRIC_##kind_,           \
        .form = SPILL_METRIC_FORM_OF(type_, field_), .offset = offsetof(type_, field_)             \
    }

/** A histogram of which it is told how many were recorded, too. */
#define SPILL_METRIC_COUNTED(name_, type_, field_, help_)                                          \
    {                                                                                              \
        .name = (name_), .unit = "us", .help = (help_), .kind = SPILL_METRIC_HISTOGRAM,            \
        .form = SPILL_METRIC_FORM_OF(type_, field_), .offset = offsetof(type_, field_),            \
        .with_count = true                                                                         \
    }

/** One told in microseconds, of a field in TSC cycles. */
#define SPILL_METRIC_CYCLES(kind_, name_, type_, field_, help_)                                    \
    {                                                                                              \
        .name = (name_), .unit = "us", .help = (help_), .kind = SPILL_METRIC_##kind_,              \
        .form = SPILL_FORM_CYCLES, .offset = offsetof(type_, field_)                               \
    }

/** The quotient of two uint64_t; 0 while the divisor is. */
#define SPILL_METRIC_RATIO(name_, type_, dividend_, divisor_, unit_, help_)                        \
    {                                                                                              \
        .name = (name_), .unit = (unit_), .help = (help_), .kind = SPILL_METRIC_GAUGE,             \
        .form = SPILL_FORM_RATIO, .offset = offsetof(type_, dividend_),                            \
        .divisor = offsetof(type_, divisor_)                                                       \
    }

/** One that a function computes from an instance. */
#define SPILL_METRIC_COMPUTED(kind_, name_, compute_, unit_, help_)                                \
    {                                                                                              \
        .name = (name_), .unit = (unit_), .help = (help_), .kind = SPILL_METRIC_##kind_,           \
        .form = SPILL_FORM_COMPUTED, .compute = (compute_)                                         \
    }

/** A field that is added up with the others, and that only ratios and functions look at. */
#define SPILL_METRIC_ADDED(type_, field_)                                                          \
    {                                                                                              \
        .kind = SPILL_METRIC_PART, .form = SPILL_METRIC_FORM_OF(type_, field_),                    \
        .offset = offsetof(type_, field_)                                                          \
    }

/** The metrics of one struct. */
struct spill_metrics {
    const struct spill_metric *rows;
    uint32_t count;
};

#define SPILL_METRICS(rows_)                                                                       \
    {                                                                                              \
        .rows = (rows_), .count = RTE_DIM(rows_)                                                   \
    }

/** Things that are counted alike. */
struct spill_metric_family {
    const char *name;  /* a key of the report: "ports" */
    const char *label; /* what tells members apart, or values where it is one: "port"; NULL: none */
    enum {
        SPILL_FAMILY_ONE,  /* one thing */
        SPILL_FAMILY_LIST, /* any number, in order */
        SPILL_FAMILY_MAP,  /* by name */
    } shape;
};

/**
 * Writes what it is given: the head of a writer's own struct. Between family_begin() and
 * family_end() the values of a family's one thing; or member_begin() and member_end() around those
 * of each member. A member's values may have families among them.
 */
struct spill_metric_writer {
    void (*family_begin)(struct spill_metric_writer *writer,
                         const struct spill_metric_family *family);
    void (*family_end)(struct spill_metric_writer *writer,
                       const struct spill_metric_family *family);
    /** @param name  the label's value; unique in the family where it is a MAP */
    void (*member_begin)(struct spill_metric_writer *writer,
                         const struct spill_metric_family *family, const char *name);
    void (*member_end)(struct spill_metric_writer *writer,
                       const struct spill_metric_family *family);
    void (*value)(struct spill_metric_writer *writer, const struct spill_metric *metric,
                  const struct spill_metric_value *value);
};

/**
 * Adds what `from` has counted to `into`: counters, gauges, histograms and parts. Texts and what is
 * computed are left alone. Any thread.
 *
 * @param into  the caller's, of the same type; all zeros at first
 * @param from  may be written by its owner meanwhile; each number is then one that it had
 */
void spill_metrics_add(const struct spill_metrics *metrics, void *into, const void *from);

/** Gives a writer all values of an instance, which nobody else writes. Any thread. */
void spill_metrics_write(const struct spill_metrics *metrics, const void *instance,
                         struct spill_metric_writer *writer);

/** A family, and how its source writes what stands in it. */
struct spill_metric_section {
    struct spill_metric_family family;
    void (*write)(const void *source, const struct spill_metric_family *family,
                  struct spill_metric_writer *writer);
};

/** Gives a writer the sections of a source. @param name  of one family alone; NULL: all */
void spill_metric_sections_write(const struct spill_metric_section *sections, uint32_t count,
                                 const void *source, const char *name,
                                 struct spill_metric_writer *writer);

/** What is told of a histogram, in microseconds. */
struct spill_metric_percentiles {
    double p50, p99, p999, max;
};
struct spill_metric_percentiles spill_metric_percentiles(const struct spill_histogram *histogram);

/** Writes families and values as members of the JSON object that is open. */
struct spill_metric_json {
    struct spill_metric_writer writer;
    struct spill_json *json;
};

/** @param json  stays the caller's; has an object open */
void spill_metric_json_init(struct spill_metric_json *writer, struct spill_json *json);

/* Values, for functions that compute them. */

static inline struct spill_metric_value spill_value_unsigned(uint64_t number)
{
    return (struct spill_metric_value){.type = SPILL_VALUE_UNSIGNED, .number = number};
}

static inline struct spill_metric_value spill_value_signed(int64_t number)
{
    return (struct spill_metric_value){.type = SPILL_VALUE_SIGNED, .signed_number = number};
}

static inline struct spill_metric_value spill_value_real(double real)
{
    return (struct spill_metric_value){.type = SPILL_VALUE_REAL, .real = real};
}

/** @param text  NULL: it can't be told */
static inline struct spill_metric_value spill_value_text(const char *text)
{
    return (struct spill_metric_value){.type = text != NULL ? SPILL_VALUE_TEXT : SPILL_VALUE_NONE,
                                       .text = text};
}

#endif
