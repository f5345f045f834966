/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that come while lcores run: a wider plan, in which all that runs is as it was. */
#include <string.h>

#include "plan_steps.h"

static bool is_same_queue(const struct spill_plan_queue *one, const struct spill_plan_queue *other)
{
    return one->owner == other->owner && one->channel == other->channel;
}

static bool is_same_port(const struct spill_plan_port *one, const struct spill_plan_port *other,
                         unsigned fast)
{
    unsigned i;

    if (one->rx_queues != other->rx_queues || one->tx_queues != other->tx_queues ||
        one->peer != other->peer)
        return false;
    for (i = 0; i < one->rx_queues; i++)
        if (!is_same_queue(&one->rx[i], &other->rx[i]))
            return false;
    for (i = 0; i < one->tx_queues; i++)
        if (!is_same_queue(&one->tx[i], &other->tx[i]))
            return false;
    return memcmp(one->tx_queue_of, other->tx_queue_of, fast * sizeof(one->tx_queue_of[0])) == 0;
}

static bool is_same_channel(const struct spill_plan_channel *one,
                            const struct spill_plan_channel *other)
{
    return strcmp(one->name, other->name) == 0 && one->reader == other->reader &&
           one->capacity == other->capacity &&
           memcmp(one->senders, other->senders, sizeof(one->senders)) == 0;
}

static bool are_same_lcores(const struct spill_plan *one, const struct spill_plan *other)
{
    unsigned i;

    if (one->lcore_count != other->lcore_count || one->pool_count != other->pool_count)
        return false;
    for (i = 0; i < one->lcore_count; i++)
        if (one->lcores[i].id != other->lcores[i].id ||
            one->lcores[i].role != other->lcores[i].role ||
            one->lcores[i].pool != other->lcores[i].pool)
            return false;
    return true;
}

static void take_lcores(struct spill_plan *plan, const struct spill_plan *wider)
{
    unsigned i;

    for (i = 0; i < plan->lcore_count; i++) {
        plan->lcores[i].rx_queues = wider->lcores[i].rx_queues;
        plan->lcores[i].tx_queues = wider->lcores[i].tx_queues;
    }
    memcpy(plan->nodes, wider->nodes, sizeof(plan->nodes));
}

int spill_plan_extend(struct spill_plan *plan, const struct spill_plan *wider, const bool *in_use,
                      struct spill_error *error)
{
    unsigned i;

    if (!are_same_lcores(plan, wider))
        return spill_error_set(error, "lcores would have other roles");
    if (plan->spread != wider->spread)
        return spill_error_set(error, "flows would have to be spread in software, by what its "
                                      "device can do beside those that there are");
    if (wider->channel_count < plan->channel_count)
        return spill_error_set(error, "there would be fewer channels");
    for (i = 0; i < plan->port_count; i++)
        if (in_use[i] &&
            !is_same_port(&plan->ports[i], &wider->ports[i], plan->count[SPILL_ROLE_FAST]))
            return spill_error_set(error, "port %s would have other queues or lcores",
                                   plan->ports[i].name);
    for (i = 0; i < plan->channel_count; i++)
        if (!is_same_channel(&plan->channels[i], &wider->channels[i]))
            return spill_error_set(error, "channel %s would be another", plan->channels[i].name);
    for (i = 0; i < wider->port_count; i++)
        if (i >= plan->port_count || !in_use[i])
            plan->ports[i] = wider->ports[i];
    for (i = plan->channel_count; i < wider->channel_count; i++)
        plan->channels[i] = wider->channels[i];
    take_lcores(plan, wider);
    __atomic_store_n(&plan->channel_count, wider->channel_count, __ATOMIC_RELEASE);
    __atomic_store_n(&plan->port_count, wider->port_count, __ATOMIC_RELEASE);
    return 0;
}
