/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of prefixes in trees of DPDK's. */
#include "classify/prefix_sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_errno.h>
#include <rte_rib.h>
#include <rte_rib6.h>

#include "base/dpdk_versions.h"

/* Bytes of a node of the trees: it, the mempool's header, and what both are rounded up by. */
#define NODE4_BYTES 128
#define NODE6_BYTES 192

#define LENGTHS 129

struct spill_prefix_sets {
    struct rte_rib *v4; /* NULL: no set has such a prefix */
    struct rte_rib6 *v6;
};

/* Prefixes of a family: below each two of them there is at most a node that joins them. */
static uint32_t count_nodes(const struct spill_ruleset *ruleset, uint8_t family)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < ruleset->prefix_count; i++)
        count += ruleset->prefixes[i].family == family;
    return 2 * count;
}

/* The bits of a prefix that is there, or of the longest that covers it. */
static uint64_t bits_at4(struct rte_rib *rib, uint32_t address)
{
    struct rte_rib_node *node = rte_rib_lookup(rib, address);
    uint64_t bits = 0;

    if (node != NULL)
        rte_rib_get_nh(node, &bits);
    return bits;
}

static uint64_t bits_at6(struct rte_rib6 *rib, const uint8_t *address)
{
    struct rte_rib6_node *node = rte_rib6_lookup(rib, spill_dpdk_ipv6_key(address));
    uint64_t bits = 0;

    if (node != NULL)
        rte_rib6_get_nh(node, &bits);
    return bits;
}

/* Adds a prefix, after all that are shorter: what covers it is there, and nothing below it. */
static int add4(struct rte_rib *rib, const struct spill_prefix *prefix)
{
    struct rte_rib_node *node;
    rte_be32_t bytes;
    uint32_t address;
    uint64_t bits;

    memcpy(&bytes, prefix->address, sizeof(bytes));
    address = rte_be_to_cpu_32(bytes);
    bits = bits_at4(rib, address) | UINT64_C(1) << (prefix->set - 1);
    node = rte_rib_lookup_exact(rib, address, prefix->length);
    if (node == NULL)
        node = rte_rib_insert(rib, address, prefix->length);
    return node == NULL ? -rte_errno : rte_rib_set_nh(node, bits);
}

static int add6(struct rte_rib6 *rib, const struct spill_prefix *prefix)
{
    uint64_t bits = bits_at6(rib, prefix->address) | UINT64_C(1) << (prefix->set - 1);
    struct rte_rib6_node *node =
        rte_rib6_lookup_exact(rib, spill_dpdk_ipv6_key(prefix->address), prefix->length);

    if (node == NULL)
        node = rte_rib6_insert(rib, spill_dpdk_ipv6_key(prefix->address), prefix->length);
    return node == NULL ? -rte_errno : rte_rib6_set_nh(node, bits);
}

/* The indices of all prefixes, shorter ones first. NULL: no memory. */
static uint32_t *sort_by_length(const struct spill_ruleset *ruleset)
{
    uint32_t *order = calloc(ruleset->prefix_count + 1u, sizeof(*order));
    uint32_t next[LENGTHS + 1] = {0};

    if (order == NULL)
        return NULL;
    for (uint32_t i = 0; i < ruleset->prefix_count; i++)
        next[ruleset->prefixes[i].length + 1]++;
    for (uint32_t length = 1; length < LENGTHS; length++)
        next[length] += next[length - 1];
    for (uint32_t i = 0; i < ruleset->prefix_count; i++)
        order[next[ruleset->prefixes[i].length]++] = i;
    return order;
}

/* Why a tree could not be made: the parameters are right, and rte_errno isn't always set. */
static int why_not(void)
{
    return rte_errno == EEXIST ? -EEXIST : -ENOMEM;
}

/* Makes the trees, empty. Returns 0 or a negative errno. */
static int make_trees(struct spill_prefix_sets *sets, const char *name,
                      const struct spill_ruleset *ruleset, int socket)
{
    const uint32_t nodes4 = count_nodes(ruleset, SPILL_RULE_IPV4);
    const uint32_t nodes6 = count_nodes(ruleset, SPILL_RULE_IPV6);
    const struct rte_rib_conf config4 = {.max_nodes = (int)nodes4};
    const struct rte_rib6_conf config6 = {.max_nodes = (int)nodes6};
    char tree_name[32];

    snprintf(tree_name, sizeof(tree_name), "%s-sets4", name);
    if (nodes4 > 0 && (sets->v4 = rte_rib_create(tree_name, socket, &config4)) == NULL)
        return why_not();
    snprintf(tree_name, sizeof(tree_name), "%s-sets6", name);
    if (nodes6 > 0 && (sets->v6 = rte_rib6_create(tree_name, socket, &config6)) == NULL)
        return why_not();
    return 0;
}

static int fill(struct spill_prefix_sets *sets, const struct spill_ruleset *ruleset)
{
    uint32_t *order = sort_by_length(ruleset);
    int result = order == NULL ? -ENOMEM : 0;

    for (uint32_t i = 0; i < ruleset->prefix_count && result == 0; i++) {
        const struct spill_prefix *prefix = &ruleset->prefixes[order[i]];

        result =
            prefix->family == SPILL_RULE_IPV4 ? add4(sets->v4, prefix) : add6(sets->v6, prefix);
    }
    free(order);
    return result;
}

struct spill_prefix_sets *spill_prefix_sets_create(const char *name,
                                                   const struct spill_ruleset *ruleset, int socket,
                                                   struct spill_error *error)
{
    struct spill_prefix_sets *sets = calloc(1, sizeof(*sets));
    int result = sets == NULL ? -ENOMEM : make_trees(sets, name, ruleset, socket);

    if (result == 0)
        result = fill(sets, ruleset);
    if (result == 0)
        return sets;
    spill_error_set(error, "sets of %u prefixes, %zu MiB of EAL memory planned: %s",
                    ruleset->prefix_count, spill_prefix_sets_memory(ruleset) >> 20,
                    strerror(-result));
    spill_prefix_sets_free(sets);
    return NULL;
}

void spill_prefix_sets_free(struct spill_prefix_sets *sets)
{
    if (sets == NULL)
        return;
    rte_rib_free(sets->v4);
    rte_rib6_free(sets->v6);
    free(sets);
}

uint32_t spill_prefix_sets_of4(const struct spill_prefix_sets *sets, rte_be32_t address)
{
    return sets->v4 == NULL ? 0 : (uint32_t)bits_at4(sets->v4, rte_be_to_cpu_32(address));
}

uint32_t spill_prefix_sets_of6(const struct spill_prefix_sets *sets, const uint8_t *address)
{
    return sets->v6 == NULL ? 0 : (uint32_t)bits_at6(sets->v6, address);
}

size_t spill_prefix_sets_memory(const struct spill_ruleset *ruleset)
{
    return (size_t)count_nodes(ruleset, SPILL_RULE_IPV4) * NODE4_BYTES +
           (size_t)count_nodes(ruleset, SPILL_RULE_IPV6) * NODE6_BYTES;
}
