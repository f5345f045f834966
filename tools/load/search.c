/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 2544's throughput, by bisection. */
#include "search.h"

/* Whether the generator kept up: what it offered, taken or not, is what was asked. */
static bool was_offered(const struct spill_load_outcome *outcome)
{
    const double offered = (double)(outcome->sent + outcome->tx_full);

    return offered >= (double)outcome->asked * (1 - SPILL_LOAD_RESOLUTION);
}

bool spill_load_passes(const struct spill_load_outcome *outcome, double loss)
{
    const uint64_t offered = outcome->sent + outcome->tx_full;

    return was_offered(outcome) && outcome->received > 0 &&
           (double)(offered - outcome->received) <= (double)offered * loss;
}

static struct spill_load_outcome try_rate(double rate, spill_load_try attempt, void *argument)
{
    struct spill_load_outcome outcome = attempt(rate, argument);

    for (int tries = 1; tries < SPILL_LOAD_TRIES && !outcome.stopped && !was_offered(&outcome);
         tries++)
        outcome = attempt(rate, argument);
    return outcome;
}

struct spill_load_found spill_load_search(double highest, double loss, spill_load_try attempt,
                                          void *argument)
{
    struct spill_load_found found = {.complete = true};
    double low = 0, high = highest, rate = highest;

    while (rate >= highest * SPILL_LOAD_LEAST) {
        struct spill_load_outcome outcome = try_rate(rate, attempt, argument);

        if (outcome.stopped) {
            found.complete = false;
            break;
        }
        if (spill_load_passes(&outcome, loss)) {
            low = rate;
            found.rate = outcome.rate;
        } else {
            high = found.failed = rate;
            found.generator_limited = !was_offered(&outcome);
        }
        if (high - low <= high * SPILL_LOAD_RESOLUTION)
            break;
        rate = (low + high) / 2;
    }
    return found;
}
