/* SPDX-License-Identifier: BSD-3-Clause */
/* The options by flag and by file: each one good and bad, what overrides what, and help. */
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
#include "options_parse.h"

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
        options_assert_good(options_parse_more(flag, NULL));
        assert_true(field_of(row) == row->good_number);

        snprintf(flag, sizeof(flag), "--%s", row->name);
        if (option_of(row)->kind != SPILL_OPTION_SWITCH)
            options_assert_good(options_parse_more(flag, value, NULL));
        else
            options_assert_good(options_parse_more(flag, NULL));
        assert_true(field_of(row) == row->good_number);

        /* Of a flag given twice the last counts. */
        snprintf(value, sizeof(value), "--%s=%s%s", row->name, row->subject, row->good);
        snprintf(flag, sizeof(flag), "--%s=%s%s", row->name, row->subject, row->other);
        options_assert_good(options_parse_more(value, flag, NULL));
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
            options_assert_error(options_parse(options_base_flags[2], options_base_flags[3],
                                               options_base_flags[0], "lan=net_null0",
                                               options_base_flags[4], options_base_flags[5], flag,
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
    options_assert_good(options_parse_more("--fast", "1-2,5,1,1023", "--pool", "0-127", "--rx=3",
                                           "--tx=4", "--control", "0, 1", "--name", "a_B-9",
                                           "--rules", "some rules", "--report", "-", NULL));
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
    options_assert_error(options_parse_more("--fast=0-127,0", NULL),
                         "--fast '0-127,0': expected at most 128");
    options_assert_error(options_parse_more("--fast=1024", NULL),
                         "expected CPUs from 0 to 1023 as in 1-2,5");
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
    options_assert_error(options_parse_more("--port", "lan=net_null7", NULL),
                         "--port 'lan=net_null7': given already: --port 'lan=net_null0'");
    options_assert_error(options_parse_more("--wire", "wan:lan", NULL),
                         "--wire 'wan:lan': given already: --wire 'lan:wan'");
    options_assert_error(options_parse_more("--port", "dmz=net_null2", NULL),
                         "--port 'dmz=net_null2': port 'dmz' is in no wire: expected --wire dmz:");
    options_assert_error(
        options_parse_more("--port", "dmz=net_null2", "--wire", "dmz:lan", NULL),
        "--wire 'dmz:lan': port 'lan' is in another wire already (--wire 'lan:wan')");
    options_assert_error(options_parse_more("--wire", "x:y", NULL),
                         "--wire 'x:y': there is no port 'x': expected one of lan, wan");
    options_assert_error(options_parse_more("--mtu", "dmz:1500", NULL),
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
    options_assert_error(options_parse_more("--crypto", "crypto_openssl0,x=[1", NULL),
                         "its bracket is not");
    options_assert_error(options_parse("--wire", "a:a", NULL),
                         "expected the names of two different ports");
    options_assert_error(options_parse_more("--port", "a b=net_null3", NULL),
                         "expected NAME=DEVICE");
    options_assert_error(options_parse_more("--dispatch", "encode=pool", NULL),
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
    options_assert_error(options_parse_more("--mtu", "lan:1\n", NULL),
                         "--mtu 'lan:1\\n': expected");
    options_assert_error(options_parse("--budget", "1\n2\x7f", NULL), "--budget '1\\n2\\x7f': ");
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
        cmocka_unit_test(test_ports_and_wires_of_flags_override),
        cmocka_unit_test(test_ports_and_wires_fit),
        cmocka_unit_test(test_eal_arguments),
        cmocka_unit_test(test_unknown_flags_suggest),
        cmocka_unit_test(test_random_flags),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_version),
    };

    return cmocka_run_group_tests(tests, options_setup, options_teardown);
}
