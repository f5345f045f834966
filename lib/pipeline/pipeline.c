/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds the pipeline: every lcore's stages, connected as the plan says. */
#include <errno.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

#include "base/clock.h"
#include "base/secret.h"
#include "pipeline/connect.h"
#include "pipeline/crew.h"
#include "pipeline/lcore.h"
#include "pipeline/plug.h"
#include "pipeline/rule_log.h"

/* Time that a fast lcore saves up for entering new flows, at most. */
#define ADMISSION_US 100
/* Within which all flows ask new rules. */
#define RENEWAL_SECONDS 1
/* ICMP errors that a fast lcore sends, at most. */
#define ERRORS_A_SECOND 1000

static uint64_t cycles(uint64_t nanoseconds)
{
    return (uint64_t)((double)nanoseconds * (double)rte_get_tsc_hz() / 1e9);
}

static int no_secret(struct spill_error *error)
{
    return spill_error_set(error, "no random numbers: %s", strerror(errno));
}

/* ---------------------------------------------------------------------------- the lcores */

static int create_spread(struct spill_pipeline *pipeline, uint32_t index, uint32_t seed,
                         struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;
    struct spill_pipeline_lcore *lcore = &pipeline->lcores[index];
    uint32_t i;

    lcore->spread = spill_connect_allocate(sizeof(*lcore->spread), lcore->plan->memory_node);
    if (lcore->spread == NULL)
        return spill_connect_no_memory(error, lcore->plan->name, lcore->plan->memory_node);
    lcore->spread->stop = pipeline->config.stop;
    lcore->spread->seed = seed;
    lcore->spread->fast_count = plan->count[SPILL_ROLE_FAST];
    if (lcore->plan->role == SPILL_ROLE_FAST)
        lcore->spread->own = pipeline->channels[plan->fast_channel[lcore->plan->index]];
    for (i = 0; i < lcore->spread->fast_count; i++)
        lcore->spread->senders[i] = spill_connect_sender(pipeline, plan->fast_channel[i], index);
    spill_spread_add_stage(lcore->spread, lcore->loop);
    return 0;
}

static int create_flows(struct spill_pipeline *pipeline, struct spill_pipeline_lcore *lcore,
                        struct spill_error *error)
{
    char name[sizeof("flows-") + sizeof(lcore->plan->name)];
    struct spill_flow_table_config config = {
        .name = name,
        .capacity = pipeline->config.flow_capacity,
        .timeout = cycles(pipeline->config.flow_timeout_ns),
        .renewal = rte_get_tsc_hz() * RENEWAL_SECONDS,
        .socket = lcore->plan->memory_node,
    };

    for (unsigned i = 0; i < SPILL_FLOW_TIMEOUTS && config.timeout == 0; i++)
        config.timeouts[i] = cycles(pipeline->config.flow_timeouts_ns[i]);
    if (spill_secret(&config.seed, sizeof(config.seed)) != 0)
        return no_secret(error);
    snprintf(name, sizeof(name), "flows-%s", lcore->plan->name);
    lcore->fast->flows = spill_flow_table_create(&config, error);
    return lcore->fast->flows != NULL ? 0 : -1;
}

/* The submitter's index in its pool: how many fast lcores before this one have the same. */
static uint32_t submitter_index(const struct spill_plan *plan, uint32_t lcore)
{
    uint32_t index = 0, i;

    for (i = 0; i < lcore; i++)
        index += plan->lcores[i].role == SPILL_ROLE_FAST &&
                 plan->lcores[i].pool == plan->lcores[lcore].pool;
    return index;
}

static int create_submitter(struct spill_pipeline *pipeline, uint32_t index,
                            struct spill_error *error)
{
    const struct spill_pipeline_config *config = &pipeline->config;
    struct spill_pipeline_lcore *lcore = &pipeline->lcores[index];
    uint32_t pool = lcore->plan->pool >= 0 ? (uint32_t)lcore->plan->pool : pipeline->pool_count - 1;

    lcore->fast->submitter = spill_submitter_create(
        pipeline->pools[pool], submitter_index(config->plan, index), config->lanes,
        lcore->plan->memory_node, cycles(config->budget_ns), error);
    if (lcore->fast->submitter == NULL)
        return -1;
    lcore->loop->budget = &lcore->fast->submitter->budget;
    return 0;
}

static int create_exits(const struct spill_pipeline *pipeline, struct spill_exits *exits,
                        struct spill_error *error)
{
    uint32_t seed;

    exits->links = &pipeline->links;
    exits->fitting.left = INT64_MAX / 2; /* at most what a port's kind allows: plug.c */
    if (spill_secret(&seed, sizeof(seed)) != 0)
        return no_secret(error);
    spill_error_limit_init(&exits->errors, rte_get_tsc_hz(), ERRORS_A_SECOND, seed);
    return 0;
}

static void connect_handover(struct spill_pipeline *pipeline, uint32_t index, uint32_t seed,
                             struct spill_handover *handover)
{
    const struct spill_plan *plan = pipeline->config.plan;
    uint32_t i;

    handover->self = plan->lcores[index].index;
    handover->count = plan->count[SPILL_ROLE_FAST];
    handover->seed = seed;
    handover->by_device = !plan->spread;
    handover->rss.key = spill_port_rss_key;
    for (i = 0; i < handover->count; i++) {
        if (i == handover->self)
            continue;
        handover->flows[i] = spill_connect_sender(pipeline, plan->own_channel[i], index);
        if (handover->by_device)
            handover->datagrams[i] = spill_connect_sender(pipeline, plan->fast_channel[i], index);
    }
}

/* The channels that a fast lcore receives from; queues come with their ports. */
static void create_inputs(struct spill_pipeline *pipeline, uint32_t index, struct spill_fast *fast)
{
    const struct spill_plan *plan = pipeline->config.plan;
    uint32_t fast_index = plan->lcores[index].index, i;
    const int channels[] = {plan->fast_channel[fast_index], plan->own_channel[fast_index]};

    for (i = 0; i < RTE_DIM(channels); i++) {
        if (channels[i] >= 0)
            fast->receive.inputs[fast->receive.input_count++] =
                (struct spill_input){.channel = pipeline->channels[channels[i]], .handed = i == 1};
    }
}

static int create_fast(struct spill_pipeline *pipeline, uint32_t index, uint32_t seed,
                       struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;
    struct spill_pipeline_lcore *lcore = &pipeline->lcores[index];
    struct spill_fast *fast;
    uint32_t i;

    lcore->fast = fast = spill_connect_allocate(sizeof(*fast), lcore->plan->memory_node);
    if (fast == NULL)
        return spill_connect_no_memory(error, lcore->plan->name, lcore->plan->memory_node);
    fast->receive.stop = pipeline->config.stop;
    fast->forward.non_ip = pipeline->config.non_ip;
    fast->version.rules = pipeline->config.rules;
    fast->version.index = lcore->plan->index;
    fast->lcore_id = lcore->plan->id;
    fast->plan_index = index;
    for (i = 0; i < SPILL_CLASSES; i++)
        fast->overflows[i] = pipeline->config.classes[i].overflow;
    fast->admission.entering.most = (int64_t)(rte_get_tsc_hz() / US_PER_S * ADMISSION_US);
    fast->admission.entering.left = fast->admission.entering.most;
    fast->admission.tcp_pickup = pipeline->config.tcp_pickup;
    fast->admission.asking.most = fast->admission.asking.left = fast->admission.entering.most;
    fast->receive.last_turn = spill_clock();
    fast->sweep.swept = fast->receive.last_turn;
    fast->datagrams = spill_datagrams_create(
        rte_get_tsc_hz() / MS_PER_S * SPILL_DATAGRAMS_TIMEOUT_MS, &fast->ledger,
        lcore->plan->memory_node < 0 ? SOCKET_ID_ANY : lcore->plan->memory_node, error);
    fast->rule_log = spill_rule_log_create(
        lcore->plan->name, lcore->plan->memory_node < 0 ? SOCKET_ID_ANY : lcore->plan->memory_node,
        error);
    if (fast->rule_log == NULL || fast->datagrams == NULL ||
        create_flows(pipeline, lcore, error) != 0 ||
        create_submitter(pipeline, index, error) != 0 ||
        spill_connect_ipsec(pipeline, lcore, error) != 0 ||
        create_exits(pipeline, &fast->exits, error) != 0 ||
        spill_routing_init(&fast->routing, &pipeline->config, plan->lcores[index].index,
                           lcore->plan->memory_node, error) != 0)
        return -1;
    connect_handover(pipeline, index, seed, &fast->handover);
    create_inputs(pipeline, index, fast);
    spill_host_connect(pipeline->config.twins, plan->lcores[index].index, fast, lcore->loop);
    spill_fast_add_stages(fast, lcore->loop);
    return 0;
}

static int create_transmit(struct spill_pipeline *pipeline, uint32_t index,
                           struct spill_error *error)
{
    struct spill_pipeline_lcore *lcore = &pipeline->lcores[index];

    lcore->transmit = spill_connect_allocate(sizeof(*lcore->transmit), lcore->plan->memory_node);
    if (lcore->transmit == NULL)
        return spill_connect_no_memory(error, lcore->plan->name, lcore->plan->memory_node);
    spill_transmitter_add_stage(&lcore->transmit->transmitter, lcore->loop);
    return 0;
}

static int create_lcores(struct spill_pipeline *pipeline, struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;
    uint32_t workers[SPILL_NODES_MAX] = {0}, seed, i;
    int status = 0;

    if (spill_secret(&seed, sizeof(seed)) != 0)
        return no_secret(error);
    for (i = 1; i < plan->lcore_count && status == 0; i++) {
        struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];

        lcore->plan = &plan->lcores[i];
        status = spill_lcore_create(pipeline, lcore, error);
        if (status != 0)
            break;
        if (plan->spread && lcore->plan->rx_queues > 0)
            status = create_spread(pipeline, i, seed, error);
        if (status == 0 && lcore->plan->role == SPILL_ROLE_FAST)
            status = create_fast(pipeline, i, seed, error);
        else if (status == 0 && lcore->plan->role == SPILL_ROLE_TX)
            status = create_transmit(pipeline, i, error);
        else if (lcore->plan->role == SPILL_ROLE_POOL)
            spill_crew_take(pipeline, i, workers);
    }
    return status;
}

static int plug_ports(struct spill_pipeline *pipeline, struct spill_error *error)
{
    uint32_t i;

    for (i = 0; i < pipeline->config.plan->port_count; i++) {
        if (spill_plug_port(pipeline, i, error) != 0)
            return -1;
        spill_plug_open(pipeline, i);
    }
    return 0;
}

struct spill_pipeline *spill_pipeline_create(const struct spill_pipeline_config *config,
                                             struct spill_error *error)
{
    struct spill_pipeline *pipeline = spill_connect_allocate(sizeof(*pipeline), -1);

    if (pipeline == NULL) {
        spill_connect_no_memory(error, "pipeline", -1);
        return NULL;
    }
    pipeline->config = *config;
    if (spill_connect_channels(pipeline, error) == 0 && spill_connect_pools(pipeline, error) == 0 &&
        create_lcores(pipeline, error) == 0 && plug_ports(pipeline, error) == 0)
        return pipeline;
    spill_pipeline_free(pipeline);
    return NULL;
}

static void free_lcore(struct spill_pipeline_lcore *lcore)
{
    struct spill_transmitter *transmitter = spill_pipeline_transmitter(lcore);

    for (uint32_t i = 0; transmitter != NULL && i < transmitter->output_count; i++)
        rte_free(transmitter->outputs[i]);
    if (lcore->fast != NULL) {
        spill_submitter_free(lcore->fast->submitter);
        rte_ring_free(lcore->fast->rule_log);
        spill_flow_table_free(lcore->fast->flows);
        rte_free(lcore->fast->reassembly);
        spill_acquisition_free(&lcore->fast->acquisition);
        spill_datagrams_free(lcore->fast->datagrams);
        spill_routing_free(&lcore->fast->routing);
    }
    rte_free(lcore->fast);
    rte_free(lcore->spread);
    rte_free(lcore->transmit);
    spill_lcore_free(lcore);
}

void spill_pipeline_free(struct spill_pipeline *pipeline)
{
    uint32_t i;

    if (pipeline == NULL)
        return;
    for (i = 0; i < SPILL_LCORES_MAX; i++)
        free_lcore(&pipeline->lcores[i]);
    for (i = 0; i < pipeline->pool_count; i++)
        spill_pool_free(pipeline->pools[i]);
    for (i = 0; i < pipeline->channel_count; i++)
        spill_channel_free(pipeline->channels[i]);
    rte_free(pipeline);
}
