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

/**
 * The part of that which is about addresses: no two ports have the same, but for link-local ones,
 * and those without a network (/32, /128), as unnumbered links have them.
 *
 * @return 0, or -1 with an error, likewise
 */
int spill_options_check_addresses(const struct spill_options *options, struct spill_error *error);

/** The address that another port has as well, and may not have; NULL: there is none. */
const struct spill_ip_prefix *
spill_options_same_address(const struct spill_option_addresses *of,
                           const struct spill_option_addresses *others);

/** Tells, with file and line, networks of ports that overlap: as in the kernel, that is allowed. */
void spill_options_tell_overlaps(const struct spill_options *options,
                                 void (*tell)(void *context, const char *warning), void *context);

/** Whether a port, by its index, is routed, or a sub-port of it. */
bool spill_options_port_routes(const struct spill_options *options, unsigned int port);

/** Whether two ports have devices, and interfaces of the kernel's, of their own. @return 0, or -1
 * with an error that names where the first was given */
int spill_options_check_apart(const struct spill_option_port *port,
                              const struct spill_option_port *other, struct spill_error *error);

#endif
