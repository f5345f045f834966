/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_MESSAGE_H
#define SPILLWAY_XFRM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

/**
 * @file
 * An XFRM message as a client sends it: whether all of it is there, and where its parts are. What
 * it says is not looked at. Pure; any thread.
 */

/** A message and its parts, which are those of the memory that it was read from. */
struct spill_xfrm_message {
    const struct nlmsghdr *header;
    const void *body; /* the struct of its type; NULL: the type has none */
    size_t body_size;
    const struct nlattr *attributes[XFRMA_MAX + 1]; /* by type; of one that comes twice the last */
};

/**
 * Takes a message apart.
 *
 * @param data  aligned for struct nlmsghdr
 * @param left  bytes from there on
 * @return 0; a negative errno: EINVAL, or EOPNOTSUPP for a type that is no request. `header` is set
 *         then, too, unless not even that is whole
 */
int spill_xfrm_message_read(const void *data, size_t left, struct spill_xfrm_message *message);

/** Whether a message asks for all SAs, or all policies. */
bool spill_xfrm_is_dump(const struct nlmsghdr *header);

/** The payload of an attribute, when it has so many bytes at least; else NULL. */
const void *spill_xfrm_attribute(const struct spill_xfrm_message *message, unsigned type,
                                 size_t size);

/** A 32-bit attribute's value; 0: it is not there. */
uint32_t spill_xfrm_number(const struct spill_xfrm_message *message, unsigned type);

#endif
