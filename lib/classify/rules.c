/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads rule files: the lines, and the two ways to write a rule. */
#include "classify/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classify/rule_fields.h"

#define FIRST_CAPACITY 64
#define SAS_AT_ONCE    64         /* names that memory is taken for at a time */
#define SA_SLOTS       (1u << 17) /* twice as many as there can be names */
#define MOST_WORDS     16

/* The words of a line, in the line's own memory; past the last they are NULL. */
struct words {
    char *word[MOST_WORDS + 1];
    unsigned next;
};

/* Takes the next word, or NULL at the end of the line. */
static char *take(struct words *words)
{
    char *word = words->word[words->next];

    if (word != NULL)
        words->next++;
    return word;
}

/* Takes the next word if it is the one given. */
static bool take_if(struct words *words, const char *expected)
{
    const char *word = words->word[words->next];

    if (word == NULL || strcmp(word, expected) != 0)
        return false;
    words->next++;
    return true;
}

/* The next word as an error shows it. */
static const char *shown(const struct words *words)
{
    const char *word = words->word[words->next];

    return word == NULL ? "end of line" : word;
}

static int split(const struct spill_rule_place *place, char *line, struct words *words)
{
    char *rest = line;
    unsigned count = 0;
    char *word;

    *words = (struct words){0};
    while ((word = strsep(&rest, " \t\v\f\r")) != NULL) {
        if (*word == '\0')
            continue;
        if (count == MOST_WORDS)
            return spill_rule_error(place, "'%.80s': more words than a rule has", word);
        words->word[count++] = word;
    }
    return 0;
}

/* from|to ADDRESS [port P[-Q]] */
static int parse_end(const struct spill_rule_place *place, struct words *words,
                     enum spill_rule_end end, struct spill_rule *rule)
{
    const char *keyword = end == SPILL_RULE_SOURCE ? "from" : "to";
    const char *address;
    char *first, *last;

    if (!take_if(words, keyword))
        return spill_rule_error(place, "'%.80s': '%s' is expected here", shown(words), keyword);
    address = take(words);
    if (address == NULL)
        return spill_rule_error(place, "no address after '%s'; any, or one such as 192.0.2.0/24",
                                keyword);
    if (spill_rule_address(place, address, false, end, rule) != 0)
        return -1;
    if (!take_if(words, "port"))
        return 0;
    first = take(words);
    if (first == NULL)
        return spill_rule_error(place, "no number after 'port'; P or P-Q, 0 to 65535");
    last = strchr(first, '-');
    if (last == NULL)
        last = first;
    else
        *last++ = '\0';
    rule->names_ports = true;
    return spill_rule_ports(place, first, last, end, rule);
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
static int append_sa(const struct spill_rule_place *place, const char *name,
                     struct spill_ruleset *ruleset)
{
    if (ruleset->sa_count == UINT16_MAX)
        return spill_rule_error(place, "SA %s: more than %u of them", name, UINT16_MAX);
    if (ruleset->sa_count % SAS_AT_ONCE == 0) {
        void *sas =
            reallocarray(ruleset->sas, ruleset->sa_count + SAS_AT_ONCE, sizeof(*ruleset->sas));

        if (sas == NULL)
            return spill_rule_error(place, "no memory for another SA");
        ruleset->sas = sas;
    }
    snprintf(ruleset->sas[ruleset->sa_count++], sizeof(*ruleset->sas), "%s", name);
    return 0;
}

/* The name of an SA into rule->sa. */
static int parse_sa(const struct spill_rule_place *place, struct words *words,
                    struct spill_ruleset *ruleset, struct spill_rule *rule)
{
    const char *name = take(words);
    uint16_t *slot;

    if (name == NULL)
        return spill_rule_error(place, "no name of an SA after 'protect'");
    if (!spill_rule_is_name(name))
        return spill_rule_error(place,
                                "'%.80s': not the name of an SA; 1 to %d letters, digits, "
                                "'_' or '-'",
                                name, SPILL_SA_NAME_SIZE - 1);
    if (ruleset->sa_slots == NULL)
        ruleset->sa_slots = calloc(SA_SLOTS, sizeof(*ruleset->sa_slots));
    if (ruleset->sa_slots == NULL)
        return spill_rule_error(place, "no memory for SAs");
    slot = sa_slot(ruleset, name);
    if (*slot == 0) {
        if (append_sa(place, name, ruleset) != 0)
            return -1;
        *slot = ruleset->sa_count;
    }
    rule->sa = *slot;
    return 0;
}

/* [in PORT[,PORT...]] */
static int parse_inputs(const struct spill_rule_place *place, struct words *words,
                        struct spill_ruleset *ruleset, struct spill_rule *rule)
{
    char *names;

    if (!take_if(words, "in"))
        return 0;
    names = take(words);
    if (names == NULL)
        return spill_rule_error(place, "no port after 'in'; names with commas, as in lan,wan");
    return spill_rule_inputs(place, names, ruleset, rule);
}

/* ACTION PROTOCOL from … to … [in …] */
static int parse_rule(const struct spill_rule_place *place, struct words *words,
                      struct spill_ruleset *ruleset, struct spill_rule *rule)
{
    const char *protocol;

    if (spill_rule_action(place, take(words), true, rule) != 0)
        return -1;
    if (rule->action == SPILL_VERDICT_PROTECT && parse_sa(place, words, ruleset, rule) != 0)
        return -1;
    protocol = take(words);
    if (protocol == NULL)
        return spill_rule_error(place, "no protocol after the action; any, tcp, udp, …");
    if (spill_rule_protocol(place, protocol, rule) != 0 ||
        parse_end(place, words, SPILL_RULE_SOURCE, rule) != 0 ||
        parse_end(place, words, SPILL_RULE_DESTINATION, rule) != 0 ||
        parse_inputs(place, words, ruleset, rule) != 0)
        return -1;
    return spill_rule_complete(place, protocol, rule);
}

/* VALUE/MASK, both up to `most`. */
static int parse_masked(const struct spill_rule_place *place, struct words *words, const char *what,
                        uint32_t most, uint32_t *value, uint32_t *mask)
{
    char *text = take(words);
    char *slash = text == NULL ? NULL : strchr(text, '/');

    if (slash != NULL)
        *slash = '\0';
    if (slash == NULL || !spill_rule_number(text, most, value) ||
        !spill_rule_number(slash + 1, most, mask))
        return spill_rule_error(place, "'%.80s%s%.80s': not a ClassBench %s; VALUE/MASK up to %#x",
                                text == NULL ? "end of line" : text, slash == NULL ? "" : "/",
                                slash == NULL ? "" : slash + 1, what, most);
    return 0;
}

/* P : Q */
static int parse_filter_ports(const struct spill_rule_place *place, struct words *words,
                              enum spill_rule_end end, struct spill_rule *rule)
{
    const char *first = take(words);
    const bool colon = take_if(words, ":");
    const char *last = take(words);

    if (first == NULL || !colon || last == NULL)
        return spill_rule_error(place, "no %s ports in a ClassBench filter; P : Q",
                                end == SPILL_RULE_SOURCE ? "source" : "destination");
    if (spill_rule_ports(place, first, last, end, rule) != 0)
        return -1;
    rule->names_ports |= rule->first_port[end] != 0 || rule->last_port[end] != UINT16_MAX;
    return 0;
}

static int parse_filter_protocol(const struct spill_rule_place *place, struct words *words,
                                 struct spill_rule *rule)
{
    uint32_t value, mask;

    if (parse_masked(place, words, "protocol", UINT8_MAX, &value, &mask) != 0)
        return -1;
    if (mask != 0 && mask != UINT8_MAX)
        return spill_rule_error(place, "protocol mask %#x: only 0x00 (any) and 0xff are supported",
                                mask);
    rule->any_protocol = mask == 0;
    rule->protocol = mask == 0 ? 0 : (uint8_t)value;
    return spill_rule_complete(place, words->word[words->next - 1], rule);
}

/* [FLAGS/MASK] [ACTION] */
static int parse_filter_tail(const struct spill_rule_place *place, struct words *words,
                             struct spill_rule *rule)
{
    const char *word = words->word[words->next];
    uint32_t flags, mask = 0;

    if (word != NULL && strchr(word, '/') != NULL &&
        parse_masked(place, words, "flags field", UINT16_MAX, &flags, &mask) != 0)
        return -1;
    rule->action = SPILL_VERDICT_DENY;
    word = take(words);
    if (word != NULL && spill_rule_action(place, word, false, rule) != 0)
        return -1;
    /* A deny that leaves the flags out denies more than it says: safe. An allow would let more in.
     */
    if (mask != 0 && rule->action == SPILL_VERDICT_ALLOW)
        return spill_rule_error(place,
                                "flags mask %#x: flags are not matched, so a filter that "
                                "allows has 0x0000/0x0000",
                                mask);
    return 0;
}

/* @SOURCE DESTINATION P : Q P : Q PROTOCOL/MASK [FLAGS/MASK] [ACTION] */
static int parse_filter(const struct spill_rule_place *place, struct words *words,
                        struct spill_rule *rule)
{
    const char *source = take(words) + 1; /* behind the @ */
    const char *destination = take(words);

    if (destination == NULL)
        return spill_rule_error(place, "no destination in a ClassBench filter");
    if (spill_rule_address(place, source, true, SPILL_RULE_SOURCE, rule) != 0 ||
        spill_rule_address(place, destination, true, SPILL_RULE_DESTINATION, rule) != 0 ||
        parse_filter_ports(place, words, SPILL_RULE_SOURCE, rule) != 0 ||
        parse_filter_ports(place, words, SPILL_RULE_DESTINATION, rule) != 0 ||
        parse_filter_protocol(place, words, rule) != 0)
        return -1;
    return parse_filter_tail(place, words, rule);
}

/* Appends a rule that matches everything and does nothing yet. NULL when memory is short. */
static struct spill_rule *append(struct spill_ruleset *ruleset, uint32_t line)
{
    if (ruleset->count == ruleset->capacity) {
        const uint32_t capacity = ruleset->capacity == 0 ? FIRST_CAPACITY : ruleset->capacity * 2;
        struct spill_rule *rules = reallocarray(ruleset->rules, capacity, sizeof(*rules));

        if (rules == NULL)
            return NULL;
        ruleset->rules = rules;
        ruleset->capacity = capacity;
    }
    ruleset->rules[ruleset->count] = (struct spill_rule){
        .last_port = {UINT16_MAX, UINT16_MAX},
        .line = line,
    };
    return &ruleset->rules[ruleset->count++];
}

static int parse_line(const struct spill_rule_place *place, char *line,
                      struct spill_ruleset *ruleset)
{
    struct spill_rule *rule;
    struct words words;

    if (split(place, line, &words) != 0)
        return -1;
    if (words.word[0] == NULL)
        return 0;
    if (ruleset->count == SPILL_RULES_MAX)
        return spill_rule_error(place, "more than %u rules", SPILL_RULES_MAX);
    rule = append(ruleset, place->line);
    if (rule == NULL)
        return spill_rule_error(place, "no memory for another rule");
    if (words.word[0][0] == '@' ? parse_filter(place, &words, rule) != 0
                                : parse_rule(place, &words, ruleset, rule) != 0)
        return -1;
    if (words.word[words.next] != NULL)
        return spill_rule_error(place, "'%.80s': nothing is expected behind the rule",
                                shown(&words));
    return 0;
}

/* Reads a line without its end and comment. Returns 1, 0 at the end of the file, -1 with an error.
 */
static int read_line(FILE *file, const struct spill_rule_place *place, char *line)
{
    size_t size = 0;
    int byte;

    while ((byte = getc_unlocked(file)) != EOF && byte != '\n') {
        if (byte == '\0')
            return spill_rule_error(place, "a NUL byte; a rule file is text");
        if (size == SPILL_RULES_MAX_LINE)
            return spill_rule_error(place, "the line is longer than %u bytes",
                                    SPILL_RULES_MAX_LINE);
        line[size++] = (char)byte;
    }
    if (ferror(file))
        return spill_rule_error(place, "can't read: %s", strerror(errno));
    line[size] = '\0';
    line[strcspn(line, "#")] = '\0';
    return byte == EOF && size == 0 ? 0 : 1;
}

struct spill_ruleset *spill_rules_read(FILE *file, const char *name, struct spill_error *error)
{
    struct spill_rule_place place = {.name = name, .line = 1, .error = error};
    struct spill_ruleset *ruleset = calloc(1, sizeof(*ruleset));
    char line[SPILL_RULES_MAX_LINE + 1];
    int result;

    if (ruleset == NULL) {
        spill_error_set(error, "%s: no memory for the rules", name);
        return NULL;
    }
    while ((result = read_line(file, &place, line)) > 0) {
        result = parse_line(&place, line, ruleset);
        if (result != 0)
            break;
        place.line++;
    }
    if (result < 0) {
        spill_rules_free(ruleset);
        return NULL;
    }
    return ruleset;
}

void spill_rules_free(struct spill_ruleset *ruleset)
{
    if (ruleset == NULL)
        return;
    free(ruleset->rules);
    free(ruleset->sas);
    free(ruleset->sa_slots);
    free(ruleset);
}
