/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table: two rte_hashes, each of whose stored keys carries its flow behind it.
 *
 * An rte_hash copies key_len bytes of a key into an array of its own and compares them with a
 * function that the user may set. Here key_len counts the flow's eight bytes too, and the
 * comparison leaves them out. So the flow lies in the cache line that the lookup has just read to
 * compare the key: with a million flows each packet is spared a cache miss, compared with an array
 * beside it. What has to hold for it, that a key's address is linear in its position, a power of
 * two from the next, and stays, is measured when a table is made.
 *
 * Renewal: the time of it is compared with `seen` of each flow that a packet finds, but only until
 * the hand that looks for expired flows has been all over the table, and has taken away all
 * verdicts that are older. So a lookup pays for it with one branch a burst, and the time of renewal
 * can't become ambiguous.
 */
#include "classify/flow_table.h"

#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "classify/flow_hash.h"

#define FREE           UINT16_MAX /* `pending` of a place without flow */
#define BUCKET_ENTRIES 8          /* of an rte_hash's bucket, which is a cache line */
#define MAX_LOAD       80         /* % of the buckets' entries in use; see positions_for() */
#define HASH_OVERHEAD  2048 /* bytes of a hash, its ring and what the EAL's heap adds to each */
#define SAMPLES_MAX    4    /* samples an eviction takes while all of a sample is held */

/* A unit of `seen` is 2^TIME_SHIFT cycles (25 us at 2.6 GHz), or more when the timeout has more
 * than TIMEOUT_MAX of them: times are compared as long as they are less than 2^31 units apart, so
 * that a flow that has expired can be found so for 2^30 units (7 h) at least. Where none expires,
 * `seen` is kept from becoming older than TIMEOUT_MAX. */
#define TIME_SHIFT  16
#define TIMEOUT_MAX (1u << 30)

/* Bit of `seen`, whose unit it leaves out: the flow had a second packet. One that hadn't counts as
 * ONCE_WEIGHT times as old when one must go, for such is what a flood leaves; a flow that is
 * established goes only when it was silent for so much longer. */
#define SEEN_AGAIN  1u
#define ONCE_WEIGHT 8

/* How often the expiring hand has to leave a family's end until it has been all over both, wherever
 * it is: the rest of this family, the other one, the first part of this one. */
#define FAMILIES_OF_A_ROUND 3

/* What an rte_hash stores of a key. */
struct entry4 {
    uint64_t key[SPILL_FLOW_HASH_WORDS4];
    struct spill_flow flow;
};

struct entry6 {
    uint64_t key[SPILL_FLOW_HASH_WORDS6];
    struct spill_flow flow;
};

_Static_assert(offsetof(struct spill_packet, key) == 0, "a packet's address is its key's");
_Static_assert(offsetof(struct entry6, flow) == sizeof(struct spill_key6),
               "all of a key is hashed");

/* One address family's half of the table. */
struct family {
    struct rte_hash *keys;
    uint8_t *places;      /* the stored key at position 0 */
    unsigned place_shift; /* 2^this bytes from one position's key to the next one's */
    uint32_t flow_offset; /* bytes from a stored key to its flow; so many are compared */
    uint32_t positions;   /* of the hash; more than the capacity */
    uint32_t entries;
    uint32_t segment;   /* positions / SPILL_FLOW_SAMPLE: a sample has one place of each segment */
    uint32_t hand;      /* where in the segments the next sample is */
    uint16_t (*sas)[2]; /* by position and direction; only what is protected is read */
    char name[SPILL_FLOW_TABLE_NAME_MAX + 4];
};

struct spill_flow_table {
    struct family v4;
    struct family v6;
    struct spill_flow_hash hash;
    uint32_t capacity;
    unsigned time_shift;
    uint32_t timeout;  /* units of 2^time_shift cycles */
    bool expires;      /* or else `timeout` is when a flow becomes no older */
    uint32_t renewed;  /* units with SEEN_AGAIN: until then, while `renewing` isn't 0 */
    unsigned renewing; /* how often next_expire_family() ends a family until all are renewed */
    struct family *expire_family;
    uint32_t expire_hand;
    struct spill_flow_counters counters;
};

static int compare4(const void *first, const void *second, size_t length __rte_unused)
{
    const uint64_t *a = first;
    const uint64_t *b = second;

    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) != 0;
}

static int compare6(const void *first, const void *second, size_t length __rte_unused)
{
    const uint64_t *a = first;
    const uint64_t *b = second;

    return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4])) != 0;
}

static inline void *place_at(const struct family *family, uint32_t position)
{
    return family->places + ((size_t)position << family->place_shift);
}

static inline struct spill_flow *flow_at(const struct family *family, uint32_t position)
{
    return (struct spill_flow *)((uint8_t *)place_at(family, position) + family->flow_offset);
}

/*
 * Positions that an rte_hash must have for `capacity` flows. One is to spare: an addition comes
 * before the eviction that makes room for it.
 *
 * rte_hash rounds them up to a power of two for its buckets. The fuller these are, the more keys an
 * addition has to move: with 64 k entries an addition and its eviction took 218, 222, 240, 256,
 * 283, 338, 509 cycles at 51, 70, 80, 85, 90, 95, 98 % load, and nothing was refused; with 1 M 737
 * at 51 %, 844 at 80, 2 594 at 98. From MAX_LOAD on the buckets get the next power of two.
 */
static uint32_t positions_for(uint32_t capacity)
{
    uint32_t slots = rte_align32pow2(capacity + 1);

    return (uint64_t)capacity * 100 <= (uint64_t)slots * MAX_LOAD ? capacity + 1 : slots + 1;
}

/*
 * Learns from two keys where the stored keys are. A third one must lie where they say.
 */
static int find_places(struct family *family)
{
    uint64_t key[3][sizeof(struct entry6) / sizeof(uint64_t)] = {{1}, {2}, {3}};
    int32_t position[3];
    uint8_t *address[3];
    size_t stride;

    for (unsigned i = 0; i < 3; i++) {
        position[i] = rte_hash_add_key(family->keys, key[i]);
        if (position[i] < 0 ||
            rte_hash_get_key_with_position(family->keys, position[i], (void **)&address[i]) != 0) {
            return -1;
        }
    }
    for (unsigned i = 0; i < 3; i++)
        rte_hash_del_key(family->keys, key[i]);
    stride = (size_t)((address[1] - address[0]) / (position[1] - position[0]));
    if (!rte_is_power_of_2((uint32_t)stride))
        return -1;
    family->place_shift = rte_bsf32((uint32_t)stride);
    family->places = address[0] - ((size_t)position[0] << family->place_shift);
    return place_at(family, (uint32_t)position[2]) == address[2] ? 0 : -1;
}

static int family_create(struct family *family, const struct spill_flow_table_config *config,
                         const char *suffix, rte_hash_cmp_eq_t compare, struct spill_error *error)
{
    struct rte_hash_parameters parameters = {
        .name = family->name,
        .entries = positions_for(config->capacity),
        .key_len = family->flow_offset + (uint32_t)sizeof(struct spill_flow),
        .socket_id = config->socket,
    };

    snprintf(family->name, sizeof(family->name), "%s.%s", config->name, suffix);
    family->keys = rte_hash_create(&parameters);
    if (family->keys == NULL) {
        return spill_error_set(error, "flow table %s: no rte_hash for %u flows on NUMA node %d: %s",
                               family->name, config->capacity, config->socket,
                               rte_strerror(rte_errno));
    }
    if (find_places(family) != 0) {
        return spill_error_set(error,
                               "flow table %s: this DPDK's rte_hash stores its keys in a way "
                               "that spillway doesn't know",
                               family->name);
    }
    rte_hash_set_cmp_func(family->keys, compare);
    family->positions = (uint32_t)rte_hash_max_key_id(family->keys);
    family->segment = (family->positions + SPILL_FLOW_SAMPLE - 1) / SPILL_FLOW_SAMPLE;
    for (uint32_t i = 0; i < family->positions; i++)
        flow_at(family, i)->pending = FREE;
    family->sas = rte_zmalloc_socket("spill_flow_sas", family->positions * sizeof(*family->sas),
                                     RTE_CACHE_LINE_SIZE, config->socket);
    if (family->sas == NULL) {
        return spill_error_set(error, "flow table %s: no memory on NUMA node %d", family->name,
                               config->socket);
    }
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
    table->capacity = config->capacity;
    table->time_shift = TIME_SHIFT;
    while (config->timeout >> table->time_shift >= TIMEOUT_MAX)
        table->time_shift++;
    table->expires = config->timeout != 0;
    table->timeout = table->expires ? RTE_MAX((uint32_t)(config->timeout >> table->time_shift), 1u)
                                    : TIMEOUT_MAX;
    table->expire_family = &table->v4;
    table->v4.flow_offset = offsetof(struct entry4, flow);
    table->v6.flow_offset = offsetof(struct entry6, flow);
    spill_flow_hash_init(&table->hash, config->seed);
    if (family_create(&table->v4, config, "v4", compare4, error) != 0 ||
        family_create(&table->v6, config, "v6", compare6, error) != 0) {
        spill_flow_table_free(table);
        return NULL;
    }
    return table;
}

void spill_flow_table_free(struct spill_flow_table *table)
{
    if (table != NULL) {
        rte_hash_free(table->v4.keys);
        rte_hash_free(table->v6.keys);
        rte_free(table->v4.sas);
        rte_free(table->v6.sas);
        rte_free(table);
    }
}

static inline uint32_t time_units(const struct spill_flow_table *table, uint64_t now)
{
    return (uint32_t)(now >> table->time_shift) & ~SEEN_AGAIN;
}

/* Of two times less than 2^31 units apart, whether the first is before the second. */
static inline bool is_before(uint32_t first, uint32_t second)
{
    return (int32_t)(first - second) < 0;
}

/* Takes the verdicts from a flow that was not seen since the renewal. */
static inline void renew_flow(const struct spill_flow_table *table, struct spill_flow *flow)
{
    if (!is_before(table->renewed, flow->seen) && flow->verdicts != 0)
        flow->verdicts = 0;
}

/* The same for the flows that a lookup found. Not inlined: hardly ever called. */
static __rte_noinline void renew_found(const struct spill_flow_table *table,
                                       const struct family *family, const int32_t *positions,
                                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (positions[i] >= 0)
            renew_flow(table, flow_at(family, (uint32_t)positions[i]));
}

/* Writes the SAs of found flows to their packets. Apart from the lookup, which is the same whether
 * there are any. */
static __rte_noinline void note_sas(const struct family *family, struct spill_packet **packets,
                                    const int32_t *positions, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (positions[i] >= 0 && spill_flow_is_protected(packets[i]->flow))
            packets[i]->sa = family->sas[positions[i]][packets[i]->direction];
}

/* Looks up packets of one family, whose keys begin where the packets do. Returns how many pass. */
static inline uint32_t lookup_family(struct spill_flow_table *table, const struct family *family,
                                     struct spill_packet **packets, hash_sig_t *hashes,
                                     uint32_t count, uint32_t seen)
{
    int32_t positions[SPILL_BURST];
    uint32_t hits = 0, passing = 0;

    rte_hash_lookup_with_hash_bulk(family->keys, (const void **)packets, hashes, count, positions);
    if (unlikely(table->renewing != 0))
        renew_found(table, family, positions, count);
    for (uint32_t i = 0; i < count; i++) {
        struct spill_flow *flow = NULL;

        if (likely(positions[i] >= 0)) {
            flow = flow_at(family, (uint32_t)positions[i]);
            flow->seen = seen;
            hits++;
            passing += spill_flow_passes(flow);
        }
        packets[i]->flow = flow;
    }
    if (unlikely(passing < hits))
        note_sas(family, packets, positions, count);
    table->counters.hits += hits;
    table->counters.misses += count - hits;
    return passing;
}

uint32_t spill_flow_table_lookup(struct spill_flow_table *table, struct spill_packet *packets,
                                 uint32_t count, uint64_t now)
{
    struct spill_packet *v4[SPILL_BURST];
    struct spill_packet *v6[SPILL_BURST];
    hash_sig_t hash_v4[SPILL_BURST];
    hash_sig_t hash_v6[SPILL_BURST];
    uint32_t count_v4 = 0;
    uint32_t count_v6 = 0;
    uint32_t passing = 0;
    uint32_t seen = time_units(table, now) | SEEN_AGAIN;

    for (uint32_t i = 0; i < count; i++) {
        struct spill_packet *packet = &packets[i];

        if (likely(packet->kind == SPILL_PACKET_IPV4)) {
            hash_v4[count_v4] = spill_flow_hash4(&table->hash, (const uint64_t *)&packet->key);
            v4[count_v4++] = packet;
        } else if (packet->kind == SPILL_PACKET_IPV6) {
            hash_v6[count_v6] = spill_flow_hash6(&table->hash, (const uint64_t *)&packet->key);
            v6[count_v6++] = packet;
        }
    }
    if (count_v4 != 0)
        passing += lookup_family(table, &table->v4, v4, hash_v4, count_v4, seen);
    if (count_v6 != 0)
        passing += lookup_family(table, &table->v6, v6, hash_v6, count_v6, seen);
    return passing;
}

static inline hash_sig_t hash_of(const struct spill_flow_table *table, const struct family *family,
                                 const uint64_t *key)
{
    return family == &table->v4 ? spill_flow_hash4(&table->hash, key)
                                : spill_flow_hash6(&table->hash, key);
}

static void remove_at(const struct spill_flow_table *table, struct family *family,
                      uint32_t position)
{
    const uint64_t *key = place_at(family, position);

    rte_hash_del_key_with_hash(family->keys, key, hash_of(table, family, key));
    flow_at(family, position)->pending = FREE;
}

/* The position of a sample's i-th place; the last segment may be short of some. */
static inline uint32_t sample_position(const struct family *family, uint32_t i)
{
    return RTE_MIN(i * family->segment + family->hand, family->positions - 1);
}

/* How much a flow is due to go; 0 when it may not. */
static inline uint64_t dueness(const struct spill_flow *flow, uint32_t now)
{
    uint64_t age = is_before(flow->seen, now) ? now - flow->seen : 0;

    if (flow->pending != 0)
        return 0;
    return (flow->seen & SEEN_AGAIN) != 0 ? age + 1 : (age + 1) * ONCE_WEIGHT;
}

/*
 * One sample: the position of its entry that is most due to go, -1 when none may. The places of the
 * next sample are fetched meanwhile. Neighbours in time are often neighbours in position, so a
 * sample takes its places from all over the table.
 */
static int64_t choose_of_sample(struct family *family, uint32_t now)
{
    int64_t chosen = -1;
    uint64_t greatest = 0;

    for (uint32_t i = 0; i < SPILL_FLOW_SAMPLE; i++) {
        uint32_t position = sample_position(family, i);
        uint64_t due = dueness(flow_at(family, position), now);

        if (due > greatest) {
            chosen = position;
            greatest = due;
        }
    }
    family->hand = family->hand + 1 < family->segment ? family->hand + 1 : 0;
    for (uint32_t i = 0; i < SPILL_FLOW_SAMPLE; i++)
        rte_prefetch0(flow_at(family, sample_position(family, i)));
    return chosen;
}

static bool evict(struct spill_flow_table *table, struct family *family, uint32_t now)
{
    for (unsigned i = 0; i < SAMPLES_MAX; i++) {
        int64_t position = choose_of_sample(family, now);

        if (position >= 0) {
            remove_at(table, family, (uint32_t)position);
            family->entries--;
            table->counters.entries--;
            table->counters.evicted++;
            return true;
        }
    }
    return false;
}

struct spill_flow *spill_flow_table_find_or_add(struct spill_flow_table *table,
                                                const struct spill_packet *packet, uint64_t now)
{
    bool is_v4 = packet->kind == SPILL_PACKET_IPV4;
    struct family *family = is_v4 ? &table->v4 : &table->v6;
    /* Stored as a place without flow: that tells a new entry from one that was there. */
    const struct spill_flow new_flow = {.seen = time_units(table, now), .pending = FREE};
    struct entry6 entry;
    struct spill_flow *flow;
    int32_t position;

    memcpy(entry.key, &packet->key, sizeof(entry.key));
    memcpy((uint8_t *)&entry + family->flow_offset, &new_flow, sizeof(new_flow));
    position = rte_hash_add_key_with_hash(family->keys, &entry, hash_of(table, family, entry.key));
    if (unlikely(position < 0)) {
        table->counters.refused++;
        return NULL;
    }
    flow = flow_at(family, (uint32_t)position);
    if (flow->pending != FREE) {
        if (unlikely(table->renewing != 0))
            renew_flow(table, flow);
        flow->seen = new_flow.seen | SEEN_AGAIN;
        return flow;
    }
    if (family->entries == table->capacity && !evict(table, family, new_flow.seen)) {
        remove_at(table, family, (uint32_t)position);
        table->counters.refused++;
        return NULL;
    }
    flow->pending = 0;
    family->entries++;
    table->counters.entries++;
    return flow;
}

/* The family of a flow, and its position there. */
static inline const struct family *place_of(const struct spill_flow_table *table,
                                            const struct spill_flow *flow, uint32_t *position)
{
    const struct family *family = &table->v4;
    uintptr_t offset = (uintptr_t)flow - (uintptr_t)family->places;

    if (offset >= (uintptr_t)family->positions << family->place_shift) {
        family = &table->v6;
        offset = (uintptr_t)flow - (uintptr_t)family->places;
    }
    *position = (uint32_t)(offset >> family->place_shift);
    return family;
}

void spill_flow_table_set_sa(struct spill_flow_table *table, const struct spill_flow *flow,
                             unsigned direction, uint16_t id)
{
    uint32_t position;
    const struct family *family = place_of(table, flow, &position);

    family->sas[position][direction] = id;
}

uint16_t spill_flow_table_sa(const struct spill_flow_table *table, const struct spill_flow *flow,
                             unsigned direction)
{
    uint32_t position;
    const struct family *family = place_of(table, flow, &position);

    return family->sas[position][direction];
}

void spill_flow_table_renew(struct spill_flow_table *table, uint64_t now)
{
    table->renewed = time_units(table, now) | SEEN_AGAIN;
    table->renewing = FAMILIES_OF_A_ROUND;
}

/* Goes on with the other family when this one's places are through, or when it has no flows. */
static void next_expire_family(struct spill_flow_table *table)
{
    table->expire_family = table->expire_family == &table->v4 ? &table->v6 : &table->v4;
    table->expire_hand = 0;
    if (table->renewing != 0)
        table->renewing--;
}

/* Looks at a place, and removes its flow if that has expired; returns whether it did. */
static bool expire_at(struct spill_flow_table *table, struct family *family, uint32_t position,
                      uint32_t now)
{
    struct spill_flow *flow = flow_at(family, position);

    if (flow->pending == FREE)
        return false;
    if (unlikely(table->renewing != 0))
        renew_flow(table, flow);
    if (flow->pending != 0 || !is_before(flow->seen + table->timeout, now))
        return false;
    if (!table->expires) {
        flow->seen = (now - table->timeout) | (flow->seen & SEEN_AGAIN);
        return false;
    }
    remove_at(table, family, position);
    family->entries--;
    return true;
}

uint32_t spill_flow_table_expire(struct spill_flow_table *table, uint64_t now, uint32_t count)
{
    uint32_t units = time_units(table, now);
    uint32_t removed = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct family *family = table->expire_family;
        uint32_t position = table->expire_hand++;

        if (family->entries == 0 || position >= family->positions) {
            next_expire_family(table);
            continue;
        }
        rte_prefetch0(flow_at(family, RTE_MIN(position + count, family->positions - 1)));
        removed += expire_at(table, family, position, units);
    }
    table->counters.entries -= removed;
    table->counters.expired += removed;
    return removed;
}

const struct spill_flow_counters *spill_flow_table_counters(const struct spill_flow_table *table)
{
    return &table->counters;
}

/* What rte_hash_create() allocates: buckets, keys with their data pointer, ring of free positions;
 * and the array of SAs beside it. */
static size_t family_bytes(uint32_t positions, size_t key_length)
{
    size_t buckets = rte_align32pow2(positions) / BUCKET_ENTRIES * RTE_CACHE_LINE_SIZE;
    size_t keys = (positions + (size_t)1) * RTE_ALIGN(sizeof(void *) + key_length, 16);
    size_t ring = rte_align32pow2(positions + 1) * sizeof(uint32_t);
    size_t sas = (positions + (size_t)1) * sizeof(uint16_t[2]);

    return buckets + keys + ring + sas + HASH_OVERHEAD;
}

size_t spill_flow_table_bytes(uint32_t capacity)
{
    uint32_t positions = positions_for(capacity);

    return sizeof(struct spill_flow_table) + family_bytes(positions, sizeof(struct entry4)) +
           family_bytes(positions, sizeof(struct entry6));
}

void spill_flow_table_memory(const struct spill_flow_table *table,
                             struct spill_flow_memory memory[2])
{
    const struct family *families[2] = {&table->v4, &table->v6};

    for (unsigned i = 0; i < 2; i++) {
        memory[i].name = families[i]->name;
        memory[i].start = families[i]->places;
        memory[i].bytes = (size_t)families[i]->positions << families[i]->place_shift;
    }
}
