/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_TELEMETRY_H
#define SPILLWAY_CTL_TELEMETRY_H

#include <jansson.h>

#include "base/error.h"

/**
 * @file
 * A connection to DPDK's telemetry socket, version 2: a command each way of which the answer is one
 * JSON object with the command as its key. One thread. Nothing waits longer than
 * SPILL_CTL_PATIENCE_S, and whatever comes in place of an answer is an error.
 */

#define SPILL_CTL_PATIENCE_S 5
#define SPILL_CTL_ANSWER_MAX (64 * 1024) /* bytes; DPDK's own bound is 16 KiB */

struct spill_ctl_telemetry {
    int descriptor;
    const char *path; /* the caller's */
};

/**
 * Connects, and takes the greeting.
 *
 * @param path  of the socket; stays the caller's, until the connection is closed
 * @return 0, or -1 with an error and nothing to close
 */
int spill_ctl_telemetry_open(struct spill_ctl_telemetry *telemetry, const char *path,
                             struct spill_error *error);

/**
 * Asks.
 *
 * @param command  such as "/spillway/metrics,ports"
 * @return what stands behind the command's name, the caller's to json_decref(): JSON null where the
 *         program has nothing of that name. NULL with an error; the connection is of no use then
 */
json_t *spill_ctl_telemetry_ask(struct spill_ctl_telemetry *telemetry, const char *command,
                                struct spill_error *error);

void spill_ctl_telemetry_close(struct spill_ctl_telemetry *telemetry);

/**
 * The answer in a message, of which the connection's peer has the say. Pure.
 *
 * @return as spill_ctl_telemetry_ask(); the error begins with `path`
 */
json_t *spill_ctl_telemetry_parse(const char *message, size_t size, const char *command,
                                  const char *path, struct spill_error *error);

#endif
