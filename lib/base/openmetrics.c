/* SPDX-License-Identifier: BSD-3-Clause */
#include "openmetrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_debug.h>

#include "printable.h"

#define BUCKETS 21 /* bounds: 2^0 to 2^20 microseconds */

static struct spill_openmetrics *self(struct spill_metric_writer *writer)
{
    return (struct spill_openmetrics *)writer;
}

/* ------------------------------------------------------------------------ text and labels */

/* A label's value as the formats want it: UTF-8, with three characters escaped. */
static size_t escape(char *to, size_t size, const char *from)
{
    size_t used = 0;

    while (*from != '\0' && used + 5 < size) {
        const unsigned length = spill_utf8_length(from);

        if (length == 1 && strchr("\\\"\n", *from) != NULL) {
            to[used++] = '\\';
            to[used++] = *from == '\n' ? 'n' : *from;
        } else if (length == 0) {
            to[used++] = '?';
        } else {
            memcpy(to + used, from, length);
            used += length;
        }
        from += length > 0 ? length : 1;
    }
    to[used] = '\0';
    return used;
}

/* Adds `name="value",`; nothing where that has no room. */
static void add_label(struct spill_openmetrics *to, char *labels, size_t size, const char *name,
                      const char *value)
{
    const size_t used = strlen(labels);
    char escaped[2 * 4300];

    escape(escaped, sizeof(escaped), value);
    if ((size_t)snprintf(labels + used, size - used, "%s=\"%s\",", name, escaped) >= size - used) {
        labels[used] = '\0';
        to->lost = true;
    }
}

/* Without the comma behind the last. */
static void print_labels(FILE *out, const char *labels, const char *more)
{
    const size_t size = strlen(labels), more_size = strlen(more);

    if (size + more_size == 0)
        return;
    fprintf(out, "{%.*s%.*s}", (int)(more_size > 0 ? size : size - 1), labels,
            (int)(more_size > 0 ? more_size - 1 : 0), more);
}

/* ------------------------------------------------------------------------ names and units */

static bool ends_with(const char *name, const char *end)
{
    const size_t length = strlen(name), end_length = strlen(end);

    return length > end_length && strcmp(name + length - end_length, end) == 0 &&
           name[length - end_length - 1] == '_';
}

struct unit {
    const char *told;
    const char *base;
    double scale;
};

static const struct unit *unit_of(const char *told)
{
    static const struct unit units[] = {
        {"us", "seconds", 1e-6},
        {"ms", "seconds", 1e-3},
        {"s", "seconds", 1},
        {"bytes", "bytes", 1},
    };
    static const struct unit none = {"", NULL, 1};

    for (size_t i = 0; i < RTE_DIM(units); i++) {
        if (strcmp(units[i].told, told) == 0)
            return &units[i];
    }
    return &none;
}

/* The unit that a name has is replaced by the base unit; one that it has not is added. */
static void set_unit(char *name, size_t size, const struct unit *unit)
{
    if (unit->base == NULL)
        return;
    if (ends_with(name, unit->told))
        name[strlen(name) - strlen(unit->told) - 1] = '\0';
    if (!ends_with(name, unit->base))
        snprintf(name + strlen(name), size - strlen(name), "_%s", unit->base);
}

/* ------------------------------------------------------------------------------- metrics */

/* Members of a family have the same metrics in the same order: it is the next one, mostly. */
static struct spill_openmetrics_metric *find(struct spill_openmetrics *to, const char *name,
                                             const char *type)
{
    for (uint32_t i = 0; i < to->count; i++) {
        const uint32_t at = (to->last + 1 + i) % to->count;

        if (strcmp(to->metrics[at]->name, name) == 0 && strcmp(to->metrics[at]->type, type) == 0) {
            to->last = at;
            return to->metrics[at];
        }
    }
    return NULL;
}

static struct spill_openmetrics_metric *add(struct spill_openmetrics *to)
{
    struct spill_openmetrics_metric *metric = calloc(1, sizeof(*metric));
    struct spill_openmetrics_metric **metrics =
        reallocarray(to->metrics, to->count + 1, sizeof(struct spill_openmetrics_metric *));

    if (metrics != NULL)
        to->metrics = metrics;
    if (metrics != NULL && metric != NULL)
        metric->out = open_memstream(&metric->text, &metric->size);
    if (metrics == NULL || metric == NULL || metric->out == NULL) {
        free(metric);
        to->lost = true;
        return NULL;
    }
    to->last = to->count;
    return to->metrics[to->count++] = metric;
}

/* The metric of a name, with its head as first told; NULL without memory. */
static struct spill_openmetrics_metric *metric_of(struct spill_openmetrics *to, const char *name,
                                                  const char *type, const char *unit,
                                                  const char *help)
{
    struct spill_openmetrics_metric *metric = find(to, name, type);

    if (metric != NULL)
        return metric;
    metric = add(to);
    if (metric == NULL)
        return NULL;
    snprintf(metric->name, sizeof(metric->name), "%s", name);
    metric->type = type;
    metric->unit = unit;
    escape(metric->help, sizeof(metric->help), help);
    return metric;
}

/* --------------------------------------------------------------------------------- samples */

static void write_number(struct spill_openmetrics *to, struct spill_openmetrics_metric *metric,
                         const char *more, const struct spill_metric_value *value, double scale)
{
    fprintf(metric->out, "%s%s", metric->name,
            strcmp(metric->type, "counter") == 0 ? "_total" : "");
    print_labels(metric->out, to->labels, more);
    if (value->type == SPILL_VALUE_REAL)
        fprintf(metric->out, " %.9g\n", value->real * scale);
    else if (value->type == SPILL_VALUE_SIGNED)
        fprintf(metric->out, " %" PRId64 "\n", value->signed_number);
    else if (scale == 1)
        fprintf(metric->out, " %" PRIu64 "\n", value->number);
    else
        fprintf(metric->out, " %.9g\n", (double)value->number * scale);
}

static void write_bucket(struct spill_openmetrics *to, struct spill_openmetrics_metric *metric,
                         const char *more, const char *bound, uint64_t count)
{
    char labels[128];

    snprintf(labels, sizeof(labels), "%sle=\"%s\",", more, bound);
    fprintf(metric->out, "%s_bucket", metric->name);
    print_labels(metric->out, to->labels, labels);
    fprintf(metric->out, " %" PRIu64 "\n", count);
}

/* Cycles, of the middle of a bucket. */
static double middle_of(uint32_t bucket)
{
    const uint32_t exponent = bucket < SPILL_HISTOGRAM_SUB ? 0 : bucket / SPILL_HISTOGRAM_SUB - 1;
    const uint64_t part = bucket - exponent * SPILL_HISTOGRAM_SUB;

    return (double)(part << exponent) + (double)((UINT64_C(1) << exponent) - 1) / 2;
}

static void write_sum(struct spill_openmetrics *to, struct spill_openmetrics_metric *metric,
                      const char *more, const struct spill_histogram *histogram)
{
    double cycles = 0;

    for (uint32_t i = 0; i < SPILL_HISTOGRAM_BUCKETS; i++)
        cycles += (double)histogram->buckets[i] * middle_of(i);
    fprintf(metric->out, "%s_count", metric->name);
    print_labels(metric->out, to->labels, more);
    fprintf(metric->out, " %" PRIu64 "\n%s_sum", spill_histogram_count(histogram), metric->name);
    print_labels(metric->out, to->labels, more);
    fprintf(metric->out, " %.9g\n", cycles / (double)rte_get_tsc_hz());
}

/* A bucket of the histogram counts where all of it is below the bound. */
static void write_histogram(struct spill_openmetrics *to, struct spill_openmetrics_metric *metric,
                            const char *more, const struct spill_histogram *histogram)
{
    uint64_t count = 0;
    uint32_t bucket = 0;
    char bound[32];

    for (uint32_t i = 0; i < BUCKETS; i++) {
        const double seconds = (double)(1u << i) * 1e-6;
        const uint32_t end = spill_histogram_bucket((uint64_t)(seconds * (double)rte_get_tsc_hz()));

        for (; bucket < end; bucket++)
            count += histogram->buckets[bucket];
        snprintf(bound, sizeof(bound), "%.9g", seconds);
        write_bucket(to, metric, more, bound, count);
    }
    write_bucket(to, metric, more, "+Inf", spill_histogram_count(histogram));
    write_sum(to, metric, more, histogram);
}

/* What the texts of a member, or of the program, are labels of. */
static void write_info(struct spill_openmetrics *to, uint32_t level)
{
    struct spill_openmetrics_metric *metric;
    char help[256];

    if (to->levels[level].texts[0] == '\0')
        return;
    snprintf(help, sizeof(help), "what is told in words of %s",
             level > 0 ? to->levels[level].family->name : "spillway");
    metric = metric_of(to, to->prefix, "info", NULL, help);
    if (metric != NULL) {
        fprintf(metric->out, "%s_info", metric->name);
        print_labels(metric->out, to->labels, to->levels[level].texts);
        fputs(" 1\n", metric->out);
    }
    to->levels[level].texts[0] = '\0';
}

static void add_text(struct spill_openmetrics *to, const struct spill_metric *metric,
                     const char *text)
{
    if (strcmp(text, to->levels[to->depth].member) != 0)
        add_label(to, to->levels[to->depth].texts, sizeof(to->levels[0].texts), metric->name, text);
}

/* ---------------------------------------------------------- families, members and values */

static void family_begin(struct spill_metric_writer *writer,
                         const struct spill_metric_family *family)
{
    struct spill_openmetrics *to = self(writer);

    RTE_VERIFY(to->depth + 1 < SPILL_OPENMETRICS_DEPTH_MAX);
    to->depth++;
    to->levels[to->depth].family = family;
    to->levels[to->depth].prefix = strlen(to->prefix);
    to->levels[to->depth].labels = strlen(to->labels);
    to->levels[to->depth].member[0] = '\0';
    to->levels[to->depth].texts[0] = '\0';
    snprintf(to->prefix + strlen(to->prefix), sizeof(to->prefix) - strlen(to->prefix), "_%s",
             family->name);
}

static void family_end(struct spill_metric_writer *writer, const struct spill_metric_family *family)
{
    struct spill_openmetrics *to = self(writer);

    (void)family;
    to->prefix[to->levels[to->depth].prefix] = '\0';
    to->depth--;
}

static void member_begin(struct spill_metric_writer *writer,
                         const struct spill_metric_family *family, const char *name)
{
    struct spill_openmetrics *to = self(writer);

    snprintf(to->levels[to->depth].member, sizeof(to->levels[0].member), "%s", name);
    add_label(to, to->labels, sizeof(to->labels), family->label, name);
}

static void member_end(struct spill_metric_writer *writer, const struct spill_metric_family *family)
{
    struct spill_openmetrics *to = self(writer);

    (void)family;
    write_info(to, to->depth);
    to->labels[to->levels[to->depth].labels] = '\0';
    to->levels[to->depth].member[0] = '\0';
}

static const char *type_of(const struct spill_metric *metric)
{
    return metric->kind == SPILL_METRIC_COUNTER     ? "counter"
           : metric->kind == SPILL_METRIC_HISTOGRAM ? "histogram"
                                                    : "gauge";
}

/* Of a family whose label tells values apart, all of them are samples of one metric. */
static void write_value(struct spill_metric_writer *writer, const struct spill_metric *metric,
                        const struct spill_metric_value *value)
{
    struct spill_openmetrics *to = self(writer);
    const struct spill_metric_family *family = to->levels[to->depth].family;
    const bool by_label =
        to->depth > 0 && family->shape == SPILL_FAMILY_ONE && family->label != NULL;
    const struct unit *unit = unit_of(metric->unit);
    const char *told = unit->base != NULL ? unit->base : metric->unit;
    struct spill_openmetrics_metric *into;
    char name[256], more[128] = "", help[256];

    if (value->type == SPILL_VALUE_TEXT)
        add_text(to, metric, value->text);
    if (value->type == SPILL_VALUE_TEXT || value->type == SPILL_VALUE_NONE)
        return;
    snprintf(name, sizeof(name), "%s%s%s", to->prefix, by_label ? "" : "_",
             by_label ? "" : metric->name);
    set_unit(name, sizeof(name), unit);
    if (by_label) {
        snprintf(more, sizeof(more), "%s=\"%s\",", family->label, metric->name);
        snprintf(help, sizeof(help), "by %s", family->label);
    } else {
        snprintf(help, sizeof(help), "%s%s%s", told, told[0] != '\0' ? ": " : "", metric->help);
    }
    into = metric_of(to, name, type_of(metric), unit->base, help);
    if (into != NULL && value->type == SPILL_VALUE_HISTOGRAM)
        write_histogram(to, into, more, value->histogram);
    else if (into != NULL)
        write_number(to, into, more, value, unit->scale);
}

/* ------------------------------------------------------------------------ from when to when */

void spill_openmetrics_begin(struct spill_openmetrics *writer, enum spill_openmetrics_format format)
{
    *writer = (struct spill_openmetrics){
        .writer = {.family_begin = family_begin,
                   .family_end = family_end,
                   .member_begin = member_begin,
                   .member_end = member_end,
                   .value = write_value},
        .format = format,
        .prefix = "spillway",
    };
}

/* Before there were info metrics and units; and a type was that of a sample's name. */
static void print_head(const struct spill_openmetrics *writer,
                       const struct spill_openmetrics_metric *metric, FILE *out)
{
    const bool before = writer->format == SPILL_OPENMETRICS_BEFORE;
    const bool info = strcmp(metric->type, "info") == 0;
    const char *suffix = !before                                ? ""
                         : info                                 ? "_info"
                         : strcmp(metric->type, "counter") == 0 ? "_total"
                                                                : "";

    fprintf(out, "# TYPE %s%s %s\n", metric->name, suffix, before && info ? "gauge" : metric->type);
    if (!before && metric->unit != NULL)
        fprintf(out, "# UNIT %s %s\n", metric->name, metric->unit);
    fprintf(out, "# HELP %s%s %s\n", metric->name, suffix, metric->help);
}

int spill_openmetrics_end(struct spill_openmetrics *writer, FILE *out)
{
    write_info(writer, 0);
    for (uint32_t i = 0; i < writer->count; i++) {
        struct spill_openmetrics_metric *metric = writer->metrics[i];

        writer->lost |= fclose(metric->out) != 0;
        print_head(writer, metric, out);
        fputs(metric->text != NULL ? metric->text : "", out);
        free(metric->text);
        free(metric);
    }
    if (writer->format == SPILL_OPENMETRICS_1_0)
        fputs("# EOF\n", out);
    free(writer->metrics);
    writer->metrics = NULL;
    writer->count = 0;
    return writer->lost || ferror(out) ? -1 : 0;
}
