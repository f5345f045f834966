/* SPDX-License-Identifier: BSD-3-Clause */
/* The router as the configuration has it: interfaces, addresses, routes and neighbours. */
#include "base/secret.h"
#include "control/log.h"
#include "program.h"
#include "start/steps.h"

/* For each node, where the memory of its lcores is; -1: none runs there. */
static void reading_nodes(const struct spill_plan *plan, int nodes[SPILL_NODES_MAX])
{
    uint32_t i;

    for (i = 0; i < SPILL_NODES_MAX; i++)
        nodes[i] = -1;
    for (i = 0; i < plan->lcore_count; i++) {
        if (plan->lcores[i].role == SPILL_ROLE_FAST)
            nodes[RTE_MAX(plan->lcores[i].memory_node, 0)] =
                RTE_MAX(plan->lcores[i].memory_node, 0);
    }
}

int spill_program_add_interface(struct spill_program *program,
                                const struct spill_option_interface *option, uint16_t port,
                                enum spill_port_state state, struct spill_error *error)
{
    const struct spill_router_interface interface = {
        .port = program->ports[port].id, .vlan = option->vlan, .mac = program->ports[port].address};
    const int index = spill_router_add_interface(program->router, &interface, error);

    if (index < 0)
        return -1;
    program->interfaces[index] = *option;
    program->interfaces[index].where = (struct spill_option_wheres){.count = 0};
    program->interfaces[index].port = port;
    program->interface_states[index] = state;
    program->interface_count = spill_router_interface_count(program->router);
    return index;
}

static int add_interfaces(struct spill_program *program, struct spill_error *error)
{
    const struct spill_options *options = &program->options;
    uint32_t i;

    for (i = 0; i < options->interface_count; i++) {
        const struct spill_option_interface *option = &options->interfaces[i];

        if (option->routed &&
            spill_program_add_interface(program, option, option->port, SPILL_PORT_THERE, error) < 0)
            return -1;
    }
    return 0;
}

/* The last address of an IPv4 network, to all in it. */
static struct spill_ip_prefix broadcast_of(const struct spill_ip_prefix *network)
{
    struct spill_ip_prefix all = {network->address, 32};

    for (uint32_t bit = network->length; bit < 32; bit++)
        all.address.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    return all;
}

/* Of two the first stays, as in the kernel; and what is configured to the same prefix. */
static int add_own(struct spill_router *router, const struct spill_ip_prefix *prefix,
                   const struct spill_route_path *link, struct spill_error *error)
{
    if (spill_router_get_route(router, prefix) != SPILL_ROUTE_NONE)
        return 0;
    return spill_router_set_route(router, prefix,
                                  link != NULL ? SPILL_ROUTE_FORWARD : SPILL_ROUTE_LOCAL, link,
                                  link != NULL, error);
}

/* The routes that belong to an address, as the kernel makes them: itself and to all are the host's,
 * the others of its network are on the link. */
static int add_address(struct spill_router *router, uint16_t interface,
                       const struct spill_ip_prefix *address, struct spill_error *error)
{
    const uint8_t bits = spill_ip_bits(address->address.family);
    const struct spill_route_path link = {.interface = interface};
    struct spill_ip_prefix own = {address->address, bits}, network = *address;

    spill_ip_prefix_trim(&network);
    if (address->length < bits && add_own(router, &network, &link, error) != 0)
        return -1;
    if (bits == 32 && address->length < 31) {
        const struct spill_ip_prefix all = broadcast_of(&network);

        network.length = 32;
        if (add_own(router, &all, NULL, error) != 0 || add_own(router, &network, NULL, error) != 0)
            return -1;
    }
    return add_own(router, &own, NULL, error);
}

int spill_program_set_addresses(struct spill_program *program, struct spill_error *error)
{
    uint16_t i, j;

    for (i = 0; i < program->interface_count; i++) {
        const struct spill_option_addresses *addresses = &program->interfaces[i].addresses;

        spill_router_set_addresses(program->router, i, addresses->list, addresses->count);
        for (j = 0; j < addresses->count; j++) {
            if (add_address(program->router, i, &addresses->list[j], error) != 0)
                return -1;
        }
    }
    return 0;
}

static int create_router(struct spill_program *program, struct spill_error *error)
{
    const struct spill_option_router *option = &program->options.router;
    struct spill_router_config config = {.routes4 = option->routes4,
                                         .routes6 = option->routes6,
                                         .readers = program->rules->qsbr,
                                         .lcores = program->plan.count[SPILL_ROLE_FAST],
                                         .rpf = option->rpf};

    reading_nodes(&program->plan, config.memory_nodes);
    if (spill_secret(&config.seed, sizeof(config.seed)) != 0)
        return spill_error_set(error, "no random numbers");
    program->router = spill_router_create(&config, error);
    return program->router != NULL ? 0 : -1;
}

int spill_program_open_router(struct spill_program *program, struct spill_error *error)
{
    if (!spill_options_route(&program->options) || program->router != NULL)
        return 0;
    if (create_router(program, error) != 0 || add_interfaces(program, error) != 0 ||
        spill_program_set_neighbors(program, NULL, &program->options, error) != 0)
        return -1;
    /* With twins, the kernel is given them, and they come back from it. */
    if (!spill_options_have_twins(&program->options) &&
        (spill_program_set_addresses(program, error) != 0 ||
         spill_program_set_routes(program, NULL, &program->options, error) != 0))
        return -1;
    /* Nobody reads yet, so nothing is waited for. */
    while (spill_router_work(program->router)) {
    }
    return 0;
}
