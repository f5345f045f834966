/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_LIMIT_H
#define SPILLWAY_RULE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * How much a rule with `limit` lets through: a token bucket, kept as the time at which it is full
 * again (the generic cell rate algorithm, ITU-T I.371).
 *
 * One bucket is a rule's over all lcores, so it has several writers, as few things have (law 6): a
 * packet of that rule takes from it by one compare-and-swap. rte_meter keeps two values, which have
 * to change together: it is for one writer, and each lcore would have a share of the rate, which a
 * single flow could not go beyond.
 */

/* Fractions of a cycle that time is kept in, so that a small packet at a high rate is not free: it
 * goes round after twelve years at 3 GHz, and a rule that is not asked for half of that may be
 * taken for one that has nothing left. */
#define SPILL_RULE_LIMIT_SHIFT 4
/* And of those that a byte takes. */
#define SPILL_RULE_LIMIT_BYTE_SHIFT 20

#define SPILL_RULE_LIMIT_RATE_MIN UINT64_C(8000) /* bits a second */
#define SPILL_RULE_LIMIT_RATE_MAX UINT64_C(1000000000000)
#define SPILL_RULE_BURST_MIN      1500u /* bytes */
#define SPILL_RULE_BURST_MAX      (1u << 30)
/* A burst that is not said: what the rate has in a tenth of a second, and this at least. */
#define SPILL_RULE_BURST_DEFAULT 16384u

/* Of rules with `limit`, those that one packet may match, one after the other: rte_acl's
 * categories, but the first. */
#define SPILL_RULE_LEVELS 15
/* Rules with `limit`: each is compared with each. */
#define SPILL_RULE_LIMITS_MAX 4096

/** A bucket, on a cache line of its own. */
struct spill_rule_limit {
    uint64_t full; /* when it is full again, in 2^-SHIFT cycles; whoever takes from it writes it */
    /* Constant: */
    uint64_t depth;    /* how long it takes to fill it, likewise */
    uint64_t per_byte; /* of that, in 2^-BYTE_SHIFT of its unit */
} __attribute__((aligned(64)));

/**
 * Sets what is constant, and fills the bucket.
 *
 * @param rate   bits a second, of the range above
 * @param burst  bytes, likewise
 * @param hz     cycles a second of the clock that it is asked by
 * @param now    that clock
 */
void spill_rule_limit_init(struct spill_rule_limit *limit, uint64_t rate, uint32_t burst,
                           uint64_t hz, uint64_t now);

/**
 * Takes a packet from the bucket. Any lcore, also concurrently. Where others take at the time it
 * tries again: each try that fails is a packet of another that went through.
 *
 * @param bytes  of the packet
 * @param now    cycles of the clock
 * @return whether it had so much; if not, nothing was taken
 */
static inline bool spill_rule_limit_take(struct spill_rule_limit *limit, uint16_t bytes,
                                         uint64_t now)
{
    const uint64_t half = UINT64_C(1) << (SPILL_RULE_LIMIT_BYTE_SHIFT - 1);
    const uint64_t cost = (bytes * limit->per_byte + half) >> SPILL_RULE_LIMIT_BYTE_SHIFT;
    const uint64_t clock = now << SPILL_RULE_LIMIT_SHIFT;
    uint64_t full = __atomic_load_n(&limit->full, __ATOMIC_RELAXED), next;

    do {
        next = ((int64_t)(full - clock) > 0 ? full : clock) + cost;
        if (next - clock > limit->depth)
            return false;
    } while (!__atomic_compare_exchange_n(&limit->full, &full, next, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

#endif
