/* SPDX-License-Identifier: BSD-3-Clause */
/* Versions of an ACL, each made of the one before it: against the oracle, and what they compile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "acl_oracle.h"
#include "classify/acl_parts.h"

#define ALLOW SPILL_VERDICT_ALLOW
#define DENY  SPILL_VERDICT_DENY

static size_t eal_memory_in_use(void)
{
    struct rte_malloc_socket_stats stats;
    size_t size = 0;

    for (unsigned i = 0; i < rte_socket_count(); i++)
        if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0)
            size += stats.heap_allocsz_bytes;
    return size;
}

/* Adds rules, takes some away, moves one, has another decide otherwise: as daemons change policies.
 */
static void change_rules(struct spill_ruleset *ruleset, const struct spill_ruleset *new,
                         uint32_t most)
{
    for (uint32_t changes = 1 + oracle_draw(5); changes > 0; changes--) {
        const uint32_t at = oracle_draw(ruleset->count + 1), from = oracle_draw(ruleset->count);
        struct spill_rule *rules = ruleset->rules, rule = new->rules[oracle_draw(new->count)];

        if (ruleset->count > 0 && oracle_draw(8) == 0) {
            rule = rules[from];
            memmove(&rules[from], &rules[from + 1], (--ruleset->count - from) * sizeof(rule));
        } else if (ruleset->count > 0 && oracle_draw(8) == 0) {
            rules[from].action = rules[from].action == ALLOW ? DENY : ALLOW;
            rules[from].sa = 0;
            continue;
        } else if (ruleset->count == most || (ruleset->count > 0 && oracle_draw(3) == 0)) {
            memmove(&rules[from], &rules[from + 1], (--ruleset->count - from) * sizeof(rule));
            continue;
        }
        if (at > ruleset->count)
            continue;
        memmove(&rules[at + 1], &rules[at], (ruleset->count++ - at) * sizeof(rule));
        rules[at] = rule;
    }
    for (uint32_t i = 0; i < ruleset->count; i++)
        ruleset->rules[i].line = i + 1;
}

static struct spill_acl *follow_acl(const struct spill_acl *previous,
                                    const struct spill_ruleset *ruleset, unsigned version)
{
    struct spill_error error = {.text = ""};
    struct spill_acl *acl;
    char name[16];

    oracle_give_tallies(ruleset);
    snprintf(name, sizeof(name), "test%u", version);
    acl = spill_acl_follow(previous, name, ruleset, ORACLE_SA_IDS, ORACLE_NAMED, DENY,
                           SOCKET_ID_ANY, &error);
    if (acl == NULL)
        fail_msg("%s", error.text);
    return acl;
}

/* Also while the version before is still looked at, and where only few overlap. */
static void a_version_follows_another(void **state)
{
    enum { MOST = 120, VERSIONS = 50 };
    const size_t before = eal_memory_in_use();
    uint64_t hits = 0;

    (void)state;
    oracle_seed();
    /* Some draws match little: then a few rounds more. */
    for (unsigned round = 0; round < 4 || (hits <= 5000 && round < 40); round++) {
        struct spill_ruleset *ruleset =
            round % 2 == 0 ? oracle_rules(MOST) : oracle_office_rules(MOST);
        struct spill_ruleset new = *ruleset;
        struct spill_acl *acl = NULL;

        new.rules = calloc(MOST, sizeof(*new.rules));
        assert_non_null(new.rules);
        memcpy(new.rules, ruleset->rules, MOST * sizeof(*new.rules));
        ruleset->count = oracle_draw(MOST / 2);
        for (unsigned version = 0; version < VERSIONS; version++) {
            struct spill_acl *next = follow_acl(acl, ruleset, version);

            hits += oracle_compare(ruleset, next, DENY, 8);
            spill_acl_free(acl);
            hits += oracle_compare(ruleset, next, DENY, 2);
            acl = next;
            change_rules(ruleset, &new, MOST);
        }
        spill_acl_free(acl);
        free(new.rules);
        spill_rules_free(ruleset);
    }
    assert_true(hits > 5000);
    assert_int_equal(eal_memory_in_use(), before);
}

static struct spill_ruleset *read_text(const char *text)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    struct spill_error error = {.text = ""};
    struct spill_ruleset *ruleset;

    assert_non_null(file);
    ruleset = spill_rules_read(file, "test.rules", NULL, &error);
    fclose(file);
    if (ruleset == NULL)
        fail_msg("%s", error.text);
    return ruleset;
}

/* What a daemon's policies are: of two networks, of all addresses and one, of much. */
static struct spill_rule policy_like(uint32_t number)
{
    struct spill_rule rule = {
        .families = SPILL_RULE_IPV4,
        .any_protocol = true,
        .action = SPILL_VERDICT_PROTECT,
        .sa = (uint16_t)(1 + oracle_draw(ORACLE_SAS)),
        .last_port = {UINT16_MAX, UINT16_MAX},
    };
    const unsigned end = oracle_draw(2), kind = oracle_draw(8);

    for (unsigned i = 0; i < 2; i++) {
        const uint8_t network[] = {i == end ? 10 : 20, 0, (uint8_t)(number / 4),
                                   (uint8_t)(number % 4 * 64)};

        rule.length[i] = kind == 0 ? 8 : kind < 4 && i != end ? 0 : 26;
        memcpy(rule.address[i], network, (rule.length[i] + 7) / 8);
    }
    if (kind == 0) {
        rule.action = oracle_draw(2) ? ALLOW : DENY;
        rule.sa = 0;
    }
    return rule;
}

/* Policies come and go as daemons have it, more of them or fewer, in the order of priorities, and
 * before the rules of a file. */
static void policies_by_priority(void **state)
{
    enum { MOST = 100, FILE_RULES = 20, VERSIONS = 150 };
    const size_t before = eal_memory_in_use();

    (void)state;
    oracle_seed();
    for (unsigned round = 0; round < 4; round++) {
        struct spill_ruleset *all = oracle_rules(MOST + FILE_RULES), now = *all;
        uint32_t priority[MOST];
        bool is_there[MOST] = {false};
        struct spill_acl *acl = NULL;

        now.rules = calloc(MOST + FILE_RULES, sizeof(*now.rules));
        assert_non_null(now.rules);
        for (uint32_t i = 0; i < MOST; i++) {
            all->rules[i] = oracle_draw(8) == 0 ? all->rules[i] : policy_like(i);
            priority[i] = oracle_draw(6);
        }
        for (unsigned version = 0; version < VERSIONS; version++) {
            struct spill_acl *next;

            now.count = 0;
            for (uint32_t level = 0; level < 6; level++)
                for (uint32_t i = 0; i < MOST; i++)
                    if (is_there[i] && priority[i] == level)
                        now.rules[now.count++] = all->rules[i];
            memcpy(&now.rules[now.count], &all->rules[MOST], FILE_RULES * sizeof(*now.rules));
            now.count += FILE_RULES;
            for (uint32_t i = 0; i < now.count; i++)
                now.rules[i].line = i + 1;
            next = follow_acl(acl, &now, version);
            spill_acl_free(acl);
            acl = next;
            oracle_compare_near(all, &now, acl, DENY, 8);
            for (uint32_t changes = 1 + oracle_draw(4); changes > 0; changes--) {
                const uint32_t which = oracle_draw(MOST);

                is_there[which] = oracle_draw(4) == 0 ? !is_there[which] : version / 50 % 2 == 0;
                priority[which] = oracle_draw(16) == 0 ? oracle_draw(6) : priority[which];
            }
        }
        spill_acl_free(acl);
        free(now.rules);
        spill_rules_free(all);
    }
    assert_int_equal(eal_memory_in_use(), before);
}

/* How many rules a version has compiled that the one before has not. */
static uint32_t compiled(const struct spill_acl *previous, const struct spill_acl *acl)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < acl->part_count; i++) {
        uint32_t j = 0;

        while (j < previous->part_count && previous->parts[j].layer != acl->parts[i].layer)
            j++;
        count += j == previous->part_count ? acl->parts[i].layer->count : 0;
    }
    return count;
}

/* Takes the first rules of a set away, one by one, whichever comes next. Returns how many were
 * compiled by that. */
static uint32_t take_away(struct spill_ruleset *ruleset, uint32_t count)
{
    const struct spill_ruleset all = *ruleset;
    struct spill_acl *acl = follow_acl(NULL, ruleset, 0);
    uint32_t sum = 0;

    ruleset->rules = calloc(all.count, sizeof(*ruleset->rules));
    assert_non_null(ruleset->rules);
    memcpy(ruleset->rules, all.rules, all.count * sizeof(*ruleset->rules));
    for (uint32_t left = count; left > 0; left--) {
        const uint32_t from = oracle_draw(left);
        struct spill_acl *next;

        ruleset->count--;
        memmove(&ruleset->rules[from], &ruleset->rules[from + 1],
                (ruleset->count - from) * sizeof(*ruleset->rules));
        next = follow_acl(acl, ruleset, left);
        oracle_compare_near(&all, ruleset, next, DENY, 2);
        sum += compiled(acl, next);
        spill_acl_free(acl);
        acl = next;
    }
    spill_acl_free(acl);
    free(all.rules);
    return sum;
}

/* Hundreds that go one by one have what stays compiled a few times, whatever they overlap. */
static void what_goes_has_little_compiled(void **state)
{
    enum { PAIRS = 150 };
    static const char *const PAIR_OF[] = {
        "protect one any from 10.0.0.%u to 20.0.0.%u\nprotect two any from 20.0.0.%u to "
        "10.0.0.%u\n",
        /* Those of travellers. */
        "protect one any from 10.0.0.%u to any\nprotect two any from any to 10.0.0.%u\n",
    };
    char text[PAIRS * 100 + 200];

    (void)state;
    oracle_seed();
    for (unsigned kind = 0; kind < RTE_DIM(PAIR_OF); kind++) {
        struct spill_ruleset *ruleset;
        size_t size = 0;
        uint32_t count;

        for (unsigned i = 0; i < PAIRS; i++)
            size += (size_t)snprintf(text + size, sizeof(text) - size, PAIR_OF[kind], i, i, i, i);
        snprintf(text + size, sizeof(text) - size,
                 "allow udp from any port 500 to any\ndeny any from 10.0.0.0/8 to any port 80\n"
                 "allow any from any to any\n");
        ruleset = read_text(text);
        count = take_away(ruleset, 2 * PAIRS);
        print_message("%u rules compiled for %u that go\n", count, 2 * PAIRS);
        assert_true(count < 20 * 2 * PAIRS);
        spill_rules_free(ruleset);
    }
}

/* Rules that match the same as earlier ones are no reason to compile the others anew. */
static void repeats_are_not_compiled_again(void **state)
{
    struct spill_ruleset *ruleset = read_text("allow udp from any to any port 1\n"
                                              "allow udp from any to any port 2\n"
                                              "allow udp from any to any port 1\n"
                                              "allow udp from any to any port 1\n"
                                              "deny udp from any to any port 2\n");
    struct spill_acl *acl = follow_acl(NULL, ruleset, 0), *next = follow_acl(acl, ruleset, 1);

    (void)state;
    assert_int_equal(next->part_count, 1);
    assert_ptr_equal(next->parts[0].layer, acl->parts[0].layer);
    spill_acl_free(acl);
    spill_acl_free(next);
    spill_rules_free(ruleset);
}

static int start_eal(void **state)
{
    char *arguments[] = {
        "test_acl_follow", "--no-huge", "--no-shconf", "--no-telemetry",  "--no-pci", "-m", "512",
        "--lcores",        "0",         "--log-level", "lib.*:emergency", NULL};

    (void)state;
    return rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
    (void)state;
    return rte_eal_cleanup();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_follows_another),
        cmocka_unit_test(policies_by_priority),
        cmocka_unit_test(what_goes_has_little_compiled),
        cmocka_unit_test(repeats_are_not_compiled_again),
    };

    return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
