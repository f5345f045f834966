/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OPTIONS_COMPARE_H
#define SPILLWAY_OPTIONS_COMPARE_H

#include "config/difference.h"
#include "config/options.h"

/**
 * @file
 * What differs between options in force and those read again, row by row of the table, and by the
 * names of what the rows are about.
 */

/**
 * Tells what differs: "flow-timeout", "mtu of port lan", "dispatch of classify", "port dmz", "wire
 * a-b", "route 10.0.0.0/8", "sa branch". Any thread that has both to itself.
 *
 * @param when  what is in force at that time alone, of both options nothing else is looked at but
 *              the names of ports, wires, routes, neighbors and associations
 * @param tell  called once for each
 */
void spill_options_compare(const struct spill_options *in_force, const struct spill_options *again,
                           enum spill_option_when when, spill_difference_tell *tell, void *context);

/**
 * Finds ports that come by themselves: those of wires that are wholly new, as neither of their
 * ports was there; and, where routed ports have twins before and again, those that route. With both
 * options exchanged, those that leave so. Any thread that has both to itself.
 *
 * @param ports  gets their indices in `again`
 * @return how many
 */
uint32_t spill_options_ports_apart(const struct spill_options *before,
                                   const struct spill_options *again,
                                   uint16_t ports[SPILL_PORTS_MAX]);

/**
 * The same of what is routed: such ports, and sub-ports of theirs or of routed ports that stay.
 *
 * @param interfaces  gets their indices in `again`; of more than there may be the first
 * @return how many
 */
uint32_t spill_options_interfaces_apart(const struct spill_options *before,
                                        const struct spill_options *again,
                                        uint16_t interfaces[SPILL_ROUTER_INTERFACES_MAX]);

#endif
