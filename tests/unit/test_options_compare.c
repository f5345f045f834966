/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs between two sets of options, and which of them can be set while it runs. */
#include "config/option_table.h"
#include "config/options_at_once.h"
#include "config/options_compare.h"
#include "options_parse.h"

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
    options_assert_good(options_parse_more(NULL, NULL));
    first = options_read;
    options_read = (struct spill_options){0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *const *arguments = cases[i].arguments;

        options_assert_good(options_parse_more(arguments[0], arguments[1], arguments[2], NULL));
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
    options_assert_good(options_parse_more("--idle=busy", "--rules=x", "--no-huge", NULL));
    first = options_read;
    options_read = (struct spill_options){0};
    options_assert_good(options_parse_more("--flow-timeout=90s", "--memory=64", "--default=allow",
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
    options_assert_good(options_parse_more(values[0], NULL));
    first = options_read;
    options_read = (struct spill_options){0};
    options_assert_good(options_parse_more(values[1], NULL));
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
    options_assert_good(options_parse_more(NULL, NULL));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparison),    cmocka_unit_test(test_values_compared),
        cmocka_unit_test(test_name_compared), cmocka_unit_test(test_long_values_compared),
        cmocka_unit_test(test_set),
    };

    return cmocka_run_group_tests(tests, options_setup, options_teardown);
}
