/* SPDX-License-Identifier: BSD-3-Clause */
/* Declared metrics: added up by their forms, and given to writers; counters of a file's own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ledger.h"
#include "base/metrics.h"

struct thing {
    const char *name;
    char place[8];
    uint64_t packets;
    uint64_t cycles;
    uint64_t other;
    uint32_t limit;
    int node;
    struct spill_histogram wait;
};

static struct spill_metric_value twice(const void *thing)
{
    return spill_value_unsigned(2 * ((const struct thing *)thing)->packets);
}

static struct spill_metric_value unknown(const void *thing)
{
    (void)thing;
    return spill_value_text(NULL);
}

static const struct spill_metric rows[] = {
    SPILL_METRIC(TEXT, "name", struct thing, name, "", ""),
    SPILL_METRIC(TEXT, "place", struct thing, place, "", ""),
    SPILL_METRIC(COUNTER, "packets", struct thing, packets, "packets", ""),
    SPILL_METRIC_ADDED(struct thing, cycles),
    SPILL_METRIC_RATIO("each", struct thing, cycles, packets, "cycles", ""),
    SPILL_METRIC(GAUGE, "limit", struct thing, limit, "", ""),
    SPILL_METRIC(GAUGE, "node", struct thing, node, "", ""),
    SPILL_METRIC_COMPUTED(COUNTER, "twice", twice, "packets", ""),
    SPILL_METRIC_COMPUTED(TEXT, "unknown", unknown, "", ""),
    SPILL_METRIC_COUNTED("wait_us", struct thing, wait, ""),
};
static const struct spill_metrics metrics = SPILL_METRICS(rows);

static SPILL_COUNTER(first, "tests", "first", "packets", "");
static SPILL_COUNTER(second, "tests", "second", "packets", "");
static SPILL_COUNTER(foreign, "others", "first", "packets", "");

static struct spill_json json;
static struct spill_metric_json writer;
static char *text;
static size_t size;
static FILE *out;

static void begin(void)
{
    out = open_memstream(&text, &size);
    spill_json_begin(&json, out);
    spill_json_object_begin(&json, NULL);
    spill_metric_json_init(&writer, &json);
}

/* What was written, without blanks. */
static void expect(const char *expected)
{
    char *to, *from;

    spill_json_object_end(&json);
    assert_int_equal(spill_json_end(&json), 0);
    fclose(out);
    for (to = from = text; *from != '\0'; from++) {
        if (*from != ' ' && *from != '\n')
            *to++ = *from;
    }
    *to = '\0';
    assert_string_equal(text, expected);
    free(text);
}

static void each_form_is_added_as_it_is(void **state)
{
    static struct thing sum, one = {.name = "one",
                                    .place = "here",
                                    .packets = 3,
                                    .cycles = 7,
                                    .other = 9,
                                    .limit = UINT32_MAX - 5,
                                    .node = -1};

    (void)state;
    spill_histogram_record(&one.wait, 5, 4);
    spill_metrics_add(&metrics, &sum, &one);
    one.limit = 4;
    one.cycles = 8;
    one.node = 3;
    spill_histogram_record(&one.wait, 900, 1);
    spill_metrics_add(&metrics, &sum, &one);
    assert_null(sum.name);
    assert_string_equal(sum.place, "");
    assert_int_equal(sum.packets, 6);
    assert_int_equal(sum.cycles, 15);
    assert_int_equal(sum.other, 0); /* no row */
    assert_int_equal(sum.limit, UINT32_MAX - 1);
    assert_int_equal(sum.node, 2);
    assert_int_equal(spill_histogram_count(&sum.wait), 9);
    assert_int_equal(sum.wait.max, 900);
}

static void values_are_written_by_their_types(void **state)
{
    static struct thing one = {
        .name = "one", .place = "here", .packets = 4, .cycles = 10, .limit = 7, .node = -1};

    (void)state;
    begin();
    /* Without an EAL nobody knows how long a cycle is. */
    spill_metrics_write(&metrics, &one, &writer.writer);
    expect(
        "{\"name\":\"one\",\"place\":\"here\",\"packets\":4,\"each\":2.5,\"limit\":7,\"node\":-1,"
        "\"twice\":8,\"unknown\":null,\"wait_us\":{\"p50\":null,\"p99\":null,\"p999\":null,\"max\":"
        "null,"
        "\"count\":0}}");
}

static void a_ratio_of_nothing_is_nothing(void **state)
{
    static struct thing one = {.cycles = 10};

    (void)state;
    begin();
    spill_metrics_write(&(struct spill_metrics){.rows = &rows[4], .count = 1}, &one,
                        &writer.writer);
    expect("{\"each\":0}");
}

static void write_member(const void *source, const struct spill_metric_family *family,
                         struct spill_metric_writer *to)
{
    const struct spill_metrics packets = {.rows = &rows[2], .count = 1};

    if (family->shape != SPILL_FAMILY_ONE)
        to->member_begin(to, family, "a");
    spill_metrics_write(&packets, source, to);
    if (family->shape != SPILL_FAMILY_ONE)
        to->member_end(to, family);
}

static void families_have_their_shapes(void **state)
{
    static const struct spill_metric_section sections[] = {
        {{"one", NULL, SPILL_FAMILY_ONE}, write_member},
        {{"list", "thing", SPILL_FAMILY_LIST}, write_member},
        {{"map", "thing", SPILL_FAMILY_MAP}, write_member},
    };
    static const struct thing thing = {.packets = 1};

    (void)state;
    begin();
    spill_metric_sections_write(sections, 3, &thing, NULL, &writer.writer);
    expect("{\"one\":{\"packets\":1},\"list\":[{\"packets\":1}],\"map\":{\"a\":{\"packets\":1}}}");
    begin();
    spill_metric_sections_write(sections, 3, &thing, "map", &writer.writer);
    expect("{\"map\":{\"a\":{\"packets\":1}}}");
}

static void counters_stand_with_their_family(void **state)
{
    struct spill_ledger ledgers[2] = {0}, sum = {0};

    (void)state;
    spill_ledger_count(&ledgers[0], &first, 2);
    spill_ledger_count(&ledgers[1], &first, 3);
    spill_ledger_count(&ledgers[1], &foreign, 7);
    spill_ledger_add(&sum, &ledgers[0]);
    spill_ledger_add(&sum, &ledgers[1]);
    assert_int_equal(sum.counted[second.id], 0);
    assert_int_equal(spill_ledger_in_flight(&sum), 0);
    begin();
    spill_counters_write(sum.counted, NULL, &writer.writer);
    expect("{\"tests\":{\"first\":5,\"second\":0},\"others\":{\"first\":7}}");
    begin();
    spill_counters_write(sum.counted, "others", &writer.writer);
    expect("{\"others\":{\"first\":7}}");
}

static void one_name_twice_is_a_mistake(void **state)
{
    static struct spill_counter same = {.metric = {.name = "second"}, .family = "tests"};
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka reports it otherwise */
        freopen("/dev/null", "w", stderr);
        spill_counter_register(&same);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_added_as_it_is),
        cmocka_unit_test(values_are_written_by_their_types),
        cmocka_unit_test(a_ratio_of_nothing_is_nothing),
        cmocka_unit_test(families_have_their_shapes),
        cmocka_unit_test(counters_stand_with_their_family),
        cmocka_unit_test(one_name_twice_is_a_mistake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
