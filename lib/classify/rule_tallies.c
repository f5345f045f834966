/* SPDX-License-Identifier: BSD-3-Clause */
/* A hash table of what rules say, whose entries are the tallies themselves. */
#include "classify/rule_tallies.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#define FIRST_PLACES 64
#define RESERVED     (SPILL_RULE_TALLY_FIRST / SPILL_RULE_TALLY_WORDS)
#define NONE         0u /* no rule's: ends a list */

/* One place. */
struct entry {
    uint64_t said;    /* hash of what the rule says; one set of a million rules in thirty million
                       * has two that are taken for one */
    uint64_t version; /* the latest that has it; 0: it is free */
    uint32_t next;    /* in its list */
};

struct spill_rule_tallies {
    struct spill_rule_counts *counts; /* the newest */
    struct entry *entries;            /* by place */
    uint32_t *lists;                  /* by hash: the first entry; as many as places */
    uint32_t free;                    /* first of the free ones */
    uint32_t lcore_count;
    int sockets[];
};

/* ------------------------------------------------------------------------------ its memory */

static void free_counts(struct spill_rule_counts *counts)
{
    if (counts == NULL)
        return;
    for (uint32_t i = 0; i < counts->lcore_count; i++)
        rte_free(counts->of[i]);
    free(counts);
}

static struct spill_rule_counts *make_counts(const struct spill_rule_tallies *tallies,
                                             uint32_t places)
{
    struct spill_rule_counts *counts =
        calloc(1, sizeof(*counts) + tallies->lcore_count * sizeof(counts->of[0]));

    if (counts == NULL)
        return NULL;
    counts->older = tallies->counts;
    counts->places = places;
    counts->lcore_count = tallies->lcore_count;
    for (uint32_t i = 0; i < tallies->lcore_count; i++) {
        counts->of[i] = rte_zmalloc_socket("spill_rule_counts", places * sizeof(counts->of[i][0]),
                                           RTE_CACHE_LINE_SIZE, tallies->sockets[i]);
        if (counts->of[i] == NULL) {
            free_counts(counts);
            return NULL;
        }
    }
    return counts;
}

static void enlist(struct spill_rule_tallies *tallies, uint32_t place)
{
    uint32_t *list = &tallies->lists[tallies->entries[place].said % tallies->counts->places];

    tallies->entries[place].next = *list;
    *list = place;
}

/* Has so many places at least. Returns 0, or -1: no memory, and nothing has changed. */
static int grow(struct spill_rule_tallies *tallies, uint32_t least)
{
    const uint32_t before = tallies->counts != NULL ? tallies->counts->places : RESERVED;
    uint32_t places = FIRST_PLACES;
    struct spill_rule_counts *counts;
    struct entry *entries;
    uint32_t *lists;

    while (places < least)
        places *= 2;
    if (tallies->counts != NULL && places <= tallies->counts->places)
        return 0;
    lists = calloc(places, sizeof(*lists));
    entries = lists != NULL ? reallocarray(tallies->entries, places, sizeof(*entries)) : NULL;
    if (entries != NULL)
        tallies->entries = entries;
    counts = entries != NULL ? make_counts(tallies, places) : NULL;
    if (counts == NULL) {
        free(lists);
        return -1;
    }
    tallies->counts = counts;
    free(tallies->lists);
    tallies->lists = lists;
    memset(&tallies->entries[before], 0, (places - before) * sizeof(*entries));
    for (uint32_t place = RESERVED; place < before; place++)
        if (tallies->entries[place].version != 0)
            enlist(tallies, place);
    for (uint32_t place = places; place-- > before;) {
        tallies->entries[place].next = tallies->free;
        tallies->free = place;
    }
    return 0;
}

struct spill_rule_tallies *spill_rule_tallies_create(const int *sockets, uint32_t lcore_count)
{
    struct spill_rule_tallies *tallies =
        calloc(1, sizeof(*tallies) + lcore_count * sizeof(tallies->sockets[0]));

    if (tallies == NULL)
        return NULL;
    tallies->lcore_count = lcore_count;
    memcpy(tallies->sockets, sockets, lcore_count * sizeof(sockets[0]));
    if (grow(tallies, FIRST_PLACES) == 0)
        return tallies;
    spill_rule_tallies_free(tallies);
    return NULL;
}

void spill_rule_tallies_free(struct spill_rule_tallies *tallies)
{
    if (tallies == NULL)
        return;
    while (tallies->counts != NULL) {
        struct spill_rule_counts *counts = tallies->counts;

        tallies->counts = (struct spill_rule_counts *)(uintptr_t)counts->older;
        free_counts(counts);
    }
    free(tallies->entries);
    free(tallies->lists);
    free(tallies);
}

const struct spill_rule_counts *spill_rule_tallies_counts(const struct spill_rule_tallies *tallies)
{
    return tallies->counts;
}

size_t spill_rule_tallies_bytes(uint32_t rules)
{
    size_t places = FIRST_PLACES;

    while (places < rules + RESERVED)
        places *= 2;
    return places * sizeof(struct spill_rule_count);
}

/* ------------------------------------------------------------------------ what rules say */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * UINT64_C(1099511628211); /* FNV-1a */
    return hash;
}

#define FNV_OFFSET UINT64_C(14695981039346656037)

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text, strlen(text) + 1);
}

/* The ports that it names, in any order. */
static uint64_t hash_inputs(const struct spill_ruleset *ruleset, const struct spill_rule *rule)
{
    uint64_t sum = 0;

    for (uint16_t i = 0; i < ruleset->input_count; i++)
        if ((rule->inputs >> i & 1) != 0)
            sum += hash_text(FNV_OFFSET, ruleset->inputs[i]);
    return sum;
}

/* Names stand for numbers that are another version's otherwise. */
static uint64_t hash_rule(uint64_t hash, const struct spill_ruleset *ruleset,
                          const struct spill_rule *rule)
{
    const uint64_t inputs = hash_inputs(ruleset, rule);
    const uint8_t flags[] = {rule->action,       rule->families,    rule->protocol,
                             rule->any_protocol, rule->names_ports, rule->names_types,
                             rule->reject,       rule->length[0],   rule->length[1]};

    hash = hash_bytes(hash, flags, sizeof(flags));
    hash = hash_bytes(hash, rule->address, sizeof(rule->address));
    hash = hash_bytes(hash, rule->first_port, sizeof(rule->first_port));
    hash = hash_bytes(hash, rule->last_port, sizeof(rule->last_port));
    hash = hash_bytes(hash, &rule->mss, sizeof(rule->mss));
    hash = hash_bytes(hash, &rule->log, sizeof(rule->log));
    hash = hash_bytes(hash, &rule->log_interval, sizeof(rule->log_interval));
    hash = hash_bytes(hash, &inputs, sizeof(inputs));
    hash = hash_text(hash, rule->sa != 0 ? ruleset->sas[rule->sa - 1] : "");
    for (unsigned end = 0; end < 2; end++)
        hash = hash_text(hash, rule->set[end] != 0 ? ruleset->sets[rule->set[end] - 1] : "");
    return hash_text(hash, spill_rules_name(ruleset, rule));
}

/* ------------------------------------------------------------------------------ assignment */

/* No flow has it any more, and no version in force. What it counted is forgotten. */
static void release(struct spill_rule_tallies *tallies, uint32_t place)
{
    struct entry *entry = &tallies->entries[place];
    uint32_t *link = &tallies->lists[entry->said % tallies->counts->places];

    while (*link != place)
        link = &tallies->entries[*link].next;
    *link = entry->next;
    for (const struct spill_rule_counts *counts = tallies->counts;
         counts != NULL && place < counts->places; counts = counts->older)
        for (uint32_t i = 0; i < counts->lcore_count; i++)
            memset(&counts->of[i][place], 0, sizeof(counts->of[i][0]));
    *entry = (struct entry){.next = tallies->free};
    tallies->free = place;
}

static void release_unused(struct spill_rule_tallies *tallies, uint64_t settled)
{
    for (uint32_t place = RESERVED; place < tallies->counts->places; place++)
        if (tallies->entries[place].version != 0 && tallies->entries[place].version < settled)
            release(tallies, place);
}

/* The place of a rule that says this and has none in this version yet. NONE: no memory. */
static uint32_t take(struct spill_rule_tallies *tallies, uint64_t said, uint64_t version)
{
    uint32_t found = NONE, place;

    /* The newest come first in their list, but those that say the same are to keep their order. */
    for (place = tallies->lists[said % tallies->counts->places]; place != NONE;
         place = tallies->entries[place].next)
        if (tallies->entries[place].said == said && tallies->entries[place].version != version &&
            (found == NONE || place < found))
            found = place;
    if (found == NONE) {
        if (tallies->free == NONE && grow(tallies, tallies->counts->places * 2) != 0)
            return NONE;
        found = tallies->free;
        tallies->free = tallies->entries[found].next;
        tallies->entries[found].said = said;
        enlist(tallies, found);
    }
    tallies->entries[found].version = version;
    return found;
}

int spill_rule_tallies_assign(struct spill_rule_tallies *tallies, struct spill_ruleset *ruleset,
                              uint64_t version, uint64_t settled, struct spill_error *error)
{
    uint32_t first = 0, end;

    release_unused(tallies, settled);
    for (; first < ruleset->count; first = end) {
        uint64_t said = FNV_OFFSET;
        uint32_t place;

        for (end = first; end < ruleset->count &&
                          spill_rules_same_line(&ruleset->rules[end], &ruleset->rules[first]);
             end++)
            said = hash_rule(said, ruleset, &ruleset->rules[end]);
        place = take(tallies, said, version);
        if (place == NONE)
            return spill_error_set(error, "rules: no memory for their counters");
        for (uint32_t i = first; i < end; i++)
            ruleset->rules[i].tally = place * (uint32_t)SPILL_RULE_TALLY_WORDS;
    }
    return 0;
}
