/* SPDX-License-Identifier: BSD-3-Clause */
/* The pool's rings and its workers' turns. */
#include <inttypes.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "base/clock.h"
#include "pool.h"
#include "submitter.h"

/* Jobs that are collected at a time. */
#define COLLECT_MOST 16

/*
 * Slots of a ring for so many jobs. Each job is a credit and has a slot. In the mode that survives
 * preemption, a worker that is preempted while it takes a job keeps the slots of those that others
 * take meanwhile, whose credits may be home already: up to an eighth of the ring (rte_ring_rts.h).
 */
static uint32_t ring_slots(uint32_t jobs, enum spill_ring_mode mode)
{
    return mode == SPILL_RING_PREEMPTIBLE ? jobs + jobs / 4 + 1 : jobs;
}

static int create_rings(struct spill_pool *pool, const struct spill_pool_config *config,
                        uint32_t jobs, struct spill_error *error)
{
    char name[RTE_RING_NAMESIZE];
    uint32_t i;

    for (i = 0; i < pool->class_count; i++) {
        if (config->classes[i].work == NULL)
            continue;
        snprintf(name, sizeof(name), "%s.%s", config->name, config->classes[i].name);
        pool->rings[i] = rte_ring_create(name, ring_slots(jobs, config->mode), config->socket,
                                         spill_ring_flags(config->mode, false));
        if (pool->rings[i] == NULL)
            return spill_error_set(error, "pool '%s': no ring of %u jobs on node %d: %s", name,
                                   jobs, config->socket, rte_strerror(rte_errno));
    }
    return 0;
}

struct spill_pool *spill_pool_create(const struct spill_pool_config *config,
                                     struct spill_error *error)
{
    struct spill_pool *pool;
    uint32_t jobs = 0, i;

    if (config->class_count == 0 || config->class_count > SPILL_POOL_CLASSES_MAX ||
        config->submitters == 0) {
        spill_error_set(error, "pool '%s': %u classes and %u submitters; 1 to %d, and at least 1",
                        config->name, config->class_count, config->submitters,
                        SPILL_POOL_CLASSES_MAX);
        return NULL;
    }
    pool = rte_zmalloc_socket(NULL, sizeof(*pool), RTE_CACHE_LINE_SIZE, config->socket);
    if (pool == NULL)
        goto no_memory;
    pool->socket = config->socket;
    pool->class_count = config->class_count;
    pool->worker_count = config->workers;
    pool->submitter_count = config->submitters;
    pool->device = config->device;
    pool->submitters =
        rte_zmalloc_socket(NULL, config->submitters * sizeof(*pool->submitters), 0, config->socket);
    pool->workers = rte_zmalloc_socket(NULL, (config->workers + 1) * sizeof(*pool->workers),
                                       RTE_CACHE_LINE_SIZE, config->socket);
    if (pool->submitters == NULL || pool->workers == NULL)
        goto no_memory;
    for (i = 0; i < config->workers; i++)
        pool->workers[i].pool = pool;
    for (i = 0; i < config->class_count; i++) {
        if (config->classes[i].work == NULL)
            continue;
        if (config->classes[i].capacity == 0) {
            spill_error_set(error, "pool '%s': class %s has capacity 0; from 1", config->name,
                            config->classes[i].name);
            spill_pool_free(pool);
            return NULL;
        }
        pool->classes[i] = config->classes[i];
        jobs += config->classes[i].capacity * config->submitters;
    }
    /* A class may borrow the credits of all others, so each ring has room for every credit. */
    if (create_rings(pool, config, jobs, error) == 0)
        return pool;
    spill_pool_free(pool);
    return NULL;

no_memory:
    spill_error_set(error, "pool '%s': no memory on node %d", config->name, config->socket);
    spill_pool_free(pool);
    return NULL;
}

void spill_pool_free(struct spill_pool *pool)
{
    uint32_t i;

    if (pool == NULL)
        return;
    for (i = 0; i < pool->class_count; i++)
        rte_ring_free(pool->rings[i]);
    rte_free(pool->workers);
    rte_free(pool->submitters);
    rte_free(pool);
}

/*
 * The class, of those that `tried` has no bit of, that has a job and has had the least of this
 * worker's time; class_count if none has. A class that had nothing to do for a while continues at
 * the present virtual time, so it neither saves up turns nor loses any.
 */
static uint32_t pick(struct spill_worker *worker, uint32_t tried)
{
    const struct spill_pool *pool = worker->pool;
    uint32_t best = pool->class_count, i;

    for (i = 0; i < pool->class_count; i++) {
        if ((tried >> i & 1) != 0 || pool->rings[i] == NULL || rte_ring_empty(pool->rings[i]))
            continue;
        if (pool->classes[i].defers && worker->under_way >= pool->device.depth)
            continue;
        worker->virtual_time[i] = RTE_MAX(worker->virtual_time[i], worker->virtual_now);
        if (best == pool->class_count || worker->virtual_time[i] < worker->virtual_time[best])
            best = i;
    }
    return best;
}

/* Takes a job of the class whose turn it is. NULL: no class has one. */
static struct spill_job *take(struct spill_worker *worker, uint32_t *turn)
{
    const struct spill_pool *pool = worker->pool;
    struct spill_job *job;
    uint32_t tried = 0;

    while ((*turn = pick(worker, tried)) != pool->class_count) {
        if (rte_ring_dequeue(pool->rings[*turn], (void **)&job) == 0)
            return job;
        /* Another worker was quicker, and may be preempted before the ring shows it. */
        tried |= 1u << *turn;
    }
    return NULL;
}

bool spill_job_run(struct spill_job *job, const struct spill_class *class)
{
    bool done;

    job->started = spill_clock();
    done = class->work(job, class->context);
    job->finished = spill_clock();
    return done;
}

/* From here on the job is the submitter's again. */
static void hand_back(struct spill_job *job)
{
    atomic_store_explicit(&job->done, true, memory_order_release);
}

/* Collects jobs that were under way. Returns their packets. */
static uint32_t collect(struct spill_worker *worker)
{
    const struct spill_pool_device *device = &worker->pool->device;
    struct spill_job *done[COLLECT_MOST];
    uint32_t count = device->collect(done, COLLECT_MOST, device->context), packets = 0, i;
    uint64_t now = spill_clock();

    for (i = 0; i < count; i++) {
        packets += done[i]->count;
        worker->jobs[done[i]->class_index]++;
        done[i]->finished = now;
        done[i]->under_way = false;
        hand_back(done[i]);
    }
    worker->under_way -= count;
    return packets;
}

void spill_worker_collect(struct spill_worker *worker, uint64_t cycles)
{
    uint64_t deadline = spill_clock() + cycles;

    while (worker->under_way > 0 && spill_clock() < deadline)
        collect(worker);
}

uint32_t spill_worker_poll(struct spill_worker *worker)
{
    const struct spill_pool *pool = worker->pool;
    uint32_t turn, count = 0;
    struct spill_job *job;
    uint64_t cycles;

    if (worker->under_way > 0)
        count = collect(worker);
    job = take(worker, &turn);
    if (job == NULL)
        return count;
    worker->virtual_now = worker->virtual_time[turn];
    count += job->count;
    if (spill_job_run(job, &pool->classes[turn])) {
        cycles = job->finished - job->started;
        worker->jobs[turn]++;
        hand_back(job);
    } else {
        cycles = job->finished - job->started;
        job->under_way = true;
        worker->under_way++;
    }
    worker->virtual_time[turn] += cycles;
    worker->cycles[turn] += cycles;
    return count;
}

bool spill_worker_ended(const struct spill_worker *worker)
{
    const struct spill_pool *pool = worker->pool;
    uint32_t i;

    for (i = 0; i < pool->submitter_count; i++) {
        if (!spill_submitter_left(pool->submitters[i]))
            return false;
    }
    for (i = 0; i < pool->class_count; i++) {
        if (pool->rings[i] != NULL && !rte_ring_empty(pool->rings[i]))
            return false;
    }
    return worker->under_way == 0;
}
