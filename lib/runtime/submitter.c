/* SPDX-License-Identifier: BSD-3-Clause */
/* Lanes, credits and inline work: a fast lcore's side of the pool. */
#include <rte_debug.h>
#include <rte_malloc.h>

#include "base/clock.h"
#include "submitter.h"

/* Jobs of a lane for each worker, and as many once more, that keep the pool busy for a turn. */
#define ENOUGH_JOBS 3

/* For how long after a refusal a class counts as waiting, in TSC cycles: about a millisecond. */
#define PATIENCE (UINT64_C(1) << 21)

static void give_back(struct spill_submitter *submitter, struct spill_job *job)
{
    job->count = 0;
    job->work = 0;
    job->bytes = 0;
    job->next = submitter->free;
    submitter->free = job;
    submitter->credits++;
}

static int create_account(struct spill_submitter *submitter, uint32_t index)
{
    struct spill_account *account = &submitter->accounts[index];
    const int socket = submitter->socket;

    account->class = &submitter->pool->classes[index];
    if (account->class->work == NULL)
        return 0;
    account->share = account->class->capacity;
    if (account->closed == NULL) /* it may be tried again */
        account->closed =
            rte_zmalloc_socket(NULL, submitter->job_count * sizeof(*account->closed), 0, socket);
    if (account->inline_job == NULL)
        account->inline_job =
            rte_zmalloc_socket(NULL, sizeof(*account->inline_job), RTE_CACHE_LINE_SIZE, socket);
    if (account->closed == NULL || account->inline_job == NULL)
        return -1;
    account->inline_job->class_index = (uint8_t)index;
    account->inline_job->lane = SPILL_LANE_INLINE;
    return 0;
}

static int create_credits(struct spill_submitter *submitter)
{
    const struct spill_pool *pool = submitter->pool;
    uint32_t i;

    for (i = 0; i < pool->class_count; i++)
        submitter->job_count += pool->classes[i].capacity;
    for (i = 0; i < pool->class_count; i++) {
        if (create_account(submitter, i) != 0)
            return -1;
    }
    submitter->jobs = rte_zmalloc_socket(NULL, submitter->job_count * sizeof(*submitter->jobs),
                                         RTE_CACHE_LINE_SIZE, submitter->socket);
    if (submitter->jobs == NULL)
        return -1;
    for (i = 0; i < submitter->job_count; i++)
        give_back(submitter, &submitter->jobs[i]);
    return 0;
}

struct spill_submitter *spill_submitter_create(struct spill_pool *pool, uint32_t index,
                                               uint32_t lanes, int socket, uint64_t budget,
                                               struct spill_error *error)
{
    struct spill_submitter *submitter;

    if (lanes == 0 || lanes > SPILL_LANES_MAX || index >= pool->submitter_count) {
        spill_error_set(error, "submitter %u: %u lanes; 1 to %d, and %u submitters", index, lanes,
                        SPILL_LANES_MAX, pool->submitter_count);
        return NULL;
    }
    submitter = rte_zmalloc_socket(
        NULL, sizeof(*submitter) + pool->class_most * sizeof(submitter->accounts[0]),
        RTE_CACHE_LINE_SIZE, socket);
    if (submitter != NULL) {
        submitter->pool = pool;
        submitter->socket = socket;
        submitter->lane_count = lanes;
        submitter->class_count = pool->class_count;
        submitter->budget.size = budget;
        if (create_credits(submitter) == 0) {
            pool->submitters[index] = submitter;
            return submitter;
        }
    }
    spill_submitter_free(submitter);
    spill_error_set(error, "submitter %u: no memory on node %d", index, socket);
    return NULL;
}

int spill_submitter_add_class(struct spill_submitter *submitter, uint32_t index,
                              struct spill_error *error)
{
    const uint32_t share = RTE_MAX(submitter->job_count / (index + 1), 1U);
    uint32_t i;

    if (submitter->class_count > index)
        return 0;
    if (create_account(submitter, index) != 0)
        return spill_error_set(error, "class %s: no memory on node %d",
                               submitter->pool->classes[index].name, submitter->socket);
    for (i = 0; i <= index; i++)
        __atomic_store_n(&submitter->accounts[i].share, share, __ATOMIC_RELAXED);
    __atomic_store_n(&submitter->class_count, index + 1, __ATOMIC_RELEASE);
    return 0;
}

void spill_submitter_free(struct spill_submitter *submitter)
{
    uint32_t i;

    if (submitter == NULL)
        return;
    for (i = 0; i < submitter->pool->class_most; i++) {
        rte_free(submitter->accounts[i].closed);
        rte_free(submitter->accounts[i].inline_job);
    }
    rte_free(submitter->jobs);
    rte_free(submitter);
}

void spill_submitter_on_retire(struct spill_submitter *submitter, uint32_t class_index,
                               spill_retire retire, void *owner)
{
    submitter->accounts[class_index].retire = retire;
    submitter->accounts[class_index].owner = owner;
}

/* Whether a class besides the given one was refused a credit lately. */
static bool another_waits(const struct spill_submitter *submitter, uint32_t class_index)
{
    uint32_t i;

    for (i = 0; i < submitter->class_count; i++) {
        if (i != class_index && submitter->accounts[i].waiting_until > submitter->now)
            return true;
    }
    return false;
}

/* Closes a lane's open job: the next flush hands it over. */
static void close_job(struct spill_account *account, struct spill_lane *lane)
{
    account->closed[account->closed_count++] = lane->open;
    lane->open = NULL;
}

bool spill_lane_open(struct spill_submitter *submitter, uint32_t class_index, uint32_t lane_index,
                     struct spill_subject *subject)
{
    struct spill_account *account = &submitter->accounts[class_index];
    struct spill_lane *lane = &account->lanes[lane_index];
    const uint32_t share = __atomic_load_n(&account->share, __ATOMIC_RELAXED);
    struct spill_job *job = submitter->free;

    if (job == NULL || (account->held >= share && another_waits(submitter, class_index))) {
        account->waiting_until = submitter->now + PATIENCE;
        account->refused++;
        return false;
    }
    submitter->free = job->next;
    submitter->credits--;
    submitter->held++;
    account->held++;
    /* Below its share it goes on waiting, or the others would take what comes home next. */
    if (account->held >= share)
        account->waiting_until = 0;
    account->high_water = RTE_MAX(account->high_water, account->held);
    if (lane->open != NULL)
        close_job(account, lane);
    job->class_index = (uint8_t)class_index;
    job->lane = (uint8_t)lane_index;
    job->subject = subject;
    if (subject != NULL)
        __atomic_store_n(&subject->jobs, subject->jobs + 1, __ATOMIC_RELAXED);
    job->next = NULL;
    atomic_store_explicit(&job->done, false, memory_order_relaxed);
    if (lane->head == NULL)
        lane->head = job;
    else
        lane->tail->next = job;
    lane->tail = job;
    lane->open = job;
    lane->jobs++;
    account->busy |= UINT64_C(1) << lane_index;
    return true;
}

/*
 * Closes the jobs that still take packets, but for those that have enough before them in their lane
 * to keep all workers busy. An open job is its lane's tail: busy lanes have them.
 */
static void close_open_jobs(struct spill_account *account, uint32_t enough)
{
    uint64_t lanes;

    for (lanes = account->busy; lanes != 0; lanes &= lanes - 1) {
        struct spill_lane *lane = &account->lanes[__builtin_ctzll(lanes)];

        if (lane->open != NULL && lane->jobs <= enough)
            close_job(account, lane);
    }
}

static void flush_class(struct spill_submitter *submitter, uint32_t index)
{
    struct spill_account *account = &submitter->accounts[index];
    uint32_t count = 0, sent, i;
    uint64_t now;

    close_open_jobs(account, ENOUGH_JOBS * (spill_pool_workers(submitter->pool) + 1));
    if (account->closed_count == 0)
        return;
    now = spill_clock();
    for (i = 0; i < account->closed_count; i++) {
        struct spill_job *job = account->closed[i];

        if (account->class->begin != NULL)
            account->class->begin(job, account->class->context);
        if (job->work == 0) {
            atomic_store_explicit(&job->done, true, memory_order_relaxed);
            continue;
        }
        job->submitted = now;
        account->pool_packets += job->work;
        account->closed[count++] = job;
    }
    account->closed_count = 0;
    account->jobs += count;
    sent =
        rte_ring_enqueue_bulk(submitter->pool->rings[index], (void **)account->closed, count, NULL);
    RTE_VERIFY(sent == count); /* each job is a credit: there is a slot for it */
}

void spill_submitter_flush(struct spill_submitter *submitter)
{
    uint32_t i;

    for (i = 0; i < submitter->class_count; i++) {
        if (submitter->accounts[i].busy != 0)
            flush_class(submitter, i);
    }
}

static void account_for(struct spill_account *account, const struct spill_job *job)
{
    uint64_t cycles = job->finished - job->started;

    account->service_cycles += cycles;
    account->job_cycles += (cycles >> 4) - (account->job_cycles >> 4);
    spill_histogram_record(&account->service, cycles, 1);
    spill_cost_learn(job->subject != NULL ? &job->subject->cost : &account->cost, job->count,
                     job->bytes, cycles);
}

static void account_for_pool(struct spill_account *account, const struct spill_job *job)
{
    /* Two lcores' TSCs may differ by a few cycles. */
    uint64_t wait = job->started > job->submitted ? job->started - job->submitted : 0;

    spill_histogram_record(&account->wait, wait, 1);
    account_for(account, job);
}

/* A job is not its subject's any more: what it did for it is seen by who sees the count. */
static void leave_subject(const struct spill_job *job)
{
    if (job->subject != NULL)
        __atomic_store_n(&job->subject->jobs, job->subject->jobs - 1, __ATOMIC_RELEASE);
}

/* Retires what is done at the head of one lane. */
static uint32_t retire_lane(struct spill_submitter *submitter, struct spill_account *account,
                            uint32_t lane_index)
{
    struct spill_lane *lane = &account->lanes[lane_index];
    struct spill_job *job;
    uint32_t packets = 0;

    while ((job = lane->head) != NULL && atomic_load_explicit(&job->done, memory_order_acquire)) {
        lane->head = job->next;
        lane->jobs--;
        packets += job->count;
        if (job->work > 0)
            account_for_pool(account, job);
        account->retire(job, account->owner);
        account->held--;
        submitter->held--;
        leave_subject(job);
        give_back(submitter, job);
    }
    if (lane->head == NULL)
        account->busy &= ~(UINT64_C(1) << lane_index);
    return packets;
}

uint32_t spill_submitter_retire(struct spill_submitter *submitter, uint64_t now)
{
    uint32_t packets = 0, i;
    uint64_t lanes;

    submitter->now = now;
    for (i = 0; i < submitter->class_count; i++) {
        struct spill_account *account = &submitter->accounts[i];

        for (lanes = account->busy; lanes != 0; lanes &= lanes - 1)
            packets += retire_lane(submitter, account, (uint32_t)__builtin_ctzll(lanes));
    }
    return packets;
}

void spill_inline_run(struct spill_submitter *submitter, uint32_t class_index)
{
    struct spill_account *account = &submitter->accounts[class_index];
    struct spill_job *job = account->inline_job;

    if (job->count == 0)
        return;
    job->work = job->count;
    if (account->class->begin != NULL)
        account->class->begin(job, account->class->context);
    /* Classes whose work is left under way go to the pool alone. */
    RTE_VERIFY(spill_job_run(job, account->class));
    spill_budget_spend(&submitter->budget, job->finished - job->started);
    account->inline_packets += job->count;
    account_for(account, job);
    account->retire(job, account->owner);
    job->count = 0;
    job->work = 0;
    job->bytes = 0;
}

/* Whether a class's jobs may be done here, and one probably fits into the budget. */
static bool may_help(const struct spill_submitter *submitter, const struct spill_account *account)
{
    return spill_class_dispatch(account->class) == SPILL_DISPATCH_AUTO && !account->class->defers &&
           account->job_cycles != 0 && account->job_cycles <= submitter->budget.available;
}

uint32_t spill_submitter_help(struct spill_submitter *submitter)
{
    struct spill_job *job;
    uint32_t i, count;

    if (spill_pool_workers(submitter->pool) == 0)
        return 0;
    for (i = 0; i < submitter->class_count; i++) {
        struct spill_account *account = &submitter->accounts[i];

        if (!may_help(submitter, account) ||
            rte_ring_dequeue(submitter->pool->rings[i], (void **)&job) != 0)
            continue;
        count = job->count;
        spill_job_run(job, account->class);
        spill_budget_spend(&submitter->budget, job->finished - job->started);
        account->helped_packets += job->work;
        atomic_store_explicit(&job->done, true, memory_order_release);
        return count;
    }
    return 0;
}

uint32_t spill_submitter_abandon(struct spill_submitter *submitter, spill_retire take,
                                 void *context)
{
    uint32_t packets = 0, i;
    struct spill_job *job;
    uint64_t lanes;

    for (i = 0; i < submitter->class_count; i++) {
        struct spill_account *account = &submitter->accounts[i];

        for (lanes = account->busy; lanes != 0; lanes &= lanes - 1) {
            struct spill_lane *lane = &account->lanes[__builtin_ctzll(lanes)];

            for (job = lane->head; job != NULL; job = lane->head) {
                lane->head = job->next;
                packets += job->count;
                take(job, context);
                /* A device still works with it, and with what belongs to its subject. */
                if (job->under_way)
                    continue;
                leave_subject(job);
                give_back(submitter, job);
            }
            lane->open = NULL;
            lane->jobs = 0;
        }
        account->busy = 0;
        submitter->held -= account->held;
        account->held = 0;
        account->closed_count = 0;
    }
    return packets;
}

/* --------------------------------------------------------------------------- what is told */

static struct spill_metric_value cycles_per_packet(const void *account)
{
    const struct spill_account *of = account;
    uint64_t packets = of->inline_packets + of->pool_packets;

    return spill_value_real(packets != 0 ? (double)of->service_cycles / (double)packets : 0);
}

static const struct spill_metric rows[] = {
    SPILL_METRIC(GAUGE, "capacity", struct spill_account, share, "jobs", "credits"),
    SPILL_METRIC(COUNTER, "inline_packets", struct spill_account, inline_packets, "packets",
                 "worked on by fast lcores at once"),
    SPILL_METRIC(COUNTER, "pool_packets", struct spill_account, pool_packets, "packets",
                 "worked on out of lanes, by workers or by a fast lcore with spare time"),
    SPILL_METRIC(COUNTER, "helped_packets", struct spill_account, helped_packets, "packets",
                 "of those: that a fast lcore worked on in a worker's place"),
    SPILL_METRIC(COUNTER, "jobs", struct spill_account, jobs, "jobs", "handed to workers"),
    SPILL_METRIC(COUNTER, "refused", struct spill_account, refused, "packets",
                 "that found no credit"),
    SPILL_METRIC(GAUGE, "high_water", struct spill_account, high_water, "jobs",
                 "most credits in use"),
    SPILL_METRIC(HISTOGRAM, "wait_us", struct spill_account, wait, "us",
                 "from a job's submission to a worker's start"),
    SPILL_METRIC(HISTOGRAM, "service_us", struct spill_account, service, "us", "work of a job"),
    SPILL_METRIC_ADDED(struct spill_account, service_cycles),
    SPILL_METRIC_COMPUTED(GAUGE, "cycles_per_packet", cycles_per_packet, "cycles", "of that work"),
};
const struct spill_metrics spill_account_metrics = SPILL_METRICS(rows);
