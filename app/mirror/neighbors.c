/* SPDX-License-Identifier: BSD-3-Clause */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "mirror/neighbors.h"
#include "mirror/tree.h"

void spill_mirror_neighbors_init(struct spill_mirror_neighbors *neighbors,
                                 struct spill_mirror_links *links,
                                 const struct spill_mirror_sink *sink)
{
    memset(neighbors, 0, sizeof(*neighbors));
    TAILQ_INIT(&neighbors->all);
    neighbors->links = links;
    neighbors->sink = sink;
}

void spill_mirror_neighbors_free(struct spill_mirror_neighbors *neighbors)
{
    struct spill_mirror_neighbor *neighbor;

    spill_tree_free(&neighbors->tree);
    while ((neighbor = TAILQ_FIRST(&neighbors->all)) != NULL) {
        TAILQ_REMOVE(&neighbors->all, neighbor, entry);
        free(neighbor);
    }
}

static int compare(const void *one, const void *other)
{
    const struct spill_mirror_neighbor *left = one, *right = other;

    if (left->state.link != right->state.link)
        return left->state.link < right->state.link ? -1 : 1;
    return memcmp(&left->state.address, &right->state.address, sizeof(left->state.address));
}

static struct spill_mirror_neighbor *find(const struct spill_mirror_neighbors *neighbors,
                                          const struct spill_kernel_neighbor *state)
{
    const struct spill_mirror_neighbor like = {.state = *state};
    struct spill_mirror_neighbor *const *found = tfind(&like, &neighbors->tree, compare);

    return found != NULL ? *found : NULL;
}

static void tell(const struct spill_mirror_neighbors *neighbors,
                 const struct spill_mirror_neighbor *neighbor)
{
    const struct spill_kernel_neighbor *state = &neighbor->state;

    neighbors->sink->set_neighbor(neighbors->sink->context, (uint16_t)neighbor->interface,
                                  &state->address, state->state,
                                  state->state == SPILL_NEIGHBOR_REACHABLE ? &state->mac : NULL);
}

static struct spill_mirror_neighbor *make(struct spill_mirror_neighbors *neighbors,
                                          const struct spill_kernel_neighbor *state, int interface)
{
    struct spill_mirror_neighbor *neighbor = calloc(1, sizeof(*neighbor));

    if (neighbor == NULL)
        return NULL;
    neighbor->state = *state;
    neighbor->interface = interface;
    if (tsearch(neighbor, &neighbors->tree, compare) == NULL) {
        free(neighbor);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&neighbors->all, neighbor, entry);
    neighbors->count++;
    return neighbor;
}

int spill_mirror_neighbors_set(struct spill_mirror_neighbors *neighbors,
                               const struct spill_kernel_neighbor *state, uint32_t generation)
{
    const struct spill_mirror_link *link = spill_mirror_links_find(neighbors->links, state->link);
    struct spill_mirror_neighbor *neighbor = find(neighbors, state);
    bool changed = true;

    if (link == NULL || link->interface < 0)
        return 0;
    if (neighbor == NULL)
        neighbor = make(neighbors, state, link->interface);
    else
        changed = neighbor->state.state != state->state ||
                  !rte_is_same_ether_addr(&neighbor->state.mac, &state->mac);
    if (neighbor == NULL)
        return -1;
    neighbor->state = *state;
    neighbor->generation = generation;
    if (changed)
        tell(neighbors, neighbor);
    return 0;
}

static void forget(struct spill_mirror_neighbors *neighbors, struct spill_mirror_neighbor *neighbor)
{
    neighbors->sink->remove_neighbor(neighbors->sink->context, (uint16_t)neighbor->interface,
                                     &neighbor->state.address);
    tdelete(neighbor, &neighbors->tree, compare);
    TAILQ_REMOVE(&neighbors->all, neighbor, entry);
    neighbors->count--;
    free(neighbor);
}

void spill_mirror_neighbors_remove(struct spill_mirror_neighbors *neighbors,
                                   const struct spill_kernel_neighbor *state)
{
    struct spill_mirror_neighbor *neighbor = find(neighbors, state);

    if (neighbor != NULL)
        forget(neighbors, neighbor);
}

void spill_mirror_neighbors_sweep(struct spill_mirror_neighbors *neighbors, uint32_t generation)
{
    struct spill_mirror_neighbor *neighbor, *next;

    for (neighbor = TAILQ_FIRST(&neighbors->all); neighbor != NULL; neighbor = next) {
        next = TAILQ_NEXT(neighbor, entry);
        if (neighbor->generation != generation)
            forget(neighbors, neighbor);
    }
}

/* The list's order is of no other use. */
const struct spill_mirror_neighbor *
spill_mirror_neighbors_next(struct spill_mirror_neighbors *neighbors)
{
    struct spill_mirror_neighbor *first = TAILQ_FIRST(&neighbors->all);

    if (first == NULL)
        return NULL;
    TAILQ_REMOVE(&neighbors->all, first, entry);
    TAILQ_INSERT_TAIL(&neighbors->all, first, entry);
    return first;
}
