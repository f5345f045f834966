/* SPDX-License-Identifier: BSD-3-Clause */
/* Rule sets as rte_acl contexts, and the classification of bursts with them. */
#include "classify/acl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_malloc.h>

#include "classify/acl_inputs.h"
#include "classify/prefix_sets.h"
#include "classify/rule_counts.h"
#include "packet/parse.h"

/* The contexts of each family, by what its packets have besides addresses. */
enum lookup {
    LOOKUP_IPV4,
    LOOKUP_IPV4_PORTS,
    LOOKUP_IPV4_TYPES, /* of ICMP: a port that it goes to, as it were */
    LOOKUP_IPV6,
    LOOKUP_IPV6_PORTS,
    LOOKUP_IPV6_TYPES,
    LOOKUPS,
};

#define WITH_PORTS (LOOKUP_IPV4_PORTS - LOOKUP_IPV4)
#define WITH_TYPES (LOOKUP_IPV4_TYPES - LOOKUP_IPV4)

/* What a rule decides. */
struct result {
    uint8_t verdict;
    uint8_t level;  /* of its limit; 0: it has none */
    uint16_t sa;    /* as in struct spill_packet */
    uint32_t tally; /* with SPILL_RULE_RECORDS where it has `log` */
};

struct spill_acl {
    /* NULL without rules: the default then. Where no rule names ports, or types, the family's first
     * context stands in that place, too. */
    struct rte_acl_ctx *context[LOOKUPS];
    struct spill_acl_inputs inputs;
    struct spill_prefix_sets *sets; /* NULL: the rules name none */
    struct result *results;         /* by what rte_acl gives back: the default's, then the rules' */
    uint32_t categories;            /* of rte_acl: all rules, then without those of each level */
    bool types;                     /* rules name types */
};

/* What a lookup reads of a packet: all in network order, in steps of four bytes as rte_acl wants.
 */
struct tuple4 {
    uint32_t protocol; /* in the first byte in memory */
    uint32_t address[2];
    uint16_t port[2];
    uint32_t input;
    rte_be32_t sets[2]; /* that source and destination are in */
};

struct tuple6 {
    uint32_t protocol;
    uint32_t address[2][4];
    uint16_t port[2];
    uint32_t input;
    rte_be32_t sets[2];
};

union tuple {
    struct tuple4 v4;
    struct tuple6 v6;
};

/* The fields of a rule: protocol, addresses in words, ports, input, sets. */
#define ADDRESS_FIELDS(lookup) ((lookup) < LOOKUP_IPV6 ? 2u : 8u)
#define MOST_FIELDS            (1 + 8 + 2 + 1 + 2)

/* In a larger context, looking for the fastest tries takes minutes and gigabytes of the heap. */
#define MOST_RULES_FOR_SPEED 10000

RTE_ACL_RULE_DEF(acl_rule, MOST_FIELDS);

/* The first context of a family. */
static enum lookup first_of(enum lookup lookup)
{
    return lookup < LOOKUP_IPV6 ? LOOKUP_IPV4 : LOOKUP_IPV6;
}

/* Whether packets have ports there, or what stands in their place. */
static bool has_ports(enum lookup lookup)
{
    return lookup != first_of(lookup);
}

/* Whether a rule stands in a context. */
static bool belongs(const struct spill_rule *rule, enum lookup lookup)
{
    const uint8_t family = lookup < LOOKUP_IPV6 ? SPILL_RULE_IPV4 : SPILL_RULE_IPV6;
    const unsigned with = lookup - first_of(lookup);

    return (rule->families & family) != 0 && (with == WITH_PORTS || !rule->names_ports) &&
           (with == WITH_TYPES || !rule->names_types);
}

/* How many rules stand in a context; 0 for one that would be the same as the family's first. */
static uint32_t count_rules(const struct spill_ruleset *ruleset, enum lookup lookup)
{
    uint32_t count = 0;
    bool own = !has_ports(lookup);

    for (uint32_t i = 0; i < ruleset->count; i++)
        if (belongs(&ruleset->rules[i], lookup)) {
            count++;
            own |= ruleset->rules[i].names_ports || ruleset->rules[i].names_types;
        }
    return own ? count : 0;
}

static void define_field(struct rte_acl_config *config, uint8_t type, uint8_t size, uint32_t offset)
{
    const uint32_t index = config->num_fields++;

    config->defs[index] = (struct rte_acl_field_def){
        .type = type,
        .size = size,
        .field_index = (uint8_t)index,
        .input_index = (uint8_t)(offset / sizeof(uint32_t)),
        .offset = offset,
    };
}

/* rte_acl's categories: 1, or what it can search at a time. */
static uint32_t count_categories(const struct spill_ruleset *ruleset)
{
    uint32_t level = 0;

    for (uint32_t i = 0; i < ruleset->count; i++)
        level = RTE_MAX(level, ruleset->rules[i].level);
    return level == 0 ? 1 : RTE_ALIGN_CEIL(level + 1, RTE_ACL_RESULTS_MULTIPLIER);
}

static struct rte_acl_config define_fields(const struct spill_ruleset *ruleset, enum lookup lookup)
{
    struct rte_acl_config config = {.num_categories = 1};
    uint32_t offset = 0;

    define_field(&config, RTE_ACL_FIELD_TYPE_BITMASK, sizeof(uint8_t), offset);
    offset += sizeof(uint32_t);
    for (uint32_t i = 0; i < ADDRESS_FIELDS(lookup); i++, offset += sizeof(uint32_t))
        define_field(&config, RTE_ACL_FIELD_TYPE_MASK, sizeof(uint32_t), offset);
    for (uint32_t i = 0; i < 2; i++, offset += sizeof(uint16_t))
        if (has_ports(lookup))
            define_field(&config, RTE_ACL_FIELD_TYPE_RANGE, sizeof(uint16_t), offset);
    if (ruleset->input_count > 0)
        define_field(&config, RTE_ACL_FIELD_TYPE_BITMASK, sizeof(uint32_t), offset);
    offset += sizeof(uint32_t);
    for (uint32_t i = 0; i < 2; i++, offset += sizeof(uint32_t))
        if (ruleset->set_count > 0)
            define_field(&config, RTE_ACL_FIELD_TYPE_BITMASK, sizeof(uint32_t), offset);
    return config;
}

/* Bytes of a rule in a context. */
static uint32_t rule_size(const struct spill_ruleset *ruleset, enum lookup lookup)
{
    return (uint32_t)RTE_ACL_RULE_SZ(define_fields(ruleset, lookup).num_fields);
}

/*
 * EAL memory that the tries of a context may take. Split into as many tries as rte_acl knows, the
 * sets measured need 1 to 7 KB a rule, and looking for fewer and larger tries, which are faster, up
 * to 15 KB. A few hundred rules whose port ranges overlap badly take more than 100 KB each, up to
 * 40 MB in all, before rte_acl begins to split them.
 */
static size_t tries_memory(enum lookup lookup, size_t count)
{
    const size_t for_speed = RTE_MIN(count, (size_t)MOST_RULES_FOR_SPEED);
    const size_t overlap = (size_t)(has_ports(lookup) ? 40 : 8) << 20;

    return for_speed * (12u << 10) + (count - for_speed) * (6u << 10) +
           RTE_MIN(count * (128u << 10), overlap);
}

/* Builds a context of `count` rules. Returns 0 or a negative errno. */
static int build(struct rte_acl_ctx *context, const struct spill_ruleset *ruleset,
                 enum lookup lookup, uint32_t count)
{
    struct rte_acl_config config = define_fields(ruleset, lookup);
    int result;

    config.num_categories = count_categories(ruleset);
    /* With a limit, rte_acl takes the fewest tries that fit into it; with 0 it splits at once. */
    if (count <= MOST_RULES_FOR_SPEED)
        config.max_size = tries_memory(lookup, count);
    result = rte_acl_build(context, &config);
    if (result == 0 || config.max_size == 0)
        return result;
    config.max_size = 0;
    return rte_acl_build(context, &config);
}

/* A rule in rte_acl's terms: values in host order, the earlier rule with the higher priority. */
static struct acl_rule translate(const struct spill_acl *acl, const struct spill_ruleset *ruleset,
                                 uint32_t index, enum lookup lookup)
{
    const struct spill_rule *rule = &ruleset->rules[index];
    const unsigned words = ADDRESS_FIELDS(lookup) / 2;
    struct acl_rule out = {
        /* One with a limit is left out behind its level. */
        .data.category_mask =
            RTE_LEN2MASK(rule->level != 0 ? rule->level : RTE_ACL_MAX_CATEGORIES, uint32_t),
        .data.priority = (int32_t)(RTE_ACL_MAX_PRIORITY - index),
        .data.userdata = index + 1, /* 0 is no rule */
    };
    struct rte_acl_field *field = out.field;

    field->value.u8 = rule->protocol;
    field->mask_range.u8 = rule->any_protocol ? 0 : UINT8_MAX;
    field++;
    for (unsigned end = 0; end < 2; end++)
        for (unsigned word = 0; word < words; word++, field++) {
            const unsigned before = word * 32;
            rte_be32_t bits;

            memcpy(&bits, &rule->address[end][word * sizeof(bits)], sizeof(bits));
            field->value.u32 = rte_be_to_cpu_32(bits);
            if (rule->length[end] > before)
                field->mask_range.u32 = RTE_MIN(rule->length[end] - before, 32u);
        }
    for (unsigned end = 0; end < 2 && has_ports(lookup); end++, field++) {
        field->value.u16 = rule->first_port[end];
        field->mask_range.u16 = rule->last_port[end];
    }
    /* A packet has one bit: it is among the rule's where none of the others is set. */
    if (rule->inputs != 0)
        field->mask_range.u32 = ~spill_acl_inputs_of_rule(&acl->inputs, rule);
    if (ruleset->input_count > 0)
        field++;
    /* Its address has a bit for each set that it is in. */
    for (unsigned end = 0; end < 2; end++, field++)
        if (rule->set[end] != 0)
            field->value.u32 = field->mask_range.u32 = UINT32_C(1) << (rule->set[end] - 1);
    return out;
}

/* Adds the rules of a context and builds it. Returns 0 or a negative errno. */
static int fill_context(const struct spill_acl *acl, const struct spill_ruleset *ruleset,
                        enum lookup lookup)
{
    struct rte_acl_ctx *context = acl->context[lookup];
    uint32_t count = 0;

    for (uint32_t i = 0; i < ruleset->count; i++) {
        struct acl_rule rule;
        int result;

        if (!belongs(&ruleset->rules[i], lookup))
            continue;
        rule = translate(acl, ruleset, i, lookup);
        result = rte_acl_add_rules(context, (const struct rte_acl_rule *)&rule, 1);
        if (result != 0)
            return result;
        count++;
    }
    return build(context, ruleset, lookup, count);
}

/* Makes one context of an ACL. Returns 0 or a negative errno. */
static int add_context(struct spill_acl *acl, const char *name, const struct spill_ruleset *ruleset,
                       enum lookup lookup, int socket)
{
    static const char *const SUFFIX[LOOKUPS] = {"ipv4", "ipv4-ports", "ipv4-types",
                                                "ipv6", "ipv6-ports", "ipv6-types"};
    char context_name[RTE_ACL_NAMESIZE];
    const struct rte_acl_param parameters = {
        .name = context_name,
        .socket_id = socket,
        .rule_size = rule_size(ruleset, lookup),
        .max_rule_num = count_rules(ruleset, lookup),
    };

    if (parameters.max_rule_num == 0) {
        if (has_ports(lookup))
            acl->context[lookup] = acl->context[first_of(lookup)];
        return 0;
    }
    snprintf(context_name, sizeof(context_name), "%s-%s", name, SUFFIX[lookup]);
    /* rte_acl_create() would hand out the other's context. */
    if (rte_acl_find_existing(context_name) != NULL)
        return -EEXIST;
    acl->context[lookup] = rte_acl_create(&parameters);
    if (acl->context[lookup] == NULL)
        return -ENOMEM; /* the parameters are right, and rte_errno isn't always set */
    return fill_context(acl, ruleset, lookup);
}

/* What stands beside a rule's verdict. */
static uint16_t sa_of(const struct spill_rule *rule, const uint16_t *sa_ids)
{
    if (rule->sa != 0)
        return sa_ids[rule->sa - 1];
    if (rule->trap != 0)
        return rule->trap;
    if (rule->host)
        return SPILL_SA_HOST_TOO;
    return rule->reject ? SPILL_SA_REJECT : rule->mss;
}

static size_t results_size(const struct spill_ruleset *ruleset)
{
    return (ruleset->count + 1u) * sizeof(struct result);
}

/* Returns 0 or a negative errno. */
static int make_results(struct spill_acl *acl, const struct spill_ruleset *ruleset,
                        const uint16_t *sa_ids, enum spill_verdict default_verdict, int socket)
{
    acl->results =
        rte_malloc_socket("spill_acl_results", results_size(ruleset), RTE_CACHE_LINE_SIZE, socket);
    if (acl->results == NULL)
        return -ENOMEM;
    acl->results[0] =
        (struct result){.verdict = (uint8_t)default_verdict, .tally = SPILL_RULE_TALLY_DEFAULT};
    for (uint32_t i = 0; i < ruleset->count; i++) {
        const struct spill_rule *rule = &ruleset->rules[i];

        acl->results[i + 1] =
            (struct result){.verdict = rule->action,
                            .level = rule->level,
                            .sa = sa_of(rule, sa_ids),
                            .tally = rule->tally | (rule->log ? SPILL_RULE_RECORDS : 0)};
    }
    return 0;
}

struct spill_acl *spill_acl_create(const char *name, const struct spill_ruleset *ruleset,
                                   const uint16_t *sa_ids, const struct spill_rule_input *inputs,
                                   enum spill_verdict default_verdict, int socket,
                                   struct spill_error *error)
{
    struct spill_acl *acl;
    int result;

    if (strlen(name) > SPILL_ACL_NAME_MAX) {
        spill_error_set(error, "ACL name %s: at most %u characters", name, SPILL_ACL_NAME_MAX);
        return NULL;
    }
    acl = calloc(1, sizeof(*acl));
    if (acl == NULL) {
        spill_error_set(error, "ACL %s: no memory", name);
        return NULL;
    }
    acl->categories = count_categories(ruleset);
    spill_acl_inputs_init(&acl->inputs, ruleset, inputs);
    for (uint32_t i = 0; i < ruleset->count; i++)
        acl->types |= ruleset->rules[i].names_types;
    if (ruleset->set_count > 0) {
        acl->sets = spill_prefix_sets_create(name, ruleset, socket, error);
        if (acl->sets == NULL) {
            spill_acl_free(acl);
            return NULL;
        }
    }
    result = make_results(acl, ruleset, sa_ids, default_verdict, socket);
    for (enum lookup lookup = LOOKUP_IPV4; result == 0 && lookup < LOOKUPS; lookup++)
        result = add_context(acl, name, ruleset, lookup, socket);
    if (result != 0) {
        spill_error_set(error, "ACL %s of %u rules, %zu MiB of EAL memory planned: %s", name,
                        ruleset->count, spill_acl_memory(ruleset) >> 20, strerror(-result));
        spill_acl_free(acl);
        return NULL;
    }
    return acl;
}

void spill_acl_free(struct spill_acl *acl)
{
    if (acl == NULL)
        return;
    for (enum lookup lookup = LOOKUPS; lookup-- > LOOKUP_IPV4;)
        if (!has_ports(lookup) || acl->context[lookup] != acl->context[first_of(lookup)])
            rte_acl_free(acl->context[lookup]);
    spill_prefix_sets_free(acl->sets);
    rte_free(acl->results);
    free(acl);
}

/* The lookup of a packet without ports; its type and code, where it has them, go to `port`. */
static enum lookup lookup_of(const struct spill_acl *acl, const struct spill_packet *packet,
                             enum lookup first, uint16_t port[2])
{
    uint16_t message;

    if (!acl->types || !spill_icmp_message(packet, &message))
        return first;
    port[0] = 0;
    port[1] = rte_cpu_to_be_16(message);
    return first + WITH_TYPES;
}

/* Writes what a lookup reads of a packet, and returns the lookup that it needs. */
static inline enum lookup read_packet(const struct spill_acl *acl,
                                      const struct spill_packet *packet, union tuple *tuple)
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
                tuple->v4.sets[end] =
                    rte_cpu_to_be_32(spill_prefix_sets_of4(acl->sets, tuple->v4.address[end]));
        return packet->has_ports ? LOOKUP_IPV4_PORTS
                                 : lookup_of(acl, packet, LOOKUP_IPV4, tuple->v4.port);
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
                spill_prefix_sets_of6(acl->sets, (const uint8_t *)tuple->v6.address[end]));
    return packet->has_ports ? LOOKUP_IPV6_PORTS
                             : lookup_of(acl, packet, LOOKUP_IPV6, tuple->v6.port);
}

static void take_result(const struct result *result, struct spill_packet *packet, uint32_t *tally)
{
    packet->verdict = result->verdict;
    packet->sa = result->sa;
    *tally = result->tally;
}

void spill_acl_classify(const struct spill_acl *acl, struct spill_packet **packets, uint32_t count,
                        uint32_t *tallies)
{
    union tuple tuples[SPILL_BURST];
    const uint8_t *input[LOOKUPS][SPILL_BURST];
    uint8_t origin[LOOKUPS][SPILL_BURST];
    uint32_t counts[LOOKUPS] = {0};
    uint32_t results[SPILL_BURST];

    for (uint32_t i = 0; i < count; i++) {
        const enum lookup lookup = read_packet(acl, packets[i], &tuples[i]);
        const uint32_t n = counts[lookup]++;

        input[lookup][n] = (const uint8_t *)&tuples[i];
        origin[lookup][n] = (uint8_t)i;
        take_result(&acl->results[0], packets[i], &tallies[i]);
    }
    for (unsigned lookup = 0; lookup < LOOKUPS; lookup++) {
        if (counts[lookup] == 0 || acl->context[lookup] == NULL)
            continue;
        rte_acl_classify(acl->context[lookup], input[lookup], results, counts[lookup], 1);
        for (uint32_t i = 0; i < counts[lookup]; i++) {
            /* Written above for each of counts[lookup]; the analyzer does not see that. */
            /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
            const uint8_t which = origin[lookup][i];

            take_result(&acl->results[results[i]], packets[which], &tallies[which]);
        }
    }
}

uint32_t spill_acl_chain(const struct spill_acl *acl, const struct spill_packet *packet,
                         struct spill_acl_decision chain[SPILL_RULE_LEVELS + 1])
{
    union tuple tuple;
    const uint8_t *input = (const uint8_t *)&tuple;
    const enum lookup lookup = read_packet(acl, packet, &tuple);
    uint32_t results[RTE_ACL_MAX_CATEGORIES] = {0}, count = 0, level = 0;

    if (acl->context[lookup] != NULL)
        rte_acl_classify(acl->context[lookup], &input, results, 1, acl->categories);
    do {
        const struct result *result = &acl->results[results[level]];

        chain[count++] = (struct spill_acl_decision){
            .verdict = result->verdict, .sa = result->sa, .tally = result->tally};
        level = result->level;
    } while (level != 0);
    return count;
}

size_t spill_acl_memory(const struct spill_ruleset *ruleset)
{
    size_t size = spill_prefix_sets_memory(ruleset) + results_size(ruleset);

    for (enum lookup lookup = LOOKUP_IPV4; lookup < LOOKUPS; lookup++) {
        const size_t count = count_rules(ruleset, lookup);

        size += count * rule_size(ruleset, lookup) + tries_memory(lookup, count);
    }
    return size;
}
