/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PIPELINE_H
#define SPILLWAY_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "pipeline/fast.h"
#include "pipeline/host.h"
#include "pipeline/links.h"
#include "pipeline/spread.h"
#include "pipeline/transmit.h"
#include "plan/plan.h"
#include "port/port.h"
#include "route/router.h"
#include "runtime/channel.h"
#include "runtime/loop.h"
#include "runtime/pool.h"
#include "runtime/snapshot.h"
#include "runtime/submitter.h"
#include "runtime/thread.h"
#include "runtime/token.h"

/**
 * @file
 * The pipeline: the stages of every lcore, connected as the plan says.
 *
 *     rx queue -> [spread -> channel ->] receive -> ... -> output -> [channel -> transmit ->] tx
 * queue |  ^ v  | retire lanes <-> pool
 *
 * What stands in brackets is there when the plan has rx or tx lcores, or fewer queues than fast
 * lcores. All functions are the control thread's where they say nothing else.
 */

/** How a class of expensive work is done. */
struct spill_pipeline_class {
    uint32_t capacity; /* jobs of each fast lcore; 0: SPILL_CLASS_CAPACITY */
    enum spill_dispatch dispatch;
    enum spill_overflow overflow;
};

struct spill_pipeline_config {
    const struct spill_plan *plan;   /* stays the caller's; must outlive the pipeline */
    struct spill_port *ports;        /* configured, by index in the plan; likewise */
    struct spill_snapshot *rules;    /* of struct spill_generation; likewise */
    struct spill_crypto *crypto;     /* NULL: without IPsec, until it is added; likewise */
    struct spill_router *router;     /* NULL: no port is routed; likewise, with its interfaces */
    spill_to_host to_host;           /* takes packets for the host; NULL: nobody does */
    void *host;                      /* its context; likewise */
    struct spill_host *twins;        /* NULL: no port has a twin; likewise */
    struct spill_token *stop;        /* no more receiving, drain; workers' own are made of it */
    const struct spill_token *force; /* end at once; an ancestor of stop */
    enum spill_idle idle;
    uint64_t budget_ns; /* 0: nothing is done inline while there is a pool */
    uint32_t lanes;
    struct spill_pipeline_class classes[SPILL_CLASSES]; /* by index of the class */
    struct spill_non_ip non_ip;
    uint32_t flow_capacity;
    uint64_t flow_timeout_ns;                       /* of flows in any state; 0: as the next say */
    uint64_t flow_timeouts_ns[SPILL_FLOW_TIMEOUTS]; /* by state */
    bool host_rules;                                /* the host's own packets are judged, too */
    bool tcp_pickup;                                /* a TCP connection may begin with any packet */
};

/** What runs on one polling lcore; the parts that it has not are NULL. */
struct spill_pipeline_lcore {
    const struct spill_plan_lcore *plan;
    struct spill_thread *thread; /* NULL: an lcore of the EAL's */
    struct spill_token leave;    /* a worker's: its own end; a child of the pipeline's stop */
    struct spill_loop *loop;
    struct spill_fast *fast;
    struct spill_spread *spread;
    struct spill_transmit *transmit;
    struct spill_worker *worker;
    struct spill_snapshot_reader reader;
    bool reads; /* the reader is registered */
};

struct spill_pipeline {
    struct spill_pipeline_config config;
    struct spill_pipeline_lcore lcores[SPILL_LCORES_MAX]; /* by index in the plan; 0 is control's */
    uint32_t pool_count; /* the plan's, and one without workers for fast lcores that have none */
    struct spill_pool *pools[SPILL_NODES_MAX + 1];
    uint32_t channel_count;                                  /* made; written last of those */
    struct spill_channel *channels[SPILL_PLAN_CHANNELS_MAX]; /* by index in the plan */
    struct spill_links links;                                /* by id of the port */
    struct spill_ledger ledger; /* the control thread's: what a forced end left behind */
    uint64_t abandoned_mbufs;   /* likewise; of those, what the crypto device never gave back */
};

/**
 * Makes all rings, tables and lcores' states. Nothing runs yet.
 *
 * @return NULL with an error when memory is short
 */
struct spill_pipeline *spill_pipeline_create(const struct spill_pipeline_config *config,
                                             struct spill_error *error);

/** Frees a pipeline whose lcores have ended and that holds no packet. May be NULL. */
void spill_pipeline_free(struct spill_pipeline *pipeline);

/**
 * Makes a pipeline that was made without IPsec fit for it, while its lcores run: classes of
 * expensive work, which share the jobs that there are, and what fast lcores hold of ESP. Before a
 * version with associations. Who has the plan; may be tried again.
 *
 * @param crypto  must outlive the pipeline, also after an error
 * @return 0, or -1 with an error: memory is short
 */
int spill_pipeline_add_ipsec(struct spill_pipeline *pipeline, struct spill_crypto *crypto,
                             struct spill_error *error);

/** Has lcores that run warm up for crypto devices that have come since they began: once they may go
 * by a version with sessions on them. Control thread. */
void spill_pipeline_warm_up(struct spill_pipeline *pipeline);

/** Starts every lcore's loop. @return 0 or -1 with an error; then those that run must be stopped */
int spill_pipeline_launch(struct spill_pipeline *pipeline, struct spill_error *error);

/**
 * Sets what may be set while lcores run: idle, budget_ns, and of classes dispatch and overflow,
 * which they permit. Lcores go by it from their next packets on; jobs that are out stay out, and
 * what follows them into their lanes does so as ever.
 */
void spill_pipeline_set(struct spill_pipeline *pipeline, const struct spill_pipeline_config *to);

/**
 * Whether any lcore's loop still runs.
 *
 * @param hanging  gets the index in the plan of one that does; may be NULL
 */
bool spill_pipeline_running(const struct spill_pipeline *pipeline, uint32_t *hanging);

/** Whether a loop was forced to end before its stages had come to theirs. After all have ended. */
bool spill_pipeline_forced(const struct spill_pipeline *pipeline);

/**
 * Drops what a forced end left in channels, lanes and backlogs, as `drain_deadline`, and tells
 * where it was. After all loops have ended. What the crypto device has not given back is dropped as
 * `crypto_abandoned` and counted in abandoned_mbufs: the device may write into it at any time, so
 * its mbufs are not freed, and nothing may be that it works with: sessions, mempools, the pipeline.
 *
 * @param tell  called for each place with packets; may be NULL
 * @return packets dropped
 */
uint64_t spill_pipeline_abandon(struct spill_pipeline *pipeline,
                                void (*tell)(const char *place, uint64_t packets));

/** Adds up the accounts of all lcores. Exact once all loops have ended. */
void spill_pipeline_ledger(const struct spill_pipeline *pipeline, struct spill_ledger *sum);

/** Packets received by all lcores so far: the cheap part of the above. */
uint64_t spill_pipeline_received(const struct spill_pipeline *pipeline);

/** Number of the version of the rules that all flows of all lcores go by, at least. */
uint64_t spill_pipeline_renewed(const struct spill_pipeline *pipeline);

/** Number of the version that the tallies of all flows are of, at least. Any thread. */
uint64_t spill_pipeline_settled(const struct spill_pipeline *pipeline);

/**
 * Whether every loop that runs has begun a turn since the last call.
 *
 * @param turns  of each loop, by index in the plan: as the last call left them, 0 at first
 */
bool spill_pipeline_turned(const struct spill_pipeline *pipeline, uint64_t turns[SPILL_LCORES_MAX]);

/**
 * Waits until every loop has come to the turn after the next, or is not running: what lcores see by
 * then, as what drivers are told, they go by in all of their calls. Any thread but lcores'; sleeps
 * between its looks.
 *
 * @param nanoseconds  at most
 * @return whether all have
 */
bool spill_pipeline_await_turn(const struct spill_pipeline *pipeline, uint64_t nanoseconds);

/** Frames that are not IP and passed, over all lcores, by spill_non_ip_find(). Any thread. */
void spill_pipeline_non_ip(const struct spill_pipeline *pipeline,
                           uint64_t sums[SPILL_NON_IP_COUNTERS]);

/** Gives a writer what the lcores counted at a port, by its index in the plan. Any thread. */
void spill_pipeline_write_port(const struct spill_pipeline *pipeline, uint32_t index,
                               struct spill_metric_writer *writer);

/** Packets given to a port's device, by all lcores. Likewise. */
uint64_t spill_pipeline_transmitted(const struct spill_pipeline *pipeline, uint32_t index);

/**
 * Gives a writer what else is counted: lcores, channels, classes of expensive work, latencies,
 * flows, and what SPILL_COUNTER() declares. Any thread, as long as the pipeline is there; takes
 * some 25 KiB of the stack.
 *
 * @param family  this one alone; NULL: all
 */
void spill_pipeline_write_metrics(const struct spill_pipeline *pipeline, const char *family,
                                  struct spill_metric_writer *writer);

/**
 * Asks the kernel where rings and tables are, and tells what is on another node than planned.
 *
 * @param tell  called with a name, the node planned and the node found
 */
void spill_pipeline_check_placement(const struct spill_pipeline *pipeline,
                                    void (*tell)(const char *name, int planned, int found));

/** The transmitter of an lcore that has one, else NULL. */
static inline struct spill_transmitter *
spill_pipeline_transmitter(const struct spill_pipeline_lcore *lcore)
{
    if (lcore->fast != NULL)
        return &lcore->fast->transmitter;
    return lcore->transmit != NULL ? &lcore->transmit->transmitter : NULL;
}

/** The accounts of an lcore that has a transmitter. */
static inline struct spill_ledger *spill_pipeline_transmits(struct spill_pipeline_lcore *lcore,
                                                            struct spill_latency **latency)
{
    *latency = lcore->fast != NULL ? &lcore->fast->latency : &lcore->transmit->latency;
    return lcore->fast != NULL ? &lcore->fast->ledger : &lcore->transmit->ledger;
}

#endif
