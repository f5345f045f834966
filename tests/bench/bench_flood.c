/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a flood of new flows does to established ones, in the program itself (inside.h).
 *
 * bench_flood MPPS SECONDS FLOOD,FLOOD,... [spillway's options]: established flows come at MPPS all
 * the time, the flood at each of the rates in turn. Before each of them the established flows have
 * the program for themselves, which is what they are compared with. A line of JSON for each rate;
 * Mpps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

static struct source source;
static const struct spill_account *account;

/* Throughput of established flows in Mpps at the current rates, and the share of the CPU. */
struct result {
    double old_mpps, missed, inlined, pooled, refused, share;
    double turns, packets;
};

static struct result measure(double seconds)
{
    struct inside_reading first, last;
    double microseconds;

    inside_wait(seconds / 5);
    first = inside_read(&source, account);
    inside_wait(seconds);
    last = inside_read(&source, account);
    microseconds = inside_microseconds(&first, &last);
#define RATE(field) ((double)(last.field - first.field) / microseconds)
    return (struct result){
        .old_mpps = RATE(source.transmitted[SOURCE_OLD]),
        .missed = RATE(source.missed[SOURCE_OLD]) + RATE(source.missed[SOURCE_NEW]),
        .inlined = RATE(inlined),
        .pooled = RATE(pooled),
        .refused = RATE(refused),
        .share = inside_share(&first, &last),
        .turns = RATE(turns),
        .packets = RATE(packets),
    };
#undef RATE
}

/* Repeats a measurement until the lcore had its CPU. */
static struct result measure_valid(uint64_t flood, double seconds)
{
    struct result result = {.share = 0};

    atomic_store_explicit(&source.rates[SOURCE_NEW], flood, memory_order_relaxed);
    for (int i = 0; i < INSIDE_ATTEMPTS && result.share < INSIDE_SHARE; i++)
        result = measure(seconds);
    return result;
}

static void compare(double flood_mpps, double seconds)
{
    struct result alone = measure_valid(0, seconds);
    struct result flooded = measure_valid((uint64_t)(flood_mpps * 1e6), seconds);

    printf("{\"flood\": %.1f, \"alone\": %.3f, \"kept\": %.3f, \"missed\": %.3f, \"inline\": %.3f, "
           "\"pool\": %.3f, \"refused\": %.3f, \"burst\": %.2f, \"share\": %.3f}\n",
           flood_mpps, alone.old_mpps, flooded.old_mpps, flooded.missed, flooded.inlined,
           flooded.pooled, flooded.refused, flooded.packets / flooded.turns,
           RTE_MIN(alone.share, flooded.share));
    fflush(stdout);
}

static void run(double mpps, double seconds, char *floods)
{
    char *rest = NULL;

    atomic_store_explicit(&source.rates[SOURCE_OLD], (uint64_t)(mpps * 1e6), memory_order_relaxed);
    for (char *flood = strtok_r(floods, ",", &rest); flood != NULL;
         flood = strtok_r(NULL, ",", &rest))
        compare(strtod(flood, NULL), seconds);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: bench_flood MPPS SECONDS FLOOD,FLOOD,... [spillway's options]\n");
        return 2;
    }
    if (inside_start(argv[0], argc - 3, argv + 3, &source, 64) != 0)
        return 1;
    account = inside_account("classify");
    run(strtod(argv[1], NULL), strtod(argv[2], NULL), argv[3]);
    return inside_end();
}
