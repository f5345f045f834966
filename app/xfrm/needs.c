/* SPDX-License-Identifier: BSD-3-Clause */
/* What fast lcores tell of packets that want SAs: daemons are asked for them. */
#include "program.h"
#include "xfrm/acquire.h"
#include "xfrm/hello.h"
#include "xfrm/server_parts.h"

#define AT_ONCE 32

/* Traps that want nothing, or whom nobody hears: of those no further packet is looked at in a tick.
 */
struct idle {
    uint64_t traps[(UINT16_MAX + 1) / 64];
};

static void ask(struct spill_xfrm *server, const struct spill_acquisition_need *want,
                const struct spill_xfrm_time *time, struct idle *idle)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[SPILL_XFRM_ANSWER_MAX];
    uint64_t *const traps = &idle->traps[want->trap / 64];
    const uint64_t trap = UINT64_C(1) << want->trap % 64;
    struct nlmsghdr *message;

    if ((*traps & trap) != 0 || spill_xfrm_acquire_asked(&server->state, want))
        return;
    message = spill_xfrm_acquire(&server->state, want, time, buffer, sizeof(buffer));
    if (message != NULL && spill_xfrm_publish(server, XFRMNLGRP_ACQUIRE, message) > 0)
        return;
    /* Who comes later is asked as soon as the packets that wait are told of again. */
    if (message != NULL)
        spill_xfrm_acquire_unheard(&server->state, message);
    *traps |= trap;
}

/* As many as a ring has at most: lcores that go on adding hold nobody up. */
static void take(struct spill_xfrm *server, struct spill_acquisition *acquisition,
                 const struct spill_xfrm_time *time, struct idle *idle)
{
    struct spill_acquisition_need needs[AT_ONCE];
    uint32_t taken = 0, count, i;

    do {
        count = spill_acquisition_take_needs(acquisition, needs, AT_ONCE);
        for (i = 0; i < count; i++)
            ask(server, &needs[i], time, idle);
        taken += count;
    } while (count == AT_ONCE && taken < SPILL_ACQUISITION_NEEDS);
}

void spill_xfrm_listener_left(struct spill_xfrm *server)
{
    server->state.acquires.count = 0;
}

void spill_xfrm_heed_needs(struct spill_xfrm *server, const struct spill_xfrm_time *time)
{
    struct spill_pipeline *pipeline = server->program->pipeline;
    struct idle idle = {0};

    for (uint32_t i = 1; pipeline != NULL && i < pipeline->config.plan->lcore_count; i++) {
        struct spill_fast *fast = pipeline->lcores[i].fast;

        if (fast != NULL && fast->acquisition.needs != NULL)
            take(server, &fast->acquisition, time, &idle);
    }
}
