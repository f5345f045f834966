/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_HOST_H
#define SPILLWAY_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "base/error.h"
#include "base/ledger.h"
#include "packet/packet.h"
#include "port/twin.h"
#include "route/router.h"
#include "runtime/channel.h"
#include "runtime/loop.h"
#include "runtime/token.h"

/**
 * @file
 * The host: the Linux kernel behind the twins of routed ports, and the thread between them and the
 * lcores.
 *
 *     lcores -> to[class] (channels) -> thread -> twin: what is for the host
 *     twin -> thread -> from (channel) -> one fast lcore -> THE exit: what the kernel sends; where
 *                       the rules are for it, too, of the fast lcores the one that has its flow
 *
 * The thread is no lcore and shares its CPU: the channels and the mempool are such that a thread
 * which is preempted holds up nobody (law 2). Nothing wakes it, which would cost an lcore a system
 * call: it looks at channels and twins every half millisecond, and at once again as long as it
 * finds packets. As it does, it says to who waits for that whether an lcore needs a neighbour.
 *
 * What strangers send to the host is sorted by what it is, and each class has a bound and a rate of
 * its own, so that no flood of one silences another (law 9). What goes into a channel is a copy in
 * a buffer of the host's own mempool, so that no flood takes a port's buffers either.
 *
 * Conservation: the packet that an lcore received is in flight until the thread has written it to a
 * twin (delivered_to_host); what comes from a twin is originated when the thread has read it.
 */

#define SPILL_HOST_CLASSES  3
#define SPILL_HOST_CAPACITY 512 /* packets in a channel */

/** Classes of what is for the host, the first served first. */
enum spill_host_class {
    SPILL_HOST_ROUTING,   /* routing protocols, VRRP, BFD, IKE */
    SPILL_HOST_NEIGHBORS, /* ARP and ND */
    SPILL_HOST_REST,
};

/** What one lcore may still give the host of a class. Written by the lcore. */
struct spill_host_rate {
    uint64_t since; /* TSC */
    uint32_t left;  /* packets */
};

struct spill_host_lcore {
    struct spill_host_rate rates[SPILL_HOST_CLASSES];
} __rte_cache_aligned;

/** A twin, and what it is the twin of. */
struct spill_host_twin {
    struct spill_twin twin;
    uint16_t port; /* DPDK's id */
    uint16_t vlan; /* 0: none */
};

/** What the thread looks after besides packets: whether lcores need neighbours. */
struct spill_host_start {
    const struct spill_router *router;
    /** Called by the thread as long as one does, each time that it looks. Does not block. */
    void (*wake)(void *context);
    void *context;
};

struct spill_host {
    uint32_t count; /* of places for twins, by the router's index of their interfaces */
    struct spill_host_twin *twins;
    pthread_mutex_t turning; /* of the thread, in a turn; and of who changes its twins */
    struct rte_mempool *pool;
    struct spill_channel *to[SPILL_HOST_CLASSES];
    uint32_t from_count; /* of channels: one, or one for each fast lcore */
    struct spill_channel *from[SPILL_ROUTER_LCORES_MAX]; /* by index among the fast lcores */
    const struct spill_fast *fast;                       /* the first; before the thread starts */
    struct spill_host_lcore lcores[SPILL_ROUTER_LCORES_MAX]; /* by index among the fast lcores */
    struct spill_ledger ledger;                              /* the thread's */
    const struct spill_token *stop;
    _Atomic bool over; /* the lcores have ended: what is left is delivered, then the thread ends */
    struct spill_host_start start;
    int epoll;
    bool runs;
    pthread_t thread;
};

struct spill_fast;

/**
 * Makes channels and mempool, for twins that are open. Control thread.
 *
 * @param twins   by the router's index of their interfaces, with places for those that come later,
 *                whose descriptor is -1; the host closes and frees them
 * @param lcores  fast lcores
 * @param rules   they judge what the host sends, each what is of its flows
 * @param stop    nothing more is read from twins
 * @return NULL with an error, and the twins stay the caller's
 */
struct spill_host *spill_host_create(struct spill_host_twin *twins, uint32_t count, uint32_t lcores,
                                     bool rules, uint16_t data_room, const struct spill_token *stop,
                                     struct spill_error *error);

/** Starts the thread. @param start  copied @return -1 with an error */
int spill_host_start(struct spill_host *host, const struct spill_host_start *start,
                     struct spill_error *error);

/**
 * Has the thread look after one more twin, or one less, which it closes. Any thread, one at a time;
 * waits for the kernel and a turn of the host's thread.
 *
 * @param index  the router's, of its interface; the place is free
 * @param twin   open; the host's then
 * @return 0; or -1 with an error, and the twin stays the caller's
 */
int spill_host_add_twin(struct spill_host *host, uint32_t index, const struct spill_host_twin *twin,
                        struct spill_error *error);
void spill_host_remove_twin(struct spill_host *host, uint32_t index);

/** Has the thread deliver what waits, and end. Once no lcore runs; spill_control_join() waits. */
void spill_host_finish(struct spill_host *host);

/** Drops what is left in the channels after an end by force. @return packets */
uint64_t spill_host_abandon(struct spill_host *host, struct spill_ledger *ledger,
                            const struct spill_drop_reason *reason);

/** Once the thread has ended and the ports are closed. May be NULL. */
void spill_host_free(struct spill_host *host);

/**
 * Sends what the host does: as it is, or by associations. The lcore that has what comes from twins.
 *
 * @param mbufs  given away, as they came from twins
 * @param count  at most SPILL_BURST
 */
void spill_host_send(struct spill_fast *fast, struct rte_mbuf **mbufs, uint32_t count,
                     uint64_t stamp);

/**
 * Has a fast lcore give the host what is for it; the first sends what comes from twins, or each
 * does. Control
 * thread, before the lcores start.
 *
 * @param host   NULL: nothing
 * @param index  of the lcore among the fast ones
 */
void spill_host_connect(struct spill_host *host, uint32_t index, struct spill_fast *fast,
                        struct spill_loop *loop);

/** Whether a packet is of neighbor discovery: ICMPv6 of the types 133 to 137. Any lcore. */
bool spill_host_is_discovery(const struct rte_mbuf *mbuf, const struct spill_packet *packet);

/** The thread. */
void *spill_host_run(void *host);

#endif
