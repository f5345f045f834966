/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SPREAD_H
#define SPILLWAY_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>

#include "base/ledger.h"
#include "runtime/channel.h"
#include "runtime/loop.h"
#include "runtime/token.h"

/**
 * @file
 * The spread stage: receives from queues and hands each packet to the fast lcore that owns its
 * flow, chosen by a hash in software that both directions of a connection share; of fragments, the
 * one where those of the datagram meet (pipeline/handover.h).
 *
 * For devices with fewer queues than there are fast lcores, or without symmetric RSS. It runs on an
 * rx lcore, or beside the fast stages of a fast lcore. Packets are parsed here, once: what was
 * found goes along in the mbuf's private area. A packet that a fast lcore's channel refuses is
 * dropped as `rx_channel_full`.
 *
 * What was received has cost something already, so it is finished before more is received: queues
 * are served in turn, SPILL_TURN packets in each of the lcore's, and a fast lcore receives only
 * when its own channel is nearly empty, so that the devices drop what is too much. As it receives
 * for the others as well, who may have time, it takes that much in one of SPILL_SPREAD_PATIENCE
 * turns whatever waits.
 */

#define SPILL_SPREAD_PATIENCE 8

#define SPILL_SPREAD_QUEUES_MAX 64

struct spill_spread_queue {
    uint16_t port;  /* its id */
    uint16_t index; /* in the plan */
    uint16_t queue;
    bool closed;       /* as of struct spill_input */
    uint8_t zone;      /* of the port, as spill_parse_burst() wants it */
    bool routed;       /* the port is */
    bool can_wait;     /* a capture: read only while every channel has room for a burst */
    uint64_t received; /* packets; written by the lcore */
};

/** Written before the lcores start, but for what counts, which is its lcore's, and the queues,
 * which are added, opened and closed as a fast lcore's inputs are (receive.h). */
struct spill_spread {
    const struct spill_token *stop;
    uint32_t seed; /* of the hash; the same on every lcore that spreads */
    uint32_t queue_count;
    uint32_t fast_count;
    const struct spill_channel *own; /* of a fast lcore: its input; NULL on an rx lcore */
    uint32_t next;                   /* queue that is served next; written by the lcore */
    uint32_t waited;                 /* turns without receiving; likewise */
    struct spill_spread_queue queues[SPILL_SPREAD_QUEUES_MAX];
    struct spill_sender *senders[RTE_MAX_LCORE]; /* by index of the fast lcore */
    struct spill_ledger ledger;
} __rte_cache_aligned;

/** Adds the stage to a loop. Control thread. */
void spill_spread_add_stage(struct spill_spread *spread, struct spill_loop *loop);

#endif
