/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells a loop that hangs from one that runs, sleeps, or wasn't looked at. */
#include <errno.h>

#include "watchdog.h"

void spill_watchdog_init(struct spill_watchdog *watchdog, uint64_t limit,
                         spill_watchdog_report_fn report, void *argument)
{
    watchdog->limit = limit;
    watchdog->last_check = 0;
    watchdog->report = report;
    watchdog->argument = argument;
    watchdog->entry_count = 0;
}

int spill_watchdog_watch(struct spill_watchdog *watchdog, const struct spill_heartbeat *heartbeat,
                         unsigned lcore_id)
{
    if (watchdog->entry_count == RTE_DIM(watchdog->entries))
        return -ENOSPC;
    /* As seen asleep at the last check: whatever it does then, its observation starts with the
     * next. */
    watchdog->entries[watchdog->entry_count++] = (struct spill_watchdog_entry){
        .heartbeat = heartbeat,
        .lcore_id = lcore_id,
        .beats = SPILL_HEARTBEAT_ASLEEP,
        .since = watchdog->last_check,
    };
    return 0;
}

static void report(const struct spill_watchdog *watchdog, const struct spill_watchdog_entry *entry,
                   uint64_t now)
{
    struct spill_watchdog_report report = {
        .lcore_id = entry->lcore_id,
        .stage = entry->hanging_in,
        .cycles = now - entry->since,
        .over = !entry->hanging,
    };

    watchdog->report(&report, watchdog->argument);
}

static void saw_life(const struct spill_watchdog *watchdog, struct spill_watchdog_entry *entry,
                     uint64_t beats, uint64_t now)
{
    if (entry->hanging) {
        entry->hanging = false;
        report(watchdog, entry, now);
    }
    entry->beats = beats;
    entry->since = now;
}

static void saw_nothing(const struct spill_watchdog *watchdog, struct spill_watchdog_entry *entry,
                        uint64_t now)
{
    if (entry->hanging || now - entry->since < watchdog->limit)
        return;
    entry->hanging = true;
    entry->hanging_in = atomic_load_explicit(&entry->heartbeat->stage, memory_order_relaxed);
    report(watchdog, entry, now);
}

/* Takes the time in which nobody looked out of an observation. */
static void forget(struct spill_watchdog_entry *entry, uint64_t away, uint64_t now)
{
    entry->since = entry->hanging ? entry->since + away : now;
}

unsigned spill_watchdog_check(struct spill_watchdog *watchdog, uint64_t now)
{
    /* A clock that went back wraps, and so counts as away, too. */
    uint64_t away = now - watchdog->last_check;
    unsigned hanging = 0;
    unsigned i;

    for (i = 0; i < watchdog->entry_count; i++) {
        struct spill_watchdog_entry *entry = &watchdog->entries[i];
        uint64_t beats = atomic_load_explicit(&entry->heartbeat->beats, memory_order_relaxed);

        if (away > watchdog->limit / 2)
            forget(entry, away, now);
        if (beats != entry->beats || (beats & SPILL_HEARTBEAT_ASLEEP) != 0)
            saw_life(watchdog, entry, beats, now);
        else
            saw_nothing(watchdog, entry, now);
        hanging += entry->hanging;
    }
    watchdog->last_check = now;
    return hanging;
}
