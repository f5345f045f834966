/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_ERROR_LIMIT_H
#define SPILLWAY_ERROR_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/packet.h"

/**
 * @file
 * How many ICMP errors an lcore sends (RFC 1812 4.3.2.8, RFC 4443 2.4 f): at most so many a second
 * in all, and at most a tenth of that to one destination, so that one can't use up what there is
 * for the others. A destination is an IPv4 address or the first 64 bits of an IPv6 address, which
 * is what a host has for itself.
 *
 * Each limit is a token bucket, written as the time when it will be full again (the generic cell
 * rate algorithm): one number, and no timer. The table's size is fixed: destinations whose hash is
 * the same share a bucket. The hash has a secret seed, so that nobody can choose with whom.
 */

#define SPILL_ERROR_BUCKETS 512 /* a power of two */

/** One bucket's rate. Cycles. */
struct spill_error_rate {
    uint64_t interval; /* from one error to the next, in the long run */
    uint64_t burst;    /* how far ahead of their time errors may be sent */
};

/** Written by its lcore, but for what it is initialised with. */
struct spill_error_limit {
    struct spill_error_rate all, each;
    uint32_t seed;
    uint64_t full;                         /* TSC when the bucket for all is full again */
    uint64_t buckets[SPILL_ERROR_BUCKETS]; /* the same of each destination */
};

/**
 * Prepares limits, all buckets full.
 *
 * @param cycles_a_second  of the clock that `now` is read from
 * @param errors_a_second  in all
 */
void spill_error_limit_init(struct spill_error_limit *limit, uint64_t cycles_a_second,
                            uint32_t errors_a_second, uint32_t seed);

/**
 * Takes a token for an error to a packet's source. The lcore.
 *
 * @param packet  of kind IPv4 or IPv6
 * @param now     TSC
 * @return whether there was one
 */
bool spill_error_limit_take(struct spill_error_limit *limit, const struct spill_packet *packet,
                            uint64_t now);

#endif
