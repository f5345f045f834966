/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TOPOLOGY_H
#define SPILLWAY_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_lcore.h>

#include "base/error.h"

/**
 * @file
 * The machine as the plan sees it: CPUs, their cores and NUMA nodes, memory and hugepages.
 *
 * Plain data: spill_topology_read() fills it from a running machine, a test fills it by hand. Both
 * arrays are indexed by the kernel's numbers, which may have holes: look at `present`.
 */

#define SPILL_CPUS_MAX           1024
#define SPILL_NODES_MAX          64
#define SPILL_HUGEPAGE_SIZES_MAX 4
#define SPILL_SYSFS              "/sys"

/** One CPU, a hardware thread. */
struct spill_cpu {
    bool present;  /* online */
    bool allowed;  /* in the affinity mask of the process */
    bool isolated; /* kept free of other work by the kernel (isolcpus=) */
    int node;
    int core; /* the same number for all SMT siblings of a core: its lowest CPU */
};

/** Hugepages of one size on one node. */
struct spill_hugepages {
    uint64_t size_kib; /* of a page */
    uint64_t total;    /* pages */
    uint64_t free;     /* pages */
};

/** One NUMA node. */
struct spill_node {
    bool present;
    uint64_t memory_mib;                /* 0 when it has none, or none that the process may use */
    uint16_t distance[SPILL_NODES_MAX]; /* to each present node, 10 = itself (as ACPI's SLIT) */
    unsigned hugepage_sizes;
    struct spill_hugepages hugepages[SPILL_HUGEPAGE_SIZES_MAX];
};

/** About 30 KiB. Written by spill_topology_read() or by a test, then constant. */
struct spill_topology {
    unsigned cpu_limit;    /* highest CPU number + 1 */
    unsigned node_limit;   /* highest node number + 1 */
    bool has_node_folders; /* false: the kernel knows no nodes, everything is on node 0 */
    struct spill_cpu cpus[SPILL_CPUS_MAX];
    struct spill_node nodes[SPILL_NODES_MAX];
};

/**
 * Reads the topology of the machine. Control thread, before rte_eal_init(), which narrows the
 * thread's affinity mask.
 *
 * CPUs and nodes beyond SPILL_CPUS_MAX and SPILL_NODES_MAX are left out. The affinity mask and the
 * memory nodes of the process are asked for only when the root is SPILL_SYSFS: in another tree
 * every CPU is allowed and every node usable.
 *
 * @param topology    written to
 * @param sysfs_root  SPILL_SYSFS, or a folder that looks like it
 * @return 0, or -1 with an error when not one CPU is found
 */
int spill_topology_read(struct spill_topology *topology, const char *sysfs_root,
                        struct spill_error *error);

/** Whether a CPU, which was there, is switched on at this moment. Any thread. */
bool spill_topology_is_online(const char *sysfs_root, int cpu);

/**
 * The NUMA node of a PCI device.
 *
 * @param address  such as "0000:41:00.0"; the domain may be left out
 * @return the node, -1 when it is unknown or there is no such device
 */
int spill_topology_pci_node(const char *sysfs_root, const char *address);

/**
 * The nearest node with memory.
 *
 * @param node  the node itself when it has memory; -1 counts as any
 * @return a node, of several at one distance the lowest; -1 when no node has memory
 */
int spill_topology_memory_node(const struct spill_topology *topology, int node);

#define SPILL_NODE_SLOTS (SPILL_NODES_MAX + 1)

/**
 * The calling lcore's place in a table of SPILL_NODE_SLOTS for lcores to read: its node's number
 * and one. The first place, 0, is that of lcores that no one node is told of: the user let them run
 * on CPUs of several (rte_socket_id() is SOCKET_ID_ANY there). Any thread.
 */
static inline unsigned spill_node_slot(void)
{
    return rte_socket_id() + 1;
}

/** Whether two CPUs are different threads of one core. */
bool spill_topology_siblings(const struct spill_topology *topology, int cpu, int other);

/** The distance of two nodes; also between nodes that the machine does not have. */
unsigned spill_topology_distance(const struct spill_topology *topology, int from, int to);

#endif
