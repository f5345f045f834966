/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_WATCH_H
#define SPILLWAY_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_ring.h>

#include "base/error.h"
#include "base/ledger.h"
#include "packet/filter.h"
#include "packet/packet.h"

/**
 * @file
 * Watching packets on their way: a trace (trace.h) or a capture (capture.h), one at a time.
 *
 * The control thread gives each lcore that has a ledger a watch, and takes it away again; both is
 * one store to ledger->watch. While there is none, a step has one load and one branch for it, for
 * each burst. The lcore writes records of fixed size into a bounded ring of its watch, and waits
 * for nobody: what finds it full is counted. Nothing is formatted there (law 2).
 *
 * A packet that is received while there is a watch gets a mark, a dynamic field of its mbuf, and
 * takes it along, over channels and through the pool. Packets without one were received before, or
 * made here.
 */

struct spill_pipeline;
struct spill_trace_line;
struct spill_capture_choice;

/** What the mark of a packet says. Its holder's. */
struct spill_mark {
    uint32_t packet; /* number of one that is traced; 0: it is not */
    uint32_t tally;  /* of the rule that decided about it, or SPILL_RULE_TALLY_NONE */
};

/** Packets that are offered to a device in one go at most: a burst, and the fragments of one of its
 * packets. */
#define SPILL_WATCH_OFFERED_MAX 128

/** An lcore's. Written by the lcore, but for what is written before it gets it. */
struct spill_watch {
    struct spill_drop_watch drops; /* before; first, as the ledger knows it by this */
    /* Called by the steps that give packets in and out; before: */
    void (*received)(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs,
                     const struct spill_packet *packets, uint32_t count);
    /* Before packets are given to a device, which may free them, and when it has taken so many of
     * them: the first ones. Nothing else is done between the two. */
    void (*offered)(struct spill_watch *watch, uint16_t port, struct rte_mbuf **mbufs,
                    uint32_t count);
    void (*sent)(struct spill_watch *watch, uint32_t taken);
    const struct spill_filter *filter;         /* before; the control thread's */
    const struct spill_capture_choice *choice; /* likewise; of a capture, else NULL */
    struct rte_ring *ring;                     /* before */
    uint32_t element;                          /* bytes of a record in it; before */
    /* Trace: of the packet that is traced next, less one. Capture: packets that were kept. */
    uint32_t number;
    uint32_t last_number; /* no higher one is given; before */
    uint64_t lost;        /* records that found the ring full */
    uint64_t missed;      /* packets not traced, as there was no room for their records */
    /* Of a capture, from offered() to sent(): those that it wants, and for how many there is room.
     */
    bool wanted[SPILL_WATCH_OFFERED_MAX];
    uint32_t room;
};

/* Where the mark is in the mbuf, and the flag that says that there is one. Written once, by
 * spill_watch_register(). */
extern int spill_mark_offset;
extern uint64_t spill_mark_flag;

/** Takes 8 bytes and a flag of the mbuf. Control thread, as spill_stamp_register(). */
int spill_watch_register(struct spill_error *error);

/**
 * Gives every lcore its watch, or with NULL takes them away. Control thread.
 *
 * @param watches  by index of the lcore in the plan; those taken away may be used until
 *                 spill_pipeline_turned() has said twice that every loop has begun a turn
 */
void spill_watch_publish(struct spill_pipeline *pipeline, struct spill_watch *const *watches);

/** Whether an lcore has a ledger, and so can have a watch. */
bool spill_watch_fits(const struct spill_pipeline *pipeline, uint32_t index);

/** The watch of a ledger's lcore now, or NULL. */
static inline struct spill_watch *spill_watch_of(const struct spill_ledger *ledger)
{
    return (struct spill_watch *)spill_ledger_watch(ledger);
}

/** A packet's mark, or NULL. Its holder. */
static inline struct spill_mark *spill_mark_of(struct rte_mbuf *mbuf)
{
    return (mbuf->ol_flags & spill_mark_flag) != 0
               ? RTE_MBUF_DYNFIELD(mbuf, spill_mark_offset, struct spill_mark *)
               : NULL;
}

/** Marks a packet. Its holder. */
void spill_watch_mark(struct rte_mbuf *mbuf, uint32_t packet);

/** The numbers of traced packets, 0 of others. */
void spill_watch_numbers(struct rte_mbuf **mbufs, uint32_t count, uint32_t *numbers);

#endif
