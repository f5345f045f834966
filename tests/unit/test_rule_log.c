/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of what rules decide: what they have, how many a rule and a ring may have. */
#include "flow_tables.h"

#include <arpa/inet.h>

#include "classify/rule_tallies.h"
#include "packet/parse.h"
#include "pipeline/fast.h"
#include "pipeline/rule_log.h"

static struct spill_fast fast;
static struct spill_generation generation;
static struct spill_rule_tallies *tallies;
static uint32_t unlimited, limited; /* their tallies */

static const uint64_t HOUR_NS = UINT64_C(3600000000000);

/* The counters of the family, in the order of their names. */
static uint64_t counted(const char *name)
{
    const struct spill_counter *counter;

    for (uint32_t id = 0; (counter = spill_counter_get(id)) != NULL; id++)
        if (strcmp(counter->family, "rule_log") == 0 && strcmp(counter->metric.name, name) == 0)
            return fast.ledger.counted[id];
    fail_msg("no counter %s", name);
    return 0;
}

static int open_all(void **state)
{
    static const char text[] =
        "allow tcp from any to any log\ndeny udp from any to any log limit 2/h\n";
    static const int sockets[] = {SOCKET_ID_ANY, SOCKET_ID_ANY};
    FILE *file = fmemopen((void *)(uintptr_t)text, sizeof(text) - 1, "r");
    struct spill_ruleset *ruleset = spill_rules_read(file, "test", NULL, NULL);

    (void)state;
    fclose(file);
    memset(&fast, 0, sizeof(fast));
    fast.flows = flows_make(CAPACITY, 0);
    fast.rule_log = spill_rule_log_create("test", SOCKET_ID_ANY, NULL);
    tallies = spill_rule_tallies_create(sockets, RTE_DIM(sockets));
    if (ruleset == NULL || fast.rule_log == NULL || tallies == NULL ||
        spill_rule_tallies_assign(tallies, ruleset, 1, 0, NULL) != 0)
        return -1;
    unlimited = ruleset->rules[0].tally;
    limited = ruleset->rules[1].tally;
    generation.list =
        spill_rule_list_create(ruleset, spill_rule_tallies_counts(tallies), SPILL_VERDICT_DENY);
    spill_rules_free(ruleset);
    fast.version.generation = &generation;
    spill_flow_table_count_in(fast.flows, spill_rule_tallies_counts(tallies)->of[1]);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    flows_free(fast.flows);
    rte_ring_free(fast.rule_log);
    spill_rule_list_free(generation.list);
    spill_rule_tallies_free(tallies);
    return 0;
}

static void a_record_has_what_was_decided(void **state)
{
    struct spill_packet packet = {
        .kind = SPILL_PACKET_IPV4,
        .direction = 1,
        .has_ports = 1,
        .length = 77,
        .input = 3,
        .verdict = SPILL_VERDICT_DENY,
        .sa = SPILL_SA_REJECT,
        .key.v4 = {.address = {htonl(1), htonl(2)}, .port = {htons(10), htons(20)}, .protocol = 6}};
    struct spill_rule_record record;

    (void)state;
    spill_rule_log_note(&fast, &packet, unlimited, 5);
    assert_int_equal(spill_rule_log_take(fast.rule_log, &record, 1), 1);
    assert_int_equal(record.stamp, 5);
    assert_int_equal(record.tally, unlimited);
    assert_int_equal(record.length, 77);
    assert_int_equal(record.input, 3);
    assert_int_equal(record.verdict, SPILL_VERDICT_DENY);
    assert_true(record.rejected);
    assert_int_equal(record.protocol, 6);
    assert_int_equal(record.address[0][3], 2);
    assert_int_equal(record.address[1][3], 1);
    assert_int_equal(record.port[0], 20);
    assert_int_equal(record.port[1], 10);
    assert_true(record.has_ports && !record.has_type);
    packet = (struct spill_packet){.kind = SPILL_PACKET_IPV6,
                                   .verdict = SPILL_VERDICT_ALLOW,
                                   .sa = SPILL_SA_MSS_AUTO,
                                   .key.v6 = {.address = {{9}, {8}}, .protocol = 99}};
    spill_rule_log_note(&fast, &packet, unlimited, 6);
    assert_int_equal(spill_rule_log_take(fast.rule_log, &record, 1), 1);
    assert_int_equal(record.address[0][0], 9);
    assert_int_equal(record.address[1][0], 8);
    assert_false(record.rejected || record.has_ports || record.has_type);
    assert_int_equal(spill_rule_log_take(fast.rule_log, &record, 1), 0);
}

/* Rules that were asked as of who began the connection, in place of who answers, said it of him. */
static void a_record_is_of_what_was_asked(void **state)
{
    struct spill_packet packet = {
        .kind = SPILL_PACKET_IPV4,
        .direction = 1,
        .has_ports = 1,
        .reversed = 1,
        .input = 3,
        .output = 4,
        .key.v4 = {.address = {htonl(1), htonl(2)}, .port = {htons(10), htons(20)}, .protocol = 6}};
    struct spill_rule_record record;

    (void)state;
    spill_rule_log_note(&fast, &packet, unlimited, 5);
    assert_int_equal(spill_rule_log_take(fast.rule_log, &record, 1), 1);
    assert_int_equal(record.input, 4);
    assert_int_equal(record.address[0][3], 1);
    assert_int_equal(record.address[1][3], 2);
    assert_int_equal(record.port[0], 10);
    assert_int_equal(record.port[1], 20);
}

/* Two an hour are one an hour for each of two lcores. */
static void a_limit_spreads_records(void **state)
{
    const uint64_t hour = (uint64_t)((double)HOUR_NS * (double)rte_get_tsc_hz() / 1e9);
    const struct spill_packet packet = {.kind = SPILL_PACKET_IPV4, .key.v4 = {.protocol = 17}};
    struct spill_rule_record records[64];
    uint64_t now = hour;

    (void)state;
    for (unsigned i = 0; i < 50; i++)
        spill_rule_log_note(&fast, &packet, limited, now);
    assert_int_equal(spill_rule_log_take(fast.rule_log, records, 64), SPILL_RULE_LOG_BURST);
    assert_int_equal(counted("limited"), 50 - SPILL_RULE_LOG_BURST);
    for (unsigned i = 0; i < 10; i++) {
        spill_rule_log_note(&fast, &packet, limited, now + hour - hour / 100);
        assert_int_equal(spill_rule_log_take(fast.rule_log, records, 64), 0);
        now += hour + hour / 1000;
        spill_rule_log_note(&fast, &packet, limited, now);
        spill_rule_log_note(&fast, &packet, limited, now);
        assert_int_equal(spill_rule_log_take(fast.rule_log, records, 64), 1);
    }
    now += 100 * hour;
    for (unsigned i = 0; i < 50; i++)
        spill_rule_log_note(&fast, &packet, limited, now);
    assert_int_equal(spill_rule_log_take(fast.rule_log, records, 64), SPILL_RULE_LOG_BURST);
}

static void what_finds_no_room_is_counted(void **state)
{
    const struct spill_packet packet = {.kind = SPILL_PACKET_IPV4, .key.v4 = {.protocol = 6}};

    (void)state;
    for (unsigned i = 0; i < SPILL_RULE_LOG_RECORDS + 7; i++)
        spill_rule_log_note(&fast, &packet, unlimited, 0);
    assert_int_equal(counted("records"), SPILL_RULE_LOG_RECORDS);
    assert_int_equal(counted("lost"), 7);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_record_has_what_was_decided),
        LOG_TEST(a_record_is_of_what_was_asked),
        LOG_TEST(a_limit_spreads_records),
        LOG_TEST(what_finds_no_room_is_counted),
    };

    flows_seed(argc, argv);
    return cmocka_run_group_tests(tests, flows_start, flows_stop);
}
