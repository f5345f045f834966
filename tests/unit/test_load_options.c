/* SPDX-License-Identifier: BSD-3-Clause */
/* The generator's command line: what it means, and one line for what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>

#include "options.h"

#define PORT          "--port", "a=net_ring0"
#define ARGUMENTS_MAX 16

static struct spill_load_options options;
static struct spill_error error;

static enum spill_load_parsed parse(const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX + 2] = {(char *)(uintptr_t) "spillway-load"};
    int argc = 1;

    for (; *arguments != NULL; arguments++)
        argv[argc++] = (char *)(uintptr_t)*arguments;
    error.text[0] = '\0';
    return spill_load_options_parse(argc, argv, &options, &error);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void test_defaults(void **unused)
{
    const struct spill_load_class *class = &options.classes[0];

    (void)unused;
    assert_int_equal(PARSE(PORT), SPILL_LOAD_GO_ON);
    assert_int_equal(options.port_count, 1);
    assert_string_equal(options.ports[0].name, "a");
    assert_true(options.rate == 0 && options.loss == 0);
    assert_int_equal(options.duration_ns, 5000000000);
    assert_int_equal(options.warm_up_ns, 1000000000);
    assert_int_equal(options.wait_ns, 10000000000);
    assert_int_equal(options.trial_ns, 2000000000);
    assert_true(options.cpu >= 0 && options.control >= 0 && options.control <= options.cpu);
    assert_int_equal(options.class_count, 1);
    assert_string_equal(class->name, "all");
    assert_int_equal(class->share, 100);
    assert_true(class->least == 64 && class->most == 64 && !class->imix);
    assert_true(class->flows == 1024 && class->family == 4 && class->vlan == 0);
    assert_memory_equal(class->from.address, "\x0a\0\0\0", 4);
    assert_int_equal(class->from.length, 8);
    assert_memory_equal(class->to.address, "\xc0\xa8\0\0", 4);
    assert_int_equal(class->to.length, 16);
}

static void test_values(void **unused)
{
    (void)unused;
    assert_int_equal(PARSE("--port", "o=net_memif0,role=server", "--port=i=net_null1", "--rate=2.5",
                           "--class", "x:share=60,size=84-9018,family=6,flows=1M,to=fd01::/16",
                           "--class", "y:share=40,size=imix,new=yes", "--report", "f"),
                     SPILL_LOAD_GO_ON);
    assert_int_equal(options.port_count, 2);
    assert_string_equal(options.ports[0].device.arguments, "role=server");
    assert_true(options.rate == 2.5e6);
    assert_true(options.classes[0].least == 84 && options.classes[0].most == 9018);
    assert_int_equal(options.classes[0].flows, 1048576);
    assert_int_equal(options.classes[0].to.length, 16);
    assert_int_equal(spill_load_options_mtu(&options), 9000);
    assert_true(options.classes[1].imix && options.classes[1].flows == 0);
    assert_string_equal(options.report, "f");

    assert_int_equal(PARSE("-l", "0,1", "--", PORT, "--rfc2544", "--loss", "0.5%", "--max", "3",
                           "--latency-at", "10,50,99.5", "--trial", "100ms"),
                     SPILL_LOAD_GO_ON);
    assert_true(options.eal_given && options.eal_argc == 2);
    assert_true(options.rfc2544 && options.loss == 0.005 && options.most == 3e6);
    assert_int_equal(options.latency_count, 3);
    assert_true(options.latency_at[2] > 0.9949 && options.latency_at[2] < 0.9951);
}

/* The usual MTU carries the usual frames, tagged and not. */
static void test_mtu(void **unused)
{
    (void)unused;
    assert_int_equal(PARSE(PORT, "--class", "a:size=1518"), SPILL_LOAD_GO_ON);
    assert_int_equal(spill_load_options_mtu(&options), 0);
    assert_int_equal(PARSE(PORT, "--class", "a:size=1522,vlan=4"), SPILL_LOAD_GO_ON);
    assert_int_equal(spill_load_options_mtu(&options), 0);
    assert_int_equal(PARSE(PORT, "--class", "a:size=1519"), SPILL_LOAD_GO_ON);
    assert_int_equal(spill_load_options_mtu(&options), 1501);
}

struct bad {
    const char *arguments[8];
    const char *says[2]; /* the value, and what would be right */
};

/* clang-format off */
static const struct bad bad[] = {
    {{"--rate", "1"}, {"--port is missing", "net_memif0"}},
    {{PORT, "--speed", "1"}, {"--speed", "--help"}},
    {{PORT, "stray"}, {"stray", "--help"}},
    {{PORT, "--rate"}, {"--rate", "MPPS|max"}},
    {{PORT, "--rate", "--no-huge"}, {"--rate", "MPPS|max"}},
    {{PORT, "--no-huge=1"}, {"--no-huge", "without a value"}},
    {{"--port", "a"}, {"'a'", "NAME=DEVICE"}},
    {{"--port", "=net_ring0"}, {"'=net_ring0'", "NAME=DEVICE"}},
    {{"--port", "a=eth0"}, {"eth0", "PCI address"}},
    {{PORT, PORT}, {"'a=net_ring0'", "a name that no other port has"}},
    {{PORT, "--rate", "0"}, {"'0'", "2.5, or max"}},
    {{PORT, "--rate", "-1"}, {"'-1'", "2.5, or max"}},
    {{PORT, "--rate", "1e3"}, {"'1e3'", "2.5, or max"}},
    {{PORT, "--rate", "nan"}, {"'nan'", "2.5, or max"}},
    {{PORT, "--rate", "0x1"}, {"'0x1'", "2.5, or max"}},
    {{PORT, "--rate", "2Mpps"}, {"'2Mpps'", "2.5, or max"}},
    {{PORT, "--duration", "5"}, {"'5'", "5s"}},
    {{PORT, "--duration", "0"}, {"'0'", "2s"}},
    {{PORT, "--cpu", "1-2"}, {"'1-2'", "a CPU"}},
    {{PORT, "--cpu", "1023"}, {"'1023'", "may use"}},
    {{PORT, "--name", "a/b"}, {"'a/b'", "letters"}},
    {{PORT, "--rfc2544", "--loss", "101"}, {"'101'", "per cent"}},
    {{PORT, "--rfc2544", "--latency-at", "10,,50"}, {"'10,,50'", "10,50,90"}},
    {{PORT, "--rfc2544", "--latency-at", "0"}, {"'0'", "10,50,90"}},
    {{PORT, "--rfc2544", "--rate", "1"}, {"--rate", "--max"}},
    {{PORT, "--loss", "1"}, {"--loss", "--rfc2544"}},
    {{"-l", "0", "--", PORT, "--cpu", "0"}, {"--cpu", "EAL"}},
    {{PORT, "--class", ":size=64"}, {"''", "letters"}},
    {{PORT, "--class", "x:"}, {"''", "share, size"}},
    {{PORT, "--class", "x:colour=1"}, {"colour", "share, size"}},
    {{PORT, "--class", "x:share"}, {"'share'", "key=value"}},
    {{PORT, "--class", "x:share=0"}, {"share=0", "1 to 100"}},
    {{PORT, "--class", "x:share=50"}, {"50 %", "100"}},
    {{PORT, "--class", "x:share=50", "--class", "x:share=50"}, {"x", "another name"}},
    {{PORT, "--class", "x:size=63"}, {"size=63", "from 64"}},
    {{PORT, "--class", "x:size=9019"}, {"size=9019", "to 9018"}},
    {{PORT, "--class", "x:size=100-90"}, {"size=100-90", "64-1500"}},
    {{PORT, "--class", "x:size=67,vlan=2"}, {"size=67", "at least 68"}},
    {{PORT, "--class", "x:size=83,family=6"}, {"size=83", "at least 84"}},
    {{PORT, "--class", "x:size=imix,family=6"}, {"imix", "at least 84"}},
    {{PORT, "--class", "x:flows=0"}, {"flows=0", "64M"}},
    {{PORT, "--class", "x:flows=65M"}, {"flows=65M", "64M"}},
    {{PORT, "--class", "x:family=5"}, {"family=5", "4 or 6"}},
    {{PORT, "--class", "x:vlan=4095"}, {"vlan=4095", "4094"}},
    {{PORT, "--class", "x:new=1"}, {"new=1", "yes or no"}},
    {{PORT, "--class", "x:new=yes,flows=3"}, {"flows=3", "one of them"}},
    {{PORT, "--class", "x:from=10.0.0.0"}, {"from=10.0.0.0", "10.0.0.0/8"}},
    {{PORT, "--class", "x:from=10.0.0.1/8"}, {"from=10.0.0.1/8", "first 8"}},
    {{PORT, "--class", "x:to=fd00::/8"}, {"to=fd00::/8", "IPv4 prefix"}},
    {{PORT, "--class", "x:to=10.0.0.0/33"}, {"to=10.0.0.0/33", "IPv4 prefix"}},
};
/* clang-format on */

static void test_bad(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < RTE_DIM(bad); i++) {
        if (parse(bad[i].arguments) != SPILL_LOAD_ERROR)
            fail_msg("accepted: %s %s", bad[i].arguments[2], bad[i].arguments[3]);
        for (size_t j = 0; j < RTE_DIM(bad[i].says); j++) {
            if (strstr(error.text, bad[i].says[j]) == NULL)
                fail_msg("'%s' does not say '%s'", error.text, bad[i].says[j]);
        }
        assert_null(strchr(error.text, '\n'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mtu),
        cmocka_unit_test(test_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
