/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_BYTES16_H
#define SPILLWAY_BYTES16_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/**
 * @file
 * Sixteen bytes at once: in a vector register where the CPU has such (SSE4.1), else byte by byte,
 * with the same results. SPILL_BYTES16_PLAIN asks for the latter anywhere. Any thread.
 */

#if defined(__SSE4_1__) && !defined(SPILL_BYTES16_PLAIN)
#define SPILL_BYTES16_SSE
#include <smmintrin.h>
#endif

struct spill_bytes16 {
#ifdef SPILL_BYTES16_SSE
    __m128i all;
#else
    uint8_t all[16];
#endif
};

/** @param from  sixteen bytes, wherever they stand */
static inline struct spill_bytes16 spill_bytes16_load(const void *from)
{
#ifdef SPILL_BYTES16_SSE
    return (struct spill_bytes16){_mm_loadu_si128(from)};
#else
    struct spill_bytes16 bytes;

    memcpy(bytes.all, from, sizeof(bytes.all));
    return bytes;
#endif
}

/** @param from  as above, and its address is a multiple of sixteen, which may spare an instruction
 */
static inline struct spill_bytes16 spill_bytes16_load_aligned(const void *from)
{
#ifdef SPILL_BYTES16_SSE
    return (struct spill_bytes16){_mm_load_si128(from)};
#else
    return spill_bytes16_load(from);
#endif
}

/** @param to  room for sixteen bytes, wherever it is */
static inline void spill_bytes16_store(void *to, struct spill_bytes16 bytes)
{
#ifdef SPILL_BYTES16_SSE
    _mm_storeu_si128(to, bytes.all);
#else
    memcpy(to, bytes.all, sizeof(bytes.all));
#endif
}

/** Sixteen times the same. */
static inline struct spill_bytes16 spill_bytes16_all(uint8_t byte)
{
#ifdef SPILL_BYTES16_SSE
    return (struct spill_bytes16){_mm_set1_epi8((char)byte)};
#else
    struct spill_bytes16 bytes;

    memset(bytes.all, byte, sizeof(bytes.all));
    return bytes;
#endif
}

/** Of each two the larger. */
static inline struct spill_bytes16 spill_bytes16_max(struct spill_bytes16 one,
                                                     struct spill_bytes16 other)
{
#ifdef SPILL_BYTES16_SSE
    return (struct spill_bytes16){_mm_max_epu8(one.all, other.all)};
#else
    for (unsigned i = 0; i < sizeof(one.all); i++)
        one.all[i] = one.all[i] > other.all[i] ? one.all[i] : other.all[i];
    return one;
#endif
}

/** Where both are the same: a bit for each byte. */
static inline uint32_t spill_bytes16_matches(struct spill_bytes16 one, struct spill_bytes16 other)
{
#ifdef SPILL_BYTES16_SSE
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(one.all, other.all));
#else
    uint32_t matches = 0;

    for (unsigned i = 0; i < sizeof(one.all); i++)
        matches |= (uint32_t)(one.all[i] == other.all[i]) << i;
    return matches;
#endif
}

/** The bits of both. */
static inline struct spill_bytes16 spill_bytes16_or(struct spill_bytes16 one,
                                                    struct spill_bytes16 other)
{
#ifdef SPILL_BYTES16_SSE
    return (struct spill_bytes16){_mm_or_si128(one.all, other.all)};
#else
    for (unsigned i = 0; i < sizeof(one.all); i++)
        one.all[i] |= other.all[i];
    return one;
#endif
}

/** Whether both are the same in the bits that a mask has. */
static inline bool spill_bytes16_agree(struct spill_bytes16 one, struct spill_bytes16 other,
                                       struct spill_bytes16 mask)
{
#ifdef SPILL_BYTES16_SSE
    return _mm_testz_si128(_mm_xor_si128(one.all, other.all), mask.all) != 0;
#else
    uint8_t differences = 0;

    for (unsigned i = 0; i < sizeof(one.all); i++)
        differences |= (uint8_t)((one.all[i] ^ other.all[i]) & mask.all[i]);
    return differences == 0;
#endif
}

/** Whether both are the same. */
static inline bool spill_bytes16_equal(struct spill_bytes16 one, struct spill_bytes16 other)
{
#ifdef SPILL_BYTES16_SSE
    const __m128i differences = _mm_xor_si128(one.all, other.all);

    return _mm_testz_si128(differences, differences) != 0;
#else
    return memcmp(one.all, other.all, sizeof(one.all)) == 0;
#endif
}

#define SPILL_BYTES16_ZERO 0x80 /* in place of a number for spill_bytes16_pick() */

/**
 * Puts bytes into another order.
 *
 * @param numbers  for each place the number of the byte that it gets, 0 to 15, or
 *                 SPILL_BYTES16_ZERO
 */
static inline struct spill_bytes16 spill_bytes16_pick(struct spill_bytes16 bytes,
                                                      struct spill_bytes16 numbers)
{
#ifdef SPILL_BYTES16_SSE
    return (struct spill_bytes16){_mm_shuffle_epi8(bytes.all, numbers.all)};
#else
    struct spill_bytes16 picked;

    for (unsigned i = 0; i < sizeof(picked.all); i++)
        picked.all[i] = numbers.all[i] == SPILL_BYTES16_ZERO ? 0 : bytes.all[numbers.all[i] & 15];
    return picked;
#endif
}

#endif
