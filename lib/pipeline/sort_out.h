/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SORT_OUT_H
#define SPILLWAY_SORT_OUT_H

#include <stdint.h>

#include "packet/packet.h"
#include "pipeline/fast.h"

/**
 * @file
 * Fragments in a burst: each goes on as a packet of its first one's connection, on the lcore of
 * that connection, or waits, or is dropped (classify/datagrams.h). And ICMP errors, which go to the
 * lcore of the connection that they are about.
 *
 * A datagram's fragments meet on the lcore that its addresses alone choose; what was received by
 * another is handed there first (pipeline/handover.h). A burst without fragments is not touched.
 *
 * Uses of a packet: kind, key, fragment, step, inbound_sa, input. Sets, of fragments: the ports in
 * key, has_ports.
 */

/** What follows for packets that stay on this lcore. */
typedef void (*spill_sort_out_then)(struct spill_fast *fast, struct rte_mbuf **mbufs,
                                    struct spill_packet *packets, uint32_t count, uint64_t stamp,
                                    enum spill_path path);

/**
 * Takes the fragments out of a burst, and calls `then` with what is left, whose order is kept; what
 * waited for a first fragment comes directly behind it. The lcore.
 *
 * @param mbufs    given away
 * @param packets  of each, with `input`, and `inbound_sa` where it came through an SA
 */
void spill_sort_out(struct spill_fast *fast, struct rte_mbuf **mbufs, struct spill_packet *packets,
                    uint32_t count, uint64_t stamp, enum spill_path path, spill_sort_out_then then);

/** Whether any packet is a fragment, or needs more than a lookup, or none of that is known. */
static inline bool spill_sort_out_more(const struct spill_packet *packets, uint32_t count)
{
    uint32_t found = 0, i;

    for (i = 0; i < count; i++)
        found |= packets[i].fragment | (packets[i].step > SPILL_STEP_ANSWER);
    return found != 0;
}

/** Whether any packet is a fragment, or an error, or none of that is known. */
static inline bool spill_sort_out_needed(const struct spill_packet *packets, uint32_t count)
{
    uint32_t found = 0, i;

    for (i = 0; i < count; i++)
        found |= packets[i].fragment | (packets[i].step == SPILL_STEP_ERROR);
    return found != 0;
}

#endif
