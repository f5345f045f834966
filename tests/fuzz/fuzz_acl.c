/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rule sets and packets of any kind: the compiled rules say what a walk over the rules says, which
 * takes the first that matches.
 *
 * Input: default verdict, and which families the rules are of (1), number of rules (1), each in
 * some bytes; then packets, each near a rule, until the input ends. Mostly rules are of one family,
 * as to compile those of both takes twice as long.
 */
#include "fuzz.h"

#include <arpa/inet.h>

#include <rte_lcore.h>

#include "classify/acl.h"
#include "classify/rule_counts.h"
#include "first_match.h"

#define RULES   24
#define PACKETS 256

/* Ids of the SAs that rules protect with. */
static const uint16_t sa_ids[] = {1, UINT16_MAX, 255, 256, 0x0203};

/* The ports that rules name; packets come in by others, too. */
static const struct spill_rule_input named[] = {{3, 0}, {0, 0}, {31, 0}, {7, 0}};
static const uint8_t inputs[] = {3, 0, 31, 7, 1, 255};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_eal_start(256);
    return 0;
}

/* --------------------------------------------------------------------------------- rules */

static bool has_ports(uint8_t protocol)
{
    return protocol == 6 || protocol == 17 || protocol == 132;
}

static void take_prefix(struct fuzz_input *input, bool v6, struct spill_rule *rule, unsigned end)
{
    unsigned bits = v6 ? 128 : 32;
    uint8_t *address = rule->address[end];
    uint8_t filler = (uint8_t)(fuzz_byte(input) % 3 * 0x7f);

    /* Few different ones, so that prefixes nest. */
    memset(address, filler, bits / 8);
    rule->length[end] = (uint8_t)fuzz_below(input, bits + 1);
    address[fuzz_below(input, bits / 8)] = fuzz_byte(input);
    for (unsigned bit = rule->length[end]; bit < bits; bit++)
        address[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static void take_ports(struct fuzz_input *input, struct spill_rule *rule, unsigned end)
{
    uint8_t shape = fuzz_byte(input);

    if (shape % 4 == 0)
        return;
    rule->first_port[end] = fuzz_16(input);
    rule->last_port[end] = shape % 4 == 1 ? rule->first_port[end] : fuzz_16(input);
    if (rule->first_port[end] > rule->last_port[end]) {
        uint16_t first = rule->last_port[end];

        rule->last_port[end] = rule->first_port[end];
        rule->first_port[end] = first;
    }
}

/* Whether packets of a family and protocol are ICMP messages. */
static bool has_types(bool v6, uint8_t protocol)
{
    return protocol == (v6 ? 58 : 1);
}

/* A rule as a file could have it. */
static void take_rule(struct fuzz_input *input, uint8_t families, struct spill_rule *rule,
                      uint32_t line)
{
    uint8_t shape = fuzz_byte(input);
    bool v6 = families < 4 ? (shape & 1) != 0 : families % 2 != 0;

    *rule = (struct spill_rule){.action = (uint8_t)(SPILL_VERDICT_ALLOW + shape / 2 % 4 % 3),
                                .families = v6 ? SPILL_RULE_IPV6 : SPILL_RULE_IPV4,
                                .last_port = {UINT16_MAX, UINT16_MAX},
                                .line = line,
                                .tally = SPILL_RULE_TALLY_FIRST + line};
    if (rule->action == SPILL_VERDICT_PROTECT)
        rule->sa = (uint16_t)(1 + fuzz_below(input, RTE_DIM(sa_ids)));
    if ((shape & 0x08) != 0)
        rule->inputs = fuzz_byte(input) % (1u << RTE_DIM(named));
    rule->any_protocol = (shape & 0x10) != 0;
    if (!rule->any_protocol)
        rule->protocol = fuzz_byte(input);
    if ((shape & 0x20) != 0 && (rule->any_protocol || has_ports(rule->protocol))) {
        rule->names_ports = true;
        for (unsigned end = 0; end < 2; end++)
            take_ports(input, rule, end);
    }
    if ((shape & 0x20) != 0 && !rule->any_protocol && has_types(v6, rule->protocol)) {
        rule->names_types = true;
        take_ports(input, rule, 1);
    }
    if (shape >= 0xe0 && families < 4 && !rule->names_types) {
        rule->families = SPILL_RULE_IPV4 | SPILL_RULE_IPV6;
        return;
    }
    for (unsigned end = 0; end < 2; end++)
        take_prefix(input, v6, rule, end);
}

/* ------------------------------------------------------------------------------- packets */

/* One that a rule matches, but for what the input changes. */
static void take_packet(struct fuzz_input *input, const struct spill_ruleset *ruleset,
                        struct match_packet *packet)
{
    const struct spill_rule *rule =
        ruleset->count == 0 ? NULL : &ruleset->rules[fuzz_below(input, ruleset->count)];
    uint8_t change = fuzz_byte(input);

    memset(packet, 0, sizeof(*packet));
    packet->v6 = (change & 1) != 0;
    if (rule != NULL && rule->families != (SPILL_RULE_IPV4 | SPILL_RULE_IPV6))
        packet->v6 = rule->families == SPILL_RULE_IPV6;
    packet->input = inputs[fuzz_below(input, RTE_DIM(inputs))];
    packet->protocol = rule != NULL && !rule->any_protocol ? rule->protocol : 6;
    if ((change & 2) != 0)
        packet->protocol = fuzz_byte(input);
    /* Without ports: a later fragment. */
    packet->has_ports = has_ports(packet->protocol) && (change & 4) == 0;
    for (unsigned end = 0; end < 2; end++) {
        unsigned bytes = packet->v6 ? 16 : 4;

        if (rule != NULL)
            memcpy(packet->address[end], rule->address[end], bytes);
        if ((change & 8 << end) != 0)
            packet->address[end][fuzz_below(input, bytes)] ^= fuzz_byte(input);
        if (rule != NULL)
            packet->port[end] = (change & 0x20) != 0 ? rule->last_port[end] : rule->first_port[end];
        if ((change & 0x40 << end) != 0)
            packet->port[end] = (uint16_t)(packet->port[end] + (int8_t)fuzz_byte(input));
    }
    packet->has_type =
        has_types(packet->v6, packet->protocol) && (change & 4) == 0 && packet->port[1] != 0;
}

/* A message that nothing answers, or a later fragment. */
static void write_message(const struct match_packet *from, struct spill_packet *to)
{
    const uint8_t zone = from->has_type ? 0 : SPILL_FLOW_FRAGMENT;

    if (from->v6) {
        to->key.v6.port[1] = htons(from->port[1]);
        to->key.v6.zone = zone;
        to->key.v6.vlan = SPILL_VLAN_ALONE;
    } else {
        to->key.v4.port[1] = htons(from->port[1]);
        to->key.v4.zone = zone;
        to->key.v4.vlan = SPILL_VLAN_ALONE;
    }
}

/*
 * As parsing writes it, in either direction, or as the reply to it, whose initiator is asked for;
 * what neither writes is noise.
 */
static void write_packet(const struct match_packet *from, unsigned shape, struct spill_packet *to)
{
    const unsigned direction = shape & 1;

    memset(to, 0xa5, sizeof(*to));
    to->kind = from->v6 ? SPILL_PACKET_IPV6 : SPILL_PACKET_IPV4;
    to->reversed = shape >> 1 & 1;
    to->direction = (uint8_t)(direction ^ to->reversed);
    *(to->reversed ? &to->output : &to->input) = from->input;
    to->has_ports = from->has_ports;
    for (unsigned end = 0; end < 2; end++) {
        unsigned place = (end ^ direction) & 1;
        uint16_t port = from->has_ports ? htons(from->port[end]) : 0;

        if (from->v6) {
            memcpy(to->key.v6.address[place], from->address[end], 16);
            to->key.v6.port[place] = port;
            to->key.v6.protocol = from->protocol;
        } else {
            memcpy(&to->key.v4.address[place], from->address[end], 4);
            to->key.v4.port[place] = port;
            to->key.v4.protocol = from->protocol;
        }
    }
    if (has_types(from->v6, from->protocol))
        write_message(from, to);
}

/* ----------------------------------------------------------------------------- first match */

static void check(const struct spill_ruleset *ruleset, const struct match_packet *packet,
                  const struct spill_packet *classified, uint32_t counted, uint8_t fallback)
{
    const struct spill_rule *rule;
    uint32_t tally = SPILL_RULE_TALLY_DEFAULT;
    uint8_t verdict = fallback;
    uint16_t sa = 0;

    rule = first_match(ruleset, named, packet);
    if (rule != NULL) {
        verdict = rule->action;
        tally = rule->tally;
        sa = rule->sa != 0 ? sa_ids[rule->sa - 1] : 0;
    }
    FUZZ_CHECK(classified->verdict == verdict && classified->sa == sa,
               "IPv%u, protocol %u: verdict %u by SA %u, not %u by %u", packet->v6 ? 6 : 4,
               packet->protocol, classified->verdict, classified->sa, verdict, sa);
    FUZZ_CHECK(counted == tally, "counted in tally %u, not %u", counted, tally);
}

/* A burst of them. Returns whether there may be more. */
static bool burst(struct fuzz_input *input, const struct spill_ruleset *ruleset,
                  const struct spill_acl *acl, uint8_t fallback)
{
    static struct spill_packet packets[SPILL_BURST];
    struct spill_packet *pointers[SPILL_BURST];
    struct match_packet seen[SPILL_BURST];
    uint32_t tallies[SPILL_BURST];
    uint32_t count = 0;

    for (; count < SPILL_BURST && input->left > 0; count++) {
        take_packet(input, ruleset, &seen[count]);
        write_packet(&seen[count], fuzz_byte(input), &packets[count]);
        pointers[count] = &packets[count];
    }
    spill_acl_classify(acl, pointers, count, tallies);
    for (uint32_t i = 0; i < count; i++)
        check(ruleset, &seen[i], &packets[i], tallies[i], fallback);
    return count == SPILL_BURST;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct fuzz_input input = {bytes, size};
    static struct spill_rule rules[RULES];
    struct spill_ruleset ruleset = {.rules = rules, .input_count = RTE_DIM(named)};
    uint8_t shape = fuzz_byte(&input);
    uint8_t fallback = shape % 2 == 0 ? SPILL_VERDICT_ALLOW : SPILL_VERDICT_DENY;
    struct spill_error error = {.text = ""};
    struct spill_acl *acl;
    unsigned bursts = 0;

    ruleset.count = fuzz_below(&input, RULES + 1);
    for (uint32_t i = 0; i < ruleset.count; i++)
        take_rule(&input, shape / 2 % 32, &rules[i], i + 1);
    acl = spill_acl_create("fuzz", &ruleset, sa_ids, named, fallback, SOCKET_ID_ANY, &error);
    FUZZ_CHECK(acl != NULL, "%s", error.text);
    while (bursts++ < PACKETS / SPILL_BURST && burst(&input, &ruleset, acl, fallback))
        ;
    spill_acl_free(acl);
    return 0;
}
