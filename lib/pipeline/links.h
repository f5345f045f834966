/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LINKS_H
#define SPILLWAY_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_config.h>

/**
 * @file
 * What the ports' links are, as the control thread last saw them, for those who send by them.
 *
 * The control thread writes, and of ports that come and leave who changes those (plug.h); an lcore
 * looks once a turn whether anything has changed, and then reads all of it into its exits. A reader
 * that sees half of a change sees the next version afterwards, and reads again.
 */

/** Of one port. All zeros: up, and of any MTU. */
struct spill_link {
    uint16_t mtu; /* bytes that an IP packet may have now; 0: as many as at the start */
    bool lost;    /* what is given to the device is lost: its kernel's interface is down or gone */
};

struct spill_links {
    uint32_t version;                          /* grows with each change; 0: never changed */
    struct spill_link ports[RTE_MAX_ETHPORTS]; /* by id */
} __rte_cache_aligned;

/** Who has the port's. */
static inline void spill_links_set(struct spill_links *links, uint16_t port, struct spill_link link)
{
    __atomic_store_n(&links->ports[port].mtu, link.mtu, __ATOMIC_RELAXED);
    __atomic_store_n(&links->ports[port].lost, link.lost, __ATOMIC_RELAXED);
    __atomic_fetch_add(&links->version, 1, __ATOMIC_RELEASE);
}

/** Any thread. */
static inline uint32_t spill_links_version(const struct spill_links *links)
{
    return __atomic_load_n(&links->version, __ATOMIC_ACQUIRE);
}

/** Any thread. */
static inline struct spill_link spill_links_get(const struct spill_link *link)
{
    return (struct spill_link){.mtu = __atomic_load_n(&link->mtu, __ATOMIC_RELAXED),
                               .lost = __atomic_load_n(&link->lost, __ATOMIC_RELAXED)};
}

#endif
