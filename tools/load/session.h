/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_SESSION_H
#define SPILLWAY_LOAD_SESSION_H

#include <stdbool.h>

#include "bench.h"
#include "search.h"
#include "trial.h"

/**
 * @file
 * The trials of a run, one after another: a load, or a search and latency at shares of what it
 * found. The control thread waits here while the polling lcore works.
 *
 * The first SIGTERM or SIGINT ends the sending; what is on its way is received, and all is
 * reported. The second ends the program at once.
 */

#define SPILL_LOAD_TRIALS_MAX 96

struct spill_load_session {
    struct spill_load_bench *bench;
    unsigned count;
    struct spill_load_trial *trials[SPILL_LOAD_TRIALS_MAX]; /* owned */
    struct spill_load_found found;
    const char *end; /* why it ended: "done", "signal", "link", "memory" */
};

/** Has signals end the run. Before anything else. @return 0, or -1 */
int spill_load_session_listen(struct spill_error *error);

/** Waits until all links are up. @return 0 (or a signal came); -1: not within --wait */
int spill_load_session_wait(struct spill_load_session *session, struct spill_error *error);

/** Runs the trials. @return 0, or -1: a link went down, or there was no memory */
int spill_load_session_run(struct spill_load_session *session, struct spill_error *error);

void spill_load_session_free(struct spill_load_session *session);

#endif
