/* SPDX-License-Identifier: BSD-3-Clause */
/* Receives and spreads packets over the fast lcores by the hash of their flows. */
#include <rte_ethdev.h>

#include "packet/parse.h"
#include "packet/parse_inside.h"
#include "pipeline/output.h"
#include "pipeline/routing_flow.h"
#include "pipeline/spread.h"
#include "pipeline/trace.h"

static SPILL_DROP_REASON(rx_channel_full, "rx_channel_full",
                         "the channel to the fast lcore that owns the flow was full");

static void send_share(struct spill_spread *spread, uint32_t fast, struct rte_mbuf **mbufs,
                       uint32_t count)
{
    uint32_t sent = spill_channel_send(spread->senders[fast], mbufs, count);

    if (sent < count)
        spill_ledger_drop(&spread->ledger, &rx_channel_full, mbufs + sent, count - sent);
}

/* What chooses a packet's lcore: its flow; its datagram, or the connection that it is about. */
static uint32_t hash_of(const struct spill_spread *spread, const struct rte_mbuf *mbuf,
                        const struct spill_packet *packet)
{
    struct spill_packet inside;

    if (likely((packet->fragment | packet->step) == 0))
        return spill_packet_hash(packet, spread->seed);
    if (packet->fragment != 0)
        return spill_packet_address_hash(packet, spread->seed);
    if (packet->kind <= SPILL_PACKET_IPV6 && packet->step == SPILL_STEP_ERROR &&
        spill_parse_inside(mbuf, packet, &inside))
        return spill_packet_hash(&inside, spread->seed);
    return spill_packet_hash(packet, spread->seed);
}

/* Sends each packet of a burst to its fast lcore: in runs, which keeps the order within a flow. */
static void send_by_flow(struct spill_spread *spread, struct rte_mbuf **mbufs,
                         const struct spill_packet *packets, uint32_t count)
{
    uint32_t owners[SPILL_BURST], sorted_owner[SPILL_BURST];
    struct rte_mbuf *sorted[SPILL_BURST];
    uint32_t i, j, first;

    for (i = 0; i < count; i++)
        owners[i] = spill_packet_share(hash_of(spread, mbufs[i], &packets[i]), spread->fast_count);
    /* Insertion sort by owner: stable, and bursts are short. */
    for (i = 0; i < count; i++) {
        for (j = i; j > 0 && sorted_owner[j - 1] > owners[i]; j--) {
            sorted_owner[j] = sorted_owner[j - 1];
            sorted[j] = sorted[j - 1];
        }
        sorted_owner[j] = owners[i];
        sorted[j] = mbufs[i];
    }
    for (first = 0, i = 1; i <= count; i++) {
        if (i == count || sorted_owner[i] != sorted_owner[first]) {
            send_share(spread, sorted_owner[first], sorted + first, i - first);
            first = i;
        }
    }
}

static uint32_t poll_queue(struct spill_spread *spread, struct spill_spread_queue *queue,
                           uint64_t now)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    struct spill_packet packets[SPILL_BURST];
    uint32_t received = rte_eth_rx_burst(queue->port, queue->queue, mbufs, SPILL_BURST);
    struct spill_watch *watch;
    uint32_t kept = 0, i;

    if (received == 0)
        return 0;
    queue->received += received;
    spread->ledger.received += received;
    spill_parse_burst(mbufs, received, queue->zone, packets);
    if (unlikely((watch = spill_watch_of(&spread->ledger)) != NULL))
        watch->received(watch, queue->port, mbufs, packets, received);
    if (unlikely(queue->routed))
        spill_routing_join(mbufs, packets, received);
    for (i = 0; i < received; i++) {
        if (unlikely(packets[i].kind == SPILL_PACKET_MALFORMED)) {
            spill_ledger_drop(&spread->ledger, spill_drop_reason_get(packets[i].drop), &mbufs[i],
                              1);
            continue;
        }
        packets[i].input = (uint8_t)queue->port;
        *spill_packet_of(mbufs[i]) = packets[i];
        mbufs[kept] = mbufs[i];
        packets[kept++] = packets[i];
    }
    spill_output_mark(mbufs, kept, now, SPILL_PATH_FAST);
    send_by_flow(spread, mbufs, packets, kept);
    return received;
}

static bool has_room(const struct spill_spread *spread)
{
    uint32_t i;

    for (i = 0; i < spread->fast_count; i++) {
        if (!spill_sender_has_room(spread->senders[i], SPILL_BURST))
            return false;
    }
    return true;
}

/* Whether this lcore has enough to do with what was received already. */
static bool is_behind(struct spill_spread *spread)
{
    if (spread->own == NULL || rte_ring_count(spread->own->ring) < SPILL_BURST ||
        ++spread->waited == SPILL_SPREAD_PATIENCE) {
        spread->waited = 0;
        return false;
    }
    return true;
}

static uint32_t spread_poll(void *context, uint64_t now)
{
    struct spill_spread *spread = context;
    const uint32_t queues = __atomic_load_n(&spread->queue_count, __ATOMIC_ACQUIRE);
    uint32_t handled = 0, i;

    if (unlikely(spill_token_cancelled(spread->stop)) || is_behind(spread))
        return 0;
    for (i = 0; i < queues && handled < SPILL_TURN; i++) {
        struct spill_spread_queue *queue = &spread->queues[spread->next];

        if (++spread->next == queues)
            spread->next = 0;
        if (unlikely(__atomic_load_n(&queue->closed, __ATOMIC_ACQUIRE)))
            continue;
        if (!queue->can_wait || has_room(spread))
            handled += poll_queue(spread, queue, now);
    }
    return handled;
}

static bool spread_end(void *context)
{
    struct spill_spread *spread = context;
    uint32_t i;

    for (i = 0; i < spread->fast_count; i++)
        spill_sender_leave(spread->senders[i]);
    return true;
}

void spill_spread_add_stage(struct spill_spread *spread, struct spill_loop *loop)
{
    struct spill_stage stage = {
        .name = "receive and spread",
        .poll = spread_poll,
        .end = spread_end,
        .context = spread,
    };

    spill_loop_add(loop, &stage);
}
