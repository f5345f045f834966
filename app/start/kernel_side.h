/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_KERNEL_SIDE_H
#define SPILLWAY_KERNEL_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "mirror/mirror.h"
#include "program.h"

/**
 * @file
 * What is known of the kernel, and what it is asked for: the mirror by which the router follows it
 * (follow_kernel.c), and addresses and routes of the configuration that it is given (given.c). The
 * control thread's, which is held up by none of it: it makes a bounded number of requests at a
 * time, and comes back for the rest.
 */

/** A twin, as the kernel has it. */
struct spill_kernel_twin {
    char name[IF_NAMESIZE]; /* that it has now, or had when it was gone */
    uint32_t mtu;
    uint32_t ups;             /* times that it came up, as far as was looked at */
    uint32_t addresses_added; /* times that it got one, likewise */
    bool known, up;           /* there, and administratively up */
    bool gone;                /* it was there */
    bool addresses_due;       /* it was down: the kernel may have dropped them */
    bool routes_due;          /* likewise, or as it had no address */
};

struct spill_kernel_counters {
    uint64_t resolved, kept; /* neighbours that were asked for: as needed, as used */
    uint64_t gateways;       /* likewise, as routes have them */
};

struct spill_kernel_side {
    struct spill_mirror mirror;
    struct spill_mirror_sink sink;
    struct mnl_socket *requests; /* NULL: it has been left */
    struct spill_event look, keep;
    struct spill_kernel_twin twins[SPILL_ROUTER_INTERFACES_MAX]; /* by the router's index */
    uint32_t twin_changes;                                       /* that were looked at */
    uint64_t generations, overruns;                              /* likewise */
    uint32_t next_route;   /* of those in force, that may be due; past the last: none is */
    uint32_t refused;      /* of those that were due, by the kernel */
    uint32_t to_keep;      /* neighbours still to be looked at */
    uint32_t next_gateway; /* to look at, of those that the kernel may not know */
    bool gateways_due;     /* there may be more */
    struct spill_kernel_counters counters;
};

/** The kernel's index of a twin, by the router's of its interface. */
static inline uint32_t spill_kernel_link(const struct spill_program *program, uint32_t interface)
{
    return program->host->twins[interface].twin.index;
}

/* --------------------------------------------------------------------------- given.c */

/** Sets the twins up and gives the kernel all addresses and routes. @return -1 with an error */
int spill_given_install(struct spill_program *program, struct spill_error *error);

/** Sets a twin up and gives the kernel its addresses, by the router's index. Likewise. */
int spill_given_twin(struct spill_program *program, uint32_t index, struct spill_error *error);

/** Gives the kernel a route of options, or takes it back. Likewise.
 * @param replaces  in place of that to the same prefix which it was given before */
int spill_given_route(const struct spill_program *program, const struct spill_options *options,
                      const struct spill_option_route *route, bool replaces,
                      struct spill_error *error);
void spill_given_no_route(const struct spill_program *program, const struct spill_options *options,
                          const struct spill_option_route *route);

/**
 * Gives again what is due of twins that are up.
 *
 * @param requests  how many may be made; what is left is written back
 * @return whether more is due
 */
bool spill_given_again(struct spill_program *program, uint32_t *requests);

/** Takes the routes back that would stay without twins, within a second; says which it could not.
 */
void spill_given_take_back(struct spill_program *program);

#endif
