/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTE_FIB_H
#define SPILLWAY_ROUTE_FIB_H

#include <stdint.h>

#include "base/error.h"
#include "plan/topology.h"
#include "route/address.h"

/**
 * @file
 * One instance of a family's forwarding table: an rte_fib (DIR24_8) or rte_fib6 (TRIE), with a copy
 * on each NUMA node where lcores read. It says the number of a destination's group; 0: no route.
 *
 * The control thread changes an instance while no lcore reads it.
 */

/* 8 bits of an address behind the first 24, in DPDK's tables: as many as 2-byte numbers allow. */
#define SPILL_FIB_TBL8_MAX 32767

struct spill_fib {
    uint8_t family;
    uint8_t side; /* for its name */
    uint32_t capacity;
    const int *memory_nodes;       /* by node, -1: none; must outlive it */
    void *copies[SPILL_NODES_MAX]; /* by memory node: struct rte_fib or rte_fib6; NULL: none */
};

/** Bytes that a copy takes. */
uint64_t spill_fib_memory(uint8_t family, uint32_t capacity);

/**
 * Makes an empty instance.
 *
 * @param capacity  routes
 * @return 0, or -1 with an error: no memory
 */
int spill_fib_create(struct spill_fib *fib, uint8_t family, uint8_t side, uint32_t capacity,
                     const int *memory_nodes, struct spill_error *error);

void spill_fib_free(struct spill_fib *fib);

/**
 * Writes a route, which may be there.
 *
 * @return 0, or negative: no room; then the copies may differ, and the instance must be made anew
 */
int spill_fib_add(struct spill_fib *fib, const struct spill_ip_prefix *prefix, uint16_t group);
int spill_fib_delete(struct spill_fib *fib, const struct spill_ip_prefix *prefix);

#endif
