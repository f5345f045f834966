/* SPDX-License-Identifier: BSD-3-Clause */
/* What an ACL decides: the earliest of what its layers find. */
#include "classify/acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "classify/acl_parts.h"
#include "classify/rule_counts.h"
#include "packet/parse.h"

/* ------------------------------------------------------------------------ what it is made of */

/* What stands beside a rule's verdict. */
static uint16_t sa_of(const struct spill_rule *rule, const uint16_t *sa_ids)
{
    if (rule->sa != 0)
        return sa_ids[rule->sa - 1];
    if (rule->trap != 0)
        return rule->trap;
    if (spill_rule_denies_host(rule))
        return rule->host == SPILL_RULE_HOST_GETS ? SPILL_SA_HOST_GETS : SPILL_SA_HOST_SENDS;
    return rule->reject ? SPILL_SA_REJECT : rule->mss;
}

/* The rules', in their order, then the default. */
static size_t results_size(const struct spill_ruleset *ruleset)
{
    return (ruleset->count + 1u) * sizeof(struct spill_acl_result);
}

int spill_acl_make_results(struct spill_acl *acl, const struct spill_ruleset *ruleset,
                           const uint16_t *sa_ids, enum spill_verdict default_verdict, int socket)
{
    acl->results =
        rte_malloc_socket("spill_acl_results", results_size(ruleset), RTE_CACHE_LINE_SIZE, socket);
    if (acl->results == NULL)
        return -ENOMEM;
    acl->count = ruleset->count;
    acl->results[acl->count] = (struct spill_acl_result){.verdict = (uint8_t)default_verdict,
                                                         .tally = SPILL_RULE_TALLY_DEFAULT};
    for (uint32_t i = 0; i < ruleset->count; i++) {
        const struct spill_rule *rule = &ruleset->rules[i];

        acl->results[i] =
            (struct spill_acl_result){.verdict = rule->action,
                                      .level = rule->level,
                                      .sa = sa_of(rule, sa_ids),
                                      .tally = rule->tally | (rule->log ? SPILL_RULE_RECORDS : 0)};
    }
    return 0;
}

uint32_t *spill_acl_make_order(const struct spill_acl *acl, uint32_t rules, int socket)
{
    uint32_t *order = rte_malloc_socket("spill_acl_order", (rules + 1u) * sizeof(*order),
                                        RTE_CACHE_LINE_SIZE, socket);

    for (uint32_t i = 0; order != NULL && i <= rules; i++)
        order[i] = acl->count;
    return order;
}

static struct spill_acl_sets *make_sets(const char *name, const struct spill_ruleset *ruleset,
                                        int socket, struct spill_error *error)
{
    struct spill_acl_sets *sets = calloc(1, sizeof(*sets));

    if (sets == NULL) {
        spill_error_set(error, "ACL %s: no memory", name);
        return NULL;
    }
    sets->users = 1;
    sets->sets = spill_prefix_sets_create(name, ruleset, socket, error);
    if (sets->sets != NULL)
        return sets;
    free(sets);
    return NULL;
}

struct spill_acl *spill_acl_begin(const struct spill_acl *previous, const char *name,
                                  const struct spill_ruleset *ruleset,
                                  const struct spill_rule_input *inputs, int socket,
                                  struct spill_error *error)
{
    struct spill_acl *acl;

    if (strlen(name) > SPILL_ACL_NAME_MAX) {
        spill_error_set(error, "ACL name %s: at most %u characters", name, SPILL_ACL_NAME_MAX);
        return NULL;
    }
    acl = calloc(1, sizeof(*acl));
    if (acl == NULL) {
        spill_error_set(error, "ACL %s: no memory", name);
        return NULL;
    }
    acl->categories = previous != NULL ? previous->categories : spill_acl_categories(ruleset);
    spill_acl_inputs_init(&acl->inputs, ruleset, inputs);
    for (uint32_t i = 0; i < ruleset->count; i++)
        acl->types |= ruleset->rules[i].names_types;
    if (previous != NULL && previous->sets != NULL) {
        acl->sets = previous->sets;
        acl->sets->users++;
    } else if (ruleset->set_count > 0) {
        acl->sets = make_sets(name, ruleset, socket, error);
        if (acl->sets == NULL) {
            spill_acl_free(acl);
            return NULL;
        }
    }
    return acl;
}

struct spill_acl *spill_acl_end(struct spill_acl *acl, const char *name,
                                const struct spill_ruleset *ruleset, int status,
                                struct spill_error *error)
{
    if (status == 0)
        return acl;
    spill_error_set(error, "ACL %s of %u rules, %zu MiB of EAL memory planned: %s", name,
                    ruleset->count, spill_acl_memory(ruleset) >> 20, strerror(-status));
    spill_acl_free(acl);
    return NULL;
}

int spill_acl_add_all(struct spill_acl *acl, const char *name, const struct spill_ruleset *ruleset,
                      int socket, bool kept)
{
    struct spill_acl_part *part = &acl->parts[0];
    int status;

    if (ruleset->count == 0)
        return 0;
    part->order = spill_acl_make_order(acl, ruleset->count, socket);
    if (part->order == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < ruleset->count; i++)
        part->order[i + 1] = i;
    status = spill_acl_layer_create(name, ruleset, &acl->inputs, acl->categories, socket, kept,
                                    &part->layer);
    if (status == 0)
        acl->part_count = 1;
    else
        rte_free(part->order);
    return status;
}

struct spill_acl *spill_acl_create(const char *name, const struct spill_ruleset *ruleset,
                                   const uint16_t *sa_ids, const struct spill_rule_input *inputs,
                                   enum spill_verdict default_verdict, int socket,
                                   struct spill_error *error)
{
    struct spill_acl *acl = spill_acl_begin(NULL, name, ruleset, inputs, socket, error);
    int status;

    if (acl == NULL)
        return NULL;
    status = spill_acl_make_results(acl, ruleset, sa_ids, default_verdict, socket);
    if (status == 0)
        status = spill_acl_add_all(acl, name, ruleset, socket, false);
    return spill_acl_end(acl, name, ruleset, status, error);
}

void spill_acl_free(struct spill_acl *acl)
{
    if (acl == NULL)
        return;
    for (uint32_t i = 0; i < acl->part_count; i++) {
        spill_acl_layer_release(acl->parts[i].layer);
        rte_free(acl->parts[i].order);
    }
    if (acl->sets != NULL && --acl->sets->users == 0) {
        spill_prefix_sets_free(acl->sets->sets);
        free(acl->sets);
    }
    rte_free(acl->results);
    free(acl);
}

/* ------------------------------------------------------------------------------ a lookup */

/* The lookup of a packet without ports; its type and code, where it has them, go to `port`. */
static enum spill_acl_lookup lookup_of(const struct spill_acl *acl,
                                       const struct spill_packet *packet,
                                       enum spill_acl_lookup first, uint16_t port[2])
{
    uint16_t message;

    if (!acl->types || !spill_icmp_message(packet, &message))
        return first;
    port[0] = 0;
    port[1] = rte_cpu_to_be_16(message);
    return first + SPILL_ACL_WITH_TYPES;
}

/* Writes what a lookup reads of a packet, and returns the lookup that it needs. */
static inline enum spill_acl_lookup read_packet(const struct spill_acl *acl,
                                                const struct spill_packet *packet,
                                                union spill_acl_tuple *tuple)
{
    const unsigned source = packet->direction ^ packet->reversed;
    const rte_be32_t input = spill_acl_inputs_of(&acl->inputs, packet);
    const unsigned destination = source ^ 1;

    if (packet->kind == SPILL_PACKET_IPV4) {
        const struct spill_key4 *key = &packet->key.v4;

        tuple->v4.protocol = rte_cpu_to_le_32(key->protocol);
        tuple->v4.address[0] = key->address[source];
        tuple->v4.address[1] = key->address[destination];
        tuple->v4.port[0] = key->port[source];
        tuple->v4.port[1] = key->port[destination];
        tuple->v4.input = input;
        if (acl->sets != NULL)
            for (unsigned end = 0; end < 2; end++)
                tuple->v4.sets[end] = rte_cpu_to_be_32(
                    spill_prefix_sets_of4(acl->sets->sets, tuple->v4.address[end]));
        return packet->has_ports ? SPILL_ACL_IPV4_PORTS
                                 : lookup_of(acl, packet, SPILL_ACL_IPV4, tuple->v4.port);
    }
    tuple->v6.protocol = rte_cpu_to_le_32(packet->key.v6.protocol);
    memcpy(tuple->v6.address[0], packet->key.v6.address[source], 16);
    memcpy(tuple->v6.address[1], packet->key.v6.address[destination], 16);
    tuple->v6.port[0] = packet->key.v6.port[source];
    tuple->v6.port[1] = packet->key.v6.port[destination];
    tuple->v6.input = input;
    if (acl->sets != NULL)
        for (unsigned end = 0; end < 2; end++)
            tuple->v6.sets[end] = rte_cpu_to_be_32(
                spill_prefix_sets_of6(acl->sets->sets, (const uint8_t *)tuple->v6.address[end]));
    return packet->has_ports ? SPILL_ACL_IPV6_PORTS
                             : lookup_of(acl, packet, SPILL_ACL_IPV6, tuple->v6.port);
}

static void take_result(const struct spill_acl_result *result, struct spill_packet *packet,
                        uint32_t *tally)
{
    packet->verdict = result->verdict;
    packet->sa = result->sa;
    *tally = result->tally;
}

/* The packets of a burst for one lookup. */
struct asked {
    uint32_t count;
    const uint8_t *tuples[SPILL_BURST];
    uint8_t packets[SPILL_BURST]; /* of each, which one it is */
};

/* Of what is found the earliest rule counts, whichever part it is of. */
static void ask(const struct spill_acl_part *part, enum spill_acl_lookup lookup,
                struct asked *asked, uint32_t earliest[SPILL_BURST])
{
    uint32_t results[SPILL_BURST];

    if (asked->count == 0 || part->layer->context[lookup] == NULL)
        return;
    rte_acl_classify(part->layer->context[lookup], asked->tuples, results, asked->count, 1);
    for (uint32_t i = 0; i < asked->count; i++) {
        uint32_t *found = &earliest[asked->packets[i]];

        *found = RTE_MIN(*found, part->order[results[i]]);
    }
}

void spill_acl_classify(const struct spill_acl *acl, struct spill_packet **packets, uint32_t count,
                        uint32_t *tallies)
{
    union spill_acl_tuple tuples[SPILL_BURST];
    struct asked asked[SPILL_ACL_LOOKUPS];
    uint32_t earliest[SPILL_BURST];

    for (unsigned lookup = 0; lookup < SPILL_ACL_LOOKUPS; lookup++)
        asked[lookup].count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct asked *all = &asked[read_packet(acl, packets[i], &tuples[i])];

        all->tuples[all->count] = (const uint8_t *)&tuples[i];
        all->packets[all->count++] = (uint8_t)i;
        earliest[i] = acl->count;
    }
    for (uint32_t i = 0; i < acl->part_count; i++)
        for (enum spill_acl_lookup lookup = SPILL_ACL_IPV4; lookup < SPILL_ACL_LOOKUPS; lookup++)
            ask(&acl->parts[i], lookup, &asked[lookup], earliest);
    for (uint32_t i = 0; i < count; i++)
        take_result(&acl->results[earliest[i]], packets[i], &tallies[i]);
}

/* The same of each category. */
static void ask_all(const struct spill_acl *acl, const struct spill_acl_part *part,
                    enum spill_acl_lookup lookup, const uint8_t *tuple,
                    uint32_t earliest[RTE_ACL_MAX_CATEGORIES])
{
    uint32_t results[RTE_ACL_MAX_CATEGORIES];

    if (part->layer->context[lookup] == NULL)
        return;
    rte_acl_classify(part->layer->context[lookup], &tuple, results, 1, acl->categories);
    for (uint32_t i = 0; i < acl->categories; i++)
        earliest[i] = RTE_MIN(earliest[i], part->order[results[i]]);
}

uint32_t spill_acl_chain(const struct spill_acl *acl, const struct spill_packet *packet,
                         struct spill_acl_decision chain[SPILL_RULE_LEVELS + 1])
{
    union spill_acl_tuple tuple;
    const enum spill_acl_lookup lookup = read_packet(acl, packet, &tuple);
    uint32_t earliest[RTE_ACL_MAX_CATEGORIES], count = 0, level = 0;

    for (unsigned i = 0; i < RTE_ACL_MAX_CATEGORIES; i++)
        earliest[i] = acl->count;
    for (uint32_t i = 0; i < acl->part_count; i++)
        ask_all(acl, &acl->parts[i], lookup, (const uint8_t *)&tuple, earliest);
    do {
        const struct spill_acl_result *result = &acl->results[earliest[level]];

        chain[count++] = (struct spill_acl_decision){
            .verdict = result->verdict, .sa = result->sa, .tally = result->tally};
        level = result->level;
    } while (level != 0);
    return count;
}

size_t spill_acl_memory(const struct spill_ruleset *ruleset)
{
    return spill_prefix_sets_memory(ruleset) + results_size(ruleset) +
           (ruleset->count + 1u) * sizeof(uint32_t) + spill_acl_layer_memory(ruleset);
}
