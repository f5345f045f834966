/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTE_STATE_H
#define SPILLWAY_ROUTE_STATE_H

#include "route/left_right.h"
#include "route/numbers.h"
#include "route/tables.h"

/**
 * @file
 * The router's own state, for the files of lib/route alone. The control thread's.
 */

/** What the control thread knows of a neighbour besides what lcores read. */
struct spill_neighbor {
    uint32_t groups; /* uses by the paths of groups */
    bool known;      /* somebody said something of it */
    bool fixed;      /* STATIC */
};

/** A path as a group has it. */
struct spill_group_path {
    struct spill_route_path path;
    uint16_t hop;
};

struct spill_group_state {
    uint32_t uses;  /* by routes and by what the sides of tables have */
    bool held;      /* a caller of spill_router_create_group() has it */
    bool shared;    /* it is in the hash of those by content */
    uint8_t action; /* enum spill_route_action; NONE: the number is not in use */
    uint16_t count;
    uint16_t next; /* in the hash; 0: none */
    struct spill_group_path *paths;
};

#define SPILL_GROUP_CHAINS 4096       /* a power of two */
#define SPILL_NO_PORT      UINT16_MAX /* an interface's: its place is free */

struct spill_router {
    struct spill_router_config config;
    uint32_t interface_count;
    struct spill_router_interface interfaces[SPILL_ROUTER_INTERFACES_MAX]; /* or SPILL_NO_PORT */
    uint32_t uses[SPILL_ROUTER_INTERFACES_MAX];         /* of each, by paths and neighbors */
    struct spill_route_tables *tables[SPILL_NODES_MAX]; /* by memory node; NULL: none */
    struct spill_route_tables *first;                   /* one of them, for reading */
    struct spill_route_lcore *lcores[SPILL_ROUTER_LCORES_MAX];
    uint32_t next_lcore; /* whose needs are read next */
    struct spill_numbers hop_numbers, group_numbers;
    struct spill_neighbor neighbors[SPILL_HOPS_MAX];
    struct spill_group_state groups[SPILL_ROUTER_GROUPS_MAX];
    uint16_t group_chains[SPILL_GROUP_CHAINS];
    struct spill_left_right table4, table6;
    uint64_t refused;           /* routes and groups, beside those that tables refused */
    uint64_t neighbors_refused; /* as there were too many */
    uint32_t neighbors_known;
};

/** For each copy of the tables. */
#define SPILL_EACH_TABLES(router, tables_)                                                         \
    for (int node_ = 0; node_ < SPILL_NODES_MAX; node_++)                                          \
        if (((tables_) = (router)->tables[node_]) != NULL)

/* ----------------------------------------------------------- neighbors.c, for groups.c */

/** The hop of a path, which is used once more. @return 0: there are too many */
uint16_t spill_neighbors_use(struct spill_router *router, const struct spill_route_path *path);

/** The reverse. */
void spill_neighbors_unuse(struct spill_router *router, uint16_t hop);

/* ---------------------------------------------------------------- groups.c, for router.c */

/** A group with these paths, shared by all who ask for the same. @return 0 with an error */
uint16_t spill_groups_find(struct spill_router *router, enum spill_route_action action,
                           const struct spill_route_path *paths, uint32_t count,
                           struct spill_error *error);

void spill_groups_use(struct spill_router *router, uint16_t group);

/** The last use of a group that nobody holds ends it. */
void spill_groups_unuse(struct spill_router *router, uint16_t group);

/** Gives the flows of all groups to the paths whose links are up. */
void spill_groups_follow_links(struct spill_router *router);

void spill_groups_free(struct spill_router *router);

#endif
