/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether encryption uses the time that a fast lcore has to spare, in the program itself
 * (inside.h).
 *
 * bench_protect SECONDS BYTES [spillway's options]: first as many packets in the clear come as the
 * fast lcore can take, of BYTES each with FCS. Then they come at half of that rate, and every other
 * one is to be encrypted (from 10.1.0.0/16 to 10.2.0.0/16 in the rules). A line of JSON; Mpps.
 */
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

#define FLOODED 1000000000 /* packets a second: more than any lcore takes */

static struct source source;
static const struct spill_account *account;

struct result {
    double clear, clear_missed, protect_missed; /* Mpps */
    double inlined, pooled, refused;
    double share; /* of the CPU */
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
        .clear = RATE(source.transmitted[SOURCE_OLD]),
        .clear_missed = RATE(source.missed[SOURCE_OLD]),
        .protect_missed = RATE(source.missed[SOURCE_PROTECT]),
        .inlined = RATE(inlined),
        .pooled = RATE(pooled),
        .refused = RATE(refused),
        .share = inside_share(&first, &last),
    };
#undef RATE
}

/* Repeats a measurement until the lcore had its CPU. */
static struct result measure_valid(uint64_t clear, uint64_t protect, double seconds)
{
    struct result result = {.share = 0};

    atomic_store_explicit(&source.rates[SOURCE_OLD], clear, memory_order_relaxed);
    atomic_store_explicit(&source.rates[SOURCE_PROTECT], protect, memory_order_relaxed);
    for (int i = 0; i < INSIDE_ATTEMPTS && result.share < INSIDE_SHARE; i++)
        result = measure(seconds);
    return result;
}

static void run(double seconds)
{
    double capacity = measure_valid(FLOODED, 0, seconds).clear;
    uint64_t rate = (uint64_t)(capacity * 1e6 / 4);
    struct result half = measure_valid(rate, rate, seconds);

    printf("{\"capacity\": %.3f, \"clear_in\": %.3f, \"clear_out\": %.3f, \"missed\": %.3f, "
           "\"inline\": %.3f, \"pool\": %.3f, \"refused\": %.3f, \"share\": %.3f}\n",
           capacity, (double)rate / 1e6, half.clear, half.clear_missed + half.protect_missed,
           half.inlined, half.pooled, half.refused, half.share);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench_protect SECONDS BYTES [spillway's options]\n");
        return 2;
    }
    if (inside_start(argv[0], argc - 2, argv + 2, &source, (uint16_t)strtoul(argv[2], NULL, 10)) !=
        0)
        return 1;
    account = inside_account("encrypt");
    if (account == NULL) {
        fprintf(stderr, "bench_protect: this spillway does not encrypt\n");
        inside_end();
        return 1;
    }
    run(strtod(argv[1], NULL));
    return inside_end();
}
