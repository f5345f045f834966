/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_common.h>

#include "mirror/netlink.h"

#define OWN_NAMESPACE "/proc/thread-self/ns/net"

int spill_netlink_namespace(const char *path, struct spill_error *error)
{
    const char *name = path != NULL ? path : OWN_NAMESPACE;
    int descriptor = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (descriptor < 0)
        return spill_error_set(error, "network namespace %s: %s", name, strerror(errno));
    if (ioctl(descriptor, NS_GET_NSTYPE) == CLONE_NEWNET)
        return descriptor;
    close(descriptor);
    return spill_error_set(error,
                           "network namespace %s: it is none: expected one as ip-netns(8) "
                           "makes, /run/netns/NAME",
                           name);
}

static struct mnl_socket *open_here(struct spill_error *error)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int on = 1;

    if (socket != NULL && mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) == 0)
        return socket;
    spill_error_set(error, "no socket to the kernel's routing (netlink): %s", strerror(errno));
    if (socket != NULL)
        mnl_socket_close(socket);
    return NULL;
}

/* Needs no privilege where the thread is there already. */
static int enter(int name_space)
{
    int here = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
    struct stat own = {.st_ino = 0}, other;
    bool same = here >= 0 && fstat(here, &own) == 0 && fstat(name_space, &other) == 0 &&
                own.st_dev == other.st_dev && own.st_ino == other.st_ino;

    if (here >= 0)
        close(here);
    return same ? 0 : setns(name_space, CLONE_NEWNET);
}

int spill_netlink_enter(int name_space, struct spill_error *error)
{
    int home = spill_netlink_namespace(NULL, error);

    if (home < 0 || enter(name_space) == 0)
        return home;
    spill_error_set(error, "network namespace: can't enter it: %s", strerror(errno));
    close(home);
    return -1;
}

int spill_netlink_return(int home, struct spill_error *error)
{
    int status = enter(home);

    if (status != 0)
        spill_error_set(error, "network namespace: can't come back from it: %s", strerror(errno));
    close(home);
    return status;
}

struct mnl_socket *spill_netlink_open(int name_space, struct spill_error *error)
{
    int home = spill_netlink_enter(name_space, error);
    struct mnl_socket *socket;

    if (home < 0)
        return NULL;
    socket = open_here(error);
    if (spill_netlink_return(home, error) == 0)
        return socket;
    if (socket != NULL)
        mnl_socket_close(socket);
    return NULL;
}

int spill_netlink_listen(struct mnl_socket *socket, uint32_t buffer, struct spill_error *error)
{
    static const int groups[] = {
        RTNLGRP_LINK,       RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
        RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP,
    };
    const int descriptor = mnl_socket_get_fd(socket);
    const int size = (int)buffer;
    uint32_t i;

    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    for (i = 0; i < RTE_DIM(groups); i++) {
        int group = groups[i];

        if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
            return spill_error_set(error, "the kernel does not tell of its routing: %s",
                                   strerror(errno));
    }
    return 0;
}

/* The head that a strict kernel wants for each kind, all zeros but what is asked for. */
static void put_head(struct nlmsghdr *message, const struct spill_netlink_dump *dump)
{
    struct rtmsg *route;

    switch (dump->type) {
    case RTM_GETLINK:
        mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
        break;
    case RTM_GETADDR:
        mnl_nlmsg_put_extra_header(message, sizeof(struct ifaddrmsg));
        break;
    case RTM_GETNEIGH:
        mnl_nlmsg_put_extra_header(message, sizeof(struct ndmsg));
        break;
    case RTM_GETNEXTHOP:
        mnl_nlmsg_put_extra_header(message, sizeof(struct nhmsg));
        break;
    default:
        route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
        route->rtm_family = dump->family;
        route->rtm_protocol = dump->protocol;
        mnl_attr_put_u32(message, RTA_TABLE, dump->table);
        break;
    }
}

int spill_netlink_ask(struct mnl_socket *socket, const struct spill_netlink_dump *dump,
                      uint32_t sequence)
{
    char buffer[256] __rte_aligned(8) = {0};
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

    message->nlmsg_type = dump->type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message->nlmsg_seq = sequence;
    put_head(message, dump);
    return mnl_socket_sendto(socket, message, message->nlmsg_len) < 0 ? -1 : 0;
}
