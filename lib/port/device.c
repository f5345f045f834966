/* SPDX-License-Identifier: BSD-3-Clause */
/* Device strings: parsing them, and what each virtual driver is known to do before it is probed. */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_config.h>
#include <rte_ether.h>
#include <rte_kvargs.h>
#include <rte_mbuf_core.h>
#include <rte_pci.h>

#include "port/device.h"

/* af_packet's ring: what a TPACKET_V2 frame holds beside the packet on receive, what its driver
 * asks of an mbuf less than the frame, and the geometry that measured best for usual frames. */
#define AF_PACKET_FRAME_HEADER 66
#define AF_PACKET_BUFFER_LESS  32
#define AF_PACKET_FRAME        2048
#define AF_PACKET_BLOCK        65536
#define AF_PACKET_FRAMES       2048
/* af_xdp's driver wants this much behind the headroom. */
#define AF_XDP_BUFFER 2048
/* A driver of pcap that names no limit copies chains to a buffer of this size, and cuts them. */
#define PCAP_BUFFER 16128

/* What a driver does, whatever its arguments. */
struct driver {
    const char *name;
    const char *required;        /* argument without which it refuses */
    const char *queues_argument; /* argument that says how many queue pairs it has */
    uint16_t queues;             /* pairs that it has by default */
    uint16_t queues_max;         /* pairs that it can have when asked for them */
    enum spill_device_spread spread;
    bool fixed_rx_queues;
    bool equal_queues;
    bool receives_chains;
    bool sends_chains;
    bool kernel_tag;
    bool no_link;
};

/* clang-format off */
static const struct driver drivers[] = {
    /* ...required, queues_argument, queues, queues_max, spread,
     *    fixed_rx_queues, equal_queues, receives_chains, sends_chains, kernel_tag, no_link */
    {"net_af_packet", "iface", "qpairs", 1, 255, SPILL_DEVICE_SPREAD_FLOW,
        true, false, false, true, true, false},
    {"net_af_xdp", "iface", "queue_count", 1, 255, SPILL_DEVICE_SPREAD_FLOW,
        true, false, false, false, true, false},
    {"net_memif", NULL, NULL, 1, 255, SPILL_DEVICE_SPREAD_PEER,
        false, false, true, true, false, false},
    {"net_null", NULL, NULL, RTE_MAX_QUEUES_PER_PORT, RTE_MAX_QUEUES_PER_PORT,
        SPILL_DEVICE_SPREAD_NONE, false, false, false, true, false, true},
    {"net_pcap", NULL, NULL, 1, 1, SPILL_DEVICE_SPREAD_NONE,
        true, false, true, true, false, true},
    {"net_ring", NULL, NULL, 16, 16, SPILL_DEVICE_SPREAD_NONE,
        false, false, false, true, false, true},
    {"net_tap", NULL, NULL, 1, 16, SPILL_DEVICE_SPREAD_FLOW,
        false, true, false, true, false, false},
    {"net_vhost", "iface", "queues", 1, 1024, SPILL_DEVICE_SPREAD_PEER,
        true, false, true, true, false, false},
    {"net_virtio_user", "path", "queues", 1, 128, SPILL_DEVICE_SPREAD_PEER,
        true, false, false, true, false, false},
};
/* clang-format on */

static const struct driver *driver_find(const char *name)
{
    for (unsigned i = 0; i < RTE_DIM(drivers); i++) {
        if (strcmp(drivers[i].name, name) == 0)
            return &drivers[i];
    }
    return NULL;
}

/* The value of an argument, NULL when it isn't given or has none. */
static const char *argument_get(const struct rte_kvargs *arguments, const char *key)
{
    for (unsigned i = 0; arguments != NULL && i < arguments->count; i++) {
        if (strcmp(arguments->pairs[i].key, key) == 0)
            return arguments->pairs[i].value;
    }
    return NULL;
}

/* The number in an argument, `otherwise` when it isn't given; -1 with an error for anything else.
 */
static long argument_number(const struct spill_device *device, const struct rte_kvargs *arguments,
                            const char *key, long otherwise, long max, struct spill_error *error)
{
    const char *value = argument_get(arguments, key);
    char *end;
    long number;

    if (value == NULL)
        return otherwise;
    errno = 0;
    number = strtol(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || number < 0 || number > max)
        return spill_error_set(error, "%s: %s=%s: must be a number from 0 to %ld", device->name,
                               key, value, max);
    return number;
}

static int argument_add(struct spill_device *device, struct spill_error *error, const char *key,
                        unsigned value)
{
    size_t used = strlen(device->arguments);
    int added = snprintf(device->arguments + used, sizeof(device->arguments) - used, "%s%s=%u",
                         used > 0 ? "," : "", key, value);

    if (added < 0 || (size_t)added >= sizeof(device->arguments) - used) {
        device->arguments[used] = '\0';
        return spill_error_set(error, "%s: its arguments are longer than %zu characters",
                               device->name, sizeof(device->arguments) - 1);
    }
    return 0;
}

/* The arguments in parsed form, NULL when there are none; the device's were checked when parsed. */
static struct rte_kvargs *arguments_parse(const struct spill_device *device)
{
    return device->arguments[0] != '\0' ? rte_kvargs_parse(device->arguments, NULL) : NULL;
}

/* The MTU of the kernel interface that the device sits on, or transmits by; 0: there is none. */
static uint16_t kernel_mtu(const struct rte_kvargs *arguments)
{
    const char *interface = argument_get(arguments, "iface");
    struct ifreq request;
    uint16_t mtu = 0;
    int descriptor;

    if (interface == NULL)
        interface = argument_get(arguments, "tx_iface"); /* pcap */
    if (interface == NULL || strlen(interface) >= sizeof(request.ifr_name))
        return 0;
    descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return 0;
    memset(&request, 0, sizeof(request));
    memcpy(request.ifr_name, interface, strlen(interface));
    if (ioctl(descriptor, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0)
        mtu = (uint16_t)RTE_MIN(request.ifr_mtu, UINT16_MAX - 1024);
    close(descriptor);
    return mtu;
}

static bool is_virtual_name(const char *name)
{
    return strncmp(name, "net_", 4) == 0 || strncmp(name, "eth_", 4) == 0 ||
           strncmp(name, "virtio_user", 11) == 0;
}

/* "net_tap0" and its old alias "eth_tap0" are of driver "net_tap". */
static void driver_name(const char *name, char *driver, size_t size)
{
    size_t length = strlen(name);

    while (length > 0 && isdigit((unsigned char)name[length - 1]))
        length--;
    if (strncmp(name, "eth_", 4) == 0)
        snprintf(driver, size, "net_%.*s", (int)length - 4, name + 4);
    else if (strncmp(name, "virtio_user", 11) == 0)
        snprintf(driver, size, "net_%.*s", (int)length, name);
    else
        snprintf(driver, size, "%.*s", (int)length, name);
}

bool spill_device_name(const char *text, char name[SPILL_DEVICE_NAME_MAX])
{
    size_t length = strcspn(text, ",");
    struct rte_pci_addr address;

    snprintf(name, SPILL_DEVICE_NAME_MAX, "%.*s", (int)length, text);
    if (rte_pci_addr_parse(name, &address) != 0)
        return false;
    rte_pci_device_name(&address, name, SPILL_DEVICE_NAME_MAX);
    return true;
}

static int parse_name(const char *text, struct spill_device *device, struct spill_error *error)
{
    device->pci = spill_device_name(text, device->name);
    if (device->pci)
        return 0;
    if (is_virtual_name(device->name)) {
        driver_name(device->name, device->driver, sizeof(device->driver));
        return 0;
    }
    return spill_error_set(error,
                           "%s: is no device: give a PCI address as 0000:41:00.0, or a virtual "
                           "device as net_af_packet0,iface=eth0 or net_tap0",
                           device->name);
}

/* pcap has a queue for each file or interface, and as many of the other side where that has none;
 * what it sends goes to files or to interfaces. */
static int pcap_ends(struct spill_device *device, const struct rte_kvargs *arguments,
                     struct spill_error *error)
{
    unsigned receive = 0, send = 0;
    unsigned files = 0;
    bool repeated;

    for (unsigned i = 0; arguments != NULL && i < arguments->count; i++) {
        const char *key = arguments->pairs[i].key;

        if (strcmp(key, "iface") == 0)
            receive = send = 1;
        device->kernel_tag |= strcmp(key, "iface") == 0 || strcmp(key, "tx_iface") == 0;
        receive += strncmp(key, "rx_", 3) == 0;
        send += strncmp(key, "tx_", 3) == 0;
        files += strcmp(key, "rx_pcap") == 0;
    }
    if (receive + send == 0)
        return spill_error_set(error,
                               "%s: has neither source nor destination: add rx_pcap=FILE, "
                               "tx_pcap=FILE or iface=INTERFACE",
                               device->name);
    repeated = argument_number(device, arguments, "infinite_rx", 0, 1, NULL) > 0;
    device->finite_source = (files > 0 || receive == 0) && !repeated;
    device->captured = files > 0 && files == receive;
    device->silent = receive == 0;
    device->no_link = !device->kernel_tag;
    device->tx_frame = PCAP_BUFFER;
    device->receive_limit = true;
    /* A repeated capture is kept in mbufs, and its driver takes only frames that fit in one. */
    device->receives_chains = !repeated;
    device->rx_queues_max = (uint16_t)(receive > 0 ? receive : send);
    device->tx_queues_max = (uint16_t)(send > 0 ? send : receive);
    return 0;
}

/* Arguments with which a driver would hand over packets other than they were on the wire. */
static int vhost_refuse(const struct spill_device *device, const struct rte_kvargs *arguments,
                        struct spill_error *error)
{
    static const char *const changing[] = {"tso", "legacy-ol-flags"};

    for (unsigned i = 0; i < RTE_DIM(changing); i++) {
        if (argument_number(device, arguments, changing[i], 0, 1, NULL) != 0)
            return spill_error_set(error,
                                   "%s: %s=1 lets the guest send packets with unfinished "
                                   "checksums or sizes: leave it out",
                                   device->name, changing[i]);
    }
    return 0;
}

/* What depends on the driver and its arguments. */
static int parse_driver(struct spill_device *device, const struct rte_kvargs *arguments,
                        struct spill_error *error)
{
    const struct driver *driver = driver_find(device->driver);
    long queues, size;

    if (driver == NULL)
        return 0;
    device->known = true;
    device->spread = driver->spread;
    device->fixed_rx_queues = driver->fixed_rx_queues;
    device->equal_queues = driver->equal_queues;
    device->receives_chains = driver->receives_chains;
    device->sends_chains = driver->sends_chains;
    device->kernel_tag = driver->kernel_tag;
    device->no_link = driver->no_link;
    if (driver->required != NULL && argument_get(arguments, driver->required) == NULL)
        return spill_error_set(error, "%s: needs the argument %s, as in %s,%s=%s", device->name,
                               driver->required, device->name, driver->required,
                               strcmp(driver->name, "net_virtio_user") == 0 ? "/run/vhost.sock"
                               : strcmp(driver->name, "net_vhost") == 0     ? "/run/vhost.sock"
                                                                            : "eth0");
    queues = driver->queues;
    if (driver->queues_argument != NULL) {
        queues = argument_number(device, arguments, driver->queues_argument, queues,
                                 driver->queues_max, error);
        if (queues < 0)
            return -1;
        if (queues == 0)
            return spill_error_set(error, "%s: %s=0: must be from 1 to %u", device->name,
                                   driver->queues_argument, driver->queues_max);
    }
    device->rx_queues_max = device->tx_queues_max = (uint16_t)queues;
    if (strcmp(driver->name, "net_pcap") == 0)
        return pcap_ends(device, arguments, error);
    if (strcmp(driver->name, "net_vhost") == 0)
        return vhost_refuse(device, arguments, error);
    if (strcmp(driver->name, "net_null") == 0) {
        size = argument_number(device, arguments, "size", 64, UINT16_MAX - 1024, error);
        device->buffer_min = (uint16_t)RTE_MAX(size, 0);
        device->silent = argument_number(device, arguments, "no-rx", 0, 1, NULL) > 0;
        return size < 0 ? -1 : 0;
    }
    if (strcmp(driver->name, "net_af_xdp") == 0) {
        device->buffer_min = AF_XDP_BUFFER;
        device->receive_limit = true;
        device->keeps_receive_buffers = true;
    }
    device->kernel_mtu = strcmp(driver->name, "net_af_packet") == 0;
    device->keeps_sent = strcmp(driver->name, "net_ring") == 0;
    device->single_file_segments = strcmp(driver->name, "net_virtio_user") == 0;
    return 0;
}

int spill_device_parse(const char *text, struct spill_device *device, struct spill_error *error)
{
    const char *comma = strchrnul(text, ',');
    struct rte_kvargs *arguments = NULL;
    int result;

    memset(device, 0, sizeof(*device));
    if (spill_device_check_text(text, error) < 0 || parse_name(text, device, error) < 0)
        return -1;
    if (*comma == ',') {
        strcpy(device->arguments, comma + 1);
        arguments = arguments_parse(device);
        if (arguments == NULL)
            return spill_error_set(error, "%s: arguments '%s' are not of the form key=value,…",
                                   device->name, device->arguments);
    }
    device->known = device->pci;
    result = device->pci ? 0 : parse_driver(device, arguments, error);
    rte_kvargs_free(arguments);
    return result;
}

static int complete_queues(struct spill_device *device, const struct rte_kvargs *arguments,
                           uint16_t rx_queues, uint16_t tx_queues, struct spill_error *error)
{
    const struct driver *driver = driver_find(device->driver);
    uint16_t wanted = rx_queues > tx_queues ? rx_queues : tx_queues;
    bool settable = driver != NULL && driver->queues_max > driver->queues &&
                    (driver->queues_argument == NULL ||
                     argument_get(arguments, driver->queues_argument) == NULL);

    if (settable && wanted > driver->queues) {
        if (wanted > driver->queues_max)
            return spill_error_set(error, "%s: can't have %u queues: at most %u", device->name,
                                   wanted, driver->queues_max);
        if (driver->queues_argument != NULL &&
            argument_add(device, error, driver->queues_argument, wanted) < 0)
            return -1;
        device->rx_queues_max = device->tx_queues_max = wanted;
    }
    if (device->rx_queues_max > 0 && rx_queues > device->rx_queues_max)
        return spill_error_set(error, "%s: can't have %u rx queues: it has %u", device->name,
                               rx_queues, device->rx_queues_max);
    if (device->tx_queues_max > 0 && tx_queues > device->tx_queues_max)
        return spill_error_set(error, "%s: can't have %u tx queues: it has %u", device->name,
                               tx_queues, device->tx_queues_max);
    if (device->fixed_rx_queues && rx_queues > 0 && rx_queues < device->rx_queues_max)
        return spill_error_set(error,
                               "%s: receives on %u queues, of which %u would not be read: use all "
                               "%u rx queues, or give the device fewer",
                               device->name, device->rx_queues_max,
                               device->rx_queues_max - rx_queues, device->rx_queues_max);
    return 0;
}

static unsigned af_packet_frame(uint16_t mtu)
{
    unsigned need = (unsigned)mtu + SPILL_FRAME_OVERHEAD + AF_PACKET_FRAME_HEADER;

    return RTE_MAX((unsigned)AF_PACKET_FRAME, RTE_ALIGN_CEIL(need, 1024u));
}

/* A frame longer than the ring's is cut by the kernel without a word, so each must hold the MTU. */
static int complete_af_packet(struct spill_device *device, const struct rte_kvargs *arguments,
                              struct spill_error *error)
{
    unsigned best = af_packet_frame(device->mtu);
    /* Four frames of whole kilobytes are whole pages, as the kernel wants a block to be. */
    unsigned block = best == AF_PACKET_FRAME ? AF_PACKET_BLOCK : 4 * best;
    long frame;

    if (argument_get(arguments, "framesz") == NULL && argument_get(arguments, "blocksz") == NULL &&
        argument_get(arguments, "framecnt") == NULL) {
        if (argument_add(device, error, "blocksz", block) < 0 ||
            argument_add(device, error, "framesz", best) < 0 ||
            argument_add(device, error, "framecnt", AF_PACKET_FRAMES) < 0)
            return -1;
        frame = best;
    } else {
        frame = argument_number(device, arguments, "framesz", AF_PACKET_FRAME, UINT16_MAX, error);
        if (frame < 0)
            return -1;
        if (frame < device->mtu + SPILL_FRAME_OVERHEAD + AF_PACKET_FRAME_HEADER)
            return spill_error_set(error,
                                   "%s: framesz=%ld is too small for frames of mtu %u: give "
                                   "blocksz=%u,framesz=%u,framecnt=%u",
                                   device->name, frame, device->mtu, block, best, AF_PACKET_FRAMES);
    }
    device->buffer_min = (uint16_t)(frame - AF_PACKET_BUFFER_LESS);
    device->tx_frame = device->buffer_min; /* its transmit ring has the same frames */
    return 0;
}

int spill_device_complete(struct spill_device *device, uint16_t rx_queues, uint16_t tx_queues,
                          uint16_t mtu, struct spill_error *error)
{
    struct rte_kvargs *arguments = arguments_parse(device);
    int result;

    device->mtu = mtu != 0 ? mtu : kernel_mtu(arguments);
    if (device->mtu == 0)
        device->mtu = RTE_ETHER_MTU;
    result = complete_queues(device, arguments, rx_queues, tx_queues, error);
    if (result == 0 && strcmp(device->driver, "net_af_packet") == 0)
        result = complete_af_packet(device, arguments, error);
    rte_kvargs_free(arguments);
    return result;
}

uint16_t spill_device_data_room(const struct spill_device *device, uint16_t mtu, bool scatter)
{
    unsigned frame = mtu != 0 ? mtu : device->mtu != 0 ? device->mtu : RTE_ETHER_MTU;
    unsigned room = RTE_MBUF_DEFAULT_DATAROOM;

    if (!scatter && !device->receives_chains)
        room = RTE_MAX(room, frame + SPILL_FRAME_OVERHEAD);
    room = RTE_PKTMBUF_HEADROOM + RTE_MAX(room, device->buffer_min);
    return (uint16_t)RTE_MIN(RTE_ALIGN_CEIL(room, 64u), (unsigned)UINT16_MAX / 64 * 64);
}

void spill_device_eal_arguments_free(char **arguments)
{
    for (unsigned i = 0; arguments != NULL && arguments[i] != NULL; i++)
        free(arguments[i]);
    free(arguments);
}

static char *eal_argument(const struct spill_device *device)
{
    char *argument;

    if (asprintf(&argument, "--%s=%s%s%s", device->pci ? "allow" : "vdev", device->name,
                 device->arguments[0] != '\0' ? "," : "", device->arguments) < 0)
        return NULL;
    return argument;
}

int spill_device_eal_arguments(const struct spill_device *devices, unsigned count,
                               char ***arguments)
{
    char **list = calloc(count + 3, sizeof(*list));
    bool pci = false, single_file = false;
    unsigned used = 0;

    if (list == NULL)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        pci |= devices[i].pci;
        single_file |= devices[i].single_file_segments;
        list[used] = eal_argument(&devices[i]);
        if (list[used++] == NULL)
            goto no_memory;
    }
    if (!pci && (list[used++] = strdup("--no-pci")) == NULL)
        goto no_memory;
    if (single_file && (list[used++] = strdup("--single-file-segments")) == NULL)
        goto no_memory;
    *arguments = list;
    return (int)used;

no_memory:
    spill_device_eal_arguments_free(list);
    return -1;
}
