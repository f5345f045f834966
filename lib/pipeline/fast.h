/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_FAST_H
#define SPILLWAY_FAST_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>

#include "base/ledger.h"
#include "classify/datagrams.h"
#include "classify/flow_table.h"
#include "packet/packet.h"
#include "pipeline/allowance.h"
#include "pipeline/classes.h"
#include "pipeline/exit.h"
#include "pipeline/handover.h"
#include "pipeline/non_ip.h"
#include "pipeline/reassembly.h"
#include "pipeline/security.h"
#include "pipeline/transmit.h"
#include "runtime/channel.h"
#include "runtime/loop.h"
#include "runtime/snapshot.h"
#include "runtime/submitter.h"
#include "runtime/token.h"

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
 * Everything here is the lcore's own (law 6), written by the pipeline before the lcores start and
 * by the lcore afterwards.
 */

#define SPILL_INPUTS_MAX 64

/** Where packets come from: a receive queue of the lcore's own, or a channel from other lcores. */
struct spill_input {
    struct spill_channel *channel; /* NULL: the queue below */
    uint16_t port;
    uint16_t queue;
    bool handed;       /* by the lcore that found whose they are: fragments have been dealt with */
    bool can_wait;     /* from captures: read only while there is room, so that nothing is lost */
    uint64_t received; /* packets; written by the lcore */
};

/** What is told of inputs, added up over a port's. */
extern const struct spill_metrics spill_input_metrics;

#define SPILL_ANSWERS_MAX 32

/** Errors about packets that came through an SA: they wait for the lcore's next turn, and then take
 * the way of packets, as if the host behind had sent them. */
struct spill_answers {
    uint32_t count;
    struct rte_mbuf *mbufs[SPILL_ANSWERS_MAX];
    uint8_t inputs[SPILL_ANSWERS_MAX]; /* port by which that host's packets come */
};

struct spill_fast {
    /* Written before the lcores start: */
    const struct spill_token *stop;
    const struct spill_snapshot *rules; /* of struct spill_security */
    unsigned lcore_id;                  /* EAL lcore id */
    uint32_t input_count;
    struct spill_input inputs[SPILL_INPUTS_MAX];
    uint8_t networks[RTE_MAX_ETHPORTS];   /* number of a port's wire, part of the flow key; by id */
    struct spill_transmitter transmitter; /* its outputs, and queues that others send to */
    struct spill_flow_table *flows;
    struct spill_datagrams *datagrams;
    struct spill_handover handover;
    struct spill_submitter *submitter;
    struct spill_reassembly *reassembly; /* NULL: without IPsec */
    struct spill_non_ip non_ip;
    enum spill_overflow overflows[SPILL_CLASSES];
    bool tcp_pickup;        /* TCP may be taken up under way */
    int64_t admission_most; /* cycles that can be saved up for new flows */
    /* Written by the lcore: */
    const struct spill_security *security; /* the version that this turn goes by */
    uint64_t version;                      /* number of the one that the flows' verdicts are of */
    bool inbound;                          /* it has inbound SAs */
    uint64_t renewed;    /* number of the one that all flows go by; the control thread reads */
    uint64_t swept;      /* TSC until which the flow table's places were looked at */
    uint32_t lane;       /* that this burst's new flows go to, when they go to the pool */
    uint32_t turns;      /* iterations, for what is done now and then */
    uint32_t next_input; /* that is served next */
    bool receive_ended;  /* nothing more will be received */
    bool has_time;       /* the receive stage found a short burst when it last ran, or none */
    uint64_t last_turn;  /* TSC when it last began */
    struct spill_exits exits;
    struct spill_answers answers;
    bool admits; /* this turn: the next was above 0 when it began, which holds for a burst in parts
                  */
    struct spill_allowance asking; /* time for asking new rules about known flows here */
    int64_t
        admission; /* cycles that new flows may still cost, below 0 = owed; see classification.h */
    uint64_t non_ip_passed[SPILL_NON_IP_COUNTERS];
    struct spill_ledger ledger;
    struct spill_latency latency;
} __rte_cache_aligned;

/** The port at the other end of a port's wire, by ids. The lcore. */
static inline unsigned spill_fast_other_end(const struct spill_fast *fast, unsigned port)
{
    return spill_exit_of(&fast->exits, (uint8_t)port);
}

/** Adds a fast lcore's stages to its loop. Control thread. */
void spill_fast_add_stages(struct spill_fast *fast, struct spill_loop *loop);

/**
 * Goes by the newest version of the security policy from here on. Its rules are asked again about
 * every flow. The lcore, at the beginning of a turn, or when it hears of a newer one within.
 *
 * @param now  TSC
 */
void spill_fast_take_version(struct spill_fast *fast, uint64_t now);

/** Whether one answer more can wait. The lcore. */
static inline bool spill_fast_can_answer(const struct spill_fast *fast)
{
    return fast->answers.count < SPILL_ANSWERS_MAX;
}

/**
 * Sends an answer to a packet that came through an SA the way that the answered host's own packets
 * take: by its connection's rule, through the outbound SA that this names. It leaves through one or
 * not at all (`esp_answer`), as it holds the beginning of what was protected. Not before the next
 * turn: whoever makes it is in the midst of a burst, or of jobs that are retired. The lcore.
 *
 * @param answer  given away; there is room for it
 * @param input   port that the answered packet was to leave by
 */
void spill_fast_answer(struct spill_fast *fast, struct rte_mbuf *answer, uint8_t input);

/**
 * Goes on with packets that came through an SA: they are looked up, and sent, dropped or classified
 * as their rules say. The lcore.
 *
 * @param mbufs    given away
 * @param packets  of each, parsed, with `through` and `input`
 */
void spill_fast_go_on(struct spill_fast *fast, struct rte_mbuf **mbufs,
                      struct spill_packet *packets, uint32_t count, uint64_t stamp,
                      enum spill_way way);

#endif
