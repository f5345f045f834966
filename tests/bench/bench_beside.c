/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What expensive packets do to those of established flows, in the program itself (inside.h).
 *
 * bench_beside KIND BYTES MPPS SECONDS RATE,RATE,... [spillway's options]: established flows come
 * at MPPS all the time, in packets of BYTES with FCS, and packets of another KIND at each of the
 * rates in turn. `new`: each is of a new flow, and has 64 B; `protect`: they are of BYTES and to be
 * encrypted (from 10.1.0.0/16 to 10.2.0.0/16 in the rules). Before each rate the established flows
 * have the program for themselves, which is what they are compared with. A line of JSON for each
 * rate; Mpps, and microseconds from a packet's arrival in the queue to its transmission.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "inside.h"

static struct source source;
static const struct spill_account *account;
static enum source_kind kind;

/* Of an interval: Mpps at the current rates, latency of established flows, share of the CPU. */
struct result {
    double old_mpps, missed, inlined, pooled, refused, share;
    double turns, packets;
    struct spill_histogram latency;
};

static void measure(double seconds, struct result *result)
{
    static struct spill_histogram before;
    struct inside_reading first, last;
    double microseconds;

    inside_wait(seconds / 5);
    before = source.latency;
    first = inside_read(&source, account);
    inside_wait(seconds);
    last = inside_read(&source, account);
    microseconds = inside_microseconds(&first, &last);
#define RATE(field) ((double)(last.field - first.field) / microseconds)
    *result = (struct result){
        .old_mpps = RATE(source.transmitted[SOURCE_OLD]),
        .missed = RATE(source.missed[SOURCE_OLD]) + RATE(source.missed[kind]),
        .inlined = RATE(inlined),
        .pooled = RATE(pooled),
        .refused = RATE(refused),
        .share = inside_share(&first, &last),
        .turns = RATE(turns),
        .packets = RATE(packets),
        .latency = source.latency,
    };
#undef RATE
    for (uint32_t i = 0; i < SPILL_HISTOGRAM_BUCKETS; i++)
        result->latency.buckets[i] -= before.buckets[i];
}

/* Repeats a measurement until the lcore had its CPU. */
static void measure_valid(uint64_t rate, double seconds, struct result *result)
{
    atomic_store_explicit(&source.rates[kind], rate, memory_order_relaxed);
    result->share = 0;
    for (int i = 0; i < INSIDE_ATTEMPTS && result->share < INSIDE_SHARE; i++)
        measure(seconds, result);
}

static void print_latency(const char *name, const struct spill_histogram *latency)
{
    double cycles_per_us = (double)rte_get_tsc_hz() / 1e6;

    printf(", \"%s\": {\"p50\": %.2f, \"p99\": %.2f, \"p99.9\": %.2f}", name,
           (double)spill_histogram_percentile(latency, 0.5) / cycles_per_us,
           (double)spill_histogram_percentile(latency, 0.99) / cycles_per_us,
           (double)spill_histogram_percentile(latency, 0.999) / cycles_per_us);
}

static void compare(double mpps, double seconds)
{
    static struct result alone, beside;

    measure_valid(0, seconds, &alone);
    measure_valid((uint64_t)(mpps * 1e6), seconds, &beside);
    printf("{\"rate\": %.1f, \"alone\": %.3f, \"kept\": %.3f, \"missed\": %.3f, \"inline\": %.3f, "
           "\"pool\": %.3f, \"refused\": %.3f, \"burst\": %.2f, \"share\": %.3f",
           mpps, alone.old_mpps, beside.old_mpps, beside.missed, beside.inlined, beside.pooled,
           beside.refused, beside.packets / beside.turns, RTE_MIN(alone.share, beside.share));
    print_latency("latency_alone_us", &alone.latency);
    print_latency("latency_us", &beside.latency);
    printf("}\n");
    fflush(stdout);
}

static void run(double mpps, double seconds, char *rates)
{
    char *rest = NULL;

    atomic_store_explicit(&source.rates[SOURCE_OLD], (uint64_t)(mpps * 1e6), memory_order_relaxed);
    for (char *rate = strtok_r(rates, ",", &rest); rate != NULL; rate = strtok_r(NULL, ",", &rest))
        compare(strtod(rate, NULL), seconds);
}

int main(int argc, char **argv)
{
    if (argc < 7 || (strcmp(argv[1], "new") != 0 && strcmp(argv[1], "protect") != 0)) {
        fprintf(stderr, "usage: bench_beside new|protect BYTES MPPS SECONDS RATE,RATE,... "
                        "[spillway's options]\n");
        return 2;
    }
    kind = strcmp(argv[1], "new") == 0 ? SOURCE_NEW : SOURCE_PROTECT;
    if (inside_start(argv[0], argc - 5, argv + 5, &source, (uint16_t)strtoul(argv[2], NULL, 10)) !=
        0)
        return 1;
    account = inside_account(kind == SOURCE_NEW ? "classify" : "encrypt");
    if (account == NULL) {
        fprintf(stderr, "bench_beside: this spillway has nothing to do for '%s'\n", argv[1]);
        inside_end();
        return 1;
    }
    run(strtod(argv[3], NULL), strtod(argv[4], NULL), argv[5]);
    return inside_end();
}
