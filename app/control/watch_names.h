/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_WATCH_NAMES_H
#define SPILLWAY_WATCH_NAMES_H

#include "base/json.h"
#include "program.h"

/**
 * @file
 * Names of what records of watched packets have as numbers, in the version in force. Control
 * thread.
 */

/** A port by its id; NULL: there is none. */
const char *spill_watch_port_name(const struct spill_program *program, uint32_t id);

/** An interface by the router's number; NULL: there is none. */
const char *spill_watch_interface_name(const struct spill_program *program, uint32_t index);

/** An association by its id; NULL: there is none. */
const char *spill_watch_sa_name(const struct spill_program *program, uint32_t id);

/** Where a rule stands, FILE:LINE or `default`, and its name in brackets, by its tally. @return
 *  false: it is no rule of this version */
bool spill_watch_rule_title(const struct spill_program *program, uint32_t tally, char *title,
                            size_t size);

/** Writes a time as UTC with nanoseconds, by TSC. */
void spill_watch_write_time(struct spill_json *json, const char *key, uint64_t stamp);

#endif
