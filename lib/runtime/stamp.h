/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_STAMP_H
#define SPILLWAY_STAMP_H

#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "base/error.h"

/**
 * @file
 * When a packet was received, carried by its mbuf.
 *
 * On the lcore that received it a packet's time is that of its burst, and no mbuf is touched for
 * it. A packet that crosses a channel or waits in a lane takes the time along, so that the latency
 * told in the report is receive to transmit whoever transmits. The stamp is a dynamic field of the
 * mbuf: whoever holds the mbuf may read and write it. It is undefined until it is set.
 */

/* Where the field is in the mbuf, bytes. Written once, by spill_stamp_register(). */
extern int spill_stamp_offset;

/**
 * Takes 8 bytes of the mbuf for the stamp, under the name "spillway_dynfield_stamp". Control
 * thread, after rte_eal_init() and before any of the functions below; a second call finds the same
 * field.
 *
 * @param error  set on failure; may be NULL
 * @return 0, or -1 when the mbuf has no room left
 */
int spill_stamp_register(struct spill_error *error);

/** Writes the stamp, TSC cycles. The mbuf's holder. */
static inline void spill_stamp_set(struct rte_mbuf *mbuf, uint64_t tsc)
{
    *RTE_MBUF_DYNFIELD(mbuf, spill_stamp_offset, uint64_t *) = tsc;
}

/** The stamp that was set, TSC cycles. The mbuf's holder. */
static inline uint64_t spill_stamp_get(const struct rte_mbuf *mbuf)
{
    return *RTE_MBUF_DYNFIELD(mbuf, spill_stamp_offset, const uint64_t *);
}

#endif
