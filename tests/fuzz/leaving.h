/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FUZZ_LEAVING_H
#define SPILLWAY_FUZZ_LEAVING_H

#include "traffic.h"

/**
 * @file
 * Whether what leaves a pipeline may: it is of what was fed, and what was to be protected is.
 */

/** Forgets all. */
void leaving_begin(void);

/** Takes what the ports have transmitted, and checks each frame. */
void leaving_take(void);

/** What left: frames, and a hash of all of them in their order. */
struct leaving {
    uint64_t frames[2]; /* by port */
    uint64_t hash[2];
};
extern struct leaving leaving;

#endif
