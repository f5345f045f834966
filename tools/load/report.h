/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_REPORT_H
#define SPILLWAY_LOAD_REPORT_H

#include "session.h"

/**
 * @file
 * What came of it: a table on standard output while it runs, and JSON at the end. docs/load.md
 * explains each field. Control thread.
 */

void spill_load_print_heading(void);
void spill_load_print_trial(const struct spill_load_options *options,
                            const struct spill_load_trial *trial);
void spill_load_print_found(const struct spill_load_session *session);

/** Writes the JSON report. @param status  the program's exit status @return 0, or -1 */
int spill_load_report_write(const struct spill_load_session *session, int status,
                            struct spill_error *error);

#endif
