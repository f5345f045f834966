/* SPDX-License-Identifier: BSD-3-Clause */
/* Metrics as JSON: a list of objects, objects by name, or one object, for each family. */
#include "metrics.h"

static struct spill_json *json_of(struct spill_metric_writer *writer)
{
    return ((struct spill_metric_json *)writer)->json;
}

static void family_begin(struct spill_metric_writer *writer,
                         const struct spill_metric_family *family)
{
    if (family->shape == SPILL_FAMILY_LIST)
        spill_json_array_begin(json_of(writer), family->name);
    else
        spill_json_object_begin(json_of(writer), family->name);
}

static void family_end(struct spill_metric_writer *writer, const struct spill_metric_family *family)
{
    if (family->shape == SPILL_FAMILY_LIST)
        spill_json_array_end(json_of(writer));
    else
        spill_json_object_end(json_of(writer));
}

static void member_begin(struct spill_metric_writer *writer,
                         const struct spill_metric_family *family, const char *name)
{
    spill_json_object_begin(json_of(writer), family->shape == SPILL_FAMILY_LIST ? NULL : name);
}

static void member_end(struct spill_metric_writer *writer, const struct spill_metric_family *family)
{
    (void)family;
    spill_json_object_end(json_of(writer));
}

static void write_histogram(struct spill_json *json, const struct spill_metric *metric,
                            const struct spill_histogram *histogram)
{
    struct spill_metric_percentiles told = spill_metric_percentiles(histogram);

    spill_json_object_begin(json, metric->name);
    spill_json_double(json, "p50", told.p50);
    spill_json_double(json, "p99", told.p99);
    spill_json_double(json, "p999", told.p999);
    spill_json_double(json, "max", told.max);
    if (metric->with_count)
        spill_json_unsigned(json, "count", spill_histogram_count(histogram));
    spill_json_object_end(json);
}

static void write_value(struct spill_metric_writer *writer, const struct spill_metric *metric,
                        const struct spill_metric_value *value)
{
    struct spill_json *json = json_of(writer);

    switch (value->type) {
    case SPILL_VALUE_NONE:
        spill_json_string(json, metric->name, NULL);
        break;
    case SPILL_VALUE_UNSIGNED:
        spill_json_unsigned(json, metric->name, value->number);
        break;
    case SPILL_VALUE_SIGNED:
        spill_json_signed(json, metric->name, value->signed_number);
        break;
    case SPILL_VALUE_REAL:
        spill_json_double(json, metric->name, value->real);
        break;
    case SPILL_VALUE_TEXT:
        spill_json_string(json, metric->name, value->text);
        break;
    case SPILL_VALUE_HISTOGRAM:
        write_histogram(json, metric, value->histogram);
        break;
    }
}

void spill_metric_json_init(struct spill_metric_json *writer, struct spill_json *json)
{
    *writer = (struct spill_metric_json){
        .writer = {.family_begin = family_begin,
                   .family_end = family_end,
                   .member_begin = member_begin,
                   .member_end = member_end,
                   .value = write_value},
        .json = json,
    };
}
