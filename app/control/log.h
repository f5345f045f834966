/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOG_H
#define SPILLWAY_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include <rte_log.h>

#include "config/options.h"

/**
 * @file
 * The program's log: lines on standard error, each beginning with "spillway: ", with DPDK's own
 * between them.
 *
 * Nobody waits for who reads it (law 7): what a pipe, socket or terminal does not take is waited
 * for a tenth of a second at most, and a tenth of the time in the long run, however many lines
 * there are. Then lines are lost until it takes some again, and the next line says how many. Any
 * thread but an lcore's (law 2: it formats, locks and writes).
 */

/**
 * Has all of the log written so, DPDK's too. Before any other thread is made.
 *
 * @return 0, or -1 without memory
 */
int spill_log_open(void);

/** Writes a line, made printable; a longer one than a kilobyte loses its middle. */
#define SPILL_LOG(level, ...) spill_log_line(RTE_LOG_##level, __VA_ARGS__)

__attribute__((format(printf, 2, 3))) void spill_log_line(uint32_t level, const char *format, ...);

/** Writes a line of another kind, with its end, as it is. @return whether it was; else it is lost,
 * and counted as above */
bool spill_log_put(const char *line, size_t size);

/** The same whatever the level: what was asked for, or ends the program. */
__attribute__((format(printf, 1, 2))) void spill_log_always(const char *format, ...);

/** Sets the level of the program's own lines. May be called before rte_eal_init(). */
void spill_log_set_level(enum spill_option_log level);

/** The EAL's --log-level argument that goes with ours: its own chatter is for debugging. */
const char *spill_log_eal_argument(enum spill_option_log level);

#endif
