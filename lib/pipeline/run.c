/* SPDX-License-Identifier: BSD-3-Clause */
/* The pipeline while it runs and when it has ended: launch, what a forced end left; accounts.c
 * tells what was counted. */
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_pause.h>

#include "base/clock.h"
#include "pipeline/drops.h"
#include "pipeline/lcore.h"
#include "pipeline/pipeline.h"
#include "pipeline/waiting.h"
#include "plan/placement.h"

SPILL_DROP_REASON(spill_drop_crypto_abandoned, "crypto_abandoned",
                  "the program ended by force while the packet was with the crypto device");

int spill_pipeline_launch(struct spill_pipeline *pipeline, struct spill_error *error)
{
    uint32_t i;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];
        int status = spill_lcore_launch(lcore, spill_loop_run, lcore->loop);

        if (status != 0)
            return spill_error_set(error, "lcore %u (%s): can't be launched: %s", lcore->plan->id,
                                   lcore->plan->name, rte_strerror(-status));
    }
    return 0;
}

void spill_pipeline_set(struct spill_pipeline *pipeline, const struct spill_pipeline_config *to)
{
    uint32_t i, class;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];

        __atomic_store_n(&lcore->loop->idle, to->idle, __ATOMIC_RELAXED);
        if (lcore->fast == NULL)
            continue;
        __atomic_store_n(&lcore->fast->submitter->budget.size,
                         (uint64_t)((double)to->budget_ns * (double)rte_get_tsc_hz() / 1e9),
                         __ATOMIC_RELAXED);
        for (class = 0; class < SPILL_CLASSES; class ++)
            __atomic_store_n(&lcore->fast->overflows[class], to->classes[class].overflow,
                             __ATOMIC_RELAXED);
    }
    for (i = 0; i < pipeline->pool_count; i++) {
        struct spill_pool *pool = pipeline->pools[i]; /* NULL: no fast lcore is on its node */

        for (class = 0; pool != NULL && class < spill_pool_class_count(pool); class ++) {
            if (!pool->classes[class].defers)
                __atomic_store_n(&pool->classes[class].dispatch, to->classes[class].dispatch,
                                 __ATOMIC_RELAXED);
        }
    }
}

bool spill_pipeline_running(const struct spill_pipeline *pipeline, uint32_t *hanging)
{
    uint32_t i;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        if (!spill_lcore_runs(&pipeline->lcores[i]))
            continue;
        if (hanging != NULL)
            *hanging = i;
        return true;
    }
    return false;
}

bool spill_pipeline_forced(const struct spill_pipeline *pipeline)
{
    bool forced = false;
    uint32_t i;

    /* The loops have ended: this waits for none, and gets what they returned. */
    for (i = 1; i < pipeline->config.plan->lcore_count; i++)
        forced |= spill_lcore_status(&pipeline->lcores[i]) != 0;
    return forced;
}

/* ------------------------------------------------------------------- after a forced end */

/* What the crypto device gets to give back jobs that were under way when the end was forced. */
#define COLLECT_SHARE 10 /* of a second */

static int collect(void *worker)
{
    spill_worker_collect(worker, rte_get_tsc_hz() / COLLECT_SHARE);
    return 0;
}

/* A device's queue is its lcore's, also now. */
static void collect_jobs(struct spill_pipeline *pipeline)
{
    uint32_t i;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];

        if (lcore->worker != NULL && lcore->worker->under_way > 0 &&
            spill_lcore_launch(lcore, collect, lcore->worker) == 0) {
            while (spill_lcore_runs(lcore))
                rte_pause();
        }
    }
}

/* What is under way on the crypto device is left to it, with its mbufs. */
static void drop_job(struct spill_job *job, void *context)
{
    struct spill_pipeline *pipeline = context;
    uint32_t i;

    if (!job->under_way) {
        spill_ledger_drop(&pipeline->ledger, &spill_drop_drain_deadline, job->mbufs, job->count);
        return;
    }
    spill_ledger_abandon(&pipeline->ledger, &spill_drop_crypto_abandoned, job->count);
    for (i = 0; i < job->count; i++)
        pipeline->abandoned_mbufs += job->mbufs[i]->nb_segs;
}

static uint64_t abandon_channel(struct spill_pipeline *pipeline, struct spill_channel *channel)
{
    struct rte_mbuf *mbufs[SPILL_BURST];
    uint64_t packets = 0;
    uint32_t count;

    while ((count = spill_channel_receive(channel, mbufs, SPILL_BURST)) > 0) {
        spill_ledger_drop(&pipeline->ledger, &spill_drop_drain_deadline, mbufs, count);
        packets += count;
    }
    return packets;
}

static uint64_t abandon_backlogs(struct spill_pipeline *pipeline,
                                 const struct spill_transmitter *transmitter)
{
    uint64_t packets = 0;
    uint32_t i;

    for (i = 0; i < spill_transmitter_count(transmitter); i++) {
        struct spill_output *output = transmitter->outputs[i];

        for (; output->waiting > 0; output->waiting--, packets++) {
            spill_ledger_drop(&pipeline->ledger, &spill_drop_drain_deadline,
                              &output->backlog[output->first], 1);
            output->first = (output->first + 1) % SPILL_BACKLOG;
        }
    }
    return packets;
}

static uint64_t abandon_answers(struct spill_pipeline *pipeline, struct spill_answers *answers)
{
    const uint32_t count = answers->count;

    spill_ledger_drop(&pipeline->ledger, &spill_drop_drain_deadline, answers->mbufs, count);
    answers->count = 0;
    return count;
}

static uint64_t told(void (*tell)(const char *, uint64_t), const char *kind, const char *name,
                     uint64_t packets)
{
    char place[80];

    if (packets > 0 && tell != NULL) {
        snprintf(place, sizeof(place), "%s %s", kind, name);
        tell(place, packets);
    }
    return packets;
}

uint64_t spill_pipeline_abandon(struct spill_pipeline *pipeline,
                                void (*tell)(const char *place, uint64_t packets))
{
    const struct spill_plan *plan = pipeline->config.plan;
    uint64_t packets = 0;
    uint32_t i;

    collect_jobs(pipeline);
    for (i = 0; i < pipeline->channel_count; i++)
        packets += told(tell, "channel", plan->channels[i].name,
                        abandon_channel(pipeline, pipeline->channels[i]));
    if (pipeline->config.twins != NULL)
        packets += told(tell, "channels", "of the host",
                        spill_host_abandon(pipeline->config.twins, &pipeline->ledger,
                                           &spill_drop_drain_deadline));
    for (i = 1; i < plan->lcore_count; i++) {
        struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];
        const struct spill_transmitter *transmitter = spill_pipeline_transmitter(lcore);

        if (lcore->fast != NULL)
            packets +=
                told(tell, "fragments that wait on", lcore->plan->name,
                     spill_datagrams_drop_all(lcore->fast->datagrams, &spill_drop_drain_deadline,
                                              &pipeline->ledger));
        if (lcore->fast != NULL)
            packets += told(tell, "answers that wait on", lcore->plan->name,
                            abandon_answers(pipeline, &lcore->fast->answers));
        if (lcore->fast != NULL)
            packets += told(tell, "lanes of", lcore->plan->name,
                            spill_submitter_abandon(lcore->fast->submitter, drop_job, pipeline));
        if (lcore->fast != NULL && lcore->fast->reassembly != NULL)
            packets += told(tell, "fragments of ESP at", lcore->plan->name,
                            spill_reassembly_expire(lcore->fast->reassembly, UINT64_MAX));
        if (lcore->fast != NULL)
            packets += told(tell, "packets for associations on", lcore->plan->name,
                            spill_acquisition_drop_all(&lcore->fast->acquisition, &pipeline->ledger,
                                                       &spill_drop_drain_deadline));
        if (lcore->fast != NULL && lcore->fast->routing.waiting != NULL)
            packets += told(tell, "packets for neighbors on", lcore->plan->name,
                            spill_waiting_drop_all(lcore->fast->routing.waiting, &pipeline->ledger,
                                                   &spill_drop_drain_deadline));
        if (transmitter != NULL)
            packets += told(tell, "transmit backlog of", lcore->plan->name,
                            abandon_backlogs(pipeline, transmitter));
    }
    return packets;
}

/* ------------------------------------------------------------------------- while it runs */

uint64_t spill_pipeline_renewed(const struct spill_pipeline *pipeline)
{
    uint64_t least = UINT64_MAX;
    uint32_t i;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_fast *fast = pipeline->lcores[i].fast;

        if (fast != NULL)
            least = RTE_MIN(least, __atomic_load_n(&fast->version.renewed, __ATOMIC_ACQUIRE));
    }
    return least;
}

uint64_t spill_pipeline_settled(const struct spill_pipeline *pipeline)
{
    uint64_t least = UINT64_MAX;
    uint32_t i;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_fast *fast = pipeline->lcores[i].fast;

        if (fast != NULL)
            least = RTE_MIN(least, __atomic_load_n(&fast->version.settled, __ATOMIC_ACQUIRE));
    }
    return least;
}

static uint64_t beats_of(const struct spill_pipeline *pipeline, uint32_t index)
{
    return atomic_load(&pipeline->lcores[index].loop->heartbeat.beats) & ~SPILL_HEARTBEAT_ASLEEP;
}

bool spill_pipeline_turned(const struct spill_pipeline *pipeline, uint64_t turns[SPILL_LCORES_MAX])
{
    bool turned = true;
    uint32_t i;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        uint64_t beats =
            atomic_load_explicit(&pipeline->lcores[i].loop->heartbeat.beats, memory_order_relaxed) &
            ~SPILL_HEARTBEAT_ASLEEP;

        turned = turned &&
                 (beats != turns[i] || spill_plan_presence(pipeline->lcores[i].plan) == SPILL_AWAY);
        turns[i] = beats;
    }
    return turned;
}

/* The next look is this much later. */
#define LOOK_US 20

/*
 * A turn may have read what was there before the caller wrote, though its beginning is counted
 * after that: the one behind it has not. So two are waited for, and of lcores in their first turn,
 * whose heartbeat still sleeps, too.
 */
bool spill_pipeline_await_turn(const struct spill_pipeline *pipeline, uint64_t nanoseconds)
{
    const uint64_t deadline =
        spill_clock() + (uint64_t)((double)nanoseconds * (double)rte_get_tsc_hz() / 1e9);
    uint64_t before[SPILL_LCORES_MAX];
    uint32_t i;

    /* What the caller has written stands before what it sees of the loops. */
    atomic_thread_fence(memory_order_seq_cst);
    for (i = 1; i < pipeline->config.plan->lcore_count; i++)
        before[i] = beats_of(pipeline, i);
    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        while (spill_lcore_runs(&pipeline->lcores[i]) && beats_of(pipeline, i) - before[i] < 2) {
            if (spill_clock() >= deadline)
                return false;
            rte_delay_us_sleep(LOOK_US);
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------ placement */

static void check(const char *name, const void *memory, size_t bytes, int planned,
                  void (*tell)(const char *, int, int))
{
    struct spill_placement found;

    if (planned >= 0 && memory != NULL &&
        spill_placement_check(memory, bytes, planned, &found) == 1)
        tell(name, planned, found.node);
}

static void check_ring(const char *name, const struct rte_ring *ring, int planned,
                       void (*tell)(const char *, int, int))
{
    check(name, ring, ring->memzone->len, planned, tell);
}

static void check_fast(const struct spill_pipeline_lcore *lcore,
                       void (*tell)(const char *, int, int))
{
    const struct spill_submitter *submitter = lcore->fast->submitter;
    int planned = lcore->plan->memory_node;
    struct spill_flow_memory tables[2];

    spill_flow_table_memory(lcore->fast->flows, tables);
    check(tables[0].name, tables[0].start, tables[0].bytes, planned, tell);
    check(tables[1].name, tables[1].start, tables[1].bytes, planned, tell);
    check("fragments", lcore->fast->datagrams, (size_t)spill_datagrams_bytes(), planned, tell);
    check("jobs", submitter->jobs, submitter->credits * sizeof(*submitter->jobs), planned, tell);
}

void spill_pipeline_check_placement(const struct spill_pipeline *pipeline,
                                    void (*tell)(const char *name, int planned, int found))
{
    const struct spill_plan *plan = pipeline->config.plan;
    uint32_t i, j;

    for (i = 0; i < plan->channel_count; i++)
        check_ring(plan->channels[i].name, pipeline->channels[i]->ring, plan->channels[i].node,
                   tell);
    for (i = 0; i < plan->pool_count; i++) {
        for (j = 0; pipeline->pools[i] != NULL && j < pipeline->pools[i]->class_count; j++)
            if (pipeline->pools[i]->rings[j] != NULL)
                check_ring(pipeline->pools[i]->rings[j]->name, pipeline->pools[i]->rings[j],
                           plan->pools[i].node, tell);
    }
    for (i = 1; i < plan->lcore_count; i++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];

        check(lcore->plan->name, lcore->loop, sizeof(*lcore->loop), lcore->plan->memory_node, tell);
        if (lcore->fast != NULL)
            check_fast(lcore, tell);
    }
}
