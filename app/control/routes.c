/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes of routes on their way to the lcores, and what is told of routes and neighbours. */
#include "control/log.h"
#include "control/steps.h"
#include "program.h"

/* Until lcores have passed a quiescent state: most do within microseconds. */
#define SOON_NS UINT64_C(1000000)

static void go_on(void *context)
{
    spill_program_routes_changed(context);
}

/* Whoever gave them was told nothing: the kernel, or its daemons. */
static void tell_refused(struct spill_program *program)
{
    if (program->routes_refused || spill_router_refused(program->router) == 0)
        return;
    program->routes_refused = true;
    SPILL_LOG(WARNING,
              "router: there are more routes, or sets of next hops, than there is room for: more "
              "by routes and routes6 in [router] (%u of IPv4 and %u of IPv6 are in force)",
              spill_router_route_count(program->router, AF_INET),
              spill_router_route_count(program->router, AF_INET6));
}

void spill_program_routes_changed(struct spill_program *program)
{
    tell_refused(program);
    if (spill_router_work(program->router))
        spill_events_after(&program->events, &program->routing, SOON_NS, go_on, program);
}

void spill_program_route_link(struct spill_program *program, uint32_t port, bool up)
{
    uint16_t i;

    for (i = 0; i < program->interface_count; i++) {
        if (spill_program_has_interface(program, i) && program->interfaces[i].port == port)
            spill_router_set_link(program->router, i, SPILL_LINK_OF_PORT, up);
    }
}

/* -------------------------------------------------------------------------------- telling */

struct routes {
    uint32_t ipv4, ipv6;
    uint64_t refused;
};

static const struct spill_metric route_rows[] = {
    SPILL_METRIC(GAUGE, "ipv4", struct routes, ipv4, "routes", "that are set"),
    SPILL_METRIC(GAUGE, "ipv6", struct routes, ipv6, "routes", "that are set"),
    SPILL_METRIC(COUNTER, "refused", struct routes, refused, "",
                 "times that there was no room for a route, or for its set of next hops"),
};
static const struct spill_metrics route_metrics = SPILL_METRICS(route_rows);

void spill_program_write_routes(const struct spill_program *program,
                                struct spill_metric_writer *writer)
{
    const struct routes routes = {.ipv4 = spill_router_route_count(program->router, AF_INET),
                                  .ipv6 = spill_router_route_count(program->router, AF_INET6),
                                  .refused = spill_router_refused(program->router)};

    spill_metrics_write(&route_metrics, &routes, writer);
}

struct neighbors {
    uint32_t known;
    uint64_t refused;
};

static const struct spill_metric neighbor_rows[] = {
    SPILL_METRIC(GAUGE, "known", struct neighbors, known, "neighbors",
                 "of the kernel's, and those configured"),
    SPILL_METRIC(COUNTER, "refused", struct neighbors, refused, "",
                 "times that there was no room for one"),
};
static const struct spill_metrics neighbor_metrics = SPILL_METRICS(neighbor_rows);

void spill_program_write_neighbors(const struct spill_program *program,
                                   struct spill_metric_writer *writer)
{
    const struct neighbors neighbors = {.known = spill_router_neighbor_count(program->router),
                                        .refused = spill_router_neighbors_refused(program->router)};

    spill_metrics_write(&neighbor_metrics, &neighbors, writer);
}
