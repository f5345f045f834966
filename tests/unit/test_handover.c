/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments come to other fast lcores than their connections, whoever spreads, and are handed on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_thash.h>

#include "pipeline_bench.h"

/* The lcores' stages are polled by hand, in an order by chance. */

#define FAST   3
#define QUEUES FAST /* of both ports */
#define TABLE  128  /* entries of the devices' redirection tables */
#define PIECE  64   /* bytes of a datagram in a fragment */

static struct bench bench;
static struct rte_ring *in[2][QUEUES];
static uint32_t datagrams, fragments_fed, fragments_came;

static void add_many(unsigned index)
{
    struct rte_eth_conf config = {0};
    char name[16];
    unsigned i;
    int id;

    for (i = 0; i < QUEUES; i++) {
        snprintf(name, sizeof(name), "many%u.in%u", index, i);
        in[index][i] = bench_ring(name);
    }
    snprintf(name, sizeof(name), "many%u", index);
    id = rte_eth_from_rings(name, in[index], QUEUES, &bench_out[index], 1, 0);
    if (id < 0 || rte_eth_dev_configure((uint16_t)id, QUEUES, 1, &config) != 0 ||
        rte_eth_tx_queue_setup((uint16_t)id, 0, 512, 0, NULL) != 0)
        exit(1);
    for (i = 0; i < QUEUES; i++) {
        if (rte_eth_rx_queue_setup((uint16_t)id, (uint16_t)i, 512, 0, NULL, bench_mbufs) != 0)
            exit(1);
    }
    if (rte_eth_dev_start((uint16_t)id) != 0)
        exit(1);
    bench_ports[index].id = (uint16_t)id;
    bench_ports[index].capabilities.rss_table = TABLE;
    bench_ports[index].capabilities.rss_fields =
        RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_UDP;
}

/* The queue that a device chooses: fragments by their addresses alone. */
static unsigned device_queue(const struct bench_frame *frame)
{
    bool fragment = frame->ip.fragment_offset != 0;
    uint32_t tuple[3] = {rte_be_to_cpu_32(frame->ip.src_addr), rte_be_to_cpu_32(frame->ip.dst_addr),
                         (uint32_t)rte_be_to_cpu_16(frame->udp.src_port) << 16 |
                             rte_be_to_cpu_16(frame->udp.dst_port)};

    return rte_softrss(tuple, fragment ? 2 : 3, spill_port_rss_key) % TABLE % QUEUES;
}

static void receive(unsigned port, struct rte_mbuf *mbuf)
{
    const struct bench_frame *frame = rte_pktmbuf_mtod(mbuf, const struct bench_frame *);
    /* Where software spreads, wan has one. */
    bool one = port == 1 && !bench.options.devices_spread;

    assert_int_equal(rte_ring_enqueue(in[port][one ? 0 : device_queue(frame)], mbuf), 0);
    bench.fed++;
}

/* A datagram whole, or in fragments that come in an order by chance. */
static void feed(uint32_t flow, unsigned direction, bool whole)
{
    struct rte_mbuf *mbufs[3];
    uint32_t count = whole ? 1 : 2 + test_random_below(&bench_seed, 2), i;

    if (!whole)
        datagrams++;
    for (i = 0; i < count; i++) {
        struct bench_frame *frame;

        mbufs[i] = rte_pktmbuf_alloc(bench_mbufs);
        assert_non_null(mbufs[i]);
        bench_fill(&bench, mbufs[i], flow, direction);
        if (whole)
            break;
        bench.next[direction][flow]--; /* numbers are of whole ones */
        frame = rte_pktmbuf_mtod(mbufs[i], struct bench_frame *);
        rte_pktmbuf_append(mbufs[i], (uint16_t)(sizeof(frame->ip) + PIECE -
                                                (sizeof(*frame) - sizeof(frame->ethernet))));
        frame->ip.total_length = rte_cpu_to_be_16(sizeof(frame->ip) + PIECE);
        frame->ip.packet_id = rte_cpu_to_be_16((uint16_t)datagrams);
        frame->ip.fragment_offset = rte_cpu_to_be_16(
            (uint16_t)(i * PIECE / 8 | (i + 1 < count ? RTE_IPV4_HDR_MF_FLAG : 0U)));
        if (i > 0) /* what stands there is no port */
            frame->udp.src_port = frame->udp.dst_port = (rte_be16_t)test_random(&bench_seed);
    }
    for (i = count; i > 0; i--) {
        uint32_t which = test_random_below(&bench_seed, i);

        receive(direction, mbufs[which]);
        mbufs[which] = mbufs[i - 1];
    }
    fragments_fed += whole ? 0 : count;
}

static void turn(uint32_t lcore)
{
    struct spill_loop *loop = bench.pipeline->lcores[lcore].loop;
    uint32_t i;

    for (i = 0; i < loop->stage_count; i++)
        loop->stages[i].poll(loop->stages[i].context, rte_rdtsc());
}

static void take(unsigned port)
{
    struct rte_mbuf *mbuf;

    while (rte_ring_dequeue(bench_out[port], (void **)&mbuf) == 0) {
        if (rte_pktmbuf_mtod(mbuf, const struct bench_frame *)->ip.fragment_offset != 0)
            fragments_came++;
        else
            bench_check(&bench, port, mbuf);
        rte_pktmbuf_free(mbuf);
        bench.came[port]++;
    }
}

static void run_turns(uint32_t turns)
{
    for (; turns > 0; turns--) {
        turn(1 + test_random_below(&bench_seed, FAST));
        take(0);
        take(1);
    }
}

static uint64_t flows(void)
{
    uint64_t sum = 0;
    uint32_t i;

    for (i = 1; i <= FAST; i++)
        sum += spill_flow_table_counters(bench.pipeline->lcores[i].fast->flows)->entries;
    return sum;
}

/* As a loop asks at its end. Returns whether all have come to theirs. */
static bool ask_for_the_end(void)
{
    bool all = true;
    uint32_t lcore, i;

    for (lcore = 1; lcore <= FAST; lcore++) {
        struct spill_loop *loop = bench.pipeline->lcores[lcore].loop;

        turn(lcore);
        for (i = 0; i < loop->stage_count; i++)
            all &= loop->stages[i].end(loop->stages[i].context);
    }
    take(0);
    take(1);
    return all;
}

static void run(bool devices_spread)
{
    struct bench_options options = {.shape = {"handover", FAST, 0, 0, 0},
                                    .dispatch = SPILL_DISPATCH_INLINE,
                                    .lanes = 8,
                                    .capacity = 16,
                                    .channel_capacity = 256,
                                    .rx_queues = QUEUES,
                                    .devices_spread = devices_spread,
                                    .budget_ns = 10000};
    struct spill_ledger ledger;
    uint32_t flow, round;

    fragments_fed = fragments_came = 0;
    if (bench_open(&bench, &options) != 0)
        fail_msg("%s", bench.error.text);
    assert_int_equal(bench.plan.spread, !devices_spread);
    for (flow = 0; flow < BENCH_FLOWS; flow++) { /* from inside, whole or not */
        if (bench_allowed(flow))
            feed(flow, 0, flow % 2 == 0);
        run_turns(8);
    }
    run_turns(100);
    assert_int_equal(flows(), BENCH_FLOWS / 8 * 7);
    for (round = 0; round < 2000; round++) { /* answers need the flow that was opened */
        flow = test_random_below(&bench_seed, BENCH_FLOWS);
        if (bench_allowed(flow))
            feed(flow, test_random_below(&bench_seed, 2), test_random_below(&bench_seed, 2) == 0);
        run_turns(test_random_below(&bench_seed, 6));
    }
    run_turns(200);
    /* One entry for each flow: no lcore has met a packet of another's. */
    assert_int_equal(flows(), BENCH_FLOWS / 8 * 7);
    /* Some whose first never comes; and the end, while they wait. */
    for (flow = 0; flow < 4; flow++) {
        struct rte_mbuf *mbuf = rte_pktmbuf_alloc(bench_mbufs);
        struct bench_frame *frame;

        bench_fill(&bench, mbuf, flow, 0);
        frame = rte_pktmbuf_mtod(mbuf, struct bench_frame *);
        frame->ip.fragment_offset = rte_cpu_to_be_16(8);
        receive(0, mbuf);
    }
    run_turns(100);
    spill_token_cancel(&bench.stop, "test");
    for (round = 0; !ask_for_the_end(); round++)
        assert_true(round < 100);
    spill_pipeline_ledger(bench.pipeline, &ledger);
    assert_int_equal(bench_drops(&ledger, "fragment_no_first"), 4);
    assert_int_equal(spill_ledger_dropped(&ledger), 4);
    assert_int_equal(fragments_came, fragments_fed);
    assert_int_equal(bench.came[0] + bench.came[1], bench.fed - 4);
    assert_int_equal(bench.disorder, 0);
    assert_int_equal(rte_mempool_avail_count(bench_mbufs), BENCH_MBUFS);
}

static void fragments_are_handed_to_their_connection_where_software_spreads(void **state)
{
    (void)state;
    run(false);
}

static void fragments_are_handed_to_their_connection_where_devices_spread(void **state)
{
    (void)state;
    run(true);
}

/* Devices that hash addresses alone, for fragments or for all: the ports are of no account. */
static void ports_count_where_the_device_hashes_them(void **state)
{
    struct spill_handover handover = {.count = FAST, .by_device = true};
    struct spill_packet packet = {.kind = SPILL_PACKET_IPV4, .has_ports = 1};
    uint32_t owners[2] = {0, 0}, port;

    (void)state;
    handover.rss.key = spill_port_rss_key;
    handover.rss.queues[0] = QUEUES;
    handover.rss.table_sizes[0] = TABLE;
    packet.key.v4.protocol = IPPROTO_UDP;
    for (unsigned hashed = 0; hashed < 2; hashed++) {
        handover.rss.fields[0] = RTE_ETH_RSS_IPV4 | (hashed ? RTE_ETH_RSS_NONFRAG_IPV4_UDP : 0);
        for (port = 0; port < 256; port++) {
            packet.key.v4.port[0] = rte_cpu_to_be_16((uint16_t)port);
            owners[hashed] |= 1u << spill_handover_flow_owner(&handover, &packet);
        }
    }
    assert_int_equal(__builtin_popcount(owners[0]), 1);
    assert_int_equal(__builtin_popcount(owners[1]), FAST);
}

static int clear(void **state)
{
    struct rte_mbuf *mbuf;
    unsigned port, i;

    (void)state;
    if (bench.pipeline != NULL)
        spill_pipeline_abandon(bench.pipeline, NULL);
    for (port = 0; port < 2; port++) {
        for (i = 0; i < QUEUES; i++) {
            while (rte_ring_dequeue(in[port][i], (void **)&mbuf) == 0)
                rte_pktmbuf_free(mbuf);
        }
    }
    bench_close(&bench);
    return 0;
}

static int start(void **state)
{
    (void)state;
    bench_start(FAST + 1);
    add_many(0);
    add_many(1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_count_where_the_device_hashes_them),
        cmocka_unit_test_teardown(fragments_are_handed_to_their_connection_where_software_spreads,
                                  clear),
        cmocka_unit_test_teardown(fragments_are_handed_to_their_connection_where_devices_spread,
                                  clear),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
