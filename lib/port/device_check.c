/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks at the kernel's and the file system's side of a device, for a clear word when it can't be.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_build_config.h>
#include <rte_common.h>
#include <rte_devargs.h>
#include <rte_kvargs.h>
#include <rte_log.h>

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

/* The link type of an open capture, as the driver's own library reads it. */
static int check_link_type(const struct spill_device *device, const char *path, FILE *file,
                           struct spill_error *error)
{
    char reason[PCAP_ERRBUF_SIZE];
    pcap_t *capture = pcap_fopen_offline(file, reason);
    const char *name;
    int type;

    if (capture == NULL) {
        fclose(file);
        return spill_error_set(error, "%s: rx_pcap=%s: is no capture: %s", device->name, path,
                               reason);
    }
    type = pcap_datalink(capture);
    pcap_close(capture); /* and the file */
    if (type == DLT_EN10MB)
        return 0;
    name = pcap_datalink_val_to_name(type);
    return spill_error_set(error,
                           "%s: rx_pcap=%s: its link type is %s (%d): expected a capture of "
                           "Ethernet (EN10MB), as of one interface, not of 'any'",
                           device->name, path, name != NULL ? name : "unknown", type);
}

static int check_source(const struct spill_device *device, const char *path,
                        struct spill_error *error)
{
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    FILE *file;

    if (descriptor < 0)
        return 0;
    /* The driver waits for what a pipe will bring, in the middle of a fast lcore's turn (law 2). */
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(descriptor);
        return spill_error_set(error, "%s: rx_pcap=%s: expected a regular file", device->name,
                               path);
    }
    file = fdopen(descriptor, "r");
    if (file != NULL)
        return check_link_type(device, path, file, error);
    close(descriptor);
    return spill_error_set(error, "%s: rx_pcap=%s: no memory", device->name, path);
}

static int check_destination(const struct spill_device *device, const char *path,
                             struct spill_error *error)
{
    struct stat status;

    if (stat(path, &status) != 0 || !S_ISFIFO(status.st_mode))
        return 0;
    return spill_error_set(error,
                           "%s: tx_pcap=%s: is a pipe, whose reader would be waited for: "
                           "expected a file",
                           device->name, path);
}

int spill_device_check_capture(const struct spill_device *device, struct spill_error *error)
{
    struct rte_kvargs *arguments;
    int result = 0;

    if (strcmp(device->driver, "net_pcap") != 0)
        return 0;
    arguments = rte_kvargs_parse(device->arguments, NULL);
    for (unsigned i = 0; arguments != NULL && result == 0 && i < arguments->count; i++) {
        const char *key = arguments->pairs[i].key, *value = arguments->pairs[i].value;

        if (strcmp(key, "rx_pcap") == 0)
            result = check_source(device, value, error);
        else if (strcmp(key, "tx_pcap") == 0)
            result = check_destination(device, value, error);
    }
    rte_kvargs_free(arguments);
    return result;
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

/* Loads DPDK's drivers, as the EAL does when it starts: they make themselves known. */
static void load_drivers(const char *name)
{
    char pattern[PATH_MAX];
    glob_t found;

    snprintf(pattern, sizeof(pattern), RTE_EAL_PMD_PATH "/librte_%s.so.*", name);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        dlopen(found.gl_pathv[i], RTLD_NOW);
    globfree(&found);
}

static bool has_driver(const char *name)
{
    struct rte_devargs arguments = {.args = NULL};
    uint32_t level = rte_log_get_global_level();
    bool has;

    rte_log_set_global_level(RTE_LOG_EMERG);
    has = rte_devargs_parse(&arguments, name) == 0;
    rte_log_set_global_level(level);
    if (has)
        rte_devargs_reset(&arguments);
    return has;
}

static int check_driver(const struct spill_device *device, struct spill_error *error)
{
    if (has_driver(device->name))
        return 0;
    /* Most drivers' libraries are called as they are; all of them take a tenth of a second. */
    load_drivers(device->driver);
    if (has_driver(device->name))
        return 0;
    load_drivers("net_*");
    if (has_driver(device->name))
        return 0;
    return spill_error_set(error, "%s: DPDK has no driver %s in " RTE_EAL_PMD_PATH, device->name,
                           device->driver);
}

int spill_device_check(const struct spill_device *device, struct spill_error *error)
{
    struct rte_kvargs *arguments = NULL;
    int result;

    if (device->pci)
        return check_pci(device, error);
    if (check_driver(device, error) != 0)
        return -1;
    if (device->arguments[0] != '\0')
        arguments = rte_kvargs_parse(device->arguments, NULL);
    result = check_virtual(device, arguments, error);
    rte_kvargs_free(arguments);
    return result;
}
