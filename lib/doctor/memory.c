/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of hugepages, and of memory that is locked for DMA. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/checks.h"

#define NODE      "sys/devices/system/node/node%u/hugepages/hugepages-%s/%s_hugepages"
#define WITHOUT   "sys/kernel/mm/hugepages/hugepages-%s/%s_hugepages"
#define SMALL     "2048kB"
#define LARGE     "1048576kB"
#define PER_LARGE 512

/* Pages of a node; a kernel without NUMA has them for the machine, which is node 0. */
static uint64_t pages(const struct spill_doctor_subject *subject, unsigned node, const char *size,
                      const char *which)
{
    long long number = spill_doctor_read_number(subject, NODE, node, size, which);

    if (number < 0 && node == 0)
        number = spill_doctor_read_number(subject, WITHOUT, size, which);
    return number > 0 ? (uint64_t)number : 0;
}

/* A hugetlbfs of pages of a size: 2M, 1G. */
#define MOUNT                                                                                      \
    "mkdir -p /dev/hugepages%s && mount -t hugetlbfs -o pagesize=%s hugetlbfs /dev/hugepages%s"

/* More pages of 2 MiB, with a mount where they have none. */
static void mend_pages(const struct spill_doctor_subject *subject, struct spill_doctor_lines *lines,
                       unsigned node, uint64_t wanted, bool mounted)
{
    char path[PATH_MAX], mount[128] = "";

    if (!mounted)
        snprintf(mount, sizeof(mount), " && " MOUNT, "2M", "2M", "2M");
    if (access(spill_doctor_path(subject, path, sizeof(path), NODE, node, SMALL, "nr"), F_OK) == 0)
        spill_doctor_mend(lines, "echo %" PRIu64 " > /" NODE "%s", wanted, node, SMALL, "nr",
                          mount);
    else
        spill_doctor_mend(lines, "sysctl -w vm.nr_hugepages=%" PRIu64 "%s", wanted, mount);
}

/* The size of a hugetlbfs's pages in KiB; of a mount that does not say, the machine's usual one. */
static uint64_t size_of_mount(const struct spill_doctor_subject *subject, const char *options)
{
    const char *size = strstr(options, "pagesize=");
    unsigned long long kib = 2048;
    char path[PATH_MAX], line[256], unit = 'K';
    FILE *memory;

    if (size != NULL && sscanf(size, "pagesize=%llu%c", &kib, &unit) >= 1)
        return unit == 'G' ? kib << 20 : unit == 'M' ? kib << 10 : kib;
    memory = fopen(spill_doctor_path(subject, path, sizeof(path), "proc/meminfo"), "re");
    while (memory != NULL && fgets(line, sizeof(line), memory) != NULL) {
        if (sscanf(line, "Hugepagesize: %llu kB", &kib) == 1)
            break;
    }
    if (memory != NULL)
        fclose(memory);
    return kib;
}

/* Where a hugetlbfs is mounted. @param kib  its pages' size; 0: any. Returns whether there is one
 */
static bool find_mount(const struct spill_doctor_subject *subject, uint64_t kib, char *folder,
                       size_t size)
{
    char path[PATH_MAX], line[1024], where[512], type[64], options[256];
    FILE *mounts = fopen(spill_doctor_path(subject, path, sizeof(path), "proc/self/mounts"), "re");
    bool found = false;

    while (mounts != NULL && !found && fgets(line, sizeof(line), mounts) != NULL) {
        if (sscanf(line, "%*s %511s %63s %255s", where, type, options) == 3 &&
            strcmp(type, "hugetlbfs") == 0 &&
            (kib == 0 || size_of_mount(subject, options) == kib)) {
            snprintf(folder, size, "%.*s", (int)size - 1, where);
            found = true;
        }
    }
    if (mounts != NULL)
        fclose(mounts);
    return found;
}

/* Free pages of a node, by the sizes of which a hugetlbfs is mounted, and those of the others; in
 * pages of 2 MiB. Where none at all is mounted, that is told by itself, and all count. */
static void count_free(const struct spill_doctor_subject *subject, unsigned node, uint64_t *usable,
                       uint64_t *others)
{
    static const struct {
        const char *size;
        uint64_t kib, small;
    } sizes[] = {{SMALL, 2048, 1}, {LARGE, 1048576, PER_LARGE}};
    char folder[128];
    const bool any = find_mount(subject, 0, folder, sizeof(folder));

    *usable = *others = 0;
    for (unsigned i = 0; i < 2; i++) {
        const uint64_t count = sizes[i].small * pages(subject, node, sizes[i].size, "free");

        if (!any || find_mount(subject, sizes[i].kib, folder, sizeof(folder)))
            *usable += count;
        else
            *others += count;
    }
}

static void check_node(const struct spill_doctor_subject *subject, struct spill_doctor_lines *lines,
                       unsigned node)
{
    const uint64_t needs = subject->pages[node];
    uint64_t has, others;
    char more[96] = "", folder[128];

    count_free(subject, node, &has, &others);
    if (has >= needs) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK,
                         "node %u: %" PRIu64 " of 2 MiB are needed, %" PRIu64 " are free", node,
                         needs, has);
        return;
    }
    if (others > 0)
        snprintf(more, sizeof(more), "; %" PRIu64 " as pages of a size that no hugetlbfs has",
                 others);
    spill_doctor_add(lines, SPILL_DOCTOR_BROKEN,
                     "node %u: %" PRIu64 " of 2 MiB are needed, and %" PRIu64 " are free%s", node,
                     needs, has, more);
    if (has + others >= needs) {
        const char *size = pages(subject, node, LARGE, "free") * PER_LARGE == others ? "1G" : "2M";

        spill_doctor_mend(lines, MOUNT, size, size, size);
    } else {
        const bool mounted = !find_mount(subject, 0, folder, sizeof(folder)) ||
                             find_mount(subject, 2048, folder, sizeof(folder));

        if (!mounted)
            has += pages(subject, node, SMALL, "free");
        mend_pages(subject, lines, node, pages(subject, node, SMALL, "nr") + needs - has, mounted);
    }
}

/* Of no plan: how many there are. */
static void check_machine(const struct spill_doctor_subject *subject,
                          struct spill_doctor_lines *lines)
{
    uint64_t small = 0, large = 0;

    for (unsigned node = 0; node < SPILL_DOCTOR_NODES_MAX; node++) {
        small += pages(subject, node, SMALL, "nr");
        large += pages(subject, node, LARGE, "nr");
    }
    spill_doctor_add(lines, small + large > 0 ? SPILL_DOCTOR_OK : SPILL_DOCTOR_COSTS,
                     "%" PRIu64 " of 2 MiB and %" PRIu64 " of 1 GiB%s", small, large,
                     small + large > 0 ? "" : ": --no-huge alone works, and is slower");
    if (small + large == 0)
        spill_doctor_mend(lines, "sysctl -w vm.nr_hugepages=1024");
}

void spill_doctor_hugepages(const struct spill_doctor_subject *subject,
                            struct spill_doctor_lines *lines)
{
    if (subject->lcore_count == 0) {
        check_machine(subject, lines);
    } else if (!subject->hugepages) {
        spill_doctor_add(lines, SPILL_DOCTOR_COSTS,
                         "--no-huge: ordinary pages are slower, and on whatever node");
        spill_doctor_mend(lines, "no-huge = off, and the pages that --check then names");
    } else if (subject->running) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "it has those that it needs");
    } else {
        for (unsigned node = 0; node < SPILL_DOCTOR_NODES_MAX; node++) {
            if (subject->pages[node] > 0)
                check_node(subject, lines, node);
        }
    }
}

void spill_doctor_hugetlbfs(const struct spill_doctor_subject *subject,
                            struct spill_doctor_lines *lines)
{
    char folder[128];

    if (find_mount(subject, 0, folder, sizeof(folder))) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "mounted at %s", folder);
        return;
    }
    spill_doctor_add(lines, subject->hugepages ? SPILL_DOCTOR_BROKEN : SPILL_DOCTOR_COSTS,
                     "not mounted: hugepages can't be used");
    spill_doctor_mend(lines,
                      "mkdir -p /dev/hugepages && mount -t hugetlbfs hugetlbfs /dev/hugepages");
}

#define CAP_IPC_LOCK 14

/* Who may lock what it likes. */
static bool may_lock(const struct spill_doctor_subject *subject)
{
    char path[PATH_MAX], line[256];
    FILE *status = fopen(spill_doctor_path(subject, path, sizeof(path), "proc/self/status"), "re");
    unsigned long long capabilities = 0;

    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        if (sscanf(line, "CapEff: %llx", &capabilities) == 1)
            break;
    }
    if (status != NULL)
        fclose(status);
    return (capabilities >> CAP_IPC_LOCK & 1) != 0;
}

/* Bytes; negative: no limit. */
static long long lock_limit(const struct spill_doctor_subject *subject)
{
    char path[PATH_MAX], line[256];
    FILE *limits = fopen(spill_doctor_path(subject, path, sizeof(path), "proc/self/limits"), "re");
    long long limit = -1;

    while (limits != NULL && fgets(line, sizeof(line), limits) != NULL) {
        if (sscanf(line, "Max locked memory %lld", &limit) == 1)
            break;
    }
    if (limits != NULL)
        fclose(limits);
    return limit;
}

void spill_doctor_locked_memory(const struct spill_doctor_subject *subject,
                                struct spill_doctor_lines *lines)
{
    const long long limit = lock_limit(subject);
    bool pci = false;

    for (unsigned i = 0; i < subject->port_count; i++)
        pci |= subject->ports[i].pci[0] != '\0';
    if (limit < 0 || may_lock(subject)) {
        spill_doctor_add(lines, SPILL_DOCTOR_OK, "no limit");
        return;
    }
    spill_doctor_add(lines, pci ? SPILL_DOCTOR_BROKEN : SPILL_DOCTOR_OK, "at most %lld KiB: %s",
                     limit / 1024,
                     pci ? "memory for DMA of vfio-pci is locked" : "enough without PCI devices");
    if (pci)
        spill_doctor_mend(lines, "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit");
}
