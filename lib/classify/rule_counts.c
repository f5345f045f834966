/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify/rule_counts.h"

#include <stddef.h>

static void add(struct spill_rule_count *sum, const struct spill_rule_count *from)
{
    const uint64_t last = __atomic_load_n(&from->last, __ATOMIC_RELAXED);

    sum->packets += __atomic_load_n(&from->packets, __ATOMIC_RELAXED);
    sum->bytes += __atomic_load_n(&from->bytes, __ATOMIC_RELAXED);
    sum->connections += __atomic_load_n(&from->connections, __ATOMIC_RELAXED);
    sum->beyond += __atomic_load_n(&from->beyond, __ATOMIC_RELAXED);
    sum->last = last > sum->last ? last : sum->last;
}

struct spill_rule_count spill_rule_counts_sum(const struct spill_rule_counts *counts,
                                              uint32_t tally)
{
    const uint32_t place = tally / SPILL_RULE_TALLY_WORDS;
    struct spill_rule_count sum = {0};

    for (; counts != NULL && place < counts->places; counts = counts->older)
        for (uint32_t i = 0; i < counts->lcore_count; i++)
            add(&sum, &counts->of[i][place]);
    return sum;
}
