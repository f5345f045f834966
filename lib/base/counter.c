/* SPDX-License-Identifier: BSD-3-Clause */
/* The registry of counters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counter.h"

/* Written before main(): no lock. */
static const struct spill_counter *counters[SPILL_COUNTERS_MAX];
static uint32_t counter_count;

void spill_counter_register(struct spill_counter *counter)
{
    uint32_t id;

    for (id = 0; id < counter_count; id++) {
        if (strcmp(counters[id]->family, counter->family) == 0 &&
            strcmp(counters[id]->metric.name, counter->metric.name) == 0) {
            fprintf(stderr, "spillway: counter '%s' of '%s' is registered twice\n",
                    counter->metric.name, counter->family);
            abort();
        }
    }
    if (counter_count == SPILL_COUNTERS_MAX) {
        fprintf(stderr, "spillway: counter '%s' is one too many: raise SPILL_COUNTERS_MAX (%u)\n",
                counter->metric.name, SPILL_COUNTERS_MAX);
        abort();
    }
    counter->id = (uint8_t)counter_count;
    counters[counter_count++] = counter;
}

const struct spill_counter *spill_counter_get(uint32_t id)
{
    return id < counter_count ? counters[id] : NULL;
}

static bool is_of(uint32_t id, const char *family)
{
    return strcmp(counters[id]->family, family) == 0;
}

/* Whether a counter is the first of its family. */
static bool is_first(uint32_t id)
{
    uint32_t i;

    for (i = 0; i < id; i++) {
        if (is_of(i, counters[id]->family))
            return false;
    }
    return true;
}

static void write_family(const char *name, const uint64_t *sums, struct spill_metric_writer *writer)
{
    const struct spill_metric_family family = {.name = name, .shape = SPILL_FAMILY_ONE};
    uint32_t id;

    writer->family_begin(writer, &family);
    for (id = 0; id < counter_count; id++) {
        const struct spill_metric_value value = spill_value_unsigned(sums[id]);

        if (is_of(id, name))
            writer->value(writer, &counters[id]->metric, &value);
    }
    writer->family_end(writer, &family);
}

void spill_counters_write(const uint64_t sums[SPILL_COUNTERS_MAX], const char *family,
                          struct spill_metric_writer *writer)
{
    uint32_t id;

    for (id = 0; id < counter_count; id++) {
        if (is_first(id) && (family == NULL || is_of(id, family)))
            write_family(counters[id]->family, sums, writer);
    }
}
