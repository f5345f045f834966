/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libspillway-xfrm.so, for LD_PRELOAD: an IKE daemon, or `ip xfrm`, speaks to spillway in place of
 * the kernel's XFRM. What it sees is a netlink socket; all others are what they were.
 *
 * The kernel is also not asked to let IKE's own packets pass by its policies, nor to take ESP out
 * of UDP: it has no policies here, and ESP is spillway's. Both would fail on a kernel without
 * IPsec.
 */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/udp.h>

#include "relay.h"

/* In <linux/in.h> and <linux/in6.h>, which do not go together with what the C library has. */
#define XFRM_POLICY_OPTION_IPV4 17
#define XFRM_POLICY_OPTION_IPV6 35

#define EXPORT __attribute__((visibility("default")))

/* The next function of a name behind this library, the C library's: looked for once. */
#define NEXT(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&name) function;                                                         \
        void *found = (void *)__atomic_load_n(&function, __ATOMIC_RELAXED);                        \
        if (found == NULL)                                                                         \
            found = dlsym(RTLD_NEXT, #name);                                                       \
        __atomic_store_n(&function, (__typeof__(&name))found, __ATOMIC_RELAXED);                   \
        (__typeof__(&name))found;                                                                  \
    })

EXPORT int socket(int domain, int type, int protocol)
{
    if (domain == AF_NETLINK && protocol == NETLINK_XFRM)
        return spill_relay_socket(type & (SOCK_CLOEXEC | SOCK_NONBLOCK));
    return NEXT(socket)(domain, type, protocol);
}

EXPORT int bind(int descriptor, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    struct sockaddr_nl name;

    if (size < sizeof(name) || address.__sockaddr__->sa_family != AF_NETLINK ||
        !spill_relay_has(descriptor))
        return NEXT(bind)(descriptor, address, size);
    memcpy(&name, address.__sockaddr__, sizeof(name));
    spill_relay_bind(descriptor, name.nl_pid, name.nl_groups);
    return 0;
}

/* Writes an address, as far as there is room for it. */
static void write_name(void *address, socklen_t *size, uint32_t port, uint32_t groups)
{
    const struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups};

    memcpy(address, &name, *size < sizeof(name) ? *size : sizeof(name));
    *size = sizeof(name);
}

EXPORT int getsockname(int descriptor, __SOCKADDR_ARG address, socklen_t *restrict size)
{
    uint32_t port, groups;

    if (!spill_relay_has(descriptor))
        return NEXT(getsockname)(descriptor, address, size);
    spill_relay_name(descriptor, &port, &groups);
    write_name(address.__sockaddr__, size, port, groups);
    return 0;
}

static int set_netlink_option(int descriptor, int option, const void *value, socklen_t size)
{
    uint32_t group;

    if (option != NETLINK_ADD_MEMBERSHIP && option != NETLINK_DROP_MEMBERSHIP)
        return 0;
    if (size < sizeof(group)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(&group, value, sizeof(group));
    if (group == 0 || group > 32) {
        errno = EINVAL;
        return -1;
    }
    spill_relay_join(descriptor, group, option == NETLINK_ADD_MEMBERSHIP);
    return 0;
}

EXPORT int setsockopt(int descriptor, int level, int option, const void *value, socklen_t size)
{
    if ((level == IPPROTO_IP && option == XFRM_POLICY_OPTION_IPV4) ||
        (level == IPPROTO_IPV6 && option == XFRM_POLICY_OPTION_IPV6) ||
        (level == IPPROTO_UDP && option == UDP_ENCAP))
        return 0;
    if (level == SOL_NETLINK && spill_relay_has(descriptor))
        return set_netlink_option(descriptor, option, value, size);
    return NEXT(setsockopt)(descriptor, level, option, value, size);
}

/* What is received comes from the kernel, as far as the host can see: from port 0. */
EXPORT ssize_t recvfrom(int descriptor, void *restrict buffer, size_t size, int flags,
                        __SOCKADDR_ARG address, socklen_t *restrict address_size)
{
    const __SOCKADDR_ARG nobody = {.__sockaddr__ = NULL};

    if (address.__sockaddr__ == NULL || !spill_relay_has(descriptor))
        return NEXT(recvfrom)(descriptor, buffer, size, flags, address, address_size);
    size = (size_t)NEXT(recvfrom)(descriptor, buffer, size, flags, nobody, NULL);
    if ((ssize_t)size >= 0)
        write_name(address.__sockaddr__, address_size, 0, 0);
    return (ssize_t)size;
}

/* As programs call it that were built with _FORTIFY_SOURCE. */
EXPORT ssize_t __recvfrom_chk(int descriptor, void *restrict buffer, size_t size, size_t room,
                              int flags, __SOCKADDR_ARG address, socklen_t *restrict address_size);
ssize_t __recvfrom_chk(int descriptor, void *restrict buffer, size_t size, size_t room, int flags,
                       __SOCKADDR_ARG address, socklen_t *restrict address_size)
{
    if (size > room || !spill_relay_has(descriptor))
        return NEXT(__recvfrom_chk)(descriptor, buffer, size, room, flags, address, address_size);
    return recvfrom(descriptor, buffer, size, flags, address, address_size);
}

EXPORT ssize_t recvmsg(int descriptor, struct msghdr *message, int flags)
{
    socklen_t room = message->msg_namelen; /* the peer has no name: it would be set to 0 */
    const ssize_t size = NEXT(recvmsg)(descriptor, message, flags);

    if (size < 0 || message->msg_name == NULL || !spill_relay_has(descriptor))
        return size;
    write_name(message->msg_name, &room, 0, 0);
    message->msg_namelen = room;
    return size;
}

EXPORT ssize_t sendto(int descriptor, const void *buffer, size_t size, int flags,
                      __CONST_SOCKADDR_ARG address, socklen_t address_size)
{
    if (spill_relay_has(descriptor)) {
        spill_relay_use(descriptor);
        address.__sockaddr__ = NULL;
        address_size = 0;
    }
    return NEXT(sendto)(descriptor, buffer, size, flags, address, address_size);
}

EXPORT ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    struct msghdr plain = *message;

    if (!spill_relay_has(descriptor))
        return NEXT(sendmsg)(descriptor, message, flags);
    spill_relay_use(descriptor);
    plain.msg_name = NULL;
    plain.msg_namelen = 0;
    return NEXT(sendmsg)(descriptor, &plain, flags);
}

/* Plain calls do as they are, but the first after a fork. */
static void use_after_fork(int descriptor)
{
    if (spill_relay_forked)
        spill_relay_use(descriptor);
}

EXPORT ssize_t send(int descriptor, const void *buffer, size_t size, int flags)
{
    use_after_fork(descriptor);
    return NEXT(send)(descriptor, buffer, size, flags);
}

EXPORT ssize_t write(int descriptor, const void *buffer, size_t size)
{
    use_after_fork(descriptor);
    return NEXT(write)(descriptor, buffer, size);
}

EXPORT ssize_t writev(int descriptor, const struct iovec *vectors, int count)
{
    use_after_fork(descriptor);
    return NEXT(writev)(descriptor, vectors, count);
}
