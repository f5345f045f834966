/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TRANSMIT_H
#define SPILLWAY_TRANSMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/output.h"
#include "runtime/channel.h"
#include "runtime/loop.h"
#include "runtime/token.h"

/**
 * @file
 * The transmit stage: an lcore's outputs, with the backlogs it tries again, and the channels over
 * which other lcores send to the queues that it owns.
 *
 * A channel is read as long as the device, and the others' part of the backlog behind it, take what
 * comes out of it: then it waits in the channel, and its senders see it full.
 *
 * Touches no packet but its mbuf.
 */

#define SPILL_OUTPUTS_MAX 64

/** Written by the control thread (plug.h): the count last, so that an lcore sees whole outputs. */
struct spill_transmitter {
    uint32_t output_count;
    struct spill_output *outputs[SPILL_OUTPUTS_MAX]; /* on the lcore's node */
};

/** Any thread. */
static inline uint32_t spill_transmitter_count(const struct spill_transmitter *transmitter)
{
    return __atomic_load_n(&transmitter->output_count, __ATOMIC_ACQUIRE);
}

/** A tx lcore: nothing but a transmitter with accounts of its own. */
struct spill_transmit {
    struct spill_transmitter transmitter;
    struct spill_ledger ledger;
    struct spill_latency latency;
} __rte_cache_aligned;

/** One turn of the stage. @return packets handled */
uint32_t spill_transmitter_poll(void *transmitter, uint64_t now);

/** Whether all channels have ended and all backlogs are empty. */
bool spill_transmitter_end(void *transmitter);

/** Sends nothing more into other lcores' channels. The lcore, after its last send. */
void spill_transmitter_leave(struct spill_transmitter *transmitter);

/** Adds the stage to a loop. Control thread. */
void spill_transmitter_add_stage(struct spill_transmitter *transmitter, struct spill_loop *loop);

#endif
