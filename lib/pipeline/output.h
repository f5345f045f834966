/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_OUTPUT_H
#define SPILLWAY_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/histogram.h"
#include "base/ledger.h"
#include "packet/packet.h"
#include "pipeline/links.h"
#include "runtime/channel.h"

/**
 * @file
 * Output: one lcore's way to a port. Either the lcore owns a transmit queue, or it sends to the
 * channel of the lcore that does.
 *
 * What a queue's device does not take at once waits in a backlog, in order, and is tried again each
 * loop; what the backlog can't hold is dropped as `tx_full`. What a channel does not take is
 * dropped as `tx_channel_full`. Written by the owning lcore; the control thread reads the counters.
 *
 * "Not now" and "never" are told apart (law 10), so that no packet blocks those behind it. Packets
 * come through the exit (exit.h), which lets none pass that the device is known not to take. For
 * what is not known the device is asked why it refuses the backlog's first packet: it says so when
 * it is to prepare it, or has an empty queue, or takes one of those behind it. Then it will never
 * take the first, which is dropped as `tx_refused`. A device that takes nothing is waited for, but
 * not one whose kernel's interface is known to be down or gone (links.h): what is in the backlog
 * then is dropped as `tx_link_down`.
 */

#define SPILL_BACKLOG 256 /* packets; a power of two */

/** Which way a packet took: its latency counts there. */
enum spill_path {
    SPILL_PATH_FAST, /* never left its fast lcore, but for channels */
    SPILL_PATH_POOL, /* waited in a lane of the pool */
    SPILL_PATHS,
};

/** Receive to transmit within the program, cycles, by way. One for each lcore that transmits. */
struct spill_latency {
    struct spill_histogram paths[SPILL_PATHS];
    /* Packets of one way and time that were sent, and are recorded by the clock that the turn reads
     * next anyway. */
    uint64_t sent;
    uint64_t stamp; /* TSC when they were received */
    enum spill_path path;
};

/** Records what was sent. The lcore, once a turn behind all that sends. @param now  TSC */
void spill_latency_settle(struct spill_latency *latency, uint64_t now);

struct spill_output {
    /* Written before the lcores start: */
    struct spill_sender *sender;   /* NULL: the queue is ours */
    struct spill_channel *channel; /* of our queue: what others send to it; NULL: they don't */
    const struct spill_link *link; /* of the port; NULL: never lost */
    uint16_t port;                 /* its id */
    uint16_t index;                /* in the plan */
    uint16_t queue;
    uint64_t patience; /* cycles until a device that refuses a packet is asked why */
    struct spill_ledger *ledger;
    struct spill_latency *latency;
    /* Written by the owner: */
    uint64_t transmitted; /* packets that the device took */
    uint64_t retried;     /* packets that the device did not take at the first try */
    uint32_t first;       /* of the backlog; index modulo SPILL_BACKLOG */
    uint32_t waiting;     /* packets in the backlog */
    uint32_t others;      /* of those: what came over the channel */
    uint64_t refused;     /* TSC from which on the device refused the first; 0 = it did not */
    uint32_t asked;       /* packets behind the first that it has refused meanwhile */
    struct rte_mbuf *backlog[SPILL_BACKLOG];
    bool from_other[SPILL_BACKLOG]; /* it came over the channel */
} __rte_cache_aligned;

/** What is told of outputs, added up over those to one port; and of struct spill_latency. */
extern const struct spill_metrics spill_output_metrics;
extern const struct spill_metrics spill_latency_metrics;

/**
 * Packets that an owner keeps of its own. The backlog of a queue that others send to is shared out:
 * as much for each of them as for the owner, who has no more of the device than that while they
 * have something to send.
 */
static inline uint32_t spill_output_own_room(const struct spill_output *output)
{
    if (output->channel == NULL)
        return SPILL_BACKLOG;
    return RTE_MAX(SPILL_BACKLOG / (output->channel->sender_count + 1), (uint32_t)SPILL_BURST);
}

/**
 * Sends packets to the port, in order, after those in the backlog. The owner; never blocks.
 *
 * @param mbufs  given away: each is transmitted, waits in the backlog, is the channel's, or dropped
 * @param stamp  TSC when they were received
 */
void spill_output_send(struct spill_output *output, struct rte_mbuf **mbufs, uint32_t count,
                       uint64_t stamp, enum spill_path path);

/**
 * Takes what others sent to the queue, and transmits, as long as the device and the others' part of
 * the backlog take it, at most what waited when the call began. The queue's owner, once a loop.
 *
 * @param now  TSC
 * @return packets taken from the channel
 */
uint32_t spill_output_serve_others(struct spill_output *output, uint64_t now);

/**
 * Whether a burst more, and `jobs` bursts that are at the pool, would surely be taken, whatever the
 * device does. The owner.
 */
static inline bool spill_output_has_room(const struct spill_output *output, uint32_t jobs)
{
    uint32_t packets = (jobs + 1) * SPILL_BURST;

    if (output->sender == NULL)
        return output->waiting == 0 && packets <= spill_output_own_room(output);
    /* Where others send too, what is at the pool can't count on room that was there once. */
    if (output->sender->channel->sender_count > 1 && jobs > 0)
        return false;
    return spill_sender_has_room(output->sender, packets);
}

/**
 * Tries again to transmit the backlog, as far as the device takes it, and drops what it will never
 * take. The owner, once a loop.
 *
 * @param now  TSC
 * @return packets that are gone from the backlog
 */
uint32_t spill_output_retry(struct spill_output *output, uint64_t now);

/** Writes receive time and way into packets that leave this lcore. Their holder. */
void spill_output_mark(struct rte_mbuf **mbufs, uint32_t count, uint64_t stamp,
                       enum spill_path path);

#endif
