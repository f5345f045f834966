/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools of mbufs: sizes for the plan, creation with an error that helps, the count at the end. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "port/mbuf_pool.h"

/* An lcore's cache: what DPDK's own programs use; it may not take more than the pool can spare. */
#define CACHE_MAX 256
/* The common size; with larger ones less is lost at the pages' ends. */
#define HUGEPAGE (UINT64_C(2) << 20)

static unsigned cache_size(uint32_t count)
{
    unsigned spare = (unsigned)(count / 1.5);

    return RTE_MIN((unsigned)CACHE_MAX, spare / 2);
}

uint64_t spill_port_pool_bytes(uint32_t count, uint16_t private_size, uint16_t data_room,
                               uint64_t page_size)
{
    uint32_t element = (uint32_t)(sizeof(struct rte_mbuf) + private_size + data_room);
    uint64_t object = rte_mempool_calc_obj_size(element, 0, NULL);
    uint64_t in_page = page_size / object;
    ssize_t ring = rte_ring_get_memsize(rte_align32pow2(count + 1));
    uint64_t bytes;

    if (in_page == 0)
        bytes = count * ((object + page_size - 1) / page_size * page_size);
    else
        bytes = count / in_page * page_size + count % in_page * object;
    return bytes + object + (uint64_t)RTE_MAX(ring, 0) + sizeof(struct rte_mempool) +
           RTE_MAX_LCORE * sizeof(struct rte_mempool_cache);
}

static void explain(const char *name, uint32_t count, uint64_t bytes, int socket, int reason,
                    struct spill_error *error)
{
    double mib = (double)bytes / (1 << 20);
    bool memory = reason == ENOMEM || reason == ENOBUFS;
    char where[32] = "";

    if (socket >= 0)
        snprintf(where, sizeof(where), " on NUMA node %d", socket);
    if (memory && rte_eal_has_hugepages())
        spill_error_set(error,
                        "pool %s: no memory for %" PRIu32 " mbufs: %.1f MiB of hugepages are "
                        "needed%s: provide more ('dpdk-hugepages.py --setup SIZE'), give "
                        "--memory, or --no-huge",
                        name, count, mib, where);
    else if (memory)
        spill_error_set(error,
                        "pool %s: no memory for %" PRIu32 " mbufs: %.1f MiB are needed%s: give "
                        "more with --memory",
                        name, count, mib, where);
    else
        spill_error_set(error, "pool %s: %" PRIu32 " mbufs (%.1f MiB%s): %s", name, count, mib,
                        where,
                        reason == EEXIST ? "there is a pool of that name" : rte_strerror(reason));
}

struct rte_mempool *spill_port_pool_create(const char *name, uint32_t count, uint16_t private_size,
                                           uint16_t data_room, bool preemptible, int socket,
                                           struct spill_error *error)
{
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create_by_ops(name, count, cache_size(count), private_size, data_room,
                                       socket, preemptible ? "ring_mt_rts" : NULL);

    if (pool == NULL)
        explain(name, count,
                spill_port_pool_bytes(count, private_size, data_room,
                                      rte_eal_has_hugepages() ? HUGEPAGE
                                                              : (uint64_t)sysconf(_SC_PAGESIZE)),
                socket, rte_errno, error);
    return pool;
}
