/* SPDX-License-Identifier: BSD-3-Clause */
/* Configures a port: what is wanted, held against what the device can do. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "port/port.h"

#define DESCRIPTORS     1024
#define RSS_KEY_DEFAULT 40

/* Toeplitz gives both directions of a flow the same hash when the key repeats every 16 bits: Woo
 * and Park, Scalable TCP Session Monitoring with Symmetric Receive-side Scaling, 2012. */
#define KEY_8 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a
const uint8_t spill_port_rss_key[SPILL_PORT_RSS_KEY_MAX] = {KEY_8, KEY_8, KEY_8, KEY_8,
                                                            KEY_8, KEY_8, KEY_8, KEY_8};

static int check_queues(const struct spill_port *port, const struct spill_port_config *config,
                        struct spill_error *error)
{
    const struct spill_port_capabilities *can = &port->capabilities;

    if (config->rx_queues + config->tx_queues == 0)
        return spill_error_set(error, "port %s: neither rx nor tx queues", port->name);
    if (config->rx_queues > can->rx_queues_max)
        return spill_error_set(error, "port %s: %s can't have %u rx queues: at most %u", port->name,
                               port->device.name, config->rx_queues, can->rx_queues_max);
    if (config->tx_queues > can->tx_queues_max)
        return spill_error_set(error, "port %s: %s can't have %u tx queues: at most %u", port->name,
                               port->device.name, config->tx_queues, can->tx_queues_max);
    if (port->device.fixed_rx_queues && config->rx_queues > 0 &&
        config->rx_queues < can->rx_queues_max)
        return spill_error_set(error,
                               "port %s: %s receives on %u queues, but only %u would be read: give "
                               "--rx-queues %s:%u",
                               port->name, port->device.name, can->rx_queues_max, config->rx_queues,
                               port->name, can->rx_queues_max);
    if (port->device.equal_queues && config->rx_queues < config->tx_queues)
        return spill_error_set(
            error,
            "port %s: %s has as many rx as tx queues: give --rx-queues %s:%u, or "
            "--tx-queues %s:%u",
            port->name, port->device.name, port->name, config->tx_queues, port->name,
            config->rx_queues);
    if (config->rx_queues > 0 && config->pool == NULL)
        return spill_error_set(error, "port %s: no pool to receive into", port->name);
    return 0;
}

static int check_mtu(const struct spill_port *port, uint16_t mtu, struct spill_error *error)
{
    if (mtu < RTE_ETHER_MIN_MTU)
        return spill_error_set(error, "port %s: mtu %u: at least %u", port->name, mtu,
                               RTE_ETHER_MIN_MTU);
    if (mtu > port->capabilities.mtu_max)
        return spill_error_set(error, "port %s: mtu %u: %s can have at most %u", port->name, mtu,
                               port->device.name, port->capabilities.mtu_max);
    return 0;
}

/* Whether frames of the MTU can be received into the pool's mbufs, and if as chains by an offload.
 */
static int check_buffers(struct spill_port *port, const struct spill_port_config *config,
                         uint16_t mtu, struct spill_error *error)
{
    uint32_t room, frame = (uint32_t)mtu + SPILL_FRAME_OVERHEAD;

    port->rx_scatter = false;
    if (config->rx_queues == 0)
        return 0;
    room = rte_pktmbuf_data_room_size(config->pool);
    room -= RTE_MIN(room, (uint32_t)RTE_PKTMBUF_HEADROOM);
    if (room >= port->capabilities.rx_buffer_min) {
        port->rx_scatter = frame > room && port->capabilities.rx_scatter;
        if (frame <= room || port->rx_scatter || port->device.receives_chains)
            return 0;
    }
    return spill_error_set(error,
                           "port %s: mbufs of %u bytes of data are too small for %s with mtu %u: "
                           "its pool needs a data room of %u",
                           port->name, room, port->device.name, mtu,
                           spill_port_data_room(port, mtu));
}

static int choose_spread(struct spill_port *port, const struct spill_port_config *config,
                         struct spill_error *error)
{
    port->rss = false;
    if (!config->rss || config->rx_queues < 2)
        return 0;
    switch (port->device.spread) {
    case SPILL_DEVICE_SPREAD_ASK:
        port->rss = port->capabilities.rss_symmetric;
        if (port->rss)
            return 0;
        return spill_error_set(error,
                               "port %s: %s can't spread over %u rx queues (no RSS): give "
                               "--rx-queues %s:1",
                               port->name, port->device.name, config->rx_queues, port->name);
    case SPILL_DEVICE_SPREAD_NONE:
        spill_port_note(port, "port %s: %s doesn't spread: each rx queue is a source of its own",
                        port->name, port->device.name);
        return 0;
    case SPILL_DEVICE_SPREAD_FLOW:
        spill_port_note(port, "port %s: the kernel spreads %s over its %u rx queues by flow",
                        port->name, port->device.name, config->rx_queues);
        return 0;
    case SPILL_DEVICE_SPREAD_PEER:
        spill_port_note(port, "port %s: the other end of %s spreads over its %u rx queues",
                        port->name, port->device.name, config->rx_queues);
        return 0;
    }
    return 0;
}

/* The largest MTU that the ethdev layer lets through, by the same sum that it makes. */
static uint16_t largest_mtu(const struct rte_eth_dev_info *info)
{
    uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

    if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
        overhead = info->max_rx_pktlen - info->max_mtu;
    if (info->max_rx_pktlen <= overhead)
        return 0;
    return (uint16_t)RTE_MIN((uint32_t)info->max_mtu, info->max_rx_pktlen - overhead);
}

static bool mtu_within(const struct rte_eth_dev_info *info, uint16_t mtu)
{
    return mtu >= info->min_mtu && mtu <= largest_mtu(info);
}

static int configure_device(struct spill_port *port, const struct spill_port_config *config,
                            const struct rte_eth_dev_info *info, uint16_t mtu,
                            struct rte_eth_conf *conf, struct spill_error *error)
{
    int result;

    memset(conf, 0, sizeof(*conf));
    conf->rxmode.mtu = mtu_within(info, mtu) ? mtu : 0;
    if (port->rx_scatter)
        conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
    conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    if (port->rss) {
        conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf->rx_adv_conf.rss_conf.rss_key = (uint8_t *)(uintptr_t)spill_port_rss_key;
        conf->rx_adv_conf.rss_conf.rss_key_len =
            info->hash_key_size != 0 ? info->hash_key_size : RSS_KEY_DEFAULT;
        conf->rx_adv_conf.rss_conf.rss_hf = port->capabilities.rss_fields;
    }
    port->rx_queues = config->rx_queues;
    port->tx_queues = config->tx_queues;
    if (port->device.equal_queues && port->tx_queues < port->rx_queues)
        port->tx_queues = port->rx_queues; /* a tx queue that nobody uses does no harm */
    result = rte_eth_dev_configure(port->id, port->rx_queues, port->tx_queues, conf);
    if (result != 0)
        return spill_error_set(error, "port %s: %s refuses its configuration: %s", port->name,
                               port->device.name, rte_strerror(-result));
    return 0;
}

static void note_descriptors(struct spill_port *port, const char *side, uint16_t wanted,
                             uint16_t got)
{
    if (wanted != 0 && wanted != got)
        spill_port_note(port, "port %s: %s has %u %s descriptors a queue instead of %u", port->name,
                        port->device.name, got, side, wanted);
}

static uint16_t first_set(uint16_t wanted, uint16_t preferred)
{
    return wanted != 0 ? wanted : preferred != 0 ? preferred : DESCRIPTORS;
}

static int setup_queues(struct spill_port *port, const struct spill_port_config *config,
                        const struct rte_eth_dev_info *info, const struct rte_eth_conf *conf,
                        struct spill_error *error)
{
    struct rte_eth_rxconf rx = info->default_rxconf;
    struct rte_eth_txconf tx = info->default_txconf;
    unsigned before;
    int result;

    rx.offloads = conf->rxmode.offloads;
    /* A queue that is read too slowly loses its own frames instead of holding up the others. */
    rx.rx_drop_en = port->rx_queues > 1 ? 1 : rx.rx_drop_en;
    tx.offloads = conf->txmode.offloads;
    port->rx_descriptors = first_set(config->rx_descriptors, info->default_rxportconf.ring_size);
    port->tx_descriptors = first_set(config->tx_descriptors, info->default_txportconf.ring_size);
    result =
        rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &port->rx_descriptors, &port->tx_descriptors);
    if (result != 0 && result != -ENOTSUP)
        return spill_error_set(error, "port %s: %s: no number of descriptors suits: %s", port->name,
                               port->device.name, rte_strerror(-result));
    note_descriptors(port, "rx", config->rx_descriptors, port->rx_descriptors);
    note_descriptors(port, "tx", config->tx_descriptors, port->tx_descriptors);
    before = config->pool != NULL ? rte_mempool_in_use_count(config->pool) : 0;
    for (uint16_t queue = 0; queue < port->rx_queues; queue++) {
        result = rte_eth_rx_queue_setup(port->id, queue, port->rx_descriptors,
                                        (unsigned)port->socket, &rx, config->pool);
        if (result != 0)
            return spill_error_set(error, "port %s: %s: rx queue %u with %u descriptors: %s",
                                   port->name, port->device.name, queue, port->rx_descriptors,
                                   rte_strerror(-result));
    }
    if (port->device.keeps_receive_buffers && config->pool != NULL)
        port->kept_mbufs = rte_mempool_in_use_count(config->pool) - before;
    for (uint16_t queue = 0; queue < port->tx_queues; queue++) {
        result = rte_eth_tx_queue_setup(port->id, queue, port->tx_descriptors,
                                        (unsigned)port->socket, &tx);
        if (result != 0)
            return spill_error_set(error, "port %s: %s: tx queue %u with %u descriptors: %s",
                                   port->name, port->device.name, queue, port->tx_descriptors,
                                   rte_strerror(-result));
    }
    return 0;
}

/* Sets the MTU of the kernel's interface below a virtual device. @return 0 or an errno. */
static int kernel_mtu_set(unsigned interface, uint16_t mtu)
{
    struct ifreq request;
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result;

    if (descriptor < 0)
        return errno;
    memset(&request, 0, sizeof(request));
    request.ifr_mtu = mtu;
    result = if_indextoname(interface, request.ifr_name) != NULL &&
                     ioctl(descriptor, SIOCSIFMTU, &request) == 0
                 ? 0
                 : errno;
    close(descriptor);
    return result;
}

/* Tells the device the MTU that the user asked for. What can't be told does without: that the frame
 * fits was checked before. */
static int apply_mtu(struct spill_port *port, const struct rte_eth_dev_info *info, uint16_t mtu,
                     struct spill_error *error)
{
    bool within = mtu_within(info, mtu);
    int result;

    if (port->device.kernel_mtu && info->if_index != 0) {
        result = kernel_mtu_set(info->if_index, mtu);
        if (result == 0)
            return 0;
        return spill_error_set(error, "port %s: the interface of %s can't be set to mtu %u: %s",
                               port->name, port->device.name, mtu, strerror(result));
    }
    result = rte_eth_dev_set_mtu(port->id, mtu);
    if (result == 0)
        return 0;
    if (result == -ENOTSUP && !port->device.pci)
        spill_port_note(port, "port %s: %s can't be told its mtu; frames up to %u fit", port->name,
                        port->device.name, mtu);
    if (result == -ENOTSUP && (!port->device.pci || within)) /* or was told when configured */
        return 0;
    if (!within)
        return spill_error_set(error, "port %s: mtu %u: %s can have at most %u", port->name, mtu,
                               port->device.name, largest_mtu(info));
    return spill_error_set(error, "port %s: %s refuses mtu %u: %s", port->name, port->device.name,
                           mtu, rte_strerror(-result));
}

/* What its driver has buffers for. */
static uint32_t frame_limit(const struct spill_port *port, const struct rte_eth_dev_info *info,
                            struct rte_mempool *pool)
{
    uint32_t limit = port->device.tx_frame != 0 ? port->device.tx_frame : UINT16_MAX;

    if (port->device.receive_limit && info->max_rx_pktlen != UINT32_MAX)
        limit = RTE_MIN(info->max_rx_pktlen, (uint32_t)UINT16_MAX);
    /* What comes from another pool is copied into an mbuf of the device's own (af_xdp). */
    if (port->device.keeps_receive_buffers && pool != NULL)
        limit = RTE_MIN(limit, (uint32_t)rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM);
    return limit;
}

static void set_limits(struct spill_port *port, const struct spill_port_config *config,
                       const struct rte_eth_dev_info *info)
{
    port->limits = (struct spill_port_limits){
        .packet = port->device.no_link && config->mtu == 0 ? UINT16_MAX : port->mtu,
        .frame = (uint16_t)frame_limit(port, info, config->pool),
        /* Not every NIC pads, and some stop at what is shorter still than Ethernet's least. */
        .least = port->device.pci ? RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN : 0,
        .segments = port->capabilities.tx_segments,
        .kernel_tag = port->device.kernel_tag,
    };
}

static void note_unfinished_frames(struct spill_port *port)
{
    if (spill_device_unfinished_frames(&port->device))
        spill_port_note(port,
                        "port %s: %s is on a veth, whose other end leaves checksums and sizes to "
                        "be finished: run 'ethtool -K INTERFACE tx off tso off gso off' there",
                        port->name, port->device.name);
}

int spill_port_configure(struct spill_port *port, const struct spill_port_config *config,
                         struct spill_error *error)
{
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf;
    uint16_t mtu = config->mtu;
    int result;

    port->note_count = 0;
    port->configured = false;
    if (port->started)
        return spill_error_set(error, "port %s: is started: stop it before", port->name);
    if (mtu == 0)
        mtu = port->device.mtu;
    if (mtu == 0 && rte_eth_dev_get_mtu(port->id, &mtu) != 0)
        mtu = port->capabilities.mtu;
    if (check_queues(port, config, error) < 0 || check_mtu(port, mtu, error) < 0 ||
        check_buffers(port, config, mtu, error) < 0 || choose_spread(port, config, error) < 0)
        return -1;
    result = rte_eth_dev_info_get(port->id, &info);
    if (result != 0)
        return spill_error_set(error, "port %s: %s tells nothing about itself: %s", port->name,
                               port->device.name, rte_strerror(-result));
    if (configure_device(port, config, &info, mtu, &conf, error) < 0 ||
        setup_queues(port, config, &info, &conf, error) < 0)
        return -1;
    if (config->mtu != 0 && apply_mtu(port, &info, mtu, error) < 0)
        return -1;
    note_unfinished_frames(port);
    port->interface = port->device.kernel_tag ? info.if_index : 0;
    port->tap = strcmp(port->driver, "net_tap") == 0 ? spill_port_find_tap(info.if_index) : -1;
    port->mtu = mtu;
    port->pool = config->pool;
    port->wants_promiscuous = config->promiscuous;
    port->promiscuous = false;
    set_limits(port, config, &info);
    port->configured = true;
    return 0;
}
