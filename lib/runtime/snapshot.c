/* SPDX-License-Identifier: BSD-3-Clause */
/* Versions of a configuration: published, retired, and freed when their grace period is over. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "base/clock.h"
#include "snapshot.h"

/* Between two looks at the readers: an iteration of a busy loop is shorter. */
#define SYNCHRONIZE_PAUSE_NS 50000

struct spill_snapshot *spill_snapshot_create(int socket, unsigned max_readers)
{
    struct spill_snapshot *snapshot;

    if (max_readers == 0) {
        rte_errno = EINVAL;
        return NULL;
    }
    snapshot = rte_zmalloc_socket("snapshot", sizeof(*snapshot), RTE_CACHE_LINE_SIZE, socket);
    if (snapshot == NULL)
        goto no_memory;
    snapshot->max_readers = max_readers;
    snapshot->qsbr = rte_zmalloc_socket("snapshot_qsbr", rte_rcu_qsbr_get_memsize(max_readers),
                                        RTE_CACHE_LINE_SIZE, socket);
    snapshot->taken = rte_zmalloc_socket("snapshot_readers", max_readers * sizeof(*snapshot->taken),
                                         RTE_CACHE_LINE_SIZE, socket);
    if (snapshot->qsbr == NULL || snapshot->taken == NULL)
        goto no_memory;
    rte_rcu_qsbr_init(snapshot->qsbr, max_readers);
    return snapshot;

no_memory:
    spill_snapshot_destroy(snapshot);
    rte_errno = ENOMEM;
    return NULL;
}

void spill_snapshot_destroy(struct spill_snapshot *snapshot)
{
    void *current;
    unsigned i;

    if (snapshot == NULL)
        return;
    for (i = 0; snapshot->taken != NULL && i < snapshot->max_readers; i++)
        assert(!atomic_load_explicit(&snapshot->taken[i], memory_order_relaxed));
    for (i = 0; i < snapshot->retired_count; i++)
        snapshot->retired[i].free_version(snapshot->retired[i].version);
    current = atomic_load_explicit(&snapshot->current, memory_order_relaxed);
    if (current != NULL)
        snapshot->free_current(current);
    rte_free((void *)snapshot->taken);
    rte_free(snapshot->qsbr);
    rte_free(snapshot);
}

int spill_snapshot_reader_register(struct spill_snapshot *snapshot,
                                   struct spill_snapshot_reader *reader)
{
    unsigned id;

    for (id = 0; id < snapshot->max_readers; id++)
        if (!atomic_exchange_explicit(&snapshot->taken[id], true, memory_order_acquire))
            break;
    if (id == snapshot->max_readers)
        return -ENOSPC;
    reader->snapshot = snapshot;
    reader->id = id;
    rte_rcu_qsbr_thread_register(snapshot->qsbr, id);
    return 0;
}

void spill_snapshot_reader_unregister(struct spill_snapshot_reader *reader)
{
    struct spill_snapshot *snapshot = reader->snapshot;

    rte_rcu_qsbr_thread_offline(snapshot->qsbr, reader->id);
    rte_rcu_qsbr_thread_unregister(snapshot->qsbr, reader->id);
    atomic_store_explicit(&snapshot->taken[reader->id], false, memory_order_release);
    reader->snapshot = NULL;
}

int spill_snapshot_publish(struct spill_snapshot *snapshot, void *version,
                           spill_snapshot_free_fn free_version)
{
    void *old;

    if (spill_snapshot_reclaim(snapshot) == SPILL_SNAPSHOT_RETIRED_MAX)
        return -EBUSY;
    /* Release: a reader that sees the pointer sees what it points to. */
    old = atomic_exchange_explicit(&snapshot->current, version, memory_order_acq_rel);
    if (old != NULL)
        snapshot->retired[snapshot->retired_count++] = (struct spill_snapshot_retired){
            .version = old,
            .free_version = snapshot->free_current,
            .grace = rte_rcu_qsbr_start(snapshot->qsbr),
        };
    snapshot->free_current = free_version;
    return 0;
}

unsigned spill_snapshot_reclaim(struct spill_snapshot *snapshot)
{
    struct spill_snapshot_retired *retired = snapshot->retired;
    unsigned over = 0;

    /* Grace periods end in the order in which they began. */
    while (over < snapshot->retired_count &&
           rte_rcu_qsbr_check(snapshot->qsbr, retired[over].grace, false) == 1) {
        retired[over].free_version(retired[over].version);
        over++;
    }
    snapshot->retired_count -= over;
    memmove(retired, retired + over, snapshot->retired_count * sizeof(*retired));
    return snapshot->retired_count;
}

unsigned spill_snapshot_synchronize(struct spill_snapshot *snapshot, uint64_t deadline)
{
    const struct timespec pause = {.tv_nsec = SYNCHRONIZE_PAUSE_NS};

    while (spill_snapshot_reclaim(snapshot) > 0 && spill_clock() < deadline)
        nanosleep(&pause, NULL);
    return snapshot->retired_count;
}
