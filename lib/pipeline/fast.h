/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FAST_H
#define SPILLWAY_FAST_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>

#include "classify/flow_table.h"
#include "packet/packet.h"
#include "pipeline/output.h"
#include "pipeline/transmit.h"
#include "runtime/channel.h"
#include "runtime/ledger.h"
#include "runtime/loop.h"
#include "runtime/submitter.h"
#include "runtime/token.h"

/**
 * @file
 * A fast lcore: the way of a packet from receive to transmit, run to completion for whatever is
 * cheap.
 *
 *     receive -> parse -> flow lookup -> allow: output
 *                                     -> deny:  drop
 *                                     -> new, or waiting for its flow's verdict: classification
 *
 * Everything here is the lcore's own (law 6), written by the pipeline before the lcores start and
 * by the lcore afterwards.
 */

#define SPILL_INPUTS_MAX 64

/** Where packets come from: a receive queue of the lcore's own, or a channel of spread packets. */
struct spill_input {
    struct spill_channel *channel; /* NULL: the queue below */
    uint16_t port;
    uint16_t queue;
    bool can_wait;     /* from captures: read only while there is room, so that nothing is lost */
    uint64_t received; /* packets; written by the lcore */
};

/** Where packets of one port go: the other end of its wire. */
struct spill_path {
    struct spill_output *output;
    uint8_t network; /* number of the wire, part of the flow key */
};

/** What becomes of a packet whose flow is new when the classify class has no credit. */
enum spill_overflow {
    SPILL_OVERFLOW_DROP,   /* drop it, as pool_full_classify */
    SPILL_OVERFLOW_INLINE, /* classify it here, over the budget if need be */
    SPILL_OVERFLOW_ALLOW,  /* let it pass, and forget it */
};

struct spill_fast {
    /* Written before the lcores start: */
    const struct spill_token *stop;
    uint32_t input_count;
    struct spill_input inputs[SPILL_INPUTS_MAX];
    struct spill_path paths[RTE_MAX_ETHPORTS]; /* by id of the port a packet came from */
    struct spill_transmitter transmitter;      /* its outputs, and queues that others send to */
    struct spill_flow_table *flows;
    struct spill_submitter *submitter;
    bool non_ip_pass;
    enum spill_overflow overflow;
    int64_t admission_most; /* cycles that can be saved up for new flows */
    /* Written by the lcore: */
    uint32_t lane;      /* that this burst's new flows go to, when they go to the pool */
    uint32_t turns;     /* iterations, for what is done now and then */
    bool receive_ended; /* nothing more will be received */
    bool has_time;      /* the receive stage found a short burst when it last ran, or none */
    uint64_t last_turn; /* TSC when it last began */
    int64_t
        admission; /* cycles that new flows may still cost, below 0 = owed; see classification.h */
    struct spill_ledger ledger;
    struct spill_latency latency;
} __rte_cache_aligned;

/** Adds a fast lcore's stages to its loop. Control thread. */
void spill_fast_add_stages(struct spill_fast *fast, struct spill_loop *loop);

/**
 * Sends packets of one burst or job to where each one's path leads. The lcore.
 *
 * @param mbufs   given away
 * @param inputs  port that each came from
 */
void spill_fast_send(struct spill_fast *fast, struct rte_mbuf **mbufs, const uint8_t *inputs,
                     uint32_t count, uint64_t stamp, enum spill_way way);

#endif
