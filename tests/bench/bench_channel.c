/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A channel against the bare rte_ring below it, MP/SC: cycles a packet for sending and receiving,
 * on one lcore and from one to another. A line of JSON each. Arguments: the EAL's, with two lcores,
 * and how many rounds.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "bench.h"
#include "runtime/channel.h"

#define CAPACITY      1023
#define ROUND         8192 /* packets */
#define BURST_MAX     32
#define ACROSS_FACTOR 4 /* longer rounds, for both ends have to start */

enum subject {
    RING,
    CHANNEL,
    SUBJECTS,
};

static unsigned rounds;
static struct rte_ring *ring;
static struct spill_channel *channel;
static struct spill_sender *sender;

/* The packets are never looked into. */
static struct rte_mbuf *mbufs[BURST_MAX];

static inline uint32_t send(enum subject subject, uint32_t count)
{
    if (subject == CHANNEL)
        return spill_channel_send(sender, mbufs, count);
    return rte_ring_mp_enqueue_burst(ring, (void **)mbufs, count, NULL);
}

static inline uint32_t receive(enum subject subject, struct rte_mbuf **into, uint32_t count)
{
    if (subject == CHANNEL)
        return spill_channel_receive(channel, into, count);
    return rte_ring_sc_dequeue_burst(ring, (void **)into, count, NULL);
}

/* Each burst out as soon as it is in. Inlined with constant arguments, as callers have them. */
static __rte_always_inline double on_one(enum subject subject, uint32_t burst)
{
    struct rte_mbuf *into[BURST_MAX];
    uint64_t began = rte_rdtsc();
    uint32_t i;

    for (i = 0; i < ROUND; i += burst) {
        if (send(subject, burst) != burst || receive(subject, into, burst) != burst)
            abort();
    }
    return (double)(rte_rdtsc() - began) / ROUND;
}

struct task {
    enum subject subject;
    uint32_t burst;
};

static __rte_always_inline void send_all(enum subject subject, uint32_t burst)
{
    uint32_t left = ROUND * ACROSS_FACTOR;

    while (left > 0)
        left -= send(subject, RTE_MIN(burst, left));
}

/* The first of them was received before. */
static __rte_always_inline void receive_all(enum subject subject, uint32_t burst)
{
    struct rte_mbuf *into[BURST_MAX];
    uint32_t received = 1;

    while (received < ROUND * ACROSS_FACTOR)
        received += receive(subject, into, burst);
}

static int sending_lcore(void *argument)
{
    const struct task *task = argument;

    if (task->subject == CHANNEL)
        send_all(CHANNEL, task->burst);
    else
        send_all(RING, task->burst);
    return 0;
}

static double across(enum subject subject, uint32_t burst, unsigned other)
{
    struct task task = {.subject = subject, .burst = burst};
    struct rte_mbuf *first;
    uint64_t began;

    rte_eal_remote_launch(sending_lcore, &task, other);
    while (receive(subject, &first, 1) == 0)
        rte_pause();
    began = rte_rdtsc();
    if (subject == CHANNEL)
        receive_all(CHANNEL, burst);
    else
        receive_all(RING, burst);
    began = rte_rdtsc() - began;
    rte_eal_wait_lcore(other);
    return (double)began / (ROUND * ACROSS_FACTOR);
}

static double round_of(enum subject subject, uint32_t burst, unsigned other)
{
    if (other != RTE_MAX_LCORE)
        return across(subject, burst, other);
    switch (burst) {
    case 32:
        return subject == CHANNEL ? on_one(CHANNEL, 32) : on_one(RING, 32);
    case 8:
        return subject == CHANNEL ? on_one(CHANNEL, 8) : on_one(RING, 8);
    default:
        return subject == CHANNEL ? on_one(CHANNEL, 1) : on_one(RING, 1);
    }
}

static void compare(uint32_t burst, unsigned other)
{
    struct bench_series series[SUBJECTS] = {{.count = 0}};
    struct bench_times times = bench_times_now();
    double medians[SUBJECTS];
    double share;
    unsigned i;

    for (i = 0; i < rounds * SUBJECTS; i++)
        bench_add(&series[i % SUBJECTS], round_of(i % SUBJECTS, burst, other));
    share = bench_share_since(&times);
    for (i = 0; i < SUBJECTS; i++)
        medians[i] = bench_median(&series[i]);
    printf("{\"cores\": %d, \"burst\": %u, \"channel\": %.3f, \"ring\": %.3f, \"share\": %.3f}\n",
           other == RTE_MAX_LCORE ? 1 : 2, burst, medians[CHANNEL], medians[RING], share);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const uint32_t bursts[] = {32, 8, 1};
    struct spill_error error;
    unsigned other;
    int used;
    size_t i;

    used = rte_eal_init(argc, argv);
    if (used < 0)
        return 1;
    rounds = bench_rounds(argc - used, argv + used);
    ring = rte_ring_create("bench", CAPACITY, SOCKET_ID_ANY,
                           spill_ring_flags(SPILL_RING_EXCLUSIVE, true));
    channel =
        spill_channel_create("channel", CAPACITY, 1, SOCKET_ID_ANY, SPILL_RING_EXCLUSIVE, &error);
    if (ring == NULL || channel == NULL) {
        fprintf(stderr, "bench_channel: no memory\n");
        return 1;
    }
    sender = spill_channel_sender(channel, 0);
    for (i = 0; i < RTE_DIM(bursts); i++)
        compare(bursts[i], RTE_MAX_LCORE);
    other = rte_get_next_lcore(-1, 1, 0);
    for (i = 0; i < RTE_DIM(bursts) && other != RTE_MAX_LCORE; i++)
        compare(bursts[i], other);
    spill_channel_free(channel);
    rte_ring_free(ring);
    rte_eal_cleanup();
    return 0;
}
