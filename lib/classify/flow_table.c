/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table: what its owner does with it. flow_groups.h says how a key is found,
 * flow_evict.c who gives way to whom, flow_renewal.h when the rules are asked again, flow_state.h
 * when a flow expires. */
#include "classify/flow_table.h"

#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "classify/flow_family.h"
#include "classify/flow_hash.h"
#include "classify/flow_renewal.h"
#include "classify/flow_state.h"

#define FAMILIES 2 /* by kind of their packets */

_Static_assert(SPILL_PACKET_IPV4 == 0 && SPILL_PACKET_IPV6 == 1, "a kind is a family's index");
_Static_assert(offsetof(struct spill_packet, key) == 0, "a packet's address is its key's");

#define HEAP_OVERHEAD 256 /* bytes that the EAL's heap adds to each piece, at most */

/* Of a capacity's slots, this part more, so that they can be found; see flow_groups.h. */
#define PLACES_FOR(capacity) ((uint64_t)(capacity)*7 / 6)
#define GROUPS_LEAST         SPILL_FLOW_PROBES
/* Part of the capacity that is strangers' alone. */
#define STRANGERS 8

/* Words of what is counted of a rule. */
#define COUNT_WORD(field) (offsetof(struct spill_rule_count, field) / sizeof(uint64_t))
#define COUNT_PACKETS     COUNT_WORD(packets)
#define COUNT_BYTES       COUNT_WORD(bytes)
#define COUNT_CONNECTIONS COUNT_WORD(connections)
#define COUNT_LAST        COUNT_WORD(last)

struct spill_flow_table {
    struct spill_flow_family families[FAMILIES];
    struct spill_flow_hash hash;
    struct spill_flow_times times;
    unsigned hand_family;
    uint32_t hand;    /* the next slot that is looked at */
    uint64_t *counts; /* by tally: those of the rules */
    struct spill_flow_counters counters;
    struct spill_flow_renewal renewal;
    struct spill_rule_count own_counts[SPILL_RULE_TALLY_FIRST / SPILL_RULE_TALLY_WORDS];
};

/* ------------------------------------------------------------------------------ its memory */

static uint32_t groups_for(uint32_t capacity)
{
    uint64_t groups = (PLACES_FOR(capacity) + SPILL_FLOW_GROUP - 1) / SPILL_FLOW_GROUP;

    return (uint32_t)RTE_MAX(groups, (uint64_t)GROUPS_LEAST);
}

static size_t entries_bytes(uint32_t groups)
{
    return ((size_t)groups * SPILL_FLOW_GROUP + SPILL_FLOW_CLASSES) * sizeof(struct spill_flow);
}

static size_t tallies_bytes(uint32_t groups)
{
    return (size_t)groups * SPILL_FLOW_GROUP * 2 * sizeof(uint32_t);
}

static int family_create(struct spill_flow_family *family, unsigned kind,
                         const struct spill_flow_table_config *config, struct spill_error *error)
{
    const uint32_t groups = groups_for(config->capacity);

    family->is_v4 = kind == SPILL_PACKET_IPV4;
    snprintf(family->name, sizeof(family->name), "%s.%s", config->name,
             family->is_v4 ? "v4" : "v6");
    family->groups.count = groups;
    family->slots = groups * SPILL_FLOW_GROUP;
    family->capacity = config->capacity;
    family->allowed_most = config->capacity - config->capacity / STRANGERS;
    family->groups.all =
        rte_zmalloc_socket("spill_flow_groups", groups * sizeof(struct spill_flow_group),
                           RTE_CACHE_LINE_SIZE, config->socket);
    family->entries = rte_zmalloc_socket("spill_flow_entries", entries_bytes(groups),
                                         RTE_CACHE_LINE_SIZE, config->socket);
    if (!family->is_v4)
        family->tallies = rte_zmalloc_socket("spill_flow_tallies", tallies_bytes(groups),
                                             RTE_CACHE_LINE_SIZE, config->socket);
    if (family->groups.all == NULL || family->entries == NULL ||
        (!family->is_v4 && family->tallies == NULL)) {
        return spill_error_set(error, "flow table %s: no memory for %u flows on NUMA node %d",
                               family->name, config->capacity, config->socket);
    }
    for (uint64_t slot = 0; slot < family->slots + SPILL_FLOW_CLASSES; slot++)
        spill_flow_at(family, slot)->inner_vlan = SPILL_FLOW_NO_VLAN;
    spill_flow_lists_init(family);
    return 0;
}

static int check_config(const struct spill_flow_table_config *config, struct spill_error *error)
{
    size_t length = strlen(config->name);

    if (length == 0 || length > SPILL_FLOW_TABLE_NAME_MAX) {
        return spill_error_set(error, "flow table '%s': a name has 1 to %d bytes", config->name,
                               SPILL_FLOW_TABLE_NAME_MAX);
    }
    if (config->capacity < SPILL_FLOW_CAPACITY_MIN || config->capacity > SPILL_FLOW_CAPACITY_MAX) {
        return spill_error_set(error, "flow capacity %u: must be %u to %u", config->capacity,
                               SPILL_FLOW_CAPACITY_MIN, SPILL_FLOW_CAPACITY_MAX);
    }
    return 0;
}

struct spill_flow_table *spill_flow_table_create(const struct spill_flow_table_config *config,
                                                 struct spill_error *error)
{
    struct spill_flow_table *table;

    if (check_config(config, error) != 0)
        return NULL;
    table =
        rte_zmalloc_socket("spill_flow_table", sizeof(*table), RTE_CACHE_LINE_SIZE, config->socket);
    if (table == NULL) {
        spill_error_set(error, "flow table %s: no memory on NUMA node %d", config->name,
                        config->socket);
        return NULL;
    }
    spill_flow_times_init(&table->times, config);
    spill_flow_table_count_in(table, table->own_counts);
    table->renewal.tick = config->renewal / (2 * SPILL_FLOW_PHASES);
    spill_flow_hash_init(&table->hash, config->seed);
    for (unsigned kind = 0; kind < FAMILIES; kind++)
        if (family_create(&table->families[kind], kind, config, error) != 0) {
            spill_flow_table_free(table);
            return NULL;
        }
    return table;
}

void spill_flow_table_free(struct spill_flow_table *table)
{
    if (table == NULL)
        return;
    for (unsigned kind = 0; kind < FAMILIES; kind++) {
        rte_free(table->families[kind].groups.all);
        rte_free(table->families[kind].entries);
        rte_free(table->families[kind].tallies);
    }
    rte_free(table);
}

size_t spill_flow_table_bytes(uint32_t capacity)
{
    const uint32_t groups = groups_for(capacity);

    return sizeof(struct spill_flow_table) + tallies_bytes(groups) + 2 * HEAP_OVERHEAD +
           FAMILIES * (groups * sizeof(struct spill_flow_group) + entries_bytes(groups) +
                       (size_t)2 * HEAP_OVERHEAD);
}

void spill_flow_table_memory(const struct spill_flow_table *table,
                             struct spill_flow_memory memory[2])
{
    for (unsigned kind = 0; kind < FAMILIES; kind++) {
        const struct spill_flow_family *family = &table->families[kind];

        memory[kind].name = family->name;
        memory[kind].start = family->entries;
        memory[kind].bytes = family->slots * sizeof(struct spill_flow);
    }
}

const struct spill_flow_counters *spill_flow_table_counters(const struct spill_flow_table *table)
{
    return &table->counters;
}

static const struct spill_metric rows[] = {
    SPILL_METRIC(GAUGE, "entries", struct spill_flow_counters, entries, "flows", "in the tables"),
    SPILL_METRIC(COUNTER, "hits", struct spill_flow_counters, hits, "packets",
                 "whose flow was found"),
    SPILL_METRIC(COUNTER, "misses", struct spill_flow_counters, misses, "packets",
                 "whose flow was not found"),
    SPILL_METRIC(COUNTER, "evicted", struct spill_flow_counters, evicted, "flows",
                 "that gave way to a new one"),
    SPILL_METRIC(COUNTER, "expired", struct spill_flow_counters, expired, "flows",
                 "that were silent for the timeout"),
};
const struct spill_metrics spill_flow_metrics = SPILL_METRICS(rows);

/* --------------------------------------------------------------------------- finding flows */

static inline bool is_key4(const struct spill_flow *flow, const struct spill_packet *packet)
{
    const uint64_t *key = (const uint64_t *)(const void *)&packet->key;

    return ((flow->key.words[0] ^ key[0]) | (flow->key.words[1] ^ key[1]) |
            (uint64_t)(flow->inner_vlan ^ packet->inner_vlan)) == 0;
}

static inline bool is_key6(const struct spill_flow *flow, const struct spill_packet *packet)
{
    const uint64_t *key = (const uint64_t *)(const void *)&packet->key;

    return ((flow->key.words[0] ^ key[0]) | (flow->key.words[1] ^ key[1]) |
            (flow->key.words[2] ^ key[2]) | (flow->key.words[3] ^ key[3]) |
            (flow->key.words[4] ^ key[4]) | (uint64_t)(flow->inner_vlan ^ packet->inner_vlan)) == 0;
}

static inline bool is_key(bool is_v4, const struct spill_flow *flow,
                          const struct spill_packet *packet)
{
    return is_v4 ? is_key4(flow, packet) : is_key6(flow, packet);
}

/* A packet's flow, wherever it is; NULL when there is none. */
static struct spill_flow *search(const struct spill_flow_family *family,
                                 const struct spill_packet *packet, uint64_t hash)
{
    struct spill_flow_probe probe = spill_flow_probe(&family->groups, hash);

    for (unsigned i = 0; i < SPILL_FLOW_PROBES; i++) {
        const struct spill_flow_group *group = &family->groups.all[probe.group];
        uint32_t found = spill_flow_group_match(group, spill_flow_tag(hash));

        for (; found != 0; found &= found - 1) {
            struct spill_flow *flow = spill_flow_at(
                family, (uint64_t)probe.group * SPILL_FLOW_GROUP + (uint32_t)__builtin_ctz(found));

            if (is_key(family->is_v4, flow, packet))
                return flow;
        }
        if (group->passed == 0)
            return NULL;
        spill_flow_probe_next(&family->groups, &probe);
    }
    return NULL;
}

/* Where a lookup has got to with the packets of a burst. */
struct looking {
    uint64_t hashes[SPILL_BURST];
    const struct spill_flow_group *groups[SPILL_BURST]; /* at home; of a packet without key, any */
    struct spill_flow *flows[SPILL_BURST]; /* the first entry of that, then one that it may be */
};

/* First all groups are fetched... */
static inline void fetch_groups(const struct spill_flow_table *table,
                                const struct spill_packet *packets, uint32_t count,
                                struct looking *looking)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct spill_packet *packet = &packets[i];
        const uint64_t *words = (const uint64_t *)(const void *)&packet->key;
        const bool is_v4 = likely(packet->kind == SPILL_PACKET_IPV4);
        const struct spill_flow_family *family = &table->families[!is_v4];
        const uint64_t hash = spill_flow_hash_of(&table->hash, is_v4, words, packet->inner_vlan);
        const uint32_t group = spill_flow_home(&family->groups, hash);

        looking->hashes[i] = hash;
        looking->groups[i] = &family->groups.all[group];
        looking->flows[i] = spill_flow_at(family, (uint64_t)group * SPILL_FLOW_GROUP);
        rte_prefetch0(looking->groups[i]);
    }
}

/* ... then the entries that their tags name. */
static inline void fetch_entries(uint32_t count, struct looking *looking)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t found =
            spill_flow_group_match(looking->groups[i], spill_flow_tag(looking->hashes[i]));

        /* Without any it is the next group's first, or a list's head: another flow, or none. */
        looking->flows[i] += __builtin_ctz(found | 1u << SPILL_FLOW_GROUP);
        rte_prefetch0(looking->flows[i]);
    }
}

/* Writes the SAs of found flows to their packets. Apart from the lookup, which is the same whether
 * there are any. */
static __rte_noinline void note_sas(struct spill_packet *packets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct spill_flow *flow =
            packets[i].kind <= SPILL_PACKET_IPV6 ? packets[i].flow : NULL;

        if (flow != NULL && spill_flow_is_protected(flow))
            packets[i].sa = flow->sa[packets[i].direction];
    }
}

uint64_t spill_flow_table_slots(const struct spill_flow_table *table)
{
    return (uint64_t)FAMILIES * table->families[0].slots;
}

/* Whether the flow that was found for a packet has expired. Apart, as it is rarely asked. */
static __rte_noinline bool is_over(const struct spill_flow_table *table,
                                   const struct spill_packet *packet, const struct spill_flow *flow,
                                   uint32_t now)
{
    return spill_flow_is_over(&table->times, &table->families[packet->kind], flow, now);
}

/* As struct spill_rule_count, by its words: that is an instruction less. */
static inline void count_packet(uint64_t *counts, uint32_t tally, const struct spill_packet *packet,
                                uint64_t now)
{
    counts[tally + COUNT_PACKETS]++;
    counts[tally + COUNT_BYTES] += packet->length;
    counts[tally + COUNT_LAST] = now;
}

/* ... then keys are compared, and what is found is counted. While a renewal goes on it is renewed
 * before: a packet that is to ask the rules is counted when they have answered. */
static __rte_always_inline uint32_t compare(struct spill_flow_table *table,
                                            struct spill_packet *packets, uint32_t count,
                                            uint64_t now, const struct looking *looking,
                                            bool renewing)
{
    const uint32_t units = spill_flow_units(&table->times, now);
    const int32_t least = table->times.least;
    uint64_t *counts = table->counts;
    uint32_t hits = 0, misses = 0, passing = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct spill_packet *packet = &packets[i];
        struct spill_flow *flow = looking->flows[i];
        uint32_t *tallies = flow->key.tallies;
        uint32_t seen = units;
        unsigned direction;

        if (unlikely(packet->kind != SPILL_PACKET_IPV4 || !is_key4(flow, packet))) {
            if (packet->kind > SPILL_PACKET_IPV6)
                continue;
            flow = search(&table->families[packet->kind], packet, looking->hashes[i]);
            if (flow != NULL)
                tallies = spill_flow_tallies(&table->families[packet->kind], flow);
        }
        if (unlikely(flow == NULL || spill_flow_age(flow, units) > least)) {
            if (flow == NULL || is_over(table, packet, flow, units)) {
                packet->flow = NULL;
                misses++;
                continue;
            }
            seen = spill_flow_seen(flow, units);
        }
        direction = packet->direction;
        flow->seen = seen;
        flow->gate |= SPILL_FLOW_SPOKE_AGAIN << 8 | 0x100u << direction;
        packet->flow = flow;
        hits++;
        if (renewing)
            spill_flow_renew(&table->renewal, &table->families[packet->kind], flow);
        passing += spill_flow_passes(flow);
        if (!renewing || !spill_flow_asks_again(flow))
            count_packet(counts, tallies[direction], packet, now);
    }
    if (unlikely(passing < hits))
        note_sas(packets, count);
    table->counters.hits += hits;
    table->counters.misses += misses;
    return passing;
}

static __rte_noinline uint32_t compare_renewed(struct spill_flow_table *table,
                                               struct spill_packet *packets, uint32_t count,
                                               uint64_t now, const struct looking *looking)
{
    spill_flow_renewal_turn(&table->renewal, now, spill_flow_table_slots(table));
    return compare(table, packets, count, now, looking, true);
}

uint32_t spill_flow_table_lookup(struct spill_flow_table *table, struct spill_packet *packets,
                                 uint32_t count, uint64_t now)
{
    struct looking looking;

    fetch_groups(table, packets, count, &looking);
    fetch_entries(count, &looking);
    if (unlikely(spill_flow_renewal_goes_on(&table->renewal)))
        return compare_renewed(table, packets, count, now, &looking);
    return compare(table, packets, count, now, &looking, false);
}

/* ------------------------------------------------------------------- adding and removing */

/* Makes an entry that of a connection whose first packet this is. */
static void begin(const struct spill_flow_table *table, const struct spill_flow_family *family,
                  struct spill_flow *flow, const struct spill_packet *packet, uint32_t now)
{
    memset(spill_flow_tallies(family, flow), 0, 2 * sizeof(uint32_t));
    flow->seen = now;
    flow->version = table->renewal.version;
    flow->gate = 0;
    flow->spoken = (uint8_t)(1u << packet->direction);
}

/* A slot for a new key. -1: there is none. */
static int64_t take_slot(struct spill_flow_table *table, struct spill_flow_family *family,
                         uint64_t hash)
{
    int64_t slot;

    if (family->entry_count == family->capacity) {
        if (!spill_flow_evict(family, &table->hash))
            return -1;
        table->counters.evicted++;
        table->counters.entries--;
    }
    slot = spill_flow_groups_take(&family->groups, hash);
    if (unlikely(slot < 0) && spill_flow_evict_near(family, &table->hash, hash)) {
        table->counters.evicted++;
        table->counters.entries--;
        slot = spill_flow_groups_take(&family->groups, hash);
    }
    return slot;
}

static struct spill_flow *add(struct spill_flow_table *table, struct spill_flow_family *family,
                              const struct spill_packet *packet, uint64_t hash)
{
    const int64_t slot = take_slot(table, family, hash);
    struct spill_flow *flow;

    if (unlikely(slot < 0)) {
        table->counters.refused++;
        return NULL;
    }
    flow = spill_flow_at(family, (uint64_t)slot);
    memcpy(&flow->key, &packet->key, family->is_v4 ? sizeof(flow->key.v4) : sizeof(flow->key.v6));
    flow->inner_vlan = packet->inner_vlan;
    spill_flow_enlist(family, flow, SPILL_FLOW_STRANGER);
    family->entry_count++;
    table->counters.entries++;
    return flow;
}

struct spill_flow *spill_flow_table_find_or_add(struct spill_flow_table *table,
                                                const struct spill_packet *packet, uint64_t now)
{
    struct spill_flow_family *family = &table->families[packet->kind];
    const uint64_t hash =
        spill_flow_hash_of(&table->hash, family->is_v4,
                           (const uint64_t *)(const void *)&packet->key, packet->inner_vlan);
    const uint32_t units = spill_flow_units(&table->times, now);
    struct spill_flow *flow = search(family, packet, hash);

    if (flow == NULL) {
        flow = add(table, family, packet, hash);
        if (flow != NULL)
            begin(table, family, flow, packet, units);
        return flow;
    }
    if (spill_flow_is_over(&table->times, family, flow, units)) {
        table->counters.expired++;
        if (flow->class != SPILL_FLOW_STRANGER)
            spill_flow_demote(family, flow);
        begin(table, family, flow, packet, units);
        return flow;
    }
    if (unlikely(spill_flow_renewal_goes_on(&table->renewal)))
        spill_flow_renew(&table->renewal, family, flow);
    flow->seen = spill_flow_seen(flow, units);
    flow->spoken |= (uint8_t)(SPILL_FLOW_SPOKE_AGAIN | 1u << packet->direction);
    return flow;
}

struct spill_flow *spill_flow_table_find(struct spill_flow_table *table,
                                         const struct spill_packet *packet, uint64_t now)
{
    const struct spill_flow_family *family = &table->families[packet->kind];
    const uint64_t hash =
        spill_flow_hash_of(&table->hash, family->is_v4,
                           (const uint64_t *)(const void *)&packet->key, packet->inner_vlan);
    struct spill_flow *flow = search(family, packet, hash);

    if (flow == NULL ||
        spill_flow_is_over(&table->times, family, flow, spill_flow_units(&table->times, now)))
        return NULL;
    if (unlikely(spill_flow_renewal_goes_on(&table->renewal)))
        spill_flow_renew(&table->renewal, family, flow);
    return flow;
}

/* The family that an entry is of. */
static struct spill_flow_family *family_of(struct spill_flow_table *table,
                                           const struct spill_flow *flow)
{
    const struct spill_flow_family *first = &table->families[0];

    return &table->families[(uintptr_t)flow - (uintptr_t)first->entries >=
                            first->slots * sizeof(*flow)];
}

bool spill_flow_table_is_older(const struct spill_flow_table *table, const struct spill_flow *flow)
{
    return flow->version != table->renewal.version || spill_flow_asks_again(flow);
}

void spill_flow_table_step(struct spill_flow_table *table, struct spill_flow *flow,
                           const struct spill_packet *packet, bool data, uint64_t now)
{
    if (spill_flow_is_allowed(flow))
        spill_flow_step(&table->times, family_of(table, flow), flow, packet, data,
                        spill_flow_units(&table->times, now));
}

static bool has_limit(struct spill_flow_table *table, uint32_t tally)
{
    return spill_flow_table_count_of(table, tally)->limit != NULL;
}

/*
 * Has a direction counted where the rule is that decided it, and the other one too where that has
 * but replies. What is denied a side of a connection that the other has begun leaves it that one's.
 */
static void note_tally(struct spill_flow_table *table, const struct spill_flow_family *family,
                       struct spill_flow *flow, unsigned direction, uint32_t tally)
{
    const unsigned let = SPILL_FLOW_ALLOWED | SPILL_FLOW_PROTECTED;
    const unsigned own = flow->rights >> direction, other = flow->rights >> !direction;
    uint32_t *tallies = spill_flow_tallies(family, flow);
    const bool known = tallies[direction] == tally;

    if ((own & let) == 0 && (other & SPILL_FLOW_ALLOWED) != 0)
        return;
    tallies[direction] = tally;
    if ((other & let) == 0 && (own & SPILL_FLOW_ALLOWED) != 0)
        tallies[!direction] = tally;
    flow->limited = has_limit(table, tallies[0]) || has_limit(table, tallies[1]);
    if (!known)
        table->counts[tally + COUNT_CONNECTIONS]++;
}

void spill_flow_table_note(struct spill_flow_table *table, struct spill_flow *flow,
                           unsigned direction, enum spill_verdict verdict, uint16_t sa,
                           uint32_t tally)
{
    static const uint8_t BITS[] = {
        [SPILL_VERDICT_UNKNOWN] = 0,
        [SPILL_VERDICT_ALLOW] = SPILL_FLOW_ALLOWED,
        [SPILL_VERDICT_DENY] = SPILL_FLOW_DENIED,
        [SPILL_VERDICT_PROTECT] = SPILL_FLOW_PROTECTED,
    };
    struct spill_flow_family *family = family_of(table, flow);
    const bool was_allowed = spill_flow_is_allowed(flow);
    bool allowed;
    uint32_t gone;

    if (verdict == SPILL_VERDICT_UNKNOWN)
        return;
    if (spill_flow_table_is_older(table, flow)) {
        flow->rights = 0;
        spill_flow_tallies(family, flow)[!direction] = SPILL_RULE_TALLY_NONE;
    }
    flow->version = table->renewal.version;
    flow->rights |= (uint8_t)(BITS[verdict] << direction);
    /* It stands beside the verdict that goes before the others. */
    if (spill_rights_own(flow->rights, direction) == verdict) {
        flow->sa[direction] = sa;
        note_tally(table, family, flow, direction, tally);
    }
    allowed = spill_flow_is_allowed(flow);
    if (!allowed && flow->class != SPILL_FLOW_STRANGER)
        spill_flow_demote(family, flow);
    if (!allowed || flow->class != SPILL_FLOW_STRANGER)
        return;
    /* What strangers have sent is no answer. */
    if (!was_allowed)
        flow->spoken = (uint8_t)(1u << direction);
    gone = spill_flow_promote(family, &table->hash, flow);
    table->counters.evicted += gone;
    table->counters.entries -= gone;
}

void spill_flow_table_count_in(struct spill_flow_table *table, struct spill_rule_count *counts)
{
    table->counts = &counts->packets;
}

uint32_t spill_flow_table_tally(struct spill_flow_table *table, struct spill_flow *flow,
                                unsigned direction)
{
    return spill_flow_tallies(family_of(table, flow), flow)[direction];
}

bool spill_flow_table_has_counted(struct spill_flow_table *table, struct spill_flow *flow,
                                  unsigned direction)
{
    return !spill_flow_asks_again(flow) &&
           spill_flow_table_tally(table, flow, direction) != SPILL_RULE_TALLY_NONE;
}

struct spill_rule_count *spill_flow_table_count_of(struct spill_flow_table *table, uint32_t tally)
{
    return (struct spill_rule_count *)(void *)&table->counts[tally];
}

void spill_flow_table_count(struct spill_flow_table *table, uint32_t tally,
                            const struct spill_packet *packet, uint64_t now)
{
    count_packet(table->counts, tally, packet, now);
}

void spill_flow_table_uncount(struct spill_flow_table *table, uint32_t tally,
                              const struct spill_packet *packet)
{
    table->counts[tally + COUNT_PACKETS]--;
    table->counts[tally + COUNT_BYTES] -= packet->length;
}

void spill_flow_table_note_old(struct spill_flow_table *table, struct spill_flow *flow,
                               unsigned direction)
{
    if (flow->rights != 0)
        return;
    spill_flow_table_note(table, flow, direction, SPILL_VERDICT_ALLOW, 0, SPILL_RULE_TALLY_NONE);
    flow->rights |= SPILL_FLOW_DUE;
    flow->version--;
}

void spill_flow_table_renew(struct spill_flow_table *table, uint64_t now)
{
    spill_flow_renewal_begin(&table->renewal, now, spill_flow_table_slots(table));
}

bool spill_flow_table_renewed(const struct spill_flow_table *table)
{
    return table->renewal.left == 0;
}

bool spill_flow_table_settled(const struct spill_flow_table *table)
{
    return !spill_flow_renewal_goes_on(&table->renewal);
}

/* Looks at a flow, and removes it if it has expired; returns whether it did. */
static bool expire_flow(struct spill_flow_table *table, struct spill_flow_family *family,
                        struct spill_flow *flow, uint32_t now)
{
    if (unlikely(spill_flow_renewal_goes_on(&table->renewal)))
        spill_flow_renew(&table->renewal, family, flow);
    if (flow->pending != 0 || spill_flow_age(flow, now) <= table->times.least)
        return false;
    if (!spill_flow_is_over(&table->times, family, flow, now)) {
        spill_flow_keep_age(flow, now);
        return false;
    }
    spill_flow_remove(family, &table->hash, flow);
    return true;
}

uint32_t spill_flow_table_expire(struct spill_flow_table *table, uint64_t now, uint32_t count)
{
    const uint32_t units = spill_flow_units(&table->times, now);
    uint32_t removed = 0;

    if (unlikely(spill_flow_renewal_goes_on(&table->renewal)))
        spill_flow_renewal_turn(&table->renewal, now, spill_flow_table_slots(table));
    for (uint32_t i = 0; i < count; i++) {
        struct spill_flow_family *family = &table->families[table->hand_family];
        const uint32_t slot = table->hand++;

        rte_prefetch0(spill_flow_at(family, RTE_MIN(slot + count, family->slots - 1)));
        if (family->groups.all[slot / SPILL_FLOW_GROUP].tags[slot % SPILL_FLOW_GROUP] != 0)
            removed += expire_flow(table, family, spill_flow_at(family, slot), units);
        if (table->hand == family->slots) {
            table->hand = 0;
            table->hand_family = (table->hand_family + 1) % FAMILIES;
        }
    }
    spill_flow_renewal_clean(&table->renewal, count);
    table->counters.entries -= removed;
    table->counters.expired += removed;
    return removed;
}
