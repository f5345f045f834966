/* SPDX-License-Identifier: BSD-3-Clause */
/* What a reload can't change: the rows of the table that say so, one by one. */
#include "config/options_compare.h"

#include <stdio.h>
#include <string.h>

#include "config/option_table.h"
#include "config/options.h"

struct comparison {
    void (*tell)(const char *what, void *context);
    void *context;
    unsigned count;
};

static void tell(struct comparison *comparison, const char *what, const char *of, const char *whom)
{
    char text[128];

    snprintf(text, sizeof(text), "%s%s%s", what, of, whom);
    comparison->tell(text, comparison->context);
    comparison->count++;
}

static bool is_same(const struct spill_option *option, const void *left, const void *right)
{
    const char *const first = (const char *)left + option->offset;
    const char *const second = (const char *)right + option->offset;
    const char *texts[2];

    switch (option->kind) {
    case SPILL_OPTION_FILE:
    case SPILL_OPTION_OUTPUT:
    case SPILL_OPTION_DEVICE:
    case SPILL_OPTION_COMMAND:
        memcpy(&texts[0], first, sizeof(texts[0]));
        memcpy(&texts[1], second, sizeof(texts[1]));
        if (texts[0] == NULL || texts[1] == NULL)
            return texts[0] == texts[1];
        return strcmp(texts[0], texts[1]) == 0;
    default:
        return memcmp(first, second, option->size) == 0;
    }
}

/* Compares two structs of one scope. */
static void compare_scope(struct comparison *comparison, enum spill_option_scope scope,
                          const void *left, const void *right, const char *of, const char *whom)
{
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (table[i].scope == scope && !table[i].at_reload &&
            table[i].kind != SPILL_OPTION_ACTION && !is_same(&table[i], left, right))
            tell(comparison, table[i].name, of, whom);
    }
}

static const struct spill_option_port *find_port(const struct spill_options *options,
                                                 const char *name)
{
    for (unsigned i = 0; i < options->port_count; i++) {
        if (strcmp(options->ports[i].name, name) == 0)
            return &options->ports[i];
    }
    return NULL;
}

/* Ports by their names: those that both have, and those that the first has alone. */
static void compare_ports(struct comparison *comparison, const struct spill_options *left,
                          const struct spill_options *right, bool both)
{
    for (unsigned i = 0; i < left->port_count; i++) {
        const struct spill_option_port *port = &left->ports[i];
        const struct spill_option_port *other = find_port(right, port->name);

        if (other == NULL) {
            tell(comparison, "port ", port->name, "");
        } else if (both) {
            compare_scope(comparison, SPILL_OPTION_PER_PORT, port, other, " of port ", port->name);
            if (strcmp(port->device, other->device) != 0)
                tell(comparison, "device", " of port ", port->name);
        }
    }
}

static bool has_wire(const struct spill_options *options, const struct spill_option_wire *wire)
{
    for (unsigned i = 0; i < options->wire_count; i++) {
        for (int swapped = 0; swapped < 2; swapped++) {
            const struct spill_option_wire *other = &options->wires[i];

            if (strcmp(wire->port_names[0], other->port_names[swapped]) == 0 &&
                strcmp(wire->port_names[1], other->port_names[!swapped]) == 0)
                return true;
        }
    }
    return false;
}

static void compare_wires(struct comparison *comparison, const struct spill_options *left,
                          const struct spill_options *right)
{
    for (unsigned i = 0; i < left->wire_count; i++) {
        if (!has_wire(right, &left->wires[i]))
            tell(comparison, "wire ", left->wires[i].name, "");
    }
}

/* Routed ports, routes and neighbours, in their order: each that is other than before. */
static void compare_interfaces(struct comparison *comparison, const struct spill_options *left,
                               const struct spill_options *right)
{
    const unsigned both = RTE_MIN(left->interface_count, right->interface_count);

    for (unsigned i = 0; i < both; i++) {
        if (strcmp(left->interfaces[i].name, right->interfaces[i].name) != 0)
            tell(comparison, "port ", left->interfaces[i].name, "");
        else
            compare_scope(comparison, SPILL_OPTION_PER_INTERFACE, &left->interfaces[i],
                          &right->interfaces[i], " of port ", left->interfaces[i].name);
    }
    if (left->interface_count != right->interface_count)
        tell(comparison, "the number of routed ports", "", "");
}

static void compare_routes(struct comparison *comparison, const struct spill_options *left,
                           const struct spill_options *right)
{
    const unsigned both = RTE_MIN(left->route_count, right->route_count);
    char text[SPILL_IP_PREFIX_TEXT];

    for (unsigned i = 0; i < both; i++) {
        const struct spill_option_route *route = &left->routes[i];

        spill_ip_prefix_write(&route->prefix, text);
        if (memcmp(&route->prefix, &right->routes[i].prefix, sizeof(route->prefix)) != 0)
            tell(comparison, "route ", text, "");
        else
            compare_scope(comparison, SPILL_OPTION_PER_ROUTE, route, &right->routes[i],
                          " of route ", text);
    }
    if (left->route_count != right->route_count)
        tell(comparison, "the number of routes", "", "");
}

static void compare_neighbors(struct comparison *comparison, const struct spill_options *left,
                              const struct spill_options *right)
{
    const unsigned both = RTE_MIN(left->neighbor_count, right->neighbor_count);
    char text[SPILL_IP_PREFIX_TEXT];

    for (unsigned i = 0; i < both; i++) {
        const struct spill_option_neighbor *neighbor = &left->neighbors[i];

        spill_ip_write(&neighbor->address, text);
        if (memcmp(&neighbor->address, &right->neighbors[i].address, sizeof(neighbor->address)) !=
            0)
            tell(comparison, "neighbor ", text, "");
        else
            compare_scope(comparison, SPILL_OPTION_PER_NEIGHBOR, neighbor, &right->neighbors[i],
                          " of neighbor ", text);
    }
    if (left->neighbor_count != right->neighbor_count)
        tell(comparison, "the number of neighbors", "", "");
}

unsigned spill_options_compare(const struct spill_options *in_force,
                               const struct spill_options *again,
                               void (*tell_one)(const char *what, void *context), void *context)
{
    struct comparison comparison = {.tell = tell_one, .context = context};

    compare_scope(&comparison, SPILL_OPTION_PLAIN, in_force, again, "", "");
    for (unsigned i = 0; i < SPILL_CLASSES; i++)
        compare_scope(&comparison, SPILL_OPTION_PER_CLASS, &in_force->pipeline.classes[i],
                      &again->pipeline.classes[i], " of ", spill_class_rows[i]->name);
    compare_ports(&comparison, in_force, again, true);
    compare_ports(&comparison, again, in_force, false);
    compare_wires(&comparison, in_force, again);
    compare_wires(&comparison, again, in_force);
    compare_scope(&comparison, SPILL_OPTION_ROUTER, in_force, again, " of the router", "");
    compare_scope(&comparison, SPILL_OPTION_IKE, in_force, again, " of [ike]", "");
    compare_interfaces(&comparison, in_force, again);
    compare_routes(&comparison, in_force, again);
    compare_neighbors(&comparison, in_force, again);
    return comparison.count;
}
