/* SPDX-License-Identifier: BSD-3-Clause */
/* What a port's link is at this moment. */
#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "port/port.h"

/* Whether an interface that is up has a carrier. IFF_RUNNING says so up to a second late, when
 * packets have long been leaving; it is for drivers that don't answer. */
static bool has_carrier(int descriptor, const struct ifreq *flags)
{
    struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
    struct ifreq request = *flags;

    request.ifr_data = (char *)&link;
    if (ioctl(descriptor, SIOCETHTOOL, &request) == 0)
        return link.data != 0;
    return (flags->ifr_flags & IFF_RUNNING) != 0;
}

/* What the kernel says of an interface; false: it can't be asked. */
static bool ask_kernel(unsigned interface, struct spill_port_link *link)
{
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request;

    if (descriptor < 0)
        return false;
    memset(&request, 0, sizeof(request));
    link->state = SPILL_LINK_GONE;
    if (if_indextoname(interface, request.ifr_name) != NULL &&
        ioctl(descriptor, SIOCGIFFLAGS, &request) == 0) {
        const bool up = (request.ifr_flags & IFF_UP) != 0 && has_carrier(descriptor, &request);

        link->state = up ? SPILL_LINK_UP : SPILL_LINK_DOWN;
        if (ioctl(descriptor, SIOCGIFMTU, &request) == 0)
            link->mtu = (uint16_t)RTE_MIN(request.ifr_mtu, UINT16_MAX);
    }
    close(descriptor);
    return true;
}

/* A tap that was deleted has left its driver's descriptors behind; one that was moved into another
 * network namespace has not. */
static bool is_deleted(int tap)
{
    struct ifreq request;

    memset(&request, 0, sizeof(request));
    return ioctl(tap, TUNGETIFF, &request) != 0 && errno == EBADFD;
}

int spill_port_find_tap(unsigned interface)
{
    DIR *descriptors = opendir("/proc/self/fd");
    const struct dirent *entry;
    int found = -1;

    while (descriptors != NULL && found < 0 && (entry = readdir(descriptors)) != NULL) {
        struct ifreq request;

        memset(&request, 0, sizeof(request));
        if (entry->d_name[0] != '.' && ioctl(atoi(entry->d_name), TUNGETIFF, &request) == 0 &&
            if_nametoindex(request.ifr_name) == interface)
            found = atoi(entry->d_name);
    }
    if (descriptors != NULL)
        closedir(descriptors);
    return found;
}

void spill_port_look(const struct spill_port *port, struct spill_port_link *link)
{
    *link = (struct spill_port_link){.state = SPILL_LINK_UP, .mtu = port->mtu};
    if (port->interface != 0 && ask_kernel(port->interface, link))
        return;
    if (port->tap >= 0 && is_deleted(port->tap))
        link->state = SPILL_LINK_GONE;
    else if (!spill_port_link_up(port))
        link->state = SPILL_LINK_DOWN;
}
