/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A trial through a device that loses, copies, delays and invents packets, and knows what it did.
 * It sits between two rings: the generator's port sends into the one and receives from the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "lcores.h"
#include "trial.h"

#define SLOTS 4096
#define MBUFS 8191

static struct rte_mempool *pool;
static struct rte_ring *there, *back;
static uint16_t port;
static struct spill_token stop;
static _Atomic uint64_t turns;
static atomic_bool over;
static uint64_t state;

/* What the device did to packets of the trial proper; those of the warm-up it lets pass. */
struct deeds {
    uint64_t from; /* stamps below are the warm-up's */
    uint64_t lost, copied, delayed, invented;
    struct rte_mbuf *held; /* sent on behind the next one of its flow */
};

static struct deeds deeds;

static struct spill_load_probe probe_of(const struct rte_mbuf *mbuf)
{
    struct spill_load_probe probe;

    memcpy(&probe, rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, 42), sizeof(probe));
    return probe;
}

static void pass(struct rte_mbuf *mbuf)
{
    while (rte_ring_enqueue(back, mbuf) != 0)
        rte_pause();
}

static void invent(void)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

    if (mbuf == NULL)
        return;
    memset(rte_pktmbuf_append(mbuf, 60), 0xff, 60);
    pass(mbuf);
    deeds.invented++;
}

/* One flow: so each packet that is held comes back behind its follower. */
static void meddle(struct rte_mbuf *mbuf)
{
    const uint32_t chance = test_random_below(&state, 100);
    struct rte_mbuf *held = deeds.held;

    if (chance < 5) {
        rte_pktmbuf_free(mbuf);
        deeds.lost++;
        return;
    }
    if (chance < 10) {
        struct rte_mbuf *copy = rte_pktmbuf_copy(mbuf, pool, 0, UINT32_MAX);

        if (copy != NULL) {
            pass(copy);
            deeds.copied++;
        }
    }
    if (chance < 12)
        invent();
    if (chance >= 95 && held == NULL) {
        deeds.held = mbuf;
        return;
    }
    pass(mbuf);
    if (held != NULL) {
        pass(held);
        deeds.held = NULL;
        deeds.delayed++;
    }
}

static int device(void *unused)
{
    struct rte_mbuf *mbuf;

    (void)unused;
    while (!atomic_load(&over)) {
        if (rte_ring_dequeue(there, (void **)&mbuf) != 0)
            continue;
        if (probe_of(mbuf).stamp < deeds.from)
            pass(mbuf);
        else
            meddle(mbuf);
    }
    return 0;
}

static struct spill_load_trial *run(const char *class_text, double rate, uint64_t warm_up,
                                    uint64_t duration)
{
    const uint64_t hz = rte_get_tsc_hz();
    struct spill_load_trial *trial = spill_load_trial_create(1);
    struct spill_load_line line = {
        .out = port, .in = port, .pool = pool, .stop = &stop, .turns = &turns, .hz = hz};
    struct spill_load_class class;
    struct spill_error error;

    assert_non_null(trial);
    assert_int_equal(spill_load_class_parse(class_text, &class, &error), 0);
    line.traffic = spill_load_traffic_create(&class, 1, SOCKET_ID_ANY, &error);
    assert_non_null(line.traffic);
    trial->asked_rate = rate;
    trial->warm_up = hz / 1000 * warm_up;
    trial->duration = hz / 1000 * duration;
    atomic_store(&over, false);
    assert_int_equal(rte_eal_remote_launch(device, NULL, 1), 0);
    spill_load_trial_run(&line, trial);
    atomic_store(&over, true);
    rte_eal_wait_lcore(1);
    spill_load_traffic_free(line.traffic);
    return trial;
}

static void test_meddling(void **unused)
{
    struct spill_load_trial *trial;
    const struct spill_load_count *count;

    (void)unused;
    memset(&deeds, 0, sizeof(deeds));
    trial = run("a:flows=1", 50000, 0, 200);
    count = &trial->classes[0];
    /* One may still be held: to the generator it is lost. */
    deeds.lost += deeds.held != NULL;
    rte_pktmbuf_free(deeds.held);
    assert_true(count->sent > 0 && deeds.lost > 0 && deeds.copied > 0 && deeds.delayed > 0);
    assert_int_equal(trial->asked, count->sent + trial->tx_full + trial->too_late);
    assert_in_range(trial->asked, 9999, 10000);
    assert_int_equal(spill_load_lost(count), deeds.lost);
    assert_int_equal(count->duplicates, deeds.copied);
    assert_int_equal(count->reordered, deeds.delayed);
    assert_int_equal(trial->foreign, deeds.invented);
    assert_int_equal(spill_histogram_count(&count->latency), count->received);
    assert_int_equal(trial->early, 0);
    assert_true(trial->quiet);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    free(trial);
}

/* The device meddles with nothing: the warm-up's packets are early, all others there. */
static void test_warm_up(void **unused)
{
    struct spill_load_trial *trial;

    (void)unused;
    memset(&deeds, 0, sizeof(deeds));
    deeds.from = UINT64_MAX;
    trial = run("a:flows=100", 50000, 100, 100);
    assert_in_range(trial->asked, 4999, 5000);
    assert_true(trial->early > 0 && trial->early <= 5000);
    assert_true(trial->classes[0].sent > 0);
    assert_int_equal(spill_load_lost(&trial->classes[0]), 0);
    assert_int_equal(trial->classes[0].duplicates, 0);
    assert_int_equal(trial->foreign, 0);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    free(trial);
}

/* Packets of new flows that overtake each other are not reordered, but copies are duplicates. */
static void test_new_flows(void **unused)
{
    struct spill_load_trial *trial;

    (void)unused;
    memset(&deeds, 0, sizeof(deeds));
    trial = run("a:new=yes", 50000, 0, 200);
    deeds.lost += deeds.held != NULL;
    rte_pktmbuf_free(deeds.held);
    assert_true(deeds.delayed > 0 && deeds.copied > 0);
    assert_int_equal(spill_load_lost(&trial->classes[0]), deeds.lost);
    assert_int_equal(trial->classes[0].duplicates, deeds.copied);
    assert_int_equal(trial->classes[0].reordered, 0);
    free(trial);
}

/* A device that takes nothing: all that does not fit is counted, and its numbers are not used up.
 */
static void test_refused(void **unused)
{
    const uint64_t hz = rte_get_tsc_hz();
    struct spill_load_trial *trial = spill_load_trial_create(1);
    struct spill_load_class class;
    struct spill_error error;
    struct spill_load_line line = {
        .out = port, .in = port, .pool = pool, .stop = &stop, .turns = &turns, .hz = hz};
    struct rte_mbuf *mbuf;
    uint32_t next = 0;

    (void)unused;
    assert_int_equal(spill_load_class_parse("a:flows=1", &class, &error), 0);
    line.traffic = spill_load_traffic_create(&class, 1, SOCKET_ID_ANY, &error);
    trial->duration = hz / 100;
    spill_load_trial_run(&line, trial);
    assert_int_equal(trial->classes[0].sent, SLOTS - 1);
    assert_int_equal(trial->tx_full, trial->asked - (SLOTS - 1));
    assert_true(trial->tx_full > 0);
    while (rte_ring_dequeue(there, (void **)&mbuf) == 0) {
        assert_int_equal(probe_of(mbuf).sequence, next++);
        rte_pktmbuf_free(mbuf);
    }
    assert_int_equal(next, SLOTS - 1);
    assert_int_equal(line.traffic->streams[0].flows[0].sent, next);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    spill_load_traffic_free(line.traffic);
    free(trial);
}

static int start_port(void)
{
    const struct rte_eth_conf conf = {0};
    int id;

    there = rte_ring_create("there", SLOTS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    back = rte_ring_create("back", SLOTS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    pool = rte_pktmbuf_pool_create("load", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (there == NULL || back == NULL || pool == NULL)
        return -1;
    spill_load_traffic_clear(pool);
    id = rte_eth_from_rings("line", &back, 1, &there, 1, 0);
    if (id < 0)
        return -1;
    port = (uint16_t)id;
    if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
        rte_eth_rx_queue_setup(port, 0, SLOTS, 0, NULL, pool) != 0 ||
        rte_eth_tx_queue_setup(port, 0, SLOTS, 0, NULL) != 0)
        return -1;
    return rte_eth_dev_start(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meddling),
        cmocka_unit_test(test_warm_up),
        cmocka_unit_test(test_new_flows),
        cmocka_unit_test(test_refused),
    };

    test_eal_start(2, 128, NULL);
    state = test_seed() | 1;
    spill_token_init(&stop, NULL);
    if (start_port() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
