/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports come into the pipeline and leave it: outputs, exits, inputs of all lcores. */
#include "pipeline/plug.h"

#include <rte_cycles.h>

#include "pipeline/connect.h"

/* A device that refuses a packet for so long is asked why. */
#define PATIENCE_US 100000
/* What a fast lcore may spend on copying packets to make them fit the port that they leave by. */
#define FITTING_US 100

static const struct spill_port *port_of(const struct spill_pipeline *pipeline, uint32_t index)
{
    return &pipeline->config.ports[index];
}

/* --------------------------------------------------------------------------- the zones */

/* Whether a port's source is a capture, and the only source of its wire: what was captured on a
 * wire has both directions of its connections. */
static bool captures_both_ends(const struct spill_pipeline *pipeline, uint32_t index)
{
    return port_of(pipeline, index)->device.captured &&
           port_of(pipeline, (uint32_t)pipeline->config.plan->ports[index].peer)->device.silent;
}

/*
 * A port's wire, and which end of it the port is: as spill_parse_burst() wants it. A wire has the
 * number of its first port, which is no other's, and stays. Routed ports are of one zone: a
 * connection may have each of its directions by any of them. Its number is that of the last port,
 * which is no wire's first.
 */
static uint8_t zone_of(const struct spill_pipeline *pipeline, uint32_t index)
{
    const int peer = pipeline->config.plan->ports[index].peer;
    const uint32_t first = RTE_MIN(index, (uint32_t)peer);

    if (peer < 0)
        return (SPILL_PORTS_MAX - 1) << 1 | SPILL_FLOW_ONE_END;
    return (uint8_t)(first << 1 | (index != first) |
                     (captures_both_ends(pipeline, index) ? SPILL_FLOW_ONE_END : 0));
}

/* ------------------------------------------------------------------------- the outputs */

/* Whether an lcore has a way to a transmit queue: owns it, or sends to it as a fast lcore. */
static bool uses_queue(const struct spill_plan *plan, uint32_t lcore, uint32_t index,
                       uint32_t queue)
{
    const struct spill_plan_lcore *planned = &plan->lcores[lcore];

    return plan->ports[index].tx[queue].owner == (int)lcore ||
           (planned->role == SPILL_ROLE_FAST &&
            plan->ports[index].tx_queue_of[planned->index] == queue);
}

static struct spill_output *find_output(const struct spill_transmitter *transmitter, uint32_t index,
                                        uint32_t queue)
{
    for (uint32_t i = 0; i < transmitter->output_count; i++) {
        if (transmitter->outputs[i]->index == index && transmitter->outputs[i]->queue == queue)
            return transmitter->outputs[i];
    }
    return NULL;
}

/* Memory for one more output of an lcore; no other thread sees it yet. */
static struct spill_output *make_output(const struct spill_plan_lcore *planned,
                                        struct spill_transmitter *transmitter,
                                        struct spill_error *error)
{
    struct spill_output *output;

    if (transmitter->output_count == SPILL_OUTPUTS_MAX) {
        spill_error_set(error, "lcore %s: more than %d transmit queues", planned->name,
                        SPILL_OUTPUTS_MAX);
        return NULL;
    }
    output = spill_connect_allocate(sizeof(*output), planned->memory_node);
    if (output == NULL)
        spill_connect_no_memory(error, planned->name, planned->memory_node);
    return output;
}

/* An lcore's output to a queue: its own, or over the channel to the queue's owner. */
static int plug_output(struct spill_pipeline *pipeline, uint32_t lcore, uint32_t index,
                       uint32_t queue, struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;
    const struct spill_plan_queue *planned = &plan->ports[index].tx[queue];
    struct spill_transmitter *transmitter = spill_pipeline_transmitter(&pipeline->lcores[lcore]);
    struct spill_output *output = find_output(transmitter, index, queue);
    const bool is_new = output == NULL;

    if (is_new)
        output = make_output(&plan->lcores[lcore], transmitter, error);
    if (output == NULL)
        return -1;
    output->port = port_of(pipeline, index)->id;
    output->index = (uint16_t)index;
    output->queue = (uint16_t)queue;
    output->link = &pipeline->links.ports[output->port];
    output->patience = rte_get_tsc_hz() / US_PER_S * PATIENCE_US;
    output->ledger = spill_pipeline_transmits(&pipeline->lcores[lcore], &output->latency);
    if (planned->owner != (int)lcore)
        output->sender = spill_connect_sender(pipeline, planned->channel, lcore);
    else if (planned->channel >= 0)
        output->channel = pipeline->channels[planned->channel];
    if (is_new) {
        transmitter->outputs[transmitter->output_count] = output;
        __atomic_store_n(&transmitter->output_count, transmitter->output_count + 1,
                         __ATOMIC_RELEASE);
    }
    return 0;
}

static int plug_outputs(struct spill_pipeline *pipeline, uint32_t index, struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;
    uint32_t lcore, queue;

    for (lcore = 1; lcore < plan->lcore_count; lcore++) {
        for (queue = 0; queue < plan->ports[index].tx_queues; queue++) {
            if (uses_queue(plan, lcore, index, queue) &&
                plug_output(pipeline, lcore, index, queue, error) != 0)
                return -1;
        }
    }
    return 0;
}

/* --------------------------------------------------------------------------- the exits */

/* What is routed has room for what fits any of the ports. */
static void narrow_routed(struct spill_exit *exit, const struct spill_port *port)
{
    if (exit->mtu != 0 && port->mtu >= exit->mtu)
        return;
    exit->limits = port->limits;
    exit->mtu = port->mtu;
}

static void plug_exit(const struct spill_pipeline *pipeline, const struct spill_plan_lcore *planned,
                      struct spill_fast *fast, uint32_t index)
{
    const struct spill_plan_port *plan = &pipeline->config.plan->ports[index];
    const struct spill_port *port = port_of(pipeline, index);
    struct spill_exits *exits = &fast->exits;

    if (plan->peer < 0)
        narrow_routed(&exits->ports[SPILL_OUTPUT_ROUTE], port);
    exits->other_end[port->id] =
        plan->peer < 0 ? SPILL_OUTPUT_ROUTE : (uint8_t)port_of(pipeline, (uint32_t)plan->peer)->id;
    spill_exit_init(&exits->ports[port->id], port,
                    find_output(&fast->transmitter, index, plan->tx_queue_of[planned->index]));
}

static void plug_handover(struct spill_handover *handover, const struct spill_port *port,
                          uint32_t rx_queues)
{
    handover->rss.fields[port->id] = port->capabilities.rss_fields;
    handover->rss.queues[port->id] = rx_queues;
    handover->rss.table_sizes[port->id] =
        port->capabilities.rss_table > 0 ? port->capabilities.rss_table : SPILL_PORT_RSS_TABLE;
}

/* Captures alone wait until there is time: nothing of theirs is lost for want of it. */
static void set_pace(const struct spill_pipeline *pipeline, struct spill_fast *fast)
{
    const bool waits = spill_connect_all_can_wait(pipeline);

    fast->exits.fitting.most =
        waits ? INT64_MAX / 2 : (int64_t)(rte_get_tsc_hz() / US_PER_S * FITTING_US);
    for (uint32_t i = 0; i < fast->receive.input_count; i++) {
        if (fast->receive.inputs[i].channel != NULL)
            fast->receive.inputs[i].can_wait = waits;
    }
}

static struct spill_input *find_input(struct spill_receive *receive, uint32_t index, uint32_t queue)
{
    for (uint32_t i = 0; i < receive->input_count; i++) {
        struct spill_input *input = &receive->inputs[i];

        if (input->channel == NULL && input->index == index && input->queue == queue)
            return input;
    }
    return NULL;
}

static struct spill_spread_queue *find_queue(struct spill_spread *spread, uint32_t index,
                                             uint32_t queue)
{
    for (uint32_t i = 0; i < spread->queue_count; i++) {
        if (spread->queues[i].index == index && spread->queues[i].queue == queue)
            return &spread->queues[i];
    }
    return NULL;
}

/* Whether all owners have room for the port's queues. Places of queues that left stay. */
static int check_queues(struct spill_pipeline *pipeline, uint32_t index, struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;
    uint32_t wanted[SPILL_LCORES_MAX] = {0};

    for (uint32_t queue = 0; queue < plan->ports[index].rx_queues; queue++) {
        const uint32_t owner = (uint32_t)plan->ports[index].rx[queue].owner;
        struct spill_pipeline_lcore *lcore = &pipeline->lcores[owner];
        const uint32_t there =
            lcore->spread != NULL ? lcore->spread->queue_count : lcore->fast->receive.input_count;

        if (lcore->spread != NULL ? find_queue(lcore->spread, index, queue) == NULL
                                  : find_input(&lcore->fast->receive, index, queue) == NULL)
            wanted[owner]++;
        if (there + wanted[owner] > SPILL_INPUTS_MAX)
            return spill_error_set(error, "lcore %s: more than %d receive queues",
                                   plan->lcores[owner].name, SPILL_INPUTS_MAX - 2);
    }
    return 0;
}

int spill_plug_port(struct spill_pipeline *pipeline, uint32_t index, struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;
    const struct spill_port *port = port_of(pipeline, index);

    if (check_queues(pipeline, index, error) != 0)
        return -1;
    if (spill_connect_channels(pipeline, error) != 0 || plug_outputs(pipeline, index, error) != 0)
        return -1;
    for (uint32_t i = 1; i < plan->lcore_count; i++) {
        struct spill_fast *fast = pipeline->lcores[i].fast;

        if (fast == NULL)
            continue;
        plug_exit(pipeline, &plan->lcores[i], fast, index);
        plug_handover(&fast->handover, port, plan->ports[index].rx_queues);
        fast->receive.zones[port->id] = zone_of(pipeline, index);
        if (plan->ports[index].peer >= 0) /* its id may have been a routed port's */
            fast->routing.routed[port->id] = false;
        set_pace(pipeline, fast);
    }
    spill_links_set(&pipeline->links, port->id, (struct spill_link){.lost = false});
    return 0;
}

/* ----------------------------------------------------------------------- the interfaces */

int spill_plug_interface(struct spill_pipeline *pipeline, uint16_t number,
                         struct spill_error *error)
{
    const struct spill_plan *plan = pipeline->config.plan;

    for (uint32_t i = 1; i < plan->lcore_count; i++) {
        struct spill_fast *fast = pipeline->lcores[i].fast;

        if (fast != NULL && spill_routing_add_interface(&fast->routing, number,
                                                        plan->lcores[i].memory_node, error) != 0)
            return -1;
    }
    return 0;
}

void spill_plug_no_interface(struct spill_pipeline *pipeline, uint16_t number)
{
    for (uint32_t i = 1; i < pipeline->config.plan->lcore_count; i++) {
        struct spill_fast *fast = pipeline->lcores[i].fast;

        if (fast != NULL)
            spill_routing_remove_interface(&fast->routing, number);
    }
}

/* -------------------------------------------------------------------------- the inputs */

static void open_input(struct spill_receive *receive, uint32_t index, uint16_t queue,
                       const struct spill_port *port)
{
    struct spill_input *input = find_input(receive, index, queue);
    const bool is_new = input == NULL;

    if (is_new)
        input = &receive->inputs[receive->input_count];
    input->port = port->id;
    input->index = (uint16_t)index;
    input->queue = queue;
    input->can_wait = port->device.finite_source;
    __atomic_store_n(&input->closed, false, __ATOMIC_RELEASE);
    if (is_new)
        __atomic_store_n(&receive->input_count, receive->input_count + 1, __ATOMIC_RELEASE);
}

static void open_queue(const struct spill_pipeline *pipeline, struct spill_spread *spread,
                       uint32_t index, uint16_t number)
{
    const struct spill_port *port = port_of(pipeline, index);
    struct spill_spread_queue *queue = find_queue(spread, index, number);
    const bool is_new = queue == NULL;

    if (is_new)
        queue = &spread->queues[spread->queue_count];
    queue->port = port->id;
    queue->index = (uint16_t)index;
    queue->queue = number;
    queue->zone = zone_of(pipeline, index);
    queue->routed = pipeline->config.plan->ports[index].peer < 0;
    queue->can_wait = port->device.finite_source;
    __atomic_store_n(&queue->closed, false, __ATOMIC_RELEASE);
    if (is_new)
        __atomic_store_n(&spread->queue_count, spread->queue_count + 1, __ATOMIC_RELEASE);
}

/* Its owners have room: spill_plug_port() saw to it. */
void spill_plug_open(struct spill_pipeline *pipeline, uint32_t index)
{
    const struct spill_plan_port *planned = &pipeline->config.plan->ports[index];

    for (uint16_t queue = 0; queue < planned->rx_queues; queue++) {
        const struct spill_pipeline_lcore *lcore = &pipeline->lcores[planned->rx[queue].owner];

        if (lcore->spread != NULL)
            open_queue(pipeline, lcore->spread, index, queue);
        else
            open_input(&lcore->fast->receive, index, queue, port_of(pipeline, index));
    }
}

void spill_plug_close(struct spill_pipeline *pipeline, uint32_t index)
{
    for (uint32_t i = 1; i < pipeline->config.plan->lcore_count; i++) {
        struct spill_fast *fast = pipeline->lcores[i].fast;
        struct spill_spread *spread = pipeline->lcores[i].spread;

        for (uint32_t j = 0; fast != NULL && j < fast->receive.input_count; j++) {
            struct spill_input *input = &fast->receive.inputs[j];

            if (input->channel == NULL && input->index == index)
                __atomic_store_n(&input->closed, true, __ATOMIC_RELEASE);
        }
        for (uint32_t j = 0; spread != NULL && j < spread->queue_count; j++) {
            if (spread->queues[j].index == index)
                __atomic_store_n(&spread->queues[j].closed, true, __ATOMIC_RELEASE);
        }
    }
}

/* ------------------------------------------------------------------------------- leaving */

bool spill_plug_is_idle(const struct spill_pipeline *pipeline, uint32_t index)
{
    for (uint32_t i = 1; i < pipeline->config.plan->lcore_count; i++) {
        const struct spill_transmitter *transmitter =
            spill_pipeline_transmitter(&pipeline->lcores[i]);

        for (uint32_t j = 0; transmitter != NULL && j < transmitter->output_count; j++) {
            const struct spill_output *output = transmitter->outputs[j];

            if (output->index == index &&
                (__atomic_load_n(&output->waiting, __ATOMIC_RELAXED) > 0 ||
                 (output->channel != NULL && !rte_ring_empty(output->channel->ring))))
                return false;
        }
    }
    return true;
}

void spill_plug_count_anew(struct spill_pipeline *pipeline, uint32_t index)
{
    for (uint32_t i = 1; i < pipeline->config.plan->lcore_count; i++) {
        struct spill_pipeline_lcore *lcore = &pipeline->lcores[i];
        const struct spill_transmitter *transmitter = spill_pipeline_transmitter(lcore);

        for (uint32_t j = 0; lcore->fast != NULL && j < lcore->fast->receive.input_count; j++) {
            struct spill_input *input = &lcore->fast->receive.inputs[j];

            if (input->channel == NULL && input->index == index)
                input->received = 0;
        }
        for (uint32_t j = 0; lcore->spread != NULL && j < lcore->spread->queue_count; j++) {
            if (lcore->spread->queues[j].index == index)
                lcore->spread->queues[j].received = 0;
        }
        for (uint32_t j = 0; transmitter != NULL && j < transmitter->output_count; j++) {
            if (transmitter->outputs[j]->index == index)
                transmitter->outputs[j]->transmitted = transmitter->outputs[j]->retried = 0;
        }
    }
}

void spill_plug_again(struct spill_pipeline *pipeline, uint32_t index)
{
    spill_links_set(&pipeline->links, port_of(pipeline, index)->id,
                    (struct spill_link){.lost = false});
}

void spill_plug_unplug(struct spill_pipeline *pipeline, uint32_t index)
{
    spill_links_set(&pipeline->links, port_of(pipeline, index)->id,
                    (struct spill_link){.lost = true});
}
