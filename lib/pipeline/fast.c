/* SPDX-License-Identifier: BSD-3-Clause */
/* The stages of a fast lcore in their order; and that of retiring, which is of all classes. */
#include "pipeline/fast.h"

#include "pipeline/waiting.h"

static uint32_t retire_poll(void *context, uint64_t now)
{
    struct spill_fast *fast = context;

    spill_fast_take_version(fast, now);
    spill_exits_look(&fast->exits);
    spill_version_look(&fast->version, fast->flows);
    if (unlikely(fast->routing.waiting != NULL && fast->routing.waiting->count > 0))
        spill_waiting_look(fast, now);
    return spill_forward_answers(fast, now) + spill_submitter_retire(fast->submitter, now);
}

/* Once nothing is received and the lanes are empty, nothing more goes to the pool or downstream. */
static bool retire_end(void *context)
{
    struct spill_fast *fast = context;

    if (!fast->receive.ended || !spill_submitter_idle(fast->submitter) || fast->answers.count > 0)
        return false;
    /* What the host sends may be encrypted. */
    if (fast->routing.from_host != NULL && !spill_channel_ended(fast->routing.from_host))
        return false;
    spill_datagrams_drop_all(fast->datagrams, NULL, &fast->ledger); /* that came through an SA */
    if (fast->routing.waiting != NULL)
        spill_waiting_drop_all(fast->routing.waiting, &fast->ledger,
                               &spill_drop_neighbor_unresolved);
    spill_acquisition_drop_all(&fast->acquisition, &fast->ledger, NULL);
    spill_submitter_leave(fast->submitter);
    spill_transmitter_leave(&fast->transmitter);
    return true;
}

void spill_fast_add_stages(struct spill_fast *fast, struct spill_loop *loop)
{
    struct spill_stage retire_stage = {
        .name = "retire", .poll = retire_poll, .end = retire_end, .context = fast};

    /* What the pool has finished first: its verdicts spare the packets behind it the lane. */
    spill_loop_add(loop, &retire_stage);
    spill_receive_add_stage(fast, loop);
    spill_transmitter_add_stage(&fast->transmitter, loop);
}
