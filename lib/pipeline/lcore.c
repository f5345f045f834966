/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline/lcore.h"

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "pipeline/connect.h"

/* Crypto drivers take memory for each thread at its first call: no packet is to wait for that. One
 * session of each device does. */
static void warm_up(void *rules)
{
    const struct spill_generation *generation = spill_snapshot_get(rules);
    bool warm[RTE_CRYPTO_MAX_DEVS] = {false};
    uint32_t i;

    for (i = 0; generation->sas != NULL && i < generation->sas->count; i++) {
        const struct spill_crypto_session *session =
            &generation->sas->list[i]->lcores[rte_lcore_id()]->crypto;

        if (!warm[session->device])
            spill_crypto_warm_up(session);
        warm[session->device] = true;
    }
}

void spill_pipeline_warm_up(struct spill_pipeline *pipeline)
{
    for (uint32_t i = 1; i < pipeline->config.plan->lcore_count; i++)
        spill_loop_start_again(pipeline->lcores[i].loop);
}

int spill_lcore_create(struct spill_pipeline *pipeline, struct spill_pipeline_lcore *lcore,
                       struct spill_error *error)
{
    lcore->loop = spill_connect_allocate(sizeof(*lcore->loop), lcore->plan->memory_node);
    if (lcore->loop == NULL)
        return spill_connect_no_memory(error, lcore->plan->name, lcore->plan->memory_node);
    spill_loop_init(lcore->loop, pipeline->config.stop, pipeline->config.force);
    if (spill_stalls_open(&lcore->loop->stalls, lcore->plan->name,
                          lcore->plan->memory_node < 0 ? SOCKET_ID_ANY : lcore->plan->memory_node,
                          error) != 0)
        return -1;
    lcore->loop->idle = pipeline->config.idle;
    lcore->loop->yield = lcore->plan->shared;
    if (lcore->plan->role != SPILL_ROLE_FAST && lcore->plan->role != SPILL_ROLE_POOL)
        return 0;
    if (spill_snapshot_reader_register(pipeline->config.rules, &lcore->reader) != 0)
        return spill_error_set(error, "lcore %s: too many readers of the rules", lcore->plan->name);
    lcore->reads = true;
    lcore->loop->reader = &lcore->reader;
    lcore->loop->start = warm_up;
    lcore->loop->start_context = pipeline->config.rules;
    return 0;
}

void spill_lcore_free(struct spill_pipeline_lcore *lcore)
{
    spill_thread_free(lcore->thread);
    if (lcore->loop != NULL && lcore->loop->stop == &lcore->leave)
        spill_token_destroy(&lcore->leave);
    if (lcore->reads)
        spill_snapshot_reader_unregister(&lcore->reader);
    if (lcore->loop != NULL)
        spill_stalls_close(&lcore->loop->stalls);
    rte_free(lcore->loop);
}

int spill_lcore_launch(const struct spill_pipeline_lcore *lcore, int (*function)(void *),
                       void *argument)
{
    if (lcore->thread == NULL)
        return rte_eal_remote_launch(function, argument, lcore->plan->id);
    spill_thread_launch(lcore->thread, function, argument);
    return 0;
}

bool spill_lcore_runs(const struct spill_pipeline_lcore *lcore)
{
    return lcore->thread != NULL ? spill_thread_runs(lcore->thread)
                                 : rte_eal_get_lcore_state(lcore->plan->id) == RUNNING;
}

int spill_lcore_status(const struct spill_pipeline_lcore *lcore)
{
    return lcore->thread != NULL ? spill_thread_status(lcore->thread)
                                 : rte_eal_wait_lcore(lcore->plan->id);
}
