/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules in words. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "classify/icmp_types.h"
#include "classify/rule_reader.h"

#define SAS_AT_ONCE 64         /* names that memory is taken for at a time */
#define SA_SLOTS    (1u << 17) /* twice as many as there can be names */
#define RANGES_MAX  64         /* in a list */

/* The ranges of ports at one end, or of types. */
struct ranges {
    uint32_t count;
    uint16_t first[RANGES_MAX], last[RANGES_MAX];
};

/* P[-Q][,P[-Q]...] */
static int parse_ranges(const struct spill_rule_location *location, char *text,
                        enum spill_rule_end end, struct ranges *ranges)
{
    char *first, *last;

    for (ranges->count = 0; (first = strsep(&text, ",")) != NULL; ranges->count++) {
        struct spill_rule rule;

        if (ranges->count == RANGES_MAX)
            return spill_rule_error(location, "more than %u ports and ranges in a list",
                                    RANGES_MAX);
        last = strchr(first, '-');
        if (last == NULL)
            last = first;
        else
            *last++ = '\0';
        if (spill_rule_ports(location, first, last, end, &rule) != 0)
            return -1;
        ranges->first[ranges->count] = rule.first_port[end];
        ranges->last[ranges->count] = rule.last_port[end];
    }
    return 0;
}

/* ADDRESS[/LENGTH], any or @SET */
static int parse_address(const struct spill_rule_location *location, const char *text,
                         const struct spill_ruleset *ruleset, enum spill_rule_end end,
                         struct spill_rule *rule)
{
    if (text[0] != '@')
        return spill_rule_address(location, text, false, end, rule);
    rule->set[end] = spill_rule_set_find(ruleset, text + 1);
    if (rule->set[end] == 0)
        return spill_rule_error(location, "'%.80s': no such set; a line before it: set %.80s = ...",
                                text, text + 1);
    return 0;
}

/* from|to ADDRESS [port LIST] */
static int parse_end(const struct spill_rule_location *location, struct spill_rule_words *words,
                     const struct spill_ruleset *ruleset, enum spill_rule_end end,
                     struct spill_rule *rule, struct ranges *ranges)
{
    const char *keyword = end == SPILL_RULE_SOURCE ? "from" : "to";
    const char *address;
    char *list;

    *ranges = (struct ranges){.count = 1, .last = {UINT16_MAX}};
    if (!spill_rule_take_if(words, keyword))
        return spill_rule_error(location, "'%.80s': '%s' is expected here", spill_rule_shown(words),
                                keyword);
    address = spill_rule_take(words);
    if (address == NULL)
        return spill_rule_error(location, "no address after '%s'; any, or one such as 192.0.2.0/24",
                                keyword);
    if (parse_address(location, address, ruleset, end, rule) != 0)
        return -1;
    if (!spill_rule_take_if(words, "port"))
        return 0;
    list = spill_rule_take(words);
    if (list == NULL)
        return spill_rule_error(location, "no number after 'port'; P or P-Q, 0 to 65535");
    rule->names_ports = true;
    return parse_ranges(location, list, end, ranges);
}

/* Where the index of a name stands, or is to stand: tens of thousands of SAs are found quickly. */
static uint16_t *sa_slot(const struct spill_ruleset *ruleset, const char *name)
{
    uint32_t hash = 2166136261; /* FNV-1a */
    uint16_t *slot;

    for (const char *letter = name; *letter != '\0'; letter++)
        hash = (hash ^ (uint8_t)*letter) * 16777619;
    do
        slot = &ruleset->sa_slots[hash++ % SA_SLOTS];
    while (*slot != 0 && strcmp(ruleset->sas[*slot - 1], name) != 0);
    return slot;
}

/* Appends a name that no rule had so far. */
static int append_sa(const struct spill_rule_location *location, const char *name,
                     struct spill_ruleset *ruleset)
{
    if (ruleset->sa_count == UINT16_MAX)
        return spill_rule_error(location, "SA %s: more than %u of them", name, UINT16_MAX);
    if (ruleset->sa_count % SAS_AT_ONCE == 0) {
        void *sas =
            reallocarray(ruleset->sas, ruleset->sa_count + SAS_AT_ONCE, sizeof(*ruleset->sas));

        if (sas == NULL)
            return spill_rule_error(location, "no memory for another SA");
        ruleset->sas = sas;
    }
    snprintf(ruleset->sas[ruleset->sa_count++], sizeof(*ruleset->sas), "%s", name);
    return 0;
}

/* The name of an SA into rule->sa. */
static int parse_sa(const struct spill_rule_location *location, struct spill_rule_words *words,
                    struct spill_ruleset *ruleset, struct spill_rule *rule)
{
    const char *name = spill_rule_take(words);
    uint16_t *slot;

    if (name == NULL)
        return spill_rule_error(location, "no name of an SA after 'protect'");
    if (!spill_is_name(name))
        return spill_rule_error(location, "'%.80s': not the name of an SA; " SPILL_NAME_RULE, name);
    if (ruleset->sa_slots == NULL)
        ruleset->sa_slots = calloc(SA_SLOTS, sizeof(*ruleset->sa_slots));
    if (ruleset->sa_slots == NULL)
        return spill_rule_error(location, "no memory for SAs");
    slot = sa_slot(ruleset, name);
    if (*slot == 0) {
        if (append_sa(location, name, ruleset) != 0)
            return -1;
        *slot = ruleset->sa_count;
    }
    rule->sa = *slot;
    return 0;
}

/* TYPE[/CODE][,TYPE[/CODE]...] */
static int parse_types(const struct spill_rule_location *location, struct spill_rule_words *words,
                       struct spill_rule *rule, struct ranges *ranges)
{
    char *list = spill_rule_take(words), *text;

    if (rule->any_protocol || (rule->protocol != IPPROTO_ICMP && rule->protocol != IPPROTO_ICMPV6))
        return spill_rule_error(location, "type: only icmp and icmp6 have types");
    if (list == NULL)
        return spill_rule_error(location, "no type after 'type'; names or numbers with commas");
    rule->names_types = true;
    for (ranges->count = 0; (text = strsep(&list, ",")) != NULL; ranges->count++) {
        if (ranges->count == RANGES_MAX)
            return spill_rule_error(location, "more than %u types in a list", RANGES_MAX);
        if (!spill_icmp_type_read(rule->protocol, text, &ranges->first[ranges->count],
                                  &ranges->last[ranges->count]))
            return spill_rule_error(location,
                                    "'%.80s': not a type of %s; a name such as echo-request, or "
                                    "TYPE or TYPE/CODE, 0 to 255",
                                    text, rule->protocol == IPPROTO_ICMP ? "ICMP" : "ICMPv6");
    }
    return 0;
}

/* PORT[,PORT...] */
static int parse_inputs(const struct spill_rule_location *location, struct spill_rule_words *words,
                        struct spill_ruleset *ruleset, struct spill_rule *rule)
{
    char *names = spill_rule_take(words);

    if (names == NULL)
        return spill_rule_error(location, "no port after 'in'; names with commas, as in lan,wan");
    return spill_rule_inputs(location, names, ruleset, rule);
}

/* N or auto */
static int parse_mss(const struct spill_rule_location *location, struct spill_rule_words *words,
                     struct spill_rule *rule)
{
    const char *text = spill_rule_take(words);
    uint32_t bytes = 0;

    if (rule->action != SPILL_VERDICT_ALLOW)
        return spill_rule_error(location, "mss goes with allow");
    if (!rule->any_protocol && rule->protocol != IPPROTO_TCP)
        return spill_rule_error(location, "mss goes with tcp and any");
    if (text != NULL && strcmp(text, "auto") == 0) {
        rule->mss = SPILL_SA_MSS_AUTO;
        return 0;
    }
    if (text == NULL || !spill_rule_number(text, UINT16_MAX, &bytes) || bytes < SPILL_MSS_MIN)
        return spill_rule_error(location, "'%.80s': not a segment's size; auto, or %u to 65535",
                                text == NULL ? "end of line" : text, SPILL_MSS_MIN);
    rule->mss = (uint16_t)bytes;
    return 0;
}

/* "TEXT" */
static int parse_name(const struct spill_rule_location *location, struct spill_rule_words *words,
                      struct spill_ruleset *ruleset, struct spill_rule *rule)
{
    const char *text = spill_rule_take(words);

    if (text == NULL || text[0] != '"')
        return spill_rule_error(location, "'%.80s': no name; one in quotes, as in name \"web\"",
                                text == NULL ? "end of line" : text);
    text++;
    if (*text == '\0' || strlen(text) > SPILL_RULE_NAME_MAX)
        return spill_rule_error(location, "'%.80s': a name has 1 to %u bytes", text,
                                SPILL_RULE_NAME_MAX);
    for (const char *letter = text; *letter != '\0'; letter++)
        if (*letter < ' ' || *letter > '~')
            return spill_rule_error(location, "'%.80s': a name has printable ASCII only", text);
    rule->name = spill_rule_keep_text(&ruleset->names, text);
    return rule->name != 0 ? 0 : spill_rule_error(location, "no memory for another name");
}

/* [in …] [type …] [mss …] [log …] [limit …] [dscp …] [name …], in any order, each once. */
static int parse_options(const struct spill_rule_location *location, struct spill_rule_words *words,
                         struct spill_ruleset *ruleset, struct spill_rule *rule,
                         struct ranges *types)
{
    for (;;) {
        int result = 0;

        if (rule->inputs == 0 && spill_rule_take_if(words, "in"))
            result = parse_inputs(location, words, ruleset, rule);
        else if (!rule->names_types && spill_rule_take_if(words, "type"))
            result = parse_types(location, words, rule, types);
        else if (rule->mss == 0 && spill_rule_take_if(words, "mss"))
            result = parse_mss(location, words, rule);
        else if (!rule->log && spill_rule_take_if(words, "log"))
            result = spill_rule_read_log(location, words, rule);
        else if (rule->limit == 0 && spill_rule_take_if(words, "limit"))
            result = spill_rule_read_limit(location, words, rule);
        else if (rule->dscp == 0 && spill_rule_take_if(words, "dscp"))
            result = spill_rule_read_dscp(location, words, rule);
        else if (rule->name == 0 && spill_rule_take_if(words, "name"))
            result = parse_name(location, words, ruleset, rule);
        else
            return 0;
        if (result != 0)
            return -1;
    }
}

/* A rule with sets is for the families that they have; one without a prefix matches nothing. */
static int take_families_of_sets(const struct spill_rule_location *location,
                                 const struct spill_ruleset *ruleset, struct spill_rule *rule)
{
    for (unsigned end = 0; end < 2; end++) {
        const uint8_t families =
            rule->set[end] == 0 ? 0 : ruleset->set_families[rule->set[end] - 1];

        if (families != 0 && (rule->families & families) == 0)
            return spill_rule_error(location,
                                    "@%s has no %s prefix, which the rule's other end wants",
                                    ruleset->sets[rule->set[end] - 1],
                                    rule->families == SPILL_RULE_IPV4 ? "IPv4" : "IPv6");
        if (families != 0)
            rule->families &= families;
    }
    return 0;
}

/* A rule for each range of ports of the one end with each of the other; types are the second's. */
static int append_ranges(const struct spill_rule_location *location, struct spill_ruleset *ruleset,
                         struct spill_rule *rule, const struct ranges ranges[2])
{
    for (uint32_t i = 0; i < ranges[0].count; i++)
        for (uint32_t j = 0; j < ranges[1].count; j++) {
            rule->first_port[0] = ranges[0].first[i];
            rule->last_port[0] = ranges[0].last[i];
            rule->first_port[1] = ranges[1].first[j];
            rule->last_port[1] = ranges[1].last[j];
            if (spill_rule_append(location, ruleset, rule) != 0)
                return -1;
        }
    return 0;
}

int spill_rule_read_text(const struct spill_rule_location *location, struct spill_rule_words *words,
                         struct spill_ruleset *ruleset, struct spill_rule *rule)
{
    struct ranges ranges[2];
    const char *protocol;

    if (spill_rule_action(location, spill_rule_take(words), true, rule) != 0)
        return -1;
    if (rule->action == SPILL_VERDICT_PROTECT && parse_sa(location, words, ruleset, rule) != 0)
        return -1;
    protocol = spill_rule_take(words);
    if (protocol == NULL)
        return spill_rule_error(location, "no protocol after the action; any, tcp, udp, …");
    if (spill_rule_protocol(location, protocol, rule) != 0 ||
        parse_end(location, words, ruleset, SPILL_RULE_SOURCE, rule, &ranges[0]) != 0 ||
        parse_end(location, words, ruleset, SPILL_RULE_DESTINATION, rule, &ranges[1]) != 0 ||
        parse_options(location, words, ruleset, rule, &ranges[1]) != 0)
        return -1;
    if (spill_rule_complete(location, protocol, rule) != 0 ||
        take_families_of_sets(location, ruleset, rule) != 0)
        return -1;
    return append_ranges(location, ruleset, rule, ranges);
}
