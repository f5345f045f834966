/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTIONS_CHECK_H
#define SPILLWAY_OPTIONS_CHECK_H

#include "config/options.h"

/**
 * Checks what single values can't show: that ports and wires fit together, and options that need
 * each other. Fills in the port indices of the wires.
 *
 * @param error  on failure one line that names what contradicts what
 * @return 0, or -1
 */
int spill_options_check(struct spill_options *options, struct spill_error *error);

/**
 * The part of it that is about security associations: keys that need or exclude each other, and
 * inbound ones that a packet could not tell apart.
 *
 * @param error  on failure one line with file, line and value of the key that does not fit
 * @return 0, or -1
 */
int spill_options_check_sas(struct spill_options *options, struct spill_error *error);

/**
 * The part that is about routed ports, routes and neighbours. Fills in their indices.
 *
 * @return 0, or -1 with an error, likewise
 */
int spill_options_check_router(struct spill_options *options, struct spill_error *error);

/** Whether a port, by its index, is routed, or a sub-port of it. */
bool spill_options_port_routes(const struct spill_options *options, unsigned int port);

/** Whether two ports have devices, and interfaces of the kernel's, of their own. @return 0, or -1
 * with an error that names where the first was given */
int spill_options_check_apart(const struct spill_option_port *port,
                              const struct spill_option_port *other, struct spill_error *error);

#endif
