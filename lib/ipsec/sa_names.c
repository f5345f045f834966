/* SPDX-License-Identifier: BSD-3-Clause */
#include "ipsec/sa_names.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

struct spill_sa_names {
    struct spill_sa *const *list;
    uint32_t mask;
    uint32_t *named;  /* by a hash, 1 + index in the list; 0: free */
    uint32_t *meant;  /* the same of what SAs stand for: the first of each */
    uint32_t slots[]; /* of both */
};

uint32_t spill_sa_names_hash(const char *name)
{
    uint32_t hash = 2166136261; /* FNV-1a */

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619;
    return hash ^ hash >> 15;
}

static const char *name_of(const struct spill_sa_names *names, const uint32_t *table, uint32_t slot)
{
    const struct spill_sa_config *config = &names->list[slot - 1]->config;

    return table == names->named ? config->name : config->stands_for;
}

/* The place of a name, or where it would be. */
static uint32_t *find(const struct spill_sa_names *names, uint32_t *table, const char *name)
{
    uint32_t at = spill_sa_names_hash(name) & names->mask;

    while (table[at] != 0 && strcmp(name_of(names, table, table[at]), name) != 0)
        at = (at + 1) & names->mask;
    return &table[at];
}

struct spill_sa_names *spill_sa_names_create(struct spill_sa *const *list, uint32_t count)
{
    const uint32_t size = rte_align32pow2(2 * count + 2);
    struct spill_sa_names *names = calloc(1, sizeof(*names) + 2 * size * sizeof(names->slots[0]));

    if (names == NULL)
        return NULL;
    names->list = list;
    names->mask = size - 1;
    names->named = names->slots;
    names->meant = names->slots + size;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *slot = find(names, names->named, list[i]->config.name);

        if (*slot == 0)
            *slot = i + 1;
        slot = find(names, names->meant, list[i]->config.stands_for);
        if (*slot == 0 && list[i]->config.stands_for[0] != '\0')
            *slot = i + 1;
    }
    return names;
}

void spill_sa_names_free(struct spill_sa_names *names)
{
    free(names);
}

struct spill_sa *spill_sa_names_find(const struct spill_sa_names *names, const char *name)
{
    uint32_t slot = *find(names, names->named, name);

    if (slot == 0 && name[0] != '\0')
        slot = *find(names, names->meant, name);
    return slot != 0 ? names->list[slot - 1] : NULL;
}
