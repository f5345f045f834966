/* SPDX-License-Identifier: BSD-3-Clause */
/* What is counted as text for Prometheus, byte for byte in both formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/openmetrics.h"

struct thing {
    const char *name, *state;
    uint64_t packets, bytes, last;
    int node;
    uint64_t none;
};

static struct spill_metric_value longest(const void *thing)
{
    (void)thing;
    return spill_value_real(2.5);
}

static struct spill_metric_value untold(const void *thing)
{
    (void)thing;
    return spill_value_text(NULL);
}

static const struct spill_metric rows[] = {
    SPILL_METRIC(TEXT, "name", struct thing, name, "", "its name"),
    SPILL_METRIC(TEXT, "state", struct thing, state, "", "its state"),
    SPILL_METRIC(COUNTER, "packets", struct thing, packets, "packets", "that \"came\""),
    SPILL_METRIC(COUNTER, "bytes", struct thing, bytes, "bytes", "of those"),
    SPILL_METRIC(GAUGE, "last", struct thing, last, "s", "in UNIX time"),
    SPILL_METRIC(GAUGE, "node", struct thing, node, "", "NUMA node"),
    SPILL_METRIC_COMPUTED(GAUGE, "longest_us", longest, "us", "turn"),
    SPILL_METRIC_COMPUTED(GAUGE, "untold", untold, "", ""),
};
static const struct spill_metrics metrics = SPILL_METRICS(rows);

static const struct thing things[] = {
    {.name = "a", .state = "up", .packets = 1, .bytes = 2, .last = 3, .node = -1},
    {.name = "b\"\\\n\xff", .state = "b\"\\\n\xff", .packets = UINT64_MAX, .bytes = 5, .node = 1},
};

static const struct spill_metric_family list = {"things", "thing", SPILL_FAMILY_LIST},
                                        parts = {"parts", "part", SPILL_FAMILY_LIST},
                                        by_label = {"drops", "reason", SPILL_FAMILY_ONE},
                                        plain = {"flows", NULL, SPILL_FAMILY_ONE};

static const struct spill_metric entries = {
    .name = "entries", .unit = "flows", .help = "", .kind = SPILL_METRIC_GAUGE};

static void write_number(struct spill_metric_writer *writer, const struct spill_metric *metric,
                         uint64_t number)
{
    const struct spill_metric_value value = spill_value_unsigned(number);

    writer->value(writer, metric, &value);
}

/* Members with members of their own, values by their label, and values alone. */
static void write_all(struct spill_metric_writer *writer)
{
    struct spill_metric metric = {.unit = "packets", .help = "", .kind = SPILL_METRIC_COUNTER};

    writer->family_begin(writer, &list);
    for (size_t i = 0; i < RTE_DIM(things); i++) {
        writer->member_begin(writer, &list, things[i].name);
        spill_metrics_write(&metrics, &things[i], writer);
        writer->family_begin(writer, &parts);
        writer->member_begin(writer, &parts, "x");
        write_number(writer, &entries, i);
        writer->member_end(writer, &parts);
        writer->family_end(writer, &parts);
        writer->member_end(writer, &list);
    }
    writer->family_end(writer, &list);
    writer->family_begin(writer, &by_label);
    metric.name = "denied";
    write_number(writer, &metric, 7);
    metric.name = "other";
    write_number(writer, &metric, 8);
    writer->family_end(writer, &by_label);
    writer->family_begin(writer, &plain);
    write_number(writer, &entries, 9);
    writer->family_end(writer, &plain);
}

static char *written(enum spill_openmetrics_format format)
{
    struct spill_openmetrics *writer = malloc(sizeof(*writer));
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    spill_openmetrics_begin(writer, format);
    write_all(&writer->writer);
    assert_int_equal(spill_openmetrics_end(writer, out), 0);
    fclose(out);
    free(writer);
    return text;
}

#define B "b\\\"\\\\\\n?"

static void openmetrics(void **state)
{
    char *text = written(SPILL_OPENMETRICS_1_0);

    (void)state;
    assert_string_equal(text,
                        "# TYPE spillway_things_packets counter\n"
                        "# HELP spillway_things_packets packets: that \\\"came\\\"\n"
                        "spillway_things_packets_total{thing=\"a\"} 1\n"
                        "spillway_things_packets_total{thing=\"" B "\"} 18446744073709551615\n"
                        "# TYPE spillway_things_bytes counter\n"
                        "# UNIT spillway_things_bytes bytes\n"
                        "# HELP spillway_things_bytes bytes: of those\n"
                        "spillway_things_bytes_total{thing=\"a\"} 2\n"
                        "spillway_things_bytes_total{thing=\"" B "\"} 5\n"
                        "# TYPE spillway_things_last_seconds gauge\n"
                        "# UNIT spillway_things_last_seconds seconds\n"
                        "# HELP spillway_things_last_seconds seconds: in UNIX time\n"
                        "spillway_things_last_seconds{thing=\"a\"} 3\n"
                        "spillway_things_last_seconds{thing=\"" B "\"} 0\n"
                        "# TYPE spillway_things_node gauge\n"
                        "# HELP spillway_things_node NUMA node\n"
                        "spillway_things_node{thing=\"a\"} -1\n"
                        "spillway_things_node{thing=\"" B "\"} 1\n"
                        "# TYPE spillway_things_longest_seconds gauge\n"
                        "# UNIT spillway_things_longest_seconds seconds\n"
                        "# HELP spillway_things_longest_seconds seconds: turn\n"
                        "spillway_things_longest_seconds{thing=\"a\"} 2.5e-06\n"
                        "spillway_things_longest_seconds{thing=\"" B "\"} 2.5e-06\n"
                        "# TYPE spillway_things_parts_entries gauge\n"
                        "# HELP spillway_things_parts_entries flows: \n"
                        "spillway_things_parts_entries{thing=\"a\",part=\"x\"} 0\n"
                        "spillway_things_parts_entries{thing=\"" B "\",part=\"x\"} 1\n"
                        "# TYPE spillway_things info\n"
                        "# HELP spillway_things what is told in words of things\n"
                        "spillway_things_info{thing=\"a\",state=\"up\"} 1\n"
                        "# TYPE spillway_drops counter\n"
                        "# HELP spillway_drops by reason\n"
                        "spillway_drops_total{reason=\"denied\"} 7\n"
                        "spillway_drops_total{reason=\"other\"} 8\n"
                        "# TYPE spillway_flows_entries gauge\n"
                        "# HELP spillway_flows_entries flows: \n"
                        "spillway_flows_entries 9\n"
                        "# EOF\n");
    free(text);
}

static void the_format_before(void **state)
{
    char *text = written(SPILL_OPENMETRICS_BEFORE);

    (void)state;
    assert_non_null(strstr(text, "# TYPE spillway_things_packets_total counter\n"
                                 "# HELP spillway_things_packets_total packets: that"));
    assert_non_null(strstr(text, "# TYPE spillway_things_info gauge\n"));
    assert_non_null(strstr(text, "# TYPE spillway_flows_entries gauge\n"));
    assert_null(strstr(text, "# UNIT"));
    assert_null(strstr(text, "# EOF"));
    free(text);
}

/* Without an EAL the clock stands still: all that is in a histogram is below no bound. */
static void a_histogram_has_buckets(void **state)
{
    struct spill_openmetrics *writer = malloc(sizeof(*writer));
    struct spill_histogram *histogram = calloc(1, sizeof(*histogram));
    const struct spill_metric metric = {
        .name = "wait_us", .unit = "us", .help = "of jobs", .kind = SPILL_METRIC_HISTOGRAM};
    const struct spill_metric_value value = {.type = SPILL_VALUE_HISTOGRAM, .histogram = histogram};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    spill_histogram_record(histogram, 100, 3);
    spill_openmetrics_begin(writer, SPILL_OPENMETRICS_1_0);
    writer->writer.family_begin(&writer->writer, &plain);
    writer->writer.value(&writer->writer, &metric, &value);
    writer->writer.family_end(&writer->writer, &plain);
    assert_int_equal(spill_openmetrics_end(writer, out), 0);
    fclose(out);
    assert_non_null(strstr(text, "# TYPE spillway_flows_wait_seconds histogram\n"
                                 "# UNIT spillway_flows_wait_seconds seconds\n"));
    assert_non_null(strstr(text, "spillway_flows_wait_seconds_bucket{le=\"1e-06\"} 0\n"
                                 "spillway_flows_wait_seconds_bucket{le=\"2e-06\"} "));
    assert_non_null(strstr(text, "spillway_flows_wait_seconds_bucket{le=\"+Inf\"} 3\n"
                                 "spillway_flows_wait_seconds_count 3\n"
                                 "spillway_flows_wait_seconds_sum "));
    free(text);
    free(histogram);
    free(writer);
}

/* A label that has no room is none, and the text is not whole. */
static void what_is_too_long_is_told(void **state)
{
    struct spill_openmetrics *writer = malloc(sizeof(*writer));
    char *long_name = calloc(1, 20000), *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    memset(long_name, '"', 19999);
    spill_openmetrics_begin(writer, SPILL_OPENMETRICS_1_0);
    writer->writer.family_begin(&writer->writer, &list);
    writer->writer.member_begin(&writer->writer, &list, long_name);
    write_number(&writer->writer, &entries, 1);
    writer->writer.member_end(&writer->writer, &list);
    writer->writer.member_begin(&writer->writer, &list, "b");
    spill_metrics_write(&metrics, &(struct thing){.name = "b", .state = long_name},
                        &writer->writer);
    writer->writer.member_end(&writer->writer, &list);
    writer->writer.family_end(&writer->writer, &list);
    assert_int_equal(spill_openmetrics_end(writer, out), -1);
    fclose(out);
    assert_non_null(strstr(text, "\n# EOF\n"));
    free(text);
    free(long_name);
    free(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openmetrics),
        cmocka_unit_test(the_format_before),
        cmocka_unit_test(a_histogram_has_buckets),
        cmocka_unit_test(what_is_too_long_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
