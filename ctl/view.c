/* SPDX-License-Identifier: BSD-3-Clause */
#include "view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define COMMAND_MAX 1000 /* bytes that DPDK takes, and a bit less */

/* ------------------------------------------------------------------------------- reading */

static int wrong_kind(const struct spill_ctl_part *part, const char *expected,
                      struct spill_error *error)
{
    return spill_error_set(error, "telemetry: the answer to '%s' is not %s", part->path, expected);
}

/* Adds a member's values, or null. */
static int read_member(const struct spill_ctl_part *part, struct spill_ctl_telemetry *telemetry,
                       const char *name, json_t *into, struct spill_error *error)
{
    char command[COMMAND_MAX];
    json_t *values = json_null();

    if (snprintf(command, sizeof(command), "%s,%s", part->path, name) < COMMAND_MAX)
        values = spill_ctl_telemetry_ask(telemetry, command, error);
    if (values == NULL)
        return -1;
    if (!json_is_object(values) && !json_is_null(values)) {
        json_decref(values);
        return wrong_kind(part, "an object", error);
    }
    if (json_object_set_new(into, name, values) != 0)
        return spill_error_set(error, "no memory");
    return 0;
}

static json_t *read_members(const struct spill_ctl_part *part,
                            struct spill_ctl_telemetry *telemetry, const json_t *names,
                            struct spill_error *error)
{
    json_t *members = json_object(), *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (!json_is_string(name))
            wrong_kind(part, "a list of names", error);
        else if (read_member(part, telemetry, json_string_value(name), members, error) == 0)
            continue;
        json_decref(members);
        return NULL;
    }
    return members;
}

json_t *spill_ctl_part_read(const struct spill_ctl_part *part,
                            struct spill_ctl_telemetry *telemetry, struct spill_error *error)
{
    json_t *answer = spill_ctl_telemetry_ask(telemetry, part->path, error), *members = NULL;

    if (answer == NULL)
        return NULL;
    if (part->list)
        return answer;
    if (json_is_null(answer))
        spill_error_set(error,
                        "telemetry: '%s' tells nothing: the program has no such thing, starts, "
                        "ends, or is of another version",
                        part->path);
    else if (part->members && json_is_array(answer))
        members = read_members(part, telemetry, answer, error);
    else if (!part->members && json_is_object(answer))
        return answer;
    else
        wrong_kind(part, part->members ? "a list" : "an object", error);
    json_decref(answer);
    return members;
}

/* ------------------------------------------------------------------------------- printing */

/* Fractions are text, as telemetry has none; to nine digits, of which a person needs one. */
static void add_text(struct spill_ctl_table *table, const char *text)
{
    char *end, shorter[32];
    double real = strtod(text, &end);

    if (end == text || *end != '\0' || strpbrk(text, ".e") == NULL) {
        spill_ctl_table_add(table, text);
        return;
    }
    snprintf(shorter, sizeof(shorter), "%.1f", real);
    spill_ctl_table_add(table, shorter);
}

static void add_value(struct spill_ctl_table *table, const json_t *value)
{
    char text[32] = "-";

    if (json_is_string(value)) {
        add_text(table, json_string_value(value));
        return;
    }
    if (json_is_integer(value))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof(text), "%.1f", json_real_value(value));
    spill_ctl_table_add(table, text);
}

static unsigned count_columns(const struct spill_ctl_column *columns)
{
    unsigned count = 0;

    while (columns[count].key != NULL)
        count++;
    return count;
}

static void add_members(struct spill_ctl_table *table, const struct spill_ctl_part *part,
                        json_t *members)
{
    const struct spill_ctl_column *column;
    const char *name;
    json_t *values;

    spill_ctl_table_begin(table, 1 + count_columns(part->columns));
    spill_ctl_table_add(table, part->label);
    for (column = part->columns; column->key != NULL; column++)
        spill_ctl_table_add(table, column->heading);
    json_object_foreach(members, name, values)
    {
        spill_ctl_table_add(table, name);
        for (column = part->columns; column->key != NULL; column++)
            add_value(table, json_object_get(values, column->key));
    }
}

static void add_values(struct spill_ctl_table *table, const struct spill_ctl_part *part,
                       json_t *values)
{
    const char *name;
    json_t *value;

    spill_ctl_table_begin(table, 2);
    spill_ctl_table_add(table, part->label);
    spill_ctl_table_add(table, part->heading);
    json_object_foreach(values, name, value)
    {
        if (part->elsewhere != NULL && strcmp(name, part->elsewhere) == 0)
            continue;
        spill_ctl_table_add(table, name);
        add_value(table, value);
    }
}

static void add_list(struct spill_ctl_table *table, const struct spill_ctl_part *part,
                     const json_t *values)
{
    const json_t *value;
    size_t i;

    spill_ctl_table_begin(table, 1);
    spill_ctl_table_add(table, part->label);
    json_array_foreach(values, i, value) add_value(table, value);
}

int spill_ctl_part_print(const struct spill_ctl_part *part, json_t *values, FILE *out,
                         struct spill_error *error)
{
    struct spill_ctl_table table;

    if (part->list)
        add_list(&table, part, values);
    else if (part->members)
        add_members(&table, part, values);
    else
        add_values(&table, part, values);
    return spill_ctl_table_end(&table, out) == 0 ? 0 : spill_error_set(error, "no memory");
}

/* ------------------------------------------------------------------------------- a view */

static int print_json(const json_t *document, FILE *out, struct spill_error *error)
{
    if (json_dumpf(document, out, JSON_INDENT(2)) != 0)
        return spill_error_set(error, "standard output can't be written");
    fputc('\n', out);
    return 0;
}

static int print_text(const struct spill_ctl_view *view, json_t *read, FILE *out,
                      struct spill_error *error)
{
    const struct spill_ctl_part *part;
    int status = 0;

    for (part = view->parts;
         part < view->parts + SPILL_CTL_PARTS_MAX && part->path != NULL && status == 0; part++) {
        if (part->list && json_array_size(json_object_get(read, part->name)) == 0)
            continue;
        if (part > view->parts)
            fputc('\n', out);
        status = spill_ctl_part_print(part, json_object_get(read, part->name), out, error);
    }
    return status;
}

int spill_ctl_view_show(const struct spill_ctl_view *view, struct spill_ctl_telemetry *telemetry,
                        bool as_json, FILE *out, struct spill_error *error)
{
    const struct spill_ctl_part *part;
    json_t *read = json_object();
    int status = 0;

    for (part = view->parts;
         part < view->parts + SPILL_CTL_PARTS_MAX && part->path != NULL && status == 0; part++) {
        json_t *values = spill_ctl_part_read(part, telemetry, error);

        if (values == NULL)
            status = -1;
        else if (json_object_set_new(read, part->name, values) != 0)
            status = spill_error_set(error, "no memory");
    }
    if (status == 0 && as_json)
        status = print_json(view->parts[1].path == NULL ? json_object_get(read, view->parts[0].name)
                                                        : read,
                            out, error);
    else if (status == 0)
        status = print_text(view, read, out, error);
    json_decref(read);
    return status;
}
