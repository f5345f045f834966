/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_POOL_H
#define SPILLWAY_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/error.h"
#include "channel.h"
#include "cost.h"

/**
 * @file
 * Pool: worker lcores that run expensive jobs, so that the lcores which receive packets need not.
 *
 * A *class* is a kind of expensive work, a *job* is up to one burst of packets of one class. Fast
 * lcores submit jobs (submitter.h: lanes, credits, order); any worker of the pool takes a job,
 * works on its packets in place and stores `done`. Workers never touch a port, never own a flow and
 * never free a packet: results lie in the packets' private areas, and the submitter applies them.
 *
 * Work may also be left *under way* on a device and collected later: a worker then goes on with
 * other jobs, and has at most the pool's depth of such jobs at a time.
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

/**
 * What the packets of a job have in common, for classes whose work depends on it, such as a
 * security association; one for each submitter. Written by the submitter's lcore.
 */
struct spill_subject {
    struct spill_cost cost;
    uint32_t jobs; /* out at the pool; the control thread reads it by spill_subject_idle() */
};

/** Whether no job of a subject is out. Any thread, once no more of them can be submitted. */
static inline bool spill_subject_idle(const struct spill_subject *subject)
{
    return __atomic_load_n(&subject->jobs, __ATOMIC_ACQUIRE) == 0;
}

/** A kind of expensive work. Written before anything is submitted to it, then constant but for
 * `dispatch`. */
struct spill_class {
    const char *name;
    /**
     * Does the work, on a worker or inline. Must not free packets. Returns whether it is done;
     * false, of a class that defers and on a worker: the pool's collect() will bring it. NULL:
     * there is no class of this index; nothing is taken for it, and nothing may be submitted to it.
     */
    bool (*work)(struct spill_job *job, void *context);
    /**
     * What must be serial, such as sequence numbers: called by the submitter for each job when it
     * is complete, in the order of each lane, before its work. May lower `work`: packets beyond it
     * are not worked on. NULL: nothing.
     */
    void (*begin)(struct spill_job *job, void *context);
    bool defers; /* work() may leave jobs under way, on a device: never done inline */
    void *context;
    uint32_t capacity; /* jobs that each submitter may have out at a time: its credits, from 1 */
    enum spill_dispatch
        dispatch; /* of a class that defers the pool's; control sets it at any time */
};

/** Where a class's work runs at this moment. Any thread. */
static inline enum spill_dispatch spill_class_dispatch(const struct spill_class *class)
{
    return __atomic_load_n(&class->dispatch, __ATOMIC_RELAXED);
}

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
    uint64_t submitted;            /* TSC */
    uint64_t serial;               /* the class's own, from begin() or from who fills the job */
    struct spill_subject *subject; /* NULL: the class has none */
    /* The submitter alone: */
    struct spill_job *next; /* in its lane, or among the free */
    /* Written by the worker, read by the submitter once `done` is set: */
    _Atomic bool done __rte_cache_aligned;
    bool under_way;   /* on a device, which may read and write its packets: the worker's alone */
    uint64_t started; /* TSC */
    uint64_t finished;
    uint64_t result;                   /* the class's own */
    uint32_t notes[SPILL_JOB_PACKETS]; /* likewise, of each packet */
    struct rte_mbuf *mbufs[SPILL_JOB_PACKETS] __rte_cache_aligned;
} __rte_cache_aligned;

/** What a worker has done. Written by that worker's lcore; the control thread reads. */
struct spill_worker {
    struct spill_pool *pool;
    uint64_t jobs[SPILL_POOL_CLASSES_MAX];
    uint64_t cycles[SPILL_POOL_CLASSES_MAX];
    uint64_t virtual_time[SPILL_POOL_CLASSES_MAX]; /* cycles; see pick() in pool.c */
    uint64_t virtual_now;
    uint32_t under_way;        /* jobs that are neither done nor waiting */
    bool leaves;               /* takes no more jobs: the one thread that has the plan writes it */
    struct spill_worker *next; /* of those that came later */
} __rte_cache_aligned;

/** What jobs of classes that defer are under way on. */
struct spill_pool_device {
    /** Brings jobs of the calling worker that are done, `most` of them. NULL: no class defers. */
    uint32_t (*collect)(struct spill_job **done, uint32_t most, void *context);
    void *context;
    uint32_t depth; /* jobs that a worker may have under way at a time */
};

/** The workers of one NUMA node and the rings they take jobs from. */
struct spill_pool {
    char name[RTE_RING_NAMESIZE];
    int socket;
    enum spill_ring_mode mode;
    uint32_t class_count; /* written last where one is added */
    uint32_t class_most;
    uint32_t jobs;         /* of all submitters together */
    uint32_t worker_count; /* that take jobs: spill_pool_workers() */
    uint32_t submitter_count;
    struct spill_class classes[SPILL_POOL_CLASSES_MAX];
    struct rte_ring *rings[SPILL_POOL_CLASSES_MAX]; /* of struct spill_job * */
    struct spill_pool_device device;
    struct spill_worker *workers;        /* that it was made with */
    struct spill_worker *later;          /* that came since; the one thread's that has the plan */
    struct spill_submitter **submitters; /* set when they are made, before the lcores start */
};

/** How many workers take jobs at this moment; with none, all work is inline. Any thread. */
static inline uint32_t spill_pool_workers(const struct spill_pool *pool)
{
    return __atomic_load_n(&pool->worker_count, __ATOMIC_RELAXED);
}

/** What a pool is made of. */
struct spill_pool_config {
    const char *name; /* unique; prefix of its rings' names */
    int socket;       /* NUMA node of the workers */
    uint32_t workers; /* lcores that will run spill_worker_poll(); 0: all work is inline */
    uint32_t submitters;
    enum spill_ring_mode mode;
    uint32_t class_count;
    uint32_t class_most;               /* with those that may be added; 0: none may */
    const struct spill_class *classes; /* copied */
    struct spill_pool_device device;
};

/**
 * Creates a pool. Control thread.
 *
 * @return NULL with an error when the configuration is out of bounds or memory is short
 */
struct spill_pool *spill_pool_create(const struct spill_pool_config *config,
                                     struct spill_error *error);

/** How many classes there are at this moment. Any thread. */
static inline uint32_t spill_pool_class_count(const struct spill_pool *pool)
{
    return __atomic_load_n(&pool->class_count, __ATOMIC_ACQUIRE);
}

/**
 * Adds a class behind those that there are, while workers and submitters run. It brings no credits:
 * all classes share those that there are, in equal parts while more than one has work. One thread
 * at a time; who submits to it must have heard of it since.
 *
 * @param class   copied; its capacity is of no account
 * @param device  of classes that defer, from here on; copied
 * @return 0, or -1 with an error: the pool has as many as it may, or memory is short
 */
int spill_pool_add_class(struct spill_pool *pool, const struct spill_class *class,
                         const struct spill_pool_device *device, struct spill_error *error);

/** Frees a pool whose workers have ended and whose submitters are freed. Control thread. */
void spill_pool_free(struct spill_pool *pool);

/**
 * Runs at most one job, and collects what was under way. The worker's lcore; never blocks.
 *
 * @return packets in the jobs that it took or finished, 0 when there were none
 */
uint32_t spill_worker_poll(struct spill_worker *worker);

/**
 * After a forced end: collects what is under way until nothing is, or so many TSC cycles have
 * passed. The worker's lcore.
 */
void spill_worker_collect(struct spill_worker *worker, uint64_t cycles);

/**
 * A worker beside those that a pool was made with, which has left before it came. The one thread
 * that has the plan, as the next two.
 *
 * @return the pool's; NULL: no memory
 */
struct spill_worker *spill_pool_add_worker(struct spill_pool *pool);

/** A worker that has left takes jobs again. Before its lcore polls. */
void spill_worker_come(struct spill_worker *worker);

/**
 * A worker takes no more jobs. It has left once its spill_worker_ended() says so: what it had under
 * way is done. Jobs that wait are the others', of whom there must be one.
 */
void spill_worker_leave(struct spill_worker *worker);

/** Whether a worker leaves, or has left. Any thread. */
static inline bool spill_worker_leaves(const struct spill_worker *worker)
{
    return __atomic_load_n(&worker->leaves, __ATOMIC_RELAXED);
}

/** Whether nothing of the worker's is under way, and it leaves, or no job waits and none will come:
 * all submitters have left. The worker's lcore. */
bool spill_worker_ended(const struct spill_worker *worker);

/** Does a job's work, with its times taken; returns as work() does. A worker, or a submitter. */
bool spill_job_run(struct spill_job *job, const struct spill_class *class);

#endif
