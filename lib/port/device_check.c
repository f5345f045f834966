/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks at the kernel's and the file system's side of a device, for a clear word when it can't be.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_kvargs.h>

#include "port/device.h"

bool spill_device_unfinished_frames(const struct spill_device *device)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq request = {.ifr_data = (char *)&info};
    struct rte_kvargs *arguments;
    const char *interface;
    int descriptor;
    bool veth = false;

    if (strcmp(device->driver, "net_af_packet") != 0 && strcmp(device->driver, "net_af_xdp") != 0)
        return false;
    arguments = rte_kvargs_parse(device->arguments, NULL);
    interface = arguments != NULL ? rte_kvargs_get(arguments, "iface") : NULL;
    descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (interface != NULL && strlen(interface) < sizeof(request.ifr_name) && descriptor >= 0) {
        strcpy(request.ifr_name, interface);
        veth = ioctl(descriptor, SIOCETHTOOL, &request) == 0 && strcmp(info.driver, "veth") == 0;
    }
    if (descriptor >= 0)
        close(descriptor);
    rte_kvargs_free(arguments);
    return veth;
}

static int check_interface(const struct spill_device *device, const char *key,
                           const char *interface, struct spill_error *error)
{
    if (if_nametoindex(interface) != 0)
        return 0;
    return spill_error_set(error,
                           "%s: %s=%s: there is no such interface in this network namespace "
                           "('ip link' lists them)",
                           device->name, key, interface);
}

static int check_readable(const struct spill_device *device, const char *key, const char *path,
                          struct spill_error *error)
{
    if (access(path, R_OK) == 0)
        return 0;
    return spill_error_set(error, "%s: %s=%s: can't be read: %s", device->name, key, path,
                           strerror(errno));
}

/* A file or socket that will be made: its folder must be there and writable. */
static int check_folder(const struct spill_device *device, const char *key, const char *path,
                        struct spill_error *error)
{
    char copy[PATH_MAX];
    const char *folder;

    if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
        return spill_error_set(error, "%s: %s: the path is too long", device->name, key);
    folder = dirname(copy);
    if (access(folder, W_OK | X_OK) == 0)
        return 0;
    return spill_error_set(error, "%s: %s=%s: can't be made in %s: %s", device->name, key, path,
                           folder, strerror(errno));
}

static int check_pcap(const struct spill_device *device, const struct rte_kvargs *arguments,
                      struct spill_error *error)
{
    for (unsigned i = 0; i < arguments->count; i++) {
        const char *key = arguments->pairs[i].key, *value = arguments->pairs[i].value;
        int result = 0;

        if (strcmp(key, "rx_pcap") == 0)
            result = check_readable(device, key, value, error);
        else if (strcmp(key, "tx_pcap") == 0)
            result = check_folder(device, key, value, error);
        else if (strstr(key, "iface") != NULL)
            result = check_interface(device, key, value, error);
        if (result < 0)
            return -1;
    }
    return 0;
}

static int check_vhost(const struct spill_device *device, const struct rte_kvargs *arguments,
                       struct spill_error *error)
{
    const char *path = rte_kvargs_get(arguments, "iface");
    const char *client = rte_kvargs_get(arguments, "client");

    if (client != NULL && strcmp(client, "1") == 0)
        return 0; /* it waits for the other end's socket */
    if (access(path, F_OK) == 0)
        return spill_error_set(error,
                               "%s: iface=%s: exists already: remove it, or add client=1 when "
                               "another program listens there",
                               device->name, path);
    return check_folder(device, "iface", path, error);
}

static int check_virtio_user(const struct spill_device *device, const struct rte_kvargs *arguments,
                             struct spill_error *error)
{
    const char *path = rte_kvargs_get(arguments, "path");
    const char *server = rte_kvargs_get(arguments, "server");
    struct stat status;

    if (server != NULL && strcmp(server, "1") == 0)
        return check_folder(device, "path", path, error);
    if (stat(path, &status) == 0)
        return 0;
    return spill_error_set(error,
                           "%s: path=%s: %s: start the other end (vhost) first, or add server=1 "
                           "and let it connect",
                           device->name, path, strerror(errno));
}

static int check_virtual(const struct spill_device *device, const struct rte_kvargs *arguments,
                         struct spill_error *error)
{
    if (strcmp(device->driver, "net_tap") == 0) {
        if (access("/dev/net/tun", R_OK | W_OK) == 0)
            return 0;
        return spill_error_set(error, "%s: /dev/net/tun: %s: run as root and load 'tun'",
                               device->name, strerror(errno));
    }
    if (arguments == NULL)
        return 0;
    if (strcmp(device->driver, "net_af_packet") == 0 || strcmp(device->driver, "net_af_xdp") == 0)
        return check_interface(device, "iface", rte_kvargs_get(arguments, "iface"), error);
    if (strcmp(device->driver, "net_pcap") == 0)
        return check_pcap(device, arguments, error);
    if (strcmp(device->driver, "net_vhost") == 0)
        return check_vhost(device, arguments, error);
    if (strcmp(device->driver, "net_virtio_user") == 0)
        return check_virtio_user(device, arguments, error);
    return 0;
}

/* Drivers through which DPDK reaches a PCI device: user-space ones, and those it shares. */
static bool is_usable_kernel_driver(const char *driver)
{
    static const char *const usable[] = {"vfio-pci",  "igb_uio",   "uio_pci_generic",
                                         "mlx4_core", "mlx5_core", "mana"};

    for (unsigned i = 0; i < RTE_DIM(usable); i++) {
        if (strcmp(driver, usable[i]) == 0)
            return true;
    }
    return false;
}

static int check_pci(const struct spill_device *device, struct spill_error *error)
{
    char path[128], target[PATH_MAX];
    const char *driver;
    ssize_t length;

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", device->name);
    if (access(path, F_OK) != 0)
        return spill_error_set(error, "%s: there is no such PCI device ('lspci -D' lists them)",
                               device->name);
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", device->name);
    length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return spill_error_set(error,
                               "%s: is bound to no driver: 'dpdk-devbind.py --bind=vfio-pci %s'",
                               device->name, device->name);
    target[length] = '\0';
    driver = basename(target);
    if (is_usable_kernel_driver(driver))
        return 0;
    return spill_error_set(error,
                           "%s: belongs to the kernel (driver %s): "
                           "'dpdk-devbind.py --bind=vfio-pci %s' hands it over",
                           device->name, driver, device->name);
}

int spill_device_check(const struct spill_device *device, struct spill_error *error)
{
    struct rte_kvargs *arguments = NULL;
    int result;

    if (device->pci)
        return check_pci(device, error);
    if (device->arguments[0] != '\0')
        arguments = rte_kvargs_parse(device->arguments, NULL);
    result = check_virtual(device, arguments, error);
    rte_kvargs_free(arguments);
    return result;
}
