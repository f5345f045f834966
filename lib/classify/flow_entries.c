/* SPDX-License-Identifier: BSD-3-Clause */
/* Flows one by one: found, added, and cleared away when their time is over. */
#include <string.h>

#include <rte_common.h>
#include <rte_prefetch.h>

#include "classify/flow_table_state.h"

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
    struct spill_flow *flow = spill_flow_search(family, packet, hash);

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
    struct spill_flow *flow = spill_flow_search(family, packet, hash);

    if (flow == NULL ||
        spill_flow_is_over(&table->times, family, flow, spill_flow_units(&table->times, now)))
        return NULL;
    if (unlikely(spill_flow_renewal_goes_on(&table->renewal)))
        spill_flow_renew(&table->renewal, family, flow);
    return flow;
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
            table->hand_family = (table->hand_family + 1) % SPILL_FLOW_FAMILIES;
        }
    }
    spill_flow_renewal_clean(&table->renewal, count);
    table->counters.entries -= removed;
    table->counters.expired += removed;
    return removed;
}
