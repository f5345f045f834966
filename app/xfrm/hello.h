/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_XFRM_HELLO_H
#define SPILLWAY_XFRM_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>

/**
 * @file
 * What goes over the XFRM socket (SOCK_SEQPACKET): netlink messages as the kernel's NETLINK_XFRM
 * has them, in both directions. One more says what a netlink socket would have been bound to: it
 * comes first, and again when that changes.
 */

#define SPILL_XFRM_DEFAULT_PATH "/run/charon.xfrm" /* stock AppArmor profiles let daemons there */

#define SPILL_XFRM_HELLO         0xf /* nlmsg_type: among those of netlink itself, and no one's */
#define SPILL_XFRM_HELLO_VERSION 1

#define SPILL_XFRM_MESSAGE_MAX 16384 /* bytes of what a client sends in one go */
#define SPILL_XFRM_BATCH_MAX   128   /* messages in one go */
#define SPILL_XFRM_ANSWER_MAX  4096  /* and of what it gets: daemons' buffers hold no more */

struct spill_xfrm_hello {
    struct nlmsghdr header;
    uint32_t version;
    uint32_t port;   /* nl_pid of the client's: answers carry it */
    uint32_t groups; /* a bit for each multicast group, the first bit for group 1 */
};

/** Whether a message is whole, of so many bytes from its beginning on. */
static inline bool spill_xfrm_is_whole(const struct nlmsghdr *header, size_t left)
{
    return left >= sizeof(*header) && header->nlmsg_len >= sizeof(*header) &&
           header->nlmsg_len <= left;
}

/** What follows a whole message. @param left  bytes from the message on; set to those behind it */
static inline const struct nlmsghdr *spill_xfrm_next(const struct nlmsghdr *header, size_t *left)
{
    const size_t size = NLMSG_ALIGN((size_t)header->nlmsg_len);

    *left -= size < *left ? size : *left;
    return (const struct nlmsghdr *)(const void *)((const uint8_t *)header + size);
}

#endif
