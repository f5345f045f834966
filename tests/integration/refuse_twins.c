/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded, by what REFUSE says: route: a kernel that never hears that one is to go; thread: there
 * is none once there is a twin; buffer: a small one for what the kernel tells. */
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dlfcn.h>
#include <libmnl/libmnl.h>

static bool any_twin;

static bool refuses(const char *what)
{
    const char *refused = getenv("REFUSE");

    return refused != NULL && strcmp(refused, what) == 0;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *message, size_t length)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    if (refuses("route") && ((const struct nlmsghdr *)message)->nlmsg_type == RTM_DELROUTE)
        return (ssize_t)length;
    return sendto(mnl_socket_get_fd(socket), message, length, 0, (const struct sockaddr *)&kernel,
                  sizeof(kernel));
}

int setsockopt(int descriptor, int level, int name, const void *value, socklen_t length)
{
    if (refuses("buffer") && level == SOL_SOCKET && (name == SO_RCVBUFFORCE || name == SO_RCVBUF))
        return 0;
    return (int)syscall(SYS_setsockopt, descriptor, level, name, value, length);
}

int ioctl(int descriptor, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    any_twin |= request == TUNSETIFF;
    return (int)syscall(SYS_ioctl, descriptor, request, argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (any_twin && refuses("thread"))
        return EAGAIN;
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, run, argument);
}
