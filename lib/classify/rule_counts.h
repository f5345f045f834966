/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RULE_COUNTS_H
#define SPILLWAY_RULE_COUNTS_H

#include <stdint.h>

#include "classify/rule_limit.h"

/**
 * @file
 * What rules have decided: packets, bytes, connections, and when the last came.
 *
 * Each fast lcore has an array of its own (law 6), with a place for each rule: its *tally*. A rule
 * keeps its tally over reloads that leave it as it is (rule_tallies.h), so a flow carries the tally
 * of its rule and a packet is counted by two additions and a store, without a look at the rule.
 *
 * An array never moves. When there are more rules than places, each lcore gets a larger one, for
 * the same tallies, and goes on in that from its next version on; what it has counted in the older
 * one stays there, and readers add it.
 */

/**
 * One lcore's, of one rule. Written by that lcore; any thread reads. When the rule is gone and no
 * flow has its tally any more, who makes versions sets all of it to zero (rule_tallies.h).
 */
struct spill_rule_count {
    uint64_t packets;
    uint64_t bytes;       /* of IP packets */
    uint64_t connections; /* flows that it decided about, refused ones too */
    uint64_t last;        /* TSC when the latest packet was received; 0: there was none */
    uint64_t record_due;  /* TSC; the lcore's own: when its next record is due (rule_log.h) */
    uint64_t beyond;      /* packets that were beyond its limit */
    /* Written before a version has the tally: */
    struct spill_rule_limit *limit; /* NULL: it has none */
    uint64_t dscp;                  /* 1 + the codepoint that its packets get; 0: their own */
} __attribute__((aligned(64)));

/* A tally is the index of its count's first word: that is what a packet's addition wants. */
#define SPILL_RULE_TALLY_WORDS (sizeof(struct spill_rule_count) / sizeof(uint64_t))

/* Beside the tally of a rule whose decisions are recorded. */
#define SPILL_RULE_RECORDS 0x80000000u

/* Of no rule: counted, as that is cheaper than not to, and told nowhere. */
#define SPILL_RULE_TALLY_NONE 0u
/* Of the default. */
#define SPILL_RULE_TALLY_DEFAULT ((uint32_t)SPILL_RULE_TALLY_WORDS)
/* The first that rules may have. */
#define SPILL_RULE_TALLY_FIRST (2 * (uint32_t)SPILL_RULE_TALLY_WORDS)

/** The arrays of all fast lcores. Written by the control thread before any lcore sees it, then
 * constant but for what the lcores count. */
struct spill_rule_counts {
    const struct spill_rule_counts *older; /* with fewer places; NULL: there is none */
    uint32_t places;                       /* of each array */
    uint32_t lcore_count;
    struct spill_rule_count *of[]; /* by index of the fast lcore */
};

/** What all lcores have counted in a tally. Any thread. */
struct spill_rule_count spill_rule_counts_sum(const struct spill_rule_counts *counts,
                                              uint32_t tally);

#endif
