/* SPDX-License-Identifier: BSD-3-Clause */
/* Routes and neighbours of the configuration: made at the start, and changed by a reload. */
#include <string.h>

#include "start/kernel_side.h"
#include "start/steps.h"

int spill_program_find_interface(const struct spill_program *program,
                                 const struct spill_options *options, uint16_t index)
{
    for (uint32_t i = 0; i < program->interface_count; i++) {
        const int state = program->interface_states[i];

        if (state != SPILL_PORT_FREE && state != SPILL_PORT_GONE &&
            strcmp(program->interfaces[i].name, options->interfaces[index].name) == 0)
            return (int)i;
    }
    return -1;
}

/* ------------------------------------------------------------------------------ the routes */

/* One that can be made: all of its ports are there. */
static bool is_possible(const struct spill_program *program, const struct spill_options *options,
                        const struct spill_option_route *route)
{
    for (uint32_t i = 0; i < route->via.count; i++) {
        if (spill_program_find_interface(program, options, route->via.list[i].index) < 0)
            return false;
    }
    return true;
}

static bool is_same(const struct spill_options *options, const struct spill_option_route *route,
                    const struct spill_options *others, const struct spill_option_route *other)
{
    if (route->action != other->action || route->via.count != other->via.count)
        return false;
    for (uint32_t i = 0; i < route->via.count; i++) {
        const struct spill_option_via *via = &route->via.list[i], *as = &other->via.list[i];

        if (!spill_ip_equal(&via->gateway, &as->gateway) || via->weight != as->weight ||
            strcmp(options->interfaces[via->index].name, others->interfaces[as->index].name) != 0)
            return false;
    }
    return true;
}

/* The route of options to the same prefix, if it can be made; else NULL. Looked for from where the
 * last one was found: there may be thousands, mostly in one order. */
static const struct spill_option_route *find_route(const struct spill_program *program,
                                                   const struct spill_options *options,
                                                   const struct spill_option_route *route,
                                                   uint32_t *next)
{
    for (uint32_t i = 0; i < options->route_count; i++) {
        const uint32_t index = (*next + i) % options->route_count;
        const struct spill_option_route *other = &options->routes[index];

        if (other->prefix.length == route->prefix.length &&
            spill_ip_equal(&other->prefix.address, &route->prefix.address)) {
            *next = index + 1;
            return is_possible(program, options, other) ? other : NULL;
        }
    }
    return NULL;
}

/* @param replaces  another to the same prefix, in one step: no packet finds none meanwhile */
static int add_route(struct spill_program *program, const struct spill_options *options,
                     const struct spill_option_route *route, bool replaces,
                     struct spill_error *error)
{
    struct spill_route_path paths[SPILL_OPTION_VIAS_MAX] = {{.interface = 0}};
    struct spill_error reason;
    uint32_t i;

    if (program->kernel != NULL)
        return spill_given_route(program, options, route, replaces, error);
    for (i = 0; i < route->via.count; i++) {
        const struct spill_option_via *via = &route->via.list[i];

        paths[i] = (struct spill_route_path){
            .gateway = via->gateway,
            .interface = (uint16_t)spill_program_find_interface(program, options, via->index),
            .weight = via->weight};
    }
    if (spill_router_set_route(program->router, &route->prefix,
                               route->via.count > 0 ? SPILL_ROUTE_FORWARD : route->action, paths,
                               route->via.count, &reason) != 0)
        return spill_error_set(error, "%s: %s", route->where, reason.text);
    return 0;
}

static void remove_route(struct spill_program *program, const struct spill_options *options,
                         const struct spill_option_route *route)
{
    if (program->kernel != NULL)
        spill_given_no_route(program, options, route);
    else
        spill_router_remove_route(program->router, &route->prefix);
}

int spill_program_set_routes(struct spill_program *program, const struct spill_options *before,
                             const struct spill_options *after, struct spill_error *error)
{
    bool removed = false;
    uint32_t i, next = 0;

    for (i = 0; before != NULL && i < before->route_count; i++) {
        const struct spill_option_route *route = &before->routes[i];

        if (!is_possible(program, before, route) ||
            find_route(program, after, route, &next) != NULL)
            continue;
        remove_route(program, before, route);
        removed = true;
    }
    for (i = next = 0; i < after->route_count; i++) {
        const struct spill_option_route *route = &after->routes[i];
        const struct spill_option_route *other =
            before != NULL ? find_route(program, before, route, &next) : NULL;

        if (is_possible(program, after, route) &&
            (other == NULL || !is_same(before, other, after, route)) &&
            add_route(program, after, route, other != NULL, error) != 0)
            return -1;
    }
    /* What was routed otherwise may be an address's own route: the kernel has both, and kept it. */
    return removed && program->kernel == NULL ? spill_program_set_addresses(program, error) : 0;
}

/* --------------------------------------------------------------------------- the neighbours */

static bool has_neighbor(const struct spill_options *options, const struct spill_options *of,
                         const struct spill_option_neighbor *neighbor)
{
    for (uint32_t i = 0; i < options->neighbor_count; i++) {
        const struct spill_option_neighbor *other = &options->neighbors[i];

        if (spill_ip_equal(&other->address, &neighbor->address))
            return rte_is_same_ether_addr(&other->mac, &neighbor->mac) &&
                   strcmp(options->interfaces[other->index].name,
                          of->interfaces[neighbor->index].name) == 0;
    }
    return false;
}

int spill_program_set_neighbors(struct spill_program *program, const struct spill_options *before,
                                const struct spill_options *after, struct spill_error *error)
{
    uint32_t i;

    for (i = 0; before != NULL && i < before->neighbor_count; i++) {
        const struct spill_option_neighbor *neighbor = &before->neighbors[i];
        const int index = spill_program_find_interface(program, before, neighbor->index);

        if (index >= 0 && !has_neighbor(after, before, neighbor))
            spill_router_remove_static(program->router, (uint16_t)index, &neighbor->address);
    }
    for (i = 0; i < after->neighbor_count; i++) {
        const struct spill_option_neighbor *neighbor = &after->neighbors[i];
        const int index = spill_program_find_interface(program, after, neighbor->index);

        /* One that is as it was is set again: nothing changes. */
        if (index >= 0 &&
            spill_router_set_neighbor(program->router, (uint16_t)index, &neighbor->address,
                                      SPILL_NEIGHBOR_STATIC, &neighbor->mac, error) != 0)
            return -1;
    }
    return 0;
}
