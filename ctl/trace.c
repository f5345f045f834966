/* SPDX-License-Identifier: BSD-3-Clause */
/* trace: asks for the way of packets, and prints each when its last stage is known. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "command.h"
#include "control_socket.h"
#include "filter.h"
#include "instance.h"

#define PACKETS_MAX 10000
#define SECONDS_MAX 86400

struct trace {
    FILE *out;
    bool as_json;
    json_t *ways; /* lists of lines, by number of the packet as text; of those not printed yet */
};

/* Keys that have a place of their own in a line. */
static bool is_framing(const char *key)
{
    static const char *const KEYS[] = {
        "packet", "time", "since_receive_us", "since_stage_us", "lcore", "stage", "last"};

    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        if (strcmp(key, KEYS[i]) == 0)
            return true;
    }
    return false;
}

static void print_text(const char *text, FILE *out)
{
    char printable[8192];

    spill_printable(printable, sizeof(printable), text != NULL ? text : "-");
    fputs(printable, out);
}

static void print_values(json_t *line, FILE *out)
{
    const char *key;
    json_t *value;

    json_object_foreach(line, key, value)
    {
        if (is_framing(key) || json_is_null(value))
            continue;
        fputs("  ", out);
        print_text(key, out);
        fputc(' ', out);
        if (json_is_integer(value))
            fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else
            print_text(json_is_true(value) ? "yes" : json_string_value(value), out);
    }
}

static void print_line(json_t *line, FILE *out)
{
    fprintf(out, "  %10.1f us  ", json_number_value(json_object_get(line, "since_receive_us")));
    print_text(json_string_value(json_object_get(line, "lcore")), out);
    fputs("  ", out);
    print_text(json_string_value(json_object_get(line, "stage")), out);
    print_values(line, out);
    fputc('\n', out);
}

static void print_way(const char *number, json_t *way, FILE *out)
{
    json_t *line;
    size_t i;

    fprintf(out, "packet %s  ", number);
    print_text(json_string_value(json_object_get(json_array_get(way, 0), "time")), out);
    fputc('\n', out);
    json_array_foreach(way, i, line) print_line(line, out);
    fflush(out);
}

static bool take(const json_t *line, void *context)
{
    struct trace *trace = context;
    char number[24];
    json_t *way;

    if (trace->as_json) {
        json_dumpf(line, trace->out, JSON_COMPACT | JSON_REAL_PRECISION(9));
        fputc('\n', trace->out);
        return fflush(trace->out) == 0;
    }
    snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(line, "packet")));
    way = json_object_get(trace->ways, number);
    if (way == NULL) {
        way = json_array();
        json_object_set_new(trace->ways, number, way);
    }
    json_array_append(way, (json_t *)line);
    if (json_is_true(json_object_get(line, "last"))) {
        print_way(number, way, trace->out);
        json_object_del(trace->ways, number);
    }
    return !ferror(trace->out);
}

static int read_words(const struct spill_ctl_request *request, json_t *asked,
                      struct spill_error *error)
{
    const char *seconds = request->values[SPILL_CTL_SECONDS];
    unsigned number;
    json_t *filter;

    if (request->word_count > 3 && strcmp(request->words[1], "where") == 0)
        return spill_error_set(error, "trace: '%s': expected the filter as one word, in quotes",
                               request->words[3]);
    if (request->word_count != 1 &&
        (request->word_count != 3 || strcmp(request->words[1], "where") != 0))
        return spill_error_set(error, "trace: expected %s", request->command->argument);
    if (spill_ctl_number_parse(request->words[0], "trace", 1, PACKETS_MAX, &number, error) != 0)
        return -1;
    json_object_set_new(asked, "count", json_integer(number));
    if (seconds != NULL) {
        if (spill_ctl_number_parse(seconds, "--seconds", 1, SECONDS_MAX, &number, error) != 0)
            return -1;
        json_object_set_new(asked, "seconds", json_integer(number));
    }
    if (request->word_count == 3) {
        filter = spill_ctl_filter_compile(request->words[2], error);
        if (filter == NULL)
            return -1;
        json_object_set_new(asked, "filter", filter);
    }
    return 0;
}

/* What had no last stage: it is still under way, or a record of it was lost. */
static void print_rest(struct trace *trace)
{
    const char *number;
    json_t *way;

    json_object_foreach(trace->ways, number, way) print_way(number, way, trace->out);
}

enum spill_ctl_status spill_ctl_trace(const struct spill_ctl_request *request, FILE *out,
                                      struct spill_error *error)
{
    struct trace trace = {.out = out, .as_json = (request->given & SPILL_CTL_TAKES(JSON)) != 0};
    json_t *asked = json_pack("{s:s}", "command", "trace"), *answer;
    char path[PATH_MAX];

    if (read_words(request, asked, error) != 0) {
        json_decref(asked);
        return SPILL_CTL_USAGE;
    }
    if (spill_ctl_instance_path(request, "control", path, error) != 0) {
        json_decref(asked);
        return SPILL_CTL_FAILED;
    }
    trace.ways = json_object();
    answer = spill_ctl_control_follow(path, asked, take, &trace, error);
    print_rest(&trace);
    json_decref(trace.ways);
    json_decref(asked);
    if (answer == NULL)
        return SPILL_CTL_FAILED;
    if (!trace.as_json) {
        print_text(json_string_value(json_object_get(answer, "text")), out);
        fputc('\n', out);
    }
    json_decref(answer);
    return SPILL_CTL_DONE;
}
