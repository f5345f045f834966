/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PLACEMENT_H
#define SPILLWAY_PLACEMENT_H

#include <stddef.h>

/**
 * @file
 * Asks the kernel on which NUMA node memory really is (move_pages(2)): the second half of law 8.
 *
 * Control thread only: these are system calls.
 */

/** What spill_placement_check() found. */
struct spill_placement {
    unsigned pages;     /* pages that were asked for */
    unsigned elsewhere; /* of those: on another node than expected */
    unsigned absent;    /* of those: not in memory yet, or the kernel does not say */
    int node;           /* the node of the first page that is elsewhere; -1: none is */
};

/**
 * The node of the page at an address.
 *
 * @return the node; or a negative errno: -ENOENT when the page was never touched, -EFAULT when
 * nothing is mapped there, -ENOSYS when the kernel has no NUMA support, -EPERM when a container
 * forbids the question
 */
int spill_placement_node(const void *address);

/**
 * Samples the pages of a range, at most 64 evenly over it, with its first and its last.
 *
 * @param node    where it should be; negative: anywhere, then nothing is elsewhere
 * @param result  written to
 * @return 0 when every page asked for is there (or absent), 1 when some are elsewhere, or a
 * negative errno when the kernel can't answer at all
 */
int spill_placement_check(const void *address, size_t length, int node,
                          struct spill_placement *result);

#endif
