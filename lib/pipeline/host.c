/* SPDX-License-Identifier: BSD-3-Clause */
/* The lcores' side of the host, and making it. The thread is in host_thread.c. */
#include "pipeline/host.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_malloc.h>

#include "pipeline/exit.h"
#include "pipeline/fast.h"
#include "pipeline/host_ipsec.h"
#include "pipeline/host_rules.h"
#include "pipeline/trace.h"
#include "port/mbuf_pool.h"

static SPILL_DROP_REASON(host_routing, "host_routing",
                         "a routing protocol's, VRRP or IKE packet for the host: too many at a "
                         "time");
static SPILL_DROP_REASON(host_neighbors, "host_neighbors",
                         "ARP or neighbor discovery for the host: too many at a time");
static SPILL_DROP_REASON(host_rest, "host_rest", "another packet for the host: too many at a time");
static SPILL_DROP_REASON(host_no_buffer, "host_no_buffer",
                         "a packet for the host found no buffer of the host's");

static const struct spill_trace_line given = {
    .stage = "to the host", .last = true, .values = {{"interface", SPILL_TRACE_INTERFACE, NULL}}};

#define POOL_MBUFS 4095

static struct {
    struct spill_drop_reason *reason;
    uint32_t rate; /* packets a second of each lcore, and a tenth of that at once */
} const classes[SPILL_HOST_CLASSES] = {
    [SPILL_HOST_ROUTING] = {&host_routing, 50000},
    [SPILL_HOST_NEIGHBORS] = {&host_neighbors, 10000},
    [SPILL_HOST_REST] = {&host_rest, 50000},
};

/* ---------------------------------------------------------------------------- classes */

static bool is_routing_port(uint16_t port)
{
    switch (rte_be_to_cpu_16(port)) {
    case 179:  /* BGP */
    case 500:  /* IKE */
    case 4500: /* the same through NAT */
    case 520:  /* RIP */
    case 521:
    case 646:  /* LDP */
    case 3784: /* BFD */
    case 3785:
    case 4784:
        return true;
    default:
        return false;
    }
}

static bool is_routing(uint8_t protocol, const uint16_t port[2])
{
    if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
        return is_routing_port(port[0]) || is_routing_port(port[1]);
    return protocol == 89 || protocol == 112 || protocol == 2 || protocol == 103;
}

/* ND is ICMPv6 of the types 133 to 137. */
bool spill_host_is_discovery(const struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    const uint32_t at = packet->l4_offset;

    return packet->kind == SPILL_PACKET_IPV6 && packet->key.v6.protocol == IPPROTO_ICMPV6 &&
           at < rte_pktmbuf_data_len(mbuf) &&
           (uint8_t)(*rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, at) - 133) <= 4;
}

/* Behind a tag, too. */
static uint16_t type_of(const struct rte_mbuf *mbuf)
{
    const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(mbuf, const struct rte_ether_hdr *);
    const struct rte_vlan_hdr *tag = (const struct rte_vlan_hdr *)(ether + 1);

    if (ether->ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
        rte_pktmbuf_data_len(mbuf) < sizeof(*ether) + sizeof(*tag))
        return ether->ether_type;
    return tag->eth_proto;
}

static enum spill_host_class class_of(const struct spill_fast *fast, const struct rte_mbuf *mbuf,
                                      const struct spill_packet *packet)
{
    if (packet->kind > SPILL_PACKET_IPV6)
        return type_of(mbuf) == RTE_BE16(RTE_ETHER_TYPE_ARP) ? SPILL_HOST_NEIGHBORS
                                                             : SPILL_HOST_REST;
    if (spill_host_is_discovery(mbuf, packet))
        return SPILL_HOST_NEIGHBORS;
    return is_routing(spill_packet_protocol(packet), packet->kind == SPILL_PACKET_IPV4
                                                         ? packet->key.v4.port
                                                         : packet->key.v6.port) ||
                   spill_host_is_ike(fast, packet, false)
               ? SPILL_HOST_ROUTING
               : SPILL_HOST_REST;
}

static bool may_pass(struct spill_host_rate *rate, uint32_t per_second, uint64_t now)
{
    const uint32_t most = per_second / 10;
    const uint64_t slice = rte_get_tsc_hz() / 100;

    if (now - rate->since >= slice) {
        /* A hundredth of a second's at a time: no division. */
        rate->left =
            now - rate->since >= 10 * slice ? most : RTE_MIN(rate->left + per_second / 100, most);
        rate->since = now;
    }
    if (rate->left == 0)
        return false;
    rate->left--;
    return true;
}

/* ----------------------------------------------------------------------- to the host */

/* As a twin gets it: the tag is the sub-port's own. */
static struct rte_mbuf *copy_for(struct spill_host *host, uint16_t interface, struct rte_mbuf *mbuf)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(mbuf, host->pool, 0, UINT32_MAX);

    if (copy == NULL)
        return NULL;
    if (host->twins[interface].vlan != 0 && rte_vlan_strip(copy) != 0 &&
        (copy->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0) {
        rte_pktmbuf_free(copy);
        return NULL;
    }
    copy->port = interface;
    return copy;
}

static void deliver(void *context, struct spill_fast *fast, uint16_t interface,
                    struct rte_mbuf *mbuf, const struct spill_packet *packet)
{
    struct spill_host *host = context;
    const enum spill_host_class class = class_of(fast, mbuf, packet);
    const uint32_t index = fast->host_index;
    struct rte_mbuf *copy;

    if (!may_pass(&host->lcores[index].rates[class], classes[class].rate,
                  fast->receive.last_turn)) {
        spill_ledger_drop(&fast->ledger, classes[class].reason, &mbuf, 1);
        return;
    }
    copy = copy_for(host, interface, mbuf);
    if (copy == NULL) {
        spill_ledger_drop(&fast->ledger, &host_no_buffer, &mbuf, 1);
        return;
    }
    SPILL_TRACE(&fast->ledger, mbuf, given, interface);
    rte_pktmbuf_free(mbuf);
    if (spill_channel_send(spill_channel_sender(host->to[class], index), &copy, 1) == 0)
        spill_ledger_drop(&fast->ledger, classes[class].reason, &copy, 1);
}

/* --------------------------------------------------------------------- from the host */

static uint32_t host_poll(void *context, uint64_t now)
{
    struct spill_fast *fast = context;
    struct rte_mbuf *mbufs[SPILL_BURST];
    const uint32_t count = spill_channel_receive(fast->routing.from_host, mbufs, SPILL_BURST);

    if (count == 0)
        return 0;
    spill_fast_take_version(fast, now); /* the first stage of a turn */
    spill_host_send(fast, mbufs, count, now);
    return count;
}

void spill_host_send(struct spill_fast *fast, struct rte_mbuf **mbufs, uint32_t count,
                     uint64_t stamp)
{
    const struct spill_host *host = fast->routing.host;
    struct spill_packet packets[SPILL_BURST], *pointers[SPILL_BURST];
    uint32_t leaving = count, i;

    memset(packets, 0, count * sizeof(*packets));
    for (i = 0; i < count; i++) {
        const struct spill_host_twin *twin = &host->twins[mbufs[i]->port];

        /* As it is: the kernel knows the link's MTU, and has said to whom it goes. */
        packets[i].kind = SPILL_PACKET_OTHER;
        packets[i].input = packets[i].output = (uint8_t)twin->port;
        pointers[i] = &packets[i];
    }
    if (fast->version.generation->sas != NULL)
        leaving = spill_host_protect(fast, mbufs, pointers, count, stamp);
    if (fast->routing.host_rules && !fast->version.open)
        leaving = spill_host_rules_judge(fast, mbufs, pointers, leaving, stamp);
    spill_exit_send(fast, mbufs, pointers, leaving, stamp, SPILL_PATH_FAST);
}

static bool host_end(void *context)
{
    const struct spill_fast *fast = context;

    return spill_channel_ended(fast->routing.from_host);
}

void spill_host_connect(struct spill_host *host, uint32_t index, struct spill_fast *fast,
                        struct spill_loop *loop)
{
    const struct spill_stage stage = {
        .name = "host", .poll = host_poll, .end = host_end, .context = fast};

    if (host == NULL)
        return;
    fast->host_index = index;
    fast->routing.to_host = deliver;
    fast->routing.host = host;
    if (index == 0)
        host->fast = fast;
    if (index >= host->from_count)
        return;
    fast->routing.from_host = host->from[index];
    spill_loop_add(loop, &stage);
}

/* -------------------------------------------------------------------- making and ending */

static int make_channels(struct spill_host *host, uint32_t lcores, struct spill_error *error)
{
    char name[SPILL_CHANNEL_NAME_MAX];
    uint32_t i;

    for (i = 0; i < SPILL_HOST_CLASSES; i++) {
        snprintf(name, sizeof(name), "to-host-%u", i);
        host->to[i] = spill_channel_create(name, SPILL_HOST_CAPACITY, lcores, SOCKET_ID_ANY,
                                           SPILL_RING_PREEMPTIBLE, error);
        if (host->to[i] == NULL)
            return -1;
    }
    for (i = 0; i < host->from_count; i++) {
        snprintf(name, sizeof(name), "from-host-%u", i);
        host->from[i] = spill_channel_create(name, SPILL_HOST_CAPACITY, 1, SOCKET_ID_ANY,
                                             SPILL_RING_PREEMPTIBLE, error);
        if (host->from[i] == NULL)
            return -1;
    }
    return 0;
}

static int watch(const struct spill_host *host, uint32_t index, const struct spill_twin *twin,
                 struct spill_error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};

    return epoll_ctl(host->epoll, EPOLL_CTL_ADD, twin->descriptor, &event) == 0
               ? 0
               : spill_error_set(error, "twin %s can't be waited for", twin->name);
}

static int watch_all(struct spill_host *host, struct spill_error *error)
{
    uint32_t i;

    host->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (host->epoll < 0)
        return spill_error_set(error, "twins can't be waited for");
    for (i = 0; i < host->count; i++) {
        if (host->twins[i].twin.descriptor >= 0 && watch(host, i, &host->twins[i].twin, error) != 0)
            return -1;
    }
    return 0;
}

int spill_host_add_twin(struct spill_host *host, uint32_t index, const struct spill_host_twin *twin,
                        struct spill_error *error)
{
    int status;

    pthread_mutex_lock(&host->turning);
    status = watch(host, index, &twin->twin, error);
    if (status == 0)
        host->twins[index] = *twin;
    pthread_mutex_unlock(&host->turning);
    return status;
}

/* The kernel takes its time to close it, and the thread none of that. */
void spill_host_remove_twin(struct spill_host *host, uint32_t index)
{
    struct spill_twin *twin = &host->twins[index].twin, gone;

    pthread_mutex_lock(&host->turning);
    gone = *twin;
    if (gone.descriptor >= 0)
        epoll_ctl(host->epoll, EPOLL_CTL_DEL, gone.descriptor, NULL);
    twin->descriptor = -1;
    pthread_mutex_unlock(&host->turning);
    spill_twin_close(&gone);
}

struct spill_host *spill_host_create(struct spill_host_twin *twins, uint32_t count, uint32_t lcores,
                                     bool rules, uint16_t data_room, const struct spill_token *stop,
                                     struct spill_error *error)
{
    struct spill_host *host = rte_zmalloc("host", sizeof(*host), RTE_CACHE_LINE_SIZE);

    if (host == NULL) {
        spill_error_set(error, "no memory for the host's packets");
        return NULL;
    }
    host->epoll = -1;
    pthread_mutex_init(&host->turning, NULL);
    host->twins = twins;
    host->count = count;
    host->from_count = rules ? lcores : 1;
    host->stop = stop;
    host->pool = spill_port_pool_create("host", POOL_MBUFS, SPILL_PACKET_PRIVATE_SIZE, data_room,
                                        true, SOCKET_ID_ANY, error);
    if (host->pool != NULL && make_channels(host, lcores, error) == 0 &&
        watch_all(host, error) == 0)
        return host;
    host->twins = NULL;
    spill_host_free(host);
    return NULL;
}

int spill_host_start(struct spill_host *host, const struct spill_host_start *start,
                     struct spill_error *error)
{
    host->start = *start;
    if (pthread_create(&host->thread, NULL, spill_host_run, host) != 0)
        return spill_error_set(error, "no thread for the twins");
    host->runs = true;
    return 0;
}

void spill_host_finish(struct spill_host *host)
{
    atomic_store_explicit(&host->over, true, memory_order_release);
}

static uint64_t empty(struct spill_channel *channel, struct spill_ledger *ledger,
                      const struct spill_drop_reason *reason)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    uint64_t packets = 0;
    uint32_t count;

    while ((count = spill_channel_receive(channel, mbufs, SPILL_BURST)) > 0) {
        spill_ledger_drop(ledger, reason, mbufs, count);
        packets += count;
    }
    return packets;
}

uint64_t spill_host_abandon(struct spill_host *host, struct spill_ledger *ledger,
                            const struct spill_drop_reason *reason)
{
    uint64_t packets = 0;
    uint32_t i;

    for (i = 0; i < host->from_count; i++)
        packets += empty(host->from[i], ledger, reason);
    for (i = 0; i < SPILL_HOST_CLASSES; i++)
        packets += empty(host->to[i], ledger, reason);
    return packets;
}

void spill_host_free(struct spill_host *host)
{
    uint32_t i;

    if (host == NULL)
        return;
    if (host->epoll >= 0)
        close(host->epoll);
    for (i = 0; host->twins != NULL && i < host->count; i++)
        spill_twin_close(&host->twins[i].twin);
    rte_free(host->twins);
    for (i = 0; i < SPILL_HOST_CLASSES; i++)
        spill_channel_free(host->to[i]);
    for (i = 0; i < host->from_count; i++)
        spill_channel_free(host->from[i]);
    rte_mempool_free(host->pool);
    pthread_mutex_destroy(&host->turning);
    rte_free(host);
}
