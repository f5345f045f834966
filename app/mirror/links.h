/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_LINKS_H
#define SPILLWAY_MIRROR_LINKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mirror/kernel.h"
#include "mirror/sink.h"

/**
 * @file
 * The kernel's links and their addresses, and which of them are twins. What a twin, or a macvlan on
 * one, has is given to the sink. The control thread's.
 */

struct spill_link_address {
    TAILQ_ENTRY(spill_link_address) entry;
    struct spill_ip_prefix prefix;
    bool usable;
    uint32_t generation;
};

struct spill_mirror_link {
    TAILQ_ENTRY(spill_mirror_link) entry;
    struct spill_kernel_link state;
    TAILQ_HEAD(, spill_link_address) addresses;
    int interface;            /* of the router, if it is its twin; else -1 */
    bool known;               /* by a message; else it is but a twin that is waited for */
    uint32_t ups;             /* times that it came up, or IPv6 on it, after it had been down */
    uint32_t addresses_added; /* times that it got one that it had not */
    uint32_t generation;
};

struct spill_mirror_links {
    TAILQ_HEAD(, spill_mirror_link) all;
    const struct spill_mirror_sink *sink;
    uint32_t twin_changes; /* times that a twin changed, its name too, or got an address */
};

void spill_mirror_links_init(struct spill_mirror_links *links,
                             const struct spill_mirror_sink *sink);
void spill_mirror_links_free(struct spill_mirror_links *links);

/** Says which link is the twin of an interface. @return -1: no memory */
int spill_mirror_links_add_twin(struct spill_mirror_links *links, uint32_t index,
                                uint16_t interface);

/** The same no more of a link that has left, or leaves: nothing is told of it. */
void spill_mirror_links_remove_twin(struct spill_mirror_links *links, uint32_t index);

/** @return NULL: none is known */
struct spill_mirror_link *spill_mirror_links_find(struct spill_mirror_links *links, uint32_t index);

/** The router's interface of a link: its own as a twin, or that of the twin it is a macvlan on; -1.
 */
int spill_mirror_links_interface(struct spill_mirror_links *links, uint32_t index);

/** What a message of a link changed. */
struct spill_link_change {
    bool went_down; /* administratively */
    bool came_up;
    bool stopped;  /* its next-hop objects are gone */
    bool appeared; /* it is new */
};

/**
 * Takes what a message says of a link.
 *
 * @return -1: no memory
 */
int spill_mirror_links_set(struct spill_mirror_links *links, const struct spill_kernel_link *state,
                           uint32_t generation, struct spill_link_change *change);

/** Forgets a link; a twin is waited for then. */
void spill_mirror_links_remove(struct spill_mirror_links *links, uint32_t index);

/** Takes an address of a known link, or of none. @return 1: it is new; 0; -1: no memory */
int spill_mirror_links_set_address(struct spill_mirror_links *links,
                                   const struct spill_kernel_address *address, uint32_t generation);

/** @return whether it was the link's last IPv4 address */
bool spill_mirror_links_remove_address(struct spill_mirror_links *links,
                                       const struct spill_kernel_address *address);

/**
 * What a dump of links, or of addresses, did not have: one at a time.
 *
 * @return false: there is none, else it is to be removed
 */
bool spill_mirror_links_stale(struct spill_mirror_links *links, uint32_t generation,
                              uint32_t *index);
bool spill_mirror_links_stale_address(struct spill_mirror_links *links, uint32_t generation,
                                      struct spill_kernel_address *address);

#endif
