/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/twin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_common.h>

static int say(struct spill_error *error, const char *name, const char *what)
{
    return spill_error_set(error, "twin %s: %s: %s", name, what, strerror(errno));
}

static int make(struct spill_twin *twin, struct spill_error *error)
{
    struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL)};

    twin->descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (twin->descriptor < 0)
        return say(error, twin->name, "/dev/net/tun can't be opened");
    memcpy(request.ifr_name, twin->name, sizeof(twin->name));
    if (ioctl(twin->descriptor, TUNSETIFF, &request) != 0)
        return errno == EBUSY
                   ? spill_error_set(error,
                                     "twin %s: there is an interface of that name already: "
                                     "expected a name that none has",
                                     twin->name)
                   : say(error, twin->name, "no such interface can be made");
    /* What the kernel leaves to a device would have to be done here. */
    if (ioctl(twin->descriptor, TUNSETOFFLOAD, 0UL) != 0)
        return say(error, twin->name, "its offloads can't be switched off");
    return 0;
}

static int set_up(struct spill_twin *twin, const struct rte_ether_addr *mac, int control,
                  struct spill_error *error)
{
    struct ifreq request = {.ifr_flags = 0};

    memcpy(request.ifr_name, twin->name, sizeof(twin->name));
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, mac, sizeof(*mac));
    if (ioctl(control, SIOCSIFHWADDR, &request) != 0)
        return say(error, twin->name, "it does not take the port's MAC address");
    request.ifr_mtu = (int)twin->mtu;
    if (ioctl(control, SIOCSIFMTU, &request) != 0)
        return say(error, twin->name, "it does not take the port's MTU");
    if (ioctl(control, SIOCGIFINDEX, &request) != 0)
        return say(error, twin->name, "it has no index");
    twin->index = (uint32_t)request.ifr_ifindex;
    return 0;
}

/* A host would take routes from whoever sends router advertisements (RFC 4861 6.2.1) or redirects;
 * a router must not. A kernel without one of these has nothing to switch off. */
static int take_no_routes(const struct spill_twin *twin, struct spill_error *error)
{
    static const struct {
        const char *family, *key;
    } settings[] = {
        {"ipv6", "accept_ra"}, {"ipv6", "accept_redirects"}, {"ipv4", "accept_redirects"}};
    char path[80];
    int status = 0;

    for (size_t i = 0; i < RTE_DIM(settings) && status == 0; i++) {
        int descriptor;

        snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", settings[i].family, twin->name,
                 settings[i].key);
        descriptor = open(path, O_WRONLY | O_CLOEXEC);
        if (descriptor < 0 && errno == ENOENT)
            continue;
        if (descriptor < 0 || write(descriptor, "0", 1) != 1)
            status = say(error, path, "can't be set to 0");
        if (descriptor >= 0)
            close(descriptor);
    }
    return status;
}

int spill_twin_open(struct spill_twin *twin, const char *name, const struct rte_ether_addr *mac,
                    uint16_t mtu, struct spill_error *error)
{
    int control = -1, status;

    memset(twin, 0, sizeof(*twin));
    twin->descriptor = -1;
    twin->mtu = mtu;
    snprintf(twin->name, sizeof(twin->name), "%s", name);
    status = make(twin, error);
    if (status == 0) {
        control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        status = control < 0 ? say(error, name, "no socket") : set_up(twin, mac, control, error);
    }
    if (status == 0)
        status = take_no_routes(twin, error);
    if (control >= 0)
        close(control);
    if (status != 0)
        spill_twin_close(twin);
    return status;
}

enum spill_twin_name spill_twin_look_up(const char *name)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq request = {.ifr_data = (char *)&info};
    const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool tap;

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    tap = control >= 0 && ioctl(control, SIOCETHTOOL, &request) == 0 &&
          strcmp(info.driver, "tun") == 0;
    if (control >= 0)
        close(control);
    if (tap)
        return SPILL_TWIN_NAME_OF_TAP;
    return if_nametoindex(name) != 0 ? SPILL_TWIN_NAME_TAKEN : SPILL_TWIN_NAME_FREE;
}

void spill_twin_set_carrier(const struct spill_twin *twin, bool carrier)
{
    int value = carrier;

    ioctl(twin->descriptor, TUNSETCARRIER, &value);
}

void spill_twin_close(struct spill_twin *twin)
{
    if (twin->descriptor >= 0)
        close(twin->descriptor);
    twin->descriptor = -1;
}
