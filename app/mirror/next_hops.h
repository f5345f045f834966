/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_NEXT_HOPS_H
#define SPILLWAY_MIRROR_NEXT_HOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "mirror/kernel.h"

/**
 * @file
 * The kernel's next-hop objects and groups of them, by id. The control thread's.
 *
 * The kernel says nothing of an object that goes with its link, nor of the routes that go with an
 * object: whoever removes one here, removes its routes and tells whoever has it as a member.
 */

struct spill_next_hop {
    struct spill_kernel_next_hop state;
    uint32_t generation;
};

struct spill_next_hops {
    struct spill_next_hop *all; /* by id, ascending */
    uint32_t count, capacity;
};

void spill_next_hops_free(struct spill_next_hops *next_hops);

/** @return NULL: there is none. It stays where it is until the next is set or removed */
const struct spill_next_hop *spill_next_hops_find(const struct spill_next_hops *next_hops,
                                                  uint32_t id);

/** Adds an object, or replaces it. @return -1: no memory */
int spill_next_hops_set(struct spill_next_hops *next_hops,
                        const struct spill_kernel_next_hop *state, uint32_t generation);

/** Removes an object, and from all groups; a group may be without members then. */
void spill_next_hops_remove(struct spill_next_hops *next_hops, uint32_t id);

/** Whether an object is that one, or a group with it. */
bool spill_next_hops_has(const struct spill_next_hop *next_hop, uint32_t id);

/** The paths that an object comes to. @return how many, at most SPILL_ROUTER_PATHS_MAX */
uint32_t spill_next_hops_paths(const struct spill_next_hops *next_hops, uint32_t id,
                               struct spill_kernel_path *paths);

#endif
