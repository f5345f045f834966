/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_INSTANCE_H
#define SPILLWAY_CTL_INSTANCE_H

#include <limits.h>

#include "command.h"

/**
 * The path of a socket of the program that a request is for: --socket, or a file in the folder that
 * DPDK keeps for each process, by --name: of RUNTIME_DIRECTORY, which systemd sets; else /var/run
 * for root; else XDG_RUNTIME_DIR, else /tmp.
 *
 * @return 0, or -1 with an error: it is too long
 */
int spill_ctl_instance_path(const struct spill_ctl_request *request, const char *file,
                            char path[PATH_MAX], struct spill_error *error);

#endif
