/* SPDX-License-Identifier: BSD-3-Clause */
/* Security associations of the configuration file: each key good and bad, which keys go together,
 * and the other options about IPsec. */
#include <arpa/inet.h>

#include "config/option_table.h"
#include "options_parse.h"

#define LINES_MAX 16

/* The lines of two good sections; in tests others take their place, or are added. */
static const char *const outbound[LINES_MAX] = {"direction = out",
                                                "spi = 0x1001",
                                                "mode = tunnel",
                                                "source = 192.0.2.1",
                                                "destination = 198.51.100.1",
                                                "algorithm = aes-128-gcm",
                                                "key-file = keys/a.key"};
static const char *const inbound[LINES_MAX] = {"direction = in",
                                               "spi = 0x1001",
                                               "mode = tunnel",
                                               "source = 192.0.2.1",
                                               "destination = 198.51.100.1",
                                               "algorithm = aes-128-gcm",
                                               "key-file = keys/a.key"};

/* One key with good values and what its field holds then, and bad ones. Not all fields are numbers:
 * the others have a test of their own. */
struct row {
    const char *name;
    const char *good[3];
    uint64_t numbers[3];
    const char *bad[9];
};

static const struct row out_rows[] = {
    {"spi",
     {"256", "4294967295", "0xaBcDef"},
     {256, UINT32_MAX, 0xabcdef},
     {"255", "0", "0x100000000", "0xff", "-1", "0x", "0x0x100", "1k", "256x"}},
    {"algorithm", {NULL}, {0}, {"aes", "AES-128-GCM", "aes-128-gcm,null+sha1"}},
    {"source",
     {NULL},
     {0},
     {"192.0.2", "192.0.2.1/32", "::", "0.0.0.0", "224.0.0.1", "255.255.255.255", "ff02::1",
      "host.example", "192.0.2.1, 192.0.2.2"}},
    {"destination", {NULL}, {0}, {"198.51.100.256", "2001:db8::/64", "fe80::1%lan"}},
    {"key-file", {NULL}, {0}, {NULL}},
    {"esn", {"yes", "no"}, {1, 0}, {"on", "off", "true", "1"}},
    {"nat-traversal", {"yes", "no"}, {1, 0}, {"on", "4500"}},
    {"lifetime-packets-soft", {"0", "1k", "18446744073709551615"}, {0, 1024, UINT64_MAX}, {"-1"}},
    {"lifetime-packets-hard", {"0", "4G"}, {0, UINT64_C(1) << 32}, {"1h", "many"}},
    {"lifetime-bytes-soft", {"7"}, {7}, {"1T"}},
    {"lifetime-bytes-hard", {"100G"}, {UINT64_C(100) << 30}, {"1e9"}},
    {"dscp", {"copy", "0", "63"}, {SPILL_SA_DSCP_COPY, 0, 63}, {"64", "ef", "-1", "0x10"}},
    {"df", {"copy", "set", "clear"}, {0, 1, 2}, {"no", "Set"}},
    {"mode", {"tunnel", "transport"}, {0, 1}, {"Tunnel", "beet"}},
    {"direction", {"out"}, {1}, {"both", "inbound"}},
    {"port", {NULL}, {0}, {"", "a b", "lan,", ",lan", "01234567890123456", "lan, wan", "nowhere"}},
};

static const struct row in_rows[] = {
    {"direction", {"in"}, {0}, {"IN"}},
    {"stands-for", {NULL}, {0}, {"a", "b c", "", "01234567890123456"}},
    {"replay-window", {"0", "32", "16k"}, {0, 32, 16384}, {"1", "31", "16385", "17k", "off"}},
};

/* Appends a section: the lines of a base, those of the same key in the changes instead, and what is
 * left of the changes. A change without a value takes the key away. */
static size_t add_section(char *text, size_t size, const char *name, const char *const *base,
                          const char *const *changes)
{
    size_t used = (size_t)snprintf(text, size, "[sa %s]\n", name);

    for (size_t i = 0; i < LINES_MAX && base[i] != NULL; i++) {
        size_t key = strcspn(base[i], "=") + 1;
        bool changed = false;

        for (size_t j = 0; j < LINES_MAX && changes[j] != NULL; j++)
            changed = changed || strncmp(base[i], changes[j], key) == 0;
        if (!changed)
            used += (size_t)snprintf(text + used, size - used, "%s\n", base[i]);
    }
    for (size_t j = 0; j < LINES_MAX && changes[j] != NULL; j++) {
        if (changes[j][strlen(changes[j]) - 1] != '=')
            used += (size_t)snprintf(text + used, size - used, "%s\n", changes[j]);
    }
    assert_true(used < size);
    return used;
}

/* Parses a file with one section. */
static enum spill_options_result parse_sa(const char *const *base, const char *const *changes)
{
    char text[2048];

    add_section(text, sizeof(text), "a", base, changes);
    options_write("%s%s", options_base, text);
    return options_parse_file();
}

static const struct spill_option_sa *only_sa(void)
{
    assert_int_equal(options_read.sa_count, 1);
    assert_string_equal(options_read.sas[0].config.name, "a");
    return &options_read.sas[0];
}

/* The line that a text begins, counted from 1. */
static unsigned int line_of(const char *text, const char *part)
{
    const char *end = strstr(text, part);
    unsigned int line = 1;

    assert_non_null(end);
    for (const char *at = text; at < end; at++)
        line += *at == '\n';
    return line;
}

static void check_row(const char *const *base, const struct row *row)
{
    const struct spill_option *option = spill_option_find(row->name, true);
    char line[128], expected[512], text[2048];

    assert_non_null(option);
    for (size_t i = 0; i < COUNT_OF(row->good) && row->good[i] != NULL; i++) {
        const char *const changes[] = {line, NULL};
        uint64_t value = 0;

        snprintf(line, sizeof(line), "%s = %s", row->name, row->good[i]);
        options_assert_good(parse_sa(base, changes));
        memcpy(&value, (const char *)only_sa() + option->offset, option->size);
        assert_true(value == row->numbers[i]);
        assert_non_null(strstr(spill_option_sa_where(only_sa(), row->name), row->good[i]));
    }
    for (size_t i = 0; i < COUNT_OF(row->bad) && row->bad[i] != NULL; i++) {
        const char *const changes[] = {line, NULL};

        snprintf(line, sizeof(line), "%s = %s", row->name, row->bad[i]);
        add_section(text, sizeof(text), "a", base, changes);
        snprintf(expected, sizeof(expected), "%s:%u: key '%s', value '%s': expected ", options_file,
                 6 + line_of(text, line), row->name, row->bad[i]);
        options_assert_error(parse_sa(base, changes), expected);
    }
}

static void test_each_key(void **state)
{
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(out_rows); i++)
        check_row(outbound, &out_rows[i]);
    for (size_t i = 0; i < COUNT_OF(in_rows); i++)
        check_row(inbound, &in_rows[i]);
    for (size_t i = 0; i < count; i++) {
        bool found = false;

        if (table[i].scope != SPILL_OPTION_PER_SA)
            continue;
        for (size_t j = 0; j < COUNT_OF(out_rows); j++)
            found = found || strcmp(out_rows[j].name, table[i].name) == 0;
        for (size_t j = 0; j < COUNT_OF(in_rows); j++)
            found = found || strcmp(in_rows[j].name, table[i].name) == 0;
        if (!found)
            fail_msg("key %s has no row here", table[i].name);
        /* It is no flag, but for one of another meaning, and no key of other sections. */
        char text[64], expected[128];

        if (spill_option_find(table[i].name, false) != NULL)
            continue;
        snprintf(text, sizeof(text), "--%s=x", table[i].name);
        snprintf(expected, sizeof(expected), "--%s: expected as a key of [sa NAME] in the",
                 table[i].name);
        options_assert_error(options_parse(text, NULL), expected);
        options_write("[spillway]\n%s = x\n", table[i].name);
        snprintf(expected, sizeof(expected), ":2: key '%s': expected in a section [sa NAME]",
                 table[i].name);
        options_assert_error(options_parse_file(), expected);
        options_write("%s%s = x\n", options_base, table[i].name);
        options_assert_error(options_parse_file(), "is unknown in [port lan]: expected device");
    }
}

static void test_values_and_defaults(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const ipv6[] = {"source = 2001:db8::1", "destination = 2001:db8::2",
                                       "algorithm = aes-256-cbc+sha512", "key-file = /abs/b.key",
                                       NULL};
    const uint8_t ipv4_source[16] = {192, 0, 2, 1}, ipv4_destination[16] = {198, 51, 100, 1};
    uint8_t ipv6_source[16];
    const struct spill_option_sa *sa;
    char expected[256];

    (void)state;
    options_assert_good(parse_sa(outbound, none));
    sa = only_sa();
    assert_int_equal(sa->config.direction, SPILL_SA_OUT);
    assert_int_equal(sa->config.mode, SPILL_SA_TUNNEL);
    assert_int_equal(sa->config.spi, 0x1001);
    assert_int_equal(sa->config.source.family, 4);
    assert_int_equal(sa->config.destination.family, 4);
    assert_memory_equal(sa->config.source.bytes, ipv4_source, sizeof(ipv4_source));
    assert_memory_equal(sa->config.destination.bytes, ipv4_destination, sizeof(ipv4_destination));
    assert_ptr_equal(sa->config.algorithm, spill_ipsec_algorithm_find("aes-128-gcm"));
    snprintf(expected, sizeof(expected), "%s/keys/a.key", options_folder);
    assert_string_equal(sa->key_file, expected);
    assert_false(sa->config.esn || sa->config.nat_traversal);
    assert_true(sa->config.packets_soft == 0 && sa->config.packets_hard == 0);
    assert_true(sa->config.bytes_soft == 0 && sa->config.bytes_hard == 0);
    assert_int_equal(sa->config.dscp, SPILL_SA_DSCP_COPY);
    assert_int_equal(sa->config.df, SPILL_SA_DF_COPY);
    snprintf(expected, sizeof(expected), "%s:8: key 'direction', value 'out'", options_file);
    assert_string_equal(spill_option_sa_where(sa, "direction"), expected);
    assert_null(spill_option_sa_where(sa, "esn"));
    assert_ptr_equal(spill_options_find_sa(&options_read, "a"), sa);
    assert_null(spill_options_find_sa(&options_read, "b"));

    options_assert_good(parse_sa(inbound, ipv6));
    sa = only_sa();
    assert_int_equal(sa->config.direction, SPILL_SA_IN);
    assert_int_equal(sa->config.replay_window, 1024);
    assert_int_equal(sa->config.source.family, 6);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", ipv6_source), 1);
    assert_memory_equal(sa->config.source.bytes, ipv6_source, sizeof(ipv6_source));
    assert_int_equal(sa->config.destination.bytes[15], 2);
    assert_ptr_equal(sa->config.algorithm, spill_ipsec_algorithm_find("aes-256-cbc+sha512"));
    assert_string_equal(sa->key_file, "/abs/b.key");
    spill_options_free(&options_read);
}

/* What the changes make wrong, in which line's key and why; or NULL: they are right. */
static void test_keys_that_go_together(void **state)
{
    static const struct {
        const char *const *base;
        const char *changes[LINES_MAX];
        const char *key, *reason;
    } cases[] = {
        {outbound, {"source ="}, "mode = tunnel", "expected source and destination with it"},
        {inbound, {"destination ="}, "mode = tunnel", "expected source and destination with it"},
        {outbound,
         {"mode = transport", "source ="},
         "destination = 198.51.100.1",
         "expected source with it"},
        {inbound,
         {"mode = transport", "destination ="},
         "source = 192.0.2.1",
         "expected destination with it"},
        {inbound, {"mode = transport", "source =", "destination ="}, NULL, NULL},
        {inbound, {"mode = transport"}, NULL, NULL},
        {outbound, {"source = fd00::1"}, "destination = 198.51.100.1", "expected IPv4 or IPv6 as"},
        {outbound,
         {"mode = transport", "destination = fd00::1"},
         "destination = fd00::1",
         "expected IPv4 or IPv6 as source has it"},
        {outbound, {"replay-window = 64"}, "replay-window = 64", "expected direction = in with it"},
        {inbound, {"replay-window = 31"}, "replay-window = 31", "expected 0, or a number from 32"},
        {inbound,
         {"replay-window = 0", "esn = yes"},
         "replay-window = 0",
         "expected a number from 64 to 16k, as esn = yes needs one"},
        {inbound, {"replay-window = 64", "esn = yes"}, NULL, NULL},
        {inbound, {"replay-window = 0", "esn = no"}, NULL, NULL},
        {outbound, {"esn = yes"}, NULL, NULL},
        {inbound, {"dscp = 10"}, "dscp = 10", "expected direction = out and mode = tunnel with it"},
        {outbound,
         {"mode = transport", "dscp = copy"},
         "dscp = copy",
         "expected direction = out and mode = tunnel with it"},
        {inbound, {"df = set"}, "df = set", "expected direction = out and mode = tunnel with it"},
        {outbound,
         {"mode = transport", "df = copy"},
         "df = copy",
         "expected direction = out and mode = tunnel with it"},
        {outbound,
         {"source = fd00::1", "destination = fd00::2", "df = copy"},
         "df = copy",
         "expected IPv4 as source and destination with it"},
        {outbound, {"source = fd00::1", "destination = fd00::2", "dscp = 46"}, NULL, NULL},
        {outbound,
         {"lifetime-packets-hard = 1k", "lifetime-packets-soft = 1025"},
         "lifetime-packets-soft = 1025",
         "expected at most what lifetime-packets-hard is"},
        {outbound,
         {"lifetime-bytes-soft = 2", "lifetime-bytes-hard = 1"},
         "lifetime-bytes-soft = 2",
         "expected at most what lifetime-bytes-hard is"},
        {outbound,
         {"lifetime-packets-hard = 1k", "lifetime-packets-soft = 1k", "lifetime-bytes-soft = 2",
          "lifetime-bytes-hard = 0"},
         NULL,
         NULL},
    };
    char text[2048], expected[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (cases[i].key == NULL) {
            options_assert_good(parse_sa(cases[i].base, cases[i].changes));
            continue;
        }
        add_section(text, sizeof(text), "a", cases[i].base, cases[i].changes);
        snprintf(expected, sizeof(expected), "%s:%u: key '%.*s', value '%s': ", options_file,
                 6 + line_of(text, cases[i].key), (int)strcspn(cases[i].key, " "), cases[i].key,
                 strstr(cases[i].key, "= ") + 2);
        options_assert_error(parse_sa(cases[i].base, cases[i].changes), expected);
        if (strstr(options_error.text, cases[i].reason) == NULL)
            fail_msg("'%s' has not '%s'", options_error.text, cases[i].reason);
    }
}

static void test_sections(void **state)
{
    static const char *const required[][2] = {{"direction =", "direction = in or out"},
                                              {"spi =", "spi = N"},
                                              {"mode =", "mode = tunnel or transport"},
                                              {"algorithm =", "algorithm = NAME, such as aes-128"},
                                              {"key-file =", "key-file = FILE"}};
    char expected[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(required); i++) {
        const char *const changes[] = {required[i][0], NULL};

        snprintf(expected, sizeof(expected), "%s:7: section [sa a] has no key '%.*s': expected %s",
                 options_file, (int)strcspn(required[i][0], " "), required[i][0], required[i][1]);
        options_assert_error(parse_sa(outbound, changes), expected);
    }
    options_write("[sa a]\n");
    options_assert_error(options_parse_file(), ":1: section [sa a] has no key 'direction'");
    options_write("[sa]\n");
    options_assert_error(options_parse_file(), ":1: section [sa] is unknown");
    options_write("[sa 01234567890123456]\n");
    options_assert_error(options_parse_file(),
                         "is unknown: expected [spillway], [port NAME], [wire NAME] or [sa");
    options_assert_error(parse_sa(outbound, (const char *const[]){"spy = 1", NULL}),
                         ":15: key 'spy' is unknown in [sa a]: did you mean 'spi'?");
    options_assert_error(parse_sa(outbound, (const char *const[]){"replay = 1", NULL}),
                         "key 'replay' is unknown in [sa a]: did you mean 'replay-window'?");
    options_assert_error(
        parse_sa(outbound, (const char *const[]){"xyzzy = 1", NULL}),
        "expected one of: direction, spi, mode, source, destination, algorithm, key-file, "
        "esn, replay-window, nat-traversal, lifetime-packets-soft, lifetime-packets-hard, "
        "lifetime-bytes-soft, lifetime-bytes-hard, dscp, df, stands-for");
    options_assert_error(parse_sa(outbound, (const char *const[]){"rules = x", NULL}),
                         "key 'rules' is unknown in [sa a]: ");
    options_assert_error(parse_sa(outbound, (const char *const[]){"esn = no", "esn = yes", NULL}),
                         ":16: key 'esn', value 'yes': given already: ");
    options_assert_error(parse_sa(outbound, (const char *const[]){"algorithm = rot13", NULL}),
                         "value 'rot13': expected one of: aes-128-gcm, aes-192-gcm, ");
}

/* Two sections, and whether the packets of both can be told apart. */
static enum spill_options_result parse_two(const char *const *base, const char *const *first,
                                           const char *const *second)
{
    char one[1024], two[1024];

    add_section(one, sizeof(one), "a", base, first);
    add_section(two, sizeof(two), "b", base, second);
    options_write("%s%s%s", options_base, one, two);
    return options_parse_file();
}

static void test_two_associations(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const other_spi[] = {"spi = 4098", NULL};
    static const char *const same_spi[] = {"spi = 4097", "source = 192.0.2.9", NULL};
    static const char *const other_end[] = {"destination = 198.51.100.2", NULL};
    static const char *const any_end[] = {"mode = transport", "source =", "destination =", NULL};
    static const char *const same_key[] = {"esn = no", NULL};
    static const char *const outgoing[] = {"direction = out", NULL};
    char expected[512];

    (void)state;
    options_assert_good(parse_two(inbound, none, other_spi));
    assert_int_equal(options_read.sa_count, 2);
    assert_string_equal(options_read.sas[0].config.name, "a");
    assert_string_equal(options_read.sas[1].config.name, "b");
    assert_int_equal(options_read.sas[1].config.spi, 4098);
    assert_ptr_equal(spill_options_find_sa(&options_read, "b"), &options_read.sas[1]);
    options_assert_good(parse_two(inbound, none, other_end));
    options_assert_good(parse_two(inbound, none, outgoing));
    options_assert_good(parse_two(outbound, none, none));

    options_assert_error(parse_two(inbound, none, same_spi), "value '4097': [sa a] has it already");
    snprintf(expected, sizeof(expected),
             "%s:16: key 'spi', value '0x1001': [sa a] has it already for that destination or for "
             "any (%s:9: key 'spi', value '0x1001'): expected another SPI",
             options_file, options_file);
    options_assert_error(parse_two(inbound, same_key, none), expected + strlen(options_file) + 3);
    options_assert_error(parse_two(inbound, none, any_end), "[sa a] has it already");
    options_assert_error(parse_two(inbound, any_end, none), "[sa a] has it already");
    options_assert_error(parse_two(inbound, any_end, any_end), "[sa a] has it already");
}

static void test_standing_for_another(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const for_a[] = {"spi = 4098", "stands-for = a", NULL};
    static const char *const for_b[] = {"spi = 4099", "stands-for = b", NULL};
    static const char *const for_c[] = {"spi = 4098", "stands-for = c", NULL};
    static const char *const no_name[] = {"spi = 4098", "stands-for = a,b", NULL};
    static const char *const outgoing[] = {"direction = out", NULL};
    static const char *const expected =
        "expected another section [sa NAME] with direction = in and without stands-for";

    (void)state;
    options_assert_good(parse_two(inbound, none, for_a));
    assert_string_equal(options_read.sas[0].config.stands_for, "");
    assert_string_equal(options_read.sas[1].config.stands_for, "a");
    options_assert_good(parse_two(inbound, for_b, none));            /* in any order */
    options_assert_error(parse_two(inbound, none, for_b), expected); /* itself */
    options_assert_error(parse_two(inbound, none, for_c), expected);
    options_assert_error(parse_two(inbound, for_b, for_a), expected);
    options_assert_error(parse_two(inbound, outgoing, for_a), expected);
    options_assert_error(parse_two(outbound, none, for_a), "expected direction = in with it");
    options_assert_error(parse_two(inbound, none, no_name),
                         "key 'stands-for', value 'a,b': expected 1 to");
}

static void test_sides(void **state)
{
    static const char *const one[] = {"port = wan", NULL};
    static const char *const other[] = {"port =  lan", NULL};
    static const char *const both[] = {"port = wan , lan", NULL};
    static const char *const missing[] = {"port = wen", NULL};

    (void)state;
    options_assert_good(parse_sa(inbound, one));
    assert_int_equal(only_sa()->config.ports,
                     1u << (spill_options_find_port(&options_read, "wan") - options_read.ports));
    options_assert_good(parse_sa(outbound, other));
    assert_int_equal(only_sa()->config.ports,
                     1u << (spill_options_find_port(&options_read, "lan") - options_read.ports));
    options_assert_error(parse_sa(inbound, both),
                         "key 'port', value 'wan , lan': expected one port of a wire");
    options_assert_error(parse_sa(inbound, missing),
                         "key 'port', value 'wen': expected the names of ports");
}

/* As many as there may be, in a file of many lines; and one more. */
static void test_many_associations(void **state)
{
    size_t size = (SPILL_OPTION_SAS_MAX + 1) * 256, used;
    char *text = malloc(size);

    (void)state;
    assert_non_null(text);
    for (unsigned int count = SPILL_OPTION_SAS_MAX; count <= SPILL_OPTION_SAS_MAX + 1; count++) {
        used = (size_t)snprintf(text, size, "%s", options_base);
        for (unsigned int i = 0; i < count; i++) {
            char spi[32], name[16];
            const char *const changes[] = {spi, "replay-window = 64", "esn = yes", NULL};

            snprintf(spi, sizeof(spi), "spi = %u", 256 + i);
            snprintf(name, sizeof(name), "s%u", i);
            used += add_section(text + used, size - used, name, inbound, changes);
        }
        options_write_bytes(text, used);
        if (count <= SPILL_OPTION_SAS_MAX) {
            options_assert_good(options_parse_file());
            assert_int_equal(options_read.sa_count, SPILL_OPTION_SAS_MAX);
            for (unsigned int i = 0; i < count; i++)
                assert_int_equal(options_read.sas[i].config.spi, 256 + i);
        } else {
            options_assert_error(options_parse_file(), "expected at most 4096 sections [sa NAME]");
        }
    }
    free(text);
}

/* As a reload does: the same arguments once more, while the first options live. */
static void test_parsed_again(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const changed[] = {"spi = 9999", NULL};
    const char *argv[] = {"spillway", "-l", "0", "--", "--config", options_file, "--lanes=4", NULL};
    int argc = (int)COUNT_OF(argv) - 1;
    struct spill_options again;
    char text[1024];

    (void)state;
    options_assert_good(parse_sa(outbound, none));
    spill_options_free(&options_read);
    options_assert_good(
        spill_options_parse(argc, (char **)(uintptr_t)argv, NULL, &options_read, &options_error));
    add_section(text, sizeof(text), "a", outbound, changed);
    options_write("%s%s", options_base, text);
    options_assert_good(
        spill_options_parse(argc, (char **)(uintptr_t)argv, NULL, &again, &options_error));
    assert_int_equal(options_read.sas[0].config.spi, 0x1001);
    assert_int_equal(again.sas[0].config.spi, 9999);
    assert_int_equal(again.pipeline.lanes, 4);
    assert_int_equal(again.eal_argc, 2);
    assert_string_equal(again.config, options_read.config);
    assert_ptr_not_equal(again.sas, options_read.sas);
    spill_options_free(&options_read);
    assert_string_equal(again.sas[0].config.name, "a");
    options_write("[spilway]\n");
    options_assert_error(
        spill_options_parse(argc, (char **)(uintptr_t)argv, NULL, &options_read, &options_error),
        ":1: section [spilway] is unknown");
    assert_int_equal(again.sas[0].config.spi, 9999);
    spill_options_free(&again);
}

static void test_classes_and_device(void **state)
{
    static const char *const ports[] = {"--port",        "lan=net_null0", "--port",
                                        "wan=net_null1", "--wire",        "lan:wan"};

    (void)state;
    options_write("%s[spillway]\non-pool-full = encrypt=inline\ndispatch = decrypt=pool\n"
                  "pool-capacity = encrypt=7\ncrypto = crypto_aesni_mb0,max_nb_sessions=8\n",
                  options_base);
    options_assert_good(options_parse("--config", options_file, "--dispatch", "encrypt=inline",
                                      "--on-pool-full", "classify=allow", NULL));
    assert_int_equal(options_read.pipeline.classes[SPILL_CLASS_CLASSIFY].overflow,
                     SPILL_OVERFLOW_ALLOW);
    assert_int_equal(options_read.pipeline.classes[SPILL_CLASS_CLASSIFY].dispatch,
                     SPILL_DISPATCH_AUTO);
    assert_int_equal(options_read.pipeline.classes[SPILL_CLASS_DECRYPT].dispatch,
                     SPILL_DISPATCH_POOL);
    assert_int_equal(options_read.pipeline.classes[SPILL_CLASS_DECRYPT].overflow,
                     SPILL_OVERFLOW_DROP);
    assert_int_equal(options_read.pipeline.classes[SPILL_CLASS_ENCRYPT].dispatch,
                     SPILL_DISPATCH_INLINE);
    assert_int_equal(options_read.pipeline.classes[SPILL_CLASS_ENCRYPT].overflow,
                     SPILL_OVERFLOW_INLINE);
    assert_int_equal(options_read.pipeline.classes[SPILL_CLASS_ENCRYPT].capacity, 7);
    assert_string_equal(options_read.crypto, "crypto_aesni_mb0,max_nb_sessions=8");
    assert_string_equal(spill_class_rows[SPILL_CLASS_DECRYPT]->name, "decrypt");
    assert_string_equal(spill_class_rows[SPILL_CLASS_ENCRYPT]->name, "encrypt");
    options_assert_good(options_parse("--config", options_file, "--crypto", "0000:41:00.0", NULL));
    assert_string_equal(options_read.crypto, "0000:41:00.0");

    for (size_t i = 0; i < 2; i++) {
        const char *flag = i == 0 ? "encrypt=allow" : "decrypt=allow";
        char expected[128];

        snprintf(expected, sizeof(expected),
                 "--on-pool-full '%s': expected drop or inline: only classify may", flag);
        options_assert_error(options_parse(ports[0], ports[1], ports[2], ports[3], ports[4],
                                           ports[5], "--on-pool-full", flag, NULL),
                             expected);
        options_write("%s[spillway]\non-pool-full = %s\n", options_base, flag);
        snprintf(expected, sizeof(expected), ":8: key 'on-pool-full', value '%s': expected drop",
                 flag);
        options_assert_error(options_parse_file(), expected);
    }
    options_assert_error(
        options_parse("--crypto=a b", NULL),
        "--crypto 'a b': expected a PCI address as 0000:41:00.0 or a vdev as crypto_openssl0");
    options_assert_error(options_parse("--dispatch=encode=pool", NULL),
                         "CLASS is one of: classify, decrypt, encrypt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_key),
        cmocka_unit_test(test_values_and_defaults),
        cmocka_unit_test(test_keys_that_go_together),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_two_associations),
        cmocka_unit_test(test_standing_for_another),
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_many_associations),
        cmocka_unit_test(test_parsed_again),
        cmocka_unit_test(test_classes_and_device),
    };

    return cmocka_run_group_tests(tests, options_setup, options_teardown);
}
