/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules for what comes and for what leaves: when a version has them apart, and which they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lcores.h"
#include "pipeline/ways.h"

#define IN  "protect in any from "
#define OUT "protect out any from "

static struct spill_sa in = {.config.direction = SPILL_SA_IN},
                       out = {.config.direction = SPILL_SA_OUT};
static struct spill_sa *by_id[] = {NULL, &in, &out};
static const struct spill_sa_set sas = {.by_id = by_id, .id_limit = 3};

static struct spill_ruleset *read_rules(const char *text)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    struct spill_error error;
    struct spill_ruleset *ruleset = spill_rules_read(file, "test", NULL, &error);

    fclose(file);
    if (ruleset == NULL)
        fail_msg("%s", error.text);
    return ruleset;
}

static struct spill_policy *make(enum spill_way way, const char *text)
{
    struct spill_ruleset *ruleset = read_rules(text);
    struct spill_policy *policy;
    uint16_t ids[2] = {0, 0};
    int nodes[SPILL_NODES_MAX];
    struct spill_error error;
    unsigned i;

    for (i = 0; i < SPILL_NODES_MAX; i++)
        nodes[i] = i == 0 ? 0 : -1;
    for (i = 0; i < ruleset->sa_count; i++)
        ids[i] = strcmp(ruleset->sas[i], "in") == 0 ? 1 : 2;
    assert_int_equal(spill_ways_create(way, NULL, false, way == SPILL_WAY_IN ? "in" : "out",
                                       ruleset, &sas, ids, NULL, nodes, &policy, &error),
                     0);
    spill_rules_free(ruleset);
    return policy;
}

static void they_are_there_where_both_may_be_meant(void **state)
{
    static const struct {
        const char *text;
        bool both;
    } cases[] = {
        {OUT "10.1.0.0/16 to 10.2.0.0/16\n" IN "10.2.0.0/16 to 10.1.0.0/16\n", false},
        {OUT "10.0.0.0/8 to 10.9.0.0/16\n" IN "10.9.0.0/16 to 10.0.0.0/8\n", true},
        {IN "10.9.0.0/16 to 10.0.0.0/8\n" OUT "10.0.0.0/8 to 10.9.0.0/16\n", true},
        {OUT "10.9.0.0/24 to 10.1.0.0/16\n" OUT "10.7.0.0/16 to any\n" IN
             "10.8.0.0/15 to 10.0.0.0/8\n",
         true},
        {OUT "10.9.0.0/24 to any\n" OUT "10.7.0.0/16 to any\n" IN "10.9.1.0/24 to any\n", false},
        {OUT "any to 10.9.0.0/16\n" IN "fd00::/8 to fd01::/16\n", false},
        {OUT "any to any\n" IN "fd00::/8 to fd01::/16\n", true},
        {OUT "10.1.0.0/16 to any\n" IN "fd00::/8 to any\n", false},
        {"set here = 10.1.0.0/16\n" OUT "@here to any\n" IN "10.2.0.0/16 to any\n", true},
        {OUT "any to any\nallow any from any to any\n", false},
        {IN "any to any\n", false},
        {"deny any from any to any\n", false},
    };
    unsigned i, way;

    (void)state;
    for (i = 0; i < RTE_DIM(cases); i++) {
        for (way = SPILL_WAY_IN; way <= SPILL_WAY_OUT; way++) {
            struct spill_policy *policy = make((enum spill_way)way, cases[i].text);

            if ((policy != NULL) != cases[i].both)
                fail_msg("%s", cases[i].text);
            spill_policy_free(policy);
        }
    }
}

/* The first rule beside those for the other way; behind the last for this one there is nothing. */
static void the_first_for_a_way_decides(void **state)
{
    static const char text[] = OUT "10.0.0.0/8 to 10.9.0.0/16\n"
                                   "allow udp from any to any\n" IN "10.9.0.0/16 to 10.0.0.0/8\n"
                                   "deny any from any to any\n";
    struct spill_packet packet = {.kind = SPILL_PACKET_IPV4, .direction = 0}, *asked = &packet;
    struct spill_policy *policies[] = {make(SPILL_WAY_IN, text), make(SPILL_WAY_OUT, text)};
    static const struct {
        uint8_t protocol, verdict[2];
        uint16_t sa[2];
    } cases[] = {
        {50, {SPILL_VERDICT_PROTECT, SPILL_VERDICT_PROTECT}, {1, 2}},
        {17, {SPILL_VERDICT_ALLOW, SPILL_VERDICT_PROTECT}, {0, 2}},
    };
    uint32_t tally;
    unsigned i, way;

    (void)state;
    packet.key.v4.address[0] = RTE_BE32(0x0a090001);
    packet.key.v4.address[1] = RTE_BE32(0x0a090002);
    for (i = 0; i < RTE_DIM(cases); i++) {
        for (way = 0; way < 2; way++) {
            packet.key.v4.protocol = cases[i].protocol;
            spill_acl_classify(spill_policy_acl(policies[way]), &asked, 1, &tally);
            assert_int_equal(packet.verdict, cases[i].verdict[way]);
            assert_int_equal(packet.sa, cases[i].sa[way]);
        }
    }
    packet.key.v4.address[0] = RTE_BE32(0x0b090001);
    spill_acl_classify(spill_policy_acl(policies[1]), &asked, 1, &tally);
    assert_int_equal(packet.verdict, SPILL_VERDICT_ALLOW);
    for (way = 0; way < 2; way++)
        spill_policy_free(policies[way]);
}

static int start(void **state)
{
    (void)state;
    test_eal_start(1, 64, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_there_where_both_may_be_meant),
        cmocka_unit_test(the_first_for_a_way_decides),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
