/* SPDX-License-Identifier: BSD-3-Clause */
/* The registry of drop reasons, and the sums over the lcores' ledgers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"

/* Written before main() or by the control thread before the lcores start: no lock. */
static const struct spill_drop_reason *reasons[SPILL_DROP_REASONS_MAX];
static unsigned reason_count;

void spill_drop_reason_register(struct spill_drop_reason *reason)
{
    unsigned id;

    for (id = 0; id < reason_count; id++) {
        if (strcmp(reasons[id]->name, reason->name) == 0) {
            fprintf(stderr, "spillway: drop reason '%s' is registered twice\n", reason->name);
            abort();
        }
    }
    if (reason_count == SPILL_DROP_REASONS_MAX) {
        fprintf(stderr,
                "spillway: drop reason '%s' is one too many: raise SPILL_DROP_REASONS_MAX (%u)\n",
                reason->name, SPILL_DROP_REASONS_MAX);
        abort();
    }
    reason->id = (uint8_t)reason_count;
    reasons[reason_count++] = reason;
}

unsigned spill_drop_reason_count(void)
{
    return reason_count;
}

const struct spill_drop_reason *spill_drop_reason_get(unsigned id)
{
    return id < reason_count ? reasons[id] : NULL;
}

/* Its lcore may be writing: each counter is read once and whole. */
static void add_counter(uint64_t *into, const uint64_t *from)
{
    *into += __atomic_load_n(from, __ATOMIC_RELAXED);
}

void spill_ledger_add(struct spill_ledger *into, const struct spill_ledger *from)
{
    unsigned id;

    add_counter(&into->received, &from->received);
    add_counter(&into->originated, &from->originated);
    add_counter(&into->transmitted, &from->transmitted);
    add_counter(&into->delivered_to_host, &from->delivered_to_host);
    for (id = 0; id < SPILL_DROP_REASONS_MAX; id++)
        add_counter(&into->dropped[id], &from->dropped[id]);
    for (id = 0; id < SPILL_COUNTERS_MAX; id++)
        add_counter(&into->counted[id], &from->counted[id]);
}

uint64_t spill_ledger_dropped(const struct spill_ledger *ledger)
{
    uint64_t dropped = 0;
    unsigned id;

    for (id = 0; id < SPILL_DROP_REASONS_MAX; id++)
        dropped += ledger->dropped[id];
    return dropped;
}

int64_t spill_ledger_in_flight(const struct spill_ledger *ledger)
{
    uint64_t came = ledger->received + ledger->originated;
    uint64_t left = ledger->transmitted + ledger->delivered_to_host + spill_ledger_dropped(ledger);

    return (int64_t)(came - left);
}

/* --------------------------------------------------------------------------- what is told */

static struct spill_metric_value dropped(const void *sum)
{
    return spill_value_unsigned(spill_ledger_dropped(sum));
}

static struct spill_metric_value in_flight(const void *sum)
{
    return spill_value_signed(spill_ledger_in_flight(sum));
}

static const struct spill_metric rows[] = {
    SPILL_METRIC(COUNTER, "received", struct spill_ledger, received, "packets",
                 "taken from receive queues"),
    SPILL_METRIC(COUNTER, "originated", struct spill_ledger, originated, "packets",
                 "made here: fragments beyond the first, and ICMP errors"),
    SPILL_METRIC(COUNTER, "transmitted", struct spill_ledger, transmitted, "packets",
                 "given to the ports' devices"),
    SPILL_METRIC(COUNTER, "delivered_to_host", struct spill_ledger, delivered_to_host, "packets",
                 "given to the host"),
    SPILL_METRIC_COMPUTED(COUNTER, "dropped", dropped, "packets", "the sum of the drops"),
    SPILL_METRIC_COMPUTED(GAUGE, "in_flight", in_flight, "packets",
                          "what is left; 0 after an end in order"),
};
const struct spill_metrics spill_ledger_metrics = SPILL_METRICS(rows);

void spill_ledger_write_drops(const struct spill_ledger *sum, struct spill_metric_writer *writer)
{
    unsigned id;

    for (id = 0; id < spill_drop_reason_count(); id++) {
        const struct spill_metric metric = {.name = reasons[id]->name,
                                            .unit = "packets",
                                            .help = reasons[id]->help,
                                            .kind = SPILL_METRIC_COUNTER};
        const struct spill_metric_value value = spill_value_unsigned(sum->dropped[id]);

        if (value.number != 0)
            writer->value(writer, &metric, &value);
    }
}
