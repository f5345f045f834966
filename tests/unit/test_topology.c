/* SPDX-License-Identifier: BSD-3-Clause */
/* The topology from made-up sysfs trees and from this machine; and where the kernel says pages are.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "plan/placement.h"
#include "plan/topology.h"

static struct spill_topology topology;
static char root[64];

/* Writes a file below the made-up root, with the folders on its way. */
static void put(const char *path, const char *content)
{
    char whole[PATH_MAX];
    char *slash;
    FILE *file;

    snprintf(whole, sizeof(whole), "%s/%s", root, path);
    for (slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    file = fopen(whole, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void put_cpu(unsigned id, const char *siblings)
{
    char path[128];

    snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/topology/thread_siblings_list", id);
    put(path, siblings);
}

static void put_node(unsigned id, const char *cpus, const char *distances, unsigned long kib)
{
    char path[128], text[128];

    snprintf(path, sizeof(path), "devices/system/node/node%u/cpulist", id);
    put(path, cpus);
    snprintf(path, sizeof(path), "devices/system/node/node%u/distance", id);
    put(path, distances);
    snprintf(path, sizeof(path), "devices/system/node/node%u/meminfo", id);
    snprintf(text, sizeof(text), "\nNode %u MemTotal:       %lu kB\nNode %u MemFree: 1 kB\n", id,
             kib, id);
    put(path, text);
}

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/spillway-topology-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Nodes 0 and 2 (2 without CPUs), CPUs 0-3 and 8, 3 offline, 1 and 8 isolated, 0 and 2 one core. */
static void holes_and_siblings(void **state)
{
    struct spill_error error;

    (void)state;
    put_cpu(0, "0,2\n");
    put_cpu(1, "1\n");
    put_cpu(2, "0,2\n");
    put_cpu(3, "3\n");
    put("devices/system/cpu/cpu3/online", "0\n");
    put_cpu(8, "8\n");
    put("devices/system/cpu/cpu8/online", "1\n");
    put("devices/system/cpu/cpufreq/boost", "1\n");
    put("devices/system/cpu/isolated", "1,3,8-9\n");
    put_node(0, "0-2\n", "10 31\n", 2048000);
    put_node(2, "\n", "31 10\n", 1024000);
    put_node(5, "8\n", "20 21 10\n", 0);
    put("devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "12\n");
    put("devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "5\n");
    put("devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages", "1\n");
    put("devices/system/node/node0/hugepages/hugepages-1048576kB/free_hugepages", "0\n");

    assert_int_equal(spill_topology_read(&topology, root, &error), 0);
    assert_int_equal(topology.cpu_limit, 9);
    assert_int_equal(topology.node_limit, 6);
    assert_true(topology.has_node_folders);
    assert_true(topology.cpus[8].present && topology.cpus[8].allowed && topology.cpus[8].isolated);
    assert_false(topology.cpus[3].present || topology.cpus[3].isolated);
    assert_false(topology.cpus[7].present || topology.cpus[0].isolated);
    assert_true(topology.cpus[1].isolated);
    assert_int_equal(topology.cpus[8].node, 5);
    assert_true(spill_topology_siblings(&topology, 0, 2));
    assert_true(spill_topology_siblings(&topology, 2, 0));
    assert_false(spill_topology_siblings(&topology, 0, 1));
    assert_false(spill_topology_siblings(&topology, 0, 0));
    assert_false(topology.nodes[1].present);
    assert_int_equal(topology.nodes[0].memory_mib, 2000);
    assert_int_equal(topology.nodes[0].distance[2], 31);
    assert_int_equal(topology.nodes[5].distance[2], 21);
    assert_int_equal(topology.nodes[5].distance[5], 10);
    assert_int_equal(topology.nodes[0].hugepage_sizes, 2);
    assert_int_equal(topology.nodes[5].hugepage_sizes, 0);
    for (unsigned i = 0; i < 2; i++) {
        const struct spill_hugepages *pages = &topology.nodes[0].hugepages[i];

        assert_int_equal(pages->total, pages->size_kib == 2048 ? 12 : 1);
        assert_int_equal(pages->free, pages->size_kib == 2048 ? 5 : 0);
    }
    /* Node 5 has no memory; node 0 is at 20, node 2 at 21. */
    assert_int_equal(spill_topology_memory_node(&topology, 5), 0);
    assert_int_equal(spill_topology_memory_node(&topology, 2), 2);
    assert_int_equal(spill_topology_memory_node(&topology, -1), 0);
    assert_int_equal(spill_topology_memory_node(&topology, 1), 0);
}

static void kernel_without_nodes(void **state)
{
    struct spill_error error;

    (void)state;
    put_cpu(0, "0\n");
    put_cpu(1, "1\n");
    put("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "3\n");
    put("kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "2\n");
    assert_int_equal(spill_topology_read(&topology, root, &error), 0);
    assert_false(topology.has_node_folders);
    assert_int_equal(topology.node_limit, 1);
    assert_int_equal(topology.cpus[1].node, 0);
    assert_true(topology.nodes[0].memory_mib > 0);
    assert_int_equal(topology.nodes[0].hugepages[0].total, 3);
    assert_int_equal(topology.nodes[0].hugepages[0].free, 2);
    assert_int_equal(spill_topology_memory_node(&topology, 0), 0);
}

/* 1024 CPUs on 64 nodes, and more than that, which are left out. */
static void largest_machine(void **state)
{
    struct spill_error error;
    char cpus[64], siblings[32];
    unsigned i;

    (void)state;
    for (i = 0; i < SPILL_CPUS_MAX + 2; i++) {
        snprintf(siblings, sizeof(siblings), "%u\n", i);
        put_cpu(i, siblings);
    }
    for (i = 0; i < SPILL_NODES_MAX + 1; i++) {
        snprintf(cpus, sizeof(cpus), "%u-%u\n", 16 * i, 16 * i + 15);
        put_node(i, cpus, "10\n", 4096000);
    }
    assert_int_equal(spill_topology_read(&topology, root, &error), 0);
    assert_int_equal(topology.cpu_limit, SPILL_CPUS_MAX);
    assert_int_equal(topology.node_limit, SPILL_NODES_MAX);
    assert_int_equal(topology.cpus[1023].node, 63);
    assert_int_equal(topology.cpus[1023].core, 1023);
    /* The distances of a damaged table are taken to be the usual ones. */
    assert_int_equal(topology.nodes[3].distance[3], 10);
    assert_int_equal(topology.nodes[3].distance[4], 20);
}

static void nothing_there(void **state)
{
    struct spill_error error;

    (void)state;
    assert_int_equal(spill_topology_read(&topology, root, &error), -1);
    assert_non_null(strstr(error.text, root));
}

static void pci_node(void **state)
{
    (void)state;
    put("bus/pci/devices/0000:41:00.0/numa_node", "3\n");
    put("bus/pci/devices/0000:42:00.0/numa_node", "-1\n");
    assert_int_equal(spill_topology_pci_node(root, "0000:41:00.0"), 3);
    assert_int_equal(spill_topology_pci_node(root, "41:00.0"), 3);
    assert_int_equal(spill_topology_pci_node(root, "0000:42:00.0"), -1);
    assert_int_equal(spill_topology_pci_node(root, "0000:43:00.0"), -1);
    assert_int_equal(spill_topology_pci_node(root, "../../x"), -1);
    assert_int_equal(spill_topology_pci_node(root, "net_pcap0"), -1);
}

/* This machine: the CPUs that are allowed are those of the affinity mask, also a narrowed one. */
static void this_machine(void **state)
{
    cpu_set_t all, one;
    struct spill_error error;
    unsigned i;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(spill_topology_read(&topology, SPILL_SYSFS, &error), 0);
    for (i = 0; i < topology.cpu_limit; i++)
        if (topology.cpus[i].present)
            assert_int_equal(topology.cpus[i].allowed, CPU_ISSET(i, &all) != 0);
    assert_true(spill_topology_memory_node(&topology, -1) >= 0);

    for (i = 0; !CPU_ISSET(i, &all); i++)
        ;
    CPU_ZERO(&one);
    CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(spill_topology_read(&topology, SPILL_SYSFS, &error), 0);
    assert_true(topology.cpus[i].allowed);
    for (i++; i < topology.cpu_limit; i++)
        assert_false(topology.cpus[i].allowed);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void placement_of_pages(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), length = 200 * page;
    struct spill_placement found;
    char *memory;
    int node;

    (void)state;
    memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    madvise(memory, length, MADV_NOHUGEPAGE);
    node = spill_placement_node(memory);
    if (node == -ENOSYS || node == -EPERM)
        skip();
    assert_int_equal(node, -ENOENT);
    assert_int_equal(spill_placement_check(memory, length, 0, &found), 0);
    assert_int_equal(found.pages, 64);
    assert_int_equal(found.absent, 64);

    memset(memory, 1, length);
    node = spill_placement_node(memory + 100);
    assert_true(node >= 0);
    assert_int_equal(spill_placement_check(memory, length, -1, &found), 0);
    assert_int_equal(found.absent + found.elsewhere, 0);
    /* No page is on a node that does not exist. */
    assert_int_equal(spill_placement_check(memory, length, 63, &found), 1);
    assert_int_equal(found.elsewhere, 64);
    assert_true(found.node >= 0 && found.node != 63);
    /* Two bytes on two pages. */
    assert_int_equal(spill_placement_check(memory + page - 1, 2, -1, &found), 0);
    assert_int_equal(found.pages, 2);
    assert_int_equal(spill_placement_check(memory, 1, -1, &found), 0);
    assert_int_equal(found.pages, 1);

    munmap(memory, length);
    assert_true(spill_placement_node(memory) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(holes_and_siblings, make_root, remove_root),
        cmocka_unit_test_setup_teardown(kernel_without_nodes, make_root, remove_root),
        cmocka_unit_test_setup_teardown(largest_machine, make_root, remove_root),
        cmocka_unit_test_setup_teardown(nothing_there, make_root, remove_root),
        cmocka_unit_test_setup_teardown(pci_node, make_root, remove_root),
        cmocka_unit_test(this_machine),
        cmocka_unit_test(placement_of_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
