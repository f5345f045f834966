/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ROUTE_NEEDS_H
#define SPILLWAY_ROUTE_NEEDS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include "route/router.h"

/**
 * @file
 * Neighbours that an lcore needs: a ring from the lcore to the control thread. What finds it full
 * is not noted; the lcore asks again later.
 */

#define SPILL_NEEDS_MAX 256 /* a power of two */

struct spill_route_needs {
    uint32_t written;                  /* by the lcore */
    uint32_t read __rte_cache_aligned; /* by the control thread */
    struct spill_router_need needs[SPILL_NEEDS_MAX] __rte_cache_aligned;
};

/** The lcore. @return false: there is no room */
static inline bool spill_needs_add(struct spill_route_needs *needs,
                                   const struct spill_router_need *need)
{
    const uint32_t written = needs->written;

    if (written - __atomic_load_n(&needs->read, __ATOMIC_ACQUIRE) == SPILL_NEEDS_MAX)
        return false;
    needs->needs[written % SPILL_NEEDS_MAX] = *need;
    __atomic_store_n(&needs->written, written + 1, __ATOMIC_RELEASE);
    return true;
}

/** The control thread. @return false: there is none */
static inline bool spill_needs_take(struct spill_route_needs *needs, struct spill_router_need *need)
{
    const uint32_t read = needs->read;

    if (read == __atomic_load_n(&needs->written, __ATOMIC_ACQUIRE))
        return false;
    *need = needs->needs[read % SPILL_NEEDS_MAX];
    __atomic_store_n(&needs->read, read + 1, __ATOMIC_RELEASE);
    return true;
}

#endif
