/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ARGUMENTS_H
#define SPILLWAY_ARGUMENTS_H

/**
 * @file
 * Arguments for the EAL in the making. Each is a string of its own, as getopt may write into the
 * array. The EAL keeps pointers to them until its end: whoever frees them does so afterwards.
 * Control thread.
 */

#define SPILL_ARGUMENTS_MAX 128

/** Starts as all zeros. */
struct spill_arguments {
    int count;
    char *values[SPILL_ARGUMENTS_MAX]; /* from malloc(); a NULL behind the last */
};

/** Adds one, as printf() makes it. What there is no memory or room for is left out. */
void spill_arguments_add(struct spill_arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
