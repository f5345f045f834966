/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded: a kernel that never hears that a route is to go; or, with REFUSE=thread, a machine
 * that has no further thread once there is a twin. */
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

static bool refuses_threads(void)
{
    const char *refused = getenv("REFUSE");

    return refused != NULL && strcmp(refused, "thread") == 0;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *message, size_t length)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    if (!refuses_threads() && ((const struct nlmsghdr *)message)->nlmsg_type == RTM_DELROUTE)
        return (ssize_t)length;
    return sendto(mnl_socket_get_fd(socket), message, length, 0, (const struct sockaddr *)&kernel,
                  sizeof(kernel));
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

    if (any_twin && refuses_threads())
        return EAGAIN;
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, run, argument);
}
