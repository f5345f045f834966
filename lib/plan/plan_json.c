/* SPDX-License-Identifier: BSD-3-Clause */
/* A plan as JSON: the same facts as in the tables. */
#include "base/json.h"
#include "plan.h"

static void lcores_json(const struct spill_plan *plan, struct spill_json *json)
{
    unsigned i;

    spill_json_array_begin(json, "lcores");
    for (i = 0; i < plan->lcore_count; i++) {
        const struct spill_plan_lcore *lcore = &plan->lcores[i];

        if (spill_plan_presence(lcore) == SPILL_AWAY)
            continue;
        spill_json_object_begin(json, NULL);
        spill_json_string(json, "name", lcore->name);
        spill_json_string(json, "role", spill_role_name(lcore->role));
        spill_json_unsigned(json, "lcore", lcore->id);
        spill_json_signed(json, "cpu", lcore->cpu);
        spill_json_signed(json, "node", lcore->node);
        spill_json_signed(json, "memory_node", lcore->memory_node);
        spill_json_boolean(json, "shares_cpu", lcore->shared);
        if (lcore->pool >= 0)
            spill_json_signed(json, "pool_node", plan->pools[lcore->pool].node);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
    spill_json_array_begin(json, "unused_lcores");
    for (i = 0; i < plan->idle_count; i++)
        spill_json_unsigned(json, NULL, plan->idle[i]);
    spill_json_array_end(json);
}

static void queues_json(const struct spill_plan *plan, struct spill_json *json, const char *key,
                        const struct spill_plan_queue *queues, unsigned count)
{
    unsigned q;

    spill_json_array_begin(json, key);
    for (q = 0; q < count; q++) {
        spill_json_object_begin(json, NULL);
        spill_json_unsigned(json, "queue", q);
        spill_json_string(json, "owner", plan->lcores[queues[q].owner].name);
        if (queues[q].channel >= 0)
            spill_json_string(json, "channel", plan->channels[queues[q].channel].name);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

static void mempool_json(const struct spill_plan_mempool *mempool, struct spill_json *json)
{
    unsigned t;

    spill_json_object_begin(json, "mempool");
    spill_json_signed(json, "node", mempool->node);
    spill_json_unsigned(json, "mbufs", mempool->mbufs);
    spill_json_unsigned(json, "cache", mempool->cache);
    spill_json_unsigned(json, "private_size", mempool->private_size);
    spill_json_unsigned(json, "data_room", mempool->data_room);
    spill_json_unsigned(json, "bytes", mempool->bytes);
    spill_json_array_begin(json, "terms");
    for (t = 0; t < mempool->term_count; t++) {
        spill_json_object_begin(json, NULL);
        spill_json_string(json, "what", mempool->terms[t].what);
        spill_json_unsigned(json, "count", mempool->terms[t].count);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
    spill_json_object_end(json);
}

static void ports_json(const struct spill_plan *plan, struct spill_json *json)
{
    unsigned i;

    spill_json_array_begin(json, "ports");
    for (i = 0; i < plan->port_count; i++) {
        const struct spill_plan_port *port = &plan->ports[i];

        if (port->left)
            continue;
        spill_json_object_begin(json, NULL);
        spill_json_string(json, "name", port->name);
        spill_json_signed(json, "node", port->node);
        spill_json_string(json, "wired_to", port->peer >= 0 ? plan->ports[port->peer].name : NULL);
        queues_json(plan, json, "rx_queues", port->rx, port->rx_queues);
        queues_json(plan, json, "tx_queues", port->tx, port->tx_queues);
        mempool_json(&port->mempool, json);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

static void channels_json(const struct spill_plan *plan, struct spill_json *json)
{
    unsigned i, lcore;

    spill_json_array_begin(json, "channels");
    for (i = 0; i < plan->channel_count; i++) {
        const struct spill_plan_channel *channel = &plan->channels[i];

        if (!spill_plan_channel_is_used(plan, i))
            continue;
        spill_json_object_begin(json, NULL);
        spill_json_string(json, "name", channel->name);
        spill_json_unsigned(json, "capacity", channel->capacity);
        spill_json_signed(json, "node", channel->node);
        spill_json_string(json, "reader", plan->lcores[channel->reader].name);
        spill_json_array_begin(json, "senders");
        for (lcore = 0; lcore < plan->lcore_count; lcore++)
            if (spill_plan_channel_sends(channel, lcore))
                spill_json_string(json, NULL, plan->lcores[lcore].name);
        spill_json_array_end(json);
        spill_json_boolean(json, "preemptible", channel->preemptible);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

static void pools_json(const struct spill_plan *plan, struct spill_json *json)
{
    unsigned i;

    spill_json_array_begin(json, "pools");
    for (i = 0; i < plan->pool_count; i++) {
        const struct spill_plan_pool *pool = &plan->pools[i];

        spill_json_object_begin(json, NULL);
        spill_json_signed(json, "node", pool->node);
        spill_json_unsigned(json, "workers", pool->workers);
        spill_json_unsigned(json, "fast_lcores", pool->served);
        spill_json_unsigned(json, "jobs", pool->jobs);
        spill_json_boolean(json, "preemptible", pool->preemptible);
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
}

static void memory_json(const struct spill_plan *plan, struct spill_json *json)
{
    unsigned i;

    spill_json_object_begin(json, "memory");
    spill_json_boolean(json, "hugepages", plan->memory_mode == SPILL_MEMORY_HUGEPAGES);
    spill_json_unsigned(json, "mib", plan->memory_mib);
    spill_json_array_begin(json, "nodes");
    for (i = 0; i < plan->node_limit; i++) {
        const struct spill_plan_node *node = &plan->nodes[i];

        if (!node->used)
            continue;
        spill_json_object_begin(json, NULL);
        spill_json_unsigned(json, "node", i);
        spill_json_unsigned(json, "mempool_bytes", node->mempools);
        spill_json_unsigned(json, "table_bytes", node->tables);
        spill_json_unsigned(json, "ring_bytes", node->rings);
        spill_json_unsigned(json, "rule_bytes", node->extra);
        spill_json_unsigned(json, "reserve_bytes", node->slack);
        spill_json_unsigned(json, "bytes", node->total);
        if (plan->memory_mode == SPILL_MEMORY_HUGEPAGES) {
            spill_json_unsigned(json, "hugepages_2mib", node->hugepages);
            spill_json_unsigned(json, "hugepages_2mib_missing", node->hugepages_missing);
            spill_json_string(json, "command", node->command);
        }
        spill_json_object_end(json);
    }
    spill_json_array_end(json);
    spill_json_object_end(json);
}

void spill_plan_print_members(const struct spill_plan *plan, struct spill_json *json)
{
    unsigned i;

    spill_json_boolean(json, "automatic", plan->automatic);
    spill_json_string(json, "eal_lcores", plan->eal_lcores);
    lcores_json(plan, json);
    spill_json_boolean(json, "spread_in_software", plan->spread);
    ports_json(plan, json);
    channels_json(plan, json);
    pools_json(plan, json);
    memory_json(plan, json);
    spill_json_array_begin(json, "warnings");
    for (i = 0; i < plan->warning_count; i++)
        spill_json_string(json, NULL, plan->warnings[i]);
    spill_json_array_end(json);
}

void spill_plan_print_json(const struct spill_plan *plan, struct spill_json *json, const char *key)
{
    spill_json_object_begin(json, key);
    spill_plan_print_members(plan, json);
    spill_json_object_end(json);
}
