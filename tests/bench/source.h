/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_BENCH_SOURCE_H
#define SPILLWAY_BENCH_SOURCE_H

#include <stdatomic.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "base/histogram.h"

/**
 * @file
 * A port whose traffic is made inside of the receive call of the lcore that polls it, so that a
 * bench needs no CPU for a generator.
 *
 * Kinds of UDP packets arrive by the clock, each at its own rate: of established flows, which come
 * again and again; of a flood, each packet of which is another flow; and of established flows from
 * 10.1.0.0/16 to 10.2.0.0/16, for rules that protect these. They wait in a queue of SOURCE_RING
 * packets as they would in a NIC's descriptors; what arrives while it is full is lost, of all kinds
 * alike. The port they are sent to counts them by kind, and how long those in the clear took since
 * they arrived. A packet's headers are written, and of its payload no more than the mbuf had
 * before.
 *
 * The clock is the lcore's own time: when it was not polled for SOURCE_GAP_US, another process had
 * its CPU, and that time does not count. So the figures bear some noise on the machine.
 */

#define SOURCE_RING        2048
#define SOURCE_ESTABLISHED 1024 /* flows of a kind */
#define SOURCE_GAP_US      100  /* no turn of a loop takes so long */

enum source_kind {
    SOURCE_OLD,     /* of an established flow */
    SOURCE_NEW,     /* of the flood */
    SOURCE_PROTECT, /* of an established flow from 10.1.0.0/16 to 10.2.0.0/16 */
    SOURCE_KINDS,
};

/** Counted by the lcore that polls; read by any. */
struct source_counters {
    uint64_t arrived[SOURCE_KINDS];
    uint64_t missed[SOURCE_KINDS]; /* of those: the queue was full */
    uint64_t transmitted[SOURCE_KINDS];
    uint64_t cycles; /* the lcore's own time */
};

struct source {
    struct rte_mempool *pool;
    /** Packets a second of each kind. Written by the control thread. */
    _Atomic uint64_t rates[SOURCE_KINDS];
    _Atomic int thread; /* kernel's id of the one that polls; 0: not yet */
    /* The polling lcore's: */
    struct source_counters counters __rte_cache_aligned;
    uint64_t period[SOURCE_KINDS]; /* of the current rates, 2^-16 cycles */
    uint64_t next[SOURCE_KINDS];   /* when the next packet of a kind arrives, 2^-16 cycles */
    uint64_t rates_seen[SOURCE_KINDS];
    uint64_t last;                  /* TSC of the last poll */
    uint64_t gap;                   /* SOURCE_GAP_US in cycles */
    uint32_t first;                 /* of the queue */
    uint32_t queued;                /* packets in it */
    uint32_t flows[SOURCE_KINDS];   /* the established flow of each kind whose turn is next */
    uint64_t flood;                 /* state of the generator of addresses */
    uint8_t queue[SOURCE_RING];     /* kinds of the packets that wait */
    uint32_t arrivals[SOURCE_RING]; /* and when they arrived, cycles modulo 2^32 */
    /** Of SOURCE_OLD, cycles from arrival to transmission. Written by the polling lcore. */
    struct spill_histogram latency;
};

/**
 * Takes over the receive call of one started port and the transmit call of another, queue 0 of
 * each. Before the lcores start.
 *
 * @param pool   mbufs for the packets
 * @param bytes  of established flows' packets, with FCS; those of the flood have 64
 */
void source_attach(struct source *source, uint16_t from, uint16_t to, struct rte_mempool *pool,
                   uint16_t bytes);

#endif
