/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_BENCH_INSIDE_H
#define SPILLWAY_BENCH_INSIDE_H

#include <stdint.h>

#include "pipeline/pipeline.h"
#include "source.h"

/**
 * @file
 * The program itself within a bench, with a source (source.h) in place of its first port's receive
 * call and a counting sink behind its second. One fast lcore. All of it is the main thread's.
 */

#define INSIDE_SHARE    0.95 /* of its CPU that the polling lcore must have had, else it is void */
#define INSIDE_ATTEMPTS 3

/** What is read at the beginning and at the end of an interval. */
struct inside_reading {
    uint64_t cpu_time; /* of the fast lcore's thread, ns */
    uint64_t tsc;
    struct source_counters source;
    uint64_t packets; /* that the fast lcore received */
    uint64_t turns;   /* of its loop */
    uint64_t inlined; /* packets of the class, worked on by the fast lcore */
    uint64_t pooled;  /* by workers */
    uint64_t refused; /* by neither, for there was no credit */
};

/**
 * Starts the program.
 *
 * @param bench  its name
 * @param argv   spillway's options, after one that is not looked at
 * @param bytes  of established flows' packets, with FCS
 * @return 0, -1 when it said why not
 */
int inside_start(const char *bench, int argc, char **argv, struct source *source, uint16_t bytes);

/** Ends it and writes its report. @return 0, 1 when its books do not balance */
int inside_end(void);

/** The fast lcore's account of a class, NULL when the program has no such class. */
const struct spill_account *inside_account(const char *class_name);

struct inside_reading inside_read(const struct source *source, const struct spill_account *account);

/** Share of its CPU that the fast lcore had between two readings. */
double inside_share(const struct inside_reading *first, const struct inside_reading *last);

/** Microseconds of the source's clock between two readings. */
double inside_microseconds(const struct inside_reading *first, const struct inside_reading *last);

void inside_wait(double seconds);

#endif
