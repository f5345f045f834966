/* SPDX-License-Identifier: BSD-3-Clause */
/* What the control thread does with histograms: adding up and percentiles. */
#include "histogram.h"

/* The owner may be writing: each counter is read once and whole. */
static uint64_t read_counter(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The largest value that counts in a bucket below the last. */
static uint64_t upper_edge(uint32_t bucket)
{
    uint32_t exponent;
    uint64_t part;

    if (bucket < SPILL_HISTOGRAM_SUB)
        return bucket;
    exponent = (bucket >> SPILL_HISTOGRAM_SUB_BITS) - 1;
    part = SPILL_HISTOGRAM_SUB + (bucket & (SPILL_HISTOGRAM_SUB - 1));
    return ((part + 1) << exponent) - 1;
}

void spill_histogram_add(struct spill_histogram *into, const struct spill_histogram *from)
{
    uint64_t max = read_counter(&from->max);
    uint32_t i;

    for (i = 0; i < SPILL_HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += read_counter(&from->buckets[i]);
    if (max > into->max)
        into->max = max;
}

uint64_t spill_histogram_count(const struct spill_histogram *histogram)
{
    uint64_t count = 0;
    uint32_t i;

    for (i = 0; i < SPILL_HISTOGRAM_BUCKETS; i++)
        count += read_counter(&histogram->buckets[i]);
    return count;
}

/* The place, from 1, that a share of `count` sorted records ends at. */
static uint64_t rank_of(double share, uint64_t count)
{
    double exact = share * (double)count;
    uint64_t rank;

    if (!(exact > 1))
        return 1;
    if (exact >= (double)count)
        return count;
    rank = (uint64_t)exact;
    return (double)rank < exact ? rank + 1 : rank;
}

uint64_t spill_histogram_percentile(const struct spill_histogram *histogram, double share)
{
    uint64_t count = spill_histogram_count(histogram);
    uint64_t max = read_counter(&histogram->max);
    uint64_t rank, seen = 0;
    uint32_t i;

    if (count == 0)
        return 0;
    rank = rank_of(share, count);
    for (i = 0; i < SPILL_HISTOGRAM_BUCKETS - 1; i++) {
        seen += read_counter(&histogram->buckets[i]);
        if (seen >= rank)
            return upper_edge(i) < max ? upper_edge(i) : max;
    }
    return max;
}
