/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers that come while lcores run: a place behind the others, if nobody's changes by it. */
#include <string.h>

#include "plan_steps.h"

/* The pool of those workers that are on a node; -1: none has been there. */
static int pool_of_node(const struct spill_plan *plan, int node)
{
    unsigned i;

    for (i = plan->first[SPILL_ROLE_POOL]; i < plan->lcore_count; i++)
        if (plan->lcores[i].node == node)
            return plan->lcores[i].pool;
    return -1;
}

/* Whoever shares a CPU yields it while it is idle, and has rings that survive preemption. */
static int check_sharing(const struct spill_plan *plan, struct spill_plan_lcore *lcore,
                         struct spill_error *error)
{
    unsigned i;

    for (i = 1; i < plan->lcore_count; i++) {
        if (plan->lcores[i].cpu != lcore->cpu)
            continue;
        if (!plan->lcores[i].shared)
            return spill_error_set(error, "%s has that CPU for itself", plan->lcores[i].name);
        lcore->shared = true;
    }
    lcore->preemptible = lcore->shared;
    for (i = 0; i < plan->control.count; i++)
        lcore->preemptible |= lcore->cpu == plan->control.cpus[i];
    if (lcore->preemptible && !plan->pools[lcore->pool].preemptible)
        return spill_error_set(error, "it would share that CPU, and the pool's rings are of "
                                      "workers that don't");
    return 0;
}

struct spill_plan_lcore *spill_plan_add_worker(struct spill_plan *plan,
                                               const struct spill_topology *topology, int cpu,
                                               struct spill_error *error)
{
    struct spill_plan_lcore *lcore = &plan->lcores[plan->lcore_count];

    if (plan->lcore_count == SPILL_LCORES_MAX) {
        spill_error_set(error, "%d lcores have been there", SPILL_LCORES_MAX);
        return NULL;
    }
    spill_plan_describe_lcore(topology, plan, SPILL_ROLE_POOL, cpu, 0, lcore);
    lcore->presence = SPILL_AWAY;
    lcore->pool = pool_of_node(plan, lcore->node);
    if (lcore->pool < 0) {
        spill_error_set(error, "the plan has no worker on its node, %d", lcore->node);
        return NULL;
    }
    return check_sharing(plan, lcore, error) == 0 ? lcore : NULL;
}

void spill_plan_count_worker(struct spill_plan *plan)
{
    plan->count[SPILL_ROLE_POOL]++;
    __atomic_store_n(&plan->lcore_count, plan->lcore_count + 1, __ATOMIC_RELEASE);
}

void spill_plan_set_presence(struct spill_plan *plan, unsigned lcore,
                             enum spill_plan_presence presence)
{
    struct spill_plan_lcore *of = &plan->lcores[lcore];
    struct spill_plan_pool *pool = &plan->pools[of->pool];

    pool->workers = pool->workers - (of->presence == SPILL_PRESENT) + (presence == SPILL_PRESENT);
    __atomic_store_n(&of->presence, presence, __ATOMIC_RELAXED);
}
