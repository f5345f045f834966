/* SPDX-License-Identifier: BSD-3-Clause */
/* Asks the kernel where pages are. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include <numaif.h>

#include "placement.h"

/* Enough to find a range that is elsewhere, or a part of it, and one system call. */
#define SAMPLES_MAX 64

int spill_placement_node(const void *address)
{
    uintptr_t page = (uintptr_t)address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    void *pages[1] = {(void *)page};
    int status = -ENOENT;

    /* Without target nodes, move_pages() moves nothing and reports where each page is. */
    if (move_pages(0, 1, pages, NULL, &status, 0) < 0)
        return -errno;
    return status;
}

int spill_placement_check(const void *address, size_t length, int node,
                          struct spill_placement *result)
{
    uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)address & ~(size - 1);
    uintptr_t last = ((uintptr_t)address + (length > 0 ? length - 1 : 0)) & ~(size - 1);
    uintptr_t pages_all = (last - first) / size + 1;
    void *pages[SAMPLES_MAX];
    int status[SAMPLES_MAX];
    unsigned count = pages_all < SAMPLES_MAX ? (unsigned)pages_all : SAMPLES_MAX;
    unsigned i;

    for (i = 0; i < count; i++)
        pages[i] = (void *)(first + (count > 1 ? i * (pages_all - 1) / (count - 1) : 0) * size);
    *result = (struct spill_placement){.pages = count, .node = -1};
    if (move_pages(0, count, pages, NULL, status, 0) < 0)
        return -errno;
    for (i = 0; i < count; i++) {
        if (status[i] < 0) {
            result->absent++;
        } else if (node >= 0 && status[i] != node) {
            if (result->elsewhere++ == 0)
                result->node = status[i];
        }
    }
    return result->elsewhere > 0 ? 1 : 0;
}
