/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of links, addresses, neighbours and next-hop objects. Routes are in kernel_route.c. */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include <rte_jhash.h>

#include "mirror/kernel.h"
#include "mirror/kernel_attributes.h"

bool spill_attribute_ip(const struct nlattr *attribute, struct spill_ip *ip)
{
    const size_t length = mnl_attr_get_payload_len(attribute);

    memset(ip, 0, sizeof(*ip));
    if (length != 4 && length != 16)
        return false;
    ip->family = length == 4 ? AF_INET : AF_INET6;
    memcpy(ip->bytes, mnl_attr_get_payload(attribute), length);
    return true;
}

uint32_t spill_attribute_number(const struct nlattr *attribute)
{
    return mnl_attr_get_payload_len(attribute) >= 4 ? mnl_attr_get_u32(attribute) : 0;
}

void spill_attribute_tunnel(const struct nlattr *attribute, uint32_t *encapsulation)
{
    *encapsulation = rte_jhash(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute),
                               *encapsulation) |
                     1;
}

static void read_mac(const struct nlattr *attribute, struct rte_ether_addr *mac)
{
    if (mnl_attr_get_payload_len(attribute) == sizeof(*mac))
        memcpy(mac, mnl_attr_get_payload(attribute), sizeof(*mac));
}

static void read_name(const struct nlattr *attribute, char name[IF_NAMESIZE])
{
    memcpy(name, mnl_attr_get_payload(attribute),
           RTE_MIN(mnl_attr_get_payload_len(attribute), IF_NAMESIZE - 1));
}

static void read_kind(const struct nlattr *info, struct spill_kernel_link *link)
{
    const struct nlattr *attribute;

    SPILL_EACH_ATTRIBUTE_IN(attribute, info)
    {
        if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
            link->macvlan = strncmp(mnl_attr_get_payload(attribute), "macvlan",
                                    mnl_attr_get_payload_len(attribute)) == 0;
    }
}

static void read_link_attribute(const struct nlattr *attribute, struct spill_kernel_link *link,
                                bool *elsewhere)
{
    switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
        read_name(attribute, link->name);
        break;
    case IFLA_MTU:
        link->mtu = spill_attribute_number(attribute);
        break;
    case IFLA_LINK:
        link->parent = spill_attribute_number(attribute);
        break;
    case IFLA_LINK_NETNSID:
        *elsewhere = true;
        break;
    case IFLA_ADDRESS:
        read_mac(attribute, &link->mac);
        break;
    case IFLA_LINKINFO:
        read_kind(attribute, link);
        break;
    default:
        break;
    }
}

bool spill_kernel_read_link(const struct nlmsghdr *message, struct spill_kernel_link *link)
{
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attribute;
    bool elsewhere = false;

    memset(link, 0, sizeof(*link));
    if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) || header->ifi_family != AF_UNSPEC)
        return false;
    link->index = (uint32_t)header->ifi_index;
    link->enabled = (header->ifi_flags & IFF_UP) != 0;
    link->carrier = (header->ifi_flags & SPILL_LOWER_UP) != 0;
    link->running = link->enabled && (header->ifi_flags & (IFF_RUNNING | SPILL_LOWER_UP)) != 0;
    SPILL_EACH_ATTRIBUTE_OF(attribute, message, sizeof(*header))
    read_link_attribute(attribute, link, &elsewhere);
    if (elsewhere)
        link->parent = 0;
    return true;
}

bool spill_kernel_read_address(const struct nlmsghdr *message, struct spill_kernel_address *address)
{
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attribute;
    uint32_t flags;
    bool local = false, found = false;

    memset(address, 0, sizeof(*address));
    if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
        return false;
    address->link = header->ifa_index;
    flags = header->ifa_flags;
    SPILL_EACH_ATTRIBUTE_OF(attribute, message, sizeof(*header))
    {
        const uint16_t type = mnl_attr_get_type(attribute);

        /* Of a link between two ends, IFA_ADDRESS is the other one's. */
        if (type == IFA_LOCAL || (type == IFA_ADDRESS && !local))
            found = spill_attribute_ip(attribute, &address->prefix.address);
        local |= type == IFA_LOCAL;
        if (type == IFA_FLAGS)
            flags = spill_attribute_number(attribute);
    }
    address->prefix.length = header->ifa_prefixlen;
    address->usable = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0;
    return found;
}

bool spill_ip_is_multicast(const struct spill_ip *ip)
{
    return ip->family == AF_INET ? (ip->bytes[0] & 0xf0) == 0xe0 : ip->bytes[0] == 0xff;
}

static enum spill_neighbor_state state_of(uint16_t state)
{
    if ((state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)) !=
        0)
        return SPILL_NEIGHBOR_REACHABLE;
    return (state & NUD_FAILED) != 0 ? SPILL_NEIGHBOR_FAILED : SPILL_NEIGHBOR_UNRESOLVED;
}

bool spill_kernel_read_neighbor(const struct nlmsghdr *message,
                                struct spill_kernel_neighbor *neighbor)
{
    const struct ndmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attribute;
    bool found = false, resolved = false;

    memset(neighbor, 0, sizeof(*neighbor));
    if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
        (header->ndm_family != AF_INET && header->ndm_family != AF_INET6) ||
        (header->ndm_flags & NTF_PROXY) != 0)
        return false;
    neighbor->link = (uint32_t)header->ndm_ifindex;
    SPILL_EACH_ATTRIBUTE_OF(attribute, message, sizeof(*header))
    {
        if (mnl_attr_get_type(attribute) == NDA_DST)
            found = spill_attribute_ip(attribute, &neighbor->address);
        if (mnl_attr_get_type(attribute) == NDA_PROTOCOL)
            neighbor->ours = mnl_attr_get_u8(attribute) == SPILL_ROUTE_PROTOCOL;
        if (mnl_attr_get_type(attribute) == NDA_FLAGS_EXT)
            neighbor->managed = (mnl_attr_get_u32(attribute) & NTF_EXT_MANAGED) != 0;
        if (mnl_attr_get_type(attribute) == NDA_LLADDR) {
            read_mac(attribute, &neighbor->mac);
            resolved = mnl_attr_get_payload_len(attribute) == sizeof(neighbor->mac) &&
                       !rte_is_multicast_ether_addr(&neighbor->mac);
        }
    }
    neighbor->state = state_of(header->ndm_state);
    neighbor->permanent = (header->ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0;
    if (neighbor->state == SPILL_NEIGHBOR_REACHABLE && !resolved)
        neighbor->state = SPILL_NEIGHBOR_UNRESOLVED;
    return found && !spill_ip_is_multicast(&neighbor->address);
}

static void read_members(const struct nlattr *attribute, struct spill_kernel_next_hop *next_hop)
{
    const struct nexthop_grp *members = mnl_attr_get_payload(attribute);
    const uint32_t count = mnl_attr_get_payload_len(attribute) / sizeof(*members);
    uint32_t i;

    for (i = 0; i < count && next_hop->count < SPILL_ROUTER_PATHS_MAX; i++)
        next_hop->members[next_hop->count++] = (struct spill_kernel_member){
            .id = members[i].id, .weight = members[i].weight + UINT32_C(1)};
}

bool spill_kernel_read_next_hop(const struct nlmsghdr *message,
                                struct spill_kernel_next_hop *next_hop)
{
    const struct nlattr *attribute;

    memset(next_hop, 0, sizeof(*next_hop));
    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nhmsg))
        return false;
    next_hop->path.weight = 1;
    SPILL_EACH_ATTRIBUTE_OF(attribute, message, sizeof(struct nhmsg))
    {
        switch (mnl_attr_get_type(attribute)) {
        case NHA_ID:
            next_hop->id = spill_attribute_number(attribute);
            break;
        case NHA_GROUP:
            read_members(attribute, next_hop);
            break;
        case NHA_BLACKHOLE:
            next_hop->blackhole = true;
            break;
        case NHA_OIF:
            next_hop->path.link = spill_attribute_number(attribute);
            break;
        case NHA_GATEWAY:
            spill_attribute_ip(attribute, &next_hop->path.gateway);
            break;
        case NHA_ENCAP_TYPE:
        case NHA_ENCAP:
            spill_attribute_tunnel(attribute, &next_hop->path.encapsulation);
            break;
        case NHA_FDB:
            return false;
        default:
            break;
        }
    }
    return next_hop->id != 0;
}
