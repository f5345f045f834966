/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_SERVER_H
#define SPILLWAY_XFRM_SERVER_H

#include "base/error.h"
#include "program.h"

/**
 * @file
 * The XFRM side of IKE daemons: a UNIX socket with the kernel's XFRM messages (hello.h). A
 * change is answered when every lcore goes by it. All of it is the control thread's.
 */

/** Begins to listen where [ike] xfrm says. Does nothing without it. @return 0, -1 with an error */
int spill_xfrm_open(struct spill_program *program, struct spill_error *error);

/** Ends it: clients see the end of their connections. */
void spill_xfrm_close(struct spill_program *program);

#endif
