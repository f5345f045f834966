/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_NEXT_HOPS_H
#define SPILLWAY_MIRROR_NEXT_HOPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mirror/kernel.h"

/**
 * @file
 * The kernel's next-hop objects and groups of them, by id. The control thread's.
 *
 * The kernel says nothing of an object that goes with its link, nor of the routes that go with an
 * object. What changes, goes or comes here is queued, and so are the groups that have it; whoever
 * has routes by objects takes them from the queue (path_sets.h). Each step costs as much as there
 * is to change, whatever number of objects there is.
 */

struct spill_path_set;
struct spill_next_hop;

/** An object's place in a group. */
struct spill_next_hop_member {
    TAILQ_ENTRY(spill_next_hop_member) of_group;
    TAILQ_ENTRY(spill_next_hop_member) of_object;
    struct spill_next_hop *group, *object;
    uint32_t weight;
};

struct spill_next_hop {
    uint32_t id; /* the tree's key */
    TAILQ_ENTRY(spill_next_hop) entry;
    TAILQ_ENTRY(spill_next_hop) next_changed;
    bool known;   /* the kernel has it; else it is but referred to, or queued */
    bool changed; /* in the queue */
    bool blackhole;
    uint32_t generation;
    struct spill_kernel_path path;               /* link 0: it has none of its own */
    TAILQ_HEAD(, spill_next_hop_member) members; /* of a group */
    TAILQ_HEAD(, spill_next_hop_member) places;  /* in groups */
    TAILQ_HEAD(, spill_path_set) sets;           /* of routes that go by it */
};

struct spill_next_hops {
    void *tree; /* by id: tsearch() */
    TAILQ_HEAD(, spill_next_hop) all;
    TAILQ_HEAD(, spill_next_hop) changed;
};

void spill_next_hops_init(struct spill_next_hops *next_hops);

/** All of them; no path set refers to one any more. */
void spill_next_hops_free(struct spill_next_hops *next_hops);

/** Adds an object, or replaces it. @return -1: no memory */
int spill_next_hops_set(struct spill_next_hops *next_hops,
                        const struct spill_kernel_next_hop *state, uint32_t generation);

/** Removes an object, and from all groups, and those that have no other. Nothing where it is not.
 */
void spill_next_hops_remove(struct spill_next_hops *next_hops, uint32_t id);

/** Removes the objects of a link that is down. */
void spill_next_hops_remove_link(struct spill_next_hops *next_hops, uint32_t link);

/** Removes those that have not the generation of a dump. */
void spill_next_hops_sweep(struct spill_next_hops *next_hops, uint32_t generation);

/** The object of an id, known or not; it stays until spill_next_hops_release(). @return NULL: no
 * memory */
struct spill_next_hop *spill_next_hops_use(struct spill_next_hops *next_hops, uint32_t id);

/** Frees an object that is unknown, and that no set, no group and not the queue has. */
void spill_next_hops_release(struct spill_next_hops *next_hops, struct spill_next_hop *next_hop);

/** Whether packets by it are to be dropped without a word. */
bool spill_next_hop_is_blackhole(const struct spill_next_hop *next_hop);

/** The paths that an object comes to. @return how many, at most SPILL_ROUTER_PATHS_MAX */
uint32_t spill_next_hop_paths(const struct spill_next_hop *next_hop,
                              struct spill_kernel_path *paths);

#endif
