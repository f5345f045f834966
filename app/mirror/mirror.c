/* SPDX-License-Identifier: BSD-3-Clause */
/* Generations and turns. What messages say is taken in take.c. */
#include <errno.h>
#include <inttypes.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/log.h"
#include "mirror/mirror.h"
#include "mirror/netlink.h"
#include "mirror/take.h"

/* A datagram of a dump has up to 32 KiB, a message of routes with all their paths less. */
#define BUFFER_SIZE 65536
/* A turn ends after so much reading, and so many steps of other work. */
#define TURN_NS    UINT64_C(2000000)
#define TURN_STEPS 2000
/* Before a generation that follows one that failed. */
#define PAUSE_LEAST_NS UINT64_C(10000000)
#define PAUSE_MOST_NS  UINT64_C(5000000000)
/* Between two tries to give the sink what it had no room for. */
#define RETRY_NS UINT64_C(1000000000)

static const struct spill_metric rows[] = {
    SPILL_METRIC(COUNTER, "messages", struct spill_mirror_counters, messages, "messages",
                 "that the kernel sent"),
    SPILL_METRIC(COUNTER, "overruns", struct spill_mirror_counters, overruns, "",
                 "times that the kernel threw messages away, and all was read again"),
    SPILL_METRIC(COUNTER, "generations", struct spill_mirror_counters, generations, "",
                 "times that all was read"),
    SPILL_METRIC(COUNTER, "repeated", struct spill_mirror_counters, repeated, "dumps",
                 "read again, as the kernel changed meanwhile"),
    SPILL_METRIC(COUNTER, "audits", struct spill_mirror_counters, audits, "",
                 "times that all was read to compare"),
    SPILL_METRIC(COUNTER, "differences", struct spill_mirror_counters, differences, "routes",
                 "that were not as the kernel has them, by audits"),
    SPILL_METRIC(GAUGE, "prefixes_refused", struct spill_mirror_counters, prefixes_refused,
                 "prefixes", "that the kernel has routes to, and for which there is no room"),
    SPILL_METRIC(GAUGE, "groups_refused", struct spill_mirror_counters, groups_refused, "groups",
                 "of next hops for which there is no room: prefixes by them are unreachable"),
    SPILL_METRIC(GAUGE, "groups_tunneled", struct spill_mirror_counters, groups_tunneled, "groups",
                 "with next hops that lead into a tunnel, by which nothing is sent"),
};
const struct spill_metrics spill_mirror_metrics = SPILL_METRICS(rows);

/* The dumps of a generation, in order: what is asked for later refers to what came before. */
enum step {
    STEP_LINKS,
    STEP_ADDRESSES,
    STEP_NEXT_HOPS,
    STEP_LOCAL4,
    STEP_ROUTES4,
    STEP_LOCAL6,
    STEP_ROUTES6,
    STEP_NEIGHBORS,
    STEPS
};

static const struct spill_netlink_dump dumps[STEPS] = {
    [STEP_LINKS] = {.type = RTM_GETLINK},
    [STEP_ADDRESSES] = {.type = RTM_GETADDR},
    [STEP_NEXT_HOPS] = {.type = RTM_GETNEXTHOP},
    [STEP_LOCAL4] = {.type = RTM_GETROUTE, .family = AF_INET, .table = RT_TABLE_LOCAL},
    [STEP_ROUTES4] = {.type = RTM_GETROUTE, .family = AF_INET},
    [STEP_LOCAL6] = {.type = RTM_GETROUTE, .family = AF_INET6, .table = RT_TABLE_LOCAL},
    [STEP_ROUTES6] = {.type = RTM_GETROUTE, .family = AF_INET6},
    [STEP_NEIGHBORS] = {.type = RTM_GETNEIGH},
};

/* --------------------------------------------------------------------- generations */

static void start_again(void *context);

static void close_socket(struct spill_mirror *mirror)
{
    spill_event_remove(&mirror->readable);
    if (mirror->socket != NULL)
        mnl_socket_close(mirror->socket);
    mirror->socket = NULL;
}

/* Without a timer nothing would ever be read again. */
static void after(struct spill_mirror *mirror, struct spill_event *event, uint64_t time,
                  void (*call)(void *))
{
    if (spill_events_after(mirror->events, event, time, call, mirror) == 0)
        return;
    SPILL_LOG(ERR, "router: no memory for a timer: the kernel's routing can't be followed");
    mirror->config.lost(mirror->config.context);
}

/* Once more from the beginning, later: what failed may fail again. */
static void pause_then_start(struct spill_mirror *mirror)
{
    close_socket(mirror);
    mirror->step = STEPS;
    mirror->telling = false;
    mirror->auditing = false;
    after(mirror, &mirror->later, mirror->pause_ns, start_again);
    mirror->pause_ns = RTE_MIN(2 * mirror->pause_ns, PAUSE_MOST_NS);
}

static int ask(struct spill_mirror *mirror)
{
    struct spill_netlink_dump dump = dumps[mirror->step];

    if (dump.type == RTM_GETROUTE && dump.table == 0)
        dump.table = mirror->config.table;
    mirror->interrupted = false;
    return spill_netlink_ask(mirror->socket, &dump, ++mirror->sequence);
}

static int begin_generation(struct spill_mirror *mirror)
{
    mirror->generation++;
    mirror->step = 0;
    mirror->telling = false;
    mirror->differences_before = mirror->routes.differences;
    return ask(mirror);
}

/* What a dump did not have, and no message took away. */
static void sweep(struct spill_mirror *mirror, enum step step)
{
    if (step == STEP_LINKS)
        spill_take_links_sweep(mirror);
    else if (step == STEP_ADDRESSES)
        spill_take_addresses_sweep(mirror);
    else if (step == STEP_NEXT_HOPS)
        spill_take_next_hops_sweep(mirror);
    else if (step == STEP_ROUTES6)
        spill_mirror_routes_sweep(&mirror->routes, mirror->generation);
    else if (step == STEP_NEIGHBORS)
        spill_mirror_neighbors_sweep(&mirror->neighbors, mirror->generation);
}

/* Routes are swept when all of them were read. */
static uint32_t first_of(uint32_t step)
{
    return step > STEP_LOCAL4 && step <= STEP_ROUTES6 ? STEP_LOCAL4 : step;
}

static int end_dump(struct spill_mirror *mirror)
{
    if (mirror->interrupted) {
        mirror->counters.repeated++;
        mirror->generation++;
        mirror->step = first_of(mirror->step);
        return ask(mirror);
    }
    sweep(mirror, mirror->step);
    mirror->step++;
    mirror->telling = mirror->step == STEPS;
    return mirror->step < STEPS ? ask(mirror) : 0;
}

static void complete(struct spill_mirror *mirror)
{
    const uint64_t differences = mirror->routes.differences - mirror->differences_before;

    mirror->telling = false;
    mirror->counters.generations++;
    mirror->pause_ns = PAUSE_LEAST_NS;
    if (mirror->auditing) {
        mirror->auditing = false;
        mirror->counters.audits++;
        mirror->counters.differences += differences;
        if (differences > 0)
            SPILL_LOG(WARNING, "router: %" PRIu64 " routes were not as the kernel has them",
                      differences);
    }
}

static void audit(void *context)
{
    struct spill_mirror *mirror = context;

    if (mirror->socket == NULL || mirror->step < STEPS || mirror->telling)
        return;
    mirror->auditing = true;
    if (begin_generation(mirror) != 0)
        pause_then_start(mirror);
}

/* --------------------------------------------------------------------------- turns */

/* @return -1: begin again */
static int end_message(struct spill_mirror *mirror, const struct nlmsghdr *message)
{
    const int *status = mnl_nlmsg_get_payload(message);

    if (mirror->step >= STEPS || message->nlmsg_seq != mirror->sequence)
        return 0;
    if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
        mirror->interrupted = true;
    /* A table that nobody has put a route in, or a family that the kernel has not. */
    if (mnl_nlmsg_get_payload_len(message) >= sizeof(*status) && *status < 0 &&
        *status != -ENOENT && *status != -EOPNOTSUPP && *status != -EAFNOSUPPORT)
        return -1;
    return end_dump(mirror);
}

/* @return -1: begin again */
static int take_message(struct spill_mirror *mirror, const struct nlmsghdr *message)
{
    const bool dumped = message->nlmsg_seq == mirror->sequence &&
                        message->nlmsg_pid == mnl_socket_get_portid(mirror->socket);

    mirror->counters.messages++;
    if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
        return end_message(mirror, message);
    if (dumped && (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
        mirror->interrupted = true;
    return spill_take_message(mirror, message, dumped);
}

/* @return 1: there may be more; 0; -1: begin again */
static int take_datagram(struct spill_mirror *mirror)
{
    const ssize_t length = recv(mnl_socket_get_fd(mirror->socket), mirror->buffer, BUFFER_SIZE, 0);
    const struct nlmsghdr *message = (const void *)mirror->buffer;
    int left = (int)length;

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (length < 0) {
        if (errno == ENOBUFS && mirror->counters.overruns++ == 0)
            SPILL_LOG(WARNING, "router: the kernel had more to tell than was read in time: all of "
                               "it is read again, now and whenever that happens");
        return -1;
    }
    while (mnl_nlmsg_ok(message, left)) {
        if (take_message(mirror, message) != 0)
            return -1;
        message = mnl_nlmsg_next(message, &left);
    }
    return 1;
}

static void count(struct spill_mirror *mirror)
{
    struct spill_mirror_counters *counters = &mirror->counters;

    counters->prefixes_refused = mirror->routes.refused_count;
    counters->groups_refused = mirror->sets.refused_count;
    counters->groups_tunneled = mirror->sets.tunneled_count;
}

static bool is_full(const struct spill_mirror *mirror)
{
    return mirror->routes.refused_count + mirror->sets.refused_count > 0;
}

/* Of the lack of room the router tells. */
static void tell_room(struct spill_mirror *mirror)
{
    if (mirror->full && !is_full(mirror))
        SPILL_LOG(NOTICE, "router: there is room again for all of the kernel's routes");
    mirror->full = is_full(mirror);
}

static void work(void *context);

static void retry(void *context)
{
    struct spill_mirror *mirror = context;

    tell_room(mirror);
    mirror->retrying = false;
    spill_path_sets_retry(&mirror->sets);
    spill_mirror_routes_retry(&mirror->routes);
    work(mirror);
}

static void work(void *context)
{
    struct spill_mirror *mirror = context;

    if (spill_mirror_routes_work(&mirror->routes, TURN_STEPS))
        after(mirror, &mirror->soon, 0, work);
    else if (mirror->telling)
        complete(mirror);
    count(mirror);
    if (!mirror->retrying && (is_full(mirror) || mirror->full)) {
        mirror->retrying = true;
        after(mirror, &mirror->retry, RETRY_NS, retry);
    }
    if (mirror->config.turned != NULL)
        mirror->config.turned(mirror->config.context);
}

static void turn(void *context)
{
    struct spill_mirror *mirror = context;
    const uint64_t end = spill_clock() + TURN_NS * (rte_get_tsc_hz() / 1000000) / 1000;
    int status;

    do
        status = take_datagram(mirror);
    while (status > 0 && spill_clock() < end);
    if (status < 0)
        pause_then_start(mirror);
    work(mirror);
}

static int start(struct spill_mirror *mirror, struct spill_error *error)
{
    mirror->socket = spill_netlink_open(mirror->name_space, error);
    if (mirror->socket == NULL)
        return -1;
    if (spill_netlink_listen(mirror->socket, mirror->config.buffer, error) != 0)
        return -1;
    if (begin_generation(mirror) != 0)
        return spill_error_set(error, "the kernel's routing can't be read: %s", strerror(errno));
    if (spill_events_read(mirror->events, &mirror->readable, mnl_socket_get_fd(mirror->socket),
                          turn, mirror) != 0)
        return spill_error_set(error, "no memory to wait for the kernel");
    return 0;
}

static void start_again(void *context)
{
    struct spill_mirror *mirror = context;
    struct spill_error error;

    if (start(mirror, &error) == 0)
        return;
    SPILL_LOG(ERR, "router: %s", error.text);
    pause_then_start(mirror);
}

/* ---------------------------------------------------------------- beginning and end */

int spill_mirror_open(struct spill_mirror *mirror, const struct spill_mirror_config *config,
                      const struct spill_mirror_sink *sink, struct spill_events *events,
                      struct spill_error *error)
{
    memset(mirror, 0, sizeof(*mirror));
    mirror->config = *config;
    mirror->sink = sink;
    mirror->events = events;
    mirror->step = STEPS;
    mirror->pause_ns = PAUSE_LEAST_NS;
    mirror->name_space = spill_netlink_namespace(config->name_space, error);
    if (mirror->name_space < 0)
        return -1;
    mirror->buffer = malloc(BUFFER_SIZE);
    if (mirror->buffer == NULL) {
        close(mirror->name_space);
        return spill_error_set(error, "no memory for the kernel's messages");
    }
    spill_mirror_links_init(&mirror->links, sink);
    spill_next_hops_init(&mirror->next_hops);
    spill_path_sets_init(&mirror->sets, &mirror->links, &mirror->next_hops, sink);
    spill_mirror_neighbors_init(&mirror->neighbors, &mirror->links, sink);
    if (spill_mirror_routes_init(&mirror->routes, &mirror->sets, sink) == 0)
        return 0;
    spill_mirror_close(mirror);
    return spill_error_set(error, "no room for the kernel's routes");
}

int spill_mirror_add_twin(struct spill_mirror *mirror, uint32_t link, uint16_t interface)
{
    return spill_mirror_links_add_twin(&mirror->links, link, interface);
}

void spill_mirror_remove_twin(struct spill_mirror *mirror, uint32_t link)
{
    spill_mirror_links_remove_twin(&mirror->links, link);
}

int spill_mirror_start(struct spill_mirror *mirror, struct spill_error *error)
{
    if (start(mirror, error) != 0)
        return -1;
    if (mirror->config.audit_ns != 0 &&
        spill_events_every(mirror->events, &mirror->audit, mirror->config.audit_ns, audit,
                           mirror) != 0)
        return spill_error_set(error, "no memory for a timer");
    return 0;
}

void spill_mirror_close(struct spill_mirror *mirror)
{
    close_socket(mirror);
    spill_event_remove(&mirror->soon);
    spill_event_remove(&mirror->later);
    spill_event_remove(&mirror->audit);
    spill_event_remove(&mirror->retry);
    spill_mirror_routes_free(&mirror->routes);
    spill_path_sets_free(&mirror->sets);
    spill_mirror_neighbors_free(&mirror->neighbors);
    spill_next_hops_free(&mirror->next_hops);
    spill_mirror_links_free(&mirror->links);
    free(mirror->buffer);
    close(mirror->name_space);
}
