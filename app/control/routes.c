/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes of routes on their way to the lcores. */
#include "program.h"

/* Until lcores have passed a quiescent state: most do within microseconds. */
#define SOON_NS UINT64_C(1000000)

static void go_on(void *context)
{
    spill_program_routes_changed(context);
}

void spill_program_routes_changed(struct spill_program *program)
{
    if (spill_router_work(program->router))
        spill_events_after(&program->events, &program->routing, SOON_NS, go_on, program);
}

void spill_program_route_link(struct spill_program *program, uint32_t port, bool up)
{
    const struct spill_options *options = &program->options;
    uint32_t i;

    for (i = 0; i < options->interface_count; i++) {
        if (options->interfaces[i].routed && options->interfaces[i].port == port)
            spill_router_set_link(program->router, program->interfaces[i], SPILL_LINK_OF_PORT, up);
    }
}
