/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/rtnetlink.h>

#include "mirror/take.h"

/* ------------------------------------------------------------------ next-hop objects */

static int take_next_hop(struct spill_mirror *mirror, const struct nlmsghdr *message)
{
    struct spill_kernel_next_hop state;
    int status = 0;

    if (!spill_kernel_read_next_hop(message, &state))
        return 0;
    if (message->nlmsg_type == RTM_DELNEXTHOP)
        spill_next_hops_remove(&mirror->next_hops, state.id);
    else
        status = spill_next_hops_set(&mirror->next_hops, &state, mirror->generation);
    spill_path_sets_follow_next_hops(&mirror->sets);
    return status;
}

void spill_take_next_hops_sweep(struct spill_mirror *mirror)
{
    spill_next_hops_sweep(&mirror->next_hops, mirror->generation);
    spill_path_sets_follow_next_hops(&mirror->sets);
}

/* Objects go with their link, without a message, and routes by them. */
static void lose_next_hops_of(struct spill_mirror *mirror, uint32_t link)
{
    spill_next_hops_remove_link(&mirror->next_hops, link);
    spill_path_sets_follow_next_hops(&mirror->sets);
}

/* ----------------------------------------------------------------------------- links */

static void lose_link(struct spill_mirror *mirror, uint32_t link)
{
    lose_next_hops_of(mirror, link);
    spill_path_sets_link(&mirror->sets, link, SPILL_PATHS_LINK_GONE);
    spill_mirror_links_remove(&mirror->links, link);
}

static int set_link(struct spill_mirror *mirror, const struct spill_kernel_link *state)
{
    struct spill_link_change change;

    if (spill_mirror_links_set(&mirror->links, state, mirror->generation, &change) != 0)
        return -1;
    if (change.stopped)
        lose_next_hops_of(mirror, state->index);
    if (change.went_down)
        spill_path_sets_link(&mirror->sets, state->index, SPILL_PATHS_LINK_DOWN);
    if (change.came_up)
        spill_path_sets_link(&mirror->sets, state->index, SPILL_PATHS_LINK_UP);
    if (change.appeared)
        spill_path_sets_look(&mirror->sets, state->index);
    return 0;
}

static int take_link(struct spill_mirror *mirror, const struct nlmsghdr *message)
{
    struct spill_kernel_link state;

    if (!spill_kernel_read_link(message, &state))
        return 0;
    if (message->nlmsg_type == RTM_NEWLINK)
        return set_link(mirror, &state);
    lose_link(mirror, state.index);
    return 0;
}

void spill_take_links_sweep(struct spill_mirror *mirror)
{
    uint32_t link;

    while (spill_mirror_links_stale(&mirror->links, mirror->generation, &link))
        lose_link(mirror, link);
}

/* ------------------------------------------------------------------------- addresses */

static void lose_address(struct spill_mirror *mirror, const struct spill_kernel_address *address)
{
    if (spill_mirror_links_remove_address(&mirror->links, address))
        spill_path_sets_link(&mirror->sets, address->link, SPILL_PATHS_NO_ADDRESS);
}

static int take_address(struct spill_mirror *mirror, const struct nlmsghdr *message)
{
    struct spill_kernel_address address;
    const struct spill_mirror_link *link;
    int status;

    if (!spill_kernel_read_address(message, &address))
        return 0;
    if (message->nlmsg_type == RTM_DELADDR) {
        lose_address(mirror, &address);
        return 0;
    }
    status = spill_mirror_links_set_address(&mirror->links, &address, mirror->generation);
    link = spill_mirror_links_find(&mirror->links, address.link);
    if (status > 0 && address.prefix.address.family == AF_INET && link->state.enabled)
        spill_path_sets_link(&mirror->sets, address.link, SPILL_PATHS_NEW_ADDRESS);
    return status < 0 ? -1 : 0;
}

void spill_take_addresses_sweep(struct spill_mirror *mirror)
{
    struct spill_kernel_address address;

    while (spill_mirror_links_stale_address(&mirror->links, mirror->generation, &address))
        lose_address(mirror, &address);
}

/* ------------------------------------------------------------- routes and neighbours */

static enum spill_route_place place_of(const struct nlmsghdr *message, bool dumped)
{
    if (dumped)
        return SPILL_ROUTE_LAST;
    if ((message->nlmsg_flags & NLM_F_REPLACE) != 0)
        return SPILL_ROUTE_INSTEAD;
    return (message->nlmsg_flags & NLM_F_APPEND) != 0 ? SPILL_ROUTE_LAST : SPILL_ROUTE_FIRST;
}

static int take_route(struct spill_mirror *mirror, const struct nlmsghdr *message, bool dumped)
{
    struct spill_kernel_route route;

    if (!spill_kernel_read_route(message, mirror->config.table, &route))
        return 0;
    if (message->nlmsg_type == RTM_DELROUTE)
        return spill_mirror_routes_delete(&mirror->routes, &route);
    return spill_mirror_routes_add(&mirror->routes, &route, place_of(message, dumped), dumped,
                                   mirror->generation);
}

static int take_neighbor(struct spill_mirror *mirror, const struct nlmsghdr *message)
{
    struct spill_kernel_neighbor neighbor;

    if (!spill_kernel_read_neighbor(message, &neighbor))
        return 0;
    if (message->nlmsg_type == RTM_NEWNEIGH)
        return spill_mirror_neighbors_set(&mirror->neighbors, &neighbor, mirror->generation);
    spill_mirror_neighbors_remove(&mirror->neighbors, &neighbor);
    return 0;
}

int spill_take_message(struct spill_mirror *mirror, const struct nlmsghdr *message, bool dumped)
{
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return take_link(mirror, message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return take_address(mirror, message);
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
        return take_next_hop(mirror, message);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return take_route(mirror, message, dumped);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        return take_neighbor(mirror, message);
    default:
        return 0;
    }
}
