/* SPDX-License-Identifier: BSD-3-Clause */
/* What fast lcores tell of packets that want SAs: daemons are asked for them. */
#include "program.h"
#include "xfrm/acquire.h"
#include "xfrm/hello.h"
#include "xfrm/server_parts.h"

#define AT_ONCE 32

static void ask(struct spill_xfrm *server, const struct spill_acquisition_need *want,
                const struct spill_xfrm_time *time)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[SPILL_XFRM_ANSWER_MAX];
    struct nlmsghdr *message =
        spill_xfrm_acquire(&server->state, want, time, buffer, sizeof(buffer));

    /* Who comes later is asked as soon as the packets that wait are told of again. */
    if (message != NULL && spill_xfrm_publish(server, XFRMNLGRP_ACQUIRE, message) == 0)
        spill_xfrm_acquire_unheard(&server->state);
}

/* As many as a ring has at most: lcores that go on adding hold nobody up. */
static void take(struct spill_xfrm *server, struct spill_acquisition *acquisition,
                 const struct spill_xfrm_time *time)
{
    struct spill_acquisition_need needs[AT_ONCE];
    uint32_t taken = 0, count, i;

    do {
        count = spill_acquisition_take_needs(acquisition, needs, AT_ONCE);
        for (i = 0; i < count; i++)
            ask(server, &needs[i], time);
        taken += count;
    } while (count == AT_ONCE && taken < SPILL_ACQUISITION_NEEDS);
}

void spill_xfrm_listener_left(struct spill_xfrm *server)
{
    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++) {
        if (server->clients[i].descriptor >= 0 &&
            (server->clients[i].groups >> (XFRMNLGRP_ACQUIRE - 1) & 1) != 0)
            return;
    }
    server->state.acquires.count = 0;
}

void spill_xfrm_heed_needs(struct spill_xfrm *server, const struct spill_xfrm_time *time)
{
    struct spill_pipeline *pipeline = server->program->pipeline;

    spill_xfrm_acquire_expire(&server->state, time);
    for (uint32_t i = 1; pipeline != NULL && i < pipeline->config.plan->lcore_count; i++) {
        struct spill_fast *fast = pipeline->lcores[i].fast;

        if (fast != NULL && fast->acquisition.needs != NULL)
            take(server, &fast->acquisition, time);
    }
}
