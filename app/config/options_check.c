/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the options fit together: ports, wires, and options that need each other. */
#include "config/options_check.h"

#include <grp.h>
#include <string.h>

#include "port/device.h"

/* Two ports on one device, however each is spelled. */
static bool same_device(const struct spill_option_port *left, const struct spill_option_port *right)
{
    char names[2][SPILL_DEVICE_NAME_MAX];

    spill_device_name(left->device, names[0]);
    spill_device_name(right->device, names[1]);
    return strcmp(names[0], names[1]) == 0;
}

/* Whether two devices are on one interface of the kernel's: each would get what the other sends. */
static bool same_interface(const struct spill_option_port *left,
                           const struct spill_option_port *right)
{
    char names[2][IF_NAMESIZE];

    return spill_device_interface(left->device, names[0]) &&
           spill_device_interface(right->device, names[1]) && strcmp(names[0], names[1]) == 0;
}

int spill_options_check_apart(const struct spill_option_port *port,
                              const struct spill_option_port *other, struct spill_error *error)
{
    if (same_device(port, other))
        return spill_error_set(error,
                               "%s: port '%s' has that device already: expected one of its own, "
                               "such as net_null1 beside net_null0",
                               port->where, other->name);
    if (same_interface(port, other))
        return spill_error_set(error,
                               "%s: port '%s' has that interface already: expected one of its own",
                               port->where, other->name);
    return 0;
}

static int check_devices(const struct spill_options *options, struct spill_error *error)
{
    for (unsigned int i = 0; i < options->port_count; i++) {
        for (unsigned int j = 0; j < i; j++) {
            if (spill_options_check_apart(&options->ports[i], &options->ports[j], error) != 0)
                return -1;
        }
    }
    return 0;
}

static int name_missing_port(const struct spill_options *options,
                             const struct spill_option_wire *wire, const char *name,
                             struct spill_error *error)
{
    char known[256] = "";
    size_t used = 0;

    for (unsigned int i = 0; i < options->port_count && used < sizeof(known); i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ",
                                 options->ports[i].name);
    return spill_error_set(error, "%s: there is no port '%s': expected one of %s", wire->where,
                           name, known);
}

/* Fills in the indices of the wires' ports; no port may be in two wires. */
static int join_wires(struct spill_options *options, struct spill_error *error)
{
    const struct spill_option_wire *owners[SPILL_PORTS_MAX] = {NULL};

    for (unsigned int i = 0; i < options->wire_count; i++) {
        struct spill_option_wire *wire = &options->wires[i];

        for (int end = 0; end < 2; end++) {
            const char *name = wire->port_names[end];
            const struct spill_option_port *port = spill_options_find_port(options, name);

            if (port == NULL)
                return name_missing_port(options, wire, name, error);
            wire->ports[end] = (uint16_t)(port - options->ports);
            if (owners[wire->ports[end]] != NULL)
                return spill_error_set(error,
                                       "%s: port '%s' is in another wire already (%s): expected "
                                       "each port in one wire",
                                       wire->where, name, owners[wire->ports[end]]->where);
            owners[wire->ports[end]] = wire;
        }
    }
    for (unsigned int i = 0; i < options->port_count; i++) {
        if (owners[i] == NULL && !spill_options_port_routes(options, i))
            return spill_error_set(error,
                                   "%s: port '%s' is in no wire: expected --wire %s:..., or routed "
                                   "= yes in [port %s]",
                                   options->ports[i].where, options->ports[i].name,
                                   options->ports[i].name, options->ports[i].name);
        if (owners[i] != NULL && spill_options_port_routes(options, i))
            return spill_error_set(error,
                                   "%s: port '%s' is routed: expected it in no wire, or routed = "
                                   "no in [port %s]",
                                   owners[i]->where, options->ports[i].name,
                                   options->ports[i].name);
    }
    return 0;
}

/* Who may read by the control socket can only do so where its folder lets them. */
static int check_control_group(const struct spill_options *options, struct spill_error *error)
{
    const char *name = options->control_group;

    if (name[0] == '\0')
        return 0;
    if (options->control_socket == NULL)
        return spill_error_set(error,
                               "control-group '%s': expected control-socket with it: without, the "
                               "socket is in a folder of DPDK's that nobody else may enter",
                               name);
    if (getgrnam(name) == NULL)
        return spill_error_set(error, "control-group '%s': there is no such group", name);
    return 0;
}

int spill_options_check(struct spill_options *options, struct spill_error *error)
{
    if (options->port_count == 0 && options->config != NULL)
        return spill_error_set(error, "no port given: %s has no section [port NAME]",
                               options->config);
    if (options->port_count == 0)
        return spill_error_set(error, "no port given: expected --port NAME=DEVICE twice and "
                                      "--wire, or --config FILE; see --help");
    if (options->wire_count == 0 && !spill_options_route(options))
        return spill_error_set(
            error, "no wire given: expected --wire A:B, two of the ports%s%s%s",
            options->config != NULL ? ", or in " : "",
            options->config != NULL ? options->config : "",
            options->config != NULL ? " a section [wire NAME], or a port with routed = yes" : "");
    if (options->json && !options->check)
        return spill_error_set(error, "--json: expected --check with it: it is the plan's form");
    if (options->explain != NULL && (!options->check || options->json))
        return spill_error_set(error, "--explain: expected --check with it, and no --json");
    if (check_control_group(options, error) != 0 || check_devices(options, error) != 0)
        return -1;
    if (spill_options_check_router(options, error) != 0)
        return -1;
    /* Associations are on ends of wires, so these are first. */
    if (join_wires(options, error) != 0)
        return -1;
    return spill_options_check_sas(options, error);
}
