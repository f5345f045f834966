/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_CLIENT_H
#define SPILLWAY_XFRM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/netlink.h>

#include "control/events.h"
#include "xfrm/hello.h"
#include "xfrm/message.h"

/**
 * @file
 * One connection of the XFRM socket: what it asks, and what it is to be told, with bounds. What it
 * is told waits until it takes it; no more is asked meanwhile, and events that there is no room for
 * are lost, as the kernel's are.
 */

#define SPILL_XFRM_QUEUE 65536 /* bytes that may wait for a client */

struct spill_xfrm;

struct spill_xfrm_client {
    struct spill_xfrm *server;
    int descriptor; /* -1: the place is free */
    struct spill_event reads, writes;
    bool writing; /* it does not take what waits */
    bool greeted;
    uint32_t port, groups;
    uint32_t waiting; /* of requests, for their change to be in force: */
    struct nlmsghdr asked[SPILL_XFRM_BATCH_MAX];
    bool dumps; /* as asked by `dump`; the next is: */
    struct nlmsghdr dump;
    uint32_t next;
    uint64_t lost; /* events */
    size_t size;
    uint8_t queue[SPILL_XFRM_QUEUE]; /* messages, each behind its size */
};

/** Takes a connection into a place. @param descriptor  the client's from here on @return 0, -1 */
int spill_xfrm_client_open(struct spill_xfrm_client *client, struct spill_xfrm *server,
                           int descriptor);

/** Ends it, and frees its place. What waited is wiped. */
void spill_xfrm_client_close(struct spill_xfrm_client *client);

/** Reads from it again, or no more. */
void spill_xfrm_client_listen(struct spill_xfrm_client *client, bool listens);

/** Whether there is room for a message. */
bool spill_xfrm_client_has_room(const struct spill_xfrm_client *client, size_t size);

/**
 * Sends a message, now or as soon as the client takes it. It closes a client that there is no room
 * for, who has been asked before (above).
 *
 * @param message  gets the client's port
 */
void spill_xfrm_client_send(struct spill_xfrm_client *client, struct nlmsghdr *message);

/** Ends a request. @param error  negative errno; 0: it is done, which who asked for it hears */
void spill_xfrm_client_end(struct spill_xfrm_client *client, const struct nlmsghdr *asked,
                           int error);

#endif
