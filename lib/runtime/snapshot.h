/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SNAPSHOT_H
#define SPILLWAY_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_rcu_qsbr.h>

/**
 * @file
 * Immutable configuration that the control thread replaces while lcores read it (law 6).
 *
 * Like a `watch` channel: readers see the newest version, not each one. A version is built apart,
 * published by one store, and never written again. The version before it is retired, and freed once
 * every reader has passed a quiescent state (rte_rcu_qsbr): the end of a loop's iteration, where it
 * holds no pointer into any version.
 *
 * A reader pays one load to get the version, and a load and a store to its own line once an
 * iteration; it never waits, and neither does the control thread: it looks from time to time what
 * has become free. The retired versions are bounded (law 1): with SPILL_SNAPSHOT_RETIRED_MAX of
 * them held up by a reader that hangs, nothing more is published until it goes on.
 *
 *     control thread                             a loop
 *     --------------                             ------
 *     snapshot = spill_snapshot_create(...)
 *     spill_snapshot_publish(snapshot, v1, free)
 *     spill_snapshot_reader_register(snapshot, &reader)
 *     launches the loop                          spill_snapshot_reader_online(&reader)
 *     spill_snapshot_publish(snapshot, v2, free) each iteration:
 *     until it returns 0:                            v = spill_snapshot_get(snapshot), uses v
 *         spill_snapshot_reclaim(snapshot)           spill_snapshot_quiescent(&reader)
 *     joins the loop                             spill_snapshot_reader_offline(&reader)
 *     spill_snapshot_reader_unregister(&reader)
 *     spill_snapshot_destroy(snapshot)
 */

/* Reloads come seconds apart, grace periods last microseconds: more than one is rare. */
#define SPILL_SNAPSHOT_RETIRED_MAX 8

/** Frees a version and all that it owns. Called on the control thread, once for each version. */
typedef void (*spill_snapshot_free_fn)(void *version);

/* A version that readers may still hold. */
struct spill_snapshot_retired {
    void *version;
    spill_snapshot_free_fn free_version;
    uint64_t grace; /* rte_rcu_qsbr token: every reader must have passed it */
};

struct spill_snapshot {
    /* Read by every reader; written by the control thread when it publishes. */
    _Atomic(void *) current;
    struct rte_rcu_qsbr *qsbr; /* each reader writes a line of its own in it */

    /* The control thread's own, on another line than the readers': */
    spill_snapshot_free_fn free_current __rte_cache_aligned;
    struct spill_snapshot_retired retired[SPILL_SNAPSHOT_RETIRED_MAX]; /* oldest first */
    unsigned retired_count;

    unsigned max_readers;
    _Atomic bool *taken; /* which reader ids are given out; written by whoever registers */
};

/** A reader's membership: memory of the caller's, used by one thread at a time. */
struct spill_snapshot_reader {
    struct spill_snapshot *snapshot;
    unsigned id;
};

/**
 * Makes a snapshot without a version. Control thread.
 *
 * @param socket       NUMA node of the readers, or SOCKET_ID_ANY
 * @param max_readers  how many can be registered at a time, at least 1
 * @return the caller's, for spill_snapshot_destroy(); NULL with rte_errno set: EINVAL, ENOMEM
 */
struct spill_snapshot *spill_snapshot_create(int socket, unsigned max_readers);

/**
 * Frees the snapshot, its version and all retired ones. Control thread; no reader may be registered
 * any more.
 *
 * @param snapshot  may be NULL
 */
void spill_snapshot_destroy(struct spill_snapshot *snapshot);

/**
 * Makes a reader known, offline at first. Any thread, but before its loop starts.
 *
 * @param reader  must stay until spill_snapshot_reader_unregister()
 * @return 0, or -ENOSPC when the snapshot has max_readers already
 */
int spill_snapshot_reader_register(struct spill_snapshot *snapshot,
                                   struct spill_snapshot_reader *reader);

/** Gives a reader's place back. Any thread, after the reader's loop; it may have ended online. */
void spill_snapshot_reader_unregister(struct spill_snapshot_reader *reader);

/** Begins to read: from here on the reader holds up what is retired. The reader's thread. */
static inline void spill_snapshot_reader_online(struct spill_snapshot_reader *reader)
{
    rte_rcu_qsbr_thread_online(reader->snapshot->qsbr, reader->id);
}

/**
 * Ceases to read, for good or for a sleep: the reader holds no version and holds up none until it
 * is online again. The reader's thread.
 */
static inline void spill_snapshot_reader_offline(struct spill_snapshot_reader *reader)
{
    rte_rcu_qsbr_thread_offline(reader->snapshot->qsbr, reader->id);
}

/**
 * Says that the reader holds no version at this moment. Once an iteration, online. The reader's
 * thread.
 */
static inline void spill_snapshot_quiescent(struct spill_snapshot_reader *reader)
{
    rte_rcu_qsbr_quiescent(reader->snapshot->qsbr, reader->id);
}

/**
 * The newest version: one load. A reader that is online, and the control thread.
 *
 * @return the snapshot's, never to be written; good until the reader is next quiescent or offline;
 *         NULL when nothing has been published
 */
static inline const void *spill_snapshot_get(const struct spill_snapshot *snapshot)
{
    return atomic_load_explicit(&snapshot->current, memory_order_acquire);
}

/**
 * Replaces the version, and retires the one before. Never waits. Control thread, not a reader.
 *
 * @param version       complete; the snapshot's from now on, when this succeeds; NULL for none
 * @param free_version  frees `version` when its time comes
 * @return 0; -EBUSY when SPILL_SNAPSHOT_RETIRED_MAX versions are still held up by readers: nothing
 *         has changed, and `version` stays the caller's
 */
__rte_warn_unused_result int spill_snapshot_publish(struct spill_snapshot *snapshot, void *version,
                                                    spill_snapshot_free_fn free_version);

/**
 * Frees the retired versions that no reader can hold any more. Never waits. Control thread,
 * from time to time until it returns 0.
 *
 * @return how many are still held up
 */
unsigned spill_snapshot_reclaim(struct spill_snapshot *snapshot);

/**
 * Waits until every retired version is freed, or the deadline has passed. Sleeps in between, so
 * that a reader which shares the CPU gets to run. Control thread, not a reader.
 *
 * @param deadline  TSC cycles; one that has passed makes this spill_snapshot_reclaim()
 * @return how many are still held up: 0 on success
 */
unsigned spill_snapshot_synchronize(struct spill_snapshot *snapshot, uint64_t deadline);

#endif
