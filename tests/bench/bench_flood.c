/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a flood of new flows does to established ones: the program itself, with a source of traffic
 * in place of its first port's receive call (source.h) and a counting sink behind its second.
 *
 * bench_flood MPPS SECONDS FLOOD,FLOOD,... [spillway's options]: established flows come at MPPS all
 * the time, the flood at each of the rates in turn. Before each of them the established flows have
 * the program for themselves, which is what they are compared with.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "log.h"
#include "pipeline/classification.h"
#include "program.h"
#include "source.h"

#define VOID_SHARE 0.95 /* of its CPU that the polling lcore must have had */
#define ATTEMPTS   3

static struct spill_program program;
static struct source source;

/* What is read at the beginning and at the end of an interval. */
struct reading {
    struct source_counters source;
    uint64_t packets;  /* that the fast lcore received */
    uint64_t inlined;  /* classified on the fast lcore */
    uint64_t pooled;   /* classified by the pool */
    uint64_t refused;  /* that the pool had no room for */
    uint64_t turns;    /* of its loop */
    uint64_t cpu_time; /* of its thread, ns */
    uint64_t tsc;
};

static uint64_t cpu_time(void)
{
    char path[64];
    uint64_t nanoseconds = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", source.thread);
    file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%" SCNu64, &nanoseconds) != 1)
        nanoseconds = 0;
    if (file != NULL)
        fclose(file);
    return nanoseconds;
}

static const struct spill_pipeline_lcore *fast_lcore(void)
{
    for (uint32_t i = 1; i < program.plan.lcore_count; i++) {
        if (program.pipeline->lcores[i].fast != NULL)
            return &program.pipeline->lcores[i];
    }
    abort();
}

static struct reading take_reading(void)
{
    const struct spill_pipeline_lcore *lcore = fast_lcore();
    const struct spill_account *account = &lcore->fast->submitter->accounts[SPILL_CLASS_CLASSIFY];

    return (struct reading){
        .source = source.counters,
        .packets = lcore->fast->ledger.received,
        .inlined = account->inline_packets,
        .pooled = account->pool_packets,
        .refused = account->refused,
        .turns = lcore->loop->counters.polls,
        .cpu_time = cpu_time(),
        .tsc = rte_rdtsc(),
    };
}

static void wait_seconds(double seconds)
{
    usleep((useconds_t)(seconds * 1e6));
}

/* Throughput of established flows in Mpps at the current rates, and the share of the CPU. */
struct result {
    double old_mpps, old_missed, new_mpps, new_missed, inlined, pooled, refused, share;
    double turns, packets;
};

static struct result measure(double seconds)
{
    struct reading first, last;
    double microseconds;

    wait_seconds(seconds / 5);
    first = take_reading();
    wait_seconds(seconds);
    last = take_reading();
    microseconds =
        (double)(last.source.cycles - first.source.cycles) * 1e6 / (double)rte_get_tsc_hz();
#define RATE(field) ((double)(last.field - first.field) / microseconds)
    return (struct result){
        .old_mpps = RATE(source.transmitted[SOURCE_OLD]),
        .old_missed = RATE(source.missed[SOURCE_OLD]),
        .new_mpps = RATE(source.arrived[SOURCE_NEW]),
        .new_missed = RATE(source.missed[SOURCE_NEW]),
        .inlined = RATE(inlined),
        .pooled = RATE(pooled),
        .refused = RATE(refused),
        .share = (double)(last.cpu_time - first.cpu_time) * (double)rte_get_tsc_hz() /
                 ((double)(last.tsc - first.tsc) * 1e9),
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
    for (int i = 0; i < ATTEMPTS && result.share < VOID_SHARE; i++)
        result = measure(seconds);
    return result;
}

static void compare(double flood_mpps, double seconds)
{
    struct result alone = measure_valid(0, seconds);
    struct result flooded = measure_valid((uint64_t)(flood_mpps * 1e6), seconds);

    printf("%7.1f %9.2f %8.2f %8.3f %9.2f %8.2f %8.2f %8.2f %8.1f %5.0f%%%s\n", flood_mpps,
           alone.old_mpps, flooded.old_mpps, flooded.old_mpps / alone.old_mpps,
           flooded.old_missed + flooded.new_missed, flooded.inlined, flooded.pooled,
           flooded.refused, flooded.packets / flooded.turns,
           RTE_MIN(alone.share, flooded.share) * 100,
           alone.share < VOID_SHARE || flooded.share < VOID_SHARE ? "  void" : "");
    fflush(stdout);
}

static void run(double mpps, double seconds, char *floods)
{
    char *rest = NULL;

    atomic_store_explicit(&source.rates[SOURCE_OLD], (uint64_t)(mpps * 1e6), memory_order_relaxed);
    printf("%7s %9s %8s %8s %9s %8s %8s %8s %8s %6s\n", "flood", "est.alone", "est.", "ratio",
           "rx_missed", "inline", "pool", "refused", "burst", "CPU");
    for (char *flood = strtok_r(floods, ",", &rest); flood != NULL;
         flood = strtok_r(NULL, ",", &rest))
        compare(strtod(flood, NULL), seconds);
}

static int start(const char *argv0, struct spill_error *error)
{
    if (spill_program_plan(&program, error) != 0 ||
        spill_program_start_eal(&program, argv0, error) != 0 ||
        spill_program_find_ports(&program, error) != 0 ||
        spill_program_plan_again(&program, error) != 0 ||
        spill_program_bring_up(&program, error) != 0)
        return -1;
    source_attach(&source, program.ports[0].id, program.ports[1].id, program.mempools[0]);
    return spill_program_launch(&program, error);
}

int main(int argc, char **argv)
{
    struct spill_error error = {.text = ""};

    if (argc < 5) {
        fprintf(stderr, "usage: bench_flood MPPS SECONDS FLOOD,FLOOD,... [spillway's options]\n");
        return 2;
    }
    spill_token_init(&program.force, NULL);
    spill_token_init(&program.stop, &program.force);
    if (spill_options_parse(argc - 3, argv + 3, &program.options, &error) != SPILL_OPTIONS_GO_ON ||
        start(argv[0], &error) != 0) {
        fprintf(stderr, "bench_flood: %s\n", error.text);
        return 1;
    }
    run(strtod(argv[1], NULL), strtod(argv[2], NULL), argv[3]);
    spill_token_cancel(&program.stop, "end of the bench");
    program.stopping = rte_rdtsc();
    spill_control_drain(&program);
    spill_program_settle(&program);
    if (spill_program_report(&program, &error) != 0)
        fprintf(stderr, "bench_flood: %s\n", error.text);
    if (!spill_program_balanced(&program))
        fprintf(stderr, "bench_flood: the books do not balance\n");
    return spill_program_balanced(&program) ? 0 : 1;
}
