/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOAD_PACE_H
#define SPILLWAY_LOAD_PACE_H

#include <stdint.h>

/**
 * @file
 * When packets are due: a constant rate by the TSC.
 *
 * A loop that comes late sends what it missed, as long as it isn't later than `slack`; what is
 * older than that is given up and counted, so that a stall is followed by no long burst. Everything
 * the schedule asked for is either due in one of the calls or counted as too late. Only for the
 * polling lcore.
 */
struct spill_load_pace {
    uint64_t start;    /* TSC */
    double per_cycle;  /* packets; 0: as many as can be */
    uint64_t slack;    /* packets that may be overdue, at least 1 */
    uint64_t dealt;    /* packets of the schedule so far: due or too late */
    uint64_t too_late; /* given up */
};

/**
 * Begins a schedule.
 *
 * @param per_second  packets; 0 = as many as can be
 * @param catch_up    cycles that a packet may be overdue
 * @param hz          of the TSC
 */
static inline struct spill_load_pace spill_load_pace_begin(uint64_t now, double per_second,
                                                           uint64_t catch_up, uint64_t hz)
{
    double per_cycle = per_second / (double)hz;
    uint64_t slack = (uint64_t)((double)catch_up * per_cycle);

    return (struct spill_load_pace){
        .start = now, .per_cycle = per_cycle, .slack = slack > 0 ? slack : 1};
}

/** How many packets to send now. @param most  the largest answer */
static inline uint32_t spill_load_pace_due(struct spill_load_pace *pace, uint64_t now,
                                           uint32_t most)
{
    uint64_t behind;
    uint32_t due;

    if (pace->per_cycle == 0) {
        pace->dealt += most;
        return most;
    }
    behind = (uint64_t)((double)(now - pace->start) * pace->per_cycle) - pace->dealt;
    if (behind > pace->slack) {
        pace->too_late += behind - pace->slack;
        pace->dealt += behind - pace->slack;
        behind = pace->slack;
    }
    due = behind < most ? (uint32_t)behind : most;
    pace->dealt += due;
    return due;
}

#endif
