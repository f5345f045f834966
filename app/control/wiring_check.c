/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether what a reload brings of ports can come, as far as that can be told without taking it. */
#include <string.h>

#include "config/options_check.h"
#include "config/options_compare.h"
#include "control/wiring.h"
#include "program.h"
#include "start/steps.h"

/* ------------------------------------------------------------------------------ the ports */

/* The name of the other end of a port's wire; NULL: it is routed. */
static const char *other_end(const struct spill_options *options, const char *name)
{
    for (uint32_t i = 0; i < options->wire_count; i++) {
        for (uint32_t end = 0; end < 2; end++) {
            if (strcmp(options->wires[i].port_names[end], name) == 0)
                return options->wires[i].port_names[!end];
        }
    }
    return NULL;
}

/*
 * The place of a port that comes: that which was planned for its name, or a new one. Flows of its
 * wire may still be known, so the wire has to be the same.
 */
static int find_place(const struct spill_program *program, const struct spill_options *options,
                      const struct spill_option_port *port, uint32_t before,
                      struct spill_error *error)
{
    const struct spill_plan *plan = &program->plan;
    const char *name = port->name, *other = other_end(options, name);
    uint32_t next = plan->port_count;

    for (uint32_t i = 0; i < plan->port_count; i++) {
        const int peer = plan->ports[i].peer;

        if (strcmp(plan->ports[i].name, name) != 0)
            continue;
        if ((peer < 0) != (other == NULL) ||
            (other != NULL && strcmp(plan->ports[peer].name, other) != 0))
            return spill_error_set(error,
                                   "%s: port %s was in another wire: expected that one, another "
                                   "name, or a restart",
                                   port->where, name);
        return (int)i;
    }
    while (next < SPILL_PORTS_MAX &&
           (program->port_states[next] != SPILL_PORT_FREE || before-- > 0))
        next++;
    if (next == SPILL_PORTS_MAX)
        return spill_error_set(error, "%s: %d ports have been there: expected a restart",
                               port->where, SPILL_PORTS_MAX);
    return (int)next;
}

static bool is_wanted(const struct spill_options *options, const char *name)
{
    struct spill_rule_input input;

    return spill_options_find_input(options, name, &input);
}

/* A driver that is in use can't be given to another port, and what leaves has left later. */
static int check_apart(const struct spill_program *program, const struct spill_options *options,
                       uint32_t index, const struct spill_option_port *port,
                       struct spill_error *error)
{
    for (uint32_t i = 0; i < program->port_count; i++) {
        const struct spill_option_port *other = &program->port_options[i];
        const int state = program->port_states[i];

        if (i == index || state == SPILL_PORT_FREE || state == SPILL_PORT_GONE ||
            spill_options_check_apart(port, other, error) == 0)
            continue;
        return is_wanted(options, other->name)
                   ? -1
                   : spill_error_set(error,
                                     "%s: port %s has that until it has left: expected two "
                                     "reloads, the first without [port %s]",
                                     port->where, other->name, port->name);
    }
    return 0;
}

int spill_wiring_check_port(const struct spill_program *program,
                            const struct spill_options *options,
                            const struct spill_option_port *port, uint32_t before,
                            struct spill_error *error)
{
    const int index = find_place(program, options, port, before, error);

    return index >= 0 && check_apart(program, options, (uint32_t)index, port, error) == 0 ? index
                                                                                          : -1;
}

/* What is under way has the ids of the ports that left. */
int spill_wiring_check_settled(struct spill_program *program, struct spill_error *error)
{
    const bool wiring = program->wiring;
    bool settled;

    program->wiring = true;
    settled = spill_wiring_settle(program);
    program->wiring = wiring;
    return settled ? 0
                   : spill_error_set(error, "packets of a port that left are still under way: "
                                            "expected another try later");
}

/* -------------------------------------------------------------------------- what is routed */

/* Until the next start a port that stays keeps the addresses that it has, whatever the file says.
 */
static int check_addresses(const struct spill_program *program, const struct spill_options *options,
                           const struct spill_option_interface *option, struct spill_error *error)
{
    char text[SPILL_IP_PREFIX_TEXT];

    for (uint32_t i = 0; i < program->interface_count; i++) {
        const struct spill_option_interface *other = &program->interfaces[i];
        const struct spill_ip_prefix *same =
            spill_options_same_address(&option->addresses, &other->addresses);

        if (same != NULL && spill_program_has_interface(program, i) &&
            is_wanted(options, other->name))
            return spill_error_set(error,
                                   "%s: port %s has %s until the next start: expected another "
                                   "address, or a restart",
                                   spill_option_where(&option->where, "address"), other->name,
                                   spill_ip_write(&same->address, text));
    }
    return 0;
}

/* Of a port that is there, lcores know one interface of each VLAN. */
static int check_vlan(const struct spill_program *program, const struct spill_options *options,
                      const struct spill_option_interface *option, struct spill_error *error)
{
    const char *port = options->ports[option->port].name;
    const int place = spill_wiring_find(program, port);
    const int other =
        place < 0
            ? -1
            : spill_router_find_interface(program->router, program->ports[place].id, option->vlan);

    if (other < 0)
        return 0;
    return spill_error_set(error,
                           "%s: port %s has VLAN %u of port %s until it has left: expected two "
                           "reloads, the first without [port %s]",
                           spill_option_where(&option->where, "vlan"),
                           program->interfaces[other].name, option->vlan, port, option->name);
}

int spill_wiring_check_interface(const struct spill_program *program,
                                 const struct spill_options *options,
                                 const struct spill_option_interface *option,
                                 struct spill_error *error)
{
    return check_addresses(program, options, option, error) == 0 &&
                   check_vlan(program, options, option, error) == 0
               ? spill_program_ask_twin(program, option, error)
               : -1;
}

/* ------------------------------------------------------------------------------------- all */

int spill_wiring_check_devices(const struct spill_options *there,
                               const struct spill_options *options, struct spill_error *error)
{
    uint16_t ports[SPILL_PORTS_MAX];
    const uint32_t count = spill_options_ports_apart(there, options, ports);
    struct spill_device device;

    for (uint32_t i = 0; i < count; i++) {
        if (spill_program_check_device(&options->ports[ports[i]], &device, error) != 0)
            return -1;
    }
    return 0;
}

int spill_wiring_ask(struct spill_program *program, const struct spill_options *there,
                     const struct spill_options *options, struct spill_error *error)
{
    uint16_t ports[SPILL_PORTS_MAX], routed[SPILL_ROUTER_INTERFACES_MAX];
    const uint32_t count = spill_options_ports_apart(there, options, ports);
    const uint32_t routed_count = spill_options_interfaces_apart(there, options, routed);
    uint32_t i, new_places = 0;

    if (count + routed_count > 0 && spill_wiring_check_settled(program, error) != 0)
        return -1;
    for (i = 0; i < count; i++) {
        const int place =
            spill_wiring_check_port(program, options, &options->ports[ports[i]], new_places, error);

        if (place < 0)
            return -1;
        new_places += (uint32_t)place >= program->plan.port_count;
    }
    for (i = 0; i < routed_count; i++) {
        if (spill_wiring_check_interface(program, options, &options->interfaces[routed[i]],
                                         error) != 0)
            return -1;
    }
    return 0;
}
