/* SPDX-License-Identifier: BSD-3-Clause */
/* Medians, and a thread's share of its CPU. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"

unsigned bench_rounds(int argc, char **argv)
{
    char *end;
    unsigned long rounds;

    if (argc < 2)
        return BENCH_ROUNDS;
    rounds = strtoul(argv[1], &end, 10);
    if (argc == 2 && *end == '\0' && rounds >= 1 && rounds <= BENCH_ROUNDS)
        return (unsigned)rounds;
    fprintf(stderr, "%s: rounds are 1 to %d, not '%s'\n", argv[0], BENCH_ROUNDS, argv[1]);
    exit(2);
}

void bench_add(struct bench_series *series, double value)
{
    series->values[series->count++] = value;
}

static int compare(const void *first, const void *second)
{
    double a = *(const double *)first, b = *(const double *)second;

    return (a > b) - (a < b);
}

double bench_median(struct bench_series *series)
{
    qsort(series->values, series->count, sizeof(series->values[0]), compare);
    return series->values[series->count / 2];
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

struct bench_times bench_times_now(void)
{
    return (struct bench_times){.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID),
                                .wall = clock_ns(CLOCK_MONOTONIC)};
}

double bench_share_since(const struct bench_times *then)
{
    struct bench_times now = bench_times_now();

    return (double)(now.cpu - then->cpu) / (double)(now.wall - then->wall);
}
