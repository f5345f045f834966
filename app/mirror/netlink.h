/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_NETLINK_H
#define SPILLWAY_MIRROR_NETLINK_H

#include <stdint.h>

#include <libmnl/libmnl.h>

#include "base/error.h"

/**
 * @file
 * Sockets to the kernel's rtnetlink, in a network namespace, and requests for dumps. Any thread.
 */

/** What a dump is asked for. */
struct spill_netlink_dump {
    uint16_t type;    /* RTM_GET… */
    uint8_t family;   /* AF_UNSPEC: all */
    uint32_t table;   /* of routes, else 0 */
    uint8_t protocol; /* of routes, those that it has put there; 0: all */
};

/**
 * Opens a file in a network namespace.
 *
 * @param path  of the namespace; NULL: the thread's own
 * @return a descriptor that stands for it; -1 with an error that names the path
 */
int spill_netlink_namespace(const char *path, struct spill_error *error);

/**
 * Takes the calling thread into a namespace: what it opens there stays there. That takes
 * CAP_SYS_ADMIN, but nothing where it is in that one already.
 *
 * @return a descriptor of where it was, for spill_netlink_return(); -1 with an error
 */
int spill_netlink_enter(int name_space, struct spill_error *error);

/** Takes it back. @param home  closed @return -1 with an error */
int spill_netlink_return(int home, struct spill_error *error);

/**
 * Opens a socket in a namespace; the calling thread is in its own again afterwards. Reading does
 * not block; a dump looks at all that it is asked for (NETLINK_GET_STRICT_CHK).
 *
 * @param name_space  a descriptor of a namespace
 * @return NULL with an error
 */
struct mnl_socket *spill_netlink_open(int name_space, struct spill_error *error);

/**
 * Has the kernel tell of links, neighbours, addresses, routes and next-hop objects.
 *
 * @param buffer  bytes that may wait; what the machine's limit allows of it, where it may not be
 *                passed
 * @return -1 with an error
 */
int spill_netlink_listen(struct mnl_socket *socket, uint32_t buffer, struct spill_error *error);

/** Asks for a dump. @return -1: not sent, errno says why */
int spill_netlink_ask(struct mnl_socket *socket, const struct spill_netlink_dump *dump,
                      uint32_t sequence);

#endif
