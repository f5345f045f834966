/* SPDX-License-Identifier: BSD-3-Clause */
/* What is left of a time without link in a port's sockets. */
#include <dirent.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "port/port.h"

/* Whether a descriptor is a packet socket on an interface. */
static bool is_socket_of(int descriptor, unsigned interface)
{
    struct sockaddr_ll address = {.sll_family = AF_UNSPEC};
    socklen_t size = sizeof(address);

    return getsockname(descriptor, (struct sockaddr *)&address, &size) == 0 &&
           address.sll_family == AF_PACKET && (unsigned)address.sll_ifindex == interface;
}

void spill_port_recover(const struct spill_port *port)
{
    DIR *descriptors = port->interface != 0 ? opendir("/proc/self/fd") : NULL;
    const struct dirent *entry;
    int error;

    while (descriptors != NULL && (entry = readdir(descriptors)) != NULL) {
        const int descriptor = atoi(entry->d_name);
        socklen_t size = sizeof(error);

        if (is_socket_of(descriptor, port->interface))
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size); /* which takes it */
    }
    if (descriptors != NULL)
        closedir(descriptors);
}
