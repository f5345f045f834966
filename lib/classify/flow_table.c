/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table: its memory, and what is told of it. flow_groups.h says how a key is found,
 * flow_evict.c who gives way to whom, flow_renewal.h when the rules are asked again, flow_state.h
 * when a flow expires. */
#include "classify/flow_table.h"

#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "classify/flow_table_state.h"

#define HEAP_OVERHEAD 256 /* bytes that the EAL's heap adds to each piece, at most */

/* Of a capacity's slots, this part more, so that they can be found; see flow_groups.h. */
#define SLOTS_FOR(capacity) ((uint64_t)(capacity)*7 / 6)
#define GROUPS_LEAST        SPILL_FLOW_PROBES
/* Part of the capacity that is strangers' alone. */
#define STRANGERS 8

static uint32_t groups_for(uint32_t capacity)
{
    uint64_t groups = (SLOTS_FOR(capacity) + SPILL_FLOW_GROUP - 1) / SPILL_FLOW_GROUP;

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
    for (unsigned kind = 0; kind < SPILL_FLOW_FAMILIES; kind++)
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
    for (unsigned kind = 0; kind < SPILL_FLOW_FAMILIES; kind++) {
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
           SPILL_FLOW_FAMILIES * (groups * sizeof(struct spill_flow_group) + entries_bytes(groups) +
                                  (size_t)2 * HEAP_OVERHEAD);
}

void spill_flow_table_memory(const struct spill_flow_table *table,
                             struct spill_flow_memory memory[2])
{
    for (unsigned kind = 0; kind < SPILL_FLOW_FAMILIES; kind++) {
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

uint64_t spill_flow_table_slots(const struct spill_flow_table *table)
{
    return (uint64_t)SPILL_FLOW_FAMILIES * table->families[0].slots;
}
