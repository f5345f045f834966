/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_REPLAY_H
#define SPILLWAY_REPLAY_H

#include <stdint.h>

#include "base/dpdk_versions.h"

/**
 * @file
 * Anti-replay window of an inbound SA (RFC 4303 3.4.3), as a ring of words (RFC 6479): to move it
 * on clears whole words and shifts nothing.
 *
 * A packet is checked before its crypto, which spares the work on most replays, and again when its
 * ICV has proved right; only then is its number noted. Any lcore may check at any time. One at a
 * time may note (spill_sa_take_window()): it clears words before it moves the window on to them, so
 * that who checks meanwhile may take a replay for fresh, which the second check tells, but nothing
 * fresh for a replay.
 */

#define SPILL_REPLAY_WINDOW_MAX 16384 /* packets */
#define SPILL_REPLAY_WORDS      512 /* a power of two, with a word to spare for the window's edge */

/* With extended sequence numbers the window tells which half a number is in: it has to be there. */
#define SPILL_REPLAY_WINDOW_ESN 64

struct spill_replay {
    uint64_t top;    /* highest number that was authentic; 0: none yet */
    uint32_t window; /* packets up to and with the highest; 0: nothing is refused */
    uint32_t reach;  /* the same, within which an extended number's high half is told */
    uint64_t seen[SPILL_REPLAY_WORDS]; /* a bit for each number, modulo all of them */
};

enum spill_replay_verdict {
    SPILL_REPLAY_FRESH,
    SPILL_REPLAY_SEEN, /* within the window, and was there before */
    SPILL_REPLAY_OLD,  /* below the window, or 0, which no sender uses */
};

/**
 * The window that rte_ipsec gets for extended numbers, which is what their high halves are told by.
 *
 * It has a ring of 2^n words (RFC 6479), as many as the window takes, and clears a word when the
 * highest number enters it. In a window as large as the ring, the lowest numbers are in the word of
 * the highest, and would be taken for numbers yet to come. So it gets one that leaves a word.
 *
 * @param window  at least SPILL_REPLAY_WINDOW_ESN
 * @return at least that
 */
static inline uint32_t spill_replay_reach(uint32_t window)
{
    uint32_t reach = window;

    while (64 * rte_align32pow2((reach + 63) / 64) < reach + 64)
        reach += 64;
    return reach;
}

/**
 * The whole of an extended sequence number from its low half (RFC 4303 A2.2): of those with that
 * half, the one that the window reaches or that lies next above it.
 */
static inline uint64_t spill_replay_extend(uint64_t top, uint32_t window, uint32_t low)
{
    uint32_t top_low = (uint32_t)top;
    uint64_t high = top >> 32;
    uint32_t bottom = top_low - window + 1;

    if (top_low >= window - 1)
        high += low < bottom; /* the window is within one half's range */
    else if (high != 0)
        high -= low >= bottom; /* it spans two */
    return high << 32 | low;
}

static inline uint64_t *spill_replay_word(struct spill_replay *replay, uint64_t number)
{
    return &replay->seen[number / 64 % SPILL_REPLAY_WORDS];
}

/** The highest number that was authentic. Any lcore. */
static inline uint64_t spill_replay_top(const struct spill_replay *replay)
{
    return __atomic_load_n(&replay->top, __ATOMIC_ACQUIRE);
}

/** What a number is at this moment; notes nothing. Any lcore. */
static inline enum spill_replay_verdict spill_replay_check(struct spill_replay *replay,
                                                           uint64_t number)
{
    uint64_t top = spill_replay_top(replay), word;

    if (replay->window == 0)
        return SPILL_REPLAY_FRESH;
    if (number > top)
        return SPILL_REPLAY_FRESH;
    if (number == 0 || top - number >= replay->window)
        return SPILL_REPLAY_OLD;
    word = __atomic_load_n(spill_replay_word(replay, number), __ATOMIC_RELAXED);
    return (word >> number % 64 & 1) != 0 ? SPILL_REPLAY_SEEN : SPILL_REPLAY_FRESH;
}

/** Notes a number whose packet is authentic, unless the check refuses it. Who has the window. */
static inline enum spill_replay_verdict spill_replay_note(struct spill_replay *replay,
                                                          uint64_t number)
{
    enum spill_replay_verdict verdict = spill_replay_check(replay, number);

    if (verdict != SPILL_REPLAY_FRESH)
        return verdict;
    if (number > replay->top) {
        uint64_t word = replay->top / 64, last = number / 64;

        if (last - word > SPILL_REPLAY_WORDS)
            word = last - SPILL_REPLAY_WORDS;
        while (word < last)
            __atomic_store_n(&replay->seen[++word % SPILL_REPLAY_WORDS], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&replay->top, number, __ATOMIC_RELEASE);
    }
    __atomic_store_n(spill_replay_word(replay, number),
                     *spill_replay_word(replay, number) | UINT64_C(1) << number % 64,
                     __ATOMIC_RELAXED);
    return verdict;
}

#endif
