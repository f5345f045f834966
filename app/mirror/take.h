/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_TAKE_H
#define SPILLWAY_MIRROR_TAKE_H

#include <stdbool.h>

#include <libmnl/libmnl.h>

#include "mirror/mirror.h"

/**
 * @file
 * What each message of the kernel's means for what the mirror holds: what it says, and what the
 * kernel does at the same moment and says nothing of. The control thread's.
 */

/**
 * Takes a message.
 *
 * @param dumped  it is the dump's that is under way
 * @return -1: no memory
 */
int spill_take_message(struct spill_mirror *mirror, const struct nlmsghdr *message, bool dumped);

/** Takes for gone what a dump did not have. */
void spill_take_links_sweep(struct spill_mirror *mirror);
void spill_take_addresses_sweep(struct spill_mirror *mirror);
void spill_take_next_hops_sweep(struct spill_mirror *mirror);

#endif
