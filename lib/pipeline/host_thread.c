/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread between twins and lcores. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <rte_ether.h>

#include "pipeline/host.h"
#include "pipeline/host_rules.h"

static SPILL_DROP_REASON(twin_refused, "twin_refused",
                         "the kernel did not take the packet by the port's twin: it is down, or "
                         "has too much waiting");
static SPILL_DROP_REASON(from_host_full, "from_host_full",
                         "the kernel sent more by twins than was sent on at a time");

#define TURN     32
#define EVENTS   16
#define SEGMENTS 16
#define LOOK_NS  500000 /* between two looks at the channels */

/* What its segments hold, in one write. */
static bool write_frame(const struct spill_twin *twin, const struct rte_mbuf *mbuf)
{
    struct iovec pieces[SEGMENTS];
    int count = 0;

    for (; mbuf != NULL; mbuf = mbuf->next) {
        if (count == SEGMENTS)
            return false;
        pieces[count++] = (struct iovec){rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len};
    }
    return twin->descriptor >= 0 && writev(twin->descriptor, pieces, count) > 0;
}

static void deliver(struct spill_host *host, struct rte_mbuf *mbuf)
{
    if (write_frame(&host->twins[mbuf->port].twin, mbuf)) {
        host->ledger.delivered_to_host++;
        rte_pktmbuf_free(mbuf);
    } else {
        spill_ledger_drop(&host->ledger, &twin_refused, &mbuf, 1);
    }
}

/* The first class that has any comes first: @return packets */
static uint32_t deliver_some(struct spill_host *host)
{
    struct rte_mbuf *mbufs[TURN];
    uint32_t i, j, count, all = 0;

    for (i = 0; i < SPILL_HOST_CLASSES; i++) {
        count = spill_channel_receive(host->to[i], mbufs, TURN);
        for (j = 0; j < count; j++)
            deliver(host, mbufs[j]);
        all += count;
    }
    return all;
}

/* To the lcore that sends it on, the first where none has to know its flow. */
static void send_on(struct spill_host *host, uint16_t port, struct rte_mbuf *mbuf)
{
    const uint32_t owner =
        host->from_count > 1 ? spill_host_rules_owner(host->fast, mbuf, port) : 0;

    if (spill_channel_send(spill_channel_sender(host->from[owner], 0), &mbuf, 1) == 0)
        spill_ledger_drop(&host->ledger, &from_host_full, &mbuf, 1);
}

/* @return whether there may be more */
static bool read_frame(struct spill_host *host, uint32_t index)
{
    const struct spill_host_twin *twin = &host->twins[index];
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(host->pool);
    ssize_t length;

    if (mbuf == NULL) /* it waits in the kernel's own queue, which has a bound */
        return false;
    length =
        read(twin->twin.descriptor, rte_pktmbuf_mtod(mbuf, void *), rte_pktmbuf_tailroom(mbuf));
    if (length < RTE_ETHER_HDR_LEN) {
        rte_pktmbuf_free(mbuf);
        /* Somebody has deleted the twin: it would be ready for ever. */
        if (length < 0 && errno == EBADFD)
            epoll_ctl(host->epoll, EPOLL_CTL_DEL, twin->twin.descriptor, NULL);
        return false;
    }
    mbuf->data_len = (uint16_t)length;
    mbuf->pkt_len = (uint32_t)length;
    mbuf->port = (uint16_t)index;
    host->ledger.originated++;
    mbuf->vlan_tci = twin->vlan;
    if (twin->vlan != 0 && rte_vlan_insert(&mbuf) != 0)
        spill_ledger_drop(&host->ledger, &from_host_full, &mbuf, 1);
    else
        send_on(host, twin->port, mbuf);
    return true;
}

/* @return frames */
static uint32_t read_some(struct spill_host *host)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(host->epoll, events, EVENTS, 0), i, j;
    uint32_t all = 0;

    for (i = 0; i < count; i++) {
        for (j = 0; j < TURN && read_frame(host, events[i].data.u32); j++)
            all++;
    }
    return all;
}

/* Nothing more comes from the twins. */
static void leave(struct spill_host *host)
{
    for (uint32_t i = 0; i < host->from_count; i++)
        spill_sender_leave(spill_channel_sender(host->from[i], 0));
}

static void rest(void)
{
    const struct timespec time = {.tv_nsec = LOOK_NS};

    nanosleep(&time, NULL);
}

void *spill_host_run(void *context)
{
    struct spill_host *host = context;
    bool reads = true, over = false;
    uint32_t packets;

    do {
        /* Before the look at the channels: nothing comes after it. */
        over = atomic_load_explicit(&host->over, memory_order_acquire);
        if (reads && spill_token_cancelled(host->stop)) {
            reads = false;
            leave(host);
        }
        pthread_mutex_lock(&host->turning);
        packets = deliver_some(host);
        if (reads)
            packets += read_some(host);
        pthread_mutex_unlock(&host->turning);
        if (spill_router_has_needs(host->start.router))
            host->start.wake(host->start.context);
        if (packets == 0 && !over)
            rest();
    } while (!over || packets > 0);
    return NULL;
}
