/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_POOL_H
#define SPILLWAY_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "channel.h"
#include "error.h"

/**
 * @file
 * Pool: worker lcores that run expensive jobs, so that the lcores which receive packets need not.
 *
 * A *class* is a kind of expensive work, a *job* is up to one burst of packets of one class. Fast
 * lcores submit jobs (submitter.h: lanes, credits, order); any worker of the pool takes a job,
 * works on its packets in place and stores `done`. Workers never touch a port, never own a flow and
 * never free a packet: results lie in the packets' private areas, and the submitter applies them.
 *
 * Each class has a ring of its own, and a worker takes from that class which has had the least of
 * its time so far (start-time fair queueing, Goyal, Vin and Cheng 1996, on measured cycles):
 * classes share the workers fairly, and no turn is idle while any class has a job. The rings can't
 * overflow: a job is a credit, and there are no more of them than a ring has slots.
 */

#define SPILL_POOL_CLASSES_MAX 8
#define SPILL_JOB_PACKETS      32
#define SPILL_LANE_INLINE      UINT8_MAX

struct spill_job;
struct spill_submitter;

/** Where work of a class runs. */
enum spill_dispatch {
    SPILL_DISPATCH_AUTO,   /* inline while the budget lasts, else on the pool */
    SPILL_DISPATCH_INLINE, /* always on the submitting lcore */
    SPILL_DISPATCH_POOL,   /* always on the pool (inline when there are no workers) */
};

/** A kind of expensive work. Written before the lcores start, then constant. */
struct spill_class {
    const char *name;
    /** Does the work, on a worker or inline. Must not free packets or keep pointers to the job. */
    void (*work)(struct spill_job *job, void *context);
    void *context;
    uint32_t capacity; /* jobs that each submitter may have out at a time: its credits, from 1 */
    enum spill_dispatch dispatch;
};

/**
 * Up to one burst of packets of one class, with its place in its lane. Jobs are allocated when the
 * submitter is made; a free job is a credit.
 */
struct spill_job {
    /* Written by the submitter before the job is handed over, read by the worker: */
    uint8_t class_index;
    uint8_t lane;   /* SPILL_LANE_INLINE: in none, done by the submitter itself */
    uint16_t count; /* packets */
    uint16_t work;  /* of those: with work to do; none: the job only keeps its place in the lane */
    uint32_t bytes; /* in all packets together */
    uint64_t stamp; /* TSC when the first packet was received */
    uint64_t submitted; /* TSC */
    /* The submitter alone: */
    struct spill_job *next; /* in its lane, or among the free */
    /* Written by the worker, read by the submitter once `done` is set: */
    _Atomic bool done __rte_cache_aligned;
    uint64_t started; /* TSC */
    uint64_t finished;
    struct rte_mbuf *mbufs[SPILL_JOB_PACKETS] __rte_cache_aligned;
} __rte_cache_aligned;

/** What a worker has done. Written by that worker's lcore; the control thread reads. */
struct spill_worker {
    struct spill_pool *pool;
    uint64_t jobs[SPILL_POOL_CLASSES_MAX];
    uint64_t cycles[SPILL_POOL_CLASSES_MAX];
    uint64_t virtual_time[SPILL_POOL_CLASSES_MAX]; /* cycles; see pick() in pool.c */
    uint64_t virtual_now;
} __rte_cache_aligned;

/** The workers of one NUMA node and the rings they take jobs from. */
struct spill_pool {
    int socket;
    uint32_t class_count;
    uint32_t worker_count;
    uint32_t submitter_count;
    struct spill_class classes[SPILL_POOL_CLASSES_MAX];
    struct rte_ring *rings[SPILL_POOL_CLASSES_MAX]; /* of struct spill_job * */
    struct spill_worker *workers;
    struct spill_submitter **submitters; /* set when they are made, before the lcores start */
};

/** What a pool is made of. */
struct spill_pool_config {
    const char *name; /* unique; prefix of its rings' names */
    int socket;       /* NUMA node of the workers */
    uint32_t workers; /* lcores that will run spill_worker_poll(); 0: all work is inline */
    uint32_t submitters;
    enum spill_ring_mode mode;
    uint32_t class_count;
    const struct spill_class *classes; /* copied */
};

/**
 * Creates a pool. Control thread.
 *
 * @return NULL with an error when the configuration is out of bounds or memory is short
 */
struct spill_pool *spill_pool_create(const struct spill_pool_config *config,
                                     struct spill_error *error);

/** Frees a pool whose workers have ended and whose submitters are freed. Control thread. */
void spill_pool_free(struct spill_pool *pool);

/**
 * Runs at most one job. The worker's lcore; never blocks.
 *
 * @return packets in the job, 0 when no class has a job
 */
uint32_t spill_worker_poll(struct spill_worker *worker);

/** Whether no job waits and none will come: all submitters have left. The worker's lcore. */
bool spill_worker_ended(const struct spill_worker *worker);

/** Does a job's work here and now, with its times taken. A worker, or a submitter inline. */
void spill_job_run(struct spill_job *job, const struct spill_class *class);

#endif
