/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/crew.h"

#include <string.h>

#include "pipeline/lcore.h"

static uint32_t poll_worker(void *worker, uint64_t now)
{
    (void)now;
    return spill_worker_poll(worker);
}

static bool end_worker(void *worker)
{
    return spill_worker_ended(worker);
}

static void set_worker(struct spill_pipeline *pipeline, struct spill_pipeline_lcore *lcore,
                       struct spill_worker *worker)
{
    const struct spill_stage stage = {
        .name = "work", .poll = poll_worker, .end = end_worker, .context = worker};

    spill_token_init(&lcore->leave, pipeline->config.stop);
    lcore->loop->stop = &lcore->leave;
    lcore->worker = worker;
    if (worker != NULL)
        spill_loop_add(lcore->loop, &stage);
}

static struct spill_pool *pool_of(const struct spill_pipeline *pipeline,
                                  const struct spill_plan_lcore *planned)
{
    return planned->pool < 0 ? NULL : pipeline->pools[planned->pool];
}

void spill_crew_take(struct spill_pipeline *pipeline, uint32_t index,
                     uint32_t taken[SPILL_NODES_MAX])
{
    struct spill_pipeline_lcore *lcore = &pipeline->lcores[index];
    struct spill_pool *pool = pool_of(pipeline, lcore->plan);

    set_worker(pipeline, lcore, pool != NULL ? &pool->workers[taken[lcore->plan->pool]++] : NULL);
}

int spill_crew_add(struct spill_pipeline *pipeline, const struct spill_plan_lcore *planned,
                   struct spill_thread *thread, struct spill_error *error)
{
    struct spill_pipeline_lcore *lcore = &pipeline->lcores[pipeline->config.plan->lcore_count];
    struct spill_pool *pool = pool_of(pipeline, planned);
    struct spill_worker *worker = pool != NULL ? spill_pool_add_worker(pool) : NULL;
    int status;

    lcore->plan = planned;
    lcore->thread = thread;
    status = spill_lcore_create(pipeline, lcore, error);
    if (status == 0 && pool != NULL && worker == NULL)
        status = spill_error_set(error, "no memory for a worker on node %d", planned->memory_node);
    if (status == 0) {
        set_worker(pipeline, lcore, worker);
        return 0;
    }
    spill_lcore_free(lcore);
    memset(lcore, 0, sizeof(*lcore));
    return -1;
}

int spill_crew_come(struct spill_pipeline *pipeline, uint32_t index)
{
    struct spill_pipeline_lcore *lcore = &pipeline->lcores[index];

    spill_token_destroy(&lcore->leave); /* cancelled, where it has been there */
    spill_token_init(&lcore->leave, pipeline->config.stop);
    lcore->loop->idle = pipeline->lcores[1].loop->idle; /* which may have been set since */
    if (lcore->worker != NULL)
        spill_worker_come(lcore->worker);
    return spill_lcore_launch(lcore, spill_loop_run, lcore->loop);
}

void spill_crew_leave(struct spill_pipeline *pipeline, uint32_t index)
{
    struct spill_pipeline_lcore *lcore = &pipeline->lcores[index];

    if (lcore->worker != NULL)
        spill_worker_leave(lcore->worker);
    spill_token_cancel(&lcore->leave, "it leaves");
}

bool spill_crew_has_left(const struct spill_pipeline *pipeline, uint32_t index)
{
    return !spill_lcore_runs(&pipeline->lcores[index]);
}
