/* SPDX-License-Identifier: BSD-3-Clause */
/* An lcore's way to a port: a transmit queue of its own with a backlog, or the owner's channel. */

#include "pipeline/output.h"
#include "packet/packet.h"
#include "runtime/clock.h"
#include "runtime/stamp.h"

static SPILL_DROP_REASON(tx_full, "tx_full",
                         "the device did not take the packet, and the backlog was full");
static SPILL_DROP_REASON(tx_channel_full, "tx_channel_full",
                         "the channel to the transmit queue's owner was full");
static SPILL_DROP_REASON(tx_too_many_segments, "tx_too_many_segments",
                         "the device takes one segment a packet, and this one has more");

void spill_output_mark(struct rte_mbuf **mbufs, uint32_t count, uint64_t stamp, enum spill_way way)
{
    uint32_t i;

    /* The lowest bit carries the way: a cycle of latency is no loss. */
    for (i = 0; i < count; i++)
        spill_stamp_set(mbufs[i], (stamp & ~UINT64_C(1)) | (way == SPILL_WAY_POOL));
}

static void record(struct spill_output *output, uint64_t now, uint64_t stamp, enum spill_way way,
                   uint32_t count)
{
    /* The stamp may be another lcore's, whose TSC may be ahead by a few cycles. */
    spill_histogram_record(&output->latency->ways[way], now > stamp ? now - stamp : 0, count);
}

/* Makes each packet one segment where the device needs that. Returns how many are left. */
static uint32_t linearize(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t kept = 0, i;

    for (i = 0; i < count; i++) {
        if (rte_pktmbuf_linearize(mbufs[i]) == 0)
            mbufs[kept++] = mbufs[i];
        else
            spill_ledger_drop(output->ledger, &tx_too_many_segments, &mbufs[i], 1);
    }
    return kept;
}

/* Appends marked packets to the backlog, and drops what does not fit. */
static void keep(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t room = SPILL_BACKLOG - output->waiting;
    uint32_t kept = RTE_MIN(room, count), i;

    for (i = 0; i < kept; i++)
        output->backlog[(output->first + output->waiting + i) % SPILL_BACKLOG] = mbufs[i];
    output->waiting += kept;
    if (kept < count)
        spill_ledger_drop(output->ledger, &tx_full, mbufs + kept, count - kept);
}

static void send_to_channel(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count)
{
    uint32_t sent = spill_channel_send(output->sender, mbufs, count);

    if (sent < count)
        spill_ledger_drop(output->ledger, &tx_channel_full, mbufs + sent, count - sent);
}

void spill_output_send(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count,
                       uint64_t stamp, enum spill_way way)
{
    uint32_t sent = 0;

    if (count == 0)
        return;
    if (output->sender != NULL) {
        spill_output_mark(mbufs, count, stamp, way);
        send_to_channel(output, mbufs, count);
        return;
    }
    if (unlikely(output->linearize))
        count = linearize(output, mbufs, count);
    if (likely(output->waiting == 0)) {
        sent = rte_eth_tx_burst(output->port, output->queue, mbufs, (uint16_t)count);
        output->transmitted += sent;
        output->ledger->transmitted += sent;
        if (likely(sent > 0))
            record(output, spill_clock(), stamp, way, sent);
    }
    if (unlikely(sent < count)) {
        output->retried += count - sent;
        spill_output_mark(mbufs + sent, count - sent, stamp, way);
        keep(output, mbufs + sent, count - sent);
    }
}

void spill_output_forward(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count)
{
    if (unlikely(output->linearize))
        count = linearize(output, mbufs, count);
    /* A device may free what it transmits, stamps and all: the backlog is where they are read. */
    keep(output, mbufs, count);
    spill_output_retry(output);
}

/* Transmits up to a burst from the backlog's front. Returns whether the device took all of it. */
static bool transmit_front(struct spill_output *output)
{
    struct rte_mbuf **next = &output->backlog[output->first];
    uint32_t count = RTE_MIN(output->waiting, RTE_MIN(SPILL_BURST, SPILL_BACKLOG - output->first));
    uint64_t stamps[SPILL_BURST], now;
    uint32_t sent, i;

    /* Read before they are the device's, which may free them. */
    for (i = 0; i < count; i++)
        stamps[i] = spill_stamp_get(next[i]);
    sent = rte_eth_tx_burst(output->port, output->queue, next, (uint16_t)count);
    now = spill_clock();
    for (i = 0; i < sent; i++)
        record(output, now, stamps[i], (stamps[i] & 1) != 0 ? SPILL_WAY_POOL : SPILL_WAY_FAST, 1);
    output->transmitted += sent;
    output->ledger->transmitted += sent;
    output->retried += count - sent;
    output->first = (output->first + sent) % SPILL_BACKLOG;
    output->waiting -= sent;
    return sent == count;
}

uint32_t spill_output_retry(struct spill_output *output)
{
    uint32_t waiting = output->waiting;

    while (output->waiting > 0 && transmit_front(output))
        ;
    return waiting - output->waiting;
}
