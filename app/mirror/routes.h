/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_ROUTES_H
#define SPILLWAY_MIRROR_ROUTES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mirror/kernel.h"
#include "mirror/path_sets.h"

/**
 * @file
 * The kernel's routes: for each prefix its alternatives in the kernel's order, of which the sink is
 * given the first that packets can go by. The control thread's.
 *
 * The order is: the local table's, then by metric; of one metric as the kernel has them, which for
 * IPv4 is where a message says that it put a route, and for IPv6 the order of coming. Where none
 * can be gone by, as all leave by links that are no twins, the prefix is unreachable; it does not
 * fall to a shorter one. (The kernel looks through all of its local table before the main one: a
 * longer prefix in the main table than one in the local table has no part there. Here it does.)
 *
 * What changes is noted at the prefix; the sink hears of it in spill_mirror_routes_work().
 */

/** What a message says about where a route goes among others of its prefix and metric. */
enum spill_route_place {
    SPILL_ROUTE_FIRST,   /* added */
    SPILL_ROUTE_LAST,    /* appended, or in a dump */
    SPILL_ROUTE_INSTEAD, /* of the first */
};

struct spill_mirror_prefix;

struct spill_mirror_route {
    TAILQ_ENTRY(spill_mirror_route) of_prefix;
    TAILQ_ENTRY(spill_mirror_route) of_set;
    struct spill_mirror_prefix *prefix;
    struct spill_path_set *set;
    uint32_t metric;
    uint32_t generation;
    bool local;
    bool merges;
};

struct spill_mirror_prefix {
    struct spill_ip_prefix prefix; /* the tree's key */
    bool dirty;                    /* waits for the sink to be told */
    bool given;                    /* the sink was given a route for it: */
    bool refused;                  /* and had no room for it */
    struct spill_path_set *set;    /* by this one's group; NULL: unreachable */
    TAILQ_HEAD(, spill_mirror_route) routes;
    TAILQ_ENTRY(spill_mirror_prefix) entry; /* of all */
    TAILQ_ENTRY(spill_mirror_prefix) next_dirty;
    TAILQ_ENTRY(spill_mirror_prefix) of_refused;
};

struct spill_mirror_routes {
    void *tree; /* of prefixes: tsearch() */
    TAILQ_HEAD(spill_mirror_prefixes, spill_mirror_prefix) all;
    TAILQ_HEAD(, spill_mirror_prefix) dirty;
    TAILQ_HEAD(, spill_mirror_prefix) refused[2]; /* of IPv4, of IPv6 */
    struct spill_path_sets *sets;
    const struct spill_mirror_sink *sink;
    uint32_t unreachable; /* the group of prefixes that can't be gone by */
    bool told_tunnel;
    struct spill_mirror_prefix *cursor; /* of a sweep under way; NULL: none */
    uint32_t generation;                /* what it leaves */
    uint64_t count;                     /* routes */
    uint64_t prefixes;
    uint64_t refused_count; /* prefixes that the sink has no room for */
    uint64_t differences; /* that dumps showed: routes that no message had told of, or taken away */
};

/** @param sets  tells these when one changes @return -1: the sink has no room for a group */
int spill_mirror_routes_init(struct spill_mirror_routes *routes, struct spill_path_sets *sets,
                             const struct spill_mirror_sink *sink);

/** Frees all of it; nothing is said to the sink. */
void spill_mirror_routes_free(struct spill_mirror_routes *routes);

/**
 * Takes a route that the kernel has.
 *
 * @param dumped  by a dump: it is a difference if it was not there
 * @return -1: no memory
 */
int spill_mirror_routes_add(struct spill_mirror_routes *routes,
                            const struct spill_kernel_route *route, enum spill_route_place place,
                            bool dumped, uint32_t generation);

/** Takes a route, or some paths of one (IPv6), away. Nothing where it is not. @return -1: no memory
 */
int spill_mirror_routes_delete(struct spill_mirror_routes *routes,
                               const struct spill_kernel_route *route);

/** Begins to take away, by spill_mirror_routes_work(), what has not the generation of a dump. */
void spill_mirror_routes_sweep(struct spill_mirror_routes *routes, uint32_t generation);

/** Tries again to give the sink what it had no room for, as far as it has now. */
void spill_mirror_routes_retry(struct spill_mirror_routes *routes);

/**
 * Does a part of what is to be done: routes of doomed sets, the sweep, and telling the sink.
 *
 * @param most  steps
 * @return whether more is left
 */
bool spill_mirror_routes_work(struct spill_mirror_routes *routes, uint32_t most);

#endif
