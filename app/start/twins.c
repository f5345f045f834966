/* SPDX-License-Identifier: BSD-3-Clause */
/* Twins of routed ports, and the thread between them and the lcores. */
#include <unistd.h>

#include <rte_malloc.h>

#include "control/log.h"
#include "control/steps.h"
#include "mirror/netlink.h"
#include "pipeline/host.h"
#include "program.h"
#include "start/steps.h"

static uint16_t data_room(const struct spill_program *program)
{
    uint32_t mtu = 0;

    for (uint32_t i = 0; i < program->port_count; i++) {
        const int state = program->port_states[i];

        if (state == SPILL_PORT_THERE || state == SPILL_PORT_COMING)
            mtu = RTE_MAX(mtu, program->ports[i].mtu);
    }
    return (uint16_t)(RTE_PKTMBUF_HEADROOM + RTE_MIN(RTE_MAX(mtu + 64, 2048U), 16000U));
}

static int open_twin(const struct spill_program *program, uint32_t index,
                     struct spill_host_twin *twin, struct spill_error *error)
{
    const struct spill_option_interface *option = &program->interfaces[index];
    const struct spill_port *port = &program->ports[option->port];

    twin->port = port->id;
    twin->vlan = option->vlan;
    return spill_twin_open(&twin->twin, option->twin, &port->address, port->mtu, error);
}

static int open_some(const struct spill_program *program, uint32_t first, uint32_t count,
                     struct spill_host_twin *twins, struct spill_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        if (open_twin(program, first + i, &twins[i], error) != 0)
            return -1;
    }
    return 0;
}

/* Where the options want them. */
static int open_there(const struct spill_program *program, uint32_t first, uint32_t count,
                      struct spill_host_twin *twins, struct spill_error *error)
{
    int there = spill_netlink_namespace(program->options.router.name_space, error);
    int home = there < 0 ? -1 : spill_netlink_enter(there, error);
    int status = home < 0 ? -1 : open_some(program, first, count, twins, error);

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
    uint32_t i;

    if (!spill_options_have_twins(options) || program->host != NULL)
        return 0;
    twins = rte_zmalloc("twins", SPILL_ROUTER_INTERFACES_MAX * sizeof(*twins), 0);
    if (twins == NULL)
        return spill_error_set(error, "no memory for twins");
    for (i = 0; i < SPILL_ROUTER_INTERFACES_MAX; i++)
        twins[i].twin.descriptor = -1;
    if (open_there(program, 0, program->interface_count, twins, error) == 0)
        program->host = spill_host_create(
            twins, SPILL_ROUTER_INTERFACES_MAX, program->plan.count[SPILL_ROLE_FAST],
            options->pipeline.host_rules, data_room(program), &program->stop, error);
    if (program->host == NULL)
        close_twins(twins, SPILL_ROUTER_INTERFACES_MAX);
    return program->host != NULL ? 0 : -1;
}

/* Looks up a name where the twins are. @return 0, or -1 with an error: that is nowhere */
static int look_up_there(const struct spill_program *program, const char *name,
                         enum spill_twin_name *found, struct spill_error *error)
{
    int there = spill_netlink_namespace(program->options.router.name_space, error);
    int home = there < 0 ? -1 : spill_netlink_enter(there, error);

    if (there >= 0)
        close(there);
    if (home < 0)
        return -1;
    *found = spill_twin_look_up(name);
    return spill_netlink_return(home, error);
}

static int refuse_name(const struct spill_option_interface *option, struct spill_error *error)
{
    return spill_error_set(error,
                           "%s: twin %s: there is an interface of that name already: expected a "
                           "name that none has",
                           spill_option_where(&option->where, "twin"), option->twin);
}

int spill_program_ask_twin(const struct spill_program *program,
                           const struct spill_option_interface *option, struct spill_error *error)
{
    enum spill_twin_name found;
    struct spill_error reason;

    if (look_up_there(program, option->twin, &found, &reason) != 0)
        return spill_error_set(error, "%s: twin %s: %s", spill_option_where(&option->where, "twin"),
                               option->twin, reason.text);
    return found == SPILL_TWIN_NAME_FREE ? 0 : refuse_name(option, error);
}

void spill_program_warn_of_twins(const struct spill_program *program)
{
    const struct spill_options *options = &program->options;
    enum spill_twin_name found;
    struct spill_error error;

    for (uint32_t i = 0; i < options->interface_count; i++) {
        const struct spill_option_interface *option = &options->interfaces[i];

        if (option->twin[0] == '\0')
            continue;
        if (look_up_there(program, option->twin, &found, &error) != 0) {
            SPILL_LOG(WARNING, "%s", error.text);
            return;
        }
        if (found == SPILL_TWIN_NAME_TAKEN) {
            refuse_name(option, &error);
            SPILL_LOG(WARNING, "%s", error.text);
        }
    }
}

/* What the kernel sends by it has to fit the host's buffers. */
int spill_program_add_twin(struct spill_program *program, uint32_t index, struct spill_error *error)
{
    const struct spill_port *port = &program->ports[program->interfaces[index].port];
    struct spill_host_twin twin = {.twin.descriptor = -1};

    if (data_room(program) > rte_pktmbuf_data_room_size(program->host->pool))
        return spill_error_set(error,
                               "port %s has MTU %u, more than the ports of the start: expected a "
                               "restart, or mtu in [port %s]",
                               port->name, port->mtu, port->name);
    if (open_there(program, index, 1, &twin, error) != 0)
        return -1;
    if (spill_host_add_twin(program->host, index, &twin, error) == 0)
        return 0;
    spill_twin_close(&twin.twin);
    return -1;
}

/* The host's thread: an lcore needs a neighbour. */
static void wake(void *context)
{
    spill_event_notify(&((struct spill_program *)context)->needs);
}

int spill_program_start_host(struct spill_program *program, struct spill_error *error)
{
    const struct spill_host_start start = {
        .router = program->router, .wake = wake, .context = program};

    if (program->host == NULL)
        return 0;
    if (spill_events_notice(&program->events, &program->needs, spill_program_heed_needs, program) !=
        0)
        return spill_error_set(error, "no memory to hear of needs of lcores");
    return spill_host_start(program->host, &start, error);
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
