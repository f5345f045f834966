/* SPDX-License-Identifier: BSD-3-Clause */
/* The store of SAs, and versions of those in force. */
#include "ipsec/sa_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>

#include "base/dpdk_versions.h"
#include "ipsec/sa_names.h"

#define ID_MAX UINT16_MAX

/* Keys of SAs that are gone, and the number that each had come to: the last so many. One that comes
 * back must not begin at 1 again. */
#define SPENT_KEYS 4096

#define HASH_SIZE 16384 /* of SAs that live, a power of two */

struct spent {
    struct spill_sa_config config;
    uint64_t sequence;
};

struct spill_sa_store {
    struct spill_crypto *crypto;
    struct spill_crypto_user *lcores;
    uint32_t lcore_count;
    int memory_nodes[SPILL_NODES_MAX];
    uint32_t versions; /* made so far: their tables need names */
    uint32_t last_id;  /* given; the search for a free one goes on behind it */
    struct spill_sa *by_id[ID_MAX + 1];
    /* Those that live, by hashes of their keys and of the names of their lanes: ids, each
     * with the next one of the same hash; 0: none. */
    uint16_t by_key[HASH_SIZE], next_by_key[ID_MAX + 1];
    uint16_t by_name[HASH_SIZE], next_by_name[ID_MAX + 1];
    uint32_t id_limit;   /* ids below it may have been given; the others never were */
    uint32_t unused;     /* SAs that no version has */
    uint32_t next_spent; /* place of the next; once all are taken, the oldest goes */
    uint32_t spent_count;
    struct spent spent[SPENT_KEYS];
};

struct spill_sa_store *spill_sa_store_create(const struct spill_sa_store_config *config,
                                             struct spill_error *error)
{
    struct spill_sa_store *store = calloc(1, sizeof(*store));

    if (store != NULL) {
        store->crypto = config->crypto;
        store->lcores = calloc(RTE_MAX_LCORE, sizeof(*store->lcores));
    }
    if (store == NULL || store->lcores == NULL) {
        spill_error_set(error, "no memory for SAs");
        free(store);
        return NULL;
    }
    memcpy(store->lcores, config->lcores, config->lcore_count * sizeof(*store->lcores));
    store->lcore_count = config->lcore_count;
    memcpy(store->memory_nodes, config->memory_nodes, sizeof(store->memory_nodes));
    return store;
}

int spill_sa_store_add_lcore(struct spill_sa_store *store, const struct spill_crypto_user *lcore,
                             struct spill_error *error)
{
    uint32_t i;

    if (spill_crypto_add_user(store->crypto, lcore, error) != 0)
        return -1;
    for (i = 1; i < store->id_limit; i++) {
        if (store->by_id[i] != NULL &&
            spill_sa_add_lcore(store->by_id[i], store->crypto, lcore, error) != 0)
            return -1;
    }
    for (i = 0; i < store->lcore_count && store->lcores[i].id != lcore->id; i++)
        ;
    if (i == store->lcore_count)
        store->lcores[store->lcore_count++] = *lcore;
    return 0;
}

void spill_sa_store_free(struct spill_sa_store *store)
{
    uint32_t id;

    if (store == NULL)
        return;
    for (id = 1; id < store->id_limit; id++)
        spill_sa_free(store->by_id[id]);
    explicit_bzero(store->spent, store->spent_count * sizeof(*store->spent));
    free(store->lcores);
    free(store);
}

/* Notes what a key was used for; one that was not used may begin at 1 again. A key has one place,
 * so that reloads which come to nothing push no other out. */
static void remember(struct spill_sa_store *store, const struct spill_sa *sa)
{
    const struct spill_sa_state *state = sa->state;
    uint64_t sequence = sa->config.direction == SPILL_SA_OUT ? state->sequence : state->replay.top;
    uint32_t i = 0;

    if (sequence == 0)
        return;
    while (i < store->spent_count && !spill_sa_same_key(&store->spent[i].config, &sa->config))
        i++;
    if (i < store->spent_count) {
        store->spent[i].sequence = RTE_MAX(store->spent[i].sequence, sequence);
        return;
    }
    store->spent[store->next_spent] = (struct spent){.config = sa->config, .sequence = sequence};
    store->next_spent = (store->next_spent + 1) % SPENT_KEYS;
    store->spent_count = RTE_MIN(store->spent_count + 1, (uint32_t)SPENT_KEYS);
}

/* The number that an SA with the same key came to before it went; 0: there was none. */
static uint64_t recall(const struct spill_sa_store *store, const struct spill_sa_config *config)
{
    uint64_t sequence = 0;
    uint32_t i;

    for (i = 0; i < store->spent_count; i++) {
        if (spill_sa_same_key(&store->spent[i].config, config))
            sequence = RTE_MAX(sequence, store->spent[i].sequence);
    }
    return sequence;
}

/* --------------------------------------------------------------------------- SAs that live */

static uint32_t hash_key(const struct spill_sa_config *config)
{
    uint32_t hash = 2166136261; /* FNV-1a */

    for (size_t i = 0; i < sizeof(config->key); i++)
        hash = (hash ^ config->key[i]) * 16777619;
    return (hash ^ hash >> 15) % HASH_SIZE;
}

/* The name by which rules know an SA. */
static const char *name_in_rules(const struct spill_sa_config *config)
{
    return config->stands_for[0] != '\0' ? config->stands_for : config->name;
}

/* That by which SAs have one lane. */
static const char *name_of_lane(const struct spill_sa_config *config)
{
    return config->lane_with[0] != '\0' ? config->lane_with : name_in_rules(config);
}

static uint32_t hash_name(const struct spill_sa_config *config)
{
    return spill_sa_names_hash(name_of_lane(config)) % HASH_SIZE;
}

static void add_living(struct spill_sa_store *store, struct spill_sa *sa)
{
    uint16_t *same_key = &store->by_key[hash_key(&sa->config)];
    uint16_t *same_name = &store->by_name[hash_name(&sa->config)];

    store->by_id[sa->id] = sa;
    store->next_by_key[sa->id] = *same_key;
    *same_key = sa->id;
    store->next_by_name[sa->id] = *same_name;
    *same_name = sa->id;
}

static void unlink_id(uint16_t *link, uint16_t *next, uint16_t id)
{
    while (*link != id)
        link = &next[*link];
    *link = next[id];
}

static void remove_living(struct spill_sa_store *store, const struct spill_sa *sa)
{
    unlink_id(&store->by_key[hash_key(&sa->config)], store->next_by_key, sa->id);
    unlink_id(&store->by_name[hash_name(&sa->config)], store->next_by_name, sa->id);
    store->by_id[sa->id] = NULL;
}

uint32_t spill_sa_store_reclaim(struct spill_sa_store *store)
{
    uint32_t id;

    for (id = 1; id < store->id_limit && store->unused > 0; id++) {
        struct spill_sa *sa = store->by_id[id];

        if (sa == NULL || sa->users > 0 || !spill_sa_idle(sa))
            continue;
        if (sa->state->users == 1)
            remember(store, sa);
        remove_living(store, sa);
        spill_sa_free(sa);
        store->unused--;
    }
    return store->unused;
}

/* --------------------------------------------------------------------------- SAs of a version */

/* The SA with all the same settings, or NULL; *same_key gets one that differs, but has its key. */
static struct spill_sa *find_same(const struct spill_sa_store *store,
                                  const struct spill_sa_config *config,
                                  const struct spill_sa **same_key)
{
    uint16_t id;

    *same_key = NULL;
    for (id = store->by_key[hash_key(config)]; id != 0; id = store->next_by_key[id]) {
        struct spill_sa *sa = store->by_id[id];

        if (!spill_sa_same_key(&sa->config, config))
            continue;
        if (spill_sa_same(&sa->config, config))
            return sa;
        *same_key = sa;
    }
    return NULL;
}

/* The lane of an SA that lives and that rules know by the same name, else one by the new id. */
static uint16_t lane_of(const struct spill_sa_store *store, const struct spill_sa_config *config,
                        uint16_t id)
{
    uint16_t other;

    for (other = store->by_name[hash_name(config)]; other != 0;
         other = store->next_by_name[other]) {
        const struct spill_sa *sa = store->by_id[other];

        if (sa->config.direction == config->direction &&
            strcmp(name_of_lane(&sa->config), name_of_lane(config)) == 0)
            return sa->lane;
    }
    return id;
}

static uint16_t free_id(struct spill_sa_store *store)
{
    do {
        store->last_id = store->last_id == ID_MAX ? 1 : store->last_id + 1;
    } while (store->by_id[store->last_id] != NULL);
    store->id_limit = RTE_MAX(store->id_limit, store->last_id + 1);
    return (uint16_t)store->last_id;
}

static struct spill_sa *get_sa(struct spill_sa_store *store, const struct spill_sa_config *config,
                               struct spill_error *error)
{
    const struct spill_sa *predecessor;
    struct spill_sa *sa = find_same(store, config, &predecessor);
    uint64_t sequence;
    uint16_t id;

    if (sa != NULL)
        return sa;
    id = free_id(store);
    sa = spill_sa_create(config, id, predecessor, store->crypto, store->lcores, store->lcore_count,
                         error);
    if (sa == NULL)
        return NULL;
    sequence = predecessor == NULL ? RTE_MAX(recall(store, config), config->sequence) : 0;
    if (sequence != 0)
        spill_sa_resume(sa, sequence);
    sa->lane = lane_of(store, config, id);
    add_living(store, sa);
    store->unused++;
    return sa;
}

/* The SA of a version that goes on with what an SA had to do. Of several outbound ones that rules
 * know by one name, that is always the first. */
static struct spill_sa *successor_of(const struct spill_sa_set *set, const struct spill_sa *sa)
{
    struct spill_sa *successor = NULL;

    if (sa->config.direction == SPILL_SA_IN || sa->config.stands_for[0] == '\0')
        successor = spill_sa_names_find(set->names, sa->config.name);
    if (successor == NULL)
        successor = spill_sa_names_find(set->names, name_in_rules(&sa->config));
    return successor != NULL && successor->config.direction == sa->config.direction ? successor
                                                                                    : NULL;
}

/* Names the SAs of a version by their ids, and by those of SAs that they replace. */
static int add_ids(const struct spill_sa_store *store, struct spill_sa_set *set)
{
    uint32_t id;

    for (id = 1; id < store->id_limit; id++) {
        if (store->by_id[id] != NULL)
            set->id_limit = id + 1;
    }
    set->names = spill_sa_names_create(set->list, set->count);
    set->by_id = calloc(set->id_limit + 1, sizeof(*set->by_id));
    set->named = calloc(set->id_limit + 1, sizeof(*set->named));
    if (set->names == NULL || set->by_id == NULL || set->named == NULL)
        return -1;
    for (id = 1; id < set->id_limit; id++) {
        if (store->by_id[id] == NULL)
            continue;
        set->by_id[id] = successor_of(set, store->by_id[id]);
        if (set->by_id[id] != NULL)
            set->named[id] =
                spill_sa_names_find(set->names, name_in_rules(&set->by_id[id]->config));
    }
    return 0;
}

static int add_sas(struct spill_sa_store *store, struct spill_sa_set *set,
                   const struct spill_sa_config *configs, uint32_t count, struct spill_error *error)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        struct spill_sa *sa = get_sa(store, &configs[i], error);

        if (sa == NULL)
            return -1;
        store->unused -= sa->users++ == 0;
        set->list[set->count++] = sa;
        set->has_inbound |= sa->config.direction == SPILL_SA_IN;
    }
    return add_ids(store, set) == 0 ? 0 : spill_error_set(error, "no memory for SAs");
}

/* ----------------------------------------------------------------------- lookup of inbound SAs */

/* Whether one SA's packets go from where the other's go to, and back. */
static bool same_ends(const struct spill_sa_config *one, const struct spill_sa_config *other)
{
    return memcmp(&one->source, &other->destination, sizeof(one->source)) == 0 &&
           memcmp(&one->destination, &other->source, sizeof(one->destination)) == 0;
}

static union rte_ipsec_sad_key key_of(rte_be32_t spi, const struct spill_sa_address *destination,
                                      const struct spill_sa_address *source)
{
    union rte_ipsec_sad_key key = {0};

    if (destination->family == 6) {
        key.v6.spi = spi;
        memcpy(spill_dpdk_ipv6(key.v6.dip), destination->bytes, sizeof(key.v6.dip));
        memcpy(spill_dpdk_ipv6(key.v6.sip), source->bytes, sizeof(key.v6.sip));
    } else {
        key.v4.spi = spi;
        memcpy(&key.v4.dip, destination->bytes, sizeof(key.v4.dip));
        memcpy(&key.v4.sip, source->bytes, sizeof(key.v4.sip));
    }
    return key;
}

static int add_inbound(const struct spill_sad *sad, struct spill_sa *sa)
{
    const struct spill_sa_config *config = &sa->config;
    union rte_ipsec_sad_key key =
        key_of(rte_cpu_to_be_32(config->spi), &config->destination, &config->source);
    int type = config->destination.family == 0 ? RTE_IPSEC_SAD_SPI_ONLY
               : config->roams                 ? RTE_IPSEC_SAD_SPI_DIP
                                               : RTE_IPSEC_SAD_SPI_DIP_SIP;
    int status = 0;

    /* Without addresses it is for packets of both families. */
    if (config->destination.family != 6)
        status |= rte_ipsec_sad_add(sad->ipv4, &key, type, sa);
    if (config->destination.family != 4)
        status |= rte_ipsec_sad_add(sad->ipv6, &key, type, sa);
    return status;
}

/*
 * Which addresses are ours: those that inbound SAs end at, noted under SPI 0, which no packet's SA
 * has (RFC 4303 2.1).
 */
static int add_own_address(const struct spill_sad *sad, struct spill_sa *sa)
{
    union rte_ipsec_sad_key key = key_of(0, &sa->config.destination, &sa->config.source);
    struct rte_ipsec_sad *table = sa->config.destination.family == 6 ? sad->ipv6 : sad->ipv4;

    if (sa->config.destination.family == 0)
        return 0;
    return rte_ipsec_sad_add(table, &key, RTE_IPSEC_SAD_SPI_DIP, sa) |
           rte_ipsec_sad_add(table, &key, RTE_IPSEC_SAD_SPI_DIP_SIP, sa);
}

static struct rte_ipsec_sad *create_table(struct spill_sa_store *store, int node, bool ipv6,
                                          uint32_t count)
{
    /* rte_hash may refuse an entry of a full table. */
    struct rte_ipsec_sad_conf conf = {
        .socket_id = node,
        .max_sa = {[RTE_IPSEC_SAD_SPI_ONLY] = 2 * count + 16,
                   [RTE_IPSEC_SAD_SPI_DIP] = 2 * count + 16,
                   [RTE_IPSEC_SAD_SPI_DIP_SIP] = 4 * count + 16},
        .flags = ipv6 ? RTE_IPSEC_SAD_FLAG_IPV6 : 0,
    };
    char name[32];

    snprintf(name, sizeof(name), "%u.%d.%d", store->versions, node, ipv6 ? 6 : 4);
    return rte_ipsec_sad_create(name, &conf);
}

static int add_tables(struct spill_sa_store *store, struct spill_sa_set *set, int node,
                      struct spill_error *error)
{
    struct spill_sad *sad = &set->sads[node];
    uint32_t i;

    sad->ipv4 = create_table(store, node, false, set->count);
    sad->ipv6 = create_table(store, node, true, set->count);
    if (sad->ipv4 == NULL || sad->ipv6 == NULL)
        return spill_error_set(error, "no memory for SAs on node %d", node);
    for (i = 0; i < set->count; i++) {
        if (set->list[i]->config.direction != SPILL_SA_IN)
            continue;
        if (add_inbound(sad, set->list[i]) != 0 || add_own_address(sad, set->list[i]) != 0)
            return spill_error_set(error, "sa %s: no place in the table of inbound SAs",
                                   set->list[i]->config.name);
    }
    return 0;
}

/* The tables of a version, on each node whose lcores look SAs up. */
static int add_all_tables(struct spill_sa_store *store, struct spill_sa_set *set,
                          struct spill_error *error)
{
    int node, memory;

    for (node = 0; node < SPILL_NODES_MAX; node++) {
        memory = store->memory_nodes[node];
        if (memory < 0)
            continue;
        if (set->sads[memory].ipv4 == NULL && add_tables(store, set, memory, error) != 0)
            return -1;
        set->by_slot[node + 1] = &set->sads[memory];
        if (set->by_slot[0] == NULL)
            set->by_slot[0] = set->by_slot[node + 1];
    }
    return 0;
}

/* Finds each outbound SA's inbound one by the addresses, which that one is noted under. */
static int add_twins(struct spill_sa_set *set)
{
    uint32_t i;

    set->twins = calloc(set->id_limit + 1, sizeof(*set->twins));
    if (set->twins == NULL)
        return -1;
    if (set->by_slot[0] == NULL)
        return 0;
    for (i = 0; i < set->count; i++) {
        const struct spill_sa_config *config = &set->list[i]->config;
        union rte_ipsec_sad_key key = key_of(0, &config->source, &config->destination);
        const union rte_ipsec_sad_key *pointer = &key;
        struct rte_ipsec_sad *table =
            config->source.family == 6 ? set->by_slot[0]->ipv6 : set->by_slot[0]->ipv4;
        struct spill_sa *twin = NULL;

        if (config->direction != SPILL_SA_OUT || config->source.family == 0)
            continue;
        rte_ipsec_sad_lookup(table, &pointer, (void **)&twin, 1);
        if (twin != NULL && same_ends(&twin->config, config))
            set->twins[set->list[i]->id] = twin;
    }
    return 0;
}

struct spill_sa_set *spill_sa_set_create(struct spill_sa_store *store,
                                         const struct spill_sa_config *configs, uint32_t count,
                                         struct spill_error *error)
{
    struct spill_sa_set *set = calloc(1, sizeof(*set));

    store->versions++;
    if (set == NULL || (set->list = calloc(count + 1, sizeof(*set->list))) == NULL) {
        spill_error_set(error, "no memory for SAs");
        free(set);
        return NULL;
    }
    set->store = store;
    set->users = 1;
    if (add_sas(store, set, configs, count, error) == 0 && add_all_tables(store, set, error) == 0) {
        set->sent = spill_sa_sent_create(set->list, set->count);
        if (set->sent != NULL && add_twins(set) == 0 &&
            spill_sa_ends_create(set->list, set->count, &set->ends) == 0)
            return set;
        spill_error_set(error, "no memory for SAs");
    }
    spill_sa_set_free(set);
    return NULL;
}

struct spill_sa_set *spill_sa_set_share(struct spill_sa_set *set)
{
    set->users++;
    return set;
}

void spill_sa_set_free(struct spill_sa_set *set)
{
    uint32_t i;

    if (set == NULL || --set->users > 0)
        return;
    for (i = 0; i < SPILL_NODES_MAX; i++) {
        rte_ipsec_sad_destroy(set->sads[i].ipv4);
        rte_ipsec_sad_destroy(set->sads[i].ipv6);
    }
    for (i = 0; i < set->count; i++)
        set->store->unused += --set->list[i]->users == 0;
    free(set->list);
    spill_sa_names_free(set->names);
    free(set->by_id);
    free(set->named);
    free(set->twins);
    spill_sa_sent_free(set->sent);
    spill_sa_ends_free(set->ends);
    free(set);
}

struct spill_sa *spill_sa_set_find(const struct spill_sa_set *set, const char *name)
{
    return spill_sa_names_find(set->names, name);
}

/* Whether a packet's addresses are those of another: neighbours are mostly of one SA. */
static inline bool has_same_ends(const struct spill_packet *packet,
                                 const struct spill_packet *other)
{
    const struct spill_key4 *v4 = &packet->key.v4, *other4 = &other->key.v4;

    if (packet->kind != other->kind || packet->direction != other->direction)
        return false;
    if (packet->kind == SPILL_PACKET_IPV4)
        return v4->address[0] == other4->address[0] && v4->address[1] == other4->address[1];
    return memcmp(packet->key.v6.address, other->key.v6.address, sizeof(other->key.v6.address)) ==
           0;
}

/* The keys of one family in a burst, each of the first packet that has it. */
struct keys {
    uint32_t count;
    uint8_t firsts[SPILL_BURST];
    union rte_ipsec_sad_key keys[SPILL_BURST];
    const union rte_ipsec_sad_key *pointers[SPILL_BURST];
};

static void add_key(struct keys *keys, const struct spill_packet *packet, rte_be32_t spi,
                    uint32_t index)
{
    union rte_ipsec_sad_key *key = &keys->keys[keys->count];
    unsigned source = packet->direction;

    if (packet->kind == SPILL_PACKET_IPV4) {
        key->v4.spi = spi;
        key->v4.dip = packet->key.v4.address[!source];
        key->v4.sip = packet->key.v4.address[source];
    } else {
        key->v6.spi = spi;
        memcpy(spill_dpdk_ipv6(key->v6.dip), packet->key.v6.address[!source], sizeof(key->v6.dip));
        memcpy(spill_dpdk_ipv6(key->v6.sip), packet->key.v6.address[source], sizeof(key->v6.sip));
    }
    keys->firsts[keys->count] = (uint8_t)index;
    keys->pointers[keys->count++] = key;
}

static void lookup_keys(const struct rte_ipsec_sad *sad, struct keys *keys, struct spill_sa **sas)
{
    void *found[SPILL_BURST];
    uint32_t i;

    if (keys->count == 0)
        return;
    rte_ipsec_sad_lookup(sad, keys->pointers, found, keys->count);
    for (i = 0; i < keys->count; i++)
        sas[keys->firsts[i]] = found[i];
}

void spill_sa_set_lookup(const struct spill_sa_set *set, struct spill_packet **packets,
                         const rte_be32_t *spis, struct spill_sa **sas, uint32_t count)
{
    const struct spill_sad *sad = set->by_slot[spill_node_slot()];
    struct keys ipv4, ipv6;
    uint64_t repeated = 0;
    uint32_t i;

    ipv4.count = ipv6.count = 0;
    for (i = 0; i < count; i++) {
        if (i > 0 && spis[i] == spis[i - 1] && has_same_ends(packets[i], packets[i - 1]))
            repeated |= UINT64_C(1) << i;
        else
            add_key(packets[i]->kind == SPILL_PACKET_IPV4 ? &ipv4 : &ipv6, packets[i], spis[i], i);
    }
    lookup_keys(sad->ipv4, &ipv4, sas);
    lookup_keys(sad->ipv6, &ipv6, sas);
    for (i = 1; i < count; i++) {
        if ((repeated >> i & 1) != 0)
            sas[i] = sas[i - 1];
    }
}
