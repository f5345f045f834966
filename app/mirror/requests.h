/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_REQUESTS_H
#define SPILLWAY_MIRROR_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#include "base/error.h"
#include "mirror/kernel.h"

/**
 * @file
 * What spillway has the kernel do: links up, addresses and routes of the configuration, neighbours
 * to be asked for. The control thread's. Routes, and neighbours that are managed for them, are of a
 * protocol of spillway's own (SPILL_ROUTE_PROTOCOL).
 */

/** Each waits for the kernel's answer, which it gives at once. @return -1 with an error */
int spill_request_link_up(struct mnl_socket *socket, uint32_t link, struct spill_error *error);
int spill_request_mtu(struct mnl_socket *socket, uint32_t link, uint32_t mtu,
                      struct spill_error *error);
int spill_request_address(struct mnl_socket *socket, uint32_t link,
                          const struct spill_ip_prefix *address, struct spill_error *error);

/** What may be there to a route's prefix already. */
enum spill_request_beside {
    SPILL_REQUEST_ALONE,    /* nothing */
    SPILL_REQUEST_AGAIN,    /* the route itself, which stays */
    SPILL_REQUEST_REPLACES, /* another one of spillway's, in whose place it comes at once */
};

/**
 * Adds a route. One to the same prefix that somebody else has given the kernel is an error.
 *
 * @param route  as for the mirror: prefix, action, paths with link, gateway and weight
 */
int spill_request_route(struct mnl_socket *socket, uint32_t table,
                        const struct spill_kernel_route *route, enum spill_request_beside beside,
                        struct spill_error *error);

/** Removes such a route. @return 0, also where there is none; -1: the kernel does not do it */
int spill_request_no_route(struct mnl_socket *socket, uint32_t table,
                           const struct spill_kernel_route *route);

/**
 * Has all routes of spillway's protocol told that a table has of a family.
 *
 * @param call  for each; it asks the kernel for nothing
 * @return -1 with an error
 */
int spill_request_own_routes(struct mnl_socket *socket, uint8_t family, uint32_t table,
                             void (*call)(void *context, const struct spill_kernel_route *route),
                             void *context, struct spill_error *error);

/**
 * Has the kernel find out a neighbour's MAC, or keep what it knows. Waits for nothing.
 *
 * @param managed  from now on by itself, whether it is asked again or not; a kernel before 5.16
 *                 does not know that, and does it this once. False: not any more
 */
void spill_request_neighbor(struct mnl_socket *socket, uint32_t link,
                            const struct spill_ip *address, bool managed);

#endif
