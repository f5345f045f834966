/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_DPDK_VERSIONS_H
#define SPILLWAY_DPDK_VERSIONS_H

#include <stdint.h>

#include <rte_bitops.h> /* rte_align32pow2 since 23.11; in rte_common.h before */
#include <rte_common.h>
#include <rte_telemetry.h>
#include <rte_version.h>

/**
 * @file
 * What DPDK spells differently from 22.11 to 25.11. Nothing else in spillway asks for its version.
 */

/** The 16 bytes of an IPv6 address in a header or key of DPDK's: an array of them up to 24.07, a
 * struct since. An lvalue. */
#define spill_dpdk_ipv6(address) ((uint8_t *)&(address))

/** The 16 bytes of an IPv6 address as DPDK's tables take a key. */
#if RTE_VERSION < RTE_VERSION_NUM(24, 11, 0, 0)
#define spill_dpdk_ipv6_key(bytes) (bytes)
#else
#define spill_dpdk_ipv6_key(bytes) ((const struct rte_ipv6_addr *)(const void *)(bytes))
#endif

/** Keys of 16 bytes each, as rte_fib6 takes them to look up. */
#if RTE_VERSION < RTE_VERSION_NUM(24, 11, 0, 0)
#define spill_dpdk_ipv6_keys(bytes) (bytes)
#else
#define spill_dpdk_ipv6_keys(bytes) ((struct rte_ipv6_addr *)(void *)(bytes))
#endif

/** Adds an unsigned number to a dictionary of telemetry. */
static inline int spill_dpdk_add_number(struct rte_tel_data *data, const char *name,
                                        uint64_t number)
{
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
    return rte_tel_data_add_dict_u64(data, name, number);
#else
    return rte_tel_data_add_dict_uint(data, name, number);
#endif
}

#endif
