/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses and routes of the configuration, which the kernel has as long as spillway runs. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "control/log.h"
#include "control/steps.h"
#include "mirror/requests.h"
#include "start/kernel_side.h"
#include "start/steps.h"

/* For all routes that are taken back. */
#define BACK_NS UINT64_C(1000000000)

/* @return false: a port of its is not there */
static bool make_route(const struct spill_program *program, const struct spill_options *options,
                       const struct spill_option_route *option, struct spill_kernel_route *route)
{
    memset(route, 0, sizeof(*route));
    route->prefix = option->prefix;
    route->action = (uint8_t)(option->via.count > 0 ? SPILL_ROUTE_FORWARD : option->action);
    route->count = option->via.count;
    for (uint32_t i = 0; i < option->via.count; i++) {
        const struct spill_option_via *via = &option->via.list[i];
        const int interface = spill_program_find_interface(program, options, via->index);

        if (interface < 0)
            return false;
        route->paths[i] =
            (struct spill_kernel_path){.link = spill_kernel_link(program, (uint32_t)interface),
                                       .weight = via->weight,
                                       .gateway = via->gateway};
    }
    return true;
}

static int give_addresses(const struct spill_program *program, uint32_t index,
                          struct spill_error *error)
{
    const struct spill_option_addresses *addresses = &program->interfaces[index].addresses;

    for (uint32_t i = 0; i < addresses->count; i++) {
        if (spill_request_address(program->kernel->requests, spill_kernel_link(program, index),
                                  &addresses->list[i], error) != 0)
            return -1;
    }
    return 0;
}

static int give_route(const struct spill_program *program, const struct spill_options *options,
                      const struct spill_option_route *option, enum spill_request_beside beside,
                      struct spill_error *error)
{
    struct spill_kernel_route route;

    return make_route(program, options, option, &route)
               ? spill_request_route(program->kernel->requests, program->options.router.table,
                                     &route, beside, error)
               : 0;
}

int spill_given_route(const struct spill_program *program, const struct spill_options *options,
                      const struct spill_option_route *route, bool replaces,
                      struct spill_error *error)
{
    return give_route(program, options, route,
                      replaces ? SPILL_REQUEST_REPLACES : SPILL_REQUEST_ALONE, error);
}

void spill_given_no_route(const struct spill_program *program, const struct spill_options *options,
                          const struct spill_option_route *route)
{
    struct spill_kernel_route gone;

    if (make_route(program, options, route, &gone))
        spill_request_no_route(program->kernel->requests, program->options.router.table, &gone);
}

/* -------------------------------------------------------------------- at the start */

/* Routes of an earlier spillway that ended without taking them back. Those by its twins went with
 * them. */
struct leftovers {
    const struct spill_options *options;
    bool there[SPILL_OPTION_ROUTES_MAX]; /* by index in the options: as they are to be */
    uint32_t count, room;                /* of the others */
    struct spill_kernel_route *others;
    bool no_memory;
};

static bool is_the_same(const struct spill_option_route *option,
                        const struct spill_kernel_route *route)
{
    return option->via.count == 0 && option->action == route->action &&
           option->prefix.length == route->prefix.length &&
           spill_ip_equal(&option->prefix.address, &route->prefix.address);
}

static void add_other(struct leftovers *leftovers, const struct spill_kernel_route *route)
{
    if (leftovers->count == leftovers->room) {
        const uint32_t room = 2 * leftovers->room + 16;
        void *grown = reallocarray(leftovers->others, room, sizeof(*leftovers->others));

        leftovers->no_memory |= grown == NULL;
        if (grown == NULL)
            return;
        leftovers->others = grown;
        leftovers->room = room;
    }
    leftovers->others[leftovers->count++] = *route;
}

static void sort_out(void *context, const struct spill_kernel_route *route)
{
    struct leftovers *leftovers = context;
    const struct spill_options *options = leftovers->options;

    if (route->action == SPILL_ROUTE_FORWARD)
        return;
    for (uint32_t i = 0; i < options->route_count; i++) {
        if (is_the_same(&options->routes[i], route)) {
            leftovers->there[i] = true;
            return;
        }
    }
    add_other(leftovers, route);
}

static int sweep(const struct spill_program *program, struct leftovers *leftovers,
                 struct spill_error *error)
{
    struct mnl_socket *requests = program->kernel->requests;
    const uint32_t table = program->options.router.table;

    if (spill_request_own_routes(requests, AF_INET, table, sort_out, leftovers, error) != 0 ||
        spill_request_own_routes(requests, AF_INET6, table, sort_out, leftovers, error) != 0)
        return -1;
    if (leftovers->no_memory)
        return spill_error_set(error, "no memory for the kernel's routes");
    for (uint32_t i = 0; i < leftovers->count; i++)
        spill_request_no_route(requests, table, &leftovers->others[i]);
    if (leftovers->count > 0)
        SPILL_LOG(NOTICE,
                  "router: %u routes of an earlier spillway are removed (table %u, proto %d)",
                  leftovers->count, table, SPILL_ROUTE_PROTOCOL);
    return 0;
}

static int give_routes(const struct spill_program *program, struct leftovers *leftovers,
                       struct spill_error *error)
{
    const struct spill_options *options = &program->options;

    if (sweep(program, leftovers, error) != 0)
        return -1;
    for (uint32_t i = 0; i < options->route_count; i++) {
        if (!leftovers->there[i] &&
            give_route(program, options, &options->routes[i], SPILL_REQUEST_ALONE, error) != 0)
            return -1;
    }
    return 0;
}

int spill_given_twin(struct spill_program *program, uint32_t index, struct spill_error *error)
{
    if (spill_request_link_up(program->kernel->requests, spill_kernel_link(program, index),
                              error) != 0)
        return -1;
    return give_addresses(program, index, error);
}

int spill_given_install(struct spill_program *program, struct spill_error *error)
{
    struct spill_kernel_side *side = program->kernel;
    const struct spill_options *options = &program->options;
    struct leftovers leftovers = {.options = options};
    int status;

    side->next_route = options->route_count;
    for (uint32_t i = 0; i < program->interface_count; i++) {
        if (spill_given_twin(program, i, error) != 0)
            return -1;
    }
    status = give_routes(program, &leftovers, error);
    free(leftovers.others);
    return status;
}

/* ------------------------------------------------------------------- while it runs */

/* The first that is refused is told, and how many there were besides. A kernel that does not answer
 * is not waited for twice in a row. */
static void note_refused(struct spill_kernel_side *side, const struct spill_error *error,
                         uint32_t *requests)
{
    if (side->refused++ == 0)
        SPILL_LOG(WARNING, "%s", error->text);
    *requests = 0;
}

static bool addresses_again(struct spill_program *program, uint32_t *requests)
{
    struct spill_kernel_side *side = program->kernel;
    struct spill_error error;

    for (uint32_t i = 0; i < program->interface_count; i++) {
        struct spill_kernel_twin *twin = &side->twins[i];

        if (!spill_program_has_interface(program, i) || !twin->addresses_due || !twin->up)
            continue;
        if (*requests < SPILL_OPTION_ADDRESSES_MAX)
            return true;
        *requests -= program->interfaces[i].addresses.count;
        if (give_addresses(program, i, &error) != 0)
            note_refused(side, &error, requests);
        twin->addresses_due = false;
        twin->routes_due = true;
        side->next_route = 0;
    }
    return false;
}

/* One by a twin that is up, or has an address, again. The kernel takes none as long as another one
 * of its is down. */
static bool is_due(const struct spill_program *program, const struct spill_options *options,
                   const struct spill_option_route *option)
{
    bool due = false;

    for (uint32_t i = 0; i < option->via.count; i++) {
        const int interface =
            spill_program_find_interface(program, options, option->via.list[i].index);

        if (interface < 0 || !program->kernel->twins[interface].up)
            return false;
        due |= program->kernel->twins[interface].routes_due;
    }
    return due;
}

static bool routes_again(struct spill_program *program, uint32_t *requests)
{
    struct spill_kernel_side *side = program->kernel;
    const struct spill_options *options = spill_program_configured(program);
    struct spill_error error;

    for (; side->next_route < options->route_count; side->next_route++) {
        const struct spill_option_route *option = &options->routes[side->next_route];

        if (!is_due(program, options, option))
            continue;
        if (*requests == 0)
            return true;
        --*requests;
        if (give_route(program, options, option, SPILL_REQUEST_AGAIN, &error) != 0)
            note_refused(side, &error, requests);
    }
    return false;
}

bool spill_given_again(struct spill_program *program, uint32_t *requests)
{
    struct spill_kernel_side *side = program->kernel;

    if (addresses_again(program, requests) || routes_again(program, requests))
        return true;
    if (side->refused > 1)
        SPILL_LOG(WARNING, "router: the kernel refuses %u more, of what it was given again",
                  side->refused - 1);
    side->refused = 0;
    for (uint32_t i = 0; i < program->interface_count; i++)
        side->twins[i].routes_due &= !side->twins[i].up;
    return false;
}

/* ---------------------------------------------------------------------- at the end */

void spill_given_take_back(struct spill_program *program)
{
    const struct spill_options *options = spill_program_configured(program);
    const uint64_t deadline = spill_clock() + spill_cycles(BACK_NS);
    struct spill_kernel_route route;
    uint32_t left = 0;

    for (uint32_t i = 0; i < options->route_count; i++) {
        make_route(program, options, &options->routes[i], &route);
        if (route.count == 0 &&
            (spill_clock() >= deadline ||
             spill_request_no_route(program->kernel->requests, options->router.table, &route) != 0))
            left++;
    }
    if (left > 0)
        SPILL_LOG(WARNING,
                  "router: %u routes are still in the kernel, which did not remove them in time: "
                  "ip route flush table %u proto %d removes them, or the next start",
                  left, options->router.table, SPILL_ROUTE_PROTOCOL);
}
