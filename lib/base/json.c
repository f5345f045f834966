/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes JSON: indentation, commas, and strings that are safe whatever is in them. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "json.h"
#include "printable.h"

/* A wrong document would be found by its reader, far from the mistake: stop here instead. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void write_string(FILE *out, const char *value)
{
    const unsigned char *at = (const unsigned char *)value;
    unsigned length;

    fputc('"', out);
    for (; *at != 0; at += length > 0 ? length : 1) {
        length = spill_utf8_length((const char *)at);
        if (length == 0)
            fputs("\\ufffd", out);
        else if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at == '\n')
            fputs("\\n", out);
        else if (*at == '\t')
            fputs("\\t", out);
        else if (*at < 0x20 || *at == 0x7f)
            fprintf(out, "\\u%04x", *at);
        else
            fwrite(at, 1, length, out);
    }
    fputc('"', out);
}

static void new_line(struct spill_json *json)
{
    if (!json->on_one_line)
        fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
}

/* What stands before any value: comma, line, key. */
static void begin_value(struct spill_json *json, const char *key)
{
    bool in_object = json->depth > 0 && !json->is_array[json->depth - 1];

    require(in_object == (key != NULL));
    if (json->depth == 0)
        return;
    if (json->has_values[json->depth - 1])
        fputc(',', json->out);
    json->has_values[json->depth - 1] = true;
    new_line(json);
    if (key != NULL) {
        write_string(json->out, key);
        fputs(": ", json->out);
    }
}

static void open_nested(struct spill_json *json, const char *key, bool is_array)
{
    begin_value(json, key);
    require(json->depth < SPILL_JSON_DEPTH_MAX);
    fputc(is_array ? '[' : '{', json->out);
    json->is_array[json->depth] = is_array;
    json->has_values[json->depth] = false;
    json->depth++;
}

static void close_nested(struct spill_json *json, bool is_array)
{
    require(json->depth > 0 && json->is_array[json->depth - 1] == is_array);
    json->depth--;
    if (json->has_values[json->depth])
        new_line(json);
    fputc(is_array ? ']' : '}', json->out);
}

void spill_json_begin(struct spill_json *json, FILE *out)
{
    json->out = out;
    json->on_one_line = false;
    json->depth = 0;
}

void spill_json_begin_line(struct spill_json *json, FILE *out)
{
    spill_json_begin(json, out);
    json->on_one_line = true;
}

int spill_json_end(struct spill_json *json)
{
    require(json->depth == 0);
    fputc('\n', json->out);
    return fflush(json->out) != 0 || ferror(json->out) ? -1 : 0;
}

void spill_json_object_begin(struct spill_json *json, const char *key)
{
    open_nested(json, key, false);
}

void spill_json_object_end(struct spill_json *json)
{
    close_nested(json, false);
}

void spill_json_array_begin(struct spill_json *json, const char *key)
{
    open_nested(json, key, true);
}

void spill_json_array_end(struct spill_json *json)
{
    close_nested(json, true);
}

void spill_json_string(struct spill_json *json, const char *key, const char *value)
{
    begin_value(json, key);
    if (value == NULL)
        fputs("null", json->out);
    else
        write_string(json->out, value);
}

void spill_json_unsigned(struct spill_json *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    fprintf(json->out, "%" PRIu64, value);
}

void spill_json_signed(struct spill_json *json, const char *key, int64_t value)
{
    begin_value(json, key);
    fprintf(json->out, "%" PRId64, value);
}

void spill_json_double(struct spill_json *json, const char *key, double value)
{
    char text[64];
    char *at;

    begin_value(json, key);
    if (!isfinite(value)) {
        fputs("null", json->out);
        return;
    }
    snprintf(text, sizeof(text), "%.9g", value);
    /* JSON wants a point whatever the locale. */
    for (at = text; *at != 0; at++)
        if (*at == ',')
            *at = '.';
    fputs(text, json->out);
}

void spill_json_boolean(struct spill_json *json, const char *key, bool value)
{
    begin_value(json, key);
    fputs(value ? "true" : "false", json->out);
}
