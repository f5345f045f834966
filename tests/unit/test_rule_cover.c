/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules that never match: against every packet of a small world. */
#include <stdlib.h>
#include <time.h>

#include "classify/rule_cover.h"
#include "classify/rule_match.h"
#include "rules_of.h"

static uint64_t random_state;

static uint32_t draw(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % bound;
}

#define PACKETS (2 * 5 * 16 * 49 * 3) /* of all that differs */

/* What makes a difference to the rules here: of each kind a few, so that there are not too many
 * packets, of which one is matched whenever any would be. */
static const uint16_t PORTS[] = {1, 2, 3, 4, 768, 769, 2048}; /* and types: 3/0, 3/1, 8/0 */
static const uint8_t PROTOCOLS[] = {1, 6, 17, 58, 99};

/* One end of a rule: addresses differ in their last two bits. */
static int draw_end(char *text, size_t size, bool v6, bool any, bool ports)
{
    const unsigned bits = draw(3), value = draw(4) & ~((1u << bits) - 1);
    int used;

    if (any)
        used = snprintf(text, size, "any");
    else if (draw(4) == 0)
        used = snprintf(text, size, "@set%u", draw(2));
    else
        used = snprintf(text, size, v6 ? "2001:db8::%u/%u" : "10.0.0.%u/%u", value,
                        (v6 ? 128 : 32) - bits);
    if (ports) {
        const unsigned first = 1 + draw(4), last = first + draw(5 - first);

        used += snprintf(text + used, size - (size_t)used, " port %u-%u", first, last);
    }
    return used;
}

static void draw_rule(char *text, size_t size)
{
    static const char *const INPUTS[] = {"", "", "", " in lan", " in wan", " in lan,wan"};
    static const char *const TYPES[] = {"", " type 3", " type 3/1", " type 8"};
    const unsigned kind = draw(4);
    const bool v6 = draw(3) == 0;
    static const char *const KINDS[2][4] = {{"any", "tcp", "udp", "icmp"},
                                            {"any", "tcp", "udp", "icmp6"}};
    char ends[2][64];

    for (unsigned end = 0; end < 2; end++)
        draw_end(ends[end], sizeof(ends[end]), v6, draw(2) == 0, kind < 3 && draw(3) == 0);
    snprintf(text, size, "%s %s from %s to %s%s%s\n", draw(2) ? "allow" : "deny", KINDS[v6][kind],
             ends[0], ends[1], INPUTS[draw(6)], kind == 3 && !v6 ? TYPES[draw(4)] : "");
}

/* A packet of this world, by its number. */
static void packet_of(const struct spill_ruleset *ruleset, uint32_t number,
                      struct spill_rule_packet *packet)
{
    const bool v6 = number % 2;
    const uint8_t protocol = PROTOCOLS[number / 2 % 5];
    const uint32_t addresses = number / 10 % 16, ports = number / 160 % 49;
    const uint32_t input = number / 7840 % 3;

    *packet = (struct spill_rule_packet){.family = v6 ? SPILL_RULE_IPV6 : SPILL_RULE_IPV4,
                                         .protocol = protocol};
    for (unsigned end = 0; end < 2; end++) {
        static const uint8_t V6[16] = {0x20, 0x01, 0x0d, 0xb8}, V4[16] = {10};

        memcpy(packet->address[end], v6 ? V6 : V4, 16);
        packet->address[end][v6 ? 15 : 3] = (uint8_t)(addresses >> 2 * end & 3);
        packet->port[end] = PORTS[end == 0 ? ports % 7 : ports / 7];
    }
    packet->has_ports = protocol == 6 || protocol == 17;
    packet->has_type = protocol == 1 || protocol == 58;
    if (input < 2 && input < ruleset->input_count)
        packet->input = UINT32_C(1) << input;
    spill_rule_packet_find_sets(ruleset, packet);
}

/* Of each pair of rules: what is covered has no packet of its own, here too. */
static void covered_rules_never_match(void **state)
{
    uint32_t covered = 0, others = 0;

    (void)state;
    for (unsigned round = 0; round < 1500; round++) {
        char text[512] = "set set0 = 10.0.0.0/31 2001:db8::2\nset set1 = 10.0.0.3 2001:db8::/127\n";
        struct spill_ruleset *ruleset;
        bool covers, own = false;

        for (unsigned i = 0; i < 2; i++)
            draw_rule(text + strlen(text), sizeof(text) - strlen(text));
        ruleset = rules_of(text);
        assert_int_equal(ruleset->count, 2);
        covers = spill_rule_covers(&ruleset->rules[0], &ruleset->rules[1]);
        for (uint32_t number = 0; number < PACKETS && !own; number++) {
            struct spill_rule_packet packet;

            packet_of(ruleset, number, &packet);
            own = spill_rule_differs(&ruleset->rules[1], &packet) == 0 &&
                  spill_rule_differs(&ruleset->rules[0], &packet) != 0;
        }
        if (covers && own)
            fail_msg("covered, and yet matches:\n%s", text);
        /* The other way round: but for sets, which have fewer addresses than they might. */
        if (!covers && !own && strchr(text + 70, '@') == NULL && ruleset->input_count < 2 &&
            strstr(text, "port 1-4") == NULL && strstr(text, "/30") == NULL &&
            strstr(text, "/126") == NULL && strstr(text, "type 3") == NULL)
            fail_msg("not covered, but never matches:\n%s", text);
        covered += covers;
        others += !covers;
        spill_rules_free(ruleset);
    }
    assert_true(covered > 30 && others > 30);
}

/* Which lines are told, with the one that covers them. */
static void lines_are_told_that_never_match(void **state)
{
    struct spill_ruleset *ruleset = rules_of("allow tcp from any to any port 1-10\n"
                                             "deny udp from 10.0.0.0/8 to any\n"
                                             "deny tcp from any to any port 2,5,9-10\n"
                                             "deny tcp from any to any port 2,11\n"
                                             "allow udp from 10.1.0.0/16 to any port 53\n"
                                             "allow any from any to any in lan\n"
                                             "deny 99 from any to any\n"
                                             "deny 99 from any to any in lan,wan\n");
    static const unsigned EXPECTED[][2] = {{3, 1}, {5, 2}, {8, 7}};
    const struct spill_rule *rule, *by;
    uint32_t from = 0, count = 0;

    (void)state;
    while ((rule = spill_rule_cover_next(ruleset, &from, &by)) != NULL) {
        assert_true(count < 3);
        assert_int_equal(rule->line, EXPECTED[count][0]);
        assert_int_equal(by->line, EXPECTED[count++][1]);
    }
    assert_int_equal(count, 3);
    spill_rules_free(ruleset);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covered_rules_never_match),
        cmocka_unit_test(lines_are_told_that_never_match),
    };

    random_state = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL) * 2654435761u | 1;
    printf("seed %#jx (an argument repeats it)\n", (uintmax_t)random_state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
