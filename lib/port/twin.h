/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TWIN_H
#define SPILLWAY_TWIN_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "base/error.h"

/**
 * @file
 * The twin of a port: an interface of the kernel's (TAP) with the port's MAC, MTU and carrier, at
 * which the kernel does what a host does on the port's link. It is gone when it is closed, and with
 * it its addresses and the routes that lead by it. Opened and closed by the control thread; frames
 * are read and written at its descriptor.
 */

struct spill_twin {
    char name[IF_NAMESIZE];
    int descriptor; /* of /dev/net/tun; does not block; -1: not open */
    uint32_t index; /* the kernel's */
    uint32_t mtu;   /* bytes of IP */
};

/**
 * Makes the interface; it is down, and has a carrier.
 *
 * @param name  shorter than IF_NAMESIZE; there is no interface of that name
 * @return -1 with an error, and nothing to close
 */
int spill_twin_open(struct spill_twin *twin, const char *name, const struct rte_ether_addr *mac,
                    uint16_t mtu, struct spill_error *error);

/** What has the name of a twin that is to be made. */
enum spill_twin_name {
    SPILL_TWIN_NAME_FREE,
    SPILL_TWIN_NAME_OF_TAP, /* a TAP, as one that is made by now is */
    SPILL_TWIN_NAME_TAKEN,  /* another kind of interface */
};

/** Looks it up in the calling thread's network namespace. Any thread. */
enum spill_twin_name spill_twin_look_up(const char *name);

/** Gives it a carrier, or takes it. */
void spill_twin_set_carrier(const struct spill_twin *twin, bool carrier);

/** One that is not open may be given. */
void spill_twin_close(struct spill_twin *twin);

#endif
