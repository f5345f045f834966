/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PATH_MTU_H
#define SPILLWAY_PATH_MTU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * Path MTU of an outbound SA (RFC 4301 8.2.1): what routers on the way to its other end have said
 * that they can carry. It only ever falls, and is forgotten after ten minutes, when it may have
 * become larger (RFC 1191 6.3, RFC 8201 4).
 *
 * One word, which any lcore that hears of it writes by one atomic step. Beside it, how large its
 * packets have been: a larger one was too large for nobody.
 */

/* The least that is believed: what any host must take (RFC 791), or any link carry (RFC 8200). So
 * nobody makes us send tiny packets. */
#define SPILL_PATH_MTU_LEAST4 576
#define SPILL_PATH_MTU_LEAST6 1280

#define SPILL_PATH_MTU_SECONDS 600

/* The time goes without its last bits, which makes room for the MTU: 25 µs at 2.6 GHz. */
#define SPILL_PATH_MTU_SHIFT 16

struct spill_path_mtu {
    _Atomic uint64_t word;    /* 0: nothing was said */
    _Atomic uint16_t largest; /* bytes of the largest packet that was sent; by who sends */
};

/** Notes how large a packet is that is sent. Any lcore; of two that do so at once the smaller one
 * may be noted until the next. */
static inline void spill_path_mtu_note_sent(struct spill_path_mtu *path, uint16_t length)
{
    if (length > atomic_load_explicit(&path->largest, memory_order_relaxed))
        atomic_store_explicit(&path->largest, length, memory_order_relaxed);
}

/** Whether a packet of so many bytes may have been sent. Any lcore. */
static inline bool spill_path_mtu_has_sent(const struct spill_path_mtu *path, uint32_t length)
{
    return length <= atomic_load_explicit(&path->largest, memory_order_relaxed);
}

/**
 * What is believed now; UINT16_MAX: nothing was said, or it was long ago. Any thread.
 *
 * @param hz  of the clock that `now` is of
 */
static inline uint16_t spill_path_mtu_get(const struct spill_path_mtu *path, uint64_t now,
                                          uint64_t hz)
{
    const uint64_t word = atomic_load_explicit(&path->word, memory_order_relaxed);
    const uint64_t age = (now >> SPILL_PATH_MTU_SHIFT) - (word >> SPILL_PATH_MTU_SHIFT);

    if (word == 0 || age > (hz >> SPILL_PATH_MTU_SHIFT) * SPILL_PATH_MTU_SECONDS)
        return UINT16_MAX;
    return (uint16_t)word;
}

/** Notes one that is smaller than what is believed. Any lcore. @return whether it was */
static inline bool spill_path_mtu_lower(struct spill_path_mtu *path, uint16_t mtu, uint64_t now,
                                        uint64_t hz)
{
    const uint64_t word = (now >> SPILL_PATH_MTU_SHIFT) << SPILL_PATH_MTU_SHIFT | mtu;
    uint64_t known = atomic_load_explicit(&path->word, memory_order_relaxed);

    if (mtu >= spill_path_mtu_get(path, now, hz))
        return false;
    /* One that another lcore has noted just now is as good. */
    return atomic_compare_exchange_strong_explicit(&path->word, &known, word, memory_order_relaxed,
                                                   memory_order_relaxed);
}

#endif
