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

/* A class may borrow the credits of all others, so each ring has room for every credit. */
static int create_ring(struct spill_pool *pool, uint32_t index, const char *class,
                       struct spill_error *error)
{
    char name[2 * RTE_RING_NAMESIZE];

    snprintf(name, sizeof(name), "%s.%s", pool->name, class);
    pool->rings[index] = rte_ring_create(name, ring_slots(pool->jobs, pool->mode), pool->socket,
                                         spill_ring_flags(pool->mode, false));
    if (pool->rings[index] != NULL)
        return 0;
    return spill_error_set(error, "pool '%s': no ring of %u jobs on node %d: %s", name, pool->jobs,
                           pool->socket, rte_strerror(rte_errno));
}

static int create_rings(struct spill_pool *pool, struct spill_error *error)
{
    uint32_t i;

    for (i = 0; i < pool->class_count; i++) {
        if (pool->classes[i].work != NULL &&
            create_ring(pool, i, pool->classes[i].name, error) != 0)
            return -1;
    }
    return 0;
}

struct spill_pool *spill_pool_create(const struct spill_pool_config *config,
                                     struct spill_error *error)
{
    const uint32_t most = RTE_MAX(config->class_most, config->class_count);
    struct spill_pool *pool;
    uint32_t i;

    if (config->class_count == 0 || most > SPILL_POOL_CLASSES_MAX || config->submitters == 0) {
        spill_error_set(error, "pool '%s': %u classes and %u submitters; 1 to %d, and at least 1",
                        config->name, most, config->submitters, SPILL_POOL_CLASSES_MAX);
        return NULL;
    }
    pool = rte_zmalloc_socket(NULL, sizeof(*pool), RTE_CACHE_LINE_SIZE, config->socket);
    if (pool == NULL)
        goto no_memory;
    snprintf(pool->name, sizeof(pool->name), "%s", config->name);
    pool->socket = config->socket;
    pool->mode = config->mode;
    pool->class_count = config->class_count;
    pool->class_most = most;
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
        pool->jobs += config->classes[i].capacity * config->submitters;
    }
    if (create_rings(pool, error) == 0)
        return pool;
    spill_pool_free(pool);
    return NULL;

no_memory:
    spill_error_set(error, "pool '%s': no memory on node %d", config->name, config->socket);
    spill_pool_free(pool);
    return NULL;
}

int spill_pool_add_class(struct spill_pool *pool, const struct spill_class *class,
                         const struct spill_pool_device *device, struct spill_error *error)
{
    const uint32_t index = pool->class_count;
    uint32_t i;

    if (index == pool->class_most)
        return spill_error_set(error, "pool '%s': class %s: it has %u, and may have no more",
                               pool->name, class->name, index);
    if (pool->rings[index] == NULL && create_ring(pool, index, class->name, error) != 0)
        return -1;
    pool->classes[index] = *class;
    pool->device = *device;
    for (i = 0; i < pool->submitter_count; i++) {
        if (spill_submitter_add_class(pool->submitters[i], index, error) != 0)
            return -1;
    }
    __atomic_store_n(&pool->class_count, index + 1, __ATOMIC_RELEASE);
    return 0;
}

void spill_pool_free(struct spill_pool *pool)
{
    struct spill_worker *worker;
    uint32_t i;

    if (pool == NULL)
        return;
    while ((worker = pool->later) != NULL) {
        pool->later = worker->next;
        rte_free(worker);
    }
    for (i = 0; i < pool->class_most; i++)
        rte_ring_free(pool->rings[i]);
    rte_free(pool->workers);
    rte_free(pool->submitters);
    rte_free(pool);
}

/* -------------------------------------------------------------- workers that come and leave */

struct spill_worker *spill_pool_add_worker(struct spill_pool *pool)
{
    struct spill_worker *worker =
        rte_zmalloc_socket(NULL, sizeof(*worker), RTE_CACHE_LINE_SIZE, pool->socket);

    if (worker == NULL)
        return NULL;
    *worker = (struct spill_worker){.pool = pool, .leaves = true, .next = pool->later};
    pool->later = worker;
    return worker;
}

void spill_worker_come(struct spill_worker *worker)
{
    __atomic_store_n(&worker->leaves, false, __ATOMIC_RELAXED);
    __atomic_fetch_add(&worker->pool->worker_count, 1, __ATOMIC_RELAXED);
}

void spill_worker_leave(struct spill_worker *worker)
{
    __atomic_store_n(&worker->leaves, true, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&worker->pool->worker_count, 1, __ATOMIC_RELAXED);
}

/* -------------------------------------------------------------------------- a worker's turn */

/*
 * The class, of those that `tried` has no bit of, that has a job and has had the least of this
 * worker's time; `count`, of classes, if none has. A class that had nothing to do for a while
 * continues at the present virtual time, so it neither saves up turns nor loses any.
 */
static uint32_t pick(struct spill_worker *worker, uint32_t count, uint32_t tried)
{
    const struct spill_pool *pool = worker->pool;
    uint32_t best = count, i;

    for (i = 0; i < count; i++) {
        if ((tried >> i & 1) != 0 || pool->rings[i] == NULL || rte_ring_empty(pool->rings[i]))
            continue;
        if (pool->classes[i].defers && worker->under_way >= pool->device.depth)
            continue;
        worker->virtual_time[i] = RTE_MAX(worker->virtual_time[i], worker->virtual_now);
        if (best == count || worker->virtual_time[i] < worker->virtual_time[best])
            best = i;
    }
    return best;
}

/* Takes a job of the class whose turn it is. NULL: no class has one. */
static struct spill_job *take(struct spill_worker *worker, uint32_t *turn)
{
    const struct spill_pool *pool = worker->pool;
    const uint32_t count = spill_pool_class_count(pool);
    struct spill_job *job;
    uint32_t tried = 0;

    while ((*turn = pick(worker, count, tried)) != count) {
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
    job = spill_worker_leaves(worker) ? NULL : take(worker, &turn);
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

    if (spill_worker_leaves(worker))
        return worker->under_way == 0;
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
