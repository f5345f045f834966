/* SPDX-License-Identifier: BSD-3-Clause */
/* What is there of ports, wires and what is routed, by its names. */
#include <stdlib.h>
#include <string.h>

#include "config/options_compare.h"
#include "control/wiring.h"
#include "program.h"

int spill_wiring_find(const struct spill_program *program, const char *name)
{
    for (uint32_t i = 0; i < program->port_count; i++) {
        const int state = program->port_states[i];

        if ((state == SPILL_PORT_THERE || state == SPILL_PORT_COMING) &&
            strcmp(program->port_options[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

/* Indices of ports in the plan are not those of the options that are made. */
static void list_routed(const struct spill_program *program, struct spill_options *options,
                        struct spill_option_interface *interfaces)
{
    options->interfaces = interfaces;
    options->interface_count = 0;
    for (uint32_t i = 0; i < program->interface_count; i++) {
        struct spill_option_interface *interface = &interfaces[options->interface_count];
        const char *port = program->port_options[program->interfaces[i].port].name;

        if (!spill_program_has_interface(program, i))
            continue;
        *interface = program->interfaces[i];
        interface->port = (uint16_t)(spill_options_find_port(options, port) - options->ports);
        options->interface_count++;
    }
}

static void list_ports(const struct spill_program *program, struct spill_options *options)
{
    options->port_count = options->wire_count = 0;
    for (uint32_t i = 0; i < program->port_count; i++) {
        const int peer = program->plan.ports[i].peer;
        struct spill_option_wire *wire = &options->wires[options->wire_count];

        if (!spill_program_has_port(program, i))
            continue;
        options->ports[options->port_count++] = program->port_options[i];
        if (peer < (int)i) /* counted, or none */
            continue;
        memcpy(wire->port_names[0], program->port_options[i].name, SPILL_NAME_SIZE);
        memcpy(wire->port_names[1], program->port_options[peer].name, SPILL_NAME_SIZE);
        snprintf(wire->name, sizeof(wire->name), "%s-%s", program->port_options[i].name,
                 program->port_options[peer].name);
        options->wire_count++;
    }
}

struct spill_options *spill_wiring_current(const struct spill_program *program,
                                           const struct spill_options *options)
{
    struct current {
        struct spill_options options;
        struct spill_option_interface interfaces[SPILL_ROUTER_INTERFACES_MAX];
    } *current = malloc(sizeof(*current));

    if (current == NULL)
        return NULL;
    current->options = *options;
    list_ports(program, &current->options);
    list_routed(program, &current->options, current->interfaces);
    return &current->options;
}

bool spill_wiring_has(const struct spill_program *program, const struct spill_options *options,
                      const char *name)
{
    struct spill_options *there = spill_wiring_current(program, options);
    uint16_t ports[SPILL_PORTS_MAX], routed[SPILL_ROUTER_INTERFACES_MAX];
    struct spill_rule_input input;
    uint32_t count, i;
    bool has;

    if (there == NULL)
        return false;
    has = spill_options_find_input(there, name, &input);
    count = spill_options_ports_apart(there, options, ports);
    for (i = 0; i < count && !has; i++)
        has = strcmp(options->ports[ports[i]].name, name) == 0;
    count = spill_options_interfaces_apart(there, options, routed);
    for (i = 0; i < count && !has; i++)
        has = strcmp(options->interfaces[routed[i]].name, name) == 0;
    free(there);
    return has;
}

int spill_wiring_note(struct spill_program *program, uint32_t index,
                      const struct spill_option_port *port, struct spill_error *error)
{
    struct spill_option_port *copy = &program->port_options[index];
    char *device = strdup(port->device), *where = strdup(port->where);

    free(copy->device);
    free(copy->where);
    *copy = *port;
    copy->device = device;
    copy->where = where;
    return device != NULL && where != NULL
               ? 0
               : spill_error_set(error, "no memory for port %s", port->name);
}

void spill_wiring_free(struct spill_program *program)
{
    for (uint32_t i = 0; i < SPILL_PORTS_MAX; i++) {
        free(program->port_options[i].device);
        free(program->port_options[i].where);
    }
}
