/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mirror alone, with a sink that notes what it is given.
 *
 *     mirror_probe [table=N] [buffer=BYTES] [audit=MS] [netns=PATH] LINK...
 *
 * The links are the twins of interfaces 0, 1, … Each line on standard input is answered by
 * JSON and an empty line: what the sink has. `stop` has the mirror not read until `go`. Ends with
 * standard input.
 */
#include <net/if.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "control/events.h"
#include "mirror/mirror.h"

#define GROUPS     10000
#define INTERFACES 16
#define NEIGHBORS  1024

struct group {
    enum spill_route_action action;
    uint32_t count;
    struct spill_route_path paths[SPILL_ROUTER_PATHS_MAX];
    bool used;
};

struct route {
    struct spill_ip_prefix prefix;
    uint32_t group;
};

static struct group groups[GROUPS];
static void *routes;
static uint64_t route_count, group_changes, route_changes;
static struct spill_json json;
static struct interface {
    bool enabled, carrier;
    uint32_t mtu, addresses, macs;
    struct spill_ip_prefix address[64];
    struct rte_ether_addr mac[16], own;
} interfaces[INTERFACES];
static struct neighbor {
    uint16_t interface;
    struct spill_ip address;
    enum spill_neighbor_state state;
} neighbors[NEIGHBORS];
static uint32_t neighbor_count;
static struct spill_mirror mirror;
static bool ended, stopped;

/* ---------------------------------------------------------------------------- sink */

static bool change_group(void *context, uint32_t number, enum spill_route_action action,
                         const struct spill_route_path *paths, uint32_t count)
{
    (void)context;
    group_changes++;
    groups[number].action = action;
    groups[number].count = count;
    if (count > 0)
        memcpy(groups[number].paths, paths, count * sizeof(*paths));
    return true;
}

static uint32_t create_group(void *context, enum spill_route_action action,
                             const struct spill_route_path *paths, uint32_t count)
{
    uint32_t i;

    for (i = 1; i < GROUPS; i++) {
        if (!groups[i].used) {
            groups[i].used = true;
            change_group(context, i, action, paths, count);
            return i;
        }
    }
    return 0;
}

static void release_group(void *context, uint32_t group)
{
    (void)context;
    groups[group].used = false;
}

static int compare(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(struct spill_ip_prefix));
}

static bool set_route(void *context, const struct spill_ip_prefix *prefix, uint32_t group)
{
    struct route **found = tfind(prefix, &routes, compare), *route;

    (void)context;
    route_changes++;
    route = found != NULL ? *found : calloc(1, sizeof(*route));
    if (route == NULL || group == 0 || !groups[group].used)
        abort();
    route->prefix = *prefix;
    route->group = group;
    route_count += found == NULL;
    tsearch(route, &routes, compare);
    return true;
}

static void remove_route(void *context, const struct spill_ip_prefix *prefix)
{
    struct route **found = tfind(prefix, &routes, compare), *route;

    (void)context;
    if (found == NULL)
        abort();
    route = *found;
    tdelete(route, &routes, compare);
    free(route);
    route_count--;
}

static struct neighbor *find_neighbor(uint16_t interface, const struct spill_ip *address)
{
    uint32_t i;

    for (i = 0; i < neighbor_count; i++) {
        if (neighbors[i].interface == interface && spill_ip_equal(&neighbors[i].address, address))
            return &neighbors[i];
    }
    return NULL;
}

static void set_neighbor(void *context, uint16_t interface, const struct spill_ip *address,
                         enum spill_neighbor_state state, const struct rte_ether_addr *mac)
{
    struct neighbor *neighbor = find_neighbor(interface, address);

    (void)context;
    if ((state == SPILL_NEIGHBOR_REACHABLE) != (mac != NULL) || neighbor_count == NEIGHBORS)
        abort();
    if (neighbor == NULL)
        neighbor = &neighbors[neighbor_count++];
    *neighbor = (struct neighbor){interface, *address, state};
}

static void remove_neighbor(void *context, uint16_t interface, const struct spill_ip *address)
{
    struct neighbor *neighbor = find_neighbor(interface, address);

    (void)context;
    if (neighbor == NULL)
        abort();
    *neighbor = neighbors[--neighbor_count];
}

static void set_addresses(void *context, uint16_t interface,
                          const struct spill_ip_prefix *addresses, uint32_t count)
{
    (void)context;
    if (count > 0)
        memcpy(interfaces[interface].address, addresses, count * sizeof(*addresses));
    interfaces[interface].addresses = count;
}

static void set_link(void *context, uint16_t interface, bool enabled, bool carrier, uint32_t mtu)
{
    (void)context;
    interfaces[interface].enabled = enabled;
    interfaces[interface].carrier = carrier;
    interfaces[interface].mtu = mtu;
}

static void set_mac(void *context, uint16_t interface, const struct rte_ether_addr *mac)
{
    (void)context;
    interfaces[interface].own = *mac;
}

static void add_mac(void *context, uint16_t interface, const struct rte_ether_addr *mac)
{
    struct interface *of = &interfaces[interface];

    (void)context;
    of->mac[of->macs++] = *mac;
}

static void remove_mac(void *context, uint16_t interface, const struct rte_ether_addr *mac)
{
    struct interface *of = &interfaces[interface];
    uint32_t i;

    (void)context;
    for (i = 0; i < of->macs; i++) {
        if (rte_is_same_ether_addr(&of->mac[i], mac)) {
            of->mac[i] = of->mac[--of->macs];
            return;
        }
    }
    abort();
}

static const struct spill_mirror_sink sink = {
    .create_group = create_group,
    .change_group = change_group,
    .release_group = release_group,
    .set_route = set_route,
    .remove_route = remove_route,
    .set_neighbor = set_neighbor,
    .remove_neighbor = remove_neighbor,
    .set_addresses = set_addresses,
    .set_link = set_link,
    .set_mac = set_mac,
    .add_mac = add_mac,
    .remove_mac = remove_mac,
};

/* ---------------------------------------------------------------------------- JSON */

static void show_route(const void *node, VISIT visit, void *closure)
{
    static const char *const actions[] = {"none",      "forward",     "local",
                                          "blackhole", "unreachable", "prohibit"};
    const struct route *route = *(struct route *const *)node;
    const struct group *group = &groups[route->group];
    char text[SPILL_IP_PREFIX_TEXT], path[SPILL_IP_PREFIX_TEXT + 32];
    uint32_t i;

    (void)closure;
    if (visit != postorder && visit != leaf)
        return;
    spill_json_array_begin(&json, spill_ip_prefix_write(&route->prefix, text));
    if (group->action != SPILL_ROUTE_FORWARD)
        spill_json_string(&json, NULL, actions[group->action]);
    for (i = 0; i < group->count; i++) {
        snprintf(path, sizeof(path), "%u %s%s%u", group->paths[i].interface,
                 group->paths[i].gateway.family != 0
                     ? spill_ip_write(&group->paths[i].gateway, text)
                     : "link",
                 " ", group->paths[i].weight);
        spill_json_string(&json, NULL, path);
    }
    spill_json_array_end(&json);
}

static void show_neighbors(void)
{
    static const char *const states[] = {"unresolved", "reachable", "failed", "static"};
    char text[SPILL_IP_PREFIX_TEXT], key[SPILL_IP_PREFIX_TEXT + 8];
    uint32_t i;

    spill_json_object_begin(&json, "neighbors");
    for (i = 0; i < neighbor_count; i++) {
        snprintf(key, sizeof(key), "%u %s", neighbors[i].interface,
                 spill_ip_write(&neighbors[i].address, text));
        spill_json_string(&json, key, states[neighbors[i].state]);
    }
    spill_json_object_end(&json);
}

static void show_interface(const struct interface *interface)
{
    char text[SPILL_IP_PREFIX_TEXT];
    uint32_t i;

    spill_json_object_begin(&json, NULL);
    spill_json_boolean(&json, "enabled", interface->enabled);
    spill_json_boolean(&json, "carrier", interface->carrier);
    spill_json_unsigned(&json, "mtu", interface->mtu);
    spill_json_array_begin(&json, "addresses");
    for (i = 0; i < interface->addresses; i++)
        spill_json_string(&json, NULL, spill_ip_prefix_write(&interface->address[i], text));
    spill_json_array_end(&json);
    spill_json_array_begin(&json, "macs");
    for (i = 0; i < interface->macs; i++) {
        rte_ether_format_addr(text, sizeof(text), &interface->mac[i]);
        spill_json_string(&json, NULL, text);
    }
    spill_json_array_end(&json);
    spill_json_object_end(&json);
}

static void show(bool with_routes)
{
    uint32_t i;

    spill_json_begin(&json, stdout);
    spill_json_object_begin(&json, NULL);
    spill_json_unsigned(&json, "messages", mirror.counters.messages);
    spill_json_unsigned(&json, "generations", mirror.counters.generations);
    spill_json_unsigned(&json, "overruns", mirror.counters.overruns);
    spill_json_unsigned(&json, "audits", mirror.counters.audits);
    spill_json_unsigned(&json, "differences", mirror.counters.differences);
    spill_json_unsigned(&json, "groups_tunneled", mirror.counters.groups_tunneled);
    spill_json_unsigned(&json, "route_count", route_count);
    spill_json_unsigned(&json, "route_changes", route_changes);
    spill_json_unsigned(&json, "group_changes", group_changes);
    spill_json_array_begin(&json, "interfaces");
    for (i = 0; i < INTERFACES && interfaces[i].mtu != 0; i++)
        show_interface(&interfaces[i]);
    spill_json_array_end(&json);
    if (with_routes) {
        show_neighbors();
        spill_json_object_begin(&json, "routes");
        twalk_r(routes, show_route, NULL);
        spill_json_object_end(&json);
    }
    spill_json_object_end(&json);
    spill_json_end(&json);
    puts("");
    fflush(stdout);
}

/* ------------------------------------------------------------------------- running */

static void hear(void *context)
{
    char line[64];
    ssize_t length = read(STDIN_FILENO, line, sizeof(line) - 1);

    (void)context;
    if (length <= 0) {
        ended = true;
        return;
    }
    line[length] = '\0';
    if (strncmp(line, "stop", 4) == 0)
        stopped = true;
    if (strncmp(line, "go", 2) == 0)
        stopped = false;
    show(strncmp(line, "count", 5) != 0);
}

/* The control thread does something else meanwhile: messages pile up. */
static void wait_stopped(void)
{
    while (stopped && !ended)
        hear(NULL);
}

static void read_option(struct spill_mirror_config *config, const char *option)
{
    if (strncmp(option, "table=", 6) == 0)
        config->table = (uint32_t)atoi(option + 6);
    else if (strncmp(option, "buffer=", 7) == 0)
        config->buffer = (uint32_t)atoi(option + 7);
    else if (strncmp(option, "audit=", 6) == 0)
        config->audit_ns = (uint64_t)atoi(option + 6) * 1000000;
    else if (strncmp(option, "netns=", 6) == 0)
        config->name_space = option + 6;
}

int main(int argc, char **argv)
{
    struct spill_mirror_config config = {.table = SPILL_MIRROR_TABLE_MAIN,
                                         .buffer = SPILL_MIRROR_BUFFER};
    struct spill_events events;
    struct spill_event input = {.call = NULL};
    struct spill_error error;
    uint16_t interface = 0;
    int i, status;

    for (i = 1; i < argc; i++)
        read_option(&config, argv[i]);
    status = spill_events_open(&events, &error);
    if (status == 0)
        status = spill_mirror_open(&mirror, &config, &sink, &events, &error);
    for (i = 1; status == 0 && i < argc; i++) {
        if (strchr(argv[i], '=') == NULL)
            status = spill_mirror_add_twin(&mirror, if_nametoindex(argv[i]), interface++);
    }
    if (status == 0)
        status = spill_mirror_start(&mirror, &error);
    if (status == 0)
        status = spill_events_read(&events, &input, STDIN_FILENO, hear, NULL);
    if (status != 0) {
        fprintf(stderr, "mirror_probe: %s\n", error.text);
        return 1;
    }
    while (!ended) {
        spill_events_wait(&events, UINT64_C(1000000000));
        wait_stopped();
    }
    spill_event_remove(&input);
    spill_mirror_close(&mirror);
    spill_events_close(&events);
    tdestroy(routes, free);
    return 0;
}
