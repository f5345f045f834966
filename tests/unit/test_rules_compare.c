/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs between two sets of rules: what is new, what is gone, what one has become. */
#include <stdlib.h>

#include "config/rules_compare.h"
#include "rules_of.h"

#define WEB  "allow tcp from any to 10.0.0.1 port 80\n"
#define TLS  "allow tcp from any to 10.0.0.1 port 443\n"
#define DNS  "allow udp from any to any port 53,5353\n"
#define NTP  "allow udp from any to any port 123\n"
#define PING "allow icmp from any to any\n"

static void join(const struct spill_difference *difference, void *context)
{
    static const char *const changes[] = {
        [SPILL_CHANGED] = "~", [SPILL_NEW] = "+", [SPILL_GONE] = "-"};
    char *text = context;

    assert_int_equal(difference->when, SPILL_OPTION_AT_RELOAD);
    text += strlen(text);
    text += sprintf(text, "%s%s", changes[difference->change], difference->what);
    if (difference->was != NULL)
        text += sprintf(text, " (%s)", difference->was);
    sprintf(text, ": %s>%s\n", difference->before != NULL ? difference->before : "",
            difference->after != NULL ? difference->after : "");
}

static void differences_are_told(void **state)
{
    static const struct {
        const char *before, *after, *told;
    } cases[] = {
        {WEB DNS, WEB DNS, ""},
        {WEB DNS, "# web\n\n" WEB "  allow udp  from any to any port 53,5353 # DNS\n", ""},
        {WEB DNS, WEB DNS NTP, "+rule test.rules:3: >allow udp from any to any port 123\n"},
        {WEB DNS, DNS, "-rule test.rules:1: allow tcp from any to 10.0.0.1 port 80>\n"},
        {WEB DNS, DNS WEB, "~order of the rules: >\n"},
        /* Between the same lines, at the beginning, at the end; both ends of a list are one rule.
         */
        {WEB DNS PING, WEB NTP "\n" PING,
         "~rule test.rules:2 (test.rules:2): "
         "allow udp from any to any port 53,5353>allow udp from any to any port 123\n"},
        {WEB PING, "\n" TLS PING,
         "~rule test.rules:2 (test.rules:1): "
         "allow tcp from any to 10.0.0.1 port 80>allow tcp from any to 10.0.0.1 port 443\n"},
        {PING WEB, PING "\tallow tcp from any to 10.0.0.1 port 443 \t# TLS\n",
         "~rule test.rules:2 (test.rules:2): "
         "allow tcp from any to 10.0.0.1 port 80>allow tcp from any to 10.0.0.1 port 443\n"},
        {WEB, TLS,
         "~rule test.rules:1 (test.rules:1): "
         "allow tcp from any to 10.0.0.1 port 80>allow tcp from any to 10.0.0.1 port 443\n"},
        /* Which of two it has become can't be told. */
        {WEB PING, TLS NTP PING,
         "-rule test.rules:1: allow tcp from any to 10.0.0.1 port 80>\n"
         "+rule test.rules:1: >allow tcp from any to 10.0.0.1 port 443\n"
         "+rule test.rules:2: >allow udp from any to any port 123\n"},
        {WEB PING DNS, PING NTP DNS,
         "-rule test.rules:1: allow tcp from any to 10.0.0.1 port 80>\n"
         "+rule test.rules:2: >allow udp from any to any port 123\n"},
        /* By its name, wherever it stands. */
        {"deny any from 10.9.0.0/16 to any name \"guests\"\n" WEB,
         WEB TLS "deny any from 10.8.0.0/16 to any name \"guests\"\n",
         "~order of the rules: >\n"
         "~rule test.rules:3 \"guests\" (test.rules:1): deny any from 10.9.0.0/16 to any name "
         "\"guests\">deny any from 10.8.0.0/16 to any name \"guests\"\n"
         "+rule test.rules:2: >allow tcp from any to 10.0.0.1 port 443\n"},
        /* Of two of a name, the first is the first. */
        {"deny tcp from any to any name \"x\"\ndeny udp from any to any name \"x\"\n" WEB,
         "reject tcp from any to any name \"x\"\n" WEB "reject udp from any to any name \"x\"\n",
         "~order of the rules: >\n"
         "~rule test.rules:1 \"x\" (test.rules:1): deny tcp from any to any name \"x\">"
         "reject tcp from any to any name \"x\"\n"
         "~rule test.rules:3 \"x\" (test.rules:2): deny udp from any to any name \"x\">"
         "reject udp from any to any name \"x\"\n"},
        {WEB, "\n", "-rule test.rules:1: allow tcp from any to 10.0.0.1 port 80>\n"},
        {"@1.0.0.0/8 2.0.0.0/8 0 : 65535 53 : 53 0x11/0xFF\n", DNS,
         "~rule test.rules:1 (test.rules:1): @1.0.0.0/8 2.0.0.0/8 0 : 65535 53 : 53 0x11/0xFF>"
         "allow udp from any to any port 53,5353\n"},
    };
    struct spill_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct spill_ruleset *before = rules_of(cases[i].before);
        struct spill_ruleset *after = rules_of(cases[i].after);
        char told[2048] = "";

        assert_int_equal(spill_rules_compare(before, after, join, told, &error), 0);
        assert_string_equal(told, cases[i].told);
        spill_rules_free(before);
        spill_rules_free(after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
