/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules, and what they name, as many as there may be. */
#include <stdlib.h>

#include "rules_of.h"

/* As many ports as a program can have, and no more. */
static void inputs_without_end(void **state)
{
    char text[8192] = "";
    struct spill_error error;
    struct spill_ruleset *ruleset;

    (void)state;
    for (unsigned i = 0; i < SPILL_INPUTS_NAMED_MAX; i++)
        snprintf(text + strlen(text), 64, "allow any from any to any in p%u,p0\n", i);
    ruleset = rules_of(text);
    assert_int_equal(ruleset->input_count, SPILL_INPUTS_NAMED_MAX);
    assert_int_equal(ruleset->rules[31].inputs, 0x80000001);
    spill_rules_free(ruleset);
    strcat(text, "allow any from any to any in p0,more\n");
    assert_null(rules_read(text, strlen(text), &error));
    assert_string_equal(error.text, "test.rules:33: port more: more than 32 of them");
}

/* As many SAs as there are ids, and no more. */
static void sas_without_end(void **state)
{
    FILE *file = tmpfile();
    struct spill_error error;
    struct spill_ruleset *ruleset;

    (void)state;
    assert_non_null(file);
    for (unsigned i = 0; i < UINT16_MAX; i++)
        fprintf(file, "protect %u any from any to any\n", i);
    rewind(file);
    ruleset = spill_rules_read(file, "many", NULL, &error);
    assert_non_null(ruleset);
    assert_int_equal(ruleset->sa_count, UINT16_MAX);
    for (unsigned i = 0; i < UINT16_MAX; i++) {
        assert_int_equal(ruleset->rules[i].sa, i + 1);
        assert_int_equal(strtoul(ruleset->sas[i], NULL, 10), i);
    }
    spill_rules_free(ruleset);
    fseek(file, 0, SEEK_END);
    fprintf(file, "protect 0 any from any to any\nprotect more any from any to any\n");
    rewind(file);
    assert_null(spill_rules_read(file, "many", NULL, &error));
    assert_string_equal(error.text, "many:65537: SA more: more than 65535 of them");
    fclose(file);
}

/* Sets have a bit each. */
static void sets_without_end(void **state)
{
    char text[64 * (SPILL_SETS_MAX + 1)] = "";
    struct spill_error error = {.text = ""};

    (void)state;
    for (unsigned i = 0; i <= SPILL_SETS_MAX; i++)
        sprintf(text + strlen(text), "set s%u = 10.0.0.%u\n", i, i);
    assert_null(rules_read(text, strlen(text), &error));
    assert_string_equal(error.text, "test.rules:33: set s32: more than 32 of them");
}

static void a_hundred_thousand_rules(void **state)
{
    enum { COUNT = 100000 };
    FILE *file = tmpfile();
    struct spill_error error;
    struct spill_ruleset *ruleset;

    (void)state;
    assert_non_null(file);
    for (unsigned i = 0; i < COUNT; i++)
        fprintf(file, "allow tcp from 10.%u.%u.%u to any port %u\n", i >> 16, i >> 8 & 255, i & 255,
                i & 65535);
    rewind(file);
    ruleset = spill_rules_read(file, "many", NULL, &error);
    fclose(file);
    if (ruleset == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(ruleset->count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        const struct spill_rule *rule = &ruleset->rules[i];

        assert_int_equal(rule->line, i + 1);
        assert_int_equal(rule->address[0][3] | rule->address[0][2] << 8 | rule->address[0][1] << 16,
                         i);
        assert_int_equal(rule->last_port[1], i & 65535);
    }
    spill_rules_free(ruleset);
}

static void no_more_rules_than_the_limit(void **state)
{
    FILE *file = tmpfile();
    struct spill_error error;

    (void)state;
    assert_non_null(file);
    for (unsigned i = 0; i <= SPILL_RULES_MAX; i++)
        fputs("deny 1 from any to any\n", file);
    rewind(file);
    assert_null(spill_rules_read(file, "many", NULL, &error));
    fclose(file);
    assert_string_equal(error.text, "many:1048577: more than 1048576 rules");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_without_end),
        cmocka_unit_test(sas_without_end),
        cmocka_unit_test(sets_without_end),
        cmocka_unit_test(a_hundred_thousand_rules),
        cmocka_unit_test(no_more_rules_than_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
