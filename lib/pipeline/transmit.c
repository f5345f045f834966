/* SPDX-License-Identifier: BSD-3-Clause */
/* The transmit stage: backlogs, and channels to the queues that an lcore owns. */
#include "pipeline/transmit.h"
#include "packet/packet.h"

uint32_t spill_transmitter_poll(void *context, uint64_t now)
{
    struct spill_transmitter *transmitter = context;
    const uint32_t count = spill_transmitter_count(transmitter);
    uint32_t handled = 0, i;

    if (count > 0)
        spill_latency_settle(transmitter->outputs[0]->latency, now); /* all have the same */
    for (i = 0; i < count; i++) {
        struct spill_output *output = transmitter->outputs[i];

        if (output->waiting > 0)
            handled += spill_output_retry(output, now);
        if (output->channel != NULL)
            handled += spill_output_serve_others(output, now);
    }
    return handled;
}

bool spill_transmitter_end(void *context)
{
    struct spill_transmitter *transmitter = context;
    uint32_t i;

    for (i = 0; i < spill_transmitter_count(transmitter); i++) {
        const struct spill_output *output = transmitter->outputs[i];

        if (output->waiting > 0 ||
            (output->channel != NULL && !spill_channel_ended(output->channel)))
            return false;
    }
    return true;
}

void spill_transmitter_leave(struct spill_transmitter *transmitter)
{
    uint32_t i;

    for (i = 0; i < spill_transmitter_count(transmitter); i++) {
        if (transmitter->outputs[i]->sender != NULL)
            spill_sender_leave(transmitter->outputs[i]->sender);
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
