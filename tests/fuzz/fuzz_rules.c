/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rule files of any text, spillway's rules and ClassBench filters: read as a second reader reads
 * them (rules_reader.h), and refused at the same line.
 *
 * Input: the file.
 */
#include "fuzz.h"

#include "classify/rules.h"
#include "rules_reader.h"

static struct reader reader;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

static void check_rule(const struct spill_ruleset *ruleset, const struct spill_rule *rule,
                       const struct reader_rule *expected)
{
    static const char actions[] = {
        [SPILL_VERDICT_ALLOW] = 'a', [SPILL_VERDICT_DENY] = 'd', [SPILL_VERDICT_PROTECT] = 'p'};
    bool v4 = (rule->families & SPILL_RULE_IPV4) != 0, v6 = (rule->families & SPILL_RULE_IPV6) != 0;

    FUZZ_CHECK(rule->line == expected->line, "%u, not %u", rule->line, expected->line);
    FUZZ_CHECK((rule->reject ? 'r' : actions[rule->action]) == expected->action, "line %u: action",
               rule->line);
    FUZZ_CHECK(v4 == expected->v4 && v6 == expected->v6, "line %u: families", rule->line);
    FUZZ_CHECK((rule->any_protocol ? -1 : rule->protocol) == expected->protocol,
               "line %u: protocol", rule->line);
    FUZZ_CHECK(rule->names_ports == expected->names_ports &&
                   rule->names_types == expected->names_types,
               "line %u: ports, types", rule->line);
    FUZZ_CHECK(rule->log == expected->log && rule->log_interval == expected->log_interval,
               "line %u: log every %ju ns", rule->line, (uintmax_t)rule->log_interval);
    FUZZ_CHECK(rule->limit == expected->limit && rule->burst == expected->burst,
               "line %u: limit %ju", rule->line, (uintmax_t)rule->limit);
    FUZZ_CHECK(rule->dscp == expected->dscp, "line %u: dscp %u", rule->line, rule->dscp);
    FUZZ_CHECK(strcmp(spill_rules_name(ruleset, rule), expected->name) == 0, "line %u: name %s",
               rule->line, expected->name);
    FUZZ_CHECK(rule->mss == expected->mss, "line %u: mss %u", rule->line, rule->mss);
    for (unsigned end = 0; end < 2; end++) {
        FUZZ_CHECK(rule->length[end] == expected->length[end], "line %u: length", rule->line);
        FUZZ_CHECK(memcmp(rule->address[end], expected->address[end], 16) == 0, "line %u: address",
                   rule->line);
        FUZZ_CHECK(rule->first_port[end] == expected->first[end] &&
                       rule->last_port[end] == expected->last[end],
                   "line %u: ports", rule->line);
        FUZZ_CHECK(strcmp(rule->set[end] == 0 ? "" : ruleset->sets[rule->set[end] - 1],
                          expected->set[end]) == 0,
                   "line %u: set", rule->line);
    }
    FUZZ_CHECK((rule->sa != 0) == (expected->action == 'p'), "line %u: SA", rule->line);
    if (rule->sa != 0)
        FUZZ_CHECK(rule->sa <= ruleset->sa_count &&
                       strcmp(ruleset->sas[rule->sa - 1], expected->sa) == 0,
                   "line %u: SA %s", rule->line, expected->sa);
}

/* The ports that a rule names, in any order. */
static void check_inputs(const struct spill_ruleset *ruleset, const struct spill_rule *rule,
                         const struct reader_rule *expected)
{
    FUZZ_CHECK((unsigned)__builtin_popcount(rule->inputs) == expected->input_count,
               "line %u: %u inputs", rule->line, expected->input_count);
    for (unsigned i = 0; i < expected->input_count; i++) {
        bool found = false;

        for (unsigned bit = 0; bit < ruleset->input_count; bit++)
            found |= (rule->inputs >> bit & 1) != 0 &&
                     strcmp(ruleset->inputs[bit], expected->inputs[i]) == 0;
        FUZZ_CHECK(found, "line %u: input %s", rule->line, expected->inputs[i]);
    }
}

static void check_names(const struct spill_ruleset *ruleset)
{
    for (unsigned i = 0; i < ruleset->sa_count; i++) {
        for (unsigned j = 0; j < i; j++)
            FUZZ_CHECK(strcmp(ruleset->sas[i], ruleset->sas[j]) != 0, "%s twice", ruleset->sas[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct spill_error error = {.text = ""};
    struct spill_ruleset *ruleset;
    char place[32];
    FILE *file;

    if (size == 0)
        return 0;
    reader_read(&reader, bytes, size);
    file = fmemopen((void *)(uintptr_t)bytes, size, "r");
    ruleset = spill_rules_read(file, "file", NULL, &error);
    fclose(file);
    if (ruleset == NULL && reader.wrong == 0 && strstr(error.text, ": limit: more than ") != NULL)
        return 0;
    FUZZ_CHECK((ruleset == NULL) == (reader.wrong != 0), "line %u, %s", reader.wrong, error.text);
    if (ruleset == NULL) {
        fuzz_check_line(error.text);
        snprintf(place, sizeof(place), "file:%u: ", reader.wrong);
        FUZZ_CHECK(strncmp(error.text, place, strlen(place)) == 0, "not %s%s", place, error.text);
        return 0;
    }
    FUZZ_CHECK(ruleset->count == reader.count, "%u rules, not %u", ruleset->count, reader.count);
    FUZZ_CHECK(ruleset->prefix_count == reader.prefix_count, "%u prefixes, not %u",
               ruleset->prefix_count, reader.prefix_count);
    for (unsigned i = 0; i < RTE_MIN(reader.count, (unsigned)READER_RULES); i++) {
        check_rule(ruleset, &ruleset->rules[i], &reader.rules[i]);
        check_inputs(ruleset, &ruleset->rules[i], &reader.rules[i]);
    }
    check_names(ruleset);
    spill_rules_free(ruleset);
    return 0;
}
