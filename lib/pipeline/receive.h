/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RECEIVE_H
#define SPILLWAY_RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>

#include "base/metrics.h"
#include "runtime/channel.h"
#include "runtime/loop.h"
#include "runtime/token.h"

/**
 * @file
 * The receive stage of a fast lcore: bursts from its inputs, parsed; whatever is cheap is done to
 * its end.
 *
 * Sets all of a packet that parsing sets, and input. Uses: kind, esp, fragment, step, to know which
 * bursts need more than a lookup.
 */

#define SPILL_INPUTS_MAX 64

struct spill_fast;

/** Where packets come from: a receive queue of the lcore's own, or a channel from other lcores. */
struct spill_input {
    struct spill_channel *channel; /* NULL: the queue below */
    uint16_t port;
    uint16_t queue;
    bool handed;       /* by the lcore that found whose they are: fragments have been dealt with */
    bool can_wait;     /* from captures: read only while there is room, so that nothing is lost */
    uint64_t received; /* packets; written by the lcore */
};

/** What is told of inputs, added up over a port's. */
extern const struct spill_metrics spill_input_metrics;

/** A fast lcore's. Written by the lcore, but for what is written before it starts. */
struct spill_receive {
    const struct spill_token *stop; /* before */
    uint64_t last_turn;             /* TSC when it last began */
    uint32_t input_count;           /* before */
    uint32_t next_input;            /* that is served next */
    bool ended;                     /* nothing more will be received */
    bool has_time;                  /* the stage found a short burst when it last ran, or none */
    struct spill_input inputs[SPILL_INPUTS_MAX]; /* before, but for what they count */
    uint8_t zones[RTE_MAX_ETHPORTS]; /* number of a port's wire, part of the flow key; by id;
                                           before */
};

/** Adds the stage to a loop. Control thread. */
void spill_receive_add_stage(struct spill_fast *fast, struct spill_loop *loop);

#endif
