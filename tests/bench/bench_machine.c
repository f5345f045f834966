/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the machine itself does to a polling thread, for that is the floor below every figure:
 *
 * - interruptions: a loop that only reads the TSC sees how long it was not running, and how often;
 * - core to core: how long a written cache line takes from one CPU to another, there and back by
 * two.
 *
 * bench_machine CPU OTHER SECONDS: a line of JSON. With CPU = OTHER only that CPU is busy, and
 * there is no second figure.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_pause.h>

#include "bench.h"

#define PASSES      500
#define CALIBRATION 100 /* ms */

static const unsigned limits[] = {1, 2, 5, 10, 15, 20, 30, 50, 100}; /* us */

static _Alignas(2 * RTE_CACHE_LINE_SIZE) _Atomic uint64_t ball;
static _Alignas(2 * RTE_CACHE_LINE_SIZE) _Atomic bool ended;

static void pin(unsigned cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0) {
        fprintf(stderr, "bench_machine: CPU %u can't be used\n", cpu);
        exit(2);
    }
}

/* Without the EAL, which would tell the TSC's rate. */
static double cycles_per_us(void)
{
    struct bench_times began = bench_times_now(), now;
    uint64_t tsc = rte_rdtsc();

    do
        now = bench_times_now();
    while (now.wall - began.wall < CALIBRATION * 1000000ull);
    return (double)(rte_rdtsc() - tsc) * 1e3 / (double)(now.wall - began.wall);
}

static void tell_interruptions(double seconds)
{
    double rate = cycles_per_us();
    uint64_t counts[RTE_DIM(limits)] = {0}, lost = 0, last = rte_rdtsc(), now;
    uint64_t end = last + (uint64_t)(seconds * 1e6 * rate);
    size_t i;

    for (; (now = rte_rdtsc()) < end; last = now) {
        double gap = (double)(now - last) / rate;

        if (likely(gap <= limits[0]))
            continue;
        lost += now - last;
        for (i = 0; i < RTE_DIM(limits) && gap > limits[i]; i++)
            counts[i]++;
    }
    printf("{\"seconds\": %.2f, \"over_us\": {", seconds);
    for (i = 0; i < RTE_DIM(limits); i++)
        printf("%s\"%u\": %.2f", i == 0 ? "" : ", ", limits[i], (double)counts[i] / seconds);
    printf("}, \"lost\": %.5f", (double)lost / (seconds * 1e6 * rate));
}

static void *give_back(void *unused)
{
    RTE_SET_USED(unused);
    while (!atomic_load_explicit(&ended, memory_order_relaxed)) {
        uint64_t value = atomic_load_explicit(&ball, memory_order_acquire);

        if (value & 1)
            atomic_store_explicit(&ball, value + 1, memory_order_release);
        else
            rte_pause();
    }
    return NULL;
}

/* Cycles of one way. */
static double pass(void)
{
    uint64_t began = rte_rdtsc();
    int i;

    for (i = 0; i < PASSES; i++) {
        uint64_t value = atomic_load_explicit(&ball, memory_order_relaxed);

        atomic_store_explicit(&ball, value + 1, memory_order_release);
        while (atomic_load_explicit(&ball, memory_order_acquire) == value + 1)
            rte_pause();
    }
    return (double)(rte_rdtsc() - began) / (2 * PASSES);
}

static void tell_distance(void)
{
    struct bench_series series = {.count = 0};

    while (series.count < BENCH_ROUNDS)
        bench_add(&series, pass());
    printf(", \"core_to_core_cycles\": %.0f", bench_median(&series));
}

/*
 * With the other CPU busy, as it is in every bench: then the host interrupts more often. The thread
 * begins there: with real-time priority it would never get away from this one's CPU.
 */
static void tell_both(unsigned cpu, unsigned other, double seconds)
{
    pthread_t thread;

    pin(other);
    if (pthread_create(&thread, NULL, give_back, NULL) != 0) {
        fprintf(stderr, "bench_machine: no second thread\n");
        exit(1);
    }
    pin(cpu);
    tell_interruptions(seconds);
    tell_distance();
    atomic_store_explicit(&ended, true, memory_order_relaxed);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    unsigned cpu, other;

    if (argc != 4) {
        fprintf(stderr, "usage: bench_machine CPU OTHER SECONDS\n");
        return 2;
    }
    cpu = (unsigned)strtoul(argv[1], NULL, 10);
    other = (unsigned)strtoul(argv[2], NULL, 10);
    if (cpu != other) {
        tell_both(cpu, other, strtod(argv[3], NULL));
    } else {
        pin(cpu);
        tell_interruptions(strtod(argv[3], NULL));
    }
    printf("}\n");
    return 0;
}
