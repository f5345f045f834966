/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration file: what it may look like, and what is said of a wrong one. */
#include <time.h>

#include "options_parse.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_relative_to_config),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_file_forms),
        cmocka_unit_test(test_example_is_good),
        cmocka_unit_test(test_random_files),
    };

    return cmocka_run_group_tests(tests, options_setup, options_teardown);
}
