/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_LOOP_H
#define SPILLWAY_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include <rte_common.h>

#include "base/metrics.h"
#include "budget.h"
#include "snapshot.h"
#include "stall.h"
#include "token.h"
#include "watchdog.h"

/**
 * @file
 * The loop that a polling lcore runs: its stages in turn, until it is told to stop and all of them
 * have come to their end.
 *
 * Law 2: the loop itself makes no system call, but where the user asked for it (`sleep`) or where
 * lcores share a CPU (`yield`), and then only when no stage found anything to do.
 * Law 3: the cycles of every stage are measured on every turn; a turn that found few packets or
 * none earns them for the budget, but for those that inline work took; and a turn with more inline
 * work than the budget's size is counted. Law 7: `stop` tells the loop that the end has begun: its
 * stages stop taking in new packets by themselves (they hear the same token) and the loop goes on
 * until each has nothing left and nothing to expect. `force`, an ancestor of `stop`, ends the loop
 * at once; what the stages hold is then the control thread's to count.
 */

/* Packets: a turn in which no stage handled more is spare time. At a few million packets a second
 * hardly a turn finds none, but a loop that is ahead of its packets finds few. */
#define SPILL_SPARE_PACKETS 8

/** What a loop does when no stage found anything to do. */
enum spill_idle {
    SPILL_IDLE_BUSY,  /* polls on */
    SPILL_IDLE_PAUSE, /* lets the sibling thread run, saves some power */
    SPILL_IDLE_SLEEP, /* the longer nothing comes, the longer it sleeps, up to half a millisecond */
};

/** One stage of a loop. The first part is written before the loop starts, the rest by the loop. */
struct spill_stage {
    const char *name;
    /** One turn; never blocks. @return packets that it handled; 0 = nothing to do */
    uint32_t (*poll)(void *context, uint64_t now);
    /** Whether it holds no packet and will get none from other lcores; may tell those downstream.
     *  Asked after each turn once `stop` is cancelled, until all stages say true in one turn. */
    bool (*end)(void *context);
    void *context;
    uint64_t packets;
    uint64_t cycles;  /* in turns that handled packets */
    uint64_t longest; /* cycles of the longest turn */
};

/** What a loop has done. Written by the loop; the control thread reads. */
struct spill_loop_counters {
    uint64_t polls; /* iterations */
    uint64_t empty_polls;
    uint64_t packets;     /* that its stages handled */
    uint64_t busy_cycles; /* TSC cycles of iterations that found something to do */
    uint64_t over_budget; /* iterations with more inline work than the budget's size */
    uint64_t longest;     /* cycles of the longest iteration */
    uint64_t slow;        /* iterations that are told of, or were to be */
};

struct spill_loop {
    /* Written before the loop starts: */
    const struct spill_token *stop;
    const struct spill_token *force;
    struct spill_budget *budget;          /* NULL: no inline work */
    struct spill_snapshot_reader *reader; /* NULL: reads no snapshot */
    enum spill_idle idle;                 /* control sets it at any time */
    bool yield;                           /* another polling lcore has the same CPU */
    /** What the lcore does before its first turn, such as having libraries take memory for it, and
     * again when it is told to; online as a reader. NULL: nothing. */
    void (*start)(void *context);
    void *start_context;
    uint32_t again; /* times that it was told to; control */
    uint32_t stage_count;
    struct spill_stage stages[SPILL_STAGES_MAX];
    struct spill_heartbeat heartbeat;
    struct spill_loop_counters counters __rte_cache_aligned;
    uint64_t idle_since;        /* TSC; 0: the last iteration found something to do */
    pid_t thread;               /* that runs it; 0: none yet */
    struct spill_stalls stalls; /* its slow turns; without a ring none is kept */
} __rte_cache_aligned;

/**
 * Makes a loop without stages. Control thread.
 *
 * @param loop  memory of the caller's on the lcore's node
 */
void spill_loop_init(struct spill_loop *loop, const struct spill_token *stop,
                     const struct spill_token *force);

/** Adds a stage behind the others. Control thread, before the loop starts. There must be room. */
void spill_loop_add(struct spill_loop *loop, const struct spill_stage *stage);

/** Has the lcore do between two turns what it did before its first one. Control thread, at any
 * time.
 */
void spill_loop_start_again(struct spill_loop *loop);

/**
 * Runs a loop to its end: the function to launch on an lcore.
 *
 * @param loop  struct spill_loop *
 * @return 0 when every stage came to its end, 1 when the loop was forced to end
 */
int spill_loop_run(void *loop);

/** Gives a writer what a loop has done, and each of its stages. Any thread. */
void spill_loop_write_metrics(const struct spill_loop *loop, struct spill_metric_writer *writer);

#endif
