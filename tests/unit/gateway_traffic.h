/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_GATEWAY_TRAFFIC_H
#define SPILLWAY_TEST_GATEWAY_TRAFFIC_H

#include <rte_esp.h>

#include "gateway_bench.h"
#include "packet/parse.h"

/**
 * @file
 * Traffic through a gateway, and its check: packets from the lan are encrypted there and decrypted
 * here again, packets for the lan are encrypted here. Flows in the clear go beside them.
 */

#define GATEWAY_ROOM 600 /* packets that may be in the ports' rings */

/** Flows that need no SA. */
static inline bool gateway_is_clear(uint32_t flow)
{
    return flow % 4 == 3;
}

/* By the flows' services the rules tell what becomes of them: SA "out", "other", or none. */
static inline void gateway_fill(struct rte_mbuf *mbuf, uint32_t flow, unsigned direction)
{
    static const uint16_t services[4] = {1111, 1111, 2222, 3333};
    rte_be16_t service = rte_cpu_to_be_16(services[flow % 4]);
    struct bench_frame *frame;

    bench_fill(&bench, mbuf, flow, direction);
    frame = rte_pktmbuf_mtod(mbuf, struct bench_frame *);
    frame->payload.number = gateway.next[direction][flow]++;
    *(direction == 0 ? &frame->udp.dst_port : &frame->udp.src_port) = service;
    frame->ip.hdr_checksum = rte_ipv4_cksum(&frame->ip);
    if (gateway_is_clear(flow))
        gateway.fed_clear++;
    else
        gateway.fed[direction]++;
}

/* Encrypts packets as the far gateway does. */
static inline void gateway_encrypt(struct rte_mbuf **mbufs, uint32_t count)
{
    struct spill_sa *peer = gateway.peers[0][gateway.generation % GATEWAY_SPIS];
    struct spill_job job = {.subject = &peer->lcores[0]->subject};
    uint32_t i;

    for (i = 0; i < count; i++) {
        spill_parse_burst(&mbufs[i], 1, 0, spill_packet_of(mbufs[i]));
        job.mbufs[job.count++] = mbufs[i];
    }
    spill_esp_take_numbers(&job, NULL);
    spill_esp_encrypt(&job, gateway.crypto);
}

/* Packets that may still be fed. */
static inline uint32_t gateway_room(void)
{
    uint32_t within = rte_ring_count(bench_in[0]) + rte_ring_count(bench_in[1]) +
                      rte_ring_count(bench_out[0]) + rte_ring_count(bench_out[1]);

    return within < GATEWAY_ROOM ? GATEWAY_ROOM - within : 0;
}

static inline void gateway_put(unsigned port, struct rte_mbuf **mbufs, uint32_t count)
{
    if (rte_ring_enqueue_bulk(bench_in[port], (void **)mbufs, count, NULL) != count)
        abort();
    bench.fed += count;
}

/** Lets a port receive a burst of packets, as far as there is room. @return how many */
static inline uint32_t gateway_feed(enum gateway_direction direction, uint32_t count)
{
    struct rte_mbuf *mbufs[SPILL_BURST], *again;
    /* Of all flows, or of those like one, or of one alone. */
    uint32_t kind = test_random_below(&bench_seed, 4),
             one = test_random_below(&bench_seed, BENCH_FLOWS);
    uint32_t i;

    count = RTE_MIN(count, gateway_room());
    if (count == 0 || rte_pktmbuf_alloc_bulk(bench_mbufs, mbufs, count) != 0)
        return 0;
    for (i = 0; i < count; i++) {
        uint32_t flow = test_random_below(&bench_seed, BENCH_FLOWS);

        if (kind == 0)
            flow = one;
        else if (kind == 1)
            flow = flow / 4 * 4 + one % 4;
        if (direction == GATEWAY_DECRYPTS && gateway_is_clear(flow))
            flow--;
        gateway_fill(mbufs[i], flow, direction);
    }
    if (direction == GATEWAY_DECRYPTS)
        gateway_encrypt(mbufs, count);
    /* Once more, where nothing is lost: a copy of what was refused would be fresh, and late. */
    again = direction == GATEWAY_DECRYPTS && gateway.options.source_waits &&
                    test_random_below(&bench_seed, 4) == 0
                ? rte_pktmbuf_copy(mbufs[test_random_below(&bench_seed, count)], bench_mbufs, 0,
                                   UINT32_MAX)
                : NULL;
    gateway_put(direction, mbufs, count);
    if (again != NULL) {
        gateway_put(direction, &again, 1);
        gateway.doubled++;
    }
    return count;
}

/* How a packet came. */
enum gateway_way {
    GATEWAY_CLEAR,
    GATEWAY_BY_OUT, /* or by "in" */
    GATEWAY_BY_OTHER,
};

static inline enum gateway_way gateway_way_of(unsigned direction, uint32_t flow)
{
    if (gateway_is_clear(flow))
        return gateway.protect_all ? GATEWAY_BY_OUT : GATEWAY_CLEAR;
    return direction == 0 && flow % 4 == 2 ? GATEWAY_BY_OTHER : GATEWAY_BY_OUT;
}

/* A packet in the clear, or what was inside. */
static inline void gateway_check(unsigned direction, struct rte_mbuf *mbuf, enum gateway_way way)
{
    const struct bench_frame *frame = rte_pktmbuf_mtod(mbuf, const struct bench_frame *);
    uint32_t flow, *expected;

    if (mbuf->pkt_len != sizeof(*frame) || frame->payload.magic != BENCH_MAGIC ||
        gateway_way_of(direction, frame->payload.flow) != way) {
        gateway.bad++;
        return;
    }
    flow = frame->payload.flow;
    expected = &gateway.expected[direction][flow];
    gateway.disorder += frame->payload.number < *expected;
    gateway.lost += frame->payload.number > *expected;
    *expected = frame->payload.number + 1;
    if (gateway_is_clear(flow))
        gateway.came_clear++;
    else
        gateway.came[direction]++;
}

/* Decrypts one ESP packet as the far gateway does. */
static inline void gateway_decrypt(struct rte_mbuf *mbuf)
{
    struct spill_packet *packet = spill_packet_of(mbuf);
    const struct rte_esp_hdr *esp =
        rte_pktmbuf_mtod_offset(mbuf, const struct rte_esp_hdr *, packet->l4_offset);
    uint32_t which = rte_be_to_cpu_32(esp->spi) - GATEWAY_OUT, number = rte_be_to_cpu_32(esp->seq);
    struct spill_sa *peer = which < GATEWAY_SPIS ? gateway.peers[1][which] : NULL;
    struct spill_job job = {.count = 1, .work = 1, .mbufs = {mbuf}};

    if (peer == NULL) {
        gateway.bad++;
        return;
    }
    /* With several fast lcores only the order of each flow is told. */
    gateway.disorder += gateway.options.shape.fast == 1 && number != gateway.last[which] + 1;
    gateway.last[which] = number;
    packet->sequence = number;
    job.subject = &peer->lcores[0]->subject;
    job.serial = number - 1;
    spill_esp_decrypt(&job, gateway.crypto);
    if (packet->kind == SPILL_PACKET_MALFORMED)
        gateway.bad++;
    else
        gateway_check(0, mbuf,
                      which < GATEWAY_OTHER - GATEWAY_OUT ? GATEWAY_BY_OUT : GATEWAY_BY_OTHER);
}

/** Takes what the ports have transmitted, and checks it. @return packets */
static inline uint32_t gateway_drain(void)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    uint32_t total = 0, count, i;
    unsigned port;

    for (port = 0; port < 2; port++) {
        count = rte_ring_dequeue_burst(bench_out[port], (void **)mbufs, SPILL_BURST, NULL);
        for (i = 0; i < count; i++) {
            struct spill_packet *packet = spill_packet_of(mbufs[i]);

            spill_parse_burst(&mbufs[i], 1, 0, packet);
            if (packet->esp != SPILL_ESP_NONE)
                gateway_decrypt(mbufs[i]);
            else
                gateway_check(!port, mbufs[i], port == 0 ? GATEWAY_BY_OUT : GATEWAY_CLEAR);
        }
        rte_pktmbuf_free_bulk(mbufs, count);
        bench.came[port] += count;
        total += count;
    }
    return total;
}

/* Whether all that was fed has been looked at, but for what lcores hold in their hands. */
static inline bool gateway_inputs_empty(void)
{
    uint32_t i;

    for (i = 0; i < bench.plan.channel_count; i++) {
        if (!rte_ring_empty(bench.pipeline->channels[i]->ring))
            return false;
    }
    return rte_ring_empty(bench_in[0]) && rte_ring_empty(bench_in[1]);
}

/* Waits until each lcore has begun and ended a turn. */
static inline void gateway_turn(void)
{
    uint32_t i;

    for (i = 1; i < bench.plan.lcore_count; i++) {
        const uint64_t *polls = &bench.pipeline->lcores[i].loop->counters.polls;
        uint64_t then = __atomic_load_n(polls, __ATOMIC_ACQUIRE);

        while (__atomic_load_n(polls, __ATOMIC_ACQUIRE) < then + 2) {
            if (gateway_drain() == 0)
                sched_yield();
        }
    }
}

/** Waits until all that was fed is in lanes, or further on, and each lcore goes by the newest
 * version: a peer uses an SA no sooner and no longer than it is in force here. */
static inline void gateway_quiet(void)
{
    do {
        while (!gateway_inputs_empty()) {
            if (gateway_drain() == 0)
                sched_yield();
        }
        gateway_turn();
    } while (!gateway_inputs_empty());
}

/** Waits until no flow goes by older rules than the newest. */
static inline void gateway_all_asked(void)
{
    const struct spill_generation *newest = spill_snapshot_get(bench.rules);
    uint32_t i;

    for (i = 1; i < bench.plan.lcore_count; i++) {
        const struct spill_fast *fast = bench.pipeline->lcores[i].fast;

        while (fast != NULL &&
               __atomic_load_n(&fast->version.renewed, __ATOMIC_ACQUIRE) != newest->number) {
            if (gateway_drain() == 0)
                sched_yield();
        }
    }
}

/** Feeds so many packets in all, at the pace at which they are taken. */
static inline void gateway_run(enum gateway_direction direction, uint64_t packets)
{
    while (bench.fed < packets) {
        uint32_t fed = gateway_feed(direction, 1 + test_random_below(&bench_seed, SPILL_BURST));

        if (gateway_drain() + fed == 0)
            sched_yield();
    }
}

/** Lets the pipeline come to its end, with all that was fed received; its books must balance. */
static inline void gateway_finish(struct spill_ledger *ledger)
{
    uint64_t deadline = rte_rdtsc() + 60 * rte_get_tsc_hz();
    bool received = false;

    while (!received || spill_pipeline_running(bench.pipeline, NULL)) {
        if (gateway_drain() == 0)
            sched_yield();
        if (!received && rte_ring_empty(bench_in[0]) && rte_ring_empty(bench_in[1])) {
            received = true;
            spill_token_cancel(&bench.stop, "test");
        }
        if (rte_rdtsc() > deadline) {
            spill_token_cancel(&bench.force, "test");
            fail_msg("%s: does not end", bench.options.shape.name);
        }
    }
    while (gateway_drain() > 0)
        ;
    assert_false(spill_pipeline_forced(bench.pipeline));
    spill_pipeline_ledger(bench.pipeline, ledger);
    assert_int_equal(ledger->received, bench.fed);
    assert_int_equal(ledger->transmitted, bench.came[0] + bench.came[1]);
    assert_int_equal(ledger->transmitted + spill_ledger_dropped(ledger), ledger->received);
    assert_int_equal(spill_ledger_in_flight(ledger), 0);
    assert_int_equal(rte_mempool_avail_count(bench_mbufs), BENCH_MBUFS);
    assert_int_equal(gateway.bad, 0);
    assert_int_equal(gateway.disorder, 0);
}

/** Fails when anything was dropped, but for the reason named; NULL: but for none. */
static inline void gateway_assert_drops(const struct spill_ledger *ledger, const char *but)
{
    unsigned id;

    for (id = 0; id < spill_drop_reason_count(); id++) {
        const char *name = spill_drop_reason_get(id)->name;

        if (ledger->dropped[id] != 0 && (but == NULL || strcmp(name, but) != 0))
            fail_msg("%s: %lu dropped as %s", bench.options.shape.name,
                     (unsigned long)ledger->dropped[id], name);
    }
}

#endif
