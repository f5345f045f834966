/* SPDX-License-Identifier: BSD-3-Clause */
/* Classification against a naive first-match oracle, on random rules and packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "classify/acl.h"
#include "classify/acl_parts.h"
#include "classify/rule_counts.h"

#define ALLOW SPILL_VERDICT_ALLOW
#define DENY  SPILL_VERDICT_DENY

/* Ids of the SAs that random rules protect with. */
static const uint16_t SA_IDS[] = {1, UINT16_MAX, 255, 256, 0x0203};

/* The ports and sub-ports that random rules name with `in`; packets come in by others, too. */
static const struct spill_rule_input NAMED[] = {{3, 0}, {0, 0}, {31, 0}, {7, 100}, {3, 5}, {3, 6}};
static const uint8_t INPUTS[] = {3, 0, 31, 7, 1, 2, 255};
static const uint16_t VLANS[] = {0, 5, 6, 100};

/* Random numbers: xorshift, so that a printed seed repeats a run. */
static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * below >> 32);
}

static void seed(void)
{
    const char *given = getenv("SPILL_SEED");

    random_state =
        given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    print_message("SPILL_SEED=%#llx\n", (unsigned long long)random_state);
}

/* The packet as the oracle sees it: by ends, not by key. */
struct packet {
    bool v6;
    bool has_ports;
    bool has_type; /* port[1] is an ICMP message's type * 256 + code */
    uint8_t protocol;
    uint8_t address[2][16]; /* source, destination */
    uint16_t port[2];       /* host order */
    uint8_t input;
    uint16_t vlan;
    bool of_host; /* it came in by no port */
};

static bool prefix_matches(const uint8_t *address, const uint8_t *prefix, unsigned length)
{
    for (unsigned bit = 0; bit < length; bit++)
        if (((address[bit / 8] ^ prefix[bit / 8]) >> (7 - bit % 8) & 1) != 0)
            return false;
    return true;
}

static bool came_in(const struct spill_rule *rule, const struct packet *packet)
{
    bool among = rule->inputs == 0;

    for (unsigned i = 0; i < RTE_DIM(NAMED); i++)
        among |= (rule->inputs >> i & 1) != 0 && packet->input == NAMED[i].port &&
                 (NAMED[i].vlan == 0 || NAMED[i].vlan == packet->vlan);
    return among;
}

/* Whether an end is in the rule's set, if that names one. */
static bool in_set(const struct spill_ruleset *ruleset, const struct spill_rule *rule,
                   const struct packet *packet, unsigned end)
{
    const uint8_t family = packet->v6 ? SPILL_RULE_IPV6 : SPILL_RULE_IPV4;

    for (uint32_t i = 0; i < ruleset->prefix_count; i++) {
        const struct spill_prefix *prefix = &ruleset->prefixes[i];

        if (prefix->set == rule->set[end] && prefix->family == family &&
            prefix_matches(packet->address[end], prefix->address, prefix->length))
            return true;
    }
    return rule->set[end] == 0;
}

static bool matches(const struct spill_ruleset *ruleset, const struct spill_rule *rule,
                    const struct packet *packet)
{
    if ((rule->families & (packet->v6 ? SPILL_RULE_IPV6 : SPILL_RULE_IPV4)) == 0)
        return false;
    if (!rule->any_protocol && rule->protocol != packet->protocol)
        return false;
    if ((rule->names_ports && !packet->has_ports) || (rule->names_types && !packet->has_type))
        return false;
    if (!came_in(rule, packet))
        return false;
    for (unsigned end = 0; end < 2; end++) {
        if (!prefix_matches(packet->address[end], rule->address[end], rule->length[end]) ||
            !in_set(ruleset, rule, packet, end))
            return false;
        if ((rule->names_ports || (rule->names_types && end == 1)) &&
            (packet->port[end] < rule->first_port[end] || packet->port[end] > rule->last_port[end]))
            return false;
    }
    return true;
}

/* Line of the first rule that matches, 0 for none. */
static uint32_t first_match(const struct spill_ruleset *ruleset, const struct packet *packet,
                            enum spill_verdict default_verdict, uint8_t *verdict, uint16_t *sa)
{
    for (uint32_t i = 0; i < ruleset->count; i++)
        if (matches(ruleset, &ruleset->rules[i], packet)) {
            *verdict = ruleset->rules[i].action;
            *sa = *verdict == SPILL_VERDICT_PROTECT ? SA_IDS[ruleset->rules[i].sa - 1] : 0;
            return ruleset->rules[i].line;
        }
    *verdict = (uint8_t)default_verdict;
    *sa = 0;
    return 0;
}

/* An ICMP message as parsing would have it in a key: of those that are queries, or answers, the
 * query's type, and the direction is another's. Where there is no type it is a later fragment. */
static void write_message(const struct packet *from, struct spill_packet *to)
{
    static const uint8_t ANSWERS[][2] = {{8, 0}, {13, 14}, {128, 129}, {160, 161}};
    uint16_t vlan = SPILL_VLAN_ALONE, message = from->port[1];
    uint8_t zone = (uint8_t)draw(128);

    to->step = SPILL_STEP_NONE;
    for (unsigned i = 0; i < RTE_DIM(ANSWERS); i++) {
        const bool answer = message >> 8 == ANSWERS[i][1];

        if ((i < 2) == from->v6 || (!answer && message != ANSWERS[i][0] << 8))
            continue;
        vlan = 0;
        message = (uint16_t)(ANSWERS[i][0] << 8);
        to->step = (answer != (to->reversed != 0)) ? SPILL_STEP_ANSWER : SPILL_STEP_NONE;
    }
    if (!from->has_type)
        zone |= SPILL_FLOW_FRAGMENT;
    if (from->v6) {
        to->key.v6.port[1] = htons(message);
        to->key.v6.vlan = vlan | from->vlan;
        to->key.v6.zone = zone;
    } else {
        to->key.v4.port[1] = htons(message);
        to->key.v4.vlan = vlan | from->vlan;
        to->key.v4.zone = zone;
    }
}

/* Writes the packet as parsing would, in one of the two directions. The other bytes are noise,
 * which must not matter. */
static void write_packet(const struct packet *from, unsigned direction, struct spill_packet *to)
{
    for (size_t i = 0; i < sizeof(*to); i++)
        ((uint8_t *)to)[i] = (uint8_t)draw(256);
    to->kind = from->v6 ? SPILL_PACKET_IPV6 : SPILL_PACKET_IPV4;
    to->reversed = to->reversed && !from->of_host;
    to->of_host = from->of_host || (to->reversed && to->of_host);
    /* Where the rules are asked for the other direction, that one comes in by the output. */
    to->direction = (direction ^ to->reversed) & 1;
    to->has_ports = from->has_ports;
    *(to->reversed ? &to->output : &to->input) = from->input;
    for (unsigned end = 0; end < 2; end++) {
        const rte_be16_t port = from->has_ports ? htons(from->port[end]) : 0;

        if (from->v6) {
            memcpy(to->key.v6.address[end ^ direction], from->address[end], 16);
            to->key.v6.port[end ^ direction] = port;
        } else {
            memcpy(&to->key.v4.address[end ^ direction], from->address[end], 4);
            to->key.v4.port[end ^ direction] = port;
        }
    }
    if (from->v6) {
        to->key.v6.protocol = from->protocol;
        to->key.v6.vlan = from->vlan;
    } else {
        to->key.v4.protocol = from->protocol;
        to->key.v4.vlan = from->vlan;
    }
    if (from->protocol == (from->v6 ? 58 : 1))
        write_message(from, to);
}

/* A prefix out of few values, so that rules nest and overlap. */
static void random_prefix(bool v6, uint8_t *address, uint8_t *length)
{
    static const uint8_t LENGTHS4[] = {0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 30, 31, 32};
    static const uint8_t LENGTHS6[] = {0,  1,  16, 31, 32, 33, 47,  48,
                                       63, 64, 65, 95, 96, 97, 127, 128};
    const unsigned bytes = v6 ? 16 : 4;

    *length = v6 ? LENGTHS6[draw(RTE_DIM(LENGTHS6))] : LENGTHS4[draw(RTE_DIM(LENGTHS4))];
    memset(address, 0, 16);
    for (unsigned i = 0; i < bytes; i++)
        address[i] = (uint8_t)(draw(4) != 0 ? draw(2) * 0xff : draw(256));
    for (unsigned bit = *length; bit < bytes * 8; bit++)
        address[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static void random_ports(struct spill_rule *rule)
{
    static const uint16_t EDGES[] = {0, 1, 255, 256, 1023, 1024, 32767, 32768, 65534, 65535};

    for (unsigned end = 0; end < 2; end++) {
        uint16_t first = (uint16_t)draw(65536), last = (uint16_t)draw(65536);

        if (draw(2) == 0) {
            first = EDGES[draw(RTE_DIM(EDGES))];
            last = EDGES[draw(RTE_DIM(EDGES))];
        }
        if (draw(3) == 0)
            last = first;
        if (draw(3) == 0) {
            first = 0;
            last = UINT16_MAX;
        }
        rule->first_port[end] = first < last ? first : last;
        rule->last_port[end] = first < last ? last : first;
    }
}

/* A type with all of its codes, or one code of it. */
static void random_types(struct spill_rule *rule)
{
    static const uint8_t TYPES[] = {0, 3, 5, 8, 13, 14, 128, 129, 160, 255};
    const uint16_t type = (uint16_t)(TYPES[draw(RTE_DIM(TYPES))] << 8);
    const uint8_t code = (uint8_t)draw(3);

    rule->names_types = true;
    rule->first_port[1] = draw(2) ? type : type | code;
    rule->last_port[1] = rule->first_port[1] == type && draw(2) ? type | 0xff : rule->first_port[1];
}

/* A random rule; every one means something that a file could say. */
static struct spill_rule random_rule(uint32_t line)
{
    static const uint8_t PORTED[] = {6, 17, 132};
    static const uint8_t PORTLESS[] = {0, 1, 50, 58, 255};
    struct spill_rule rule = {
        .action = draw(2) ? ALLOW : DENY,
        .last_port = {UINT16_MAX, UINT16_MAX},
        .line = line,
    };
    const bool v6 = draw(2) == 0;

    if (draw(3) == 0) {
        rule.action = SPILL_VERDICT_PROTECT;
        rule.sa = (uint16_t)(1 + draw(RTE_DIM(SA_IDS)));
    }
    if (draw(3) == 0)
        rule.inputs = 1 + draw((1u << RTE_DIM(NAMED)) - 1);
    rule.names_ports = draw(3) != 0;
    rule.any_protocol = draw(4) == 0;
    if (!rule.any_protocol)
        rule.protocol = rule.names_ports || draw(2) ? PORTED[draw(RTE_DIM(PORTED))]
                                                    : PORTLESS[draw(RTE_DIM(PORTLESS))];
    if (rule.names_ports)
        random_ports(&rule);
    rule.families = v6 ? SPILL_RULE_IPV6 : SPILL_RULE_IPV4;
    if (!rule.names_ports && draw(2)) {
        rule.any_protocol = false;
        rule.protocol = v6 ? 58 : 1;
        random_types(&rule);
    } else if (draw(20) == 0) {
        rule.families = SPILL_RULE_IPV4 | SPILL_RULE_IPV6;
        return rule;
    }
    for (unsigned end = 0; end < 2; end++)
        random_prefix(v6, rule.address[end], &rule.length[end]);
    return rule;
}

/* Sets of prefixes that nest, some of them in several sets; rules name them at any end. */
static void random_sets(struct spill_ruleset *ruleset)
{
    const uint32_t count = 1 + draw(200);

    ruleset->set_count = (uint8_t)(1 + draw(SPILL_SETS_MAX));
    ruleset->prefixes = calloc(count, sizeof(*ruleset->prefixes));
    assert_non_null(ruleset->prefixes);
    ruleset->prefix_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct spill_prefix *prefix = &ruleset->prefixes[i];

        if (i > 0 && draw(4) == 0)
            *prefix = ruleset->prefixes[draw(i)];
        else {
            prefix->family = draw(2) ? SPILL_RULE_IPV6 : SPILL_RULE_IPV4;
            random_prefix(prefix->family == SPILL_RULE_IPV6, prefix->address, &prefix->length);
        }
        prefix->set = (uint8_t)(1 + draw(ruleset->set_count));
    }
    for (uint32_t i = 0; i < ruleset->count; i++)
        for (unsigned end = 0; end < 2; end++)
            if (draw(3) == 0) {
                ruleset->rules[i].set[end] = (uint8_t)(1 + draw(ruleset->set_count));
                ruleset->rules[i].length[end] = 0;
                memset(ruleset->rules[i].address[end], 0, 16);
            }
}

static struct spill_ruleset *random_rules(uint32_t count)
{
    struct spill_ruleset *ruleset = calloc(1, sizeof(*ruleset));

    assert_non_null(ruleset);
    ruleset->rules = calloc(count + 1, sizeof(*ruleset->rules));
    assert_non_null(ruleset->rules);
    ruleset->count = count;
    ruleset->input_count = draw(2) ? RTE_DIM(NAMED) : 0;
    for (uint32_t i = 0; i < count; i++) {
        ruleset->rules[i] = random_rule(i + 1);
        if (ruleset->input_count == 0)
            ruleset->rules[i].inputs = 0;
    }
    if (draw(2))
        random_sets(ruleset);
    return ruleset;
}

/* An address at the lower or upper end of a prefix, just outside of it, or anywhere in it. */
static void address_near(const uint8_t *prefix, unsigned length, unsigned bytes, uint8_t *address)
{
    const unsigned place = draw(8);

    memcpy(address, prefix, 16);
    for (unsigned bit = length; bit < bytes * 8; bit++)
        if (place == 0 || (place > 1 && draw(2)))
            address[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    if (place == 2 && length > 0)
        address[(length - 1) / 8] ^= (uint8_t)(0x80 >> (length - 1) % 8);
}

static uint16_t port_near(uint16_t first, uint16_t last)
{
    switch (draw(8)) {
    case 0:
        return first;
    case 1:
        return last;
    case 2:
        return (uint16_t)(first - 1);
    case 3:
        return (uint16_t)(last + 1);
    default:
        return (uint16_t)(first + draw((uint32_t)(last - first) + 1));
    }
}

/* A packet that hits a rule of the set or just misses it. */
static struct packet packet_near(const struct spill_ruleset *ruleset)
{
    static const uint8_t PROTOCOLS[] = {0, 1, 6, 17, 50, 58, 132, 255};
    static const struct spill_rule EVERYTHING = {.families = SPILL_RULE_IPV4 | SPILL_RULE_IPV6,
                                                 .last_port = {UINT16_MAX, UINT16_MAX},
                                                 .any_protocol = true};
    const struct spill_rule *rule =
        ruleset->count == 0 ? &EVERYTHING : &ruleset->rules[draw(ruleset->count)];
    const bool both = rule->families == (SPILL_RULE_IPV4 | SPILL_RULE_IPV6);
    struct packet packet = {.v6 = both ? draw(2) : rule->families == SPILL_RULE_IPV6};

    packet.protocol =
        rule->any_protocol || draw(8) == 0 ? PROTOCOLS[draw(RTE_DIM(PROTOCOLS))] : rule->protocol;
    /* One in four is a later fragment. */
    packet.has_ports =
        (packet.protocol == 6 || packet.protocol == 17 || packet.protocol == 132) && draw(4) != 0;
    for (unsigned end = 0; end < 2; end++) {
        /* Of a rule with a set its address says nothing: near any prefix of any set. */
        const struct spill_prefix *prefix =
            rule->set[end] != 0 ? &ruleset->prefixes[draw(ruleset->prefix_count)] : NULL;

        address_near(prefix != NULL ? prefix->address : rule->address[end],
                     prefix != NULL ? prefix->length : rule->length[end], packet.v6 ? 16 : 4,
                     packet.address[end]);
        packet.port[end] = port_near(rule->first_port[end], rule->last_port[end]);
    }
    /* Codes of answers are not in keys, and a type of 0 without an identifier is none. */
    if (packet.protocol == (packet.v6 ? 58 : 1)) {
        const uint8_t type = (uint8_t)(packet.port[1] >> 8);
        const bool answer = packet.v6 ? type == 129 || type == 161 : type == 0 || type == 14;

        packet.has_type = draw(8) != 0 && (!packet.v6 || packet.port[1] != 0);
        if (answer)
            packet.port[1] &= 0xff00;
    }
    packet.input = INPUTS[draw(RTE_DIM(INPUTS))];
    packet.vlan = VLANS[draw(RTE_DIM(VLANS))];
    return packet;
}

/* Where a line's rules are counted; line 0 is the default. */
static uint32_t tally_of(uint32_t line)
{
    return SPILL_RULE_TALLY_DEFAULT + line;
}

static void give_tallies(const struct spill_ruleset *ruleset)
{
    for (uint32_t i = 0; i < ruleset->count; i++)
        ruleset->rules[i].tally = tally_of(ruleset->rules[i].line);
}

static struct spill_acl *make_acl(const struct spill_ruleset *ruleset, enum spill_verdict verdict)
{
    struct spill_error error = {.text = ""};
    struct spill_acl *acl;

    give_tallies(ruleset);
    acl = spill_acl_create("test", ruleset, SA_IDS, NAMED, verdict, SOCKET_ID_ANY, &error);
    if (acl == NULL)
        fail_msg("%s", error.text);
    return acl;
}

/* Classifies bursts of packets near the rules; returns how many hit one. */
static uint32_t compare(const struct spill_ruleset *ruleset, const struct spill_acl *acl,
                        enum spill_verdict default_verdict, unsigned bursts)
{
    struct spill_packet packets[SPILL_BURST], *pointers[SPILL_BURST];
    struct packet seen[SPILL_BURST];
    uint32_t tallies[SPILL_BURST];
    uint32_t hits = 0;

    for (unsigned burst = 0; burst < bursts; burst++) {
        const uint32_t count = draw(SPILL_BURST + 1);

        for (uint32_t i = 0; i < count; i++) {
            seen[i] = packet_near(ruleset);
            write_packet(&seen[i], draw(2), &packets[i]);
            pointers[i] = &packets[i];
        }
        spill_acl_classify(acl, pointers, count, tallies);
        for (uint32_t i = 0; i < count; i++) {
            uint8_t verdict;
            uint16_t sa;
            const uint32_t line = first_match(ruleset, &seen[i], default_verdict, &verdict, &sa);

            if (packets[i].verdict != verdict || packets[i].sa != sa)
                fail_msg(
                    "burst %u packet %u (IPv%u, protocol %u, ports %u %u %u): verdict %u by SA "
                    "%u, but rule %u says %u by SA %u",
                    burst, i, seen[i].v6 ? 6 : 4, seen[i].protocol, seen[i].has_ports,
                    seen[i].port[0], seen[i].port[1], packets[i].verdict, packets[i].sa, line,
                    verdict, sa);
            assert_int_equal(tallies[i], tally_of(line));
            hits += line != 0;
        }
    }
    return hits;
}

/* For longer, and with the sanitizers' eyes: fuzz_acl. */
static void agrees_with_first_match(void **state)
{
    static const uint32_t COUNTS[] = {1, 2, 3, 5, 10, 30, 100, 300};
    uint64_t hits = 0;

    (void)state;
    seed();
    for (unsigned round = 0; round < 40; round++) {
        const enum spill_verdict verdict = draw(2) ? ALLOW : DENY;
        struct spill_ruleset *ruleset = random_rules(COUNTS[round % RTE_DIM(COUNTS)]);
        struct spill_acl *acl = make_acl(ruleset, verdict);

        hits += compare(ruleset, acl, verdict, 50);
        spill_acl_free(acl);
        spill_rules_free(ruleset);
    }
    assert_true(hits > 6250);
}

/* Rules like those of ClassBench: networks that share their upper bits, and services. */
static struct spill_ruleset *office_like_rules(uint32_t count)
{
    struct spill_ruleset *ruleset = random_rules(count);

    for (uint32_t i = 0; i < count; i++) {
        struct spill_rule *rule = &ruleset->rules[i];
        const bool v6 = draw(4) == 0;

        rule->families = v6 ? SPILL_RULE_IPV6 : SPILL_RULE_IPV4;
        for (unsigned end = 0; end < 2; end++) {
            const unsigned bytes = v6 ? 16 : 4;

            memset(rule->address[end], 0, 16);
            rule->address[end][0] = v6 ? 0x20 : 10;
            rule->address[end][1] = (uint8_t)draw(16);
            rule->address[end][2] = (uint8_t)draw(256);
            rule->address[end][bytes - 1] = (uint8_t)draw(256);
            rule->length[end] = (uint8_t)(draw(3) == 0 ? 24 : bytes * 8);
            if (rule->length[end] == 24)
                memset(&rule->address[end][3], 0, 13);
        }
        if (rule->names_ports) {
            rule->first_port[0] = 0;
            rule->last_port[0] = UINT16_MAX;
            rule->first_port[1] = rule->last_port[1] = (uint16_t)draw(200);
        }
    }
    return ruleset;
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

/* Adds rules, takes some away, moves one, has another decide otherwise: as daemons change policies.
 */
static void change_rules(struct spill_ruleset *ruleset, const struct spill_ruleset *new,
                         uint32_t most)
{
    for (uint32_t changes = 1 + draw(5); changes > 0; changes--) {
        const uint32_t at = draw(ruleset->count + 1), from = draw(ruleset->count);
        struct spill_rule *rules = ruleset->rules, rule = new->rules[draw(new->count)];

        if (ruleset->count > 0 && draw(8) == 0) {
            rule = rules[from];
            memmove(&rules[from], &rules[from + 1], (--ruleset->count - from) * sizeof(rule));
        } else if (ruleset->count > 0 && draw(8) == 0) {
            rules[from].action = rules[from].action == ALLOW ? DENY : ALLOW;
            rules[from].sa = 0;
            continue;
        } else if (ruleset->count == most || (ruleset->count > 0 && draw(3) == 0)) {
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

    give_tallies(ruleset);
    snprintf(name, sizeof(name), "test%u", version);
    acl = spill_acl_follow(previous, name, ruleset, SA_IDS, NAMED, DENY, SOCKET_ID_ANY, &error);
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
    seed();
    /* Some draws match little: then a few rounds more. */
    for (unsigned round = 0; round < 4 || (hits <= 5000 && round < 40); round++) {
        struct spill_ruleset *ruleset =
            round % 2 == 0 ? random_rules(MOST) : office_like_rules(MOST);
        struct spill_ruleset new = *ruleset;
        struct spill_acl *acl = NULL;

        new.rules = calloc(MOST, sizeof(*new.rules));
        assert_non_null(new.rules);
        memcpy(new.rules, ruleset->rules, MOST * sizeof(*new.rules));
        ruleset->count = draw(MOST / 2);
        for (unsigned version = 0; version < VERSIONS; version++) {
            struct spill_acl *next = follow_acl(acl, ruleset, version);

            hits += compare(ruleset, next, DENY, 8);
            spill_acl_free(acl);
            hits += compare(ruleset, next, DENY, 2);
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

static uint16_t last_sa;     /* that verdict_of() got */
static uint8_t next_input;   /* that verdict_of()'s packet comes in by */
static bool next_is_of_host; /* and whether the host has sent it */

/* Verdict for one packet, from text; port -1: a packet without ports. */
static uint8_t verdict_of(const struct spill_acl *acl, uint8_t protocol, const char *source,
                          int source_port, const char *destination, int destination_port)
{
    struct packet packet = {
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

        write_packet(&packet, direction, &written);
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
    struct spill_acl *acl = make_acl(ruleset, DENY);

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
    struct spill_acl *acl = make_acl(ruleset, DENY);
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
    struct spill_acl *acl = make_acl(ruleset, DENY);

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
    seed();
    for (size_t i = 0; i < RTE_DIM(TEXTS); i++)
        for (enum spill_verdict verdict = ALLOW; verdict <= DENY; verdict++) {
            struct spill_ruleset *ruleset = read_text(TEXTS[i]);
            struct spill_acl *acl = make_acl(ruleset, verdict);

            compare(ruleset, acl, verdict, 100);
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
    seed();
    for (size_t i = 0; i < RTE_DIM(COUNTS); i++) {
        struct spill_ruleset *ruleset = office_like_rules(COUNTS[i]);
        const size_t before = eal_memory_in_use();
        const uint64_t start = rte_rdtsc();
        struct spill_acl *acl = make_acl(ruleset, DENY);
        const size_t used = eal_memory_in_use() - before;

        print_message("%u rules: %.1f s, %zu KiB of %zu KiB planned\n", COUNTS[i],
                      (double)(rte_rdtsc() - start) / (double)rte_get_tsc_hz(), used >> 10,
                      spill_acl_memory(ruleset) >> 10);
        assert_true(used <= spill_acl_memory(ruleset));
        assert_true(compare(ruleset, acl, DENY, 200) > 200);
        spill_acl_free(acl);
        assert_int_equal(eal_memory_in_use(), before);
        spill_rules_free(ruleset);
    }
}

static void what_cannot_be_made_is_refused(void **state)
{
    struct spill_ruleset *ruleset = read_text("deny any from any to 10.0.0.0/8\n"
                                              "deny any from any to 2001:db8::/32\n");
    struct spill_acl *acl = make_acl(ruleset, DENY);
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
    seed();
    ruleset = office_like_rules(300);
    give_tallies(ruleset);
    while (count < MOST && (blocks[count] = rte_malloc(NULL, BLOCK, 0)) != NULL)
        count++;
    while (acl == NULL && count > 0) {
        struct spill_error error = {.text = ""};
        const size_t before = eal_memory_in_use();

        acl = spill_acl_create("test", ruleset, SA_IDS, NAMED, DENY, SOCKET_ID_ANY, &error);
        if (acl != NULL)
            break;
        failures++;
        assert_non_null(strstr(error.text, "Cannot allocate memory"));
        assert_int_equal(eal_memory_in_use(), before);
        rte_free(blocks[--count]);
    }
    assert_non_null(acl);
    assert_true(failures > 10);
    compare(ruleset, acl, DENY, 100);
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
        cmocka_unit_test(a_version_follows_another),
        cmocka_unit_test(repeats_are_not_compiled_again),
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
