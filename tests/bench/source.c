/* SPDX-License-Identifier: BSD-3-Clause */
/* A port whose packets are made inside of its receive call, paced by the clock. */
#include <string.h>
#include <unistd.h>

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "source.h"

#define FRAME_BYTES 60 /* that are written of each: 64 with FCS */
#define FRACTION    16 /* bits of times below a cycle */

struct frame {
    struct rte_ether_hdr ethernet;
    struct rte_ipv4_hdr ip;
    struct rte_udp_hdr udp;
    uint8_t padding[FRAME_BYTES - 42];
} __attribute__((packed, aligned(2)));

_Static_assert(sizeof(struct frame) == FRAME_BYTES, "64 B on the wire");

static struct frame frames[SOURCE_KINDS];
static uint16_t frame_bytes[SOURCE_KINDS]; /* without FCS */

static void make_frame(enum source_kind kind, uint16_t bytes)
{
    struct frame frame = {.ip.time_to_live = 64};

    frame.ethernet.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
    frame.ip.version_ihl = RTE_IPV4_VHL_DEF;
    frame.ip.total_length = rte_cpu_to_be_16((uint16_t)(bytes - RTE_ETHER_HDR_LEN));
    frame.ip.next_proto_id = IPPROTO_UDP;
    frame.ip.dst_addr = RTE_BE32(RTE_IPV4(192, 168, 1, 1));
    frame.udp.dst_port = RTE_BE16(53);
    frame.udp.dgram_len =
        rte_cpu_to_be_16((uint16_t)(bytes - RTE_ETHER_HDR_LEN - sizeof(struct rte_ipv4_hdr)));
    frames[kind] = frame;
    frame_bytes[kind] = bytes;
}

/* SplitMix64: any state gives another 64 bits. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint32_t next_flow(struct source *source, enum source_kind kind)
{
    return source->flows[kind] = (source->flows[kind] + 1) % SOURCE_ESTABLISHED;
}

static void fill(struct source *source, struct rte_mbuf *mbuf, enum source_kind kind)
{
    struct frame *to = rte_pktmbuf_mtod(mbuf, struct frame *);
    uint64_t random;
    uint32_t flow;

    memcpy(to, &frames[kind], sizeof(*to));
    to->udp.src_port = RTE_BE16(1024);
    switch (kind) {
    case SOURCE_OLD:
        to->ip.src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 0) + next_flow(source, kind));
        break;
    case SOURCE_PROTECT:
        flow = next_flow(source, kind);
        to->ip.src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 1, 0, 0) + flow);
        to->ip.dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 2, 0, 0) + flow);
        break;
    default:
        random = draw(&source->flood);
        /* Not in 0.0.0.0/2, so that none of them is an established flow. */
        to->ip.src_addr = rte_cpu_to_be_32((uint32_t)random | RTE_IPV4(192, 0, 0, 0));
        to->ip.dst_addr = (uint32_t)(random >> 24);
        to->udp.src_port = (uint16_t)(random >> 48);
    }
    mbuf->data_len = frame_bytes[kind];
    mbuf->pkt_len = frame_bytes[kind];
    mbuf->port = 0;
    mbuf->hash.usr = kind;
}

/* Takes over rates that the control thread has changed. */
static void take_rates(struct source *source, uint64_t now)
{
    for (unsigned kind = 0; kind < SOURCE_KINDS; kind++) {
        uint64_t rate = atomic_load_explicit(&source->rates[kind], memory_order_relaxed);

        if (rate == source->rates_seen[kind])
            continue;
        source->rates_seen[kind] = rate;
        source->period[kind] = rate != 0 ? (rte_get_tsc_hz() << FRACTION) / rate : 0;
        source->next[kind] = rate != 0 ? now + source->period[kind] : UINT64_MAX;
    }
}

/* The kind whose next packet is the first to arrive. */
static enum source_kind next_kind(const struct source *source)
{
    enum source_kind first = 0;

    for (unsigned kind = 1; kind < SOURCE_KINDS; kind++) {
        if (source->next[kind] < source->next[first])
            first = (enum source_kind)kind;
    }
    return first;
}

/* Queues what has arrived until now, in the order of arrival, and loses what finds it full. */
static void arrive(struct source *source, uint64_t now)
{
    while (source->queued < SOURCE_RING) {
        enum source_kind kind = next_kind(source);
        uint32_t slot = (source->first + source->queued) % SOURCE_RING;

        if (source->next[kind] > now)
            return;
        source->queue[slot] = (uint8_t)kind;
        source->arrivals[slot] = (uint32_t)(source->next[kind] >> FRACTION);
        source->queued++;
        source->next[kind] += source->period[kind];
        source->counters.arrived[kind]++;
    }
    for (unsigned kind = 0; kind < SOURCE_KINDS; kind++) {
        uint64_t lost;

        if (source->next[kind] > now)
            continue;
        lost = (now - source->next[kind]) / source->period[kind] + 1;
        source->next[kind] += lost * source->period[kind];
        source->counters.arrived[kind] += lost;
        source->counters.missed[kind] += lost;
    }
}

static uint16_t receive(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    struct source *source = queue;
    uint64_t tsc = rte_rdtsc(), passed = tsc - source->last, now;

    if (unlikely(atomic_load_explicit(&source->thread, memory_order_relaxed) == 0))
        atomic_store_explicit(&source->thread, gettid(), memory_order_relaxed);
    source->last = tsc;
    if (passed < source->gap)
        source->counters.cycles += passed;
    now = source->counters.cycles << FRACTION;
    take_rates(source, now);
    arrive(source, now);
    count = (uint16_t)RTE_MIN(count, source->queued);
    if (count == 0 || rte_pktmbuf_alloc_bulk(source->pool, mbufs, count) != 0)
        return 0;
    for (uint16_t i = 0; i < count; i++) {
        uint32_t slot = (source->first + i) % SOURCE_RING;

        fill(source, mbufs[i], source->queue[slot]);
        mbufs[i]->hash.fdir.hi = source->arrivals[slot]; /* beside hash.usr */
    }
    source->first = (source->first + count) % SOURCE_RING;
    source->queued -= count;
    return count;
}

static uint16_t transmit(void *queue, struct rte_mbuf **mbufs, uint16_t count)
{
    struct source *source = queue;
    uint64_t now = source->counters.cycles + RTE_MIN(rte_rdtsc() - source->last, source->gap);

    for (uint16_t i = 0; i < count; i++) {
        uint32_t kind = mbufs[i]->hash.usr;

        if (kind < SOURCE_KINDS) /* else the program made it itself */
            source->counters.transmitted[kind]++;
        if (kind == SOURCE_OLD)
            spill_histogram_record(&source->latency, (uint32_t)now - mbufs[i]->hash.fdir.hi, 1);
    }
    rte_pktmbuf_free_bulk(mbufs, count);
    return count;
}

void source_attach(struct source *source, uint16_t from, uint16_t to, struct rte_mempool *pool,
                   uint16_t bytes)
{
    make_frame(SOURCE_OLD, (uint16_t)(bytes - RTE_ETHER_CRC_LEN));
    make_frame(SOURCE_PROTECT, (uint16_t)(bytes - RTE_ETHER_CRC_LEN));
    make_frame(SOURCE_NEW, FRAME_BYTES);
    *source = (struct source){.pool = pool, .last = rte_rdtsc(), .flood = rte_rdtsc()};
    source->gap = rte_get_tsc_hz() / 1000000 * SOURCE_GAP_US;
    for (unsigned kind = 0; kind < SOURCE_KINDS; kind++)
        source->next[kind] = UINT64_MAX;
    rte_eth_fp_ops[from].rxq.data[0] = source;
    rte_eth_fp_ops[from].rx_pkt_burst = receive;
    rte_eth_fp_ops[to].txq.data[0] = source;
    rte_eth_fp_ops[to].tx_pkt_burst = transmit;
}
