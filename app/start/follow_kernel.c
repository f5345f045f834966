/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's side: what it says is followed, and it is asked for what lcores need. */
#include <stdlib.h>
#include <string.h>

#include "control/log.h"
#include "control/steps.h"
#include "mirror/netlink.h"
#include "mirror/requests.h"
#include "mirror/router_sink.h"
#include "start/kernel_side.h"
#include "start/steps.h"

/* Of the kernel at a time: each is a system call, and some wait for an answer. The rest comes after
 * what else the control thread has to do. */
#define REQUESTS 64
#define MORE_NS  UINT64_C(500000)
/* Between two looks at which neighbours are used: the kernel takes one for stale after 15 s. */
#define KEEP_NS UINT64_C(5000000000)

/* ----------------------------------------------------------------------- what is seen */

/* What is larger than its port can carry would be dropped there. */
static void check_mtu(const struct spill_program *program, uint32_t index, uint32_t mtu)
{
    const struct spill_option_interface *option = &program->interfaces[index];
    const struct spill_port *port = &program->ports[option->port];

    if (mtu > port->mtu)
        SPILL_LOG(WARNING, "twin %s has MTU %u: its port %s carries no more than %u",
                  program->kernel->twins[index].name, mtu, port->name, port->mtu);
}

/* The kernel drops the routes of a link that loses its last IPv4 address, and takes one again once
 * its gateway is on the link. Giving routes adds no address: no round leads to another. */
static void look_at_addresses(struct spill_kernel_side *side, struct spill_kernel_twin *twin,
                              const struct spill_mirror_link *link)
{
    if (link->addresses_added == twin->addresses_added)
        return;
    twin->addresses_added = link->addresses_added;
    twin->routes_due = true;
    side->next_route = 0;
}

static void look_at_twin(struct spill_program *program, uint32_t index)
{
    struct spill_kernel_side *side = program->kernel;
    struct spill_kernel_twin *twin = &side->twins[index];
    const struct spill_mirror_link *link =
        spill_mirror_links_find(&side->mirror.links, spill_kernel_link(program, index));

    if (link != NULL)
        memcpy(twin->name, link->state.name, sizeof(twin->name));
    if (link == NULL && twin->known)
        SPILL_LOG(WARNING,
                  "twin %s is gone: it was deleted, or taken to another network namespace; its "
                  "port goes on receiving, and nothing is routed by it until it is back, or after "
                  "a restart",
                  twin->name);
    else if (link != NULL && twin->gone)
        SPILL_LOG(NOTICE, "twin %s is there again", twin->name);
    if (link != NULL && link->state.mtu != twin->mtu)
        check_mtu(program, index, link->state.mtu);
    twin->mtu = link != NULL ? link->state.mtu : 0;
    twin->gone = link == NULL && (twin->known || twin->gone);
    twin->known = link != NULL;
    twin->up = link != NULL && link->state.enabled;
    if (link != NULL && link->ups != twin->ups) {
        twin->ups = link->ups;
        twin->addresses_due = true;
    }
    if (link != NULL)
        look_at_addresses(side, twin, link);
}

/* Where the kernel threw messages away, a twin may have been down and up in them. That is looked at
 * once all has been read again. */
static void look_at_overruns(struct spill_program *program)
{
    struct spill_kernel_side *side = program->kernel;
    const struct spill_mirror_counters *counters = &side->mirror.counters;
    uint32_t i;

    if (side->generations == counters->generations)
        return;
    side->generations = counters->generations;
    if (side->overruns == counters->overruns)
        return;
    side->overruns = counters->overruns;
    for (i = 0; i < program->interface_count; i++)
        side->twins[i].addresses_due = spill_program_has_interface(program, i);
}

bool spill_program_twin_is_gone(const struct spill_program *program, uint32_t interface,
                                char name[IF_NAMESIZE])
{
    const struct spill_kernel_twin *twin =
        program->kernel != NULL ? &program->kernel->twins[interface] : NULL;

    snprintf(name, IF_NAMESIZE, "%.*s", IF_NAMESIZE - 1,
             twin != NULL && twin->name[0] != '\0' ? twin->name
                                                   : program->interfaces[interface].twin);
    return twin != NULL && twin->gone;
}

static void look_at_twins(struct spill_program *program)
{
    struct spill_kernel_side *side = program->kernel;
    uint32_t i;

    if (side->twin_changes == side->mirror.links.twin_changes)
        return;
    side->twin_changes = side->mirror.links.twin_changes;
    for (i = 0; i < program->interface_count; i++) {
        if (spill_program_has_interface(program, i))
            look_at_twin(program, i);
    }
}

/* ------------------------------------------------------------------- what is asked for */

/* @return whether there may be more, as of those below */
static bool ask_for_needs(struct spill_program *program, uint32_t *requests)
{
    struct spill_router_need need;

    for (; *requests > 0; --*requests) {
        if (!spill_router_next_need(program->router, &need))
            return false;
        spill_request_neighbor(
            program->kernel->requests, program->host->twins[need.interface].twin.index,
            &need.address, spill_router_is_gateway(program->router, need.interface, &need.address));
        program->kernel->counters.resolved++;
    }
    return true;
}

/* Gateways are known before the first packet, and are found out again when they come back. */
static bool ask_for_gateways(struct spill_program *program, uint32_t *requests)
{
    struct spill_kernel_side *side = program->kernel;
    struct spill_router_need gateway;

    for (; side->gateways_due && *requests > 0; --*requests) {
        side->gateways_due =
            spill_router_next_unknown_gateway(program->router, &side->next_gateway, &gateway);
        if (!side->gateways_due)
            return false;
        spill_request_neighbor(side->requests, program->host->twins[gateway.interface].twin.index,
                               &gateway.address, true);
        side->counters.gateways++;
    }
    return side->gateways_due;
}

/* The kernel does it by itself for gateways, and as long as somebody else has it do so. Asked for
 * one that is permanent, it would forget what it was told. @return whether it was asked */
static bool keep(struct spill_program *program, const struct spill_mirror_neighbor *neighbor)
{
    const struct spill_kernel_neighbor *state = &neighbor->state;
    const uint16_t interface = (uint16_t)neighbor->interface;
    const bool gateway = spill_router_is_gateway(program->router, interface, &state->address);
    const bool managed = gateway || (state->managed && !state->ours);
    const bool used = spill_router_neighbor_used(program->router, interface, &state->address);

    if (state->permanent || (state->managed == managed && (managed || !used)))
        return false;
    spill_request_neighbor(program->kernel->requests, state->link, &state->address, managed);
    return true;
}

/* The kernel sees nothing of what is forwarded, and would let go of neighbours that are in use. */
static bool keep_neighbors(struct spill_program *program, uint32_t *requests)
{
    struct spill_kernel_side *side = program->kernel;
    const struct spill_mirror_neighbor *neighbor;

    for (; side->to_keep > 0 && *requests > 0; --*requests) {
        side->to_keep--;
        neighbor = spill_mirror_neighbors_next(&side->mirror.neighbors);
        if (neighbor != NULL)
            side->counters.kept += keep(program, neighbor);
    }
    return side->to_keep > 0;
}

static void look(void *context)
{
    struct spill_program *program = context;
    struct spill_kernel_side *side = program->kernel;
    uint32_t requests = REQUESTS;
    bool more;

    look_at_twins(program);
    look_at_overruns(program);
    more = ask_for_needs(program, &requests);
    more |= spill_given_again(program, &requests);
    more |= ask_for_gateways(program, &requests);
    more |= keep_neighbors(program, &requests);
    if (more)
        spill_events_after(&program->events, &side->look, MORE_NS, look, program);
}

static void begin_to_keep(void *context)
{
    struct spill_program *program = context;

    program->kernel->to_keep = program->kernel->mirror.neighbors.count;
    program->kernel->next_gateway = 0;
    program->kernel->gateways_due = true;
    look(program);
}

/* The mirror may have told the router something. */
static void turned(void *context)
{
    spill_program_routes_changed(context);
    look(context);
}

void spill_program_heed_needs(void *context)
{
    const struct spill_program *program = context;

    if (program->kernel != NULL && program->kernel->requests != NULL)
        look(context);
}

void spill_program_twins_follow_mtu(struct spill_program *program, uint32_t port, uint32_t before,
                                    uint32_t now)
{
    const struct spill_mirror_link *link;
    struct spill_error error;
    uint32_t i, mtu;

    for (i = 0; program->kernel != NULL && i < program->interface_count; i++) {
        if (!spill_program_has_interface(program, i) || program->interfaces[i].port != port ||
            program->kernel->twins[i].gone)
            continue;
        link =
            spill_mirror_links_find(&program->kernel->mirror.links, spill_kernel_link(program, i));
        mtu = link != NULL ? link->state.mtu : before;
        if ((mtu == before || mtu > now) &&
            spill_request_mtu(program->kernel->requests, spill_kernel_link(program, i), now,
                              &error) != 0)
            SPILL_LOG(WARNING, "twin %s: %s",
                      link != NULL ? link->state.name : program->interfaces[i].twin, error.text);
    }
}

/* -------------------------------------------------------------- twins that come and leave */

int spill_program_follow_twin(struct spill_program *program, uint16_t index,
                              struct spill_error *error)
{
    struct spill_kernel_side *side = program->kernel;

    side->twins[index] = (struct spill_kernel_twin){.mtu = 0};
    if (spill_mirror_add_twin(&side->mirror, spill_kernel_link(program, index), index) != 0)
        return spill_error_set(error, "no memory for twins");
    return spill_given_twin(program, index, error);
}

void spill_program_leave_twin(struct spill_program *program, uint16_t index)
{
    spill_mirror_remove_twin(&program->kernel->mirror, spill_kernel_link(program, index));
}

/* ----------------------------------------------------------------- beginning and end */

static int start(struct spill_program *program, struct spill_kernel_side *side,
                 struct spill_error *error)
{
    uint32_t i;

    side->requests = spill_netlink_open(side->mirror.name_space, error);
    if (side->requests == NULL)
        return -1;
    for (i = 0; i < program->interface_count; i++) {
        if (spill_mirror_add_twin(&side->mirror, program->host->twins[i].twin.index, (uint16_t)i) !=
            0)
            return spill_error_set(error, "no memory for twins");
    }
    /* What is read first has it all: the twins are up, and stay so. */
    if (spill_given_install(program, error) != 0 || spill_mirror_start(&side->mirror, error) != 0)
        return -1;
    if (spill_events_every(&program->events, &side->keep, KEEP_NS, begin_to_keep, program) != 0)
        return spill_error_set(error, "no memory for the control thread's timers");
    return 0;
}

/* Who does not hear of changes would forward by what was. */
static void lose_kernel(void *context)
{
    struct spill_program *program = context;

    if (spill_token_cancel(&program->stop, "memory"))
        spill_program_end_as(program, SPILL_OUTCOME_FAILED);
}

int spill_program_follow_kernel(struct spill_program *program, struct spill_error *error)
{
    const struct spill_mirror_config config = {.name_space = program->options.router.name_space,
                                               .table = program->options.router.table,
                                               .buffer = SPILL_MIRROR_BUFFER,
                                               .audit_ns = SPILL_MIRROR_AUDIT_NS,
                                               .turned = turned,
                                               .lost = lose_kernel,
                                               .context = program};
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
    __atomic_store_n(&program->kernel, side, __ATOMIC_RELEASE); /* telemetry looks at it */
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
    if (side->requests == NULL)
        return;
    spill_given_take_back(program);
    mnl_socket_close(side->requests);
    side->requests = NULL;
}

/* ------------------------------------------------------------------------- telling */

static const struct spill_metric rows[] = {
    SPILL_METRIC(COUNTER, "neighbors_resolved", struct spill_kernel_counters, resolved, "",
                 "times that it was asked for a neighbor that packets wait for"),
    SPILL_METRIC(COUNTER, "neighbors_kept", struct spill_kernel_counters, kept, "",
                 "times that it was told that a neighbor is in use, or a gateway"),
    SPILL_METRIC(COUNTER, "gateways_asked", struct spill_kernel_counters, gateways, "",
                 "times that it was asked for a gateway that it did not know"),
};
static const struct spill_metrics metrics = SPILL_METRICS(rows);

void spill_program_write_kernel(const struct spill_program *program,
                                struct spill_metric_writer *writer)
{
    static const struct spill_kernel_side none;
    const struct spill_kernel_side *side = __atomic_load_n(&program->kernel, __ATOMIC_ACQUIRE);

    if (side == NULL)
        side = &none;
    spill_metrics_write(&spill_mirror_metrics, &side->mirror.counters, writer);
    spill_metrics_write(&metrics, &side->counters, writer);
}
