/* SPDX-License-Identifier: BSD-3-Clause */
/* Layers of ACLs as rte_acl contexts, and what one knows of its rules. */
#include "classify/acl_layer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

/* The fields of a rule: protocol, addresses in words, ports, input, sets. */
#define ADDRESS_FIELDS(lookup) ((lookup) < SPILL_ACL_IPV6 ? 2u : 8u)
#define MOST_FIELDS            (1 + 8 + 2 + 1 + 2)

/* In a larger context, looking for the fastest tries takes minutes and gigabytes of the heap. */
#define MOST_RULES_FOR_SPEED 10000

RTE_ACL_RULE_DEF(acl_rule, MOST_FIELDS);

/* The first context of a family. */
static enum spill_acl_lookup first_of(enum spill_acl_lookup lookup)
{
    return lookup < SPILL_ACL_IPV6 ? SPILL_ACL_IPV4 : SPILL_ACL_IPV6;
}

/* Whether packets have ports there, or what stands in their place. */
static bool has_ports(enum spill_acl_lookup lookup)
{
    return lookup != first_of(lookup);
}

/* Whether a rule stands in a context. */
static bool belongs(const struct spill_rule *rule, enum spill_acl_lookup lookup)
{
    const uint8_t family = lookup < SPILL_ACL_IPV6 ? SPILL_RULE_IPV4 : SPILL_RULE_IPV6;
    const unsigned with = lookup - first_of(lookup);

    return (rule->families & family) != 0 && (with == SPILL_ACL_WITH_PORTS || !rule->names_ports) &&
           (with == SPILL_ACL_WITH_TYPES || !rule->names_types);
}

/* How many rules stand in a context; 0 for one that would be the same as the family's first. */
static uint32_t count_rules(const struct spill_ruleset *ruleset, enum spill_acl_lookup lookup)
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
uint32_t spill_acl_categories(const struct spill_ruleset *ruleset)
{
    uint32_t level = 0;

    for (uint32_t i = 0; i < ruleset->count; i++)
        level = RTE_MAX(level, ruleset->rules[i].level);
    return level == 0 ? 1 : RTE_ALIGN_CEIL(level + 1, RTE_ACL_RESULTS_MULTIPLIER);
}

static struct rte_acl_config define_fields(const struct spill_ruleset *ruleset,
                                           enum spill_acl_lookup lookup)
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
static uint32_t rule_size(const struct spill_ruleset *ruleset, enum spill_acl_lookup lookup)
{
    return (uint32_t)RTE_ACL_RULE_SZ(define_fields(ruleset, lookup).num_fields);
}

/*
 * EAL memory that the tries of a context may take. Split into as many tries as rte_acl knows, the
 * sets measured need 1 to 7 KB a rule, and looking for fewer and larger tries, which are faster, up
 * to 15 KB. A few hundred rules whose port ranges overlap badly take more than 100 KB each, up to
 * 40 MB in all, before rte_acl begins to split them.
 */
static size_t tries_memory(enum spill_acl_lookup lookup, size_t count)
{
    const size_t for_speed = RTE_MIN(count, (size_t)MOST_RULES_FOR_SPEED);
    const size_t overlap = (size_t)(has_ports(lookup) ? 40 : 8) << 20;

    return for_speed * (12u << 10) + (count - for_speed) * (6u << 10) +
           RTE_MIN(count * (128u << 10), overlap);
}

/* Builds a context of `count` rules. Returns 0 or a negative errno. */
static int build(struct rte_acl_ctx *context, const struct spill_ruleset *ruleset,
                 enum spill_acl_lookup lookup, uint32_t count, uint32_t categories)
{
    struct rte_acl_config config = define_fields(ruleset, lookup);
    int result;

    config.num_categories = categories;
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
static struct acl_rule translate(const struct spill_acl_inputs *inputs,
                                 const struct spill_ruleset *ruleset, uint32_t index,
                                 enum spill_acl_lookup lookup)
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
        field->mask_range.u32 = ~spill_acl_inputs_of_rule(inputs, rule);
    if (ruleset->input_count > 0)
        field++;
    /* Its address has a bit for each set that it is in. */
    for (unsigned end = 0; end < 2; end++, field++)
        if (rule->set[end] != 0)
            field->value.u32 = field->mask_range.u32 = UINT32_C(1) << (rule->set[end] - 1);
    return out;
}

/* Adds the rules of a context and builds it. Returns 0 or a negative errno. */
static int fill_context(const struct spill_acl_layer *layer, const struct spill_ruleset *ruleset,
                        const struct spill_acl_inputs *inputs, enum spill_acl_lookup lookup,
                        uint32_t categories)
{
    struct rte_acl_ctx *context = layer->context[lookup];
    uint32_t count = 0;

    for (uint32_t i = 0; i < ruleset->count; i++) {
        struct acl_rule rule;
        int result;

        if (!belongs(&ruleset->rules[i], lookup))
            continue;
        rule = translate(inputs, ruleset, i, lookup);
        result = rte_acl_add_rules(context, (const struct rte_acl_rule *)&rule, 1);
        if (result != 0)
            return result;
        count++;
    }
    return build(context, ruleset, lookup, count, categories);
}

/* Makes one context of a layer. Returns 0 or a negative errno. */
static int add_context(struct spill_acl_layer *layer, const char *name,
                       const struct spill_ruleset *ruleset, const struct spill_acl_inputs *inputs,
                       uint32_t categories, enum spill_acl_lookup lookup, int socket)
{
    static const char *const SUFFIX[SPILL_ACL_LOOKUPS] = {"ipv4", "ipv4-ports", "ipv4-types",
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
            layer->context[lookup] = layer->context[first_of(lookup)];
        return 0;
    }
    snprintf(context_name, sizeof(context_name), "%s-%s", name, SUFFIX[lookup]);
    /* rte_acl_create() would hand out the other's context. */
    if (rte_acl_find_existing(context_name) != NULL)
        return -EEXIST;
    layer->context[lookup] = rte_acl_create(&parameters);
    if (layer->context[lookup] == NULL)
        return -ENOMEM; /* the parameters are right, and rte_errno isn't always set */
    return fill_context(layer, ruleset, inputs, lookup, categories);
}

/* --------------------------------------------------------------------- what rules match */

/* As long as versions follow: who has a layer's rules may find theirs. */
static bool matches_same(const struct spill_rule *one, const struct spill_rule *other)
{
    return one->families == other->families && one->protocol == other->protocol &&
           one->any_protocol == other->any_protocol && one->names_ports == other->names_ports &&
           one->names_types == other->names_types && one->inputs == other->inputs &&
           one->level == other->level &&
           memcmp(one->length, other->length, sizeof(one->length)) == 0 &&
           memcmp(one->address, other->address, sizeof(one->address)) == 0 &&
           memcmp(one->first_port, other->first_port, sizeof(one->first_port)) == 0 &&
           memcmp(one->last_port, other->last_port, sizeof(one->last_port)) == 0 &&
           memcmp(one->set, other->set, sizeof(one->set)) == 0;
}

/* Of addresses and ports: rules that differ in nothing else are few. */
static uint32_t hash_of(const struct spill_rule *rule)
{
    uint64_t words[4], hash = (uint64_t)rule->length[0] << 40 | (uint64_t)rule->length[1] << 32 |
                              (uint32_t)rule->first_port[0] << 16 | rule->first_port[1];

    memcpy(words, rule->address, sizeof(words));
    for (unsigned i = 0; i < RTE_DIM(words); i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return (uint32_t)(hash ^ hash >> 32);
}

uint32_t spill_acl_layer_find(const struct spill_acl_layer *layer, const struct spill_rule *rule)
{
    const uint32_t mask = layer->table_size - 1;
    uint32_t at;

    for (at = hash_of(rule) & mask; layer->table[at] != 0; at = (at + 1) & mask)
        if (matches_same(&layer->rules[layer->table[at] - 1], rule))
            return layer->table[at];
    return 0;
}

/* Whether two prefixes have an address in common. */
static bool share_addresses(const struct spill_rule *one, const struct spill_rule *other,
                            unsigned end)
{
    const unsigned length = RTE_MIN(one->length[end], other->length[end]);
    const unsigned whole = length / 8, rest = length % 8;
    const uint8_t *left = one->address[end], *right = other->address[end];

    return memcmp(left, right, whole) == 0 &&
           (rest == 0 || ((left[whole] ^ right[whole]) & (0xff00 >> rest & 0xff)) == 0);
}

/* Whether a packet may match both; sets and inputs are not looked at. */
static bool overlap(const struct spill_rule *one, const struct spill_rule *other)
{
    return (one->families & other->families) != 0 &&
           (one->any_protocol || other->any_protocol || one->protocol == other->protocol) &&
           one->first_port[0] <= other->last_port[0] && other->first_port[0] <= one->last_port[0] &&
           one->first_port[1] <= other->last_port[1] && other->first_port[1] <= one->last_port[1] &&
           share_addresses(one, other, 0) && share_addresses(one, other, 1);
}

bool spill_acl_rules_compete(const struct spill_rule *one, const struct spill_rule *other)
{
    return overlap(one, other) && !matches_same(one, other);
}

bool spill_acl_layer_is_alone(struct spill_acl_layer *layer, uint32_t place)
{
    const struct spill_rule *rule = &layer->rules[place - 1];
    uint8_t *note = &layer->notes[place - 1];
    bool alone = true;

    if ((*note & SPILL_ACL_LOOKED) == 0) {
        for (uint32_t i = 0; i < layer->count && alone; i++)
            alone = !spill_acl_rules_compete(rule, &layer->rules[i]);
        *note |= SPILL_ACL_LOOKED | (alone ? SPILL_ACL_ALONE : 0);
    }
    return (*note & SPILL_ACL_ALONE) != 0;
}

bool spill_acl_layer_hide(struct spill_acl_layer *layer, uint32_t place)
{
    const struct spill_rule *rule = &layer->rules[place - 1];
    uint8_t *note = &layer->notes[place - 1];

    if ((*note & (SPILL_ACL_HAS_HIDDEN | SPILL_ACL_ALONE)) != 0)
        return false;
    *note |= SPILL_ACL_HAS_HIDDEN;
    for (uint32_t i = place; i < layer->count; i++) {
        if (spill_acl_rules_compete(rule, &layer->rules[i]))
            layer->notes[i] |= SPILL_ACL_HIDDEN;
    }
    return true;
}

bool spill_acl_layer_is_hidden(const struct spill_acl_layer *layer, uint32_t place)
{
    return (layer->notes[place - 1] & SPILL_ACL_HIDDEN) != 0;
}

/* Of rules that match the same the first is found, and the others never match. */
static int keep_rules(struct spill_acl_layer *layer, const struct spill_ruleset *ruleset)
{
    layer->table_size = rte_align32pow2(2 * ruleset->count + 2);
    layer->rules = calloc(ruleset->count + 1u, sizeof(*layer->rules));
    layer->table = calloc(layer->table_size, sizeof(*layer->table));
    layer->notes = calloc(ruleset->count + 1u, sizeof(*layer->notes));
    if (layer->rules == NULL || layer->table == NULL || layer->notes == NULL)
        return -ENOMEM;
    memcpy(layer->rules, ruleset->rules, ruleset->count * sizeof(*layer->rules));
    for (uint32_t i = 0; i < ruleset->count; i++) {
        uint32_t at = hash_of(&layer->rules[i]) & (layer->table_size - 1);

        if (spill_acl_layer_find(layer, &layer->rules[i]) != 0) {
            layer->notes[i] = SPILL_ACL_HAS_HIDDEN; /* none: it is never found */
            continue;
        }
        while (layer->table[at] != 0)
            at = (at + 1) & (layer->table_size - 1);
        layer->table[at] = i + 1;
        layer->distinct++;
    }
    return 0;
}

/* ------------------------------------------------------------------------- from when to when */

int spill_acl_layer_create(const char *name, const struct spill_ruleset *ruleset,
                           const struct spill_acl_inputs *inputs, uint32_t categories, int socket,
                           bool kept, struct spill_acl_layer **layer)
{
    struct spill_acl_layer *made = calloc(1, sizeof(*made));
    int status;

    if (made == NULL)
        return -ENOMEM;
    made->users = 1;
    made->count = ruleset->count;
    for (uint32_t i = 0; i < ruleset->count; i++)
        made->types |= ruleset->rules[i].names_types;
    status = kept ? keep_rules(made, ruleset) : 0;
    for (unsigned lookup = 0; status == 0 && lookup < SPILL_ACL_LOOKUPS; lookup++)
        status = add_context(made, name, ruleset, inputs, categories, lookup, socket);
    if (status == 0)
        *layer = made;
    else
        spill_acl_layer_release(made);
    return status;
}

void spill_acl_layer_release(struct spill_acl_layer *layer)
{
    if (layer == NULL || --layer->users > 0)
        return;
    for (enum spill_acl_lookup lookup = SPILL_ACL_LOOKUPS; lookup-- > SPILL_ACL_IPV4;)
        if (!has_ports(lookup) || layer->context[lookup] != layer->context[first_of(lookup)])
            rte_acl_free(layer->context[lookup]);
    free(layer->rules);
    free(layer->table);
    free(layer->notes);
    free(layer);
}

size_t spill_acl_layer_memory(const struct spill_ruleset *ruleset)
{
    size_t size = 0;

    for (enum spill_acl_lookup lookup = SPILL_ACL_IPV4; lookup < SPILL_ACL_LOOKUPS; lookup++) {
        const size_t count = count_rules(ruleset, lookup);

        size += count * rule_size(ruleset, lookup) + tries_memory(lookup, count);
    }
    return size;
}
