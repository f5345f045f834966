/* SPDX-License-Identifier: BSD-3-Clause */
/* The tallies' entries, by place, and while a version gets its own, lists of them by what rules
 * say.
 */
#include "classify/rule_tallies.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

#include "base/clock.h"
#include "classify/rule_hash.h"

#define FIRST_PLACES 64
#define RESERVED     (SPILL_RULE_TALLY_FIRST / SPILL_RULE_TALLY_WORDS)
#define NONE         0u /* no rule's: ends a list */

/* One place. */
struct entry {
    uint64_t said;    /* hash of what the rule says; one set of a million rules in thirty million
                       * has two that are taken for one */
    uint64_t version; /* the latest that has it; 0: it is free */
    uint32_t next;    /* in its list, or of the free ones */
    struct spill_rule_limit *limit; /* that all lcores take from; NULL: it has none */
    uint8_t dscp;                   /* as in struct spill_rule */
};

struct spill_rule_tallies {
    struct spill_rule_counts *counts; /* the newest; NULL: there was no version yet */
    struct entry *entries;            /* by place */
    uint32_t free;                    /* first of the free ones */
    uint32_t lcore_count;
    int sockets[];
};

/* While a version gets its tallies: the entries that it has not taken, by hash, those of one list
 * in their order. */
struct lists {
    uint32_t *first;
    uint32_t count;
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

/* Tells the lcores what a place's rule does to packets. */
static void hand_out(struct spill_rule_tallies *tallies, uint32_t place)
{
    const struct entry *entry = &tallies->entries[place];

    for (uint32_t i = 0; i < tallies->lcore_count; i++) {
        tallies->counts->of[i][place].limit = entry->limit;
        tallies->counts->of[i][place].dscp = entry->dscp;
    }
}

/* Has so many places at least. Returns 0, or -1: no memory, and nothing has changed. */
static int grow(struct spill_rule_tallies *tallies, uint32_t least)
{
    const uint32_t before = tallies->counts != NULL ? tallies->counts->places : RESERVED;
    uint32_t places = FIRST_PLACES;
    struct spill_rule_counts *counts;
    struct entry *entries;

    while (places < least)
        places *= 2;
    if (tallies->counts != NULL && places <= tallies->counts->places)
        return 0;
    entries = reallocarray(tallies->entries, places, sizeof(*entries));
    if (entries == NULL)
        return -1;
    tallies->entries = entries;
    counts = make_counts(tallies, places);
    if (counts == NULL)
        return -1;
    tallies->counts = counts;
    for (uint32_t place = RESERVED; place < before; place++)
        hand_out(tallies, place);
    memset(&entries[before], 0, (places - before) * sizeof(*entries));
    for (uint32_t place = places; place-- > before;) {
        entries[place].next = tallies->free;
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
    return tallies;
}

void spill_rule_tallies_free(struct spill_rule_tallies *tallies)
{
    if (tallies == NULL)
        return;
    for (uint32_t place = RESERVED; tallies->counts != NULL && place < tallies->counts->places;
         place++)
        rte_free(tallies->entries[place].limit);
    while (tallies->counts != NULL) {
        struct spill_rule_counts *counts = tallies->counts;

        tallies->counts = (struct spill_rule_counts *)(uintptr_t)counts->older;
        free_counts(counts);
    }
    free(tallies->entries);
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

/* ------------------------------------------------------------------------------ assignment */

/* No flow has it any more, and no version in force. What it counted is forgotten. */
static void release(struct spill_rule_tallies *tallies, uint32_t place)
{
    for (const struct spill_rule_counts *counts = tallies->counts;
         counts != NULL && place < counts->places; counts = counts->older)
        for (uint32_t i = 0; i < counts->lcore_count; i++)
            memset(&counts->of[i][place], 0, sizeof(counts->of[i][0]));
    rte_free(tallies->entries[place].limit);
    tallies->entries[place] = (struct entry){.next = tallies->free};
    tallies->free = place;
}

/* Lists what older versions have, and releases what is of none any more. Returns 0, or -1. */
static int list_used(struct spill_rule_tallies *tallies, uint64_t settled, struct lists *lists)
{
    lists->count = tallies->counts->places;
    lists->first = calloc(lists->count, sizeof(*lists->first));
    if (lists->first == NULL)
        return -1;
    for (uint32_t place = lists->count; place-- > RESERVED;) {
        struct entry *entry = &tallies->entries[place];
        uint32_t *list = &lists->first[entry->said % lists->count];

        if (entry->version == 0)
            continue;
        if (entry->version < settled) {
            release(tallies, place);
            continue;
        }
        entry->next = *list;
        *list = place;
    }
    return 0;
}

/* The first place of a rule that says this; NONE: there is none, or this version has taken all. */
static uint32_t take_used(struct spill_rule_tallies *tallies, struct lists *lists, uint64_t said)
{
    uint32_t *link = &lists->first[said % lists->count], place;

    while (*link != NONE && tallies->entries[*link].said != said)
        link = &tallies->entries[*link].next;
    place = *link;
    if (place != NONE)
        *link = tallies->entries[place].next;
    return place;
}

/* The place of a rule that says this, for this version alone. NONE: no memory. */
static uint32_t take(struct spill_rule_tallies *tallies, struct lists *lists, uint64_t said,
                     uint64_t version)
{
    uint32_t place = take_used(tallies, lists, said);

    if (place == NONE) {
        if (tallies->free == NONE && grow(tallies, tallies->counts->places * 2) != 0)
            return NONE;
        place = tallies->free;
        tallies->free = tallies->entries[place].next;
        tallies->entries[place].said = said;
    }
    tallies->entries[place].version = version;
    return place;
}

/* Gives a place what its rule does to packets. A bucket outlives versions. Returns 0, or -1: no
 * memory. */
static int set_conditions(struct spill_rule_tallies *tallies, uint32_t place,
                          const struct spill_rule *rule)
{
    struct entry *entry = &tallies->entries[place];

    if (entry->dscp == rule->dscp && (rule->limit == 0 || entry->limit != NULL))
        return 0;
    entry->dscp = rule->dscp;
    if (rule->limit != 0 && entry->limit == NULL) {
        entry->limit = rte_zmalloc_socket("spill_rule_limit", sizeof(*entry->limit),
                                          RTE_CACHE_LINE_SIZE, tallies->sockets[0]);
        if (entry->limit == NULL)
            return -1;
        spill_rule_limit_init(entry->limit, rule->limit, rule->burst, rte_get_tsc_hz(),
                              spill_clock());
    }
    hand_out(tallies, place);
    return 0;
}

/* Returns 0, or -1: no memory. */
static int assign(struct spill_rule_tallies *tallies, struct lists *lists,
                  struct spill_ruleset *ruleset, uint64_t version)
{
    uint32_t first = 0, end;

    for (; first < ruleset->count; first = end) {
        const uint64_t said = spill_rule_hash_line(ruleset, first, &end);
        const uint32_t place = take(tallies, lists, said, version);

        if (place == NONE || set_conditions(tallies, place, &ruleset->rules[first]) != 0)
            return -1;
        for (uint32_t i = first; i < end; i++)
            ruleset->rules[i].tally = place * (uint32_t)SPILL_RULE_TALLY_WORDS;
    }
    return 0;
}

int spill_rule_tallies_assign(struct spill_rule_tallies *tallies, struct spill_ruleset *ruleset,
                              uint64_t version, uint64_t settled, struct spill_error *error)
{
    struct lists lists = {.first = NULL};
    int status = -1;

    if (grow(tallies, ruleset->count + RESERVED) == 0 && list_used(tallies, settled, &lists) == 0)
        status = assign(tallies, &lists, ruleset, version);
    free(lists.first);
    return status == 0 ? 0 : spill_error_set(error, "rules: no memory for their counters");
}
