/* SPDX-License-Identifier: BSD-3-Clause */
/* What the lcores counted: added up, and given to a writer. Nothing here knows a counter's name. */
#include <string.h>

#include "pipeline/pipeline.h"

void spill_pipeline_ledger(const struct spill_pipeline *pipeline, struct spill_ledger *sum)
{
    uint32_t i;

    memset(sum, 0, sizeof(*sum));
    spill_ledger_add(sum, &pipeline->ledger);
    if (pipeline->config.twins != NULL)
        spill_ledger_add(sum, &pipeline->config.twins->ledger);
    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];

        if (lcore->fast != NULL)
            spill_ledger_add(sum, &lcore->fast->ledger);
        if (lcore->spread != NULL)
            spill_ledger_add(sum, &lcore->spread->ledger);
        if (lcore->transmit != NULL)
            spill_ledger_add(sum, &lcore->transmit->ledger);
    }
}

uint64_t spill_pipeline_received(const struct spill_pipeline *pipeline)
{
    uint64_t received = 0;
    uint32_t i;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];

        received += lcore->fast != NULL ? lcore->fast->ledger.received : 0;
        received += lcore->spread != NULL ? lcore->spread->ledger.received : 0;
    }
    return received;
}

void spill_pipeline_non_ip(const struct spill_pipeline *pipeline,
                           uint64_t sums[SPILL_NON_IP_COUNTERS])
{
    uint32_t i, j;

    memset(sums, 0, SPILL_NON_IP_COUNTERS * sizeof(sums[0]));
    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_fast *fast = pipeline->lcores[i].fast;

        for (j = 0; fast != NULL && j < SPILL_NON_IP_COUNTERS; j++)
            sums[j] += __atomic_load_n(&fast->forward.non_ip_passed[j], __ATOMIC_RELAXED);
    }
}

/* ---------------------------------------------------------------------------------- ports */

static struct spill_input sum_of_inputs(const struct spill_pipeline *pipeline, uint32_t index)
{
    struct spill_input sum = {0};
    uint32_t i, j;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_fast *fast = pipeline->lcores[i].fast;
        const struct spill_spread *spread = pipeline->lcores[i].spread;

        for (j = 0; fast != NULL && j < spill_receive_count(&fast->receive); j++) {
            if (fast->receive.inputs[j].channel == NULL && fast->receive.inputs[j].index == index)
                spill_metrics_add(&spill_input_metrics, &sum, &fast->receive.inputs[j]);
        }
        for (j = 0; spread != NULL && j < spread->queue_count; j++) {
            if (spread->queues[j].index == index)
                sum.received += __atomic_load_n(&spread->queues[j].received, __ATOMIC_RELAXED);
        }
    }
    return sum;
}

static struct spill_output sum_of_outputs(const struct spill_pipeline *pipeline, uint32_t index)
{
    struct spill_output sum = {0};
    uint32_t i, j;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_transmitter *transmitter =
            spill_pipeline_transmitter(&pipeline->lcores[i]);

        for (j = 0; transmitter != NULL && j < spill_transmitter_count(transmitter); j++) {
            if (transmitter->outputs[j]->index == index)
                spill_metrics_add(&spill_output_metrics, &sum, transmitter->outputs[j]);
        }
    }
    return sum;
}

uint64_t spill_pipeline_transmitted(const struct spill_pipeline *pipeline, uint32_t index)
{
    return sum_of_outputs(pipeline, index).transmitted;
}

void spill_pipeline_write_port(const struct spill_pipeline *pipeline, uint32_t index,
                               struct spill_metric_writer *writer)
{
    const struct spill_input inputs = sum_of_inputs(pipeline, index);
    const struct spill_output outputs = sum_of_outputs(pipeline, index);

    spill_metrics_write(&spill_input_metrics, &inputs, writer);
    spill_metrics_write(&spill_output_metrics, &outputs, writer);
}

/* ------------------------------------------------------------------------------- families */

static struct spill_metric_value role(const void *lcore)
{
    return spill_value_text(spill_role_name(((const struct spill_plan_lcore *)lcore)->role));
}

static struct spill_metric_value state(const void *lcore)
{
    static const char *const names[] = {
        [SPILL_PRESENT] = "there", [SPILL_LEAVING] = "leaving", [SPILL_AWAY] = "gone"};

    return spill_value_text(names[spill_plan_presence(lcore)]);
}

static const struct spill_metric lcore_rows[] = {
    SPILL_METRIC(GAUGE, "lcore", struct spill_plan_lcore, id, "", "EAL id"),
    SPILL_METRIC(GAUGE, "cpu", struct spill_plan_lcore, cpu, "", "that it runs on"),
    SPILL_METRIC(GAUGE, "socket", struct spill_plan_lcore, node, "", "NUMA node"),
    SPILL_METRIC_COMPUTED(TEXT, "role", role, "", "fast, rx, tx or pool"),
    SPILL_METRIC_COMPUTED(TEXT, "state", state, "", "there; of workers leaving and gone, too"),
};
static const struct spill_metrics lcore_metrics = SPILL_METRICS(lcore_rows);

static void write_lcores(const void *source, const struct spill_metric_family *family,
                         struct spill_metric_writer *writer)
{
    const struct spill_pipeline *pipeline = source;
    uint32_t i;

    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];

        writer->member_begin(writer, family, lcore->plan->name);
        spill_metrics_write(&lcore_metrics, lcore->plan, writer);
        spill_loop_write_metrics(lcore->loop, writer);
        writer->member_end(writer, family);
    }
}

static void write_channels(const void *source, const struct spill_metric_family *family,
                           struct spill_metric_writer *writer)
{
    const struct spill_pipeline *pipeline = source;
    uint32_t i;

    for (i = 0; i < __atomic_load_n(&pipeline->channel_count, __ATOMIC_ACQUIRE); i++) {
        writer->member_begin(writer, family, pipeline->channels[i]->name);
        spill_channel_write_metrics(pipeline->channels[i], writer);
        writer->member_end(writer, family);
    }
}

/* The accounts of one class over all fast lcores; false: no lcore has such a class. */
static bool sum_of_accounts(const struct spill_pipeline *pipeline, uint32_t index,
                            struct spill_account *sum)
{
    uint32_t i;

    memset(sum, 0, sizeof(*sum));
    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_fast *fast = pipeline->lcores[i].fast;

        if (fast == NULL ||
            index >= __atomic_load_n(&fast->submitter->class_count, __ATOMIC_ACQUIRE))
            continue;
        if (fast->submitter->accounts[index].class->work == NULL)
            continue;
        sum->class = fast->submitter->accounts[index].class;
        spill_metrics_add(&spill_account_metrics, sum, &fast->submitter->accounts[index]);
    }
    return sum->class != NULL;
}

static void write_pool(const void *source, const struct spill_metric_family *family,
                       struct spill_metric_writer *writer)
{
    struct spill_account sum;
    uint32_t i;

    for (i = 0; i < SPILL_CLASSES; i++) {
        if (!sum_of_accounts(source, i, &sum))
            continue;
        writer->member_begin(writer, family, sum.class->name);
        spill_metrics_write(&spill_account_metrics, &sum, writer);
        writer->member_end(writer, family);
    }
}

static void write_latency(const void *source, const struct spill_metric_family *family,
                          struct spill_metric_writer *writer)
{
    const struct spill_pipeline *pipeline = source;
    struct spill_latency sum = {0};
    uint32_t i;

    (void)family;
    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];

        if (lcore->fast != NULL)
            spill_metrics_add(&spill_latency_metrics, &sum, &lcore->fast->latency);
        if (lcore->transmit != NULL)
            spill_metrics_add(&spill_latency_metrics, &sum, &lcore->transmit->latency);
    }
    spill_metrics_write(&spill_latency_metrics, &sum, writer);
}

static void write_flows(const void *source, const struct spill_metric_family *family,
                        struct spill_metric_writer *writer)
{
    const struct spill_pipeline *pipeline = source;
    struct spill_flow_counters sum = {0};
    uint32_t i;

    (void)family;
    for (i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_fast *fast = pipeline->lcores[i].fast;

        if (fast != NULL)
            spill_metrics_add(&spill_flow_metrics, &sum, spill_flow_table_counters(fast->flows));
    }
    spill_metrics_write(&spill_flow_metrics, &sum, writer);
}

static const struct spill_metric_section sections[] = {
    {{"lcores", "lcore", SPILL_FAMILY_LIST}, write_lcores},
    {{"channels", "channel", SPILL_FAMILY_LIST}, write_channels},
    {{"pool", "class", SPILL_FAMILY_MAP}, write_pool},
    {{"latency_us", "way", SPILL_FAMILY_ONE}, write_latency},
    {{"flows", NULL, SPILL_FAMILY_ONE}, write_flows},
};

void spill_pipeline_write_metrics(const struct spill_pipeline *pipeline, const char *family,
                                  struct spill_metric_writer *writer)
{
    struct spill_ledger sum;

    spill_metric_sections_write(sections, RTE_DIM(sections), pipeline, family, writer);
    spill_pipeline_ledger(pipeline, &sum);
    spill_counters_write(sum.counted, family, writer);
}
