/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SECRET_H
#define SPILLWAY_SECRET_H

#include <stddef.h>

/**
 * @file
 * Bytes that nobody can guess: keys, and seeds of hashes that an attacker must not know.
 * rte_rand() can be predicted from its output. Everything random comes from here.
 */

/**
 * Fills memory with the kernel's random bytes; waits for them just after the machine's start.
 * Control thread.
 *
 * @param size  bytes, at most 256
 * @return 0, or -1 with errno
 */
int spill_secret(void *bytes, size_t size);

#endif
