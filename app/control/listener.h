/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LISTENER_H
#define SPILLWAY_LISTENER_H

#include <stdbool.h>
#include <sys/un.h>

#include "base/error.h"
#include "control/events.h"

/**
 * @file
 * A UNIX socket that the control thread listens at. Its mode is 0600 from before it has a name,
 * what a program that is no more has left in its place goes, and while there are no descriptors
 * nobody is accepted, for a second each time. Who may stay is its user's to say. The control
 * thread.
 */

struct spill_listener {
    const char *what; /* the key that names its path, for errors; not its own */
    struct spill_events *events;
    /* Somebody has connected. @param descriptor  to keep or to close @param own  of root or the
     * program's own user, by the kernel's word */
    void (*connected)(void *context, int descriptor, bool own);
    void *context;
    /* Its own: */
    struct sockaddr_un address;
    int descriptor; /* -1: it does not listen */
    struct spill_event connects;
};

/**
 * Listens.
 *
 * @param type     SOCK_STREAM or SOCK_SEQPACKET
 * @param backlog  connections that may wait
 * @return 0, or -1 with the error; then it does not listen, and nothing is left at the path
 */
int spill_listener_open(struct spill_listener *listener, const char *path, int type, int backlog,
                        struct spill_error *error);

/** Takes the socket away. One that does not listen is left as it is. */
void spill_listener_close(struct spill_listener *listener);

#endif
