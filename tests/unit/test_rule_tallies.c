/* SPDX-License-Identifier: BSD-3-Clause */
/* Where rules are counted, over versions of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "classify/rule_list.h"
#include "classify/rule_tallies.h"
#include "classify/rules.h"
#include "lcores.h"

#define LCORES 2

static struct spill_rule_tallies *tallies;

static int open_tallies(void **state)
{
    static const int sockets[LCORES] = {SOCKET_ID_ANY, SOCKET_ID_ANY};

    (void)state;
    tallies = spill_rule_tallies_create(sockets, LCORES);
    return tallies != NULL ? 0 : -1;
}

static int close_tallies(void **state)
{
    (void)state;
    spill_rule_tallies_free(tallies);
    return 0;
}

static struct spill_ruleset *read_text(const char *text)
{
    struct spill_error error = {.text = ""};
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    struct spill_ruleset *ruleset = spill_rules_read(file, "test", NULL, &error);

    fclose(file);
    if (ruleset == NULL)
        fail_msg("%s", error.text);
    return ruleset;
}

/* Makes a version; returns the tallies of its rules. */
static const uint32_t *assign(const char *text, uint64_t version, uint64_t settled)
{
    static uint32_t given[4][1100];
    static unsigned turn;
    uint32_t *of = given[turn++ % 4];
    struct spill_ruleset *ruleset = read_text(text);

    assert_int_equal(spill_rule_tallies_assign(tallies, ruleset, version, settled, NULL), 0);
    for (uint32_t i = 0; i < ruleset->count; i++) {
        of[i] = ruleset->rules[i].tally;
        assert_true(of[i] >= SPILL_RULE_TALLY_FIRST);
        assert_int_equal(of[i] % SPILL_RULE_TALLY_WORDS, 0);
    }
    spill_rules_free(ruleset);
    return of;
}

/* What an lcore does, in the newest of its arrays. */
static void count(unsigned lcore, uint32_t tally, uint64_t packets)
{
    struct spill_rule_count *of =
        &spill_rule_tallies_counts(tallies)->of[lcore][tally / SPILL_RULE_TALLY_WORDS];

    of->packets += packets;
    of->bytes += 100 * packets;
    of->connections++;
    of->last = packets;
}

static uint64_t packets_of(uint32_t tally)
{
    return spill_rule_counts_sum(spill_rule_tallies_counts(tallies), tally).packets;
}

static void what_says_the_same_keeps_its_tally(void **state)
{
    const uint32_t *before, *after;

    (void)state;
    before = assign("set a = 10.0.0.0/8\n"
                    "allow tcp from any to any port 80 in lan,wan\n"
                    "deny udp from @a to any\n"
                    "allow icmp from any to any type echo-request name \"ping\"\n"
                    "protect left any from 10.1.0.0/16 to any\n"
                    "deny udp from @a to any\n",
                    1, 0);
    for (unsigned i = 0; i < 5; i++)
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(before[i], before[j]);
    after = assign("set b = 10.0.0.0/8\n"
                   "set a = 10.0.0.0/8 172.16.0.0/12\n"
                   "deny udp from @b to any\n"
                   "protect left any from 10.1.0.0/16 to any # as before\n"
                   "allow 6   from any to any port 0x50 in wan,lan\n"
                   "allow icmp from any to any type 8 name \"pong\"\n"
                   "deny udp from @a to any\n"
                   "deny udp from @a to any\n"
                   "deny udp from @a to any\n"
                   "protect right any from 10.1.0.0/16 to any\n",
                   2, 0);
    assert_int_equal(after[1], before[3]);
    assert_int_equal(after[2], before[0]);
    assert_int_equal(after[4], before[1]);
    assert_int_equal(after[5], before[4]);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(after[i], after[j]);
    assert_int_not_equal(after[3], before[2]);
    assert_int_not_equal(after[0], before[1]);
}

static void a_line_is_counted_as_one(void **state)
{
    const uint32_t *of;

    (void)state;
    of = assign("allow tcp from any to any port 1,2,3\nallow tcp from any to any port 1,2\n", 1, 0);
    assert_int_equal(of[0], of[1]);
    assert_int_equal(of[0], of[2]);
    assert_int_not_equal(of[0], of[3]);
    assert_int_equal(of[3], of[4]);
}

static void what_is_gone_is_given_away_when_no_flow_has_it(void **state)
{
    uint32_t first, second;

    (void)state;
    first = assign("allow tcp from any to any\n", 1, 0)[0];
    count(0, first, 7);
    second = assign("deny tcp from any to any\n", 2, 1)[0];
    assert_int_not_equal(second, first);
    /* Flows may have it still, and it comes back as it was. */
    assert_int_equal(assign("allow tcp from any to any\n", 3, 1)[0], first);
    assert_int_equal(packets_of(first), 7);
    assign("deny tcp from any to any\n", 4, 3);
    /* All flows are of the fourth version: the next one that is new gets it, empty. */
    assert_int_equal(assign("reject tcp from any to any\n", 5, 4)[0], first);
    assert_int_equal(packets_of(first), 0);
}

/* Versions that were refused have taken nothing from the one in force. */
static void the_one_in_force_keeps_its_own(void **state)
{
    uint32_t kept;

    (void)state;
    kept = assign("allow tcp from any to any\n", 1, 0)[0];
    count(1, kept, 3);
    for (uint64_t version = 2; version < 200; version++) {
        char text[64];

        snprintf(text, sizeof(text), "allow tcp from any to any port %u\n", (unsigned)version);
        assert_int_not_equal(assign(text, version, 1)[0], kept);
    }
    assert_int_equal(assign("allow tcp from any to any\n", 200, 1)[0], kept);
    assert_int_equal(packets_of(kept), 3);
}

static void arrays_grow_and_forget_nothing(void **state)
{
    static char text[1000 * 48];
    const uint32_t *before, *after;
    struct spill_rule_count sum;
    size_t used = 0;

    (void)state;
    before = assign("allow tcp from any to any port 5\n", 1, 0);
    count(0, before[0], 2);
    count(1, before[0], 5);
    for (unsigned i = 0; i < 1000; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "allow tcp from any to any port %u\n", i);
    after = assign(text, 2, 1);
    assert_int_equal(after[5], before[0]);
    for (unsigned i = 0; i < 1000; i++)
        count(i % LCORES, after[i], 1);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(packets_of(after[i]), i == 5 ? 8 : 1);
    sum = spill_rule_counts_sum(spill_rule_tallies_counts(tallies), before[0]);
    assert_int_equal(sum.bytes, 800);
    assert_int_equal(sum.connections, 3);
    assert_int_equal(sum.last, 5);
    assert_true(spill_rule_tallies_counts(tallies)->places * sizeof(sum) <=
                spill_rule_tallies_bytes(1000));
}

static struct spill_rule_limit *limit_of(unsigned lcore, uint32_t tally)
{
    return spill_rule_tallies_counts(tallies)->of[lcore][tally / SPILL_RULE_TALLY_WORDS].limit;
}

/* A reload fills no bucket; what lets something else through has another. */
static void a_limit_keeps_its_bucket(void **state)
{
    const char *limited = "allow udp from any to any limit 1mbit\n";
    char text[200 * 48] = "";
    struct spill_rule_limit *bucket;
    uint32_t tally, other;
    uint64_t full;

    (void)state;
    tally = assign(limited, 1, 0)[0];
    bucket = limit_of(0, tally);
    assert_non_null(bucket);
    assert_ptr_equal(bucket, limit_of(1, tally));
    assert_true(spill_rule_limit_take(bucket, 1000, rte_get_tsc_cycles()));
    full = bucket->full;
    for (unsigned i = 0; i < 200; i++)
        sprintf(text + strlen(text), "allow tcp from any to any port %u\n", i);
    assign(text, 2, 0); /* the arrays grow */
    assert_int_equal(assign(limited, 3, 0)[0], tally);
    for (unsigned lcore = 0; lcore < LCORES; lcore++)
        assert_ptr_equal(limit_of(lcore, tally), bucket);
    assert_int_equal(bucket->full, full);
    other = assign("allow udp from any to any limit 1mbit burst 3000\n", 4, 3)[0];
    assert_int_not_equal(other, tally);
    assert_ptr_not_equal(limit_of(0, other), bucket);
    /* Nobody has it any more; its place goes to one without. */
    assert_int_equal(assign("allow udp from any to any\n", 5, 4)[0], tally);
    assert_null(limit_of(0, tally));
    assert_null(limit_of(1, tally));
}

static void the_list_has_each_line(void **state)
{
    struct spill_ruleset *ruleset =
        read_text("allow tcp from any to any port 1,2 name \"a b#c\" # d\n"
                  "\nreject any from any to any\n");
    struct spill_rule_list *list;

    (void)state;
    assert_int_equal(spill_rule_tallies_assign(tallies, ruleset, 1, 0, NULL), 0);
    list = spill_rule_list_create(ruleset, spill_rule_tallies_counts(tallies), SPILL_VERDICT_ALLOW);
    assert_non_null(list);
    assert_int_equal(list->count, 3);
    assert_int_equal(list->rules[0].tally, ruleset->rules[1].tally);
    assert_int_equal(list->rules[1].tally, ruleset->rules[2].tally);
    spill_rules_free(ruleset);
    assert_string_equal(spill_rule_list_name(list, &list->rules[0]), "a b#c");
    assert_string_equal(spill_rule_list_name(list, &list->rules[1]), "");
    assert_string_equal(spill_rule_list_path(list, &list->rules[1]), "test");
    assert_int_equal(list->rules[1].line, 3);
    assert_true(list->rules[1].reject);
    assert_null(spill_rule_list_path(list, &list->rules[2]));
    assert_int_equal(list->rules[2].tally, SPILL_RULE_TALLY_DEFAULT);
    assert_int_equal(list->rules[2].action, SPILL_VERDICT_ALLOW);
    spill_rule_list_free(list);
}

static int start(void **state)
{
    (void)state;
    test_eal_start(1, 64, NULL);
    return 0;
}

/* A version of many lines costs as many steps as it has lines, also where all say the same; and
 * memory for these alone. */
static void many_that_say_the_same(void **state)
{
    static const char line[] = "deny udp from any to any\n";
    const uint32_t count = 100000;
    char *text = malloc(count * (sizeof(line) - 1) + 1);
    struct spill_ruleset *ruleset;

    (void)state;
    assert_non_null(text);
    for (uint32_t i = 0; i < count; i++)
        memcpy(text + i * (sizeof(line) - 1), line, sizeof(line));
    ruleset = read_text(text);
    free(text);
    assert_int_equal(ruleset->count, count);
    for (uint64_t version = 1; version < 20; version++) {
        assert_int_equal(spill_rule_tallies_assign(tallies, ruleset, version, version - 1, NULL),
                         0);
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(ruleset->rules[i].tally,
                             SPILL_RULE_TALLY_FIRST + i * SPILL_RULE_TALLY_WORDS);
    }
    assert_null(spill_rule_tallies_counts(tallies)->older);
    assert_int_equal(spill_rule_tallies_counts(tallies)->places * sizeof(struct spill_rule_count),
                     spill_rule_tallies_bytes(count));
    spill_rules_free(ruleset);
}

#define TALLIES_TEST(name) cmocka_unit_test_setup_teardown(name, open_tallies, close_tallies)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TALLIES_TEST(what_says_the_same_keeps_its_tally),
        TALLIES_TEST(a_line_is_counted_as_one),
        TALLIES_TEST(what_is_gone_is_given_away_when_no_flow_has_it),
        TALLIES_TEST(the_one_in_force_keeps_its_own),
        TALLIES_TEST(arrays_grow_and_forget_nothing),
        TALLIES_TEST(a_limit_keeps_its_bucket),
        TALLIES_TEST(the_list_has_each_line),
        TALLIES_TEST(many_that_say_the_same),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
