/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/options_compare.h"

#include <stdio.h>
#include <string.h>

#include "config/option_table.h"
#include "config/option_text.h"
#include "config/options.h"
#include "config/options_check.h"

struct comparison {
    enum spill_option_when when;
    spill_difference_tell *tell;
    void *context;
};

static void tell(const struct comparison *comparison, enum spill_change change, const char *kind,
                 const char *name)
{
    char what[192];

    snprintf(what, sizeof(what), "%s %s", kind, name);
    comparison->tell(
        &(struct spill_difference){.what = what, .when = comparison->when, .change = change},
        comparison->context);
}

static bool is_same(const struct spill_option *option, const void *left, const void *right)
{
    const char *const first = (const char *)left + option->offset;
    const char *const second = (const char *)right + option->offset;
    const char *texts[2];

    switch (option->kind) {
    case SPILL_OPTION_FILE:
    case SPILL_OPTION_SOCKET:
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

static void tell_row(const struct comparison *comparison, const struct spill_option *option,
                     const void *left, const void *right, const char *of, const char *whom)
{
    char what[192], before[SPILL_OPTION_TEXT_SIZE], after[SPILL_OPTION_TEXT_SIZE];

    snprintf(what, sizeof(what), "%s%s%s", option->name, of, whom);
    comparison->tell(
        &(struct spill_difference){.what = what,
                                   .when = comparison->when,
                                   .change = SPILL_CHANGED,
                                   .before =
                                       spill_option_text(option, left, before, sizeof(before)),
                                   .after = spill_option_text(option, right, after, sizeof(after))},
        comparison->context);
}

/* Compares two structs of one scope. */
static void compare_scope(const struct comparison *comparison, enum spill_option_scope scope,
                          const void *left, const void *right, const char *of, const char *whom)
{
    size_t count;
    const struct spill_option *table = spill_option_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (table[i].scope == scope && table[i].when == comparison->when &&
            table[i].kind != SPILL_OPTION_ACTION && !is_same(&table[i], left, right))
            tell_row(comparison, &table[i], left, right, of, whom);
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

static void compare_ports(const struct comparison *comparison, const struct spill_options *left,
                          const struct spill_options *right)
{
    const struct spill_option *device = spill_option_find("port", false);

    for (unsigned i = 0; i < left->port_count; i++) {
        const struct spill_option_port *port = &left->ports[i];
        const struct spill_option_port *other = find_port(right, port->name);

        if (other == NULL)
            continue;
        compare_scope(comparison, SPILL_OPTION_PER_PORT, port, other, " of port ", port->name);
        if (strcmp(port->device, other->device) != 0)
            tell_row(comparison,
                     &(struct spill_option){
                         .name = device->key, .kind = device->kind, .offset = device->offset},
                     port, other, " of port ", port->name);
    }
}

/* Whether one of `again` comes in a wire that is wholly new, or routes beside others with twins. */
static bool is_apart(const struct spill_options *before, const struct spill_options *again,
                     const char *name)
{
    if (find_port(before, name) != NULL)
        return false;
    for (uint32_t i = 0; i < again->wire_count; i++) {
        const struct spill_option_wire *wire = &again->wires[i];

        for (int end = 0; end < 2; end++) {
            if (strcmp(wire->port_names[end], name) == 0)
                return find_port(before, wire->port_names[!end]) == NULL;
        }
    }
    return spill_options_have_twins(before) && spill_options_have_twins(again);
}

/* Ports that the right has and the left has not. */
static void compare_presence(const struct comparison *comparison, const struct spill_options *left,
                             const struct spill_options *right, enum spill_change change)
{
    for (unsigned i = 0; i < right->port_count; i++) {
        const char *name = right->ports[i].name;
        const bool at_reload = is_apart(left, right, name);

        if (find_port(left, name) == NULL &&
            at_reload == (comparison->when == SPILL_OPTION_AT_RELOAD))
            tell(comparison, change, "port", name);
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

/* Wires that the left has and the right has not. */
static void compare_wires(const struct comparison *comparison, const struct spill_options *left,
                          const struct spill_options *right, enum spill_change change)
{
    for (unsigned i = 0; i < left->wire_count; i++) {
        const bool at_reload = is_apart(right, left, left->wires[i].port_names[0]);

        if (!has_wire(right, &left->wires[i]) &&
            at_reload == (comparison->when == SPILL_OPTION_AT_RELOAD))
            tell(comparison, change, "wire", left->wires[i].name);
    }
}

uint32_t spill_options_ports_apart(const struct spill_options *before,
                                   const struct spill_options *again,
                                   uint16_t ports[SPILL_PORTS_MAX])
{
    uint32_t count = 0;

    for (uint16_t i = 0; i < again->port_count; i++) {
        if (is_apart(before, again, again->ports[i].name))
            ports[count++] = i;
    }
    return count;
}

static const struct spill_option_interface *find_routed(const struct spill_options *options,
                                                        const char *name)
{
    const struct spill_option_interface *interface = spill_options_find_interface(options, name);

    return interface != NULL && interface->routed ? interface : NULL;
}

/* Whether what is routed of `again` comes with its port, or as one more of a port that routes. */
static bool is_interface_apart(const struct spill_options *before,
                               const struct spill_options *again,
                               const struct spill_option_interface *interface)
{
    const char *name = interface->parent[0] != '\0' ? interface->parent : interface->name;
    const struct spill_option_port *port = find_port(before, name);

    if (!interface->routed || find_routed(before, interface->name) != NULL ||
        !spill_options_have_twins(before) || !spill_options_have_twins(again))
        return false;
    return port == NULL || spill_options_port_routes(before, (unsigned)(port - before->ports));
}

uint32_t spill_options_interfaces_apart(const struct spill_options *before,
                                        const struct spill_options *again,
                                        uint16_t interfaces[SPILL_ROUTER_INTERFACES_MAX])
{
    uint32_t count = 0;

    for (uint16_t i = 0; i < again->interface_count && count < SPILL_ROUTER_INTERFACES_MAX; i++) {
        if (is_interface_apart(before, again, &again->interfaces[i]))
            interfaces[count++] = i;
    }
    return count;
}

/* What is routed in the right and not in the left. */
static void compare_routed(const struct comparison *comparison, const struct spill_options *left,
                           const struct spill_options *right, enum spill_change change)
{
    for (unsigned i = 0; i < right->interface_count; i++) {
        const struct spill_option_interface *interface = &right->interfaces[i];
        const bool at_reload = is_interface_apart(left, right, interface);

        if (interface->routed && find_routed(left, interface->name) == NULL &&
            at_reload == (comparison->when == SPILL_OPTION_AT_RELOAD))
            tell(comparison, change, "routed port", interface->name);
    }
}

static void compare_interfaces(const struct comparison *comparison,
                               const struct spill_options *left, const struct spill_options *right)
{
    for (unsigned i = 0; i < left->interface_count; i++) {
        const struct spill_option_interface *interface = &left->interfaces[i];
        const struct spill_option_interface *other = find_routed(right, interface->name);

        if (interface->routed && other != NULL)
            compare_scope(comparison, SPILL_OPTION_PER_INTERFACE, interface, other, " of port ",
                          interface->name);
    }
    compare_routed(comparison, right, left, SPILL_GONE);
    compare_routed(comparison, left, right, SPILL_NEW);
}

static const struct spill_option_route *find_route(const struct spill_options *options,
                                                   const struct spill_ip_prefix *prefix)
{
    for (unsigned i = 0; i < options->route_count; i++) {
        if (memcmp(&options->routes[i].prefix, prefix, sizeof(*prefix)) == 0)
            return &options->routes[i];
    }
    return NULL;
}

/* Ports are known by their names: where they stand among others is no difference. */
static void compare_route(const struct comparison *comparison,
                          const struct spill_option_route *route,
                          const struct spill_option_route *other, const char *text)
{
    struct spill_option_route again = *other;

    for (unsigned i = 0; i < SPILL_OPTION_VIAS_MAX; i++)
        again.via.list[i].index = route->via.list[i].index;
    compare_scope(comparison, SPILL_OPTION_PER_ROUTE, route, &again, " of route ", text);
}

static void compare_routes(const struct comparison *comparison, const struct spill_options *left,
                           const struct spill_options *right)
{
    char text[SPILL_IP_PREFIX_TEXT];

    for (unsigned i = 0; i < left->route_count; i++) {
        const struct spill_option_route *route = &left->routes[i];
        const struct spill_option_route *other = find_route(right, &route->prefix);

        spill_ip_prefix_write(&route->prefix, text);
        if (other == NULL)
            tell(comparison, SPILL_GONE, "route", text);
        else
            compare_route(comparison, route, other, text);
    }
    for (unsigned i = 0; i < right->route_count; i++) {
        if (find_route(left, &right->routes[i].prefix) != NULL)
            continue;
        spill_ip_prefix_write(&right->routes[i].prefix, text);
        tell(comparison, SPILL_NEW, "route", text);
    }
}

static const struct spill_option_neighbor *find_neighbor(const struct spill_options *options,
                                                         const struct spill_ip *address)
{
    for (unsigned i = 0; i < options->neighbor_count; i++) {
        if (spill_ip_equal(&options->neighbors[i].address, address))
            return &options->neighbors[i];
    }
    return NULL;
}

static void compare_neighbors(const struct comparison *comparison, const struct spill_options *left,
                              const struct spill_options *right)
{
    char text[SPILL_IP_PREFIX_TEXT];

    for (unsigned i = 0; i < left->neighbor_count; i++) {
        const struct spill_option_neighbor *neighbor = &left->neighbors[i];
        const struct spill_option_neighbor *other = find_neighbor(right, &neighbor->address);

        spill_ip_write(&neighbor->address, text);
        if (other == NULL)
            tell(comparison, SPILL_GONE, "neighbor", text);
        else
            compare_scope(comparison, SPILL_OPTION_PER_NEIGHBOR, neighbor, other, " of neighbor ",
                          text);
    }
    for (unsigned i = 0; i < right->neighbor_count; i++) {
        if (find_neighbor(left, &right->neighbors[i].address) != NULL)
            continue;
        spill_ip_write(&right->neighbors[i].address, text);
        tell(comparison, SPILL_NEW, "neighbor", text);
    }
}

/* Looked for from where the last one was found: there may be thousands, mostly in one order. */
static const struct spill_option_sa *find_sa(const struct spill_options *options, const char *name,
                                             unsigned *next)
{
    for (unsigned i = 0; i < options->sa_count; i++) {
        const unsigned index = (*next + i) % options->sa_count;

        if (strcmp(options->sas[index].config.name, name) == 0) {
            *next = index + 1;
            return &options->sas[index];
        }
    }
    return NULL;
}

static void compare_sas(const struct comparison *comparison, const struct spill_options *left,
                        const struct spill_options *right)
{
    unsigned next = 0;

    for (unsigned i = 0; i < left->sa_count; i++) {
        const struct spill_option_sa *sa = &left->sas[i];
        const struct spill_option_sa *other = find_sa(right, sa->config.name, &next);

        if (other == NULL)
            tell(comparison, SPILL_GONE, "sa", sa->config.name);
        else
            compare_scope(comparison, SPILL_OPTION_PER_SA, sa, other, " of sa ", sa->config.name);
    }
    next = 0;
    for (unsigned i = 0; i < right->sa_count; i++) {
        if (find_sa(left, right->sas[i].config.name, &next) == NULL)
            tell(comparison, SPILL_NEW, "sa", right->sas[i].config.name);
    }
}

void spill_options_compare(const struct spill_options *in_force, const struct spill_options *again,
                           enum spill_option_when when, spill_difference_tell *tell_one,
                           void *context)
{
    const struct comparison comparison = {.when = when, .tell = tell_one, .context = context};

    compare_scope(&comparison, SPILL_OPTION_PLAIN, in_force, again, "", "");
    for (unsigned i = 0; i < SPILL_CLASSES; i++)
        compare_scope(&comparison, SPILL_OPTION_PER_CLASS, &in_force->pipeline.classes[i],
                      &again->pipeline.classes[i], " of ", spill_class_rows[i]->name);
    if (when == SPILL_OPTION_AT_ONCE)
        return;
    compare_presence(&comparison, again, in_force, SPILL_GONE);
    compare_presence(&comparison, in_force, again, SPILL_NEW);
    compare_wires(&comparison, in_force, again, SPILL_GONE);
    compare_wires(&comparison, again, in_force, SPILL_NEW);
    compare_interfaces(&comparison, in_force, again);
    if (when == SPILL_OPTION_AT_RELOAD) {
        compare_sas(&comparison, in_force, again);
        compare_routes(&comparison, in_force, again);
        compare_neighbors(&comparison, in_force, again);
        return;
    }
    compare_ports(&comparison, in_force, again);
    compare_scope(&comparison, SPILL_OPTION_ROUTER, in_force, again, " of the router", "");
    compare_scope(&comparison, SPILL_OPTION_IKE, in_force, again, " of [ike]", "");
}
