/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules as ClassBench's filters have them. */
#include <string.h>

#include "classify/rule_reader.h"

/* VALUE/MASK, both up to `most`. */
static int parse_masked(const struct spill_rule_location *location, struct spill_rule_words *words,
                        const char *what, uint32_t most, uint32_t *value, uint32_t *mask)
{
    char *text = spill_rule_take(words);
    char *slash = text == NULL ? NULL : strchr(text, '/');

    if (slash != NULL)
        *slash = '\0';
    if (slash == NULL || !spill_rule_number(text, most, value) ||
        !spill_rule_number(slash + 1, most, mask))
        return spill_rule_error(location,
                                "'%.80s%s%.80s': not a ClassBench %s; VALUE/MASK up to %#x",
                                text == NULL ? "end of line" : text, slash == NULL ? "" : "/",
                                slash == NULL ? "" : slash + 1, what, most);
    return 0;
}

/* P : Q */
static int parse_filter_ports(const struct spill_rule_location *location,
                              struct spill_rule_words *words, enum spill_rule_end end,
                              struct spill_rule *rule)
{
    const char *first = spill_rule_take(words);
    const bool colon = spill_rule_take_if(words, ":");
    const char *last = spill_rule_take(words);

    if (first == NULL || !colon || last == NULL)
        return spill_rule_error(location, "no %s ports in a ClassBench filter; P : Q",
                                end == SPILL_RULE_SOURCE ? "source" : "destination");
    if (spill_rule_ports(location, first, last, end, rule) != 0)
        return -1;
    rule->names_ports |= rule->first_port[end] != 0 || rule->last_port[end] != UINT16_MAX;
    return 0;
}

static int parse_filter_protocol(const struct spill_rule_location *location,
                                 struct spill_rule_words *words, struct spill_rule *rule)
{
    uint32_t value = 0, mask = 0;

    if (parse_masked(location, words, "protocol", UINT8_MAX, &value, &mask) != 0)
        return -1;
    if (mask != 0 && mask != UINT8_MAX)
        return spill_rule_error(location,
                                "protocol mask %#x: only 0x00 (any) and 0xff are supported", mask);
    rule->any_protocol = mask == 0;
    rule->protocol = mask == 0 ? 0 : (uint8_t)value;
    return spill_rule_complete(location, words->word[words->next - 1], rule);
}

/* [FLAGS/MASK] [ACTION] */
static int parse_filter_tail(const struct spill_rule_location *location,
                             struct spill_rule_words *words, struct spill_rule *rule)
{
    const char *word = words->word[words->next];
    uint32_t flags, mask = 0;

    if (word != NULL && strchr(word, '/') != NULL &&
        parse_masked(location, words, "flags field", UINT16_MAX, &flags, &mask) != 0)
        return -1;
    rule->action = SPILL_VERDICT_DENY;
    word = spill_rule_take(words);
    if (word != NULL && spill_rule_action(location, word, false, rule) != 0)
        return -1;
    /* A deny that leaves the flags out denies more than it says: safe. An allow would let more in.
     */
    if (mask != 0 && rule->action == SPILL_VERDICT_ALLOW)
        return spill_rule_error(location,
                                "flags mask %#x: flags are not matched, so a filter that "
                                "allows has 0x0000/0x0000",
                                mask);
    return 0;
}

/* @SOURCE DESTINATION P : Q P : Q PROTOCOL/MASK [FLAGS/MASK] [ACTION] */
int spill_rule_read_filter(const struct spill_rule_location *location,
                           struct spill_rule_words *words, struct spill_ruleset *ruleset,
                           struct spill_rule *rule)
{
    const char *source = spill_rule_take(words) + 1; /* behind the @ */
    const char *destination = spill_rule_take(words);

    if (destination == NULL)
        return spill_rule_error(location, "no destination in a ClassBench filter");
    if (spill_rule_address(location, source, true, SPILL_RULE_SOURCE, rule) != 0 ||
        spill_rule_address(location, destination, true, SPILL_RULE_DESTINATION, rule) != 0 ||
        parse_filter_ports(location, words, SPILL_RULE_SOURCE, rule) != 0 ||
        parse_filter_ports(location, words, SPILL_RULE_DESTINATION, rule) != 0 ||
        parse_filter_protocol(location, words, rule) != 0)
        return -1;
    if (parse_filter_tail(location, words, rule) != 0)
        return -1;
    return spill_rule_append(location, ruleset, rule);
}
