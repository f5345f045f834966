/* SPDX-License-Identifier: BSD-3-Clause */
/* Twins of routed ports, and what is done for the router by what the kernel knows. */
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "control/log.h"
#include "mirror/mirror.h"
#include "mirror/netlink.h"
#include "mirror/requests.h"
#include "mirror/router_sink.h"
#include "pipeline/host.h"
#include "program.h"

/* Between two looks at what the router has to do, and lcores need; less while there is more. */
#define LOOK_NS UINT64_C(5000000)
#define MORE_NS UINT64_C(500000)
/* Between two looks at which neighbours are used: the kernel takes one for stale after 15 s. */
#define KEEP_NS UINT64_C(5000000000)

/** What follows the kernel. */
struct spill_kernel_side {
    struct spill_mirror mirror;
    struct spill_mirror_sink sink;
    struct mnl_socket *requests;
    struct spill_event look, keep;
    bool up[SPILL_ROUTER_INTERFACES_MAX]; /* twins, by index in the options, at the last look */
};

/* --------------------------------------------------------------------------- the twins */

static uint16_t data_room(const struct spill_program *program)
{
    uint32_t mtu = 0;

    for (uint32_t i = 0; i < program->port_count; i++)
        mtu = RTE_MAX(mtu, program->ports[i].mtu);
    return (uint16_t)(RTE_PKTMBUF_HEADROOM + RTE_MIN(RTE_MAX(mtu + 64, 2048U), 16000U));
}

static int open_twin(struct spill_program *program, uint32_t index, struct spill_host_twin *twins,
                     struct spill_error *error)
{
    const struct spill_option_interface *option = &program->options.interfaces[index];
    const struct spill_port *port = &program->ports[option->port];
    struct spill_host_twin *twin = &twins[program->interfaces[index]];

    twin->port = port->id;
    twin->vlan = option->vlan;
    return spill_twin_open(&twin->twin, option->twin, &port->address, port->mtu, error);
}

static int open_all(struct spill_program *program, struct spill_host_twin *twins,
                    struct spill_error *error)
{
    const struct spill_options *options = &program->options;

    for (uint32_t i = 0; i < options->interface_count; i++) {
        if (options->interfaces[i].routed && open_twin(program, i, twins, error) != 0)
            return -1;
    }
    return 0;
}

/* Where the options want them. */
static int open_there(struct spill_program *program, struct spill_host_twin *twins,
                      struct spill_error *error)
{
    int there = spill_netlink_namespace(program->options.router.name_space, error);
    int home = there < 0 ? -1 : spill_netlink_enter(there, error);
    int status = home < 0 ? -1 : open_all(program, twins, error);

    if (there >= 0)
        close(there);
    return home >= 0 && spill_netlink_return(home, error) != 0 ? -1 : status;
}

static void close_twins(struct spill_host_twin *twins, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        spill_twin_close(&twins[i].twin);
    rte_free(twins);
}

int spill_program_open_twins(struct spill_program *program, struct spill_error *error)
{
    const struct spill_options *options = &program->options;
    struct spill_host_twin *twins;
    uint32_t count, i;

    if (!spill_options_have_twins(options) || program->host != NULL)
        return 0;
    count = spill_router_interface_count(program->router);
    twins = rte_zmalloc("twins", count * sizeof(*twins), 0);
    if (twins == NULL)
        return spill_error_set(error, "no memory for twins");
    for (i = 0; i < count; i++)
        twins[i].twin.descriptor = -1;
    if (open_there(program, twins, error) == 0)
        program->host = spill_host_create(twins, count, program->plan.count[SPILL_ROLE_FAST],
                                          data_room(program), &program->stop, error);
    if (program->host == NULL)
        close_twins(twins, count);
    return program->host != NULL ? 0 : -1;
}

/* ------------------------------------------------------------- what the kernel is told */

static uint32_t link_of(const struct spill_program *program, uint32_t index)
{
    return program->host->twins[program->interfaces[index]].twin.index;
}

static int install_interface(struct spill_program *program, struct mnl_socket *requests,
                             uint32_t index, struct spill_error *error)
{
    const struct spill_option_interface *option = &program->options.interfaces[index];
    const uint32_t link = link_of(program, index);

    if (spill_request_link_up(requests, link, error) != 0)
        return -1;
    for (uint32_t i = 0; i < option->addresses.count; i++) {
        if (spill_request_address(requests, link, &option->addresses.list[i], error) != 0)
            return -1;
    }
    return 0;
}

static void make_route(const struct spill_program *program, const struct spill_option_route *option,
                       struct spill_kernel_route *route)
{
    memset(route, 0, sizeof(*route));
    route->prefix = option->prefix;
    route->action = (uint8_t)(option->via.count > 0 ? SPILL_ROUTE_FORWARD : option->action);
    route->count = option->via.count;
    for (uint32_t i = 0; i < option->via.count; i++)
        route->paths[i] =
            (struct spill_kernel_path){.link = link_of(program, option->via.list[i].index),
                                       .weight = option->via.list[i].weight,
                                       .gateway = option->via.list[i].gateway};
}

static int install(struct spill_program *program, struct mnl_socket *requests,
                   struct spill_error *error)
{
    const struct spill_options *options = &program->options;
    struct spill_kernel_route route;
    uint32_t i;

    for (i = 0; i < options->interface_count; i++) {
        if (options->interfaces[i].routed && install_interface(program, requests, i, error) != 0)
            return -1;
        program->kernel->up[i] = options->interfaces[i].routed;
    }
    for (i = 0; i < options->route_count; i++) {
        make_route(program, &options->routes[i], &route);
        if (spill_request_route(requests, program->options.router.table, &route, false, error) != 0)
            return -1;
    }
    return 0;
}

/* Those by twins go with them; the others would stay. */
static void remove_routes(struct spill_program *program, struct mnl_socket *requests)
{
    const struct spill_options *options = &program->options;
    struct spill_kernel_route route;

    for (uint32_t i = 0; i < options->route_count; i++) {
        make_route(program, &options->routes[i], &route);
        if (route.count == 0)
            spill_request_no_route(requests, program->options.router.table, &route);
    }
}

/* ------------------------------------------------------------------- while it runs */

/* Whether a twin has come up since the last look. */
static bool came_up(struct spill_program *program, uint32_t index)
{
    struct spill_kernel_side *side = program->kernel;
    const struct spill_mirror_link *link =
        spill_mirror_links_find(&side->mirror.links, link_of(program, index));
    const bool before = side->up[index];

    side->up[index] = link != NULL && link->state.enabled;
    return side->up[index] && !before;
}

/* The kernel takes no route by a twin that is down. */
static bool can_be_given(const struct spill_program *program,
                         const struct spill_option_route *option)
{
    for (uint32_t i = 0; i < option->via.count; i++) {
        if (!program->kernel->up[option->via.list[i].index])
            return false;
    }
    return option->via.count > 0;
}

/* A twin that is set down loses routes and IPv6 addresses in the kernel: it is given them again. */
static void give_again(struct spill_program *program)
{
    struct mnl_socket *requests = program->kernel->requests;
    const struct spill_options *options = &program->options;
    struct spill_kernel_route route;
    struct spill_error error;
    bool again = false;
    uint32_t i;

    for (i = 0; i < options->interface_count; i++) {
        if (!options->interfaces[i].routed || !came_up(program, i))
            continue;
        again = true;
        if (install_interface(program, requests, i, &error) != 0)
            SPILL_LOG(WARNING, "%s", error.text);
    }
    for (i = 0; again && i < options->route_count; i++) {
        if (!can_be_given(program, &options->routes[i]))
            continue;
        make_route(program, &options->routes[i], &route);
        if (spill_request_route(requests, options->router.table, &route, true, &error) != 0)
            SPILL_LOG(WARNING, "%s", error.text);
    }
}

static void look(void *context)
{
    struct spill_program *program = context;
    struct spill_kernel_side *side = program->kernel;
    const bool more = spill_router_work(program->router);
    struct spill_router_need need;

    give_again(program);
    while (spill_router_next_need(program->router, &need))
        spill_request_neighbor(side->requests, program->host->twins[need.interface].twin.index,
                               &need.address);
    spill_events_after(&program->events, &side->look, more ? MORE_NS : LOOK_NS, look, program);
}

/* The kernel sees nothing of what is forwarded, and would let go of neighbours that are in use. */
static void keep_neighbors(void *context)
{
    struct spill_program *program = context;
    struct spill_kernel_side *side = program->kernel;
    const struct spill_mirror_neighbor *neighbor;

    TAILQ_FOREACH (neighbor, &side->mirror.neighbors.all, entry) {
        if (neighbor->interface >= 0 &&
            spill_router_neighbor_used(program->router, (uint16_t)neighbor->interface,
                                       &neighbor->state.address))
            spill_request_neighbor(side->requests, neighbor->state.link, &neighbor->state.address);
    }
}

static int start(struct spill_program *program, struct spill_kernel_side *side,
                 struct spill_error *error)
{
    uint32_t i;

    side->requests = spill_netlink_open(side->mirror.name_space, error);
    if (side->requests == NULL)
        return -1;
    for (i = 0; i < program->host->count; i++) {
        if (spill_mirror_add_twin(&side->mirror, program->host->twins[i].twin.index, (uint16_t)i) !=
            0)
            return spill_error_set(error, "no memory for twins");
    }
    if (spill_mirror_start(&side->mirror, error) != 0 ||
        install(program, side->requests, error) != 0)
        return -1;
    if (spill_events_after(&program->events, &side->look, LOOK_NS, look, program) != 0 ||
        spill_events_every(&program->events, &side->keep, KEEP_NS, keep_neighbors, program) != 0)
        return spill_error_set(error, "no memory for the control thread's timers");
    return 0;
}

int spill_program_follow_kernel(struct spill_program *program, struct spill_error *error)
{
    const struct spill_mirror_config config = {.name_space = program->options.router.name_space,
                                               .table = program->options.router.table,
                                               .buffer = SPILL_MIRROR_BUFFER,
                                               .audit_ns = SPILL_MIRROR_AUDIT_NS};
    struct spill_kernel_side *side;

    if (program->host == NULL)
        return 0;
    side = calloc(1, sizeof(*side));
    if (side == NULL)
        return spill_error_set(error, "no memory to follow the kernel");
    spill_router_sink_init(&side->sink, program->router);
    if (spill_mirror_open(&side->mirror, &config, &side->sink, &program->events, error) != 0) {
        free(side);
        return -1;
    }
    program->kernel = side;
    return start(program, side, error);
}

void spill_program_leave_kernel(struct spill_program *program)
{
    struct spill_kernel_side *side = program->kernel;

    if (side == NULL)
        return;
    spill_event_remove(&side->look);
    spill_event_remove(&side->keep);
    spill_mirror_close(&side->mirror);
    if (side->requests != NULL) {
        remove_routes(program, side->requests);
        mnl_socket_close(side->requests);
    }
    free(side);
    program->kernel = NULL;
}

/* The lcores have ended: what they gave the host is delivered, and nothing more comes from it. */
void spill_program_end_host(struct spill_program *program)
{
    if (program->host == NULL || !program->host->runs)
        return;
    spill_host_finish(program->host);
    program->host->runs = false;
    if (spill_control_join(program, program->host->thread,
                           program->options.drain_timeout_ns + UINT64_C(1000000000)))
        return;
    SPILL_LOG(ERR, "the twins' thread does not end");
    program->hanging = true;
    spill_program_end_as(program, SPILL_OUTCOME_FORCED);
}
