/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_WATCHDOG_H
#define SPILLWAY_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_config.h>

/**
 * @file
 * Heartbeats of the loops, and the watchdog on the control thread that names a loop which hangs.
 *
 * A loop counts its iterations and says which stage it is in: two relaxed stores to a line of its
 * own. The watchdog compares the counts at every check. A loop whose count stands still for the
 * limit is reported once, with its stage, and once more when it goes on. A loop that sleeps, hasn't
 * started or has ended says so in its heartbeat, and is left alone.
 *
 * A control thread that was itself away (a suspended machine, a debugger) has seen nothing, and
 * accuses nobody: see spill_watchdog_check().
 */

/* The bit of `beats` that says: not running, don't expect anything. */
#define SPILL_HEARTBEAT_ASLEEP (UINT64_C(1) << 63)

/** One loop's sign of life. Written by that loop's thread; the control thread reads. */
struct spill_heartbeat {
    _Atomic uint64_t beats;      /* iterations; SPILL_HEARTBEAT_ASLEEP is set while asleep */
    _Atomic(const char *) stage; /* what the loop is in; NULL between stages */
} __rte_cache_aligned;

/** Prepares a heartbeat, asleep until the first beat. Before its loop starts and is watched. */
static inline void spill_heartbeat_init(struct spill_heartbeat *heartbeat)
{
    atomic_init(&heartbeat->beats, SPILL_HEARTBEAT_ASLEEP);
    atomic_init(&heartbeat->stage, NULL);
}

/** Counts an iteration; a loop that was asleep is awake with it. The loop's thread. */
static inline void spill_heartbeat_beat(struct spill_heartbeat *heartbeat)
{
    uint64_t beats = atomic_load_explicit(&heartbeat->beats, memory_order_relaxed);

    atomic_store_explicit(&heartbeat->beats, (beats + 1) & ~SPILL_HEARTBEAT_ASLEEP,
                          memory_order_relaxed);
}

/**
 * Says that the loop will not beat: call it before it sleeps, waits or ends. The next beat wakes
 * it. The loop's thread.
 */
static inline void spill_heartbeat_sleep(struct spill_heartbeat *heartbeat)
{
    uint64_t beats = atomic_load_explicit(&heartbeat->beats, memory_order_relaxed);

    atomic_store_explicit(&heartbeat->beats, beats | SPILL_HEARTBEAT_ASLEEP, memory_order_relaxed);
}

/**
 * Says which stage the loop enters. The loop's thread.
 *
 * @param stage  a string that lives as long as the program; NULL when a stage is left
 */
static inline void spill_heartbeat_stage(struct spill_heartbeat *heartbeat, const char *stage)
{
    atomic_store_explicit(&heartbeat->stage, stage, memory_order_relaxed);
}

/** What the watchdog tells of one loop. */
struct spill_watchdog_report {
    unsigned lcore_id;
    const char *stage; /* where it hung when it was first reported; NULL: between stages */
    uint64_t cycles;   /* how long it has hung, or had in all; true to one interval of the checks */
    bool over;         /* false: it hangs; true: it goes on, or went to sleep */
};

/**
 * Receives the reports, on the thread that checks. Must not call the watchdog.
 *
 * @param report  the watchdog's; gone after the call
 */
typedef void (*spill_watchdog_report_fn)(const struct spill_watchdog_report *report,
                                         void *argument);

/* What is remembered of one heartbeat between two checks. */
struct spill_watchdog_entry {
    const struct spill_heartbeat *heartbeat;
    unsigned lcore_id;
    bool hanging;           /* reported, and not yet gone on */
    const char *hanging_in; /* the stage that was reported */
    uint64_t beats;         /* at the last check */
    uint64_t since;         /* when that count was first seen, TSC cycles */
};

/** Memory of the caller's; all fields are the checking thread's own. */
struct spill_watchdog {
    uint64_t limit;      /* cycles without a beat that count as a hang */
    uint64_t last_check; /* TSC cycles */
    spill_watchdog_report_fn report;
    void *argument;
    unsigned entry_count;
    struct spill_watchdog_entry entries[RTE_MAX_LCORE];
};

/**
 * Prepares a watchdog that watches nothing yet. Control thread.
 *
 * @param limit     cycles, at least 4; 100 ms is rte_get_tsc_hz() / 10
 * @param report    called for each hang and its end
 * @param argument  handed to `report`
 */
void spill_watchdog_init(struct spill_watchdog *watchdog, uint64_t limit,
                         spill_watchdog_report_fn report, void *argument);

/**
 * Adds a heartbeat. Control thread, between checks.
 *
 * @param heartbeat  prepared; must stay while the watchdog is used: a loop that ends only sleeps
 * @param lcore_id   the name under which it is reported
 * @return 0, or -ENOSPC when RTE_MAX_LCORE are watched already
 */
int spill_watchdog_watch(struct spill_watchdog *watchdog, const struct spill_heartbeat *heartbeat,
                         unsigned lcore_id);

/**
 * Looks at every heartbeat, and reports what began or ceased to hang. Control thread, from
 * time to time.
 *
 * When more than half of the limit has passed since the last check (or the clock went back), the
 * checking thread itself was away, and the time between counts for nobody: observation of the loops
 * that were well starts anew, and a hang that was reported before doesn't grow by it. So checks
 * must come clearly more often than twice in a limit; spill_watchdog_interval() says how often.
 *
 * @param now  TSC cycles
 * @return how many loops hang
 */
unsigned spill_watchdog_check(struct spill_watchdog *watchdog, uint64_t now);

/** The longest time, in cycles, that should lie between two checks: a quarter of the limit. */
static inline uint64_t spill_watchdog_interval(const struct spill_watchdog *watchdog)
{
    return watchdog->limit / 4;
}

#endif
