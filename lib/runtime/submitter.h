/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SUBMITTER_H
#define SPILLWAY_SUBMITTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>

#include "base/histogram.h"
#include "base/metrics.h"
#include "budget.h"
#include "cost.h"
#include "pool.h"

/**
 * @file
 * Submitter: a fast lcore's side of the pool. Its lanes keep order, its credits keep everything
 * bounded, its budget decides what is done inline.
 *
 * A *lane* is a FIFO of jobs. Workers finish jobs in any order; the submitter retires them from the
 * lane's head, in the order of submission, however many workers there are (law 4). Which packets
 * must keep order among each other is the caller's knowledge: it puts them into one lane, and does
 * nothing inline for a packet while an earlier one that matters to it is still in a lane.
 *
 * A *credit* is a free job: one slot in a lane and in the pool's ring, and the packets that it may
 * hold. It is taken before anything is submitted and given back on retirement, so neither step can
 * fail. A class may hold the credits of the others while none of them waits; while one waits, none
 * gets more than its share. A packet without a credit is refused at once, and the caller applies
 * the class's overflow policy: nothing ever waits for a credit.
 *
 * All functions are the owning lcore's, but where another thread is named. A caller's iteration:
 *
 *     spill_submitter_retire()                        what is done, in order
 *     for each packet, or all of a burst: spill_inline_fits() ? spill_inline_add()
 *                                                             : spill_lane_reserve() + _add()
 *     spill_inline_run()                              after each burst
 *     spill_submitter_flush()                         at the end: nothing waits idly for company
 */

#define SPILL_LANES_MAX 64 /* a word of bits tells which are busy */

struct spill_lane {
    struct spill_job *head; /* the oldest job; NULL = empty */
    struct spill_job *tail;
    struct spill_job *open; /* the tail while it takes more packets, else NULL */
    uint32_t jobs;          /* how many, the open one included */
};

/** What the owner does with a job that is done: applies results, sends or drops every packet. */
typedef void (*spill_retire)(struct spill_job *job, void *owner);

/** One class as one submitter sees it. Written by the owning lcore, but for the share; the control
 * thread reads. */
struct spill_account {
    const struct spill_class *class;
    spill_retire retire;
    void *owner;
    uint64_t busy;          /* a bit for each lane that has a job */
    uint64_t waiting_until; /* TSC; until then no other class gets more than its share */
    uint32_t share;         /* credits that are this class's own: its capacity */
    uint32_t held;          /* credits taken: jobs in lanes */
    uint32_t closed_count;
    struct spill_job **closed; /* full jobs that the next flush hands over */
    struct spill_job *inline_job;
    struct spill_cost cost; /* of jobs without a subject */
    uint64_t job_cycles;    /* what a job took lately, on average */
    struct spill_lane lanes[SPILL_LANES_MAX];
    /* Counters: */
    uint64_t inline_packets;
    uint64_t pool_packets;   /* that workers worked on */
    uint64_t helped_packets; /* of those: that this lcore worked on in a worker's place */
    uint64_t jobs;           /* handed to the pool */
    uint64_t refused;        /* packets without a credit */
    uint64_t service_cycles;
    uint32_t high_water;            /* most credits held */
    struct spill_histogram wait;    /* cycles from submission to a worker's start */
    struct spill_histogram service; /* cycles of work, a job */
};

/** What of an account is told. Sums of several submitters' accounts are told likewise. */
extern const struct spill_metrics spill_account_metrics;

struct spill_submitter {
    struct spill_pool *pool;
    struct spill_job *free; /* credits */
    uint32_t credits;       /* how many are free */
    uint32_t held;          /* taken: jobs in lanes */
    struct spill_job *jobs; /* all jobs, for freeing */
    uint32_t job_count;
    int socket;
    uint64_t now; /* TSC at the last retire */
    uint32_t lane_count;
    uint32_t class_count; /* written last where one is added */
    struct spill_budget budget;
    _Atomic bool left __rte_cache_aligned; /* written by the owner, read by the workers */
    struct spill_account accounts[] __rte_cache_aligned; /* one for each class */
};

/**
 * Creates a submitter of a pool and registers it there. Control thread, before the lcores start.
 *
 * @param index   below the pool's number of submitters, each once
 * @param lanes   for each class, 1 to SPILL_LANES_MAX
 * @param socket  NUMA node of the owning lcore
 * @param budget  cycles that may be done inline in one go
 * @return NULL with an error when memory is short or a bound is broken
 */
struct spill_submitter *spill_submitter_create(struct spill_pool *pool, uint32_t index,
                                               uint32_t lanes, int socket, uint64_t budget,
                                               struct spill_error *error);

/**
 * Takes in a class that was added to the pool: no new jobs, and an equal share of those that there
 * are for each class. For spill_pool_add_class(), while the owner runs.
 *
 * @param index  the number of classes that there are
 * @return 0, or -1 with an error: no memory
 */
int spill_submitter_add_class(struct spill_submitter *submitter, uint32_t index,
                              struct spill_error *error);

/** Frees a submitter all of whose jobs are retired or abandoned. Control thread. May be NULL. */
void spill_submitter_free(struct spill_submitter *submitter);

/** Says what becomes of a class's finished jobs. Control thread, before the lcores start. */
void spill_submitter_on_retire(struct spill_submitter *submitter, uint32_t class_index,
                               spill_retire retire, void *owner);

/**
 * Retires all jobs that are done at the heads of their lanes.
 *
 * @param now  TSC
 * @return packets in the retired jobs
 */
uint32_t spill_submitter_retire(struct spill_submitter *submitter, uint64_t now);

/**
 * Hands what the lanes hold to the pool, one ring operation a class. Can't fail. A job that is not
 * full stays open while its lane has so many before it that no worker could wait for it: it goes on
 * collecting packets, which makes better use of the pool just when that is behind.
 */
void spill_submitter_flush(struct spill_submitter *submitter);

/**
 * Opens a job at a lane's end, taking a credit; an open job of another subject is closed. False: no
 * credit, and one packet counts as refused.
 */
bool spill_lane_open(struct spill_submitter *submitter, uint32_t class_index, uint32_t lane,
                     struct spill_subject *subject);

/** Whether a lane has jobs that are not retired. */
static inline bool spill_lane_busy(const struct spill_submitter *submitter, uint32_t class_index,
                                   uint32_t lane)
{
    return submitter->accounts[class_index].busy >> lane & 1;
}

/**
 * Makes sure that spill_lane_add() has room for one packet of a subject.
 *
 * @param subject  what the packet's job is about; NULL where the class has none
 * @return false when that needed a credit and there was none: counted as one refused packet
 */
static inline bool spill_lane_reserve(struct spill_submitter *submitter, uint32_t class_index,
                                      uint32_t lane, struct spill_subject *subject)
{
    const struct spill_job *open = submitter->accounts[class_index].lanes[lane].open;

    if (likely(open != NULL && open->subject == subject))
        return true;
    return spill_lane_open(submitter, class_index, lane, subject);
}

/**
 * Counts packets as refused without asking for each: those behind one that spill_lane_reserve() has
 * just refused, of the same lane and subject. No credit comes back but by a retirement.
 */
static inline void spill_lane_refuse(struct spill_submitter *submitter, uint32_t class_index,
                                     uint32_t packets)
{
    submitter->accounts[class_index].refused += packets;
}

/** The job that spill_lane_add() puts the next packet into, after spill_lane_reserve(). */
static inline struct spill_job *spill_lane_job(const struct spill_submitter *submitter,
                                               uint32_t class_index, uint32_t lane)
{
    return submitter->accounts[class_index].lanes[lane].open;
}

/**
 * Whether a job that holds half of what it may, or all, takes no more: when twice as much would
 * take longer than the budget's size, half is enough, so that a job can be done in one go of spare
 * time. Without a budget nothing is ever done so.
 */
static inline bool spill_job_is_full(const struct spill_submitter *submitter,
                                     const struct spill_account *account,
                                     const struct spill_job *job)
{
    const struct spill_cost *cost = job->subject != NULL ? &job->subject->cost : &account->cost;

    if (job->count == SPILL_JOB_PACKETS || submitter->budget.size == 0)
        return job->count == SPILL_JOB_PACKETS;
    return spill_cost_estimate(cost, SPILL_JOB_PACKETS, 2 * job->bytes) > submitter->budget.size;
}

/**
 * Puts a packet at the end of a lane, after spill_lane_reserve() for it returned true.
 *
 * A packet that needs no work, and only must not overtake those before it, keeps its place without
 * a worker's help: a job of such packets is done at once, so a heavy flow is out of the lane as
 * soon as the work before it is.
 *
 * @param work   whether the class's work must be done on it
 * @param mbuf   the job's until it is retired
 * @param bytes  what the class's work has to touch of it, for the cost estimate
 * @param stamp  TSC when it was received
 */
static inline void spill_lane_add(struct spill_submitter *submitter, uint32_t class_index,
                                  uint32_t lane_index, struct rte_mbuf *mbuf, bool work,
                                  uint32_t bytes, uint64_t stamp)
{
    struct spill_account *account = &submitter->accounts[class_index];
    struct spill_lane *lane = &account->lanes[lane_index];
    struct spill_job *job = lane->open;

    if (job->count == 0)
        job->stamp = stamp;
    job->mbufs[job->count++] = mbuf;
    job->work += work;
    job->bytes += bytes;
    if (job->count % (SPILL_JOB_PACKETS / 2) == 0 && spill_job_is_full(submitter, account, job)) {
        lane->open = NULL;
        account->closed[account->closed_count++] = job;
    }
}

/**
 * Whether so many more packets of a subject may be done inline now: by the class's dispatch, and
 * the budget. Only one class at a time has packets in its inline job, so the budget is asked for it
 * alone.
 */
static inline bool spill_inline_fits(const struct spill_submitter *submitter, uint32_t class_index,
                                     const struct spill_subject *subject, uint32_t packets,
                                     uint32_t bytes)
{
    const struct spill_account *account = &submitter->accounts[class_index];
    const struct spill_job *job = account->inline_job;
    const enum spill_dispatch dispatch = spill_class_dispatch(account->class);
    uint64_t available = submitter->budget.available;

    if (spill_pool_workers(submitter->pool) == 0 || dispatch == SPILL_DISPATCH_INLINE)
        return true;
    if (dispatch == SPILL_DISPATCH_POOL || available == 0)
        return false;
    return spill_cost_estimate(subject != NULL ? &subject->cost : &account->cost,
                               job->count + packets, job->bytes + bytes) <= available;
}

/** The job that spill_inline_add() puts the next packets into. */
static inline struct spill_job *spill_inline_job(const struct spill_submitter *submitter,
                                                 uint32_t class_index)
{
    return submitter->accounts[class_index].inline_job;
}

/** Does and retires the inline job's work, if it holds packets, and pays for it from the budget. */
void spill_inline_run(struct spill_submitter *submitter, uint32_t class_index);

/**
 * Puts packets into the class's inline job. At most SPILL_JOB_PACKETS between two
 * spill_inline_run(), and all of one subject. Other parameters as for spill_lane_add().
 *
 * @param bytes  of all packets together
 */
static inline void spill_inline_add(struct spill_submitter *submitter, uint32_t class_index,
                                    struct spill_subject *subject, struct rte_mbuf *const *mbufs,
                                    uint32_t count, uint32_t bytes, uint64_t stamp)
{
    struct spill_job *job = submitter->accounts[class_index].inline_job;

    if (job->count == 0) {
        job->stamp = stamp;
        job->subject = subject;
    }
    memcpy(&job->mbufs[job->count], mbufs, count * sizeof(job->mbufs[0]));
    job->count = (uint16_t)(job->count + count);
    job->bytes += bytes;
}

/**
 * Does the work of a waiting job of the pool in a worker's place, when the budget has time for what
 * a job of its class takes on average, and pays for it. The job is any submitter's, and retired by
 * that one in its order. So spare time is used also while lanes are full. Once an iteration.
 *
 * @return packets in the job; 0 when none was done
 */
uint32_t spill_submitter_help(struct spill_submitter *submitter);

/** Whether no job is out: nothing in a lane. */
static inline bool spill_submitter_idle(const struct spill_submitter *submitter)
{
    return submitter->held == 0;
}

/** Submits nothing more; the workers may end. The owner, when it is idle and will stay so. */
static inline void spill_submitter_leave(struct spill_submitter *submitter)
{
    atomic_store_explicit(&submitter->left, true, memory_order_release);
}

static inline bool spill_submitter_left(const struct spill_submitter *submitter)
{
    return atomic_load_explicit(&submitter->left, memory_order_acquire);
}

/**
 * Takes the packets out of all lanes, done or not. Control thread, after a forced end, when neither
 * the owner nor any worker runs any more.
 *
 * A job that is still under way on a device is never free again, nor its subject idle: neither they
 * nor their packets may be freed.
 *
 * @param take  gets each job's packets, which become the callee's; not to be freed when the job is
 *              under_way
 * @return packets taken
 */
uint32_t spill_submitter_abandon(struct spill_submitter *submitter, spill_retire take,
                                 void *context);

#endif
