/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FLOW_STATE_H
#define SPILLWAY_FLOW_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "classify/flow_family.h"
#include "classify/flow_table.h"
#include "packet/packet.h"

/**
 * @file
 * In which state a connection is, and for how long it may be silent there.
 *
 *     opening ──> established ──> closing ──> (a SYN) opening
 *                     ^              │
 *                     └── both go on ┘
 *
 * TCP opens with a SYN and SCTP with an INIT, is established when, after both have spoken, one of
 * them sends what is of no handshake, and closes with the FINs of both, an RST or SCTP's ABORT or
 * SHUTDOWN COMPLETE. All other connections are established from the beginning, as are those that
 * were taken up under way. The state has four bits of `spoken`, which are 0 while it is established
 * and neither has sent a FIN.
 *
 * Who forges an RST or a FIN does not end a connection that goes on: when after it both sides send
 * what is none, it is established again; after the FINs of both, who may acknowledge them, one of
 * these must have data. Sequence numbers are not looked at: an entry has no room for them.
 *
 * `seen` of a flow that closes stands so far in the past that a lookup always notices its age, and
 * is not moved by packets: the time runs from the end. So the lookup of all others compares with
 * one time, the least.
 *
 * For the files of the flow table alone. The owner's.
 */

struct spill_flow_times {
    unsigned shift;                     /* `seen` counts units of 2^shift cycles */
    int32_t least;                      /* units: no flow expires that was silent for no longer */
    int32_t after[SPILL_FLOW_TIMEOUTS]; /* units; INT32_MAX: never */
};

/** Control thread. */
void spill_flow_times_init(struct spill_flow_times *times,
                           const struct spill_flow_table_config *config);

static inline uint32_t spill_flow_units(const struct spill_flow_times *times, uint64_t now)
{
    return (uint32_t)(now >> times->shift);
}

/** For how long a flow was silent, for two times less than 2^31 units apart. */
static inline int32_t spill_flow_age(const struct spill_flow *flow, uint32_t now)
{
    return (int32_t)(now - flow->seen);
}

/** Whether a flow has been silent for its time, and isn't held. */
bool spill_flow_is_over(const struct spill_flow_times *times,
                        const struct spill_flow_family *family, const struct spill_flow *flow,
                        uint32_t now);

/** Keeps the age of a flow that never expires from becoming ambiguous. */
void spill_flow_keep_age(struct spill_flow *flow, uint32_t now);

/** What `seen` becomes by a packet. */
static inline uint32_t spill_flow_seen(const struct spill_flow *flow, uint32_t now)
{
    return (flow->spoken & SPILL_FLOW_CLOSING) == 0 ? now : flow->seen;
}

/** As spill_flow_table_step(). */
void spill_flow_step(const struct spill_flow_times *times, struct spill_flow_family *family,
                     struct spill_flow *flow, const struct spill_packet *packet, bool data,
                     uint32_t now);

#endif
