/* SPDX-License-Identifier: BSD-3-Clause */
#include "route/fib.h"

#include <stdio.h>

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>

#include "base/dpdk_versions.h"

/* Bytes of a node of rte_rib and rte_rib6, of which there may be two for a route. */
#define NODE4 208
#define NODE6 216
/* Entries of the table of the first 24 bits, and of one of 8 more. */
#define TBL24 (1u << 24)
#define TBL8  (1u << 8)

/* Whether entries have four bytes, not two. So many IPv6 routes, of which most are behind the first
 * 24 bits, need more tables than two bytes can number. */
static bool is_wide(uint8_t family, uint32_t capacity)
{
    return family == AF_INET6 && capacity > SPILL_FIB_TBL8_MAX;
}

/* Tables for 8 more bits: a route behind the first 24 needs one, in IPv6 a chain of them, which it
 * mostly shares with others. */
static uint32_t tbl8_count(uint8_t family, uint32_t capacity)
{
    const uint32_t wanted = family == AF_INET ? RTE_MAX(capacity, 64u) : 4 * RTE_MAX(capacity, 64u);

    return is_wide(family, capacity) ? capacity : RTE_MIN(wanted, (uint32_t)SPILL_FIB_TBL8_MAX);
}

uint64_t spill_fib_memory(uint8_t family, uint32_t capacity)
{
    const uint64_t entries = TBL24 + (uint64_t)tbl8_count(family, capacity) * TBL8;

    return entries * (is_wide(family, capacity) ? 4 : 2) +
           2 * (uint64_t)capacity * (family == AF_INET ? NODE4 : NODE6);
}

static void *create4(const char *name, int node, uint32_t capacity)
{
    struct rte_fib_conf conf = {
        .type = RTE_FIB_DIR24_8,
        .max_routes = (int)capacity,
        .dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = tbl8_count(AF_INET, capacity)},
    };

    return rte_fib_create(name, node, &conf);
}

static void *create6(const char *name, int node, uint32_t capacity)
{
    struct rte_fib6_conf conf = {
        .type = RTE_FIB6_TRIE,
        .max_routes = (int)capacity,
        .trie = {.nh_sz = is_wide(AF_INET6, capacity) ? RTE_FIB6_TRIE_4B : RTE_FIB6_TRIE_2B,
                 .num_tbl8 = tbl8_count(AF_INET6, capacity)},
    };

    return rte_fib6_create(name, node, &conf);
}

int spill_fib_create(struct spill_fib *fib, uint8_t family, uint8_t side, uint32_t capacity,
                     const int *memory_nodes, struct spill_error *error)
{
    char name[32];
    int i;

    *fib = (struct spill_fib){
        .family = family, .side = side, .capacity = capacity, .memory_nodes = memory_nodes};
    for (i = 0; i < SPILL_NODES_MAX; i++) {
        const int node = memory_nodes[i];

        if (node < 0 || fib->copies[node] != NULL)
            continue;
        snprintf(name, sizeof(name), "fib%d-%u-%d", family == AF_INET ? 4 : 6, side, node);
        fib->copies[node] =
            family == AF_INET ? create4(name, node, capacity) : create6(name, node, capacity);
        if (fib->copies[node] == NULL) {
            spill_fib_free(fib);
            return spill_error_set(error,
                                   "routes: no memory for %u of %s on node %d (%s); give more by "
                                   "--memory or hugepages",
                                   capacity, family == AF_INET ? "IPv4" : "IPv6", node,
                                   rte_strerror(rte_errno));
        }
    }
    return 0;
}

void spill_fib_free(struct spill_fib *fib)
{
    int i;

    for (i = 0; i < SPILL_NODES_MAX; i++) {
        if (fib->copies[i] == NULL)
            continue;
        if (fib->family == AF_INET)
            rte_fib_free(fib->copies[i]);
        else
            rte_fib6_free(fib->copies[i]);
        fib->copies[i] = NULL;
    }
}

static uint32_t host4(const struct spill_ip_prefix *prefix)
{
    uint32_t address;

    memcpy(&address, prefix->address.bytes, sizeof(address));
    return rte_be_to_cpu_32(address);
}

int spill_fib_add(struct spill_fib *fib, const struct spill_ip_prefix *prefix, uint16_t group)
{
    int status = 0, i;

    for (i = 0; i < SPILL_NODES_MAX && status == 0; i++) {
        if (fib->copies[i] == NULL)
            continue;
        if (fib->family == AF_INET)
            status = rte_fib_add(fib->copies[i], host4(prefix), prefix->length, group);
        else
            status = rte_fib6_add(fib->copies[i], spill_dpdk_ipv6_key(prefix->address.bytes),
                                  prefix->length, group);
    }
    return status;
}

int spill_fib_delete(struct spill_fib *fib, const struct spill_ip_prefix *prefix)
{
    int status = 0, i;

    for (i = 0; i < SPILL_NODES_MAX && status == 0; i++) {
        if (fib->copies[i] == NULL)
            continue;
        if (fib->family == AF_INET)
            status = rte_fib_delete(fib->copies[i], host4(prefix), prefix->length);
        else
            status = rte_fib6_delete(fib->copies[i], spill_dpdk_ipv6_key(prefix->address.bytes),
                                     prefix->length);
    }
    return status;
}
