/* SPDX-License-Identifier: BSD-3-Clause */
/* More comes in than can be done: what was accepted is finished, and all are served in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline_bench.h"

/*
 * The lcores' stages are polled by hand, one lcore's turn after the other's, and so all lcores are
 * equally quick: what comes out is the same in each run.
 */

#define FAST   6 /* lcores, at most */
#define QUEUES 7 /* of lan, which alone receives */

static struct bench bench;
static struct rte_ring *lan_in[QUEUES];

/* A port in lan's place, with several receive queues. */
static void add_queues(void)
{
    struct rte_eth_conf config = {0};
    char name[16];
    int id, i;

    for (i = 0; i < QUEUES; i++) {
        snprintf(name, sizeof(name), "many.in%d", i);
        lan_in[i] = bench_ring(name);
    }
    id = rte_eth_from_rings("many", lan_in, QUEUES, &bench_out[0], 1, 0);
    if (id < 0 || rte_eth_dev_configure((uint16_t)id, QUEUES, 1, &config) != 0 ||
        rte_eth_tx_queue_setup((uint16_t)id, 0, 512, 0, NULL) != 0)
        exit(1);
    for (i = 0; i < QUEUES; i++) {
        if (rte_eth_rx_queue_setup((uint16_t)id, (uint16_t)i, 512, 0, NULL, bench_mbufs) != 0)
            exit(1);
    }
    if (rte_eth_dev_start((uint16_t)id) != 0)
        exit(1);
    bench_ports[0].id = (uint16_t)id;
}

static void open_or_fail(unsigned fast, unsigned queues)
{
    struct bench_options options = {.shape = {"shared", fast, 0, 0, 0},
                                    .dispatch = SPILL_DISPATCH_INLINE,
                                    .lanes = 8,
                                    .capacity = 16,
                                    .channel_capacity = 256,
                                    .rx_queues = queues,
                                    .budget_ns = 10000};

    if (bench_open(&bench, &options) != 0)
        fail_msg("%s", bench.error.text);
}

/* Lets every queue have at least a burst, of allowed flows of its own. */
static void flood(unsigned queues)
{
    struct rte_mbuf *mbuf;
    uint32_t queue, flow;

    for (queue = 0; queue < queues; queue++) {
        while (rte_ring_count(lan_in[queue]) < SPILL_BURST) {
            do
                flow = test_random_below(&bench_seed, BENCH_FLOWS / QUEUES) * QUEUES + queue;
            while (!bench_allowed(flow));
            mbuf = rte_pktmbuf_alloc(bench_mbufs);
            assert_non_null(mbuf);
            bench_fill(&bench, mbuf, flow, 0);
            assert_int_equal(rte_ring_enqueue(lan_in[queue], mbuf), 0);
            bench.fed++;
        }
    }
}

static void turn(uint32_t lcore)
{
    struct spill_loop *loop = bench.pipeline->lcores[lcore].loop;
    uint32_t i;

    for (i = 0; i < loop->stage_count; i++)
        loop->stages[i].poll(loop->stages[i].context, rte_rdtsc());
}

/* Takes so many from what wan has transmitted. */
static void take(uint32_t count)
{
    struct rte_mbuf *mbuf;

    for (; count > 0 && rte_ring_dequeue(bench_out[1], (void **)&mbuf) == 0; count--) {
        bench_check(&bench, 1, mbuf);
        rte_pktmbuf_free(mbuf);
        bench.came[1]++;
    }
}

/* Turns of all lcores, in an order that chance shuffles: in step, one would always come first. */
static void run_turns(unsigned fast, unsigned queues, uint32_t turns, uint32_t taken)
{
    uint32_t order[FAST], i;

    for (i = 0; i < fast; i++)
        order[i] = i + 1;
    for (; turns > 0; turns--) {
        flood(queues);
        for (i = 0; i < fast; i++) {
            uint32_t other = i + test_random_below(&bench_seed, fast - i), swap = order[i];

            order[i] = order[other];
            order[other] = swap;
            turn(order[i]);
        }
        take(taken);
    }
}

static uint64_t drops(const char *name)
{
    struct spill_ledger ledger;

    spill_pipeline_ledger(bench.pipeline, &ledger);
    return bench_drops(&ledger, name);
}

static void close_bench(void)
{
    struct rte_mbuf *mbuf;
    uint32_t i;

    spill_pipeline_abandon(bench.pipeline, NULL);
    take(UINT32_MAX);
    for (i = 0; i < QUEUES; i++) {
        while (rte_ring_dequeue(lan_in[i], (void **)&mbuf) == 0)
            rte_pktmbuf_free(mbuf);
    }
    bench_close(&bench);
}

static void close_empty(void)
{
    close_bench();
    assert_int_equal(bench.disorder, 0);
    assert_int_equal(rte_mempool_avail_count(bench_mbufs), BENCH_MBUFS);
}

static void what_was_received_is_finished_before_more_is(void **state)
{
    static const unsigned queues[] = {1, 2, 4, QUEUES};
    unsigned i;

    (void)state;
    for (i = 0; i < RTE_DIM(queues); i++) {
        uint64_t refused;

        open_or_fail(2, queues[i]);
        run_turns(2, queues[i], 500, UINT32_MAX);
        refused = drops("rx_channel_full") + drops("tx_channel_full") + drops("tx_full");
        if (refused * 100 > bench.came[1])
            fail_msg("%u queues: %lu refused after they were received, %lu sent", queues[i],
                     (unsigned long)refused, (unsigned long)bench.came[1]);
        close_empty();
    }
}

static void queues_are_served_in_turn(void **state)
{
    uint32_t lcore, i;

    (void)state;
    open_or_fail(2, QUEUES);
    run_turns(2, QUEUES, 500, UINT32_MAX);
    for (lcore = 1; lcore <= 2; lcore++) {
        const struct spill_spread *spread = bench.pipeline->lcores[lcore].spread;
        uint64_t least = UINT64_MAX, most = 0;

        for (i = 0; i < spread->queue_count; i++) {
            if (spread->queues[i].port != bench_ports[0].id)
                continue;
            least = RTE_MIN(least, spread->queues[i].received);
            most = RTE_MAX(most, spread->queues[i].received);
        }
        assert_true(most <= least + SPILL_BURST);
    }
    close_empty();
}

/* An lcore whose own share is more than it can do goes on receiving for the others. */
static void an_overloaded_lcore_still_receives_for_others(void **state)
{
    struct spill_pipeline_lcore *slow;
    uint32_t i, n;

    (void)state;
    open_or_fail(2, QUEUES);
    slow = &bench.pipeline->lcores[1];
    for (i = 0; i < 500; i++) {
        flood(QUEUES);
        turn(1);
        for (n = 0; n < 8; n++) {
            flood(QUEUES);
            turn(2);
        }
        take(UINT32_MAX);
    }
    for (i = 0, n = 0; i < slow->spread->queue_count; i++)
        n += slow->spread->queues[i].received > 0;
    assert_true(n >= QUEUES / 2); /* all of lan's that are its own */
    close_empty();
}

/* The device takes less than the lcores have for it: each has its part of what it takes. */
static void a_shared_transmit_queue_serves_all_alike(void **state)
{
    enum { LCORES = 4, TAKEN = 48, TURNS = 2000 };
    uint32_t lcore;

    (void)state;
    open_or_fail(LCORES, QUEUES);
    run_turns(LCORES, QUEUES, TURNS, TAKEN);
    assert_true(bench.came[1] >= (uint64_t)TAKEN * (TURNS - 1)); /* never less than it can take */
    for (lcore = 1; lcore <= LCORES; lcore++) {
        const struct spill_fast *fast = bench.pipeline->lcores[lcore].fast;
        uint64_t had = fast->receive.inputs[0].channel->received;
        uint64_t lost =
            bench_drops(&fast->ledger, "tx_full") + bench_drops(&fast->ledger, "tx_channel_full");
        double part = (double)(had - lost) * LCORES / (double)bench.came[1];

        /* Flows fall on the lcores by chance, so they don't have equally much to send. */
        if (part < 0.25)
            fail_msg("lcore %u: %lu of %lu lost, %.2f of its part sent", lcore, (unsigned long)lost,
                     (unsigned long)had, part);
    }
    close_empty();
}

/* After a test that failed. */
static int clear(void **state)
{
    (void)state;
    if (bench.pipeline != NULL)
        close_bench();
    return 0;
}

static int start(void **state)
{
    (void)state;
    bench_start(FAST + 1);
    add_queues();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_was_received_is_finished_before_more_is, clear),
        cmocka_unit_test_teardown(queues_are_served_in_turn, clear),
        cmocka_unit_test_teardown(an_overloaded_lcore_still_receives_for_others, clear),
        cmocka_unit_test_teardown(a_shared_transmit_queue_serves_all_alike, clear),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
