/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CONFIG_FILE_H
#define SPILLWAY_CONFIG_FILE_H

#include <stdio.h>

#include "base/error.h"
#include "config/settings.h"
#include "runtime/token.h"

/**
 * @file
 * The configuration file as settings: `[spillway]` with options by their flags' names, `[port
 * NAME]` with `device` and the per-port options, `[wire NAME]` with `ports`, `[sa NAME]` with keys
 * of its own.
 */

/**
 * Reads a file and appends what it sets; values are not read yet.
 *
 * @param stop   ends the reading when it is cancelled; NULL: nothing does
 * @param error  on failure "file:line: …" with the section or key and what would be right
 * @return 0, or -1; the settings are the caller's to free in both cases
 */
int spill_config_file_load(const char *path, const struct spill_token *stop,
                           struct spill_settings *settings, struct spill_error *error);

/** Reads a file that is open. @param path  what errors call it, and file names are relative to */
int spill_config_file_read(FILE *file, const char *path, struct spill_settings *settings,
                           struct spill_error *error);

#endif
