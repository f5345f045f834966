/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTE_RIB_H
#define SPILLWAY_ROUTE_RIB_H

#include <stdbool.h>
#include <stdint.h>

#include "route/address.h"

/**
 * @file
 * The routes of a family by prefix: which group each is to have, and which one it has on either
 * side of the forwarding table. What differs is on a list for that side, each route at most once,
 * so that a storm of changes needs no more memory than the routes themselves. The control thread's.
 */

#define SPILL_SIDES 2

struct spill_rib_entry {
    struct spill_ip_prefix prefix;
    uint16_t wanted;               /* number of the group; 0: no route */
    uint16_t applied[SPILL_SIDES]; /* likewise */
    bool listed[SPILL_SIDES];      /* it is on the side's list */
    uint32_t behind[SPILL_SIDES];  /* entry behind it there */
    uint32_t next;                 /* in its chain of the hash, or free; 0: the last */
};

struct spill_rib {
    uint32_t capacity, chains; /* chains: a power of two */
    uint32_t seed;
    uint32_t fresh, free_entry;                                   /* never used yet; used before */
    uint32_t routes;                                              /* whose wanted group is one */
    uint32_t first_listed[SPILL_SIDES], last_listed[SPILL_SIDES]; /* 0: none */
    uint32_t *heads;
    struct spill_rib_entry *entries; /* by index, from 1 */
};

/** @return 0, or -1: no memory */
int spill_rib_init(struct spill_rib *rib, uint32_t capacity, uint32_t seed);

void spill_rib_free(struct spill_rib *rib);

/** @return NULL: there is none, nor was one that a side still has */
struct spill_rib_entry *spill_rib_find(const struct spill_rib *rib,
                                       const struct spill_ip_prefix *prefix);

/** Finds an entry or makes one. @param prefix  exact. @return NULL: there are too many */
struct spill_rib_entry *spill_rib_make(struct spill_rib *rib, const struct spill_ip_prefix *prefix);

/** Says which group a route is to have, 0: none, and lists it where it has another. */
void spill_rib_want(struct spill_rib *rib, struct spill_rib_entry *entry, uint16_t group);

/** Takes the oldest from a side's list. @return NULL: it is empty */
struct spill_rib_entry *spill_rib_next(struct spill_rib *rib, unsigned side);

/** Forgets an entry that nobody wants and neither side has. */
void spill_rib_release(struct spill_rib *rib, struct spill_rib_entry *entry);

/** Lists all routes that are wanted for a side that has none, as it was made anew. */
void spill_rib_relist(struct spill_rib *rib, unsigned side);

#endif
