/* SPDX-License-Identifier: BSD-3-Clause */
/* Classification: against the oracle, by what rules say, and where memory ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "acl_oracle.h"
#include "classify/rule_counts.h"

#define ALLOW SPILL_VERDICT_ALLOW
#define DENY  SPILL_VERDICT_DENY

/* For longer, and with the sanitizers' eyes: fuzz_acl. */
static void agrees_with_first_match(void **state)
{
    static const uint32_t COUNTS[] = {1, 2, 3, 5, 10, 30, 100, 300};
    uint64_t hits = 0;

    (void)state;
    oracle_seed();
    for (unsigned round = 0; round < 40; round++) {
        const enum spill_verdict verdict = oracle_draw(2) ? ALLOW : DENY;
        struct spill_ruleset *ruleset = oracle_rules(COUNTS[round % RTE_DIM(COUNTS)]);
        struct spill_acl *acl = oracle_make(ruleset, verdict);

        hits += oracle_compare(ruleset, acl, verdict, 50);
        spill_acl_free(acl);
        spill_rules_free(ruleset);
    }
    assert_true(hits > 6250);
}

static size_t eal_memory_in_use(void)
{
    struct rte_malloc_socket_stats stats;
    size_t size = 0;

    for (unsigned i = 0; i < rte_socket_count(); i++)
        if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0)
            size += stats.heap_allocsz_bytes;
    return size;
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

static uint16_t last_sa;     /* that verdict_of() got */
static uint8_t next_input;   /* that verdict_of()'s packet comes in by */
static bool next_is_of_host; /* and whether the host has sent it */

/* Verdict for one packet, from text; port -1: a packet without ports. */
static uint8_t verdict_of(const struct spill_acl *acl, uint8_t protocol, const char *source,
                          int source_port, const char *destination, int destination_port)
{
    struct oracle_packet packet = {
        .v6 = strchr(source, ':') != NULL,
        .has_ports = source_port >= 0,
        .protocol = protocol,
        .input = next_input,
        .of_host = next_is_of_host,
        .port = {(uint16_t)source_port, (uint16_t)destination_port},
    };
    uint8_t verdicts[2];

    assert_int_equal(inet_pton(packet.v6 ? AF_INET6 : AF_INET, source, packet.address[0]), 1);
    assert_int_equal(inet_pton(packet.v6 ? AF_INET6 : AF_INET, destination, packet.address[1]), 1);
    for (unsigned direction = 0; direction < 2; direction++) {
        struct spill_packet written, *pointer = &written;
        uint32_t tally;

        oracle_write(&packet, direction, &written);
        spill_acl_classify(acl, &pointer, 1, &tally);
        verdicts[direction] = written.verdict;
        last_sa = written.sa;
    }
    assert_int_equal(verdicts[0], verdicts[1]);
    return verdicts[0];
}

static void the_rules_of_a_file(void **state)
{
    struct spill_ruleset *ruleset =
        read_text("deny  tcp from 10.9.0.0/16 to any\n"
                  "allow tcp from 10.0.0.0/8 to any port 443\n"
                  "deny  udp from any port 1000-2000 to 192.0.2.0/24\n"
                  "allow icmp6 from any to any\n"
                  "deny  any from 2001:db8::/32 to any\n"
                  "allow udp from any to 192.0.2.0/24\n"
                  "allow any from any to any port 7\n"
                  "@198.51.100.0/24\t203.0.113.0/24\t0 : 65535\t80 : 81\t0x06/0xFF\tallow\n");
    struct spill_acl *acl = oracle_make(ruleset, DENY);

    (void)state;
    assert_int_equal(verdict_of(acl, 6, "10.1.2.3", 5, "1.2.3.4", 443), ALLOW);
    assert_int_equal(verdict_of(acl, 6, "10.1.2.3", 443, "1.2.3.4", 5), DENY);
    assert_int_equal(verdict_of(acl, 6, "10.9.2.3", 5, "1.2.3.4", 443), DENY);
    assert_int_equal(verdict_of(acl, 6, "1.2.3.4", 443, "10.1.2.3", 443), DENY);
    assert_int_equal(verdict_of(acl, 17, "1.2.3.4", 999, "192.0.2.1", 5), ALLOW);
    assert_int_equal(verdict_of(acl, 17, "1.2.3.4", 1000, "192.0.2.1", 5), DENY);
    assert_int_equal(verdict_of(acl, 17, "1.2.3.4", 2000, "192.0.2.1", 5), DENY);
    assert_int_equal(verdict_of(acl, 17, "1.2.3.4", 2001, "192.0.2.1", 5), ALLOW);
    /* A later fragment: the rule with ports is none for it, the next without them is. */
    assert_int_equal(verdict_of(acl, 17, "1.2.3.4", -1, "192.0.2.1", -1), ALLOW);
    assert_int_equal(verdict_of(acl, 6, "10.1.2.3", -1, "1.2.3.4", -1), DENY);
    assert_int_equal(verdict_of(acl, 58, "fe80::1", -1, "ff02::1", -1), ALLOW);
    assert_int_equal(verdict_of(acl, 58, "2001:db8::1", -1, "ff02::1", -1), ALLOW);
    assert_int_equal(verdict_of(acl, 6, "2001:db8::1", 1, "2001:db9::1", 7), DENY);
    assert_int_equal(verdict_of(acl, 6, "2001:db9::1", 1, "2001:db8::1", 7), ALLOW);
    assert_int_equal(verdict_of(acl, 6, "2001:db9::1", 1, "2001:db8::1", 8), DENY);
    /* Any protocol with a port: only for packets that have ports. */
    assert_int_equal(verdict_of(acl, 132, "1.1.1.1", 9, "2.2.2.2", 7), ALLOW);
    assert_int_equal(verdict_of(acl, 132, "1.1.1.1", -1, "2.2.2.2", -1), DENY);
    assert_int_equal(verdict_of(acl, 6, "198.51.100.9", 1, "203.0.113.9", 81), ALLOW);
    assert_int_equal(verdict_of(acl, 6, "198.51.100.9", 1, "203.0.113.9", 82), DENY);
    spill_acl_free(acl);
    spill_rules_free(ruleset);
}

/* `in` says by which port; with and without ports, in both families, and before the default. */
static void rules_for_what_came_in_by_a_port(void **state)
{
    struct spill_ruleset *ruleset = read_text("allow tcp from 10.0.0.0/8 to any port 443 in lan\n"
                                              "deny any from 10.0.0.0/8 to any in wan,dmz\n"
                                              "allow any from any to any in wan,lan\n"
                                              "protect one udp from ::/0 to any in dmz\n");
    struct spill_acl *acl = oracle_make(ruleset, DENY);
    static const struct {
        const char *source, *destination;
        int port;
        uint8_t protocol, input, verdict;
    } cases[] = {
        {"10.0.0.1", "192.0.2.1", 443, 6, 3, ALLOW},
        {"10.0.0.1", "192.0.2.1", 443, 6, 0, DENY},
        {"10.0.0.1", "192.0.2.1", 443, 6, 31, DENY},
        {"10.0.0.1", "192.0.2.1", 443, 6, 7, DENY},
        {"192.0.2.1", "10.0.0.1", 443, 6, 0, ALLOW},
        {"192.0.2.1", "10.0.0.1", 443, 6, 31, DENY},
        {"192.0.2.1", "10.0.0.1", -1, 47, 3, ALLOW},
        {"10.0.0.1", "192.0.2.1", -1, 47, 0, DENY},
        {"2001:db8::1", "2001:db8::2", 5, 17, 0, ALLOW},
        {"2001:db8::1", "2001:db8::2", 5, 17, 31, SPILL_VERDICT_PROTECT},
        {"2001:db8::1", "2001:db8::2", 5, 17, 7, DENY},
    };

    (void)state;
    for (size_t i = 0; i < RTE_DIM(cases); i++) {
        next_input = cases[i].input;
        assert_int_equal(verdict_of(acl, cases[i].protocol, cases[i].source, cases[i].port,
                                    cases[i].destination, cases[i].port),
                         cases[i].verdict);
        next_is_of_host = true;
        assert_int_equal(verdict_of(acl, cases[i].protocol, cases[i].source, cases[i].port,
                                    cases[i].destination, cases[i].port),
                         DENY);
        next_is_of_host = false;
    }
    spill_acl_free(acl);
    spill_rules_free(ruleset);
}

/* The first match in order, whatever its action; the SA by the id of its name. */
static void protection_has_its_place_in_the_order(void **state)
{
    struct spill_ruleset *ruleset = read_text("deny tcp from 10.1.9.0/24 to 10.2.0.0/16\n"
                                              "protect one any from 10.1.0.0/16 to 10.2.0.0/16\n"
                                              "allow any from 10.0.0.0/8 to 10.0.0.0/8\n"
                                              "protect two any from any to any port 80\n"
                                              "protect one any from 2001:db8::/32 to any\n");
    static const struct {
        const char *source, *destination;
        uint16_t port;
        uint8_t verdict;
        uint16_t sa;
    } cases[] = {
        {"10.1.9.1", "10.2.0.1", 80, DENY, 0},
        {"10.1.8.1", "10.2.0.1", 80, SPILL_VERDICT_PROTECT, 1},
        {"10.2.0.1", "10.1.8.1", 80, ALLOW, 0},
        {"192.0.2.1", "10.1.8.1", 80, SPILL_VERDICT_PROTECT, UINT16_MAX},
        {"192.0.2.1", "10.1.8.1", 81, DENY, 0},
        {"2001:db8::1", "2001:db9::1", 80, SPILL_VERDICT_PROTECT, UINT16_MAX},
        {"2001:db8::1", "2001:db9::1", 81, SPILL_VERDICT_PROTECT, 1},
        {"2001:db9::1", "2001:db8::1", 81, DENY, 0},
    };
    struct spill_acl *acl = oracle_make(ruleset, DENY);

    (void)state;
    for (size_t i = 0; i < RTE_DIM(cases); i++) {
        assert_int_equal(
            verdict_of(acl, 6, cases[i].source, 5, cases[i].destination, cases[i].port),
            cases[i].verdict);
        assert_int_equal(last_sa, cases[i].sa);
    }
    spill_acl_free(acl);
    spill_rules_free(ruleset);
}

/* Sets with nothing for a family, or for packets without ports. */
static void what_no_rule_speaks_of_gets_the_default(void **state)
{
    static const char *const TEXTS[] = {
        "# nothing\n",
        "deny any from any to 10.0.0.0/8\n",
        "deny any from any to 2001:db8::/32\n",
        "deny tcp from any to any port 80\n",
        "deny tcp from any port 80 to 10.0.0.0/8\n",
    };

    (void)state;
    oracle_seed();
    for (size_t i = 0; i < RTE_DIM(TEXTS); i++)
        for (enum spill_verdict verdict = ALLOW; verdict <= DENY; verdict++) {
            struct spill_ruleset *ruleset = read_text(TEXTS[i]);
            struct spill_acl *acl = oracle_make(ruleset, verdict);

            oracle_compare(ruleset, acl, verdict, 100);
            assert_int_equal(verdict_of(acl, 1, "192.0.2.1", -1, "192.0.2.2", -1), verdict);
            assert_int_equal(verdict_of(acl, 6, "192.0.2.1", 1, "192.0.2.2", 2), verdict);
            assert_int_equal(verdict_of(acl, 58, "fe80::1", -1, "ff02::1", -1), verdict);
            assert_int_equal(verdict_of(acl, 6, "fe80::1", 1, "fe80::2", 2), verdict);
            spill_acl_free(acl);
            spill_rules_free(ruleset);
        }
}

/* Both ways to build: looking for the fastest tries, and, above 10 000 rules, for the least memory.
 */
static void many_rules_within_the_memory_planned(void **state)
{
    static const uint32_t COUNTS[] = {1000, 10001};

    (void)state;
    oracle_seed();
    for (size_t i = 0; i < RTE_DIM(COUNTS); i++) {
        struct spill_ruleset *ruleset = oracle_office_rules(COUNTS[i]);
        const size_t before = eal_memory_in_use();
        const uint64_t start = rte_rdtsc();
        struct spill_acl *acl = oracle_make(ruleset, DENY);
        const size_t used = eal_memory_in_use() - before;

        print_message("%u rules: %.1f s, %zu KiB of %zu KiB planned\n", COUNTS[i],
                      (double)(rte_rdtsc() - start) / (double)rte_get_tsc_hz(), used >> 10,
                      spill_acl_memory(ruleset) >> 10);
        assert_true(used <= spill_acl_memory(ruleset));
        assert_true(oracle_compare(ruleset, acl, DENY, 200) > 200);
        spill_acl_free(acl);
        assert_int_equal(eal_memory_in_use(), before);
        spill_rules_free(ruleset);
    }
}

static void what_cannot_be_made_is_refused(void **state)
{
    struct spill_ruleset *ruleset = read_text("deny any from any to 10.0.0.0/8\n"
                                              "deny any from any to 2001:db8::/32\n");
    struct spill_acl *acl = oracle_make(ruleset, DENY);
    const size_t before = eal_memory_in_use();
    struct spill_error error;

    (void)state;
    assert_null(spill_acl_create("test", ruleset, NULL, NULL, DENY, SOCKET_ID_ANY, &error));
    assert_string_equal(error.text,
                        "ACL test of 2 rules, 0 MiB of EAL memory planned: File exists");
    assert_null(
        spill_acl_create("a name of 21 letters.", ruleset, NULL, NULL, DENY, SOCKET_ID_ANY, NULL));
    assert_int_equal(eal_memory_in_use(), before);
    spill_acl_free(acl);
    spill_acl_free(NULL);
    spill_rules_free(ruleset);
}

/* Creation with more and more EAL memory left: it fails cleanly wherever that ends, until it is
 * enough. */
static void fails_cleanly_wherever_memory_ends(void **state)
{
    enum { BLOCK = 32 << 10, MOST = (512 << 20) / BLOCK };
    static void *blocks[MOST];
    struct spill_ruleset *ruleset;
    struct spill_acl *acl = NULL;
    unsigned count = 0, failures = 0;

    (void)state;
    oracle_seed();
    ruleset = oracle_office_rules(300);
    oracle_give_tallies(ruleset);
    while (count < MOST && (blocks[count] = rte_malloc(NULL, BLOCK, 0)) != NULL)
        count++;
    while (acl == NULL && count > 0) {
        struct spill_error error = {.text = ""};
        const size_t before = eal_memory_in_use();

        acl = spill_acl_create("test", ruleset, ORACLE_SA_IDS, ORACLE_NAMED, DENY, SOCKET_ID_ANY,
                               &error);
        if (acl != NULL)
            break;
        failures++;
        assert_non_null(strstr(error.text, "Cannot allocate memory"));
        assert_int_equal(eal_memory_in_use(), before);
        rte_free(blocks[--count]);
    }
    assert_non_null(acl);
    assert_true(failures > 10);
    oracle_compare(ruleset, acl, DENY, 100);
    spill_acl_free(acl);
    spill_rules_free(ruleset);
    while (count > 0)
        rte_free(blocks[--count]);
}

static int start_eal(void **state)
{
    char *arguments[] = {
        "test_acl", "--no-huge", "--no-shconf", "--no-telemetry", "--no-pci",        "-m",
        "512",      "--lcores",  "0",           "--log-level",    "lib.*:emergency", NULL};

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
        cmocka_unit_test(agrees_with_first_match),
        cmocka_unit_test(the_rules_of_a_file),
        cmocka_unit_test(rules_for_what_came_in_by_a_port),
        cmocka_unit_test(protection_has_its_place_in_the_order),
        cmocka_unit_test(what_no_rule_speaks_of_gets_the_default),
        cmocka_unit_test(many_rules_within_the_memory_planned),
        cmocka_unit_test(what_cannot_be_made_is_refused),
        cmocka_unit_test(fails_cleanly_wherever_memory_ends),
    };

    return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
