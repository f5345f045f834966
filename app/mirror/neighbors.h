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
 * The kernel's neighbours on twins, by link and address; the sink is given those. What a macvlan
 * on a twin finds out for itself is not looked at: the kernel may have let go of it there, and know
 * better on the twin, which is where it is asked. The control thread's.
 */

struct spill_mirror_neighbor {
    TAILQ_ENTRY(spill_mirror_neighbor) entry;
    struct spill_kernel_neighbor state;
    int interface; /* of the router */
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

/** Nothing where the link is no twin. @return -1: no memory */
int spill_mirror_neighbors_set(struct spill_mirror_neighbors *neighbors,
                               const struct spill_kernel_neighbor *state, uint32_t generation);

void spill_mirror_neighbors_remove(struct spill_mirror_neighbors *neighbors,
                                   const struct spill_kernel_neighbor *state);

/** Forgets what has not the generation of a dump. */
void spill_mirror_neighbors_sweep(struct spill_mirror_neighbors *neighbors, uint32_t generation);

/**
 * One of them after the other, in as many calls as there are: others may come and go meanwhile.
 *
 * @return NULL: there is none
 */
const struct spill_mirror_neighbor *
spill_mirror_neighbors_next(struct spill_mirror_neighbors *neighbors);

#endif
