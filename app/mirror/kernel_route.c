/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of routes. */
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "mirror/kernel.h"
#include "mirror/kernel_attributes.h"

static bool read_type(uint8_t type, struct spill_kernel_route *route)
{
    switch (type) {
    case RTN_UNICAST:
        route->action = SPILL_ROUTE_FORWARD;
        return true;
    case RTN_LOCAL:
    case RTN_BROADCAST:
    case RTN_ANYCAST:
        route->action = SPILL_ROUTE_LOCAL;
        return true;
    case RTN_BLACKHOLE:
        route->action = SPILL_ROUTE_BLACKHOLE;
        return true;
    case RTN_PROHIBIT:
        route->action = SPILL_ROUTE_PROHIBIT;
        return true;
    case RTN_UNREACHABLE:
    case RTN_THROW: /* to a further table, where nothing stands */
        route->action = SPILL_ROUTE_UNREACHABLE;
        return true;
    default:
        return false;
    }
}

static void read_gateway(const struct nlattr *attribute, struct spill_kernel_path *path)
{
    const struct rtvia *via = mnl_attr_get_payload(attribute);
    const size_t length = mnl_attr_get_payload_len(attribute);

    if (mnl_attr_get_type(attribute) == RTA_GATEWAY) {
        spill_attribute_ip(attribute, &path->gateway);
    } else if (length == sizeof(*via) + 16 && via->rtvia_family == AF_INET6) {
        path->gateway.family = AF_INET6;
        memcpy(path->gateway.bytes, via->rtvia_addr, 16);
    }
}

/* Of those that stand for each path. */
static void read_path_attribute(const struct nlattr *attribute, struct spill_kernel_path *path)
{
    switch (mnl_attr_get_type(attribute)) {
    case RTA_GATEWAY:
    case RTA_VIA:
        read_gateway(attribute, path);
        break;
    case RTA_ENCAP_TYPE:
    case RTA_ENCAP:
        spill_attribute_tunnel(attribute, &path->encapsulation);
        break;
    default:
        break;
    }
}

static void read_paths(const struct nlattr *attribute, struct spill_kernel_route *route)
{
    const struct rtnexthop *hop = mnl_attr_get_payload(attribute);
    int left = (int)mnl_attr_get_payload_len(attribute);

    while (left >= (int)sizeof(*hop) && RTNH_OK(hop, left) &&
           route->count < SPILL_ROUTER_PATHS_MAX) {
        struct spill_kernel_path *path = &route->paths[route->count++];
        const struct nlattr *inner;

        path->link = (uint32_t)hop->rtnh_ifindex;
        path->weight = hop->rtnh_hops + UINT32_C(1);
        path->dead = (hop->rtnh_flags & RTNH_F_DEAD) != 0;
        SPILL_EACH_ATTRIBUTE(inner, (const void *)RTNH_DATA(hop), (const char *)hop + hop->rtnh_len)
        read_path_attribute(inner, path);
        left -= (int)RTNH_ALIGN(hop->rtnh_len);
        hop = RTNH_NEXT(hop);
    }
}

static void read_metrics(const struct nlattr *metrics, struct spill_kernel_route *route)
{
    const struct nlattr *attribute;
    uint32_t mtu;

    SPILL_EACH_ATTRIBUTE_IN(attribute, metrics)
    {
        if (mnl_attr_get_type(attribute) != RTAX_MTU)
            continue;
        mtu = spill_attribute_number(attribute);
        route->mtu = mtu < UINT16_MAX ? (uint16_t)mtu : 0;
    }
}

static void read_attribute(const struct nlattr *attribute, struct spill_kernel_route *route,
                           struct spill_kernel_path *single, uint32_t *table)
{
    switch (mnl_attr_get_type(attribute)) {
    case RTA_DST:
        spill_attribute_ip(attribute, &route->prefix.address);
        break;
    case RTA_TABLE:
        *table = spill_attribute_number(attribute);
        break;
    case RTA_PRIORITY:
        route->metric = spill_attribute_number(attribute);
        break;
    case RTA_OIF:
        single->link = spill_attribute_number(attribute);
        break;
    case RTA_MULTIPATH:
        read_paths(attribute, route);
        break;
    case RTA_NH_ID:
        route->next_hop = spill_attribute_number(attribute);
        break;
    case RTA_METRICS:
        read_metrics(attribute, route);
        break;
    default:
        read_path_attribute(attribute, single);
        break;
    }
}

/* By which it is told from others, and which forwarding looks at. */
static void settle_paths(struct spill_kernel_route *route, const struct spill_kernel_path *single)
{
    if (route->next_hop != 0) {
        /* As its object, whatever the message says of it beside (nexthop_compat_mode). */
        route->count = 0;
        route->action = SPILL_ROUTE_FORWARD;
        memset(route->paths, 0, sizeof(route->paths));
    } else if (route->count == 0 && single->link != 0) {
        route->paths[0] = *single;
        route->count = 1;
    }
}

static int compare_paths(const void *one, const void *other)
{
    const struct spill_kernel_path *left = one, *right = other;

    if (left->link != right->link)
        return left->link < right->link ? -1 : 1;
    if (left->encapsulation != right->encapsulation)
        return left->encapsulation < right->encapsulation ? -1 : 1;
    return memcmp(&left->gateway, &right->gateway, sizeof(left->gateway));
}

static bool is_link_local(const struct spill_ip_prefix *prefix)
{
    const uint8_t *bytes = prefix->address.bytes;

    return prefix->address.family == AF_INET6 && prefix->length >= 10 && bytes[0] == 0xfe &&
           (bytes[1] & 0xc0) == 0x80;
}

bool spill_kernel_read_route(const struct nlmsghdr *message, uint32_t table,
                             struct spill_kernel_route *route)
{
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    struct spill_kernel_path single = {.weight = 1};
    const struct nlattr *attribute;
    uint32_t its_table;

    memset(route, 0, sizeof(*route));
    if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
        (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) ||
        (header->rtm_flags & RTM_F_CLONED) != 0 || header->rtm_tos != 0 ||
        header->rtm_src_len != 0 || !read_type(header->rtm_type, route))
        return false;
    its_table = header->rtm_table;
    route->prefix.length = header->rtm_dst_len;
    single.dead = (header->rtm_flags & RTNH_F_DEAD) != 0;
    SPILL_EACH_ATTRIBUTE_OF(attribute, message, sizeof(*header))
    read_attribute(attribute, route, &single, &its_table);
    route->prefix.address.family = header->rtm_family;
    settle_paths(route, &single);
    route->local = its_table == RT_TABLE_LOCAL;
    route->kept = header->rtm_family == AF_INET && header->rtm_scope == RT_SCOPE_HOST;
    route->merges = header->rtm_family == AF_INET6 && header->rtm_protocol != RTPROT_RA &&
                    route->count > 0 && route->paths[0].gateway.family != 0;
    /* Each message has them in another order. */
    if (route->merges)
        qsort(route->paths, route->count, sizeof(*route->paths), compare_paths);
    return (route->local || its_table == table) && !is_link_local(&route->prefix) &&
           (route->prefix.length == 0 || !spill_ip_is_multicast(&route->prefix.address));
}
