/* SPDX-License-Identifier: BSD-3-Clause */
/* From fields to sums, and from sums to a writer's values. */
#include <string.h>

#include <rte_cycles.h>

#include "metrics.h"

static const void *field_of(const void *instance, uint32_t offset)
{
    return (const char *)instance + offset;
}

static void add_field(const struct spill_metric *metric, void *into, const void *from)
{
    void *sum = (char *)into + metric->offset;
    const void *field = field_of(from, metric->offset);

    switch (metric->form) {
    case SPILL_FORM_U64:
    case SPILL_FORM_CYCLES:
        *(uint64_t *)sum += __atomic_load_n((const uint64_t *)field, __ATOMIC_RELAXED);
        break;
    case SPILL_FORM_U32:
        *(uint32_t *)sum += __atomic_load_n((const uint32_t *)field, __ATOMIC_RELAXED);
        break;
    case SPILL_FORM_INT:
        *(int *)sum += __atomic_load_n((const int *)field, __ATOMIC_RELAXED);
        break;
    case SPILL_FORM_HISTOGRAM:
        spill_histogram_add(sum, field);
        break;
    case SPILL_FORM_STRING:
    case SPILL_FORM_CHARS:
    case SPILL_FORM_RATIO: /* its two fields are rows of their own */
    case SPILL_FORM_COMPUTED:
        break;
    }
}

void spill_metrics_add(const struct spill_metrics *metrics, void *into, const void *from)
{
    uint32_t i;

    for (i = 0; i < metrics->count; i++)
        add_field(&metrics->rows[i], into, from);
}

static double microseconds(uint64_t cycles)
{
    return (double)cycles * 1e6 / (double)rte_get_tsc_hz();
}

static double ratio(uint64_t dividend, uint64_t divisor)
{
    return divisor != 0 ? (double)dividend / (double)divisor : 0;
}

static struct spill_metric_value value_of(const struct spill_metric *metric, const void *instance)
{
    const void *field = field_of(instance, metric->offset);

    switch (metric->form) {
    case SPILL_FORM_U64:
        return spill_value_unsigned(*(const uint64_t *)field);
    case SPILL_FORM_U32:
        return spill_value_unsigned(*(const uint32_t *)field);
    case SPILL_FORM_INT:
        return spill_value_signed(*(const int *)field);
    case SPILL_FORM_STRING:
        return spill_value_text(*(const char *const *)field);
    case SPILL_FORM_CHARS:
        return spill_value_text(field);
    case SPILL_FORM_HISTOGRAM:
        return (struct spill_metric_value){.type = SPILL_VALUE_HISTOGRAM, .histogram = field};
    case SPILL_FORM_CYCLES:
        return spill_value_real(microseconds(*(const uint64_t *)field));
    case SPILL_FORM_RATIO:
        return spill_value_real(ratio(*(const uint64_t *)field,
                                      *(const uint64_t *)field_of(instance, metric->divisor)));
    case SPILL_FORM_COMPUTED:
        return metric->compute(instance);
    }
    return (struct spill_metric_value){.type = SPILL_VALUE_NONE};
}

void spill_metrics_write(const struct spill_metrics *metrics, const void *instance,
                         struct spill_metric_writer *writer)
{
    uint32_t i;

    for (i = 0; i < metrics->count; i++) {
        struct spill_metric_value value;

        if (metrics->rows[i].kind == SPILL_METRIC_PART)
            continue;
        value = value_of(&metrics->rows[i], instance);
        writer->value(writer, &metrics->rows[i], &value);
    }
}

void spill_metric_sections_write(const struct spill_metric_section *sections, uint32_t count,
                                 const void *source, const char *name,
                                 struct spill_metric_writer *writer)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        const struct spill_metric_family *family = &sections[i].family;

        if (name != NULL && strcmp(name, family->name) != 0)
            continue;
        writer->family_begin(writer, family);
        sections[i].write(source, family, writer);
        writer->family_end(writer, family);
    }
}

struct spill_metric_percentiles spill_metric_percentiles(const struct spill_histogram *histogram)
{
    return (struct spill_metric_percentiles){
        .p50 = microseconds(spill_histogram_percentile(histogram, 0.5)),
        .p99 = microseconds(spill_histogram_percentile(histogram, 0.99)),
        .p999 = microseconds(spill_histogram_percentile(histogram, 0.999)),
        .max = microseconds(histogram->max),
    };
}
