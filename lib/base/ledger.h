/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LEDGER_H
#define SPILLWAY_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_mbuf.h>

#include "counter.h"

/**
 * @file
 * The accounts behind law 5: received + originated = transmitted + to host + dropped + in flight.
 *
 * Each lcore keeps a ledger of its own (law 6); the control thread adds them up. A packet is
 * dropped through spill_ledger_drop() and spill_ledger_abandon() alone, which want a reason: a drop
 * without a name can't be written. A reason is declared in the file that drops, with
 * SPILL_DROP_REASON(); no list elsewhere needs an entry.
 */

#define SPILL_DROP_REASONS_MAX 112

/** Why a packet was dropped. Ids are given before main() and stay. */
struct spill_drop_reason {
    const char *name; /* as in the report: snake_case */
    const char *help; /* one sentence for the reference */
    uint8_t id;
};

/**
 * Registers a reason. Called before main() by SPILL_DROP_REASON(), or by the control thread before
 * the lcores start for reasons that carry a name known only then (`pool_full_CLASS`).
 * Aborts when there are more than SPILL_DROP_REASONS_MAX or a name stands twice: a programming
 * error.
 *
 * @param reason  stays the caller's, as do its strings; must live until the program ends. Its id is
 *                written: the number of reasons registered before it
 */
void spill_drop_reason_register(struct spill_drop_reason *reason);

/** Number of registered reasons. Any thread, once the lcores run. */
unsigned spill_drop_reason_count(void);

/** The reason with an id; NULL when the id is spill_drop_reason_count() or more. Any thread. */
const struct spill_drop_reason *spill_drop_reason_get(unsigned id);

/** Declares a drop reason `variable` at file scope; `static` may stand before it. */
#define SPILL_DROP_REASON(variable, name_, help_)                                                  \
    struct spill_drop_reason variable = {.name = (name_), .help = (help_), .id = 0};               \
    RTE_INIT(register_##variable)                                                                  \
    {                                                                                              \
        spill_drop_reason_register(&variable);                                                     \
    }                                                                                              \
    extern struct spill_drop_reason variable

/** Who sees packets before they go, as they are dropped; on the ledger's lcore. */
struct spill_drop_watch {
    void (*dropped)(struct spill_drop_watch *watch, const struct spill_drop_reason *reason,
                    struct rte_mbuf *const *mbufs, uint32_t count);
};

/** One lcore's accounts, in packets. Written by that lcore, but for `watch`; the control thread
 * reads. */
struct spill_ledger {
    struct spill_drop_watch *watch; /* mostly NULL: nobody; written by the control thread */
    uint64_t received;
    uint64_t originated; /* made here: replies, notifications */
    uint64_t transmitted;
    uint64_t delivered_to_host;
    uint64_t dropped[SPILL_DROP_REASONS_MAX]; /* by reason id */
    uint64_t counted[SPILL_COUNTERS_MAX];     /* by counter id; no part of the balance */
} __rte_cache_aligned;

/** Who watches the packets of a ledger's lcore now, or NULL: to be asked once for each step. */
static inline struct spill_drop_watch *spill_ledger_watch(const struct spill_ledger *ledger)
{
    return __atomic_load_n(&ledger->watch, __ATOMIC_ACQUIRE);
}

/**
 * Drops packets: counts them under their reason and frees them, each with all of its segments. The
 * ledger's owner.
 *
 * @param mbufs  given away; none is NULL, and each is one packet however many segments it has
 */
static inline void spill_ledger_drop(struct spill_ledger *ledger,
                                     const struct spill_drop_reason *reason,
                                     struct rte_mbuf **mbufs, uint32_t count)
{
    struct spill_drop_watch *watch = spill_ledger_watch(ledger);

    if (unlikely(watch != NULL))
        watch->dropped(watch, reason, mbufs, count);
    ledger->dropped[reason->id] += count;
    rte_pktmbuf_free_bulk(mbufs, count);
}

/**
 * Drops packets that can't be freed, since a device may still write into them. The ledger's owner.
 */
static inline void spill_ledger_abandon(struct spill_ledger *ledger,
                                        const struct spill_drop_reason *reason, uint32_t count)
{
    ledger->dropped[reason->id] += count;
}

/** Counts what is no drop. The ledger's owner. */
static inline void spill_ledger_count(struct spill_ledger *ledger,
                                      const struct spill_counter *counter, uint64_t count)
{
    ledger->counted[counter->id] += count;
}

/**
 * Adds what `from` holds to `into`. Control thread.
 *
 * @param into  the control thread's own; starts as all zeros
 * @param from  may be written by its lcore meanwhile; each counter is then one that it had
 */
void spill_ledger_add(struct spill_ledger *into, const struct spill_ledger *from);

/** The balance, without the reasons: of a sum. */
extern const struct spill_metrics spill_ledger_metrics;

/** Gives a writer the packets dropped by reason, those of reasons that occurred. Any thread. */
void spill_ledger_write_drops(const struct spill_ledger *sum, struct spill_metric_writer *writer);

/** Packets dropped for any reason. Control thread. */
uint64_t spill_ledger_dropped(const struct spill_ledger *ledger);

/**
 * Packets that came in and have not left: received + originated - transmitted - to host - dropped.
 * Exact at a quiescent moment (no lcore between two of its entries), and then never negative: more
 * packets left than came would be a defect. At any other moment it is an estimate of either sign,
 * since the lcores' counters were not read at once. Control thread.
 */
int64_t spill_ledger_in_flight(const struct spill_ledger *ledger);

#endif
