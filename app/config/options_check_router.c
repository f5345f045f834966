/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether routed ports, routes and neighbours fit together. */
#include "config/options_check.h"

#include <net/if.h>
#include <string.h>

bool spill_options_port_routes(const struct spill_options *options, unsigned int port)
{
    for (unsigned int i = 0; i < options->interface_count; i++) {
        if (options->interfaces[i].routed && options->interfaces[i].port == port)
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------------- the interfaces */

/* Where a key of a port was given; where it was not, the first that was. */
static const char *where(const struct spill_option_interface *interface, const char *key)
{
    const char *given = spill_option_where(&interface->where, key);

    return given != NULL ? given : interface->where.list[0].text;
}

static int check_sub_port(struct spill_option_interface *interface,
                          const struct spill_option_port *own, struct spill_error *error)
{
    if (interface->parent[0] == '\0' && interface->vlan != 0)
        return spill_error_set(error, "%s: [port %s] has a vlan: expected its parent, too",
                               where(interface, "vlan"), interface->name);
    if (interface->parent[0] == '\0')
        return 0;
    if (own != NULL)
        return spill_error_set(error, "%s: [port %s] has a parent: expected no device",
                               where(interface, "parent"), interface->name);
    if (interface->vlan == 0)
        return spill_error_set(error, "%s: [port %s] has a parent: expected its vlan, too",
                               where(interface, "parent"), interface->name);
    if (!interface->routed)
        return spill_error_set(error, "%s: [port %s] is a sub-port: expected routed = yes",
                               where(interface, "routed"), interface->name);
    return 0;
}

static int check_twice(const struct spill_options *options, unsigned int index,
                       struct spill_error *error)
{
    const struct spill_option_interface *interface = &options->interfaces[index];

    for (unsigned int i = 0; i < index; i++) {
        const struct spill_option_interface *other = &options->interfaces[i];

        if (other->routed && other->port == interface->port && other->vlan == interface->vlan)
            return spill_error_set(error, "%s: VLAN %u of its port is that of [port %s] already",
                                   where(interface, "vlan"), interface->vlan, other->name);
    }
    return 0;
}

/* The first and the last of an IPv4 network are the network's own. */
static bool is_of_network(const struct spill_ip_prefix *address)
{
    const uint8_t *bytes = address->address.bytes;
    const uint32_t ip =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    uint32_t host;

    if (address->address.family != AF_INET || address->length > 30)
        return false;
    host = UINT32_MAX >> address->length;
    return (ip & host) == 0 || (ip & host) == host;
}

static int check_addresses(const struct spill_option_interface *interface,
                           struct spill_error *error)
{
    for (unsigned int i = 0; i < interface->addresses.count; i++) {
        const uint8_t *bytes = interface->addresses.list[i].address.bytes;
        const bool v4 = interface->addresses.list[i].address.family == AF_INET;
        char text[SPILL_IP_PREFIX_TEXT];

        if ((v4 ? bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 224 : bytes[0] == 0xff) ||
            is_of_network(&interface->addresses.list[i]))
            return spill_error_set(error, "%s: address %s: expected that of a host",
                                   where(interface, "address"),
                                   spill_ip_prefix_write(&interface->addresses.list[i], text));
    }
    if (interface->addresses.count > 0 && !interface->routed)
        return spill_error_set(error, "%s: [port %s] has addresses: expected routed = yes",
                               where(interface, "address"), interface->name);
    return 0;
}

/* Where one has a twin, the kernel decides, and knows nothing of a port without. */
static int check_twin(const struct spill_options *options,
                      const struct spill_option_interface *interface, struct spill_error *error)
{
    if (interface->twin[0] != '\0' && !interface->routed)
        return spill_error_set(error, "%s: [port %s] has a twin: expected routed = yes",
                               where(interface, "twin"), interface->name);
    if (strcmp(interface->twin, "all") == 0 || strcmp(interface->twin, "default") == 0)
        return spill_error_set(error,
                               "%s: twin %s: expected a name that the kernel has no other "
                               "use for",
                               where(interface, "twin"), interface->twin);
    if (strlen(interface->twin) >= IF_NAMESIZE)
        return spill_error_set(error, "%s: twin %s: expected a name of at most %d characters",
                               where(interface, "twin"), interface->twin, IF_NAMESIZE - 1);
    for (const struct spill_option_interface *other = options->interfaces; other < interface;
         other++) {
        if (interface->twin[0] != '\0' && strcmp(other->twin, interface->twin) == 0)
            return spill_error_set(error,
                                   "%s: twin %s is that of [port %s] already: expected a name of "
                                   "its own",
                                   where(interface, "twin"), interface->twin, other->name);
    }
    if (interface->routed && interface->twin[0] == '\0' && spill_options_have_twins(options))
        return spill_error_set(error,
                               "%s: [port %s] has no twin: expected one, as other routed ports "
                               "have, or none anywhere",
                               where(interface, "routed"), interface->name);
    return 0;
}

static int check_interface(struct spill_options *options, unsigned int index,
                           struct spill_error *error)
{
    struct spill_option_interface *interface = &options->interfaces[index];
    const struct spill_option_port *own = spill_options_find_port(options, interface->name);
    const char *name = interface->parent[0] != '\0' ? interface->parent : interface->name;
    const struct spill_option_port *port = spill_options_find_port(options, name);

    if (check_sub_port(interface, own, error) != 0 || check_twin(options, interface, error) != 0)
        return -1;
    if (port == NULL)
        return spill_error_set(error, "%s: there is no port '%s': expected [port %s] with a device",
                               where(interface, "parent"), name, name);
    interface->port = (uint16_t)(port - options->ports);
    if (interface->routed && check_twice(options, index, error) != 0)
        return -1;
    return check_addresses(interface, error);
}

/* -------------------------------------------------------------------- routes and neighbours */

static int find_interface(const struct spill_options *options, const char *name, const char *where,
                          uint16_t *index, struct spill_error *error)
{
    const struct spill_option_interface *interface = spill_options_find_interface(options, name);

    if (interface == NULL || !interface->routed)
        return spill_error_set(error,
                               "%s: port '%s' is not there, or not routed: expected routed "
                               "= yes in [port %s]",
                               where, name, name);
    *index = (uint16_t)(interface - options->interfaces);
    return 0;
}

/* The interface that has a gateway in one of its networks, of several in the smallest. */
static int find_by_gateway(const struct spill_options *options, const struct spill_ip *gateway,
                           const char *where, uint16_t *index, struct spill_error *error)
{
    char text[SPILL_IP_PREFIX_TEXT];
    int length = -1;

    for (uint16_t i = 0; i < options->interface_count; i++) {
        const struct spill_option_addresses *addresses = &options->interfaces[i].addresses;

        for (unsigned int j = 0; j < addresses->count; j++) {
            if ((int)addresses->list[j].length > length &&
                spill_ip_prefix_has(&addresses->list[j], gateway)) {
                length = addresses->list[j].length;
                *index = i;
            }
        }
    }
    if (length < 0)
        return spill_error_set(error,
                               "%s: no port has an address in the network of %s: expected one, or "
                               "its port: via = %s port NAME",
                               where, spill_ip_write(gateway, text), text);
    return 0;
}

/* Whether an address that a port's link should have somebody else at is the router's own, or the
 * network's. */
static bool is_nobody(const struct spill_options *options, const struct spill_ip *address)
{
    for (unsigned int i = 0; i < options->interface_count; i++) {
        const struct spill_option_addresses *addresses = &options->interfaces[i].addresses;

        for (unsigned int j = 0; j < addresses->count; j++) {
            struct spill_ip_prefix as_own = addresses->list[j];

            if (spill_ip_equal(&as_own.address, address))
                return true;
            as_own.address = *address;
            if (spill_ip_prefix_has(&addresses->list[j], address) && is_of_network(&as_own))
                return true;
        }
    }
    return false;
}

static int check_other(const struct spill_options *options, const struct spill_ip *address,
                       const char *where, struct spill_error *error)
{
    char text[SPILL_IP_PREFIX_TEXT];

    if (!is_nobody(options, address))
        return 0;
    return spill_error_set(error,
                           "%s: %s is the router's own address, or a network's: expected that of "
                           "a neighbor",
                           where, spill_ip_write(address, text));
}

static int check_route(const struct spill_options *options, struct spill_option_route *route,
                       struct spill_error *error)
{
    if ((route->action != SPILL_ROUTE_NONE) == (route->via.count > 0))
        return spill_error_set(error, "%s: expected via or action, one of them", route->where);
    for (unsigned int i = 0; i < route->via.count; i++) {
        struct spill_option_via *via = &route->via.list[i];

        if (via->gateway.family != 0 && via->gateway.family != route->prefix.address.family &&
            route->prefix.address.family == AF_INET6)
            return spill_error_set(error, "%s: an IPv6 route: expected IPv6 next hops",
                                   route->where);
        if (via->gateway.family != 0 &&
            check_other(options, &via->gateway, route->where, error) != 0)
            return -1;
        if (via->interface[0] != '\0') {
            if (find_interface(options, via->interface, route->where, &via->index, error) != 0)
                return -1;
        } else if (find_by_gateway(options, &via->gateway, route->where, &via->index, error) != 0) {
            return -1;
        }
    }
    return 0;
}

int spill_options_check_router(struct spill_options *options, struct spill_error *error)
{
    for (unsigned int i = 0; i < options->interface_count; i++) {
        if (check_interface(options, i, error) != 0)
            return -1;
    }
    if (spill_options_check_addresses(options, error) != 0)
        return -1;
    for (unsigned int i = 0; i < options->route_count; i++) {
        if (check_route(options, &options->routes[i], error) != 0)
            return -1;
    }
    for (unsigned int i = 0; i < options->neighbor_count; i++) {
        struct spill_option_neighbor *neighbor = &options->neighbors[i];

        if (find_interface(options, neighbor->interface, neighbor->where, &neighbor->index,
                           error) != 0 ||
            check_other(options, &neighbor->address, neighbor->where, error) != 0)
            return -1;
    }
    return 0;
}
