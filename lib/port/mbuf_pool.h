/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MBUF_POOL_H
#define SPILLWAY_MBUF_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "base/error.h"

/**
 * @file
 * The pools of mbufs that ports receive into: how much memory they take, and making them. All
 * functions are the control thread's.
 */

/**
 * Creates a pool of mbufs for a port's receive queues.
 *
 * @param name          unique among pools, at most 25 characters
 * @param count         mbufs; the best is a power of two minus one
 * @param private_size  bytes behind each struct rte_mbuf, a multiple of RTE_MBUF_PRIV_ALIGN (8)
 * @param data_room     bytes, headroom included: spill_port_data_room()
 * @param preemptible   lcores that use it share CPUs: its ring takes a mode (RTS) in which nobody
 *                      waits for one that was preempted
 * @param socket        NUMA node or SOCKET_ID_ANY
 * @return the pool, freed with rte_mempool_free() after the ports are closed; NULL with an error
 * that says how much memory is wanted and what provides it
 */
struct rte_mempool *spill_port_pool_create(const char *name, uint32_t count, uint16_t private_size,
                                           uint16_t data_room, bool preemptible, int socket,
                                           struct spill_error *error);

/**
 * Bytes of memory that such a pool takes, for the plan; needs no EAL. An mbuf never crosses a page,
 * so with pages of 4 KiB one of the usual size takes a whole page.
 *
 * @param page_size  bytes: of the hugepages, or with --no-huge the system's page size
 */
uint64_t spill_port_pool_bytes(uint32_t count, uint16_t private_size, uint16_t data_room,
                               uint64_t page_size);

#endif
