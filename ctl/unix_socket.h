/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_UNIX_SOCKET_H
#define SPILLWAY_CTL_UNIX_SOCKET_H

#include "base/error.h"

/**
 * Connects to a UNIX socket. Neither that nor what is sent and received later waits longer than
 * `seconds`.
 *
 * @param type  SOCK_STREAM or SOCK_SEQPACKET
 * @return the descriptor, the caller's to close; -1 with an error, which begins with `path`
 */
int spill_ctl_unix_connect(const char *path, int type, int seconds, struct spill_error *error);

#endif
