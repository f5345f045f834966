/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOG_H
#define SPILLWAY_LOG_H

#include <rte_log.h>

#include "options.h"

/**
 * @file
 * The program's log: lines on standard error through rte_log, each beginning with "spillway: ".
 * Control thread only (law 2).
 */

/** Writes a line, made printable; a longer one than a kilobyte loses its middle. */
#define SPILL_LOG(level, ...) spill_log_line(RTE_LOG_##level, __VA_ARGS__)

__attribute__((format(printf, 2, 3))) void spill_log_line(uint32_t level, const char *format, ...);

/** Sets the level of the program's own lines. May be called before rte_eal_init(). */
void spill_log_set_level(enum spill_option_log level);

/** The EAL's --log-level argument that goes with ours: its own chatter is for debugging. */
const char *spill_log_eal_argument(enum spill_option_log level);

#endif
