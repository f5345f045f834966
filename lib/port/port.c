/* SPDX-License-Identifier: BSD-3-Clause */
/* A port's life beside its configuration: found, started, looked at, flushed, stopped, closed. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "base/clock.h"
#include "port/port.h"

/* Hash fields that follow a flow; each is used only if the device offers it. */
#define RSS_FIELDS (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP)
/* Most redirection tables have 128 to 2048 entries. */
#define RETA_MAX 4096
/* Flushing looks this often, and is done when nothing changed for so many looks. */
#define FLUSH_INTERVAL_NS (250 * 1000)
#define FLUSH_QUIET       20
#define BURST             32

void spill_port_note(struct spill_port *port, const char *format, ...)
{
    va_list arguments;

    if (port->note_count == SPILL_PORT_NOTES_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(port->notes[port->note_count++], SPILL_PORT_NOTE_MAX, format, arguments);
    va_end(arguments);
}

/* A PCI device may give its ports names of their own; its first port is meant then. */
static int find_id(const struct spill_device *device, uint16_t *id)
{
    struct rte_dev_iterator iterator;
    char filter[SPILL_DEVICE_NAME_MAX];

    if (rte_eth_dev_get_port_by_name(device->name, id) == 0)
        return 0;
    if (!device->pci)
        return -1;
    snprintf(filter, sizeof(filter), "%s", device->name);
    RTE_ETH_FOREACH_MATCHING_DEV(*id, filter, &iterator)
    {
        rte_eth_iterator_cleanup(&iterator);
        return 0;
    }
    return -1;
}

/* A frame that is not segmented by the device may have fewer segments than one that is. */
static uint16_t most_segments(const struct spill_port *port, const struct rte_eth_dev_info *info)
{
    uint16_t most = info->tx_desc_lim.nb_mtu_seg_max != 0 ? info->tx_desc_lim.nb_mtu_seg_max
                                                          : info->tx_desc_lim.nb_seg_max;

    if ((info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0 && !port->device.sends_chains)
        return 1;
    return most != 0 ? most : UINT16_MAX;
}

static void read_capabilities(struct spill_port *port, const struct rte_eth_dev_info *info)
{
    struct spill_port_capabilities *can = &port->capabilities;

    can->rx_queues_max = info->max_rx_queues;
    can->tx_queues_max = info->max_tx_queues;
    can->mtu_max = info->max_mtu != 0 ? info->max_mtu : UINT16_MAX;
    can->rx_buffer_min = RTE_MAX(info->min_rx_bufsize, (uint32_t)port->device.buffer_min);
    can->rx_scatter = (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
    can->tx_segments = most_segments(port, info);
    /* Some virtual drivers name RSS fields but spread in another way or not at all. */
    if (port->device.spread == SPILL_DEVICE_SPREAD_ASK)
        can->rss_fields = info->flow_type_rss_offloads & RSS_FIELDS;
    can->rss_table = info->reta_size;
    can->rss_symmetric = can->rss_fields != 0 && info->hash_key_size <= SPILL_PORT_RSS_KEY_MAX;
    if (rte_eth_dev_get_mtu(port->id, &can->mtu) != 0)
        can->mtu = RTE_ETHER_MTU;
}

int spill_port_find(const char *name, const struct spill_device *device, struct spill_port *port,
                    struct spill_error *error)
{
    struct rte_eth_dev_info info;
    struct spill_error reason;
    int result;

    memset(port, 0, sizeof(*port));
    port->tap = -1;
    snprintf(port->name, sizeof(port->name), "%s", name);
    port->device = *device;
    if (find_id(device, &port->id) < 0) {
        if (spill_device_check(device, &reason) < 0)
            return spill_error_set(error, "port %s: %s", name, reason.text);
        return spill_error_set(error,
                               "port %s: %s: DPDK found no such device: its own messages above "
                               "say why",
                               name, device->name);
    }
    result = rte_eth_dev_info_get(port->id, &info);
    if (result != 0)
        return spill_error_set(error, "port %s: %s tells nothing about itself: %s", name,
                               device->name, rte_strerror(-result));
    port->open = true;
    port->driver = info.driver_name;
    port->socket = rte_eth_dev_socket_id(port->id);
    rte_eth_macaddr_get(port->id, &port->address);
    read_capabilities(port, &info);
    return 0;
}

uint16_t spill_port_data_room(const struct spill_port *port, uint16_t mtu)
{
    uint16_t frame = mtu != 0                ? mtu
                     : port->device.mtu != 0 ? port->device.mtu
                                             : port->capabilities.mtu;
    uint16_t room = spill_device_data_room(&port->device, frame, port->capabilities.rx_scatter);

    return (uint16_t)RTE_MAX((uint32_t)room,
                             port->capabilities.rx_buffer_min + RTE_PKTMBUF_HEADROOM);
}

/* Spreads hashes evenly over the rx queues, in the same way on every port, so that both directions
 * of a flow come to queues of the same number. */
static int spread_evenly(const struct spill_port *port)
{
    struct rte_eth_rss_reta_entry64 table[RETA_MAX / RTE_ETH_RETA_GROUP_SIZE];
    struct rte_eth_dev_info info;

    if (rte_eth_dev_info_get(port->id, &info) != 0 || info.reta_size == 0 ||
        info.reta_size > RETA_MAX)
        return 0; /* no table of ours: the driver spreads evenly by itself */
    memset(table, 0, sizeof(table));
    for (unsigned i = 0; i < info.reta_size; i++) {
        table[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ull << (i % RTE_ETH_RETA_GROUP_SIZE);
        table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
            (uint16_t)(i % port->rx_queues);
    }
    return rte_eth_dev_rss_reta_update(port->id, table, info.reta_size);
}

/* Whether a device that was not told how to spread does as it would have been told; true if it
 * can't be asked. */
static bool spreads_evenly(const struct spill_port *port)
{
    struct rte_eth_rss_reta_entry64 table[RETA_MAX / RTE_ETH_RETA_GROUP_SIZE];
    struct rte_eth_dev_info info;

    if (rte_eth_dev_info_get(port->id, &info) != 0)
        return true;
    memset(table, 0, sizeof(table));
    for (unsigned i = 0; i < info.reta_size; i++)
        table[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ull << (i % RTE_ETH_RETA_GROUP_SIZE);
    if (rte_eth_dev_rss_reta_query(port->id, table, info.reta_size) != 0)
        return true;
    for (unsigned i = 0; i < info.reta_size; i++) {
        if (table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] !=
            i % port->rx_queues)
            return false;
    }
    return true;
}

static void become_promiscuous(struct spill_port *port)
{
    int result = rte_eth_promiscuous_enable(port->id);

    port->promiscuous = result == 0;
    if (result == 0)
        return;
    if (port->device.pci)
        spill_port_note(port,
                        "port %s: %s refuses promiscuous mode (%s): frames for other addresses "
                        "may not be received",
                        port->name, port->device.name, rte_strerror(-result));
    else
        spill_port_note(port, "port %s: %s has no promiscuous mode: it hands over all that it gets",
                        port->name, port->device.name);
}

static int start_spreading(struct spill_port *port, struct spill_error *error)
{
    const int result = spread_evenly(port);

    if (result == 0 || spreads_evenly(port))
        return 0;
    port->rss_refused = true;
    port->capabilities.rss_symmetric = false;
    spill_port_stop(port, NULL);
    return spill_error_set(error, "port %s: %s keeps a table of rx queues of its own (%s)",
                           port->name, port->device.name, rte_strerror(-result));
}

int spill_port_start(struct spill_port *port, struct spill_error *error)
{
    int result;

    if (port->started)
        return 0;
    rte_eth_stats_reset(port->id);
    result = rte_eth_dev_start(port->id);
    if (result != 0)
        return spill_error_set(error, "port %s: %s doesn't start: %s", port->name,
                               port->device.name, rte_strerror(-result));
    port->started = true;
    if (port->wants_promiscuous)
        become_promiscuous(port);
    return port->rss ? start_spreading(port, error) : 0;
}

bool spill_port_link_up(const struct spill_port *port)
{
    struct rte_eth_link link;

    memset(&link, 0, sizeof(link));
    if (!port->open)
        return false;
    return rte_eth_link_get_nowait(port->id, &link) != 0 || link.link_status == RTE_ETH_LINK_UP;
}

void spill_port_stats(const struct spill_port *port, struct spill_port_stats *stats)
{
    struct rte_eth_stats counted;

    memset(stats, 0, sizeof(*stats));
    /* Not every driver survives the question before it has queues (vmxnet3). */
    if (!port->open || !port->configured || rte_eth_stats_get(port->id, &counted) != 0)
        return;
    stats->counted = true;
    stats->rx_packets = counted.ipackets;
    stats->tx_packets = counted.opackets;
    stats->rx_bytes = counted.ibytes;
    stats->tx_bytes = counted.obytes;
    stats->rx_missed = counted.imissed;
    stats->rx_nombuf = counted.rx_nombuf;
    stats->rx_errors = counted.ierrors;
    stats->tx_errors = counted.oerrors;
}

static const struct spill_metric port_rows[] = {
    SPILL_METRIC(TEXT, "name", struct spill_port, name, "", "the user's"),
    SPILL_METRIC(TEXT, "driver", struct spill_port, driver, "", "DPDK's"),
    SPILL_METRIC(GAUGE, "socket", struct spill_port, socket, "",
                 "NUMA node of the device; -1: none"),
};
const struct spill_metrics spill_port_metrics = SPILL_METRICS(port_rows);

static const struct spill_metric stats_rows[] = {
    SPILL_METRIC(COUNTER, "rx_bytes", struct spill_port_stats, rx_bytes, "bytes",
                 "of frames received, by the device's count"),
    SPILL_METRIC(COUNTER, "tx_bytes", struct spill_port_stats, tx_bytes, "bytes",
                 "of frames transmitted, by the device's count"),
    SPILL_METRIC(COUNTER, "rx_missed", struct spill_port_stats, rx_missed, "packets",
                 "by the device's count, lost there: no free descriptor, the loop was too slow"),
    SPILL_METRIC(COUNTER, "rx_nombuf", struct spill_port_stats, rx_nombuf, "packets",
                 "by the device's count, receptions for which the mempool was empty"),
};
const struct spill_metrics spill_port_stats_metrics = SPILL_METRICS(stats_rows);

static unsigned in_use(const struct spill_port *ports, unsigned count)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < count; i++) {
        bool counted = ports[i].pool == NULL;

        for (unsigned j = 0; j < i; j++)
            counted |= ports[j].pool == ports[i].pool;
        if (!counted)
            sum += rte_mempool_in_use_count(ports[i].pool);
    }
    return sum;
}

unsigned spill_port_flush_tx(struct spill_port *ports, unsigned count, uint64_t deadline)
{
    const struct timespec interval = {.tv_nsec = FLUSH_INTERVAL_NS};
    unsigned before = in_use(ports, count), quiet = 0;

    while (before > 0 && quiet < FLUSH_QUIET && spill_clock() < deadline) {
        unsigned now;

        for (unsigned i = 0; i < count; i++) {
            for (uint16_t queue = 0; ports[i].started && queue < ports[i].tx_queues; queue++) {
                struct rte_mbuf *none[1] = {NULL};

                /* Some drivers free in the one, some in the other, and neither does harm. */
                rte_eth_tx_burst(ports[i].id, queue, none, 0);
                rte_eth_tx_done_cleanup(ports[i].id, queue, 0);
            }
        }
        now = in_use(ports, count);
        quiet = now == before ? quiet + 1 : 0;
        before = now;
        nanosleep(&interval, NULL);
    }
    return before;
}

unsigned spill_port_leaked(const struct spill_port *ports, unsigned count)
{
    unsigned used = in_use(ports, count), kept = 0;

    for (unsigned i = 0; i < count; i++)
        kept += ports[i].kept_mbufs;
    return used > kept ? used - kept : 0;
}

int spill_port_stop(struct spill_port *port, struct spill_error *error)
{
    int result;

    if (!port->started)
        return 0;
    result = rte_eth_dev_stop(port->id);
    if (result != 0)
        return spill_error_set(error, "port %s: %s doesn't stop: %s", port->name, port->device.name,
                               rte_strerror(-result));
    port->started = false;
    return 0;
}

/* A net_ring is sent to and received from through the same ring, and forgets what is in it. */
static void empty_ring(struct spill_port *port)
{
    struct rte_mbuf *mbufs[BURST];
    uint64_t freed = 0;

    for (uint16_t queue = 0; queue < port->rx_queues; queue++) {
        uint16_t got;

        while ((got = rte_eth_rx_burst(port->id, queue, mbufs, BURST)) > 0) {
            rte_pktmbuf_free_bulk(mbufs, got);
            freed += got;
        }
    }
    if (freed > 0)
        spill_port_note(port, "port %s: %" PRIu64 " packets in %s were never received, and freed",
                        port->name, freed, port->device.name);
}

void spill_port_close(struct spill_port *port)
{
    if (!port->open)
        return;
    if (port->started && port->device.keeps_sent)
        empty_ring(port);
    spill_port_stop(port, NULL);
    if (port->promiscuous && !port->device.pci) /* a kernel interface would stay as it was made */
        rte_eth_promiscuous_disable(port->id);
    rte_eth_dev_close(port->id);
    port->open = port->configured = port->started = false;
}
