/* SPDX-License-Identifier: BSD-3-Clause */
/* The transmit stage: backlogs, and channels to the queues that an lcore owns. */
#include "pipeline/transmit.h"
#include "packet/packet.h"

static uint32_t poll_channel(const struct spill_transmit_channel *from, uint64_t now)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    uint32_t count;

    if (SPILL_BACKLOG - from->output->waiting < SPILL_BURST)
        return 0;
    count = spill_channel_receive(from->channel, mbufs, SPILL_BURST);
    if (count > 0)
        spill_output_forward(from->output, mbufs, count, now);
    return count;
}

uint32_t spill_transmitter_poll(void *context, uint64_t now)
{
    struct spill_transmitter *transmitter = context;
    uint32_t handled = 0, i;

    for (i = 0; i < transmitter->output_count; i++) {
        if (transmitter->outputs[i].waiting > 0)
            handled += spill_output_retry(&transmitter->outputs[i], now);
    }
    for (i = 0; i < transmitter->channel_count; i++)
        handled += poll_channel(&transmitter->channels[i], now);
    return handled;
}

bool spill_transmitter_end(void *context)
{
    struct spill_transmitter *transmitter = context;
    uint32_t i;

    for (i = 0; i < transmitter->channel_count; i++) {
        if (!spill_channel_ended(transmitter->channels[i].channel))
            return false;
    }
    for (i = 0; i < transmitter->output_count; i++) {
        if (transmitter->outputs[i].waiting > 0)
            return false;
    }
    return true;
}

void spill_transmitter_leave(struct spill_transmitter *transmitter)
{
    uint32_t i;

    for (i = 0; i < transmitter->output_count; i++) {
        if (transmitter->outputs[i].sender != NULL)
            spill_sender_leave(transmitter->outputs[i].sender);
    }
}

void spill_transmitter_add_stage(struct spill_transmitter *transmitter, struct spill_loop *loop)
{
    struct spill_stage stage = {
        .name = "transmit",
        .poll = spill_transmitter_poll,
        .end = spill_transmitter_end,
        .context = transmitter,
    };

    spill_loop_add(loop, &stage);
}
