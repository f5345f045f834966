/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_HISTOGRAM_H
#define SPILLWAY_HISTOGRAM_H

#include <stdint.h>

/**
 * @file
 * Histogram of cycle counts with a bounded relative error.
 *
 * Log-linear, after HdrHistogram (Gil Tene): each power of two is cut into SPILL_HISTOGRAM_SUB
 * equal parts, so a value is known to 1/32, about 3 %. Values below SPILL_HISTOGRAM_SUB are exact;
 * values past the last bucket count in the last one, and the maximum is kept exactly.
 *
 * One writer (law 6): the lcore that owns it records; the control thread reads it while it is being
 * written, and then sees a picture that may lack the newest records.
 */

#define SPILL_HISTOGRAM_SUB_BITS 5
#define SPILL_HISTOGRAM_SUB      (1u << SPILL_HISTOGRAM_SUB_BITS)
/* 2^40 cycles are minutes: nothing within the program takes longer. */
#define SPILL_HISTOGRAM_MAX_BITS 40
#define SPILL_HISTOGRAM_BUCKETS                                                                    \
    ((SPILL_HISTOGRAM_MAX_BITS - SPILL_HISTOGRAM_SUB_BITS + 1) * SPILL_HISTOGRAM_SUB)

/* Written by the lcore that owns it; starts as all zeros. */
struct spill_histogram {
    uint64_t max; /* largest value recorded, cycles */
    uint64_t buckets[SPILL_HISTOGRAM_BUCKETS];
};

/** The bucket that a value counts in. */
static inline uint32_t spill_histogram_bucket(uint64_t value)
{
    uint32_t exponent;

    if (value < SPILL_HISTOGRAM_SUB)
        return (uint32_t)value;
    if (value >> SPILL_HISTOGRAM_MAX_BITS != 0)
        return SPILL_HISTOGRAM_BUCKETS - 1;
    exponent = 63u - (uint32_t)__builtin_clzll(value) - SPILL_HISTOGRAM_SUB_BITS;
    /* Within [2^k, 2^(k+1)) the value >> exponent runs from SUB to 2 * SUB - 1. */
    return (exponent << SPILL_HISTOGRAM_SUB_BITS) + (uint32_t)(value >> exponent);
}

/** Records a value `times` times. The owner only; no branch but the bucket's own. */
static inline void spill_histogram_record(struct spill_histogram *histogram, uint64_t value,
                                          uint64_t times)
{
    histogram->buckets[spill_histogram_bucket(value)] += times;
    if (value > histogram->max)
        histogram->max = value;
}

/**
 * Adds what `from` holds to `into`. Control thread.
 *
 * @param into  the control thread's own
 * @param from  may be written by its owner meanwhile
 */
void spill_histogram_add(struct spill_histogram *into, const struct spill_histogram *from);

/** How many values were recorded. Control thread. */
uint64_t spill_histogram_count(const struct spill_histogram *histogram);

/**
 * The value that the given share of all records does not exceed: the upper edge of its bucket, at
 * most the maximum. So it is never below the true percentile, and at most 1/32 of it above while
 * that is below 2^SPILL_HISTOGRAM_MAX_BITS; past it, it is the maximum. Control thread.
 *
 * @param share  0 (the smallest record) to 1 (the largest), such as 0.999; what is outside is taken
 *               as the nearer of the two
 * @return cycles; 0 when nothing was recorded
 */
uint64_t spill_histogram_percentile(const struct spill_histogram *histogram, double share);

#endif
