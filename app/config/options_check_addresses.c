/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the addresses of routed ports are apart: of any two ports, as each is on a link of its
 * own.
 */
#include "config/options_check.h"

#include <stdio.h>

/* Each link has its own of these. */
static bool is_link_local(const struct spill_ip *ip)
{
    return ip->family == AF_INET6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

/* Without a network: a link between two, unnumbered, has an address that another port may have. */
static bool is_alone(const struct spill_ip_prefix *address)
{
    return address->length == spill_ip_bits(address->address.family);
}

static bool is_same(const struct spill_ip_prefix *one, const struct spill_ip_prefix *other)
{
    return spill_ip_equal(&one->address, &other->address) && !is_link_local(&one->address) &&
           !is_alone(one) && !is_alone(other);
}

static bool overlap(const struct spill_ip_prefix *one, const struct spill_ip_prefix *other)
{
    if (is_link_local(&one->address) || is_link_local(&other->address) || is_alone(one) ||
        is_alone(other))
        return false;
    return one->length < other->length ? spill_ip_prefix_has(one, &other->address)
                                       : spill_ip_prefix_has(other, &one->address);
}

const struct spill_ip_prefix *
spill_options_same_address(const struct spill_option_addresses *of,
                           const struct spill_option_addresses *others)
{
    for (unsigned int i = 0; i < of->count; i++) {
        for (unsigned int j = 0; j < others->count; j++) {
            if (is_same(&of->list[i], &others->list[j]))
                return &of->list[i];
        }
    }
    return NULL;
}

static int check_own(const struct spill_option_interface *interface, struct spill_error *error)
{
    const struct spill_option_addresses *addresses = &interface->addresses;
    char text[SPILL_IP_PREFIX_TEXT];

    for (unsigned int i = 0; i < addresses->count; i++) {
        for (unsigned int j = 0; j < i; j++) {
            if (spill_ip_equal(&addresses->list[i].address, &addresses->list[j].address))
                return spill_error_set(error, "%s: address %s stands there twice: expected it once",
                                       spill_option_where(&interface->where, "address"),
                                       spill_ip_write(&addresses->list[i].address, text));
        }
    }
    return 0;
}

int spill_options_check_addresses(const struct spill_options *options, struct spill_error *error)
{
    char text[SPILL_IP_PREFIX_TEXT];

    for (unsigned int i = 0; i < options->interface_count; i++) {
        const struct spill_option_interface *interface = &options->interfaces[i];

        if (check_own(interface, error) != 0)
            return -1;
        for (unsigned int j = 0; j < i; j++) {
            const struct spill_option_interface *other = &options->interfaces[j];
            const struct spill_ip_prefix *same =
                spill_options_same_address(&interface->addresses, &other->addresses);

            if (same != NULL)
                return spill_error_set(error,
                                       "%s: address %s is that of [port %s] already: expected one "
                                       "of its own",
                                       spill_option_where(&interface->where, "address"),
                                       spill_ip_write(&same->address, text), other->name);
        }
    }
    return 0;
}

static void tell_two(const struct spill_option_interface *interface,
                     const struct spill_option_interface *other,
                     void (*tell)(void *context, const char *warning), void *context)
{
    const struct spill_option_addresses *of = &interface->addresses, *others = &other->addresses;

    for (unsigned int i = 0; i < of->count; i++) {
        for (unsigned int j = 0; j < others->count; j++) {
            struct spill_ip_prefix networks[2] = {of->list[i], others->list[j]};
            char texts[2][SPILL_IP_PREFIX_TEXT], warning[512];

            if (!overlap(&networks[0], &networks[1]))
                continue;
            for (unsigned int k = 0; k < 2; k++) {
                spill_ip_prefix_trim(&networks[k]);
                spill_ip_prefix_write(&networks[k], texts[k]);
            }
            snprintf(warning, sizeof(warning),
                     "%s: network %s overlaps %s of [port %s]: who is in both is reached by one of "
                     "the two ports alone",
                     spill_option_where(&interface->where, "address"), texts[0], texts[1],
                     other->name);
            tell(context, warning);
        }
    }
}

void spill_options_tell_overlaps(const struct spill_options *options,
                                 void (*tell)(void *context, const char *warning), void *context)
{
    for (unsigned int i = 0; i < options->interface_count; i++) {
        for (unsigned int j = 0; j < i; j++)
            tell_two(&options->interfaces[i], &options->interfaces[j], tell, context);
    }
}
