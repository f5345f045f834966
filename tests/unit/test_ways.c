/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules for what comes and for what leaves: when a version has them apart, and which they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "classify/rule_counts.h"
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

/* @param host  of what judges the host's own, with a default of deny */
static struct spill_policy *make_of(const struct spill_ruleset *ruleset, enum spill_way way,
                                    bool host)
{
    struct spill_ways_input input;
    struct spill_policy *policy;
    uint16_t ids[2] = {0, 0};
    int nodes[SPILL_NODES_MAX];
    struct spill_error error;
    unsigned i;

    for (i = 0; i < SPILL_NODES_MAX; i++)
        nodes[i] = i == 0 ? 0 : -1;
    for (i = 0; i < ruleset->sa_count; i++)
        ids[i] = strcmp(ruleset->sas[i], "in") == 0 ? 1 : 2;
    input = (struct spill_ways_input){.name = way == SPILL_WAY_IN ? "in" : "out",
                                      .ruleset = ruleset,
                                      .sas = &sas,
                                      .ids = ids,
                                      .memory_nodes = nodes};
    assert_int_equal(host ? spill_ways_create_host(&input, way, SPILL_VERDICT_DENY, &policy, &error)
                          : spill_ways_create(&input, way, &policy, &error),
                     0);
    return policy;
}

static struct spill_policy *make(enum spill_way way, const char *text)
{
    struct spill_ruleset *ruleset = read_rules(text);
    struct spill_policy *policy = make_of(ruleset, way, false);

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

/* What the host gets and sends, where rules judge it: policies for its way, and all of a file. */
static void the_hosts_own_go_by_its_policies(void **state)
{
    struct spill_ruleset *ruleset = read_rules("deny any from 10.0.0.0/8 to any\n"
                                               "allow any from 10.1.0.0/16 to any\n"
                                               "deny any from 10.2.0.0/16 to any\n"
                                               "allow any from 10.0.0.0/8 to any\n");
    static const uint8_t of_policies[] = {SPILL_RULE_FORWARDED, SPILL_RULE_HOST_GETS,
                                          SPILL_RULE_HOST_SENDS};
    static const struct {
        uint32_t source;
        uint8_t verdict[2];
    } cases[] = {
        {0x0a010001, {SPILL_VERDICT_ALLOW, SPILL_VERDICT_ALLOW}},
        {0x0a020001, {SPILL_VERDICT_ALLOW, SPILL_VERDICT_DENY}},
        {0x0b000001, {SPILL_VERDICT_DENY, SPILL_VERDICT_DENY}},
    };
    struct spill_packet packet = {.kind = SPILL_PACKET_IPV4}, *asked = &packet;
    struct spill_policy *policies[2];
    uint32_t tally;
    unsigned i, way;

    (void)state;
    for (i = 0; i < RTE_DIM(of_policies); i++)
        ruleset->rules[i].host = of_policies[i];
    for (way = SPILL_WAY_IN; way <= SPILL_WAY_OUT; way++)
        policies[way] = make_of(ruleset, (enum spill_way)way, true);
    for (i = 0; i < RTE_DIM(cases); i++) {
        for (way = SPILL_WAY_IN; way <= SPILL_WAY_OUT; way++) {
            packet.key.v4.address[0] = rte_cpu_to_be_32(cases[i].source);
            spill_acl_classify(spill_policy_acl(policies[way]), &asked, 1, &tally);
            assert_int_equal(packet.verdict, cases[i].verdict[way]);
        }
    }
    for (way = SPILL_WAY_IN; way <= SPILL_WAY_OUT; way++)
        spill_policy_free(policies[way]);
    /* Of forwarded packets alone, and nothing else: what is left is nothing, and says so. */
    ruleset->count = 1;
    policies[0] = make_of(ruleset, SPILL_WAY_IN, true);
    assert_non_null(policies[0]);
    packet.key.v4.address[0] = RTE_BE32(0x0a010001);
    packet.verdict = SPILL_VERDICT_UNKNOWN;
    spill_acl_classify(spill_policy_acl(policies[0]), &asked, 1, &tally);
    assert_int_equal(packet.verdict, SPILL_VERDICT_DENY);
    assert_int_equal(tally, SPILL_RULE_TALLY_DEFAULT);
    spill_policy_free(policies[0]);
    ruleset->rules[0].host = SPILL_RULE_HOST_NOT;
    assert_null(make_of(ruleset, SPILL_WAY_IN, true));
    spill_rules_free(ruleset);
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
        cmocka_unit_test(the_hosts_own_go_by_its_policies),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
