/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CHANNEL_H
#define SPILLWAY_CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/error.h"
#include "base/metrics.h"

/**
 * @file
 * Channel: a bounded queue of mbufs from several lcores to one (MPSC) over one rte_ring, which can
 * be closed.
 *
 * Law 1: it is created with a capacity, and a send says how many packets it took. What it refuses
 * stays the sender's, who drops it under the channel's reason; the refused are counted here too.
 *
 * Law 6: each sending lcore has a `struct spill_sender` of its own, which holds what it counts. The
 * ring alone is shared.
 *
 * The end of a channel is its senders': each leaves (spill_sender_leave()) after its last send, and
 * the reader sees the end (spill_channel_ended()) once all have left and the ring is empty. A
 * sender stores its leave with release after its last enqueue, the reader loads it with acquire
 * before it looks whether the ring is empty: so nothing can arrive after the end.
 * spill_channel_close(), by any thread, makes the next send of each sender fail, which then leaves:
 * the end comes from upstream, or is forced from outside, by the same rule.
 */

#define SPILL_CHANNEL_NAME_MAX 24

/** How a ring keeps several threads apart. */
enum spill_ring_mode {
    /** For threads that have a CPU of their own: a preempted thread would hold up the others. */
    SPILL_RING_EXCLUSIVE,
    /** For threads that share CPUs: relaxed tail synchronization (RTS), which survives preemption.
     */
    SPILL_RING_PREEMPTIBLE,
};

struct spill_channel;

/** One lcore's way into a channel. Written by that lcore; the control thread reads the counters,
 * the channel's reader reads `left`. */
struct spill_sender {
    struct spill_channel *channel;
    struct rte_ring *ring;
    uint64_t sent;    /* packets that the channel took */
    uint64_t refused; /* packets that it did not take: full, or closed */
    _Atomic bool left;
} __rte_cache_aligned;

struct spill_channel {
    struct rte_ring *ring;
    uint32_t capacity; /* packets */
    uint32_t sender_count;
    _Atomic bool closed; /* set once, by any thread */
    char name[SPILL_CHANNEL_NAME_MAX];
    /* Written by the reader: */
    uint64_t received __rte_cache_aligned;
    uint32_t high_water; /* most packets that a receive found waiting */
    struct spill_sender senders[];
};

/**
 * Creates a channel with all of its memory on one node (law 8: the reader's). Control thread.
 *
 * @param name      unique among rings, shorter than SPILL_CHANNEL_NAME_MAX
 * @param capacity  most packets that wait in it, any number from 1
 * @param senders   lcores that will send, from 1
 * @param socket    NUMA node of the reader, or SOCKET_ID_ANY
 * @return NULL with an error when there is no memory or the name is taken
 */
struct spill_channel *spill_channel_create(const char *name, uint32_t capacity, uint32_t senders,
                                           int socket, enum spill_ring_mode mode,
                                           struct spill_error *error);

/**
 * Frees a channel that no thread uses any more. Control thread.
 *
 * @param channel  must be empty (spill_channel_receive() until it gives nothing); may be NULL
 */
void spill_channel_free(struct spill_channel *channel);

/** The sender with an index below `senders`, for one lcore alone. */
static inline struct spill_sender *spill_channel_sender(struct spill_channel *channel,
                                                        uint32_t index)
{
    return &channel->senders[index];
}

/** Sends nothing more. The sender's lcore, after its last send; a second call does nothing. */
static inline void spill_sender_leave(struct spill_sender *sender)
{
    atomic_store_explicit(&sender->left, true, memory_order_release);
}

/**
 * Refuses sends from now on: a send under way may still be taken, each later one takes nothing and
 * makes its sender leave. Any thread. A sender that never sends again must leave by itself.
 */
void spill_channel_close(struct spill_channel *channel);

/** spill_channel_send()'s part for SPILL_RING_PREEMPTIBLE. */
uint32_t spill_channel_enqueue_preemptible(struct rte_ring *ring, struct rte_mbuf **mbufs,
                                           uint32_t count);

/**
 * Sends packets, in order. The sender's lcore; never blocks.
 *
 * @param mbufs  the first packets, as many as were taken, are the channel's; the rest stays the
 *               caller's, who drops or keeps them
 * @return how many were taken
 */
__rte_warn_unused_result static inline uint32_t
spill_channel_send(struct spill_sender *sender, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t taken;

    if (unlikely(atomic_load_explicit(&sender->channel->closed, memory_order_relaxed))) {
        sender->refused += count;
        spill_sender_leave(sender);
        return 0;
    }
    /* Only the quicker of the two modes is worth its code in every caller. */
    taken = likely(rte_ring_get_prod_sync_type(sender->ring) == RTE_RING_SYNC_MT)
                ? rte_ring_mp_enqueue_burst(sender->ring, (void **)mbufs, count, NULL)
                : spill_channel_enqueue_preemptible(sender->ring, mbufs, count);
    sender->sent += taken;
    if (unlikely(taken < count))
        sender->refused += count - taken;
    return taken;
}

/**
 * Whether a burst will be taken whole, also when it is sent only later: true as long as all of the
 * channel's senders ask before each burst and send no more than that. For sources that can wait.
 * The sender's lcore.
 *
 * @param burst  packets, the same for all senders; less than the capacity
 */
static inline bool spill_sender_has_room(const struct spill_sender *sender, uint32_t burst)
{
    const struct spill_channel *channel = sender->channel;
    uint32_t needed = burst;

    /* Each of the others may have been told the same; and while one is preempted, the ring shows
     * room that others have taken since, an eighth of it at most (rte_ring_rts.h). */
    if (channel->sender_count > 1)
        needed =
            RTE_MIN(burst * (channel->sender_count + 1) + channel->capacity / 8, channel->capacity);
    return rte_ring_free_count(sender->ring) >= needed;
}

/**
 * Receives packets, those of one sender in the order in which it sent them. The reader's lcore.
 *
 * @param mbufs  room for `count`; what is written is the caller's
 * @return how many were received; 0 when none waits (see spill_channel_ended())
 */
static inline uint32_t spill_channel_receive(struct spill_channel *channel, struct rte_mbuf **mbufs,
                                             uint32_t count)
{
    uint32_t left;
    uint32_t received = rte_ring_sc_dequeue_burst(channel->ring, (void **)mbufs, count, &left);

    channel->received += received;
    if (received + left > channel->high_water)
        channel->high_water = received + left;
    return received;
}

/** Whether nothing waits and nothing will come: all senders have left. The reader's lcore. */
bool spill_channel_ended(const struct spill_channel *channel);

/** Sum over the senders of what they sent and what was refused them. Any thread. */
uint64_t spill_channel_sent(const struct spill_channel *channel);
uint64_t spill_channel_refused(const struct spill_channel *channel);

/** Gives a writer what a channel and its senders count. Any thread. */
void spill_channel_write_metrics(const struct spill_channel *channel,
                                 struct spill_metric_writer *writer);

/** The flags for a ring with several producers and one (`single_reader`) or several readers. */
unsigned spill_ring_flags(enum spill_ring_mode mode, bool single_reader);

#endif
