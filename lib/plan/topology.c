/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the machine's topology from sysfs; from libnuma and the scheduler what the process may use.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numa.h>

#include "topology.h"

#define LOCAL_DISTANCE  10
#define REMOTE_DISTANCE 20
#define TEXT_MAX        8192

/* Reads the first line of `root`/`path`. Returns 0, or -1 when there is no such file. */
__attribute__((format(printf, 4, 5))) static int
read_line(char *text, size_t size, const char *root, const char *format, ...)
{
    char path[PATH_MAX], whole[PATH_MAX];
    va_list arguments;
    FILE *file;
    char *line;

    va_start(arguments, format);
    vsnprintf(path, sizeof(path), format, arguments);
    va_end(arguments);
    if (snprintf(whole, sizeof(whole), "%s/%s", root, path) >= (int)sizeof(whole))
        return -1;
    file = fopen(whole, "r");
    if (file == NULL)
        return -1;
    line = fgets(text, (int)size, file);
    fclose(file);
    if (line == NULL)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    return 0;
}

/*
 * Walks a list as the kernel writes it, "0-3,8,10-11": gives the next number that is smaller than
 * `limit`, or -1 at the end. `*at` and `*range_end` are the state; begin with the text and -1.
 */
static int next_in_list(const char **at, int *current, int *range_end, int limit)
{
    char *end;

    for (;;) {
        if (*current < *range_end) {
            (*current)++;
        } else {
            while (**at != '\0' && !isdigit((unsigned char)**at))
                (*at)++;
            if (**at == '\0')
                return -1;
            *current = (int)strtol(*at, &end, 10);
            *range_end = *end == '-' ? (int)strtol(end + 1, &end, 10) : *current;
            *at = end;
        }
        if (*current >= limit)
            *current = *range_end;
        else
            return *current;
    }
}

#define FOR_EACH_IN_LIST(number, text, limit)                                                      \
    for (const char *at_ = (text); at_ != NULL; at_ = NULL)                                        \
        for (int current_ = -1, end_ = -1, number;                                                 \
             (number = next_in_list(&at_, &current_, &end_, (limit))) >= 0;)

/* Numbered folders such as cpu12: the number behind a prefix, -1 for any other name. */
static int folder_number(const char *name, const char *prefix, int limit)
{
    size_t length = strlen(prefix);
    char *end;
    long number;

    if (strncmp(name, prefix, length) != 0 || !isdigit((unsigned char)name[length]))
        return -1;
    number = strtol(name + length, &end, 10);
    return *end == '\0' && number < limit ? (int)number : -1;
}

/* CPU 0 of many machines has no such file: it can't be switched off. */
bool spill_topology_is_online(const char *sysfs_root, int cpu)
{
    char text[16];

    return read_line(text, sizeof(text), sysfs_root, "devices/system/cpu/cpu%d/online", cpu) != 0 ||
           text[0] != '0';
}

static void read_cpu(struct spill_topology *topology, const char *root, int id)
{
    struct spill_cpu *cpu = &topology->cpus[id];
    char text[TEXT_MAX];

    if (!spill_topology_is_online(root, id))
        return;
    cpu->present = true;
    cpu->allowed = true;
    cpu->node = 0;
    cpu->core = id;
    if (read_line(text, sizeof(text), root,
                  "devices/system/cpu/cpu%d/topology/thread_siblings_list", id) == 0) {
        FOR_EACH_IN_LIST(sibling, text, SPILL_CPUS_MAX)
        if (sibling < cpu->core)
            cpu->core = sibling;
    }
    if ((unsigned)id >= topology->cpu_limit)
        topology->cpu_limit = (unsigned)id + 1;
}

static void read_cpus(struct spill_topology *topology, const char *root)
{
    char path[PATH_MAX], text[TEXT_MAX];
    struct dirent *entry;
    DIR *folder;
    int id;

    snprintf(path, sizeof(path), "%s/devices/system/cpu", root);
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        id = folder_number(entry->d_name, "cpu", SPILL_CPUS_MAX);
        if (id >= 0)
            read_cpu(topology, root, id);
    }
    if (folder != NULL)
        closedir(folder);
    if (read_line(text, sizeof(text), root, "devices/system/cpu/isolated") == 0) {
        FOR_EACH_IN_LIST(cpu, text, SPILL_CPUS_MAX)
        topology->cpus[cpu].isolated = topology->cpus[cpu].present;
    }
}

static uint64_t read_number(const char *root, const char *folder, const char *name,
                            const char *file)
{
    char text[64];

    if (read_line(text, sizeof(text), root, "%s/%s/%s", folder, name, file) != 0)
        return 0;
    return strtoull(text, NULL, 10);
}

/* Fills the hugepages from folders such as hugepages-2048kB below `folder`. */
static void read_hugepages(struct spill_node *node, const char *root, const char *folder)
{
    char path[PATH_MAX];
    struct spill_hugepages *pages;
    struct dirent *entry;
    DIR *listing;

    snprintf(path, sizeof(path), "%s/%s", root, folder);
    listing = opendir(path);
    while (listing != NULL && (entry = readdir(listing)) != NULL &&
           node->hugepage_sizes < SPILL_HUGEPAGE_SIZES_MAX) {
        if (strncmp(entry->d_name, "hugepages-", 10) != 0)
            continue;
        pages = &node->hugepages[node->hugepage_sizes++];
        pages->size_kib = strtoull(entry->d_name + 10, NULL, 10);
        pages->total = read_number(root, folder, entry->d_name, "nr_hugepages");
        pages->free = read_number(root, folder, entry->d_name, "free_hugepages");
    }
    if (listing != NULL)
        closedir(listing);
}

/* The lines of a node's meminfo are "Node 0 MemTotal:  1234 kB". */
static uint64_t read_memory_mib(const char *root, int id)
{
    char path[PATH_MAX], line[256];
    unsigned long long kib = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/devices/system/node/node%d/meminfo", root, id);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Node %*d MemTotal: %llu", &kib) == 1)
            break;
    fclose(file);
    return kib / 1024;
}

static void read_node(struct spill_topology *topology, const char *root, int id)
{
    struct spill_node *node = &topology->nodes[id];
    char text[TEXT_MAX], folder[128];

    node->present = true;
    node->memory_mib = read_memory_mib(root, id);
    snprintf(folder, sizeof(folder), "devices/system/node/node%d/hugepages", id);
    read_hugepages(node, root, folder);
    if (read_line(text, sizeof(text), root, "devices/system/node/node%d/cpulist", id) == 0) {
        FOR_EACH_IN_LIST(cpu, text, SPILL_CPUS_MAX)
        topology->cpus[cpu].node = id;
    }
    if ((unsigned)id >= topology->node_limit)
        topology->node_limit = (unsigned)id + 1;
}

/* A node's distances stand in the order of the online nodes, without the numbers that are missing.
 */
static void read_distances(struct spill_topology *topology, const char *root)
{
    char text[TEXT_MAX];
    unsigned from, to;
    char *at, *end;

    for (from = 0; from < topology->node_limit; from++) {
        struct spill_node *node = &topology->nodes[from];

        if (!node->present)
            continue;
        at = text;
        if (read_line(text, sizeof(text), root, "devices/system/node/node%u/distance", from) != 0)
            text[0] = '\0';
        for (to = 0; to < topology->node_limit; to++) {
            if (!topology->nodes[to].present)
                continue;
            node->distance[to] = (uint16_t)strtoul(at, &end, 10);
            if (end == at)
                node->distance[to] = from == to ? LOCAL_DISTANCE : REMOTE_DISTANCE;
            at = end;
        }
    }
}

static void read_nodes(struct spill_topology *topology, const char *root)
{
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *folder;
    int id;

    snprintf(path, sizeof(path), "%s/devices/system/node", root);
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        id = folder_number(entry->d_name, "node", SPILL_NODES_MAX);
        if (id >= 0)
            read_node(topology, root, id);
    }
    if (folder != NULL)
        closedir(folder);
    read_distances(topology, root);
}

/* A kernel without NUMA: all CPUs and all memory are one node. */
static void make_single_node(struct spill_topology *topology, const char *root)
{
    struct spill_node *node = &topology->nodes[0];
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    node->present = true;
    node->memory_mib = bytes >> 20;
    node->distance[0] = LOCAL_DISTANCE;
    read_hugepages(node, root, "kernel/mm/hugepages");
    topology->node_limit = 1;
}

/* Takes away what the process may not use: CPUs outside its affinity, nodes outside its cpuset. */
static void apply_limits(struct spill_topology *topology)
{
    struct bitmask *memory_nodes;
    cpu_set_t mask;
    unsigned i;

    CPU_ZERO(&mask);
    if (sched_getaffinity(0, sizeof(mask), &mask) == 0)
        for (i = 0; i < topology->cpu_limit; i++)
            if (!CPU_ISSET(i, &mask))
                topology->cpus[i].allowed = false;
    if (numa_available() < 0)
        return;
    memory_nodes = numa_get_mems_allowed();
    for (i = 0; memory_nodes != NULL && i < topology->node_limit; i++)
        if (!numa_bitmask_isbitset(memory_nodes, i))
            topology->nodes[i].memory_mib = 0;
    if (memory_nodes != NULL)
        numa_bitmask_free(memory_nodes);
}

int spill_topology_read(struct spill_topology *topology, const char *sysfs_root,
                        struct spill_error *error)
{
    memset(topology, 0, sizeof(*topology));
    read_cpus(topology, sysfs_root);
    if (topology->cpu_limit == 0)
        return spill_error_set(error, "no CPU found in %s/devices/system/cpu: is sysfs mounted?",
                               sysfs_root);
    read_nodes(topology, sysfs_root);
    topology->has_node_folders = topology->node_limit > 0;
    if (!topology->has_node_folders)
        make_single_node(topology, sysfs_root);
    if (strcmp(sysfs_root, SPILL_SYSFS) == 0)
        apply_limits(topology);
    return 0;
}

int spill_topology_pci_node(const char *sysfs_root, const char *address)
{
    const char *domain = strchr(address, ':') == strrchr(address, ':') ? "0000:" : "";
    char text[32];

    if (strchr(address, '/') != NULL ||
        read_line(text, sizeof(text), sysfs_root, "bus/pci/devices/%s%s/numa_node", domain,
                  address) != 0)
        return -1;
    return (int)strtol(text, NULL, 10);
}

int spill_topology_memory_node(const struct spill_topology *topology, int node)
{
    unsigned distance, best_distance = UINT_MAX, i;
    bool known = node >= 0 && node < (int)topology->node_limit && topology->nodes[node].present;
    int best = -1;

    for (i = 0; i < topology->node_limit; i++) {
        if (!topology->nodes[i].present || topology->nodes[i].memory_mib == 0)
            continue;
        distance = known ? topology->nodes[node].distance[i] : 0;
        if (known && node == (int)i)
            distance = 0;
        if (distance < best_distance) {
            best_distance = distance;
            best = (int)i;
        }
    }
    return best;
}

bool spill_topology_siblings(const struct spill_topology *topology, int cpu, int other)
{
    return cpu != other && topology->cpus[cpu].core == topology->cpus[other].core;
}

unsigned spill_topology_distance(const struct spill_topology *topology, int from, int to)
{
    if (from == to)
        return 0;
    if (from < 0 || to < 0 || from >= (int)topology->node_limit || !topology->nodes[from].present ||
        to >= (int)topology->node_limit || !topology->nodes[to].present)
        return UINT16_MAX;
    return topology->nodes[from].distance[to];
}
