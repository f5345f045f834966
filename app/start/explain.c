/* SPDX-License-Identifier: BSD-3-Clause */
/* --explain: which rule decides about a packet that is said in words, and which nearly did. */
#include <stdio.h>
#include <string.h>

#include "classify/rule_match.h"
#include "program.h"
#include "start/steps.h"

#define WORDS_MAX 16
#define NEAR_MAX  3 /* rules that are told to differ in one thing only */
#define FORM      "tcp 10.0.0.1:1234 > 192.0.2.1:443 in lan"

/* The words of the text. They are put together to a rule, which the rule reader reads: what a
 * packet is, is said as in rules. */
struct words {
    char text[SPILL_RULES_MAX_LINE];
    char *word[WORDS_MAX];
    unsigned count;
};

static int wrong(struct spill_error *error, const char *why)
{
    return spill_error_set(error, "--explain: %s; as in '" FORM "'", why);
}

static int split(const char *text, struct words *words, struct spill_error *error)
{
    char *rest = words->text, *word;

    if ((size_t)snprintf(words->text, sizeof(words->text), "%s", text) >= sizeof(words->text))
        return wrong(error, "too long for a packet");
    while ((word = strsep(&rest, " \t")) != NULL) {
        if (*word == '\0')
            continue;
        if (words->count == WORDS_MAX)
            return wrong(error, "more words than a packet has");
        words->word[words->count++] = word;
    }
    return 0;
}

/* ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; the port is cut off. NULL: there is none. */
static char *cut_port(char **address)
{
    char *bracket = strchr(*address, ']'), *colon = strrchr(*address, ':');

    if (**address == '[' && bracket != NULL) {
        (*address)++;
        *bracket++ = '\0';
        return *bracket == ':' ? bracket + 1 : NULL;
    }
    /* An IPv6 address without brackets has two colons at least. */
    if (colon == NULL || strchr(*address, ':') != colon)
        return NULL;
    *colon = '\0';
    return colon + 1;
}

/* PROTOCOL END > END … as the line of a rule. */
static int write_line(struct words *words, char *line, size_t size, struct spill_error *error)
{
    char *ends[2], *ports[2];
    int used;

    if (words->count < 4 || strcmp(words->word[2], ">") != 0)
        return wrong(error, "expected a protocol, and from where to where");
    for (unsigned end = 0; end < 2; end++) {
        ends[end] = words->word[1 + 2 * end];
        ports[end] = cut_port(&ends[end]);
    }
    used = snprintf(line, size, "allow %s from %s%s%s to %s%s%s", words->word[0], ends[0],
                    ports[0] != NULL ? " port " : "", ports[0] != NULL ? ports[0] : "", ends[1],
                    ports[1] != NULL ? " port " : "", ports[1] != NULL ? ports[1] : "");
    for (unsigned i = 4; i < words->count && (size_t)used < size; i++)
        used += snprintf(line + used, size - (size_t)used, " %s", words->word[i]);
    return (size_t)used < size ? 0 : wrong(error, "too long for a packet");
}

/* Whether a rule says what one packet is, and no more than that. A type without a code has code 0.
 */
static bool is_packet(const struct spill_ruleset *ruleset)
{
    const struct spill_rule *rule = ruleset->rules;
    const unsigned bits = rule->families == SPILL_RULE_IPV4 ? 32 : 128;

    if (ruleset->count != 1 || rule->any_protocol || ruleset->input_count > 1 ||
        rule->length[0] != bits || rule->length[1] != bits)
        return false;
    return !rule->names_ports ||
           (rule->first_port[0] == rule->last_port[0] && rule->first_port[1] == rule->last_port[1]);
}

/* The bits that the rules have for what a packet comes in by: as a sub-port is among what its port
 * has, there may be two. Returns 0, or -1 with an error: there is no such port. */
static int find_inputs(const struct spill_program *program, const char *name, uint32_t *bits,
                       struct spill_error *error)
{
    const struct spill_ruleset *ruleset = program->files.ruleset;
    struct spill_rule_input own, other;

    if (!spill_options_find_input(&program->options, name, &own))
        return spill_error_set(error, "--explain: there is no port %s", name);
    for (unsigned i = 0; i < ruleset->input_count; i++) {
        if (spill_options_find_input(&program->options, ruleset->inputs[i], &other) &&
            other.port == own.port && (other.vlan == 0 || other.vlan == own.vlan))
            *bits |= UINT32_C(1) << i;
    }
    return 0;
}

/* What the packet's rule says, if it is one packet's; `said` is read already. */
static int take_packet(struct spill_program *program, const struct spill_ruleset *said,
                       struct spill_rule_packet *packet, struct spill_error *error)
{
    const struct spill_ruleset *ruleset = program->files.ruleset;
    const struct spill_rule *rule = said->rules;

    if (!is_packet(said))
        return wrong(error, "expected one packet: a protocol, two addresses, both ports or none");
    if (ruleset->input_count > 0 && said->input_count == 0)
        return wrong(error, "rules name ports with 'in': expected the one that it comes in by");
    *packet = (struct spill_rule_packet){.family = rule->families,
                                         .protocol = rule->protocol,
                                         .has_ports = rule->names_ports,
                                         .has_type = rule->names_types,
                                         .port = {rule->first_port[0], rule->first_port[1]}};
    if (said->input_count > 0 && find_inputs(program, said->inputs[0], &packet->input, error) != 0)
        return -1;
    memcpy(packet->address, rule->address, sizeof(packet->address));
    spill_rule_packet_find_sets(ruleset, packet);
    return 0;
}

static int read_packet(struct spill_program *program, struct spill_rule_packet *packet,
                       struct spill_error *error)
{
    char line[SPILL_RULES_MAX_LINE];
    struct words words = {.count = 0};
    struct spill_ruleset *said;
    FILE *file;
    int result;

    if (split(program->options.explain, &words, error) != 0 ||
        write_line(&words, line, sizeof(line), error) != 0)
        return -1;
    file = fmemopen(line, strlen(line), "r");
    if (file == NULL)
        return spill_error_set(error, "--explain: no memory");
    said = spill_rules_read(file, "--explain", NULL, error);
    fclose(file);
    if (said == NULL)
        return -1;
    result = take_packet(program, said, packet, error);
    spill_rules_free(said);
    return result;
}

/* The one thing that a rule differs in; NULL: it differs in more. */
static const char *name_of(unsigned differs)
{
    switch (differs) {
    case SPILL_RULE_OTHER_PROTOCOL:
        return "protocol";
    case SPILL_RULE_OTHER_SOURCE:
        return "source";
    case SPILL_RULE_OTHER_DESTINATION:
        return "destination";
    case SPILL_RULE_OTHER_PORTS:
        return "ports";
    case SPILL_RULE_OTHER_TYPE:
        return "type";
    case SPILL_RULE_OTHER_INPUT:
        return "the port that it comes in by";
    default:
        return NULL;
    }
}

/* The index of the first rule from there on that matches; the number of rules: none does. */
static uint32_t next_match(const struct spill_ruleset *ruleset, uint32_t from,
                           const struct spill_rule_packet *packet)
{
    while (from < ruleset->count && spill_rule_differs(&ruleset->rules[from], packet) != 0)
        from++;
    return from;
}

static const char *action_of(const struct spill_rule *rule)
{
    return spill_rule_action_name((enum spill_verdict)rule->action, rule->reject);
}

/* Where a rule stands, and its name if it has one. */
static void print_place(const struct spill_ruleset *ruleset, const struct spill_rule *rule)
{
    printf("%s:%u", spill_rules_path(ruleset, rule), rule->line);
    if (rule->name != 0)
        printf(" \"%s\"", spill_rules_name(ruleset, rule));
}

/* The last rules before the one that decides that had decided otherwise, but for one thing. */
static void print_near(const struct spill_ruleset *ruleset, const struct spill_rule_packet *packet,
                       uint32_t before, enum spill_verdict decided)
{
    const struct spill_rule *last = NULL; /* of those of one line, one is told */
    unsigned told = 0;

    while (before-- > 0 && told < NEAR_MAX) {
        const struct spill_rule *rule = &ruleset->rules[before];
        const char *name = name_of(spill_rule_differs(rule, packet));

        if (name == NULL || rule->action == decided ||
            (last != NULL && last->line == rule->line &&
             spill_rules_path(ruleset, last) == spill_rules_path(ruleset, rule)))
            continue;
        last = rule;
        print_place(ruleset, rule);
        printf(", to %s, does not match: %s\n", action_of(rule), name);
        told++;
    }
}

/* What a rule, or none, decides, and where it stands. */
static void print_decision(const struct spill_ruleset *ruleset, uint32_t index,
                           enum spill_verdict by_default)
{
    const struct spill_rule *rule = &ruleset->rules[index];

    if (index == ruleset->count) {
        printf("%s: no rule matches, and that is --default\n",
               by_default == SPILL_VERDICT_ALLOW ? "allow" : "deny");
        return;
    }
    printf("%s%s%s: ", action_of(rule), rule->sa != 0 ? " " : "",
           rule->sa != 0 ? ruleset->sas[rule->sa - 1] : "");
    print_place(ruleset, rule);
    printf("\n");
}

/* Beyond a rule's limit the next one decides, of another line. */
static void print_beyond(const struct spill_ruleset *ruleset,
                         const struct spill_rule_packet *packet, uint32_t index,
                         enum spill_verdict by_default)
{
    while (index < ruleset->count && ruleset->rules[index].limit != 0) {
        const struct spill_rule *limited = &ruleset->rules[index];

        while (index < ruleset->count && spill_rules_same_line(&ruleset->rules[index], limited))
            index++;
        index = next_match(ruleset, index, packet);
        printf("beyond %ju bit/s ", (uintmax_t)limited->limit);
        if (limited->action == SPILL_VERDICT_PROTECT) {
            printf("deny: what is to be protected does not go by another rule\n");
            return;
        }
        print_decision(ruleset, index, by_default);
    }
}

int spill_program_explain(struct spill_program *program, struct spill_error *error)
{
    const struct spill_ruleset *ruleset = program->files.ruleset;
    enum spill_verdict decided = program->options.default_verdict;
    struct spill_rule_packet packet;
    uint32_t index;

    if (read_packet(program, &packet, error) != 0)
        return -1;
    index = next_match(ruleset, 0, &packet);
    print_decision(ruleset, index, decided);
    if (index < ruleset->count)
        decided = ruleset->rules[index].action;
    print_beyond(ruleset, &packet, index, program->options.default_verdict);
    print_near(ruleset, &packet, index, decided);
    return fflush(stdout) == 0 ? 0 : spill_error_set(error, "--explain: can't write");
}
