/* SPDX-License-Identifier: BSD-3-Clause */
/* Channels and pools, as the plan says. */
#include "pipeline/connect.h"

#include <rte_cycles.h>
#include <rte_malloc.h>

#include "base/clock.h"
#include "ipsec/esp.h"

void *spill_connect_allocate(size_t size, int node)
{
    return rte_zmalloc_socket(NULL, size, RTE_CACHE_LINE_SIZE, node < 0 ? SOCKET_ID_ANY : node);
}

int spill_connect_no_memory(struct spill_error *error, const char *what, int node)
{
    return spill_error_set(error, "%s: no memory on node %d; give more by --memory or hugepages",
                           what, node);
}

static enum spill_ring_mode ring_mode(bool preemptible)
{
    return preemptible ? SPILL_RING_PREEMPTIBLE : SPILL_RING_EXCLUSIVE;
}

/* --------------------------------------------------------------------- channels and pools */

static uint32_t count_senders(const struct spill_plan_channel *channel, uint32_t below)
{
    uint32_t count = 0, i;

    for (i = 0; i < below; i++)
        count += spill_plan_channel_sends(channel, i);
    return count;
}

int spill_connect_channels(struct spill_pipeline *pipeline, struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;
    uint32_t i;

    for (i = pipeline->channel_count; i < plan->channel_count; i++) {
        const struct spill_plan_channel *planned = &plan->channels[i];

        pipeline->channels[i] = spill_channel_create(
            planned->name, planned->capacity, count_senders(planned, plan->lcore_count),
            planned->node, ring_mode(planned->preemptible), error);
        if (pipeline->channels[i] == NULL)
            return -1;
        __atomic_store_n(&pipeline->channel_count, i + 1, __ATOMIC_RELEASE);
    }
    return 0;
}

bool spill_connect_all_can_wait(const struct spill_pipeline *pipeline)
{
    for (uint32_t i = 0; i < pipeline->config.plan->port_count; i++) {
        if (!pipeline->config.ports[i].device.finite_source)
            return false;
    }
    return true;
}

struct spill_sender *spill_connect_sender(const struct spill_pipeline *pipeline, int channel,
                                          uint32_t lcore)
{
    return spill_channel_sender(pipeline->channels[channel],
                                count_senders(&pipeline->config.plan->channels[channel], lcore));
}

int spill_connect_ipsec(struct spill_pipeline *pipeline, struct spill_pipeline_lcore *lcore,
                        struct spill_error *error)
{
    const int node = lcore->plan->memory_node;
    struct spill_fast *fast = lcore->fast;

    for (uint32_t i = 0; i < SPILL_CLASSES; i++) {
        if (spill_class_is_there(i, spill_connect_needs_met(&pipeline->config)))
            spill_class_rows[i]->attach(fast);
    }
    if (pipeline->config.crypto == NULL || fast->reassembly != NULL)
        return 0;
    if (spill_acquisition_init(&fast->acquisition, lcore->plan->name, node, error) != 0)
        return -1;
    fast->reassembly = spill_connect_allocate(sizeof(*fast->reassembly), node);
    if (fast->reassembly == NULL)
        return spill_connect_no_memory(error, lcore->plan->name, node);
    fast->reassembly->timeout = SPILL_REASSEMBLY_SECONDS * rte_get_tsc_hz();
    fast->reassembly->ledger = &fast->ledger;
    return 0;
}

unsigned spill_connect_needs_met(const struct spill_pipeline_config *config)
{
    return config->crypto != NULL ? SPILL_NEED_IPSEC : 0;
}

static struct spill_class make_class(const struct spill_pipeline_config *config, uint32_t index)
{
    const struct spill_pipeline_class *set = &config->classes[index];
    struct spill_class class = spill_class_rows[index]->make(config);

    class.name = spill_class_rows[index]->name;
    class.capacity = set->capacity != 0 ? set->capacity : SPILL_CLASS_CAPACITY;
    class.dispatch = class.defers ? SPILL_DISPATCH_POOL : set->dispatch;
    return class;
}

/* The classes that are there, by their indexes; returns the last one's and one. */
static uint32_t make_classes(const struct spill_pipeline *pipeline,
                             struct spill_class classes[SPILL_CLASSES])
{
    const struct spill_pipeline_config *config = &pipeline->config;
    uint32_t count = 0, i;

    for (i = 0; i < SPILL_CLASSES; i++) {
        classes[i] = (struct spill_class){.work = NULL};
        if (!spill_class_is_there(i, spill_connect_needs_met(config)))
            continue;
        classes[i] = make_class(config, i);
        count = i + 1;
    }
    return count;
}

static struct spill_pool_device device_of(const struct spill_pipeline_config *config)
{
    return (struct spill_pool_device){
        .collect = spill_esp_collect, .context = config->crypto, .depth = SPILL_CRYPTO_DEPTH};
}

static int create_pool(struct spill_pipeline *pipeline, const struct spill_plan_pool *planned,
                       struct spill_error *error)
{
    struct spill_class classes[SPILL_CLASSES];
    char name[16];
    struct spill_pool_config config = {
        .name = name,
        .socket = planned->node,
        .workers = planned->workers,
        .submitters = planned->served,
        .mode = ring_mode(planned->preemptible),
        .class_count = make_classes(pipeline, classes),
        .class_most = SPILL_CLASSES,
        .classes = classes,
        .device = device_of(&pipeline->config),
    };

    snprintf(name, sizeof(name), "pool%u", pipeline->pool_count);
    pipeline->pools[pipeline->pool_count] = spill_pool_create(&config, error);
    return pipeline->pools[pipeline->pool_count++] != NULL ? 0 : -1;
}

int spill_connect_pools(struct spill_pipeline *pipeline, struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;
    struct spill_plan_pool alone = {.node = SOCKET_ID_ANY};
    uint32_t i;

    for (i = 0; i < plan->pool_count; i++) {
        if (plan->pools[i].served > 0) {
            if (create_pool(pipeline, &plan->pools[i], error) != 0)
                return -1;
        } else {
            pipeline->pool_count++;
        }
    }
    for (i = 0; i < plan->lcore_count; i++)
        alone.served += plan->lcores[i].role == SPILL_ROLE_FAST && plan->lcores[i].pool < 0;
    return alone.served > 0 ? create_pool(pipeline, &alone, error) : 0;
}

static int add_classes(struct spill_pipeline *pipeline, struct spill_pool *pool,
                       struct spill_error *error)
{
    const struct spill_pipeline_config *config = &pipeline->config;
    const struct spill_pool_device device = device_of(config);

    for (uint32_t i = pool->class_count; i < SPILL_CLASSES; i++) {
        const struct spill_class class = make_class(config, i);

        if (spill_pool_add_class(pool, &class, &device, error) != 0)
            return -1;
    }
    return 0;
}

int spill_pipeline_add_ipsec(struct spill_pipeline *pipeline, struct spill_crypto *crypto,
                             struct spill_error *error)
{
    uint32_t i;

    pipeline->config.crypto = crypto;
    for (i = 0; i < pipeline->pool_count; i++) {
        if (pipeline->pools[i] != NULL && add_classes(pipeline, pipeline->pools[i], error) != 0)
            return -1;
    }
    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];

        if (lcore->fast != NULL && spill_connect_ipsec(pipeline, lcore, error) != 0)
            return -1;
    }
    return 0;
}
