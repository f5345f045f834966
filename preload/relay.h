/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_RELAY_H
#define SPILLWAY_XFRM_RELAY_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * Netlink sockets that are none: the host process has one end of a socketpair each, and a thread of
 * ours carries messages between the other end and spillway's XFRM socket, to which it connects
 * again when spillway was away. The host's descriptor never sees that. While spillway is away, each
 * request is answered by -EIO: a daemon that waits without a time-out would wait for ever.
 *
 * Any thread of the host's. All signals are blocked in ours. Memory is static.
 */

/** Makes such a socket, flags as for socket(). @return its descriptor; -1 with errno */
int spill_relay_socket(int flags);

/** Whether a descriptor, or one that it was duplicated from, is of that kind. */
bool spill_relay_has(int descriptor);

/** Binds it, as bind() does for netlink: a port of 0 leaves the one that it has. */
void spill_relay_bind(int descriptor, uint32_t port, uint32_t groups);

/** Joins a multicast group, or leaves it. @param group  from 1 to 32 */
void spill_relay_join(int descriptor, uint32_t group, bool joins);

/** What it is bound to. */
void spill_relay_name(int descriptor, uint32_t *port, uint32_t *groups);

/** In a child that has not used a socket since the fork: spill_relay_use() is to be called. Also
 * read without a lock: a child begins with one thread. */
extern bool spill_relay_forked;

/** The host is about to use it: after a fork, the child has a thread of its own from here on. */
void spill_relay_use(int descriptor);

#endif
