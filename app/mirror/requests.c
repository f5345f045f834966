/* SPDX-License-Identifier: BSD-3-Clause */
#include "mirror/requests.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "mirror/netlink.h"

#define BUFFER_SIZE 8192
#define DUMP_SIZE   65536 /* a datagram of a dump has up to 32 KiB */
#define ANSWER_MS   1000

static struct nlmsghdr *begin(char *buffer, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    return message;
}

/* @return 0, or what the kernel has against it, negative */
static int wait_for_answer(struct mnl_socket *socket, uint32_t sequence)
{
    char buffer[BUFFER_SIZE] __rte_aligned(8);
    struct pollfd answer = {.fd = mnl_socket_get_fd(socket), .events = POLLIN};
    const struct nlmsghdr *message = (const void *)buffer;

    while (poll(&answer, 1, ANSWER_MS) > 0) {
        const ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

        if (length > 0 && mnl_nlmsg_ok(message, (int)length) &&
            message->nlmsg_type == NLMSG_ERROR && message->nlmsg_seq == sequence)
            return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(message))->error;
    }
    return -ETIMEDOUT;
}

static int ask(struct mnl_socket *socket, struct nlmsghdr *message)
{
    static uint32_t sequence;

    message->nlmsg_flags |= NLM_F_ACK;
    message->nlmsg_seq = ++sequence;
    if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
        return -errno;
    return wait_for_answer(socket, message->nlmsg_seq);
}

static size_t bytes_of(const struct spill_ip *ip)
{
    return ip->family == AF_INET ? 4 : 16;
}

/* @param mtu  0: as it is */
static int ask_link(struct mnl_socket *socket, uint32_t link, unsigned flags, uint32_t mtu)
{
    char buffer[256] __rte_aligned(8) = {0};
    struct nlmsghdr *message = begin(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

    head->ifi_index = (int)link;
    head->ifi_change = head->ifi_flags = flags;
    if (mtu != 0)
        mnl_attr_put_u32(message, IFLA_MTU, mtu);
    return ask(socket, message);
}

int spill_request_link_up(struct mnl_socket *socket, uint32_t link, struct spill_error *error)
{
    const int status = ask_link(socket, link, IFF_UP, 0);

    return status == 0 ? 0
                       : spill_error_set(error, "a twin can't be set up: %s", strerror(-status));
}

int spill_request_mtu(struct mnl_socket *socket, uint32_t link, uint32_t mtu,
                      struct spill_error *error)
{
    const int status = ask_link(socket, link, 0, mtu);

    return status == 0
               ? 0
               : spill_error_set(error, "a twin can't have MTU %u: %s", mtu, strerror(-status));
}

int spill_request_address(struct mnl_socket *socket, uint32_t link,
                          const struct spill_ip_prefix *address, struct spill_error *error)
{
    char buffer[256] __rte_aligned(8) = {0}, text[SPILL_IP_PREFIX_TEXT];
    struct nlmsghdr *message = begin(buffer, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
    struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
    int status;

    head->ifa_family = address->address.family;
    head->ifa_prefixlen = address->length;
    head->ifa_index = link;
    mnl_attr_put(message, IFA_LOCAL, bytes_of(&address->address), address->address.bytes);
    mnl_attr_put(message, IFA_ADDRESS, bytes_of(&address->address), address->address.bytes);
    if (address->address.family == AF_INET) {
        uint32_t broadcast;

        memcpy(&broadcast, address->address.bytes, sizeof(broadcast));
        if (address->length < 31) {
            broadcast |= rte_cpu_to_be_32(UINT32_MAX >> address->length);
            mnl_attr_put(message, IFA_BROADCAST, sizeof(broadcast), &broadcast);
        }
    }
    status = ask(socket, message);
    return status == 0 ? 0
                       : spill_error_set(error, "address %s: the kernel refuses it: %s",
                                         spill_ip_prefix_write(address, text), strerror(-status));
}

static uint8_t type_of(uint8_t action)
{
    switch (action) {
    case SPILL_ROUTE_BLACKHOLE:
        return RTN_BLACKHOLE;
    case SPILL_ROUTE_PROHIBIT:
        return RTN_PROHIBIT;
    case SPILL_ROUTE_UNREACHABLE:
        return RTN_UNREACHABLE;
    default:
        return RTN_UNICAST;
    }
}

static void put_gateway(struct nlmsghdr *message, uint8_t family, const struct spill_ip *gateway)
{
    uint8_t buffer[sizeof(struct rtvia) + sizeof(gateway->bytes)] __rte_aligned(2);
    struct rtvia *via = (struct rtvia *)(void *)buffer;

    if (gateway->family == family) {
        mnl_attr_put(message, RTA_GATEWAY, bytes_of(gateway), gateway->bytes);
    } else if (gateway->family != 0) {
        via->rtvia_family = AF_INET6;
        memcpy(via->rtvia_addr, gateway->bytes, sizeof(gateway->bytes));
        mnl_attr_put(message, RTA_VIA, sizeof(buffer), buffer);
    }
}

static void put_paths(struct nlmsghdr *message, const struct spill_kernel_route *route)
{
    struct nlattr *all = mnl_attr_nest_start(message, RTA_MULTIPATH);
    uint32_t i;

    for (i = 0; i < route->count; i++) {
        struct rtnexthop *hop = mnl_nlmsg_get_payload_tail(message);

        memset(hop, 0, sizeof(*hop));
        message->nlmsg_len += sizeof(*hop);
        hop->rtnh_ifindex = (int)route->paths[i].link;
        hop->rtnh_hops = (uint8_t)(RTE_MIN(RTE_MAX(route->paths[i].weight, 1U), 256U) - 1);
        put_gateway(message, route->prefix.address.family, &route->paths[i].gateway);
        hop->rtnh_len =
            (uint16_t)((const char *)mnl_nlmsg_get_payload_tail(message) - (const char *)hop);
    }
    mnl_attr_nest_end(message, all);
}

static int ask_route(struct mnl_socket *socket, uint16_t type, uint16_t flags, uint32_t table,
                     const struct spill_kernel_route *route)
{
    char buffer[BUFFER_SIZE] __rte_aligned(8) = {0};
    struct nlmsghdr *message = begin(buffer, type, flags);
    struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

    head->rtm_family = route->prefix.address.family;
    head->rtm_dst_len = route->prefix.length;
    head->rtm_protocol = SPILL_ROUTE_PROTOCOL;
    head->rtm_type = type_of(route->action);
    head->rtm_scope = route->count == 0 || route->paths[0].gateway.family != 0 ? RT_SCOPE_UNIVERSE
                                                                               : RT_SCOPE_LINK;
    mnl_attr_put_u32(message, RTA_TABLE, table);
    mnl_attr_put(message, RTA_DST, bytes_of(&route->prefix.address), route->prefix.address.bytes);
    if (route->count == 1) {
        mnl_attr_put_u32(message, RTA_OIF, route->paths[0].link);
        put_gateway(message, head->rtm_family, &route->paths[0].gateway);
    } else if (route->count > 1) {
        put_paths(message, route);
    }
    return ask(socket, message);
}

int spill_request_route(struct mnl_socket *socket, uint32_t table,
                        const struct spill_kernel_route *route, enum spill_request_beside beside,
                        struct spill_error *error)
{
    const uint16_t flag = beside == SPILL_REQUEST_REPLACES ? NLM_F_REPLACE : NLM_F_EXCL;
    char text[SPILL_IP_PREFIX_TEXT];
    const int status = ask_route(socket, RTM_NEWROUTE, NLM_F_CREATE | flag, table, route);

    if (status == 0 || (beside == SPILL_REQUEST_AGAIN && status == -EEXIST))
        return 0;
    spill_ip_prefix_write(&route->prefix, text);
    if (status == -EEXIST)
        return spill_error_set(
            error,
            "route %s: the kernel has one to there already: expected it gone, or "
            "netns in [router], so that the twins are apart from it",
            text);
    return spill_error_set(error, "route %s: the kernel refuses it: %s", text, strerror(-status));
}

int spill_request_no_route(struct mnl_socket *socket, uint32_t table,
                           const struct spill_kernel_route *route)
{
    const int status = ask_route(socket, RTM_DELROUTE, 0, table, route);

    return status == 0 || status == -ESRCH ? 0 : -1;
}

/* What one datagram of a dump has. @return whether that was the last; status: 0, or negative */
static bool read_routes(const char *buffer, ssize_t length, uint32_t table,
                        void (*call)(void *context, const struct spill_kernel_route *route),
                        void *context, int *status)
{
    const struct nlmsghdr *message = (const void *)buffer;
    struct spill_kernel_route route;
    int left = (int)length;

    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
            *status = mnl_nlmsg_get_payload_len(message) >= sizeof(*status)
                          ? *(const int *)mnl_nlmsg_get_payload(message)
                          : 0;
            return true;
        }
        if (message->nlmsg_type == RTM_NEWROUTE && spill_kernel_read_route(message, table, &route))
            call(context, &route);
    }
    return false;
}

int spill_request_own_routes(struct mnl_socket *socket, uint8_t family, uint32_t table,
                             void (*call)(void *context, const struct spill_kernel_route *route),
                             void *context, struct spill_error *error)
{
    const struct spill_netlink_dump dump = {
        .type = RTM_GETROUTE, .family = family, .table = table, .protocol = SPILL_ROUTE_PROTOCOL};
    struct pollfd answer = {.fd = mnl_socket_get_fd(socket), .events = POLLIN};
    char *buffer = malloc(DUMP_SIZE);
    int status = buffer != NULL ? -ETIMEDOUT : -ENOMEM;
    bool over = buffer == NULL;

    if (!over && spill_netlink_ask(socket, &dump, 0) != 0)
        over = (status = -errno) != 0;
    while (!over && poll(&answer, 1, ANSWER_MS) > 0)
        over = read_routes(buffer, mnl_socket_recvfrom(socket, buffer, DUMP_SIZE), table, call,
                           context, &status);
    free(buffer);
    /* A table that nobody has put a route in, or a family that the kernel has not. */
    if (status == 0 || status == -ENOENT || status == -EOPNOTSUPP || status == -EAFNOSUPPORT)
        return 0;
    return spill_error_set(error, "the routes of table %u can't be read: %s", table,
                           strerror(-status));
}

void spill_request_neighbor(struct mnl_socket *socket, uint32_t link,
                            const struct spill_ip *address, bool managed)
{
    char buffer[256] __rte_aligned(8) = {0};
    struct nlmsghdr *message = begin(buffer, RTM_NEWNEIGH, NLM_F_CREATE);
    struct ndmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

    head->ndm_family = address->family;
    head->ndm_ifindex = (int)link;
    head->ndm_flags = NTF_USE;
    mnl_attr_put(message, NDA_DST, bytes_of(address), address->bytes);
    if (managed) {
        mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
        mnl_attr_put_u8(message, NDA_PROTOCOL, SPILL_ROUTE_PROTOCOL);
    }
    mnl_socket_sendto(socket, message, message->nlmsg_len);
    /* What the kernel has against it is nobody's to read, and is not to pile up. */
    while (mnl_socket_recvfrom(socket, buffer, sizeof(buffer)) > 0)
        ;
}
