/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_NEIGHBORS_H
#define SPILLWAY_MIRROR_NEIGHBORS_H

#include <stdint.h>
#include <sys/queue.h>

#include "mirror/kernel.h"
#include "mirror/links.h"
#include "mirror/sink.h"

/**
 * @file
 * The kernel's neighbours on twins and their macvlans, by link and address; the sink is given
 * those. The control thread's.
 */

struct spill_mirror_neighbor {
    TAILQ_ENTRY(spill_mirror_neighbor) entry;
    struct spill_kernel_neighbor state;
    int interface; /* that the sink has it for; -1: it has not */
    uint32_t generation;
};

struct spill_mirror_neighbors {
    void *tree; /* tsearch() */
    TAILQ_HEAD(, spill_mirror_neighbor) all;
    struct spill_mirror_links *links;
    const struct spill_mirror_sink *sink;
    uint32_t count;
};

void spill_mirror_neighbors_init(struct spill_mirror_neighbors *neighbors,
                                 struct spill_mirror_links *links,
                                 const struct spill_mirror_sink *sink);
void spill_mirror_neighbors_free(struct spill_mirror_neighbors *neighbors);

/** @return -1: no memory */
int spill_mirror_neighbors_set(struct spill_mirror_neighbors *neighbors,
                               const struct spill_kernel_neighbor *state, uint32_t generation);

void spill_mirror_neighbors_remove(struct spill_mirror_neighbors *neighbors,
                                   const struct spill_kernel_neighbor *state);

/** Forgets what has not the generation of a dump. */
void spill_mirror_neighbors_sweep(struct spill_mirror_neighbors *neighbors, uint32_t generation);

/** A link is, or is no longer, one whose neighbours the sink wants. */
void spill_mirror_neighbors_look(struct spill_mirror_neighbors *neighbors, uint32_t link);

#endif
