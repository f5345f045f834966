/* SPDX-License-Identifier: BSD-3-Clause */
/* An lcore's way to a port: a transmit queue of its own with a backlog, or the owner's channel. */
#include "pipeline/output.h"

#include <errno.h>

#include <rte_errno.h>

#include "base/clock.h"
#include "packet/packet.h"
#include "pipeline/drops.h"
#include "pipeline/trace.h"
#include "runtime/stamp.h"

static SPILL_DROP_REASON(tx_full, "tx_full",
                         "the device did not take the packet, and the backlog before it was full");
static SPILL_DROP_REASON(tx_refused, "tx_refused",
                         "the device takes others, but never this packet");
static SPILL_DROP_REASON(tx_channel_full, "tx_channel_full",
                         "the channel to the transmit queue's owner was full");

static const struct spill_trace_line handed = {.stage = "to the port's lcore",
                                               .values = {{"out", SPILL_TRACE_PORT, NULL}}},
                                     kept_back = {.stage = "backlog",
                                                  .values = {{"out", SPILL_TRACE_PORT, NULL}}},
                                     transmitted = {.stage = "transmitted",
                                                    .last = true,
                                                    .values = {{"out", SPILL_TRACE_PORT, NULL}}};

/* A packet that is refused while none stands behind it is given up after so many times the patience
 * (a second): there is none to ask with. */
#define ALONE 10

void spill_output_mark(struct rte_mbuf **mbufs, uint32_t count, uint64_t stamp,
                       enum spill_path path)
{
    uint32_t i;

    /* The lowest bit carries the way: a cycle of latency is no loss. */
    for (i = 0; i < count; i++)
        spill_stamp_set(mbufs[i], (stamp & ~UINT64_C(1)) | (path == SPILL_PATH_POOL));
}

static void record(struct spill_latency *latency, uint64_t now, uint64_t stamp,
                   enum spill_path path, uint64_t count)
{
    /* The stamp may be another lcore's, whose TSC may be ahead by a few cycles. */
    spill_histogram_record(&latency->paths[path], now > stamp ? now - stamp : 0, count);
}

void spill_latency_settle(struct spill_latency *latency, uint64_t now)
{
    if (latency->sent == 0)
        return;
    record(latency, now, latency->stamp, latency->path, latency->sent);
    latency->sent = 0;
}

/* Packets of a burst were sent. */
static void note_sent(struct spill_latency *latency, uint64_t stamp, enum spill_path path,
                      uint32_t count)
{
    if (latency->stamp != stamp || latency->path != path) {
        if (latency->sent != 0)
            spill_latency_settle(latency, spill_clock());
        latency->stamp = stamp;
        latency->path = path;
    }
    latency->sent += count;
}

/* Appends marked packets to the backlog, for which there is room. */
static void append(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count, bool other)
{
    uint32_t at, i;

    for (i = 0; i < count; i++) {
        at = (output->first + output->waiting + i) % SPILL_BACKLOG;
        output->backlog[at] = mbufs[i];
        output->from_other[at] = other;
    }
    output->waiting += count;
    output->others += other ? count : 0;
}

/* Keeps marked packets of the owner's, and drops what does not fit. */
static void keep(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t own = output->waiting - output->others;
    uint32_t kept = RTE_MIN(spill_output_own_room(output) - own, count);

    if (unlikely(spill_watch_of(output->ledger) != NULL)) {
        for (uint32_t i = 0; i < kept; i++)
            SPILL_TRACE(output->ledger, mbufs[i], kept_back, output->port);
    }
    append(output, mbufs, kept, false);
    if (kept < count)
        spill_ledger_drop(output->ledger, &tx_full, mbufs + kept, count - kept);
}

static void send_to_channel(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t sent;

    if (unlikely(spill_watch_of(output->ledger) != NULL)) {
        for (uint32_t i = 0; i < count; i++)
            SPILL_TRACE(output->ledger, mbufs[i], handed, output->port);
    }
    sent = spill_channel_send(output->sender, mbufs, count);
    if (sent < count)
        spill_ledger_drop(output->ledger, &tx_channel_full, mbufs + sent, count - sent);
}

/* Gives the device packets, which are shown to who watches this lcore. What it takes it may free at
 * once. */
static __rte_noinline uint32_t transmit_watched(struct spill_output *output,
                                                struct spill_watch *watch, struct rte_mbuf **mbufs,
                                                uint32_t count)
{
    const uint32_t known = RTE_MIN(count, (uint32_t)SPILL_WATCH_OFFERED_MAX), port = output->port;
    uint32_t numbers[SPILL_WATCH_OFFERED_MAX], sent;

    spill_watch_numbers(mbufs, known, numbers);
    watch->offered(watch, output->port, mbufs, known);
    sent = rte_eth_tx_burst(output->port, output->queue, mbufs, (uint16_t)count);
    watch->sent(watch, RTE_MIN(sent, known));
    for (uint32_t i = 0; i < RTE_MIN(sent, known); i++)
        spill_trace_note_number(watch, numbers[i], &transmitted, &port, 1);
    return sent;
}

static inline uint32_t transmit(struct spill_output *output, struct rte_mbuf **mbufs,
                                uint32_t count)
{
    struct spill_watch *watch = spill_watch_of(output->ledger);

    return likely(watch == NULL)
               ? rte_eth_tx_burst(output->port, output->queue, mbufs, (uint16_t)count)
               : transmit_watched(output, watch, mbufs, count);
}

void spill_output_send(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count,
                       uint64_t stamp, enum spill_path path)
{
    uint32_t sent = 0;

    if (count == 0)
        return;
    if (output->sender != NULL) {
        spill_output_mark(mbufs, count, stamp, path);
        send_to_channel(output, mbufs, count);
        return;
    }
    if (likely(output->waiting == 0) &&
        likely(output->channel == NULL || rte_ring_empty(output->channel->ring))) {
        sent = transmit(output, mbufs, count);
        output->transmitted += sent;
        output->ledger->transmitted += sent;
        note_sent(output->latency, stamp, path, sent);
    }
    if (unlikely(sent < count)) {
        output->retried += count - sent;
        spill_output_mark(mbufs + sent, count - sent, stamp, path);
        keep(output, mbufs + sent, count - sent);
    }
}

/* Offers the device packets of the backlog. Returns how many it took, and accounts for them. */
static uint32_t offer(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count)
{
    uint64_t stamps[SPILL_BURST], now;
    uint32_t sent, i;

    /* Read before they are the device's, which may free them. */
    for (i = 0; i < count; i++)
        stamps[i] = spill_stamp_get(mbufs[i]);
    sent = transmit(output, mbufs, count);
    now = spill_clock();
    for (i = 0; i < sent; i++)
        record(output->latency, now, stamps[i],
               (stamps[i] & 1) != 0 ? SPILL_PATH_POOL : SPILL_PATH_FAST, 1);
    output->transmitted += sent;
    output->ledger->transmitted += sent;
    return sent;
}

static void advance(struct spill_output *output, uint32_t count)
{
    uint32_t i;

    for (i = 0; output->others > 0 && i < count; i++)
        output->others -= output->from_other[(output->first + i) % SPILL_BACKLOG];
    output->first = (output->first + count) % SPILL_BACKLOG;
    output->waiting -= count;
    output->refused = 0;
    output->asked = 0;
}

/* Transmits up to a burst from the backlog's front. Returns whether the device took all of it. */
static bool transmit_front(struct spill_output *output)
{
    uint32_t count = RTE_MIN(output->waiting, RTE_MIN(SPILL_BURST, SPILL_BACKLOG - output->first));
    uint32_t sent = offer(output, &output->backlog[output->first], count);

    output->retried += count - sent;
    if (sent > 0)
        advance(output, sent);
    return sent == count;
}

/* ------------------------------------------------------------------- why a device refuses */

static void drop_front(struct spill_output *output, uint32_t count,
                       const struct spill_drop_reason *reason)
{
    uint32_t i;

    for (i = 0; i < count; i++)
        spill_ledger_drop(output->ledger, reason,
                          &output->backlog[(output->first + i) % SPILL_BACKLOG], 1);
    advance(output, count);
}

/* Whether the driver says of the first packet that it is not for it. */
static bool is_unfit(const struct spill_output *output)
{
    struct rte_mbuf *first = output->backlog[output->first];

    rte_errno = 0;
    return rte_eth_tx_prepare(output->port, output->queue, &first, 1) == 0 &&
           (rte_errno == EINVAL || rte_errno == ENOTSUP);
}

/* Whether the driver says that its queue has room for the first packet. */
static bool has_descriptors(const struct spill_output *output)
{
    return rte_eth_tx_descriptor_status(output->port, output->queue,
                                        output->backlog[output->first]->nb_segs) ==
           RTE_ETH_TX_DESC_DONE;
}

/*
 * Offers a packet behind the first, which was refused just now; each time the next one. When it is
 * taken, the queue has room, and those before it will never be taken. One alone: a device that
 * takes nothing may begin again at any time, and must not be seen doing so in between.
 */
static void offer_another(struct spill_output *output)
{
    uint32_t others = RTE_MIN(output->waiting, (uint32_t)SPILL_BURST) - 1;
    uint32_t index = 1 + output->asked++ % others;

    if (offer(output, &output->backlog[(output->first + index) % SPILL_BACKLOG], 1) == 0)
        return;
    drop_front(output, index, &tx_refused);
    advance(output, 1);
}

/* The device has refused the backlog's first packet: it waits, or is found to be of no use. */
static void ask_why(struct spill_output *output, uint64_t now)
{
    if (output->refused == 0) {
        output->refused = now;
        if (is_unfit(output))
            drop_front(output, 1, &tx_refused);
    } else if (now > output->refused + output->patience && has_descriptors(output)) {
        drop_front(output, 1, &tx_refused);
    } else if (now > output->refused + output->patience && output->waiting > 1) {
        output->refused = now;
        offer_another(output);
    } else if (now > output->refused + ALONE * output->patience) {
        drop_front(output, 1, &tx_refused);
    }
}

uint32_t spill_output_retry(struct spill_output *output, uint64_t now)
{
    uint32_t waiting = output->waiting, before;

    if (unlikely(output->link != NULL && spill_links_get(output->link).lost))
        drop_front(output, waiting, &spill_drop_tx_link_down);
    while (output->waiting > 0) {
        before = output->waiting;
        if (transmit_front(output))
            continue;
        if (output->waiting == before)
            ask_why(output, now);
        if (output->waiting == before)
            break;
    }
    return waiting - output->waiting;
}

uint32_t spill_output_serve_others(struct spill_output *output, uint64_t now)
{
    uint32_t most = SPILL_BACKLOG - spill_output_own_room(output);
    uint32_t waiting = rte_ring_count(output->channel->ring), handled = 0, count;
    struct rte_mbuf *mbufs[SPILL_BURST];

    while (handled < waiting && output->others < most) {
        count = RTE_MIN(RTE_MIN(waiting - handled, most - output->others), (uint32_t)SPILL_BURST);
        count = spill_channel_receive(output->channel, mbufs, count);
        if (count == 0)
            break;
        /* A device may free what it transmits, stamps and all: the backlog is where they are read.
         */
        append(output, mbufs, count, true);
        handled += count;
        spill_output_retry(output, now);
    }
    return handled;
}

static const struct spill_metric rows[] = {
    SPILL_METRIC(COUNTER, "tx_packets", struct spill_output, transmitted, "packets",
                 "transmitted to the device, by spillway's count"),
    SPILL_METRIC(COUNTER, "tx_retried", struct spill_output, retried, "packets",
                 "that the device did not take when they were offered, counted at each try"),
};
const struct spill_metrics spill_output_metrics = SPILL_METRICS(rows);

static const struct spill_metric latency_rows[] = {
    SPILL_METRIC_COUNTED("fast", struct spill_latency, paths[SPILL_PATH_FAST],
                         "receive to transmit, of packets that waited in no lane"),
    SPILL_METRIC_COUNTED("pool", struct spill_latency, paths[SPILL_PATH_POOL],
                         "receive to transmit, of packets that waited in a lane"),
};
const struct spill_metrics spill_latency_metrics = SPILL_METRICS(latency_rows);
