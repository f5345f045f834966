/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define LABEL_SIZE 256
#define RANKED_MAX 10 /* rows of a ranked table, however many lines there are */

/* What a column has of a value, or of how it grew between the two reports. */
enum kind {
    AS_IT_IS,
    RATE,    /* a second */
    MEGABIT, /* of bytes, a second */
    SHARE,   /* of TSC cycles: of the time, in percent */
};

#define COLUMNS_MAX 7

struct column {
    const char *heading;
    const char *key; /* a dot leads into an object */
    enum kind kind;
};

typedef void label_function(const char *name, const json_t *values, char label[LABEL_SIZE]);

struct section {
    const char *key; /* of the report: a list, or an object by name */
    const char *heading;
    label_function *label;
    bool ranked;  /* most of the first column first, and none of which there is nothing */
    bool shorten; /* labels, to what stands behind their folders */
    struct column columns[COLUMNS_MAX + 1];
};

struct row {
    const char *label;
    const json_t *before, *after;
    double rank;
};

struct part {
    const struct section *section;
    json_t *before, *after; /* objects by label */
    struct row *rows;
    unsigned count, shown;
};

/* What both reports have in common for all parts. */
struct interval {
    double seconds, cycles;
};

/* --------------------------------------------------------------------------------- labels */

static const char *text_of(const json_t *values, const char *key)
{
    const char *text = json_string_value(json_object_get(values, key));

    return text != NULL ? text : "-";
}

static long long number_of(const json_t *values, const char *key)
{
    return json_integer_value(json_object_get(values, key));
}

static void label_by_name(const char *name, const json_t *values, char label[LABEL_SIZE])
{
    snprintf(label, LABEL_SIZE, "%s", name != NULL ? name : text_of(values, "name"));
}

static void label_lcore(const char *name, const json_t *values, char label[LABEL_SIZE])
{
    (void)name;
    snprintf(label, LABEL_SIZE, "%s %lld", text_of(values, "role"), number_of(values, "lcore"));
}

static void label_rule(const char *name, const json_t *values, char label[LABEL_SIZE])
{
    (void)name;
    if (json_is_integer(json_object_get(values, "line")))
        snprintf(label, LABEL_SIZE, "%s:%lld", text_of(values, "file"), number_of(values, "line"));
    else
        snprintf(label, LABEL_SIZE, "default");
}

/* clang-format off */
static const struct section sections[] = {
    {"lcores", "LCORE", label_lcore, false, false,
     {{"CPU", "cpu", AS_IT_IS}, {"BUSY %", "busy_cycles", SHARE}, {"PACKETS/s", "packets", RATE},
      {"CYCLES/PACKET", "cycles_per_packet", AS_IT_IS}, {"OVER BUDGET/s", "over_budget", RATE},
      {"LONGEST us", "longest_burst_us", AS_IT_IS}}},
    {"ports", "PORT", label_by_name, false, false,
     {{"LINK", "link", AS_IT_IS}, {"RX PACKETS/s", "rx_packets", RATE}, {"RX Mbit/s", "rx_bytes", MEGABIT},
      {"TX PACKETS/s", "tx_packets", RATE}, {"TX Mbit/s", "tx_bytes", MEGABIT},
      {"MISSED/s", "rx_missed", RATE}}},
    {"pool", "CLASS", label_by_name, false, false,
     {{"INLINE/s", "inline_packets", RATE}, {"POOL/s", "pool_packets", RATE}, {"REFUSED/s", "refused", RATE},
      {"MOST OUT", "high_water", AS_IT_IS}, {"OF", "capacity", AS_IT_IS},
      {"WAIT p99 us", "wait_us.p99", AS_IT_IS}, {"SERVICE p99 us", "service_us.p99", AS_IT_IS}}},
    {"drops", "DROPPED", label_by_name, true, false,
     {{"PACKETS/s", "packets", RATE}, {"PACKETS", "packets", AS_IT_IS}}},
    {"rules", "RULE", label_rule, true, true,
     {{"PACKETS/s", "packets", RATE}, {"Mbit/s", "bytes", MEGABIT}, {"CONNECTIONS/s", "connections", RATE},
      {"ACTION", "action", AS_IT_IS}, {"NAME", "name", AS_IT_IS}}},
};
/* clang-format on */

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* --------------------------------------------------------------------------------- values */

static const json_t *value_of(const json_t *values, const char *key)
{
    const size_t length = strcspn(key, ".");
    char name[64];

    if (key[length] == '\0')
        return json_object_get(values, key);
    snprintf(name, sizeof(name), "%.*s", (int)length, key);
    return json_object_get(json_object_get(values, name), key + length + 1);
}

/* How much a value has grown: one that was not told before was nothing. -1: can't be told. */
static double growth(const struct row *row, const char *key)
{
    const json_t *before = value_of(row->before, key), *after = value_of(row->after, key);

    if (!json_is_number(after))
        return -1;
    return json_number_value(after) - json_number_value(before);
}

static void add_as_it_is(struct spill_ctl_table *table, const json_t *value)
{
    char text[32] = "-";

    if (json_is_integer(value))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof(text), "%.1f", json_real_value(value));
    spill_ctl_table_add(table, json_is_string(value) ? json_string_value(value) : text);
}

static void add_cell(struct spill_ctl_table *table, const struct column *column,
                     const struct row *row, const struct interval *interval)
{
    const double grown = growth(row, column->key);
    char text[32] = "-";

    if (column->kind == AS_IT_IS) {
        add_as_it_is(table, value_of(row->after, column->key));
        return;
    }
    if (grown >= 0 && interval->seconds > 0) {
        if (column->kind == RATE)
            snprintf(text, sizeof(text), "%.0f", grown / interval->seconds);
        else if (column->kind == MEGABIT)
            snprintf(text, sizeof(text), "%.1f", grown * 8e-6 / interval->seconds);
        else if (interval->cycles > 0)
            snprintf(text, sizeof(text), "%.1f", fmin(100, 100 * grown / interval->cycles));
    }
    spill_ctl_table_add(table, text);
}

/* ---------------------------------------------------------------------------------- parts */

/* The things of a section by what tells them apart; a number by itself is of packets. */
static json_t *by_label(const struct section *section, const json_t *report)
{
    json_t *list = json_object_get(report, section->key);
    json_t *things = json_object(), *values;
    char label[LABEL_SIZE];
    const char *name;
    size_t i;

    json_array_foreach(list, i, values)
    {
        section->label(NULL, values, label);
        json_object_set(things, label, values);
    }
    json_object_foreach(list, name, values)
    {
        section->label(name, values, label);
        if (json_is_number(values))
            json_object_set_new(things, label, json_pack("{s:O}", "packets", values));
        else
            json_object_set(things, label, values);
    }
    return things;
}

static int more_first(const void *one, const void *other)
{
    const struct row *a = one, *b = other;

    return (a->rank < b->rank) - (a->rank > b->rank);
}

static int fill(struct part *part, const struct section *section, const json_t *before,
                const json_t *after)
{
    const char *label;
    json_t *values;

    part->section = section;
    part->before = by_label(section, before);
    part->after = by_label(section, after);
    part->rows = calloc(json_object_size(part->after) + 1, sizeof(*part->rows));
    if (part->before == NULL || part->after == NULL || part->rows == NULL)
        return -1;
    json_object_foreach(part->after, label, values)
    {
        struct row *row = &part->rows[part->count];

        *row = (struct row){label, json_object_get(part->before, label), values, 0};
        row->rank = section->ranked ? growth(row, section->columns[0].key) : 1;
        part->count += row->rank > 0;
    }
    if (section->ranked) {
        qsort(part->rows, part->count, sizeof(*part->rows), more_first);
        part->count = part->count < RANKED_MAX ? part->count : RANKED_MAX;
    }
    return 0;
}

/* One row more for each that has more, as long as there are lines. */
static void share_out(struct part *parts, unsigned lines)
{
    bool any = true;

    for (unsigned i = 0; i < SECTIONS; i++) /* an empty line and the headings */
        lines -= parts[i].count > 0 ? (lines < 2 ? lines : 2) : 0;
    while (any && lines > 0) {
        any = false;
        for (unsigned i = 0; i < SECTIONS && lines > 0; i++) {
            if (parts[i].shown == parts[i].count)
                continue;
            parts[i].shown++;
            lines--;
            any = true;
        }
    }
}

static int print_part(const struct part *part, const struct interval *interval, FILE *out)
{
    const struct column *columns = part->section->columns, *column;
    struct spill_ctl_table table;
    unsigned count = 1;

    if (part->shown == 0)
        return 0;
    for (column = columns; column->key != NULL; column++)
        count++;
    spill_ctl_table_begin(&table, count);
    spill_ctl_table_add(&table, part->section->heading);
    for (column = columns; column->key != NULL; column++)
        spill_ctl_table_add(&table, column->heading);
    for (const struct row *row = part->rows; row < part->rows + part->shown; row++) {
        const char *folder = part->section->shorten ? strrchr(row->label, '/') : NULL;

        spill_ctl_table_add(&table, folder != NULL ? folder + 1 : row->label);
        for (column = columns; column->key != NULL; column++)
            add_cell(&table, column, row, interval);
    }
    fputc('\n', out);
    return spill_ctl_table_end(&table, out);
}

/* --------------------------------------------------------------------------------- a page */

static void print_head(const json_t *before, const json_t *after, const char *name,
                       const struct interval *interval, FILE *out)
{
    static const char *const keys[] = {"received", "transmitted", "delivered_to_host", "dropped"};
    static const char *const words[] = {"received", "transmitted", "to host", "dropped"};
    const struct row packets = {NULL, json_object_get(before, "packets"),
                                json_object_get(after, "packets"), 0};

    fprintf(out,
            "%s: spillway %s, %s, %.1f s; rules version %lld; %lld packets in flight\nPACKETS/s ",
            name, text_of(after, "version"), text_of(after, "state"),
            json_number_value(json_object_get(after, "seconds")), number_of(after, "rules_version"),
            number_of(packets.after, "in_flight"));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const double grown = growth(&packets, keys[i]);

        fprintf(out, "%s%.0f %s", i > 0 ? ", " : "",
                grown > 0 && interval->seconds > 0 ? grown / interval->seconds : 0, words[i]);
    }
    fputc('\n', out);
}

static int print_parts(struct part *parts, const json_t *before, const json_t *after,
                       const char *name, unsigned lines, FILE *out)
{
    struct interval interval = {.seconds = json_number_value(json_object_get(after, "seconds")) -
                                           json_number_value(json_object_get(before, "seconds"))};
    int status = 0;

    interval.cycles = interval.seconds * json_number_value(json_object_get(after, "tsc_hz"));
    print_head(before, after, name, &interval, out);
    for (size_t i = 0; i < SECTIONS && status == 0; i++)
        status = fill(&parts[i], &sections[i], before, after);
    share_out(parts, lines > 2 ? lines - 2 : 0);
    for (size_t i = 0; i < SECTIONS && status == 0; i++)
        status = print_part(&parts[i], &interval, out);
    return status;
}

int spill_ctl_frame_print(const json_t *before, const json_t *after, const char *name,
                          unsigned lines, FILE *out)
{
    struct part parts[SECTIONS] = {{.section = NULL}};
    const int status = print_parts(parts, before, after, name, lines, out);

    for (size_t i = 0; i < SECTIONS; i++) {
        json_decref(parts[i].before);
        json_decref(parts[i].after);
        free(parts[i].rows);
    }
    return status;
}
