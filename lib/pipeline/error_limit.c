/* SPDX-License-Identifier: BSD-3-Clause */
/* How many ICMP errors an lcore sends, in all and to each destination. */
#include "pipeline/error_limit.h"

#include <string.h>

#include <rte_common.h>
#include <rte_jhash.h>

/* Of the rate in all, one destination gets 1 / SHARE; and so many may be sent at once. */
#define SHARE        10
#define ALL_AT_ONCE  64
#define EACH_AT_ONCE 8

void spill_error_limit_init(struct spill_error_limit *limit, uint64_t cycles_a_second,
                            uint32_t errors_a_second, uint32_t seed)
{
    uint64_t interval = cycles_a_second / errors_a_second;

    memset(limit, 0, sizeof(*limit));
    limit->all = (struct spill_error_rate){interval, interval * (ALL_AT_ONCE - 1)};
    limit->each =
        (struct spill_error_rate){interval * SHARE, interval * SHARE * (EACH_AT_ONCE - 1)};
    limit->seed = seed;
}

/* The bucket of a packet's source. */
static uint64_t *bucket_of(struct spill_error_limit *limit, const struct spill_packet *packet)
{
    uint32_t hash;

    if (packet->kind == SPILL_PACKET_IPV4)
        hash = rte_jhash_1word(packet->key.v4.address[packet->direction], limit->seed);
    else
        hash = rte_jhash(packet->key.v6.address[packet->direction], sizeof(uint64_t), limit->seed);
    return &limit->buckets[hash & (SPILL_ERROR_BUCKETS - 1)];
}

static bool has_token(const struct spill_error_rate *rate, uint64_t full, uint64_t now)
{
    return full <= now + rate->burst;
}

static uint64_t without_one(const struct spill_error_rate *rate, uint64_t full, uint64_t now)
{
    return RTE_MAX(full, now) + rate->interval;
}

bool spill_error_limit_take(struct spill_error_limit *limit, const struct spill_packet *packet,
                            uint64_t now)
{
    uint64_t *bucket = bucket_of(limit, packet);

    if (!has_token(&limit->all, limit->full, now) || !has_token(&limit->each, *bucket, now))
        return false;
    limit->full = without_one(&limit->all, limit->full, now);
    *bucket = without_one(&limit->each, *bucket, now);
    return true;
}
