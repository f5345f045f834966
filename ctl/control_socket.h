/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_CONTROL_SOCKET_H
#define SPILLWAY_CTL_CONTROL_SOCKET_H

#include <stdbool.h>

#include <jansson.h>

#include "base/error.h"

/**
 * @file
 * The client's side of the program's control socket: a connection for each request. Any thread.
 */

/**
 * Asks, and waits for the answer.
 *
 * @param path      of the socket
 * @param argument  NULL: none
 * @param seconds   at most to wait for anything
 * @return the answer, the caller's to json_decref(), also where it says that nothing was done; NULL
 *         with an error: there is no answer
 */
json_t *spill_ctl_control_ask(const char *path, const char *command, const char *argument,
                              int seconds, struct spill_error *error);

/**
 * The same of an answer that says that it was done.
 *
 * @return NULL with an error, which is the program's own where it has refused
 */
json_t *spill_ctl_control_do(const char *path, const char *command, const char *argument,
                             int seconds, struct spill_error *error);

/**
 * Has the program do something that it tells of line by line, before it answers.
 *
 * @param request  the whole of it, but for its version; stays the caller's
 * @param line     gets each: an object, which stays this function's, and the context. It returns
 *                 whether to go on
 * @return the answer, as spill_ctl_control_do(); NULL without an error: `line` did not want more
 */
json_t *spill_ctl_control_follow(const char *path, json_t *request,
                                 bool (*line)(const json_t *object, void *context), void *context,
                                 struct spill_error *error);

#endif
