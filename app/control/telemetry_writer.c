/* SPDX-License-Identifier: BSD-3-Clause */
/* Metrics as answers of DPDK's telemetry. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/dpdk_versions.h"
#include "base/printable.h"
#include "control/telemetry_writer.h"

#define NAME_SIZE 192 /* of a value, with its prefix */

static struct spill_telemetry_writer *self(struct spill_metric_writer *writer)
{
    return (struct spill_telemetry_writer *)writer;
}

/* ----------------------------------------------------------------------- names of values */

/* Adds to the prefix: telemetry takes letters, digits and '_' in names. */
static void enter(struct spill_telemetry_writer *to, const char *name)
{
    size_t length = strlen(to->prefix), i;

    if (to->depth < SPILL_TELEMETRY_DEPTH_MAX)
        to->lengths[to->depth] = length;
    to->depth++;
    if (!to->open)
        return;
    snprintf(to->prefix + length, sizeof(to->prefix) - length, "%s_", name);
    for (i = length; to->prefix[i] != '\0'; i++) {
        if (!isalnum((unsigned char)to->prefix[i]))
            to->prefix[i] = '_';
    }
}

static void leave(struct spill_telemetry_writer *to)
{
    to->depth--;
    if (to->depth < SPILL_TELEMETRY_DEPTH_MAX)
        to->prefix[to->lengths[to->depth]] = '\0';
}

/* ------------------------------------------------------------------- families and members */

bool spill_telemetry_is_named(const char *name, const char *wanted)
{
    char told[RTE_TEL_MAX_STRING_LEN];

    if (strcmp(name, wanted) == 0)
        return true;
    spill_printable_ascii(told, sizeof(told), name);
    return strcmp(told, wanted) == 0;
}

static void add_name(struct rte_tel_data *data, const char *name)
{
    char told[RTE_TEL_MAX_STRING_LEN];

    spill_printable_ascii(told, sizeof(told), name);
    rte_tel_data_add_array_string(data, told);
}

static void begin_values(struct spill_telemetry_writer *to)
{
    rte_tel_data_start_dict(to->data);
    to->found = true;
    to->open = true;
}

static void family_begin(struct spill_metric_writer *writer,
                         const struct spill_metric_family *family)
{
    struct spill_telemetry_writer *to = self(writer);
    bool outer = to->depth == 0;

    enter(to, family->name);
    if (!outer)
        return;
    if (to->wanted == SPILL_TELEMETRY_FAMILIES) {
        rte_tel_data_add_array_string(to->data, family->name);
    } else if (family->shape == SPILL_FAMILY_ONE && to->member == NULL) {
        begin_values(to);
    } else if (to->member == NULL) {
        rte_tel_data_start_array(to->data, RTE_TEL_STRING_VAL);
        to->wanted = SPILL_TELEMETRY_MEMBERS;
        to->found = true;
    }
}

static void family_end(struct spill_metric_writer *writer, const struct spill_metric_family *family)
{
    struct spill_telemetry_writer *to = self(writer);

    (void)family;
    leave(to);
    if (to->depth == 0)
        to->open = false;
}

static void member_begin(struct spill_metric_writer *writer,
                         const struct spill_metric_family *family, const char *name)
{
    struct spill_telemetry_writer *to = self(writer);
    bool outer = to->depth == 1;

    (void)family;
    enter(to, name);
    if (!outer)
        return;
    /* An answer holds so many; the report has all. */
    if (to->wanted == SPILL_TELEMETRY_MEMBERS)
        add_name(to->data, name);
    else if (to->member != NULL && spill_telemetry_is_named(name, to->member))
        begin_values(to);
}

static void member_end(struct spill_metric_writer *writer, const struct spill_metric_family *family)
{
    struct spill_telemetry_writer *to = self(writer);

    (void)family;
    leave(to);
    if (to->depth == 1)
        to->open = false;
}

/* --------------------------------------------------------------------------------- values */

static void add_real(struct spill_telemetry_writer *to, const char *name, double real)
{
    char text[32];

    snprintf(text, sizeof(text), "%.9g", real);
    rte_tel_data_add_dict_string(to->data, name, text);
}

static void add_text(struct spill_telemetry_writer *to, const char *name, const char *text)
{
    char told[RTE_TEL_MAX_STRING_LEN];

    spill_printable_ascii(told, sizeof(told), text);
    rte_tel_data_add_dict_string(to->data, name, told);
}

static void add_histogram(struct spill_telemetry_writer *to, const char *name,
                          const struct spill_histogram *histogram)
{
    const struct spill_metric_percentiles told = spill_metric_percentiles(histogram);
    const struct {
        const char *name;
        double value;
    } parts[] = {{"p50", told.p50}, {"p99", told.p99}, {"p999", told.p999}, {"max", told.max}};
    char longer[NAME_SIZE + 8];
    uint32_t i;

    for (i = 0; i < RTE_DIM(parts); i++) {
        snprintf(longer, sizeof(longer), "%s_%s", name, parts[i].name);
        add_real(to, longer, parts[i].value);
    }
    snprintf(longer, sizeof(longer), "%s_count", name);
    spill_dpdk_add_number(to->data, longer, spill_histogram_count(histogram));
}

static void write_value(struct spill_metric_writer *writer, const struct spill_metric *metric,
                        const struct spill_metric_value *value)
{
    struct spill_telemetry_writer *to = self(writer);
    char name[NAME_SIZE];

    if (!to->open)
        return;
    snprintf(name, sizeof(name), "%s%s", to->prefix, metric->name);
    switch (value->type) {
    case SPILL_VALUE_NONE:
        break;
    case SPILL_VALUE_UNSIGNED:
        spill_dpdk_add_number(to->data, name, value->number);
        break;
    case SPILL_VALUE_SIGNED:
        rte_tel_data_add_dict_int(to->data, name, (int)value->signed_number);
        break;
    case SPILL_VALUE_REAL:
        add_real(to, name, value->real);
        break;
    case SPILL_VALUE_TEXT:
        add_text(to, name, value->text);
        break;
    case SPILL_VALUE_HISTOGRAM:
        add_histogram(to, name, value->histogram);
        break;
    }
}

static void init(struct spill_telemetry_writer *writer, struct rte_tel_data *data)
{
    *writer = (struct spill_telemetry_writer){
        .writer = {.family_begin = family_begin,
                   .family_end = family_end,
                   .member_begin = member_begin,
                   .member_end = member_end,
                   .value = write_value},
        .data = data,
    };
}

void spill_telemetry_list(struct spill_telemetry_writer *writer, struct rte_tel_data *data)
{
    init(writer, data);
    writer->wanted = SPILL_TELEMETRY_FAMILIES;
    rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
}

void spill_telemetry_answer(struct spill_telemetry_writer *writer, struct rte_tel_data *data,
                            const char *member)
{
    init(writer, data);
    writer->wanted = SPILL_TELEMETRY_VALUES;
    writer->member = member;
}

void spill_telemetry_values(struct spill_telemetry_writer *writer, struct rte_tel_data *data)
{
    init(writer, data);
    begin_values(writer);
}
