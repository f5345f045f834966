/* SPDX-License-Identifier: BSD-3-Clause */
#include "route/rib.h"

#include <stdlib.h>
#include <string.h>

#include <rte_bitops.h>
#include <rte_common.h>
#include <rte_jhash.h>

int spill_rib_init(struct spill_rib *rib, uint32_t capacity, uint32_t seed)
{
    *rib = (struct spill_rib){.capacity = capacity, .seed = seed, .fresh = 1};
    rib->chains = rte_align32pow2(RTE_MAX(capacity, 16u));
    rib->heads = calloc(rib->chains, sizeof(*rib->heads));
    rib->entries = calloc((size_t)capacity + 1, sizeof(*rib->entries));
    return rib->heads != NULL && rib->entries != NULL ? 0 : -1;
}

void spill_rib_free(struct spill_rib *rib)
{
    free(rib->heads);
    free(rib->entries);
}

static uint32_t *chain_of(const struct spill_rib *rib, const struct spill_ip_prefix *prefix)
{
    uint32_t words[4];

    memcpy(words, prefix->address.bytes, sizeof(words)); /* which stand at any address */
    return &rib->heads[rte_jhash_32b(words, 4, rib->seed ^ prefix->length) & (rib->chains - 1)];
}

static uint32_t index_of(const struct spill_rib *rib, const struct spill_rib_entry *entry)
{
    return (uint32_t)(entry - rib->entries);
}

struct spill_rib_entry *spill_rib_find(const struct spill_rib *rib,
                                       const struct spill_ip_prefix *prefix)
{
    uint32_t i;

    for (i = *chain_of(rib, prefix); i != 0; i = rib->entries[i].next) {
        struct spill_rib_entry *entry = &rib->entries[i];

        if (entry->prefix.length == prefix->length &&
            spill_ip_equal(&entry->prefix.address, &prefix->address))
            return entry;
    }
    return NULL;
}

struct spill_rib_entry *spill_rib_make(struct spill_rib *rib, const struct spill_ip_prefix *prefix)
{
    struct spill_rib_entry *entry = spill_rib_find(rib, prefix);
    uint32_t *head, index;

    if (entry != NULL)
        return entry;
    index = rib->free_entry;
    if (index != 0)
        rib->free_entry = rib->entries[index].next;
    else if (rib->fresh <= rib->capacity)
        index = rib->fresh++;
    else
        return NULL;
    head = chain_of(rib, prefix);
    entry = &rib->entries[index];
    *entry = (struct spill_rib_entry){.prefix = *prefix, .next = *head};
    *head = index;
    return entry;
}

static void list(struct spill_rib *rib, struct spill_rib_entry *entry, unsigned side)
{
    const uint32_t index = index_of(rib, entry);

    if (entry->listed[side])
        return;
    entry->listed[side] = true;
    entry->behind[side] = 0;
    if (rib->first_listed[side] == 0)
        rib->first_listed[side] = index;
    else
        rib->entries[rib->last_listed[side]].behind[side] = index;
    rib->last_listed[side] = index;
}

void spill_rib_want(struct spill_rib *rib, struct spill_rib_entry *entry, uint16_t group)
{
    unsigned side;

    rib->routes += (group != 0) - (entry->wanted != 0);
    entry->wanted = group;
    for (side = 0; side < SPILL_SIDES; side++) {
        if (entry->applied[side] != group)
            list(rib, entry, side);
    }
}

struct spill_rib_entry *spill_rib_next(struct spill_rib *rib, unsigned side)
{
    struct spill_rib_entry *entry;

    if (rib->first_listed[side] == 0)
        return NULL;
    entry = &rib->entries[rib->first_listed[side]];
    rib->first_listed[side] = entry->behind[side];
    entry->listed[side] = false;
    return entry;
}

void spill_rib_release(struct spill_rib *rib, struct spill_rib_entry *entry)
{
    const uint32_t index = index_of(rib, entry);
    uint32_t *link = chain_of(rib, &entry->prefix);

    if (entry->wanted != 0 || entry->applied[0] != 0 || entry->applied[1] != 0 ||
        entry->listed[0] || entry->listed[1])
        return;
    while (*link != index)
        link = &rib->entries[*link].next;
    *link = entry->next;
    entry->next = rib->free_entry;
    rib->free_entry = index;
}

void spill_rib_relist(struct spill_rib *rib, unsigned side)
{
    uint32_t i;

    for (i = 1; i < rib->fresh; i++) {
        if (rib->entries[i].wanted != 0)
            list(rib, &rib->entries[i], side);
    }
}
