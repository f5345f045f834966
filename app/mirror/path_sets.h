/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_PATH_SETS_H
#define SPILLWAY_MIRROR_PATH_SETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mirror/kernel.h"
#include "mirror/links.h"
#include "mirror/next_hops.h"
#include "mirror/sink.h"

/**
 * @file
 * What the kernel's routes say of where packets go, each different one once: a set of paths, a
 * next-hop object, or an action without any. Routes share them, as they do in the kernel. Each that
 * is in use is a group of the sink's; a link or an object that changes, changes groups and no
 * routes.
 *
 * A set whose routes the kernel drops without a message is doomed: from then on no route finds it,
 * packets find its group unreachable, and its routes are taken away some at a time
 * (spill_mirror_routes_work()). The control thread's.
 */

struct spill_mirror_route;

struct spill_path_set {
    TAILQ_ENTRY(spill_path_set) entry; /* of the list of its state */
    TAILQ_ENTRY(spill_path_set) of_object;
    TAILQ_ENTRY(spill_path_set) of_refused;
    TAILQ_HEAD(, spill_mirror_route) routes; /* that have it */
    struct spill_next_hop *object;           /* that it goes by; NULL: none, or it is doomed */
    uint32_t users;                          /* routes, and prefixes that it was given for */
    uint32_t group;                          /* the sink's; 0: none yet, or refused */
    bool refused;                            /* the sink had no group for it, or no room in it */
    bool usable;                             /* packets can go by it, or are to go no further */
    bool tunneled; /* it has ways into tunnels, by which nothing is sent */
    enum spill_path_set_state {
        SPILL_PATHS_LIVE,
        SPILL_PATHS_DOOMED,
        SPILL_PATHS_SPENT, /* doomed, and without routes */
        SPILL_PATHS_STATES
    } state;
    bool dead[SPILL_ROUTER_PATHS_MAX]; /* by path: the kernel does not use it now */
    /* What it is known by: */
    struct spill_path_set_key {
        uint8_t family;
        uint8_t action;
        uint8_t kept;
        uint16_t mtu;
        uint32_t next_hop;
        uint32_t count;
        struct {
            uint32_t link;
            uint32_t weight;
            uint32_t encapsulation;
            struct spill_ip gateway;
        } paths[SPILL_ROUTER_PATHS_MAX];
    } key; /* as much memory as it has paths: the last field */
};

struct spill_path_sets {
    void *tree; /* of those that are not doomed, by key: tsearch() */
    TAILQ_HEAD(, spill_path_set) lists[SPILL_PATHS_STATES];
    TAILQ_HEAD(, spill_path_set) refused; /* that the sink has no room for */
    struct spill_mirror_links *links;
    struct spill_next_hops *next_hops;
    const struct spill_mirror_sink *sink;
    /* Packets can go by a set now and could not, or the reverse; it is not doomed. */
    void (*changed)(void *context, struct spill_path_set *set);
    void *context;
    uint64_t refused_count, tunneled_count;
};

void spill_path_sets_init(struct spill_path_sets *sets, struct spill_mirror_links *links,
                          struct spill_next_hops *next_hops, const struct spill_mirror_sink *sink);

/** All of them, whoever uses them. Nothing is said to the sink. */
void spill_path_sets_free(struct spill_path_sets *sets);

/**
 * Finds the set of a route, or makes it; what the route says of dead paths is taken for all of its
 * routes. One more user.
 *
 * @return NULL: no memory
 */
struct spill_path_set *spill_path_sets_take(struct spill_path_sets *sets,
                                            const struct spill_kernel_route *route);

/** The set of a route; it stays without a user more. @return NULL: there is none */
struct spill_path_set *spill_path_sets_find(const struct spill_path_sets *sets,
                                            const struct spill_kernel_route *route);

/** One user less; the last one frees it. */
void spill_path_sets_release(struct spill_path_sets *sets, struct spill_path_set *set);

/** The group of a set that is usable or of no path; 0: the sink had none. */
uint32_t spill_path_sets_group(struct spill_path_sets *sets, struct spill_path_set *set);

/** As a route has it: to change it and take another set. */
void spill_path_set_paths(const struct spill_path_set *set, struct spill_kernel_route *route);

/** What happens to a link. */
enum spill_path_event {
    SPILL_PATHS_LINK_DOWN, /* administratively */
    SPILL_PATHS_LINK_UP,
    SPILL_PATHS_LINK_GONE,
    SPILL_PATHS_NO_ADDRESS,  /* IPv4: its last address went */
    SPILL_PATHS_NEW_ADDRESS, /* IPv4: it has one more, and is up */
};

/** Marks paths dead or alive as the kernel does, and dooms the sets that it drops routes of. */
void spill_path_sets_link(struct spill_path_sets *sets, uint32_t link, enum spill_path_event event);

/** Looks again at the sets of next-hop objects that changed; dooms those of objects that are gone.
 */
void spill_path_sets_follow_next_hops(struct spill_path_sets *sets);

/** Looks again at the sets that go by a link. */
void spill_path_sets_look(struct spill_path_sets *sets, uint32_t link);

/** A doomed set that has routes. @return NULL: there is none */
struct spill_path_set *spill_path_sets_next_doomed(struct spill_path_sets *sets);

/** Tries again to have groups for those that were refused one, until the sink refuses. */
void spill_path_sets_retry(struct spill_path_sets *sets);

#endif
