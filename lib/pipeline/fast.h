/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FAST_H
#define SPILLWAY_FAST_H

#include "base/ledger.h"
#include "classify/datagrams.h"
#include "classify/flow_table.h"
#include "pipeline/acquisition.h"
#include "pipeline/admission.h"
#include "pipeline/answers.h"
#include "pipeline/classes.h"
#include "pipeline/exit.h"
#include "pipeline/forward.h"
#include "pipeline/handover.h"
#include "pipeline/reassembly.h"
#include "pipeline/receive.h"
#include "pipeline/routing.h"
#include "pipeline/sweep.h"
#include "pipeline/transmit.h"
#include "pipeline/version.h"
#include "runtime/loop.h"
#include "runtime/submitter.h"

/**
 * @file
 * A fast lcore: the way of a packet from receive to transmit, run to completion for whatever is
 * cheap.
 *
 *     receive -> parse -> flow lookup -> allow:   output
 *                  |                  -> deny:    drop
 *                  |                  -> protect: encryption -> output
 *                  |                  -> new, or waiting for its flow's verdict: classification
 *                  +-> fragments: those of one datagram together, then on
 *                  +-> ESP for us: decryption -> flow lookup, for what was inside
 *
 * By a routed port (routing.h) the input is looked at before the flow, and the output is found by
 * the route; where no rules are, there is no flow lookup.
 *
 * Everything here is the lcore's own (law 6). The header of each stage says which fields of a
 * packet it uses and which it sets (packet/packet.h has them all).
 */

struct spill_fast {
    /* What several stages use. Written before the lcores start: */
    struct spill_submitter *submitter;
    struct spill_flow_table *flows;
    struct spill_datagrams *datagrams;
    struct rte_ring *rule_log;                    /* rule_log.h */
    struct spill_reassembly *reassembly;          /* NULL: without IPsec */
    unsigned lcore_id;                            /* EAL lcore id */
    uint32_t plan_index;                          /* of the lcore */
    uint32_t host_index;                          /* among the lcores that give the host packets */
    enum spill_overflow overflows[SPILL_CLASSES]; /* control sets them at any time */
    /* What each stage has for itself, named for the file that writes it; what every turn touches
     * stands first. */
    struct spill_version version;
    struct spill_admission admission;
    struct spill_sweep sweep;
    struct spill_receive receive;
    struct spill_forward forward;
    struct spill_acquisition acquisition; /* without IPsec nothing is in it */
    struct spill_handover handover;
    struct spill_routing routing; /* routing.c, routing_input.c, waiting.c: their memory */
    struct spill_exits exits;     /* exit.c, too_big.c, outer.c, reject.c */
    struct spill_answers answers;
    struct spill_transmitter transmitter; /* its outputs, and queues that others send to */
    /* Accounts; each stage writes them. */
    struct spill_ledger ledger;
    struct spill_latency latency;
} __rte_cache_aligned;

/** Whether what waits for associations is to be asked about by newer rules, before all else. */
static inline bool spill_fast_owes(const struct spill_fast *fast)
{
    return fast->acquisition.packets > 0 && fast->acquisition.version != fast->version.number;
}

/** Goes by the newest version of the rules, what waits for associations first. The lcore, at the
 * beginning of a turn. */
static inline void spill_fast_take_version(struct spill_fast *fast, uint64_t now)
{
    spill_version_take(&fast->version, fast->flows, now);
    if (unlikely(fast->acquisition.packets > 0))
        spill_acquisition_look(fast, now);
}

/** What becomes of a class's packets that the pool refuses, at this moment. */
static inline enum spill_overflow spill_fast_overflow(const struct spill_fast *fast, uint32_t class)
{
    return __atomic_load_n(&fast->overflows[class], __ATOMIC_RELAXED);
}

/** Adds a fast lcore's stages to its loop. Control thread. */
void spill_fast_add_stages(struct spill_fast *fast, struct spill_loop *loop);

#endif
