/* SPDX-License-Identifier: BSD-3-Clause */
/* What rules let through: the bucket against a naive one, also with several who take from it; and
 * which rule comes next beyond a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "classify/acl.h"
#include "classify/rule_counts.h"
#include "classify/rule_match.h"
#include "lcores.h"
#include "packet/parse.h"

#define HZ UINT64_C(3000000000)

static uint64_t seed;

static uint32_t below(uint32_t limit)
{
    return test_random_below(&seed, limit);
}

/* ------------------------------------------------------------------------------- the bucket */

/* Tokens by the book: so many bytes, never more than the burst. */
struct naive {
    double tokens, burst, per_cycle;
    uint64_t last;
};

static double fill(struct naive *naive, uint64_t now)
{
    const double filled = naive->tokens + (double)(now - naive->last) * naive->per_cycle;

    naive->tokens = filled < naive->burst ? filled : naive->burst;
    naive->last = now;
    return naive->tokens;
}

/* Of all rates and sizes: it says what the naive one does, but for rounding. */
static void the_bucket_is_that_of_the_book(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        const uint64_t rate = SPILL_RULE_LIMIT_RATE_MIN * (UINT64_C(1) << below(27));
        const uint32_t burst = SPILL_RULE_BURST_MIN << below(12);
        struct naive naive = {.tokens = burst, .burst = burst, .per_cycle = (double)rate / 8 / HZ};
        uint64_t now = (uint64_t)below(1u << 31) << below(20);
        struct spill_rule_limit limit;
        double passed = 0;

        spill_rule_limit_init(&limit, rate, burst, HZ, now);
        naive.last = now;
        for (unsigned i = 0; i < 500; i++) {
            const uint16_t bytes = (uint16_t)(20 + below(9000));
            const double have = fill(&naive, now);
            const bool took = spill_rule_limit_take(&limit, bytes, now);

            /* Each packet is rounded by a fraction of a cycle. */
            if (took != (have >= bytes) && (have > bytes ? have - bytes : bytes - have) >
                                               1 + passed * 1e-6 + 500 * naive.per_cycle)
                fail_msg("round %u, packet %u: %u bytes of %f", round, i, bytes, have);
            if (took)
                naive.tokens -= bytes;
            passed += bytes;
            now += (uint64_t)(below(2000) * 10 / naive.per_cycle);
        }
    }
}

static void a_bucket_is_full_whatever_the_time(void **state)
{
    struct spill_rule_limit limit;

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        spill_rule_limit_init(&limit, 1000000, 3000, HZ, UINT64_C(1) << bit);
        assert_true(spill_rule_limit_take(&limit, 3000, UINT64_C(1) << bit));
        assert_false(spill_rule_limit_take(&limit, 1500, UINT64_C(1) << bit));
    }
}

static void a_bucket_that_nobody_asked_for_long_is_full(void **state)
{
    struct spill_rule_limit limit;

    (void)state;
    spill_rule_limit_init(&limit, 1000000, 3000, HZ, 0);
    for (uint64_t year = 0; year < 100; year++) {
        const uint64_t now = year * 365 * 86400 * HZ;

        assert_true(spill_rule_limit_take(&limit, 1500, now));
        assert_true(spill_rule_limit_take(&limit, 1500, now));
        assert_false(spill_rule_limit_take(&limit, 1500, now));
    }
}

#define TAKERS 4
#define TAKES  200000

static struct spill_rule_limit shared;
static uint64_t shared_time, shared_passed;

static void *take_many(void *unused)
{
    uint64_t passed = 0;

    for (unsigned i = 0; i < TAKES; i++) {
        const uint64_t now = __atomic_fetch_add(&shared_time, 3, __ATOMIC_RELAXED);

        passed += spill_rule_limit_take(&shared, 100, now) ? 100 : 0;
    }
    __atomic_fetch_add(&shared_passed, passed, __ATOMIC_RELAXED);
    return unused;
}

/* However many take from it: in all it gives what it has, no more and no less. */
static void lcores_share_a_bucket(void **state)
{
    const uint32_t burst = 10000;
    pthread_t takers[TAKERS];
    double most;

    (void)state;
    spill_rule_limit_init(&shared, HZ * 8 * 5, burst, HZ, 0); /* five bytes a cycle */
    for (unsigned i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_create(&takers[i], NULL, take_many, NULL), 0);
    for (unsigned i = 0; i < TAKERS; i++)
        pthread_join(takers[i], NULL);
    most = burst + 5.0 * (double)shared_time;
    assert_true((double)shared_passed <= most + 100);
    assert_true((double)shared_passed >= most - burst - 100);
}

/* --------------------------------------------------------------------------- the next rule */

static struct spill_ruleset *read_text(const char *text, struct spill_error *error)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    struct spill_ruleset *ruleset = spill_rules_read(file, "test", NULL, error);

    fclose(file);
    return ruleset;
}

static void draw_rule(char *text, size_t size)
{
    static const char *const ENDS[] = {
        "any",   "10.0.0.0/30", "10.0.0.0/31",  "10.0.0.2/31",    "10.0.0.1",           "@low",
        "@high", "any port 1",  "any port 2-4", "any port 1,3-4", "10.0.0.1 port 1-2,4"};
    static const char *const INPUTS[] = {"", "", " in lan", " in wan", " in lan,wan"};
    const bool limited = below(3) > 0;

    snprintf(text, size, "%s %s from %s to %s%s%s\n", limited || below(2) ? "allow" : "deny",
             below(2) ? "udp" : "any", ENDS[below(11)], ENDS[below(11)], INPUTS[below(5)],
             limited ? below(2) ? " limit 1mbit" : " limit 2gbit burst 9000" : "");
}

/* A packet of this world, for both. */
static void draw_packet(const struct spill_ruleset *ruleset, struct spill_rule_packet *naive,
                        struct spill_packet *packet)
{
    const uint8_t protocol = below(2) ? IPPROTO_UDP : IPPROTO_GRE;

    *packet = (struct spill_packet){.kind = SPILL_PACKET_IPV4, .input = (uint8_t)below(3)};
    *naive = (struct spill_rule_packet){.family = SPILL_RULE_IPV4, .protocol = protocol};
    packet->key.v4.protocol = protocol;
    for (unsigned end = 0; end < 2; end++) {
        const uint8_t address[4] = {10, 0, 0, (uint8_t)below(5)};

        memcpy(naive->address[end], address, 4);
        memcpy(&packet->key.v4.address[end], address, 4);
        naive->port[end] = protocol == IPPROTO_UDP ? (uint16_t)below(6) : 0;
        packet->key.v4.port[end] = rte_cpu_to_be_16(naive->port[end]);
    }
    naive->has_ports = protocol == IPPROTO_UDP;
    packet->has_ports = naive->has_ports;
    for (unsigned i = 0; i < ruleset->input_count; i++)
        if (packet->input == (strcmp(ruleset->inputs[i], "lan") == 0))
            naive->input = UINT32_C(1) << i;
    spill_rule_packet_find_sets(ruleset, naive);
}

/* The next rule that matches, of another line; the number of rules: none does. */
static uint32_t next_match(const struct spill_ruleset *ruleset, uint32_t from,
                           const struct spill_rule_packet *packet)
{
    const struct spill_rule *before = from > 0 ? &ruleset->rules[from - 1] : NULL;

    while (from < ruleset->count &&
           ((before != NULL && spill_rules_same_line(before, &ruleset->rules[from])) ||
            spill_rule_differs(&ruleset->rules[from], packet) != 0))
        from++;
    return from;
}

static void check_chain(const struct spill_ruleset *ruleset, const struct spill_acl *acl,
                        const char *text)
{
    struct spill_acl_decision chain[SPILL_RULE_LEVELS + 1];
    struct spill_rule_packet naive;
    struct spill_packet packet;
    uint32_t count, at = 0, i;

    draw_packet(ruleset, &naive, &packet);
    count = spill_acl_chain(acl, &packet, chain);
    for (i = 0; i < count; i++, at++) {
        at = next_match(ruleset, at, &naive);
        if (chain[i].tally !=
            (at < ruleset->count ? ruleset->rules[at].tally : SPILL_RULE_TALLY_DEFAULT))
            fail_msg("decision %u is not that of line %u:\n%s", i,
                     at < ruleset->count ? ruleset->rules[at].line : 0, text);
        if (at == ruleset->count || ruleset->rules[at].limit == 0)
            break;
    }
    assert_int_equal(i + 1, count);
}

/* Against who walks down the file. */
static void beyond_a_limit_comes_the_next_rule(void **state)
{
    static const struct spill_rule_input PORTS[2][2] = {{{1, 0}, {0, 0}}, {{0, 0}, {1, 0}}};

    (void)state;
    for (unsigned round = 0; round < TEST_ROUNDS(400); round++) {
        char text[4096] = "set low = 10.0.0.0/31\nset high = 10.0.0.2/31\n";
        struct spill_error error = {.text = ""};
        struct spill_ruleset *ruleset;
        struct spill_acl *acl;

        for (unsigned i = 1 + below(20); i > 0; i--)
            draw_rule(text + strlen(text), sizeof(text) - strlen(text));
        ruleset = read_text(text, &error);
        if (ruleset == NULL) {
            assert_non_null(strstr(error.text, "more than 15 rules with a limit"));
            continue;
        }
        for (uint32_t i = 0; i < ruleset->count; i++) {
            const bool first =
                i == 0 || !spill_rules_same_line(&ruleset->rules[i], &ruleset->rules[i - 1]);

            ruleset->rules[i].tally =
                first ? SPILL_RULE_TALLY_FIRST + 8 * i : ruleset->rules[i - 1].tally;
        }
        acl = spill_acl_create(
            "test", ruleset, NULL,
            PORTS[ruleset->input_count > 0 && strcmp(ruleset->inputs[0], "wan") == 0],
            SPILL_VERDICT_DENY, SOCKET_ID_ANY, &error);
        if (acl == NULL)
            fail_msg("%s", error.text);
        for (unsigned i = 0; i < 100; i++)
            check_chain(ruleset, acl, text);
        spill_acl_free(acl);
        spill_rules_free(ruleset);
    }
}

static void levels_have_an_end(void **state)
{
    char text[20 * 64] = "";
    struct spill_error error = {.text = ""};
    struct spill_ruleset *ruleset;

    (void)state;
    for (unsigned i = 0; i <= SPILL_RULE_LEVELS; i++)
        sprintf(text + strlen(text), "allow any from 10.0.0.0/%u to any limit 1mbit\n", 8 + i);
    assert_null(read_text(text, &error));
    assert_string_equal(error.text,
                        "test:16: limit: more than 15 rules with a limit that a packet may match, "
                        "one after the other");
    /* One port may be another's sub-port. */
    ruleset = read_text("allow any from any to any in lan limit 1mbit\n"
                        "allow any from any to any in lan.100 limit 1mbit\n",
                        &error);
    assert_non_null(ruleset);
    assert_int_equal(ruleset->rules[1].level, 2);
    spill_rules_free(ruleset);
    /* Those that no packet matches besides have the same. */
    text[0] = '\0';
    for (unsigned i = 0; i <= SPILL_RULE_LEVELS; i++)
        sprintf(text + strlen(text), "allow any from 10.0.%u.0/24 to any limit 1mbit\n", i);
    ruleset = read_text(text, &error);
    assert_non_null(ruleset);
    for (uint32_t i = 0; i < ruleset->count; i++)
        assert_int_equal(ruleset->rules[i].level, 1);
    spill_rules_free(ruleset);
}

static void no_more_limits_than_can_be_compared(void **state)
{
    const size_t size = (SPILL_RULE_LIMITS_MAX + 1) * 64;
    char *text = calloc(1, size);
    struct spill_error error = {.text = ""};
    size_t used = 0;

    (void)state;
    for (unsigned i = 0; i <= SPILL_RULE_LIMITS_MAX; i++)
        used +=
            (size_t)snprintf(text + used, size - used,
                             "allow any from 10.0.%u.%u to any limit 1mbit\n", i / 256, i % 256);
    assert_null(read_text(text, &error));
    assert_non_null(strstr(error.text, "test:4097: limit: more than 4096 rules with a limit"));
    free(text);
}

static int start_eal(void **state)
{
    (void)state;
    test_eal_start(1, 256, NULL);
    seed = test_seed();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bucket_is_that_of_the_book),
        cmocka_unit_test(a_bucket_is_full_whatever_the_time),
        cmocka_unit_test(a_bucket_that_nobody_asked_for_long_is_full),
        cmocka_unit_test(lcores_share_a_bucket),
        cmocka_unit_test(beyond_a_limit_comes_the_next_rule),
        cmocka_unit_test(levels_have_an_end),
        cmocka_unit_test(no_more_limits_than_can_be_compared),
    };

    return cmocka_run_group_tests(tests, start_eal, NULL);
}
