/* SPDX-License-Identifier: BSD-3-Clause */
/* The options by flag and by file: each one good and bad, what overrides what, and the messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/command_line.h"
#include "config/option_table.h"
#include "config/options_at_once.h"
#include "config/options_compare.h"
#include "options_parse.h"

/* The same two ports and their wire as in base_file, as flags. */
static const char *const base_flags[] = {"--port", "lan=net_null0", "--port", "wan=net_null1",
                                         "--wire", "lan:wan",       "--check"};

/* One good value, another one and a bad one for an option; it fails when an option has no row. */
struct row {
    const char *name;
    const char *subject; /* "lan:" or "classify=" before the value in a flag */
    const char *good, *other;
    uint64_t good_number, other_number;
    const char *bad[8];
};

static const struct row rows[] = {
    {"check", "", "on", "off", 1, 0, {"yes", "1", "On"}},
    {"json", "", "on", "off", 1, 0, {"true"}},
    {"port", "lan=", NULL, NULL, 0, 0, {",iface=x", "net null"}},
    {"wire", "", NULL, NULL, 0, 0, {"lan", "lan:", "lan:lan", "lan:wan:dmz", "l@n:wan"}},
    {"rx-queues", "lan:", "1", "64", 1, 64, {"0", "65", "x", "-1", "1.5"}},
    {"tx-queues", "lan:", "2", "64", 2, 64, {"0", "65", "two"}},
    {"mtu", "lan:", "1500", "9600", 1500, 9600, {"67", "9601", "64k", "1500B"}},
    {"promiscuous", "lan:", "off", "on", 0, 1, {"no", "ON", "0"}},
    {"mbufs", "lan:", "0", "16M", 0, 16 << 20, {"17M", "many"}},
    {"rx-descriptors", "lan:", "8", "32k", 8, 32768, {"7", "33k"}},
    {"tx-descriptors", "lan:", "512", "32k", 512, 32768, {"7", "33k"}},
    {"rules", "", NULL, NULL, 0, 0, {NULL}},
    {"default",
     "",
     "allow",
     "deny",
     SPILL_VERDICT_ALLOW,
     SPILL_VERDICT_DENY,
     {"reject", "Allow", "den"}},
    {"non-ip",
     "",
     NULL,
     NULL,
     0,
     0,
     {"allow", "arp,", "arp lldp", "arp,drop", "0x5ff", "0x0800", "0x8100", "0x88e5"}},
    {"flow-capacity", "", "64", "32M", 64, 32 << 20, {"63", "33M", "0", "64K"}},
    {"flow-timeout", "", "1ms", "24h", 1000000, 86400000000000, {"0", "60", "999us", "25h"}},
    {"timeout-tcp-opening", "", "1ms", "24h", 1000000, 86400000000000, {"0", "60", "999us", "25h"}},
    {"timeout-tcp-established",
     "",
     "1ms",
     "24h",
     1000000,
     86400000000000,
     {"0", "60", "999us", "25h"}},
    {"timeout-tcp-closing", "", "1ms", "24h", 1000000, 86400000000000, {"0", "60", "999us", "25h"}},
    {"timeout-udp-once", "", "1ms", "24h", 1000000, 86400000000000, {"0", "60", "999us", "25h"}},
    {"timeout-udp", "", "1ms", "24h", 1000000, 86400000000000, {"0", "60", "999us", "25h"}},
    {"timeout-other", "", "1ms", "24h", 1000000, 86400000000000, {"0", "60", "999us", "25h"}},
    {"tcp-pickup", "", "no", "yes", 0, 1, {"maybe", "on"}},
    {"fast", "", NULL, NULL, 0, 0, {"1-", "-1", "2-1", "1024", "1,,2", "1,", "a", "1 2"}},
    {"pool", "", NULL, NULL, 0, 0, {"0-1023", "99999999999999999999"}},
    {"rx", "", NULL, NULL, 0, 0, {"x"}},
    {"tx", "", NULL, NULL, 0, 0, {"x"}},
    {"control", "", NULL, NULL, 0, 0, {"x"}},
    {"idle", "", "busy", "sleep", 0, 2, {"spin"}},
    {"budget", "", "0", "1s", 0, 1000000000, {"10x", "10", "1001ms"}},
    {"dispatch", "classify=", "pool", "inline", 2, 1, {"core", "Auto"}},
    {"pool-capacity", "classify=", "1", "64k", 1, 65536, {"0", "65k"}},
    {"on-pool-full", "classify=", "inline", "allow", 1, 2, {"wait"}},
    {"lanes", "", "1", "64", 1, 64, {"0", "3", "128"}},
    {"crypto", "", NULL, NULL, 0, 0, {"a b", ",x"}},
    {"no-huge", "", "on", "off", 1, 0, {"maybe"}},
    {"memory", "", "16", "1M", 16, 1 << 20, {"15", "512MB"}},
    {"name", "", NULL, NULL, 0, 0, {"a/b", "a b", "a-name-of-more-than-sixteen-letters"}},
    {"duration", "", "2s", "0", 2000000000, 0, {"2", "forever"}},
    {"packets", "", "1", "18446744073709551615", 1, UINT64_MAX, {"0", "-5", "1e6"}},
    {"exit-on-idle", "", "1s", "0", 1000000000, 0, {"1"}},
    {"drain-timeout", "", "0", "1h", 0, 3600000000000, {"2h", "5"}},
    {"on-drain", "", NULL, NULL, 0, 0, {""}},
    {"on-drain-timeout", "", "0", "1h", 0, 3600000000000, {"2h", "5"}},
    {"stall-timeout", "", "0", "1h", 0, 3600000000000, {"61m", "5"}},
    {"on-stall", "", "exit", "log", 1, 0, {"ignore"}},
    {"stats", "", "1s", "0", 1000000000, 0, {"1"}},
    {"report", "", NULL, NULL, 0, 0, {NULL}},
    {"control-socket", "", NULL, NULL, 0, 0, {NULL}},
    {"control-group", "", NULL, NULL, 0, 0, {"a/b", "a b"}},
    {"rule-log", "", NULL, NULL, 0, 0, {NULL}},
    {"log-level", "", "error", "debug", 0, 4, {"warn", "7"}},
};

/* Parses the two ports, the wire and these arguments. */
__attribute__((sentinel)) static enum spill_options_result parse_more(const char *unused, ...)
{
    enum spill_options_result result;
    va_list arguments;

    va_start(arguments, unused);
    result = options_parse_list(COUNT_OF(base_flags), base_flags, arguments);
    va_end(arguments);
    return result;
}

static const struct spill_option *option_of(const struct row *row)
{
    const struct spill_option *option = spill_option_find(row->name, false);

    assert_non_null(option);
    return option;
}

/* What the options hold for a row, read by size as any user of the field reads it. */
static uint64_t field_of(const struct row *row)
{
    const struct spill_option *option = option_of(row);
    const void *scope = &options_read;
    uint64_t value = 0;

    if (option->scope == SPILL_OPTION_PER_PORT)
        scope = spill_options_find_port(&options_read, "lan");
    else if (option->scope == SPILL_OPTION_PER_CLASS)
        scope = &options_read.pipeline.classes[SPILL_CLASS_CLASSIFY];
    memcpy(&value, (const char *)scope + option->offset, option->size);
    return value;
}

static void test_each_option_has_row_and_help(void **state)
{
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool found = table[i].flag_only || !spill_option_is_flag(&table[i]);

        for (size_t j = 0; j < COUNT_OF(rows); j++)
            found = found || strcmp(rows[j].name, table[i].name) == 0;
        if (!found || table[i].help == NULL || table[i].help[0] == '\0')
            fail_msg("option --%s has no row here or no help", table[i].name);
        if (table[i].scope <= SPILL_OPTION_PER_SA)
            assert_ptr_equal(
                spill_option_find(table[i].name, table[i].scope == SPILL_OPTION_PER_SA), &table[i]);
        /* No limit is beyond what the field can hold. */
        if (table[i].kind == SPILL_OPTION_NUMBER && table[i].size < sizeof(uint64_t))
            assert_true(table[i].most < UINT64_C(1) << (8 * table[i].size));
        if (table[i].kind == SPILL_OPTION_TIME)
            assert_int_equal(table[i].size, sizeof(uint64_t));
    }
}

static void test_good_by_flag(void **state)
{
    char flag[256], value[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];

        if (row->good == NULL)
            continue;
        snprintf(value, sizeof(value), "%s%s", row->subject, row->good);
        snprintf(flag, sizeof(flag), "--%s=%s", row->name, value);
        options_assert_good(parse_more("", flag, NULL));
        assert_true(field_of(row) == row->good_number);

        snprintf(flag, sizeof(flag), "--%s", row->name);
        if (option_of(row)->kind != SPILL_OPTION_SWITCH)
            options_assert_good(parse_more("", flag, value, NULL));
        else
            options_assert_good(parse_more("", flag, NULL));
        assert_true(field_of(row) == row->good_number);

        /* Of a flag given twice the last counts. */
        snprintf(value, sizeof(value), "--%s=%s%s", row->name, row->subject, row->good);
        snprintf(flag, sizeof(flag), "--%s=%s%s", row->name, row->subject, row->other);
        options_assert_good(parse_more("", value, flag, NULL));
        assert_true(field_of(row) == row->other_number);
    }
    spill_options_free(&options_read);
}

static void test_good_by_file(void **state)
{
    char flag[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        bool per_port = option_of(row)->scope == SPILL_OPTION_PER_PORT;
        const char *check = strcmp(row->name, "json") == 0 ? "check = on\n" : "";

        if (row->good == NULL)
            continue;
        options_write("%s[spillway]\n%s%s = %s%s\n", options_base, check, row->name, row->subject,
                      row->good);
        options_assert_good(options_parse_file());
        assert_true(field_of(row) == row->good_number);

        /* A flag overrides the file, and what stands in the port's section as well. */
        if (per_port) {
            options_write("%s%s=%s\n", options_base, row->name, row->good);
            options_assert_good(options_parse_file());
            assert_true(field_of(row) == row->good_number);
        }
        snprintf(flag, sizeof(flag), "--%s=%s%s", row->name, row->subject, row->other);
        options_assert_good(options_parse(flag, "--config", options_file, NULL));
        assert_true(field_of(row) == row->other_number);
    }
    spill_options_free(&options_read);
}

static void test_bad_by_flag_and_file(void **state)
{
    char value[128], flag[256], expected[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];

        for (size_t j = 0; j < COUNT_OF(row->bad) && row->bad[j] != NULL; j++) {
            snprintf(value, sizeof(value), "%s%s", row->subject, row->bad[j]);
            snprintf(flag, sizeof(flag), "--%s=%s", row->name, value);
            snprintf(expected, sizeof(expected), "--%s '%s': ", row->name, value);
            options_assert_error(options_parse(base_flags[2], base_flags[3], base_flags[0],
                                               "lan=net_null0", base_flags[4], base_flags[5], flag,
                                               NULL),
                                 strcmp(row->name, "port") == 0 ? "" : expected);

            options_write("[spillway]\n\n%s = %s\n%s", row->name, value,
                          strcmp(row->name, "port") == 0 ? "" : options_base);
            snprintf(expected, sizeof(expected), "%s:3: key '%s', value '%s': ", options_file,
                     row->name, value);
            options_assert_error(options_parse_file(), expected);
        }
    }
}

static void test_empty_values(void **state)
{
    char flag[128], expected[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(flag, sizeof(flag), "--%s=%s", rows[i].name, rows[i].subject);
        snprintf(expected, sizeof(expected), "--%s '%s': ", rows[i].name, rows[i].subject);
        options_assert_error(options_parse(flag, NULL), expected);
        options_write("%s[spillway]\n%s =\n", options_base, rows[i].name);
        snprintf(expected, sizeof(expected), ":8: key '%s', value '': expected", rows[i].name);
        options_assert_error(options_parse_file(), expected);
        if (option_of(&rows[i])->kind == SPILL_OPTION_SWITCH)
            continue;
        snprintf(flag, sizeof(flag), "--%s", rows[i].name);
        snprintf(expected, sizeof(expected), "--%s: a value is missing: expected --%s ",
                 rows[i].name, rows[i].name);
        options_assert_error(options_parse(flag, NULL), expected);
        options_assert_error(options_parse(flag, "--check", NULL), expected);
    }
}

static void test_non_ip(void **state)
{
    static const struct {
        const char *text;
        uint16_t count;
        bool rest, encapsulated;
        uint16_t types[4];
    } values[] = {
        {"drop", 0, false, false, {0}},
        {"pass", 0, true, false, {0}},
        {"pass,encapsulated", 0, true, true, {0}},
        {"arp, lldp ,0x88CC,0xffff", 3, false, false, {0x0806, 0x88cc, 0xffff}},
        {"pppoe,stp,cisco", 4, false, false, {0x8863, 0x8864, SPILL_TYPE_STP, SPILL_TYPE_CISCO}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        options_assert_good(options_parse("--port", "lan=net_null0", "--port", "wan=net_null1",
                                          "--wire", "lan:wan", "--non-ip", values[i].text, NULL));
        assert_int_equal(options_read.pipeline.non_ip.count, values[i].count);
        assert_int_equal(options_read.pipeline.non_ip.rest, values[i].rest);
        assert_int_equal(options_read.pipeline.non_ip.encapsulated, values[i].encapsulated);
        for (unsigned j = 0; j < values[i].count; j++)
            assert_int_equal(options_read.pipeline.non_ip.types[j], values[i].types[j]);
    }
}

#define SECOND UINT64_C(1000000000)

static void test_defaults(void **state)
{
    (void)state;
    options_assert_good(options_parse("--port", "lan=net_null0", "--port", "wan=net_null1",
                                      "--wire", "lan:wan", NULL));
    assert_int_equal(options_read.default_verdict, SPILL_VERDICT_DENY);
    assert_int_equal(options_read.pipeline.non_ip.count, 10);
    assert_false(options_read.pipeline.non_ip.rest || options_read.pipeline.non_ip.encapsulated);
    assert_int_equal(options_read.pipeline.flow_capacity, 65536);
    assert_true(options_read.pipeline.flow_timeout_ns == 0);
    assert_true(options_read.pipeline.flow_timeouts_ns[SPILL_FLOW_TCP_OPENING] == 30 * SECOND);
    assert_true(options_read.pipeline.flow_timeouts_ns[SPILL_FLOW_TCP_ESTABLISHED] ==
                7500 * SECOND);
    assert_true(options_read.pipeline.flow_timeouts_ns[SPILL_FLOW_TCP_CLOSING] == 10 * SECOND);
    assert_true(options_read.pipeline.flow_timeouts_ns[SPILL_FLOW_UDP_ONCE] == 30 * SECOND);
    assert_true(options_read.pipeline.flow_timeouts_ns[SPILL_FLOW_UDP] == 180 * SECOND);
    assert_true(options_read.pipeline.flow_timeouts_ns[SPILL_FLOW_OTHER] == 60 * SECOND);
    assert_true(options_read.pipeline.tcp_pickup);
    assert_int_equal(options_read.pipeline.idle, SPILL_IDLE_PAUSE);
    assert_int_equal(options_read.pipeline.budget_ns, 10000);
    assert_int_equal(options_read.pipeline.lanes, 16);
    assert_int_equal(options_read.pipeline.classes[0].dispatch, SPILL_DISPATCH_AUTO);
    assert_int_equal(options_read.pipeline.classes[0].overflow, SPILL_OVERFLOW_DROP);
    assert_int_equal(options_read.pipeline.classes[0].capacity, 0);
    assert_string_equal(options_read.name, "spillway");
    assert_true(options_read.drain_timeout_ns == 2000000000);
    assert_true(options_read.stall_timeout_ns == 100000000);
    assert_int_equal(options_read.on_stall, SPILL_OPTION_STALL_LOG);
    assert_int_equal(options_read.log_level, SPILL_OPTION_LOG_NOTICE);
    assert_true(options_read.duration_ns == 0 && options_read.packets == 0 &&
                options_read.exit_on_idle_ns == 0);
    assert_true(options_read.stats_ns == 0 && options_read.plan.memory_mib == 0);
    assert_false(options_read.check || options_read.json || options_read.no_huge ||
                 options_read.eal_given);
    assert_true(options_read.rules == NULL && options_read.report == NULL &&
                options_read.config == NULL);
    assert_true(options_read.crypto == NULL && options_read.sas == NULL &&
                options_read.sa_count == 0);
    assert_int_equal(options_read.plan.roles[SPILL_ROLE_FAST].count +
                         options_read.plan.roles[SPILL_ROLE_POOL].count +
                         options_read.plan.roles[SPILL_ROLE_RX].count +
                         options_read.plan.roles[SPILL_ROLE_TX].count +
                         options_read.plan.roles[SPILL_ROLE_CONTROL].count,
                     0);
    assert_int_equal(options_read.port_count, 2);
    assert_true(options_read.ports[0].config.promiscuous);
    assert_int_equal(options_read.ports[0].config.rx_queues +
                         options_read.ports[0].config.tx_queues + options_read.ports[0].config.mtu +
                         options_read.ports[0].plan.extra_mbufs,
                     0);
    spill_options_free(&options_read);
    spill_options_free(&options_read);
}

static void test_lists_names_and_files(void **state)
{
    static const int cpus[] = {1, 2, 5, 1, 1023};

    (void)state;
    options_assert_good(parse_more("", "--fast", "1-2,5,1,1023", "--pool", "0-127", "--rx=3",
                                   "--tx=4", "--control", "0, 1", "--name", "a_B-9", "--rules",
                                   "some rules", "--report", "-", NULL));
    assert_int_equal(options_read.plan.roles[SPILL_ROLE_FAST].count, COUNT_OF(cpus));
    assert_memory_equal(options_read.plan.roles[SPILL_ROLE_FAST].cpus, cpus, sizeof(cpus));
    assert_int_equal(options_read.plan.roles[SPILL_ROLE_POOL].count, 128);
    assert_int_equal(options_read.plan.roles[SPILL_ROLE_POOL].cpus[127], 127);
    assert_int_equal(options_read.plan.roles[SPILL_ROLE_RX].cpus[0], 3);
    assert_int_equal(options_read.plan.roles[SPILL_ROLE_TX].cpus[0], 4);
    assert_int_equal(options_read.plan.roles[SPILL_ROLE_CONTROL].count, 2);
    assert_string_equal(options_read.name, "a_B-9");
    assert_string_equal(options_read.rules, "some rules");
    assert_string_equal(options_read.report, "-");
    options_assert_error(parse_more("", "--fast=0-127,0", NULL),
                         "--fast '0-127,0': expected at most 128");
    options_assert_error(parse_more("", "--fast=1024", NULL),
                         "expected CPUs from 0 to 1023 as in 1-2,5");
}

static void test_files_are_relative_to_config(void **state)
{
    char expected[256];

    (void)state;
    options_write("%s[spillway]\nreport = -\n", options_base);
    options_assert_good(options_parse_file());
    assert_string_equal(options_read.report, "-");
    options_write("%s[spillway]\nrules = rules/a.rules\nreport = /abs/report\n", options_base);
    options_assert_good(options_parse_file());
    snprintf(expected, sizeof(expected), "%s/rules/a.rules", options_folder);
    assert_string_equal(options_read.rules, expected);
    assert_string_equal(options_read.report, "/abs/report");
    assert_string_equal(options_read.config, options_file);
    /* As a flag it is relative to the working directory. */
    options_assert_good(
        options_parse("--config", options_file, "--rules", "b.rules", "--report=-", NULL));
    assert_string_equal(options_read.rules, "b.rules");
    assert_string_equal(options_read.report, "-");
    spill_options_free(&options_read);
}

static void test_ports_and_wires_of_flags_override(void **state)
{
    (void)state;
    options_write("%smtu = 9000\nrx-queues = 2\n", options_base);
    options_assert_good(options_parse("--mtu", "lan:1500", "--port", "lan=net_pcap0,rx_pcap=a",
                                      "--port", "in=net_null2", "--port", "out=net_null3", "--wire",
                                      "in:out", "--config", options_file, NULL));
    assert_int_equal(options_read.port_count, 4);
    assert_string_equal(spill_options_find_port(&options_read, "lan")->device,
                        "net_pcap0,rx_pcap=a");
    assert_string_equal(spill_options_find_port(&options_read, "lan")->where,
                        "--port 'lan=net_pcap0,rx_pcap=a'");
    assert_int_equal(spill_options_find_port(&options_read, "lan")->config.mtu, 1500);
    assert_int_equal(spill_options_find_port(&options_read, "lan")->config.rx_queues, 2);
    assert_string_equal(spill_options_find_port(&options_read, "wan")->device, "net_null1");
    assert_null(spill_options_find_port(&options_read, "dmz"));
    assert_int_equal(options_read.wire_count, 2);
    assert_string_equal(options_read.wires[0].name, "lan-wan");
    assert_string_equal(options_read.ports[options_read.wires[0].ports[0]].name, "lan");
    assert_string_equal(options_read.ports[options_read.wires[0].ports[1]].name, "wan");
    assert_string_equal(options_read.wires[1].name, "in-out");

    /* The same two ports are the same wire, whatever its name and its direction. */
    options_write("%s[wire second]\nports = a, b\n[port a]\ndevice=net_null5\n"
                  "[port b]\ndevice=net_null6\n",
                  options_base);
    options_assert_good(options_parse("--config", options_file, "--wire", "wan:lan", NULL));
    assert_int_equal(options_read.wire_count, 2);
    assert_string_equal(options_read.wires[0].name, "lan-wan");
    assert_string_equal(options_read.wires[0].port_names[0], "wan");
    assert_string_equal(options_read.wires[0].where, "--wire 'wan:lan'");
    options_assert_error(options_parse("--config", options_file, "--wire", "lan:a", NULL),
                         "port 'lan' is in anoth");

    /* A wire of the same name is replaced, even when other ports are joined. */
    options_write("[wire a-b]\nports = c, d\n[port a]\ndevice=net_null0\n[port b]\n"
                  "device=net_null1\n");
    options_assert_good(options_parse("--config", options_file, "--wire", "a:b", NULL));
    assert_int_equal(options_read.wire_count, 1);
    spill_options_free(&options_read);
}

static void test_ports_and_wires_fit(void **state)
{
    (void)state;
    options_assert_error(options_parse(NULL, NULL), "no port given: expected --port NAME=DEVICE");
    options_assert_error(options_parse("--port", "a=net_null0", NULL),
                         "no wire given: expected --wire A:B");
    options_assert_error(parse_more("", "--port", "lan=net_null7", NULL),
                         "--port 'lan=net_null7': given already: --port 'lan=net_null0'");
    options_assert_error(parse_more("", "--wire", "wan:lan", NULL),
                         "--wire 'wan:lan': given already: --wire 'lan:wan'");
    options_assert_error(parse_more("", "--port", "dmz=net_null2", NULL),
                         "--port 'dmz=net_null2': port 'dmz' is in no wire: expected --wire dmz:");
    options_assert_error(
        parse_more("", "--port", "dmz=net_null2", "--wire", "dmz:lan", NULL),
        "--wire 'dmz:lan': port 'lan' is in another wire already (--wire 'lan:wan')");
    options_assert_error(parse_more("", "--wire", "x:y", NULL),
                         "--wire 'x:y': there is no port 'x': expected one of lan, wan");
    options_assert_error(parse_more("", "--mtu", "dmz:1500", NULL),
                         "--mtu 'dmz:1500': there is no port 'dmz': expected --port dmz=");
    options_assert_error(options_parse("--port", "a=net_null0", "--port", "b=net_null0,copy=1",
                                       "--wire", "a:b", NULL),
                         "--port 'b=net_null0,copy=1': port 'a' has that device already");
    options_assert_good(
        options_parse("--port", "a=net_null10", "--port", "b=net_null1", "--wire", "a:b", NULL));
    options_assert_error(
        options_parse("--port", "a=0000:ab:00.0", "--port", "b=AB:00.0", "--wire", "a:b", NULL),
        "--port 'b=AB:00.0': port 'a' has that device already");
    options_assert_error(options_parse("--port", "a=net_af_packet0,iface=lo", "--port",
                                       "b=net_pcap0,iface=lo", "--wire", "a:b", NULL),
                         "--port 'b=net_pcap0,iface=lo': port 'a' has that interface already");
    options_assert_good(options_parse("--port", "a=net_af_packet0,iface=lo", "--port",
                                      "b=net_af_packet1,iface=lo2", "--wire", "a:b", NULL));
    options_assert_error(parse_more("", "--crypto", "crypto_openssl0,x=[1", NULL),
                         "its bracket is not");
    options_assert_error(options_parse("--wire", "a:a", NULL),
                         "expected the names of two different ports");
    options_assert_error(parse_more("", "--port", "a b=net_null3", NULL), "expected NAME=DEVICE");
    options_assert_error(parse_more("", "--dispatch", "encode=pool", NULL),
                         "CLASS is one of: classify");
    options_assert_error(options_parse("--port", "lan=net_null0", "--port", "wan=net_null1",
                                       "--wire", "lan:wan", "--json", NULL),
                         "--json: expected --check");

    /* One port and one wire too many. */
    static const char *argv[3 + 2 * (SPILL_PORTS_MAX + 1)] = {"spillway"};
    static char text[SPILL_PORTS_MAX + 1][64];
    int argc = 1;

    for (int i = 0; i <= SPILL_PORTS_MAX; i++) {
        snprintf(text[i], sizeof(text[i]), "p%d=net_null%d", i, i);
        argv[argc++] = "--port";
        argv[argc++] = text[i];
    }
    options_assert_error(
        spill_options_parse(argc, (char **)(uintptr_t)argv, NULL, &options_read, &options_error),
        "--port 'p32=net_null32': expected at most 32 ports");
    argc = 1;
    for (int i = 0; i <= SPILL_WIRES_MAX; i++) {
        snprintf(text[i], sizeof(text[i]), "a%d:b%d", i, i);
        argv[argc++] = "--wire";
        argv[argc++] = text[i];
    }
    options_assert_error(
        spill_options_parse(argc, (char **)(uintptr_t)argv, NULL, &options_read, &options_error),
        "--wire 'a16:b16': expected at most 16 wires");
    /* The longest names still make a wire's name. */
    options_assert_good(options_parse("--port", "left-------end16=net_null0", "--port",
                                      "right------end16=net_null1", "--wire",
                                      "left-------end16:right------end16", NULL));
    assert_string_equal(options_read.wires[0].name, "left-------end16-right------end16");
    spill_options_free(&options_read);
}

static void test_eal_arguments(void **state)
{
    (void)state;
    options_assert_good(options_parse("-l", "0-2", "-a", "0000:41:00.0", "--", "--port",
                                      "lan=0000:41:00.0", "--port", "wan=0000:42:00.0", "--wire",
                                      "lan:wan", "--no-huge", NULL));
    assert_true(options_read.eal_given && options_read.no_huge);
    assert_int_equal(options_read.eal_argc, 4);
    assert_string_equal(options_read.eal_argv[0], "-l");
    assert_string_equal(options_read.eal_argv[3], "0000:41:00.0");
    options_assert_good(options_parse("--", "--port", "lan=net_null0", "--port", "wan=net_null1",
                                      "--wire", "lan:wan", NULL));
    assert_true(options_read.eal_given);
    assert_int_equal(options_read.eal_argc, 0);
    options_assert_error(options_parse("-l", "0-2", NULL),
                         "'-l': expected an option as in --help; options of the "
                         "EAL stand before a '--'");
    /* What the EAL would take for help is the EAL's. */
    options_assert_error(options_parse("--help", "--", NULL), "no port given");
}

static void test_unknown_flags_suggest(void **state)
{
    static const char *const pairs[][2] = {
        {"--budgt", "--budget"},       {"--promisc", "--promiscuous"}, {"--rule", "--rules"},
        {"--flow-timout", "--flow-t"}, {"--drain-time", "--drain-ti"}, {"--nohuge", "--no-huge"},
        {"--log=info", "--log-level"}, {"--wires", "--wire"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        char expected[128];

        snprintf(expected, sizeof(expected), "unknown option: did you mean %s", pairs[i][1]);
        options_assert_error(options_parse(pairs[i][0], NULL), expected);
    }
    options_assert_error(options_parse("--xyzzy", NULL), "--xyzzy: unknown option: see --help");
    options_assert_error(options_parse("--=", NULL), "unknown option: see --help");
    options_assert_error(options_parse("lan", NULL), "'lan': expected an option as in --help");
    options_assert_error(options_parse("", NULL), "'': expected an option");
    options_assert_error(
        options_parse("--an-option-of-many-letters-and-of-a-name-that-nobody-has-ever-heard-of",
                      NULL),
        "unknown option: see --help");
    options_assert_error(options_parse("--a\nb", NULL), "--a\\nb: unknown option");
    options_assert_error(options_parse("a\nb", NULL), "'a\\nb': expected an option");
    options_assert_error(parse_more("", "--mtu", "lan:1\n", NULL), "--mtu 'lan:1\\n': expected");
    options_assert_error(options_parse("--budget", "1\n2\x7f", NULL), "--budget '1\\n2\\x7f': ");
}

/* Each text is wrong in the line and for the reason that follow it. */
static void test_wrong_files(void **state)
{
    static const struct {
        const char *text, *line, *reason;
    } cases[] = {
        {"rules = x\n", "1", "key 'rules' stands before any section: expected [spillway]"},
        {"\n[spilway]\n", "2", "section [spilway] is unknown: expected [spillway], [port NAME]"},
        {"[port]\n", "1", "section [port] is unknown"},
        {"[port a b]\n", "1", "section [port a b] is unknown"},
        {"[port \xc3\xa9]\n", "1", "is unknown"},
        {"[wire 01234567890123456789012345678901]\n", "1", "is unknown"},
        {"[]\n", "1", "section '': expected a name of 1 to 63 bytes"},
        {"[spillway\n", "1", "'[spillway': expected [section] and nothing else"},
        {"[spillway] rules = x\n", "1", "expected [section] and nothing else"},
        {"[spillway]]\n", "1", "expected [section] and nothing else"},
        {"[spillway]\nrules\n", "2", "'rules': expected key = value"},
        {"[spillway]\nrules =\n", "2", "key 'rules', value '': expected 1 to 255 bytes"},
        {"[spillway]\nrules = ; x\n", "2", "key 'rules', value '': expected"},
        {"[spillway]\n= x\n", "2", "key '': expected a name of 1 to 63 bytes"},
        {"[spillway]\nruls = x\n", "2", "key 'ruls' is unknown: did you mean 'rules'?"},
        {"[spillway]\nxyzzy = x\n", "2", "key 'xyzzy' is unknown: expected the name of a flag"},
        {"[spillway]\nconfig = x\n", "2", "key 'config' is a flag only: give --config"},
        {"[spillway]\nhelp = x\n", "2", "key 'help' is a flag only"},
        {"[spillway]\nconfi = x\n", "2", "key 'confi' is unknown: expected the name of a flag"},
        {"[spillway]\ndevice = x\n", "2", "key 'device' is unknown"},
        {"[spillway]\nlanes = 1\nlanes = 2\n", "3", "given already: "},
        {"[spillway]\ndispatch=classify=pool\ndispatch=classify=auto\n", "3", "given already: "},
        {"[spillway]\nmtu = lan:68\n[port lan]\ndevice=x\nmtu = 68\n", "5", "given already: "},
        {"[spillway]\n[spillway]\n", "2", "section [spillway] stands in line 1 already"},
        {"[port a]\ndevice=x\n[port  a]\n", "3", "section [port a] stands in line 1 already"},
        {"[port a]\nmtu = 68\n[port b]\ndevice=x\n", "1", "section [port a] has no key 'device'"},
        {"[sa a b]\n", "1",
         "section [sa a b] is unknown: expected [spillway], [port NAME], [wire "},
        {"[wire a]\n", "1", "section [wire a] has no key 'ports': expected ports = A, B"},
        {"[port a]\ndevice=x\nrules = y\n", "3", "key 'rules' is unknown in [port a]: expected d"},
        {"[wire a]\nports=x,y\nmtu = 68\n", "3", "key 'mtu' is unknown in [wire a]: expected po"},
        {"[port a]\ndevice=x\nmtu = a:68\n", "3", "key 'mtu', value 'a:68': expected a number"},
        {"[wire a]\nports=x\n", "2", "key 'ports', value 'x': expected the names of two"},
        {"[wire a]\nports = x, y\n[port x]\ndevice=x\n", "2", "there is no port 'y'"},
        {"[port a]\ndevice=x\n[port b]\ndevice=y\n[wire w]\nports=a,b\n[port c]\ndevice=z\n", "8",
         "port 'c' is in no wire"},
        {"[spillway]\nrules = a\x01z\n", "2", "byte 0x01: expected text"},
        {"[spillway]\nrules = a\rz\n", "2", "byte 0x0d: expected text"},
    };
    char expected[512], long_text[400];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        options_write("%s", cases[i].text);
        snprintf(expected, sizeof(expected), "%s:%s: ", options_file, cases[i].line);
        options_assert_error(options_parse_file(), expected);
        if (strstr(options_error.text, cases[i].reason) == NULL)
            fail_msg("'%s' has not '%s'", options_error.text, cases[i].reason);
    }
    options_write_bytes("[spillway]\nrules = a\0b\n", 23);
    options_assert_error(options_parse_file(), ":2: byte 0x00: expected text");

    memset(long_text, 'x', sizeof(long_text));
    options_write("[spillway]\n%.64s = y\n", long_text);
    options_assert_error(options_parse_file(), "expected a name of 1 to 63 bytes");
    options_write("[spillway]\nrules = %.256s\n", long_text);
    options_assert_error(options_parse_file(), "expected 1 to 255 bytes");
    options_write("[%.64s]\n", long_text);
    options_assert_error(options_parse_file(), "expected a name of 1 to 63 bytes");

    options_assert_error(options_parse("--config", "/nonexistent/x.conf", NULL),
                         "/nonexistent/x.conf: cannot be opened: No such file");
    options_assert_error(options_parse("--config", options_folder, NULL),
                         "cannot be opened: Is a directory");
    options_write("%s", "");
    options_assert_error(options_parse_file(), "no port given: ");
    options_assert_error(options_parse_file(), ".conf has no section [port NAME]");
    options_write("[port a]\ndevice = net_null0\n");
    options_assert_error(options_parse_file(), "two of the ports, or in ");
    options_assert_error(options_parse_file(),
                         ".conf a section [wire NAME], or a port with routed = yes");
}

static void test_file_forms(void **state)
{
    char longest[256], path[512];

    (void)state;
    memset(longest, 'x', 255);
    longest[0] = '/';
    longest[255] = '\0';
    options_write("# a comment = with an equals sign, before any section, and so long that no key\n"
                  "# [comment]\n"
                  ";[comment\n"
                  "\r\n"
                  "  [ port \t lan ]  ; the inside\r\n"
                  "\tdevice=net_null0,a=b#c   ; comment = more\n"
                  "   # indented = comment\n"
                  "[port wan]\n device =net_null1\n"
                  "[wire w]\nports = lan ,wan\n"
                  "[spillway]\n"
                  "rules = %s\n"
                  "report = a b\\\n"
                  "fast = 1, 2-3\n"
                  "idle = sleep", /* no end of line */
                  longest);
    options_assert_good(options_parse_file());
    assert_string_equal(options_read.ports[0].name, "lan");
    assert_string_equal(options_read.ports[0].device, "net_null0,a=b#c");
    assert_string_equal(options_read.wires[0].name, "w");
    assert_string_equal(options_read.rules, longest);
    snprintf(path, sizeof(path), "%s/a b\\", options_folder);
    assert_string_equal(options_read.report, path);
    assert_int_equal(options_read.plan.roles[SPILL_ROLE_FAST].count, 3);
    assert_int_equal(options_read.pipeline.idle, SPILL_IDLE_SLEEP);
    snprintf(path, sizeof(path), "%s:6: key 'device', value 'net_null0,a=b#c'", options_file);
    assert_string_equal(options_read.ports[0].where, path);

    /* Ports and wires may be given in [spillway] as flags give them, and more than one. */
    options_write("[spillway]\nmtu = b:1500\nmtu = a:1400\nport = a=net_null0,x=y\nwire = a:b\n"
                  "port = b=net_null1\nport = c=net_null2\nport=d=net_null3\nwire = c:d\n");
    options_assert_good(options_parse_file());
    assert_int_equal(options_read.port_count, 4);
    assert_int_equal(options_read.ports[0].config.mtu, 1400);
    assert_string_equal(options_read.ports[0].device, "net_null0,x=y");
    assert_int_equal(options_read.wire_count, 2);
    spill_options_free(&options_read);
}

static void test_example_is_good(void **state)
{
    (void)state;
    options_assert_good(options_parse("--config", SPILL_SOURCE_ROOT "/config/wire.conf", NULL));
    assert_string_equal(options_read.rules, SPILL_SOURCE_ROOT "/config/rules/office.rules");
    assert_int_equal(options_read.port_count, 2);
    assert_int_equal(options_read.wire_count, 1);
    spill_options_free(&options_read);
}

/* Whatever the bytes: an end without a crash, and an error names the file in one line. */
static void parse_bytes(const char *bytes, size_t length)
{
    options_write_bytes(bytes, length);
    if (options_parse_file() == SPILL_OPTIONS_ERROR) {
        assert_true(options_error.text[0] != '\0');
        assert_null(strchr(options_error.text, '\n'));
        /* The scan refuses all that DPDK's parser would see in another way. */
        assert_null(strstr(options_error.text, "DPDK's parser"));
    }
    spill_options_free(&options_read);
}

static void test_random_files(void **state)
{
    static const char alphabet[] = "[]=;#\\ \t\n\n\r:,-0129aklmnoprstw";
    unsigned int seed = (unsigned int)time(NULL);
    char bytes[1024];

    (void)state;
    print_message("seed %u\n", seed);
    srandom(seed);
    for (int round = 0; round < 3000; round++) {
        size_t length = (size_t)random() % sizeof(bytes);

        for (size_t i = 0; i < length; i++)
            bytes[i] = round % 2 == 0 ? (char)random()
                                      : alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
        parse_bytes(bytes, length);

        /* A good file with some bytes changed gets further. */
        length = strlen(options_base);
        memcpy(bytes, options_base, length);
        for (long changes = random() % 4; changes > 0; changes--)
            bytes[(size_t)random() % length] = alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
        parse_bytes(bytes, length);
    }
}

static void test_random_flags(void **state)
{
    unsigned int seed = (unsigned int)time(NULL);
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    (void)state;
    print_message("seed %u\n", seed);
    srandom(seed);
    for (int round = 0; round < 20000; round++) {
        char text[8][64], *argv[COUNT_OF(text) + 2] = {text[0]};
        int argc = 1 + (int)(random() % (long)COUNT_OF(text));

        for (int i = 0; i < argc; i++) {
            const struct row *row = &rows[(size_t)random() % COUNT_OF(rows)];
            const char *value = row->good == NULL ? "lan=net_null0" : row->good;

            argv[i] = text[i];
            if (random() % 2 == 0)
                snprintf(text[i], sizeof(text[i]), "%s%s", row->subject, value);
            else
                snprintf(text[i], sizeof(text[i]), "--%s", table[(size_t)random() % count].name);
            if (strcmp(text[i], "--help") == 0 || strcmp(text[i], "--version") == 0)
                snprintf(text[i], sizeof(text[i]), "--");
            if (random() % 4 == 0)
                text[i][(size_t)random() % (strlen(text[i]) + 1)] = "=:-,\0"[random() % 5];
            if (strcmp(text[i], "-h") == 0)
                text[i][0] = '\0';
        }
        argv[argc] = NULL;
        options_error.text[0] = '\0';
        if (spill_options_parse(argc, argv, NULL, &options_read, &options_error) ==
            SPILL_OPTIONS_ERROR)
            assert_true(options_error.text[0] != '\0');
        spill_options_free(&options_read);
    }
}

static void join(const struct spill_difference *difference, void *context)
{
    static const char *const changes[] = {
        [SPILL_CHANGED] = "", [SPILL_NEW] = "+", [SPILL_GONE] = "-"};

    strcat(strcat(strcat((char *)context, changes[difference->change]), difference->what), ";");
}

static void join_values(const struct spill_difference *difference, void *context)
{
    char *text = context;

    sprintf(text + strlen(text), "%s:%s>%s;", difference->what,
            difference->before != NULL ? difference->before : "",
            difference->after != NULL ? difference->after : "");
}

/* What a reload can't change is told by name; the rest of it makes no difference. */
static void test_comparison(void **state)
{
    static const struct {
        const char *arguments[4], *told;
    } cases[] = {
        {{"--rules", "y"}, ""},
        {{"--default=allow"}, ""},
        {{"--flow-timeout", "59s", "--idle=busy"}, "flow-timeout;"},
        {{"--fast=1", "--name=x"}, "fast;name;"},
        {{"--non-ip=arp", "--report=x"}, "non-ip;report;"},
        {{"--crypto", "crypto_null0"}, "crypto;"},
        {{"--mtu=wan:1400", "--pool-capacity=classify=7"},
         "pool-capacity of classify;mtu of port wan;"},
        {{"--port=a=net_null2", "--port=b=net_null3", "--wire=b:a"}, ""},
    };
    static struct spill_options first;
    char told[256];

    (void)state;
    options_assert_good(parse_more("", NULL));
    first = options_read;
    options_read = (struct spill_options){0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *const *arguments = cases[i].arguments;

        options_assert_good(parse_more("", arguments[0], arguments[1], arguments[2], NULL));
        told[0] = '\0';
        spill_options_compare(&first, &options_read, SPILL_OPTION_AT_START, join, told);
        assert_string_equal(told, cases[i].told);
    }
    /* A wire that is wholly new comes with the reload. */
    told[0] = '\0';
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_RELOAD, join, told);
    assert_string_equal(told, "+port a;+port b;+wire b-a;");
    options_assert_good(options_parse("--port=lan=net_null0", "--port=dmz=net_null1",
                                      "--wire=dmz:lan", "--check", NULL));
    told[0] = '\0';
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_RELOAD, join, told);
    assert_string_equal(told, "");
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_START, join, told);
    assert_string_equal(told, "-port wan;+port dmz;-wire lan-wan;+wire dmz-lan;");
    options_assert_good(options_parse("--port=wan=net_null7", "--port=lan=net_null0",
                                      "--wire=wan:lan", "--check", NULL));
    told[0] = '\0';
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_START, join, told);
    assert_string_equal(told, "device of port wan;");
    spill_options_free(&options_read);
    spill_options_free(&first);
}

/* With values before and after, as a user would write them, and by when they are in force. */
static void test_values_compared(void **state)
{
    static struct spill_options first;
    char told[512] = "";

    (void)state;
    options_assert_good(parse_more("", "--idle=busy", "--rules=x", "--no-huge", NULL));
    first = options_read;
    options_read = (struct spill_options){0};
    options_assert_good(parse_more("", "--flow-timeout=90s", "--memory=64", "--default=allow",
                                   "--dispatch=encrypt=pool", "--budget=1ms", "--fast=1,3",
                                   "--name=x", NULL));
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_START, join_values, told);
    assert_string_equal(told, "flow-timeout:as those say>90s;fast:as planned>1,3;no-huge:on>off;"
                              "memory:as planned>64;name:spillway>x;");
    told[0] = '\0';
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_RELOAD, join_values, told);
    assert_string_equal(told, "rules:x>not given;default:deny>allow;");
    told[0] = '\0';
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_ONCE, join_values, told);
    assert_string_equal(told, "idle:busy>pause;budget:10us>1ms;dispatch of encrypt:auto>pool;");
    spill_options_take_at_once(&first, &options_read);
    told[0] = '\0';
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_ONCE, join_values, told);
    assert_string_equal(told, "");
    spill_options_free(&options_read);
    spill_options_free(&first);
}

/* Bytes of a value that another one took the place of make no difference. */
static void test_name_compared(void **state)
{
    static struct spill_options first;
    char told[64] = "";

    (void)state;
    options_write("%s[spillway]\nname = abcdef\n", options_base);
    options_assert_good(options_parse("--config", options_file, "--name=x", NULL));
    first = options_read;
    options_read = (struct spill_options){0};
    options_write("%s[spillway]\nname = uvwxyz\n", options_base);
    options_assert_good(options_parse("--config", options_file, "--name=x", NULL));
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_START, join_values, told);
    assert_string_equal(told, "");
    spill_options_free(&options_read);
    spill_options_free(&first);
}

/* Values that differ at their end alone are told whole, and look different. */
static void test_long_values_compared(void **state)
{
    struct spill_differences *differences = calloc(1, sizeof(*differences));
    char values[2][600];
    static struct spill_options first;

    (void)state;
    assert_non_null(differences);
    for (int i = 0; i < 2; i++)
        snprintf(values[i], sizeof(values[i]), "--report=%0*d", 500, i);
    options_assert_good(parse_more("", values[0], NULL));
    first = options_read;
    options_read = (struct spill_options){0};
    options_assert_good(parse_more("", values[1], NULL));
    spill_options_compare(&first, &options_read, SPILL_OPTION_AT_START, spill_differences_add,
                          differences);
    assert_int_equal(differences->count, 1);
    assert_int_equal(differences->listed, 1);
    assert_string_equal(differences->list[0].before, strchr(values[0], '=') + 1);
    assert_string_equal(differences->list[0].after, strchr(values[1], '=') + 1);
    spill_differences_free(differences);
    spill_options_free(&options_read);
    spill_options_free(&first);
}

/* What acts at once is set by itself, and owns nothing; what does not is refused by name. */
static void test_set(void **state)
{
    static const struct {
        const char *setting, *wrong;
    } cases[] = {
        {"log-level=debug", NULL},
        {"dispatch=encrypt=pool", NULL},
        {"drain-timeout=5s", NULL},
        {"log-level", "set 'log-level': expected KEY=VALUE"},
        {"log-level=loud", "set log-level 'loud': expected error, warning, notice, info or debug"},
        {"dispatch=pool", "set dispatch 'pool': expected CLASS=auto|inline|pool"},
        {"on-pool-full=encrypt=allow", "expected drop or inline: only classify"},
        {"budget=2s", "set budget '2s': expected a time from 0 to 1s"},
        {"lanes=4", "set 'lanes': it takes effect at the next start: expected one of: idle, "},
        {"rules=x", "set 'rules': it takes effect at a reload: expected one of: idle, "},
        {"spi=256", "set 'spi': unknown key"},
        {"log-evel=debug", "set 'log-evel': unknown key: did you mean log-level?"},
        {"=x", "set '': unknown key"},
    };
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        if (table[i].when == SPILL_OPTION_AT_ONCE)
            assert_true(
                spill_option_is_flag(&table[i]) && table[i].kind <= SPILL_OPTION_WORD &&
                (table[i].scope == SPILL_OPTION_PLAIN || table[i].scope == SPILL_OPTION_PER_CLASS));
    }
    options_assert_good(parse_more("", NULL));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct spill_options draft = options_read;
        const int status = spill_options_set(&draft, cases[i].setting, &options_error);

        assert_int_equal(status, cases[i].wrong == NULL ? 0 : -1);
        if (status == 0)
            spill_options_take_at_once(&options_read, &draft);
        else if (strstr(options_error.text, cases[i].wrong) == NULL)
            fail_msg("%s: %s", cases[i].setting, options_error.text);
    }
    assert_int_equal(options_read.log_level, SPILL_OPTION_LOG_DEBUG);
    assert_int_equal(options_read.pipeline.classes[SPILL_CLASS_ENCRYPT].dispatch,
                     SPILL_DISPATCH_POOL);
    assert_int_equal(options_read.drain_timeout_ns, UINT64_C(5000000000));
    spill_options_free(&options_read);
}

/* Runs with standard output in a file, and returns that. */
static FILE *capture(const char *flag)
{
    FILE *output = tmpfile();
    int saved = dup(STDOUT_FILENO);
    enum spill_options_result result;

    assert_non_null(output);
    fflush(stdout);
    dup2(fileno(output), STDOUT_FILENO);
    /* It wins over what is wrong beside it. */
    result = options_parse("--budget", "10x", flag, NULL);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(result, SPILL_OPTIONS_DONE);
    spill_options_free(&options_read);
    rewind(output);
    return output;
}

static void test_help(void **state)
{
    static const char *const flags[] = {"--help", "-h"};
    char line[512], all[16384] = "";
    size_t count, used = 0;
    const struct spill_option *table = spill_option_table(&count);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        FILE *output = capture(flags[i]);

        used = 0;
        while (fgets(line, sizeof(line), output) != NULL) {
            size_t length = strcspn(line, "\n");

            if (length > 79 || (length > 0 && line[length - 1] == ' '))
                fail_msg("%zu columns: %s", length, line);
            assert_true(used + length + 2 < sizeof(all));
            used += (size_t)snprintf(all + used, sizeof(all) - used, "%s", line);
        }
        fclose(output);
    }
    for (size_t i = 0; i < count; i++) {
        char argument[SPILL_OPTION_TEXT_SIZE];

        spill_option_argument(&table[i], argument, sizeof(argument));
        snprintf(line, sizeof(line), "\n  %s%s%s%s", spill_option_is_flag(&table[i]) ? "--" : "",
                 table[i].name, argument[0] == '\0' ? "" : " ", argument);
        if (strstr(all, line) == NULL)
            fail_msg("no help for --%s", table[i].name);
    }
    for (int i = 0; i < SPILL_OPTION_GROUPS; i++)
        assert_non_null(strstr(all, spill_options_table.groups[i].title));
    assert_non_null(strstr(all, "CLASS is one of: classify, decrypt, encrypt."));
}

static void test_version(void **state)
{
    FILE *output = capture("--version");
    char line[128];

    (void)state;
    assert_non_null(fgets(line, sizeof(line), output));
    assert_non_null(strstr(line, "spillway " SPILL_VERSION " (DPDK "));
    fclose(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_option_has_row_and_help),
        cmocka_unit_test(test_good_by_flag),
        cmocka_unit_test(test_good_by_file),
        cmocka_unit_test(test_bad_by_flag_and_file),
        cmocka_unit_test(test_empty_values),
        cmocka_unit_test(test_non_ip),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_lists_names_and_files),
        cmocka_unit_test(test_files_are_relative_to_config),
        cmocka_unit_test(test_ports_and_wires_of_flags_override),
        cmocka_unit_test(test_ports_and_wires_fit),
        cmocka_unit_test(test_eal_arguments),
        cmocka_unit_test(test_unknown_flags_suggest),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_file_forms),
        cmocka_unit_test(test_example_is_good),
        cmocka_unit_test(test_random_files),
        cmocka_unit_test(test_random_flags),
        cmocka_unit_test(test_comparison),
        cmocka_unit_test(test_values_compared),
        cmocka_unit_test(test_name_compared),
        cmocka_unit_test(test_long_values_compared),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_version),
    };

    return cmocka_run_group_tests(tests, options_setup, options_teardown);
}
