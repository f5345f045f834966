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
    uint16_t port;                 /* its id; as the next two of a queue alone */
    uint16_t index;                /* in the plan */
    uint16_t queue;
    bool closed;       /* nothing is taken from it: its port leaves, or is not there yet */
    bool handed;       /* by the lcore that found whose they are: fragments have been dealt with */
    bool can_wait;     /* from captures: read only while there is room, so that nothing is lost */
    uint64_t received; /* packets; written by the lcore */
};

/** The lcore. */
static inline bool spill_input_closed(const struct spill_input *input)
{
    return __atomic_load_n(&input->closed, __ATOMIC_ACQUIRE);
}

/** What is told of inputs, added up over a port's. */
extern const struct spill_metrics spill_input_metrics;

/** A fast lcore's. Written by the lcore, but for what is written before it starts, and for the
 * inputs, which the control thread adds, opens and closes while the lcore runs (plug.h): their
 * count last, so that the lcore sees whole inputs. */
struct spill_receive {
    const struct spill_token *stop; /* before */
    uint64_t last_turn;             /* TSC when it last began */
    uint32_t input_count;           /* control */
    uint32_t next_input;            /* that is served next */
    bool ended;                     /* nothing more will be received */
    bool has_time;                  /* the stage found a short burst when it last ran, or none */
    struct spill_input inputs[SPILL_INPUTS_MAX]; /* control, but for what they count */
    uint8_t zones[RTE_MAX_ETHPORTS]; /* number of a port's wire, part of the flow key; by id;
                                      * control, before the port's inputs are open */
};

/** Any thread. */
static inline uint32_t spill_receive_count(const struct spill_receive *receive)
{
    return __atomic_load_n(&receive->input_count, __ATOMIC_ACQUIRE);
}

/** Adds the stage to a loop. Control thread. */
void spill_receive_add_stage(struct spill_fast *fast, struct spill_loop *loop);

#endif
