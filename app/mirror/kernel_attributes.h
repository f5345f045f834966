/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_KERNEL_ATTRIBUTES_H
#define SPILLWAY_MIRROR_KERNEL_ATTRIBUTES_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#include "route/address.h"

/**
 * @file
 * What those share who read the kernel's messages. An attribute that is too short is no value.
 */

/* IFF_LOWER_UP: <linux/if.h> has it, and can't stand beside <net/if.h>. */
#define SPILL_LOWER_UP (1U << 16)

/* The attributes from one place to another: libmnl's own such macros don't pass -Wconversion. */
#define SPILL_EACH_ATTRIBUTE(attribute, first, end)                                                \
    for ((attribute) = (first);                                                                    \
         mnl_attr_ok((attribute), (int)((const char *)(end) - (const char *)(attribute)));         \
         (attribute) = mnl_attr_next(attribute))

/* Those of a message, behind a head of `size` bytes. */
#define SPILL_EACH_ATTRIBUTE_OF(attribute, message, size)                                          \
    SPILL_EACH_ATTRIBUTE(attribute, mnl_nlmsg_get_payload_offset(message, size),                   \
                         mnl_nlmsg_get_payload_tail(message))

/* Those within another. */
#define SPILL_EACH_ATTRIBUTE_IN(attribute, outer)                                                  \
    SPILL_EACH_ATTRIBUTE(attribute, mnl_attr_get_payload(outer),                                   \
                         (const char *)mnl_attr_get_payload(outer) +                               \
                             mnl_attr_get_payload_len(outer))

/** @return false: it has not an address's length */
bool spill_attribute_ip(const struct nlattr *attribute, struct spill_ip *ip);

/** Of four bytes; 0 of less. */
uint32_t spill_attribute_number(const struct nlattr *attribute);

/** Notes an attribute that says of which tunnel a way is, in the hash of all that do. */
void spill_attribute_tunnel(const struct nlattr *attribute, uint32_t *encapsulation);

bool spill_ip_is_multicast(const struct spill_ip *ip);

#endif
