/* SPDX-License-Identifier: BSD-3-Clause */
/* Channels: everything but sending and receiving, which are inline in the header. */
#include <string.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "channel.h"

unsigned spill_ring_flags(enum spill_ring_mode mode, bool single_reader)
{
    unsigned flags = RING_F_EXACT_SZ;

    if (mode == SPILL_RING_PREEMPTIBLE)
        flags |= RING_F_MP_RTS_ENQ;
    if (single_reader)
        flags |= RING_F_SC_DEQ;
    else if (mode == SPILL_RING_PREEMPTIBLE)
        flags |= RING_F_MC_RTS_DEQ;
    return flags;
}

struct spill_channel *spill_channel_create(const char *name, uint32_t capacity, uint32_t senders,
                                           int socket, enum spill_ring_mode mode,
                                           struct spill_error *error)
{
    struct spill_channel *channel;
    uint32_t i;

    if (capacity == 0 || senders == 0 || strlen(name) >= SPILL_CHANNEL_NAME_MAX) {
        spill_error_set(error,
                        "channel '%s': capacity %u with %u senders; both start at 1 and a name has "
                        "less than %d characters",
                        name, capacity, senders, SPILL_CHANNEL_NAME_MAX);
        return NULL;
    }
    channel = rte_zmalloc_socket(name, sizeof(*channel) + senders * sizeof(channel->senders[0]),
                                 RTE_CACHE_LINE_SIZE, socket);
    if (channel == NULL) {
        spill_error_set(error, "channel '%s': no memory on node %d", name, socket);
        return NULL;
    }
    channel->ring = rte_ring_create(name, capacity, socket, spill_ring_flags(mode, true));
    if (channel->ring == NULL) {
        spill_error_set(error, "channel '%s': no ring of %u: %s", name, capacity,
                        rte_strerror(rte_errno));
        rte_free(channel);
        return NULL;
    }
    channel->capacity = capacity;
    channel->sender_count = senders;
    memcpy(channel->name, name, strlen(name) + 1);
    for (i = 0; i < senders; i++) {
        channel->senders[i].channel = channel;
        channel->senders[i].ring = channel->ring;
    }
    return channel;
}

void spill_channel_free(struct spill_channel *channel)
{
    if (channel == NULL)
        return;
    rte_ring_free(channel->ring);
    rte_free(channel);
}

uint32_t spill_channel_enqueue_preemptible(struct rte_ring *ring, struct rte_mbuf **mbufs,
                                           uint32_t count)
{
    return rte_ring_mp_rts_enqueue_burst(ring, (void **)mbufs, count, NULL);
}

void spill_channel_close(struct spill_channel *channel)
{
    atomic_store_explicit(&channel->closed, true, memory_order_relaxed);
}

bool spill_channel_ended(const struct spill_channel *channel)
{
    uint32_t i;

    /* First the leaves, then the ring: see the file comment. */
    for (i = 0; i < channel->sender_count; i++) {
        if (!atomic_load_explicit(&channel->senders[i].left, memory_order_acquire))
            return false;
    }
    return rte_ring_empty(channel->ring);
}

static const struct spill_metric channel_rows[] = {
    SPILL_METRIC(TEXT, "name", struct spill_channel, name, "", "of the channel"),
    SPILL_METRIC(GAUGE, "capacity", struct spill_channel, capacity, "packets", "most that fits"),
    SPILL_METRIC(GAUGE, "high_water", struct spill_channel, high_water, "packets",
                 "most that a receive found waiting"),
};
static const struct spill_metrics channel_metrics = SPILL_METRICS(channel_rows);

static const struct spill_metric sender_rows[] = {
    SPILL_METRIC(COUNTER, "sent", struct spill_sender, sent, "packets", "that the channel took"),
    SPILL_METRIC(COUNTER, "refused", struct spill_sender, refused, "packets",
                 "that it did not take"),
};
static const struct spill_metrics sender_metrics = SPILL_METRICS(sender_rows);

static struct spill_sender sum_of_senders(const struct spill_channel *channel)
{
    struct spill_sender sum = {0};
    uint32_t i;

    for (i = 0; i < channel->sender_count; i++)
        spill_metrics_add(&sender_metrics, &sum, &channel->senders[i]);
    return sum;
}

uint64_t spill_channel_sent(const struct spill_channel *channel)
{
    return sum_of_senders(channel).sent;
}

uint64_t spill_channel_refused(const struct spill_channel *channel)
{
    return sum_of_senders(channel).refused;
}

void spill_channel_write_metrics(const struct spill_channel *channel,
                                 struct spill_metric_writer *writer)
{
    struct spill_sender sum = sum_of_senders(channel);
    struct spill_channel copy = {0};

    memcpy(copy.name, channel->name, sizeof(copy.name));
    spill_metrics_add(&channel_metrics, &copy, channel);
    spill_metrics_write(&channel_metrics, &copy, writer);
    spill_metrics_write(&sender_metrics, &sum, writer);
}
