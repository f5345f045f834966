/* SPDX-License-Identifier: BSD-3-Clause */
/* Who owns which queue, and the channels and pools between lcores. */
#include <limits.h>
#include <string.h>

#include "plan_steps.h"

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* What a device can give: its own limit, once known, within ours. */
static unsigned queue_limit(unsigned most)
{
    return most > 0 ? least(most, SPILL_QUEUES_MAX) : SPILL_QUEUES_MAX;
}

/* Whether a port's own hash can hand each fast lcore its share, both directions to the same one. */
static bool port_feeds_fast(const struct spill_plan_port_input *port, unsigned fast)
{
    if (port->rx_queues > 0)
        return port->rx_queues % fast == 0 && (fast == 1 || port->symmetric_rss);
    return fast == 1 || (port->symmetric_rss && queue_limit(port->rx_queues_max) >= fast);
}

/* Whether two ports hand a flow's two directions to the same fast lcore: entry i of a
 * table is queue i modulo their number. */
static bool spread_alike(const struct spill_plan_port_input *one,
                         const struct spill_plan_port_input *other, unsigned fast)
{
    if (one->rss_fields != 0 && other->rss_fields != 0 && one->rss_fields != other->rss_fields)
        return false;
    return one->rss_table == other->rss_table ||
           (one->rss_table % fast == 0 && other->rss_table % fast == 0);
}

/* The port by which the other direction of a port's flows comes in: its peer, or, of ports in no
 * wire, which all lead to each other, the next. -1: there is none behind it. */
static int other_way(const struct spill_plan *plan, unsigned port)
{
    unsigned i;

    if (plan->ports[port].peer >= 0)
        return plan->ports[port].peer;
    for (i = port + 1; i < plan->port_count; i++) {
        if (plan->ports[i].peer < 0 && !plan->ports[i].left)
            return (int)i;
    }
    return -1;
}

static bool wires_agree(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned fast = plan->count[SPILL_ROLE_FAST], i;

    for (i = 0; fast > 1 && i < plan->port_count; i++) {
        int peer = other_way(plan, i);

        if (peer <= (int)i || spread_alike(&input->ports[i], &input->ports[peer], fast))
            continue;
        spill_plan_warn(plan,
                        "ports %s and %s hash different fields, or into tables of different size: "
                        "flows are spread in software",
                        plan->ports[i].name, plan->ports[peer].name);
        return false;
    }
    return true;
}

static bool must_spread(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned i;

    if (plan->count[SPILL_ROLE_RX] > 0)
        return true;
    for (i = 0; i < input->port_count; i++)
        if (!port_feeds_fast(&input->ports[i], plan->count[SPILL_ROLE_FAST]))
            return true;
    return !wires_agree(input, plan);
}

static unsigned rx_queue_count(const struct spill_plan_input *input, const struct spill_plan *plan,
                               const struct spill_plan_port_input *port)
{
    unsigned rx = plan->count[SPILL_ROLE_RX];
    unsigned wanted = plan->count[SPILL_ROLE_FAST];

    if (port->rx_queues > 0)
        return port->rx_queues;
    if (!port->symmetric_rss)
        return 1;
    if (rx > 0)
        wanted = rx > input->port_count ? rx / input->port_count : 1;
    return least(wanted, queue_limit(port->rx_queues_max));
}

static unsigned tx_queue_count(const struct spill_plan *plan,
                               const struct spill_plan_port_input *port)
{
    if (port->tx_queues > 0)
        return port->tx_queues;
    if (plan->count[SPILL_ROLE_TX] > 0)
        return 1;
    return least(plan->count[SPILL_ROLE_FAST], queue_limit(port->tx_queues_max));
}

/*
 * Of a role's lcores, the one to own a further queue of a port: on the port's node if one is there,
 * among those the one that owns the fewest.
 */
static int choose_owner(const struct spill_plan *plan, enum spill_role role, int node, bool rx)
{
    unsigned i, load, best_load = UINT_MAX;
    int best = -1;

    for (i = plan->first[role]; i < plan->first[role] + plan->count[role]; i++) {
        const struct spill_plan_lcore *lcore = &plan->lcores[i];

        load = rx ? lcore->rx_queues : lcore->tx_queues;
        if (node >= 0 && lcore->node != node)
            load += SPILL_PORTS_MAX * SPILL_QUEUES_MAX;
        if (load < best_load) {
            best_load = load;
            best = (int)i;
        }
    }
    return best;
}

static void assign_rx(const struct spill_plan_input *input, struct spill_plan *plan, unsigned index)
{
    enum spill_role role = plan->count[SPILL_ROLE_RX] > 0 ? SPILL_ROLE_RX : SPILL_ROLE_FAST;
    unsigned fast = plan->count[SPILL_ROLE_FAST] > 0 ? plan->count[SPILL_ROLE_FAST] : 1, q;
    struct spill_plan_port *port = &plan->ports[index];

    port->rx_queues = rx_queue_count(input, plan, &input->ports[index]);
    for (q = 0; q < port->rx_queues; q++) {
        port->rx[q].channel = -1;
        port->rx[q].owner = plan->spread ? choose_owner(plan, role, port->node, true)
                                         : (int)(plan->first[SPILL_ROLE_FAST] + q % fast);
        plan->lcores[port->rx[q].owner].rx_queues++;
    }
}

static void assign_tx(const struct spill_plan_input *input, struct spill_plan *plan, unsigned index)
{
    unsigned fast = plan->count[SPILL_ROLE_FAST], q, i;
    struct spill_plan_port *port = &plan->ports[index];
    bool apart = plan->count[SPILL_ROLE_TX] > 0;

    port->tx_queues = tx_queue_count(plan, &input->ports[index]);
    for (q = 0; q < port->tx_queues; q++) {
        port->tx[q].channel = -1;
        port->tx[q].owner = apart ? choose_owner(plan, SPILL_ROLE_TX, port->node, false)
                                  : (int)(plan->first[SPILL_ROLE_FAST] + q % fast);
        plan->lcores[port->tx[q].owner].tx_queues++;
    }
    for (i = 0; i < fast; i++)
        port->tx_queue_of[i] = (uint8_t)(i % port->tx_queues);
}

/* ----------------------------------------------------------------------------- channels */

/* Adds a channel without senders. */
static struct spill_plan_channel *add_channel(const struct spill_plan_input *input,
                                              struct spill_plan *plan, int reader)
{
    struct spill_plan_channel *channel = &plan->channels[plan->channel_count++];

    channel->reader = reader;
    channel->node = plan->lcores[reader].memory_node;
    channel->capacity = input->channel_capacity;
    channel->preemptible = plan->lcores[reader].preemptible;
    return channel;
}

static void add_sender(const struct spill_plan *plan, struct spill_plan_channel *channel, int lcore)
{
    if (spill_plan_channel_sends(channel, (unsigned)lcore))
        return;
    channel->senders[lcore / 64] |= UINT64_C(1) << (lcore % 64);
    channel->sender_count++;
    if (plan->lcores[lcore].preemptible)
        channel->preemptible = true;
}

/* When packets are spread, each owner of an rx queue sends to each fast lcore. One that is a fast
 * lcore itself sends its own share to itself as well: a fast lcore has one input, whoever received.
 */
static void add_fast_channel(const struct spill_plan_input *input, struct spill_plan *plan,
                             unsigned index)
{
    int reader = (int)(plan->first[SPILL_ROLE_FAST] + index);
    struct spill_plan_channel *channel = NULL;
    unsigned i;

    plan->fast_channel[index] = -1;
    if (!plan->spread)
        return;
    for (i = 0; i < plan->lcore_count; i++) {
        if (plan->lcores[i].rx_queues == 0)
            continue;
        if (channel == NULL) {
            plan->fast_channel[index] = (int)plan->channel_count;
            channel = add_channel(input, plan, reader);
            snprintf(channel->name, sizeof(channel->name), "fast%u", index);
        }
        add_sender(plan, channel, (int)i);
    }
}

/* Packets that came to another fast lcore than theirs are handed over, as received until it is
 * known whose they are. */
static void add_handover_channels(const struct spill_plan_input *input, struct spill_plan *plan,
                                  unsigned index, bool own)
{
    int reader = (int)(plan->first[SPILL_ROLE_FAST] + index), sender;
    int *number = own ? &plan->own_channel[index] : &plan->fast_channel[index];
    struct spill_plan_channel *channel;
    unsigned i;

    if (own)
        *number = -1;
    if (plan->count[SPILL_ROLE_FAST] == 1 || *number >= 0)
        return;
    *number = (int)plan->channel_count;
    channel = add_channel(input, plan, reader);
    channel->capacity = least(channel->capacity, SPILL_PLAN_HANDOVER);
    snprintf(channel->name, sizeof(channel->name), own ? "fast%u.own" : "fast%u", index);
    for (i = 0; i < plan->count[SPILL_ROLE_FAST]; i++) {
        sender = (int)(plan->first[SPILL_ROLE_FAST] + i);
        if (sender != reader)
            add_sender(plan, channel, sender);
    }
}

/* A tx queue that others than its owner use has a channel to its owner. */
static void add_tx_channels(const struct spill_plan_input *input, struct spill_plan *plan,
                            unsigned index)
{
    struct spill_plan_port *port = &plan->ports[index];
    struct spill_plan_channel *channel;
    unsigned i;

    for (i = 0; i < plan->count[SPILL_ROLE_FAST]; i++) {
        struct spill_plan_queue *queue = &port->tx[port->tx_queue_of[i]];
        int lcore = (int)(plan->first[SPILL_ROLE_FAST] + i);

        if (queue->owner == lcore)
            continue;
        if (queue->channel < 0) {
            queue->channel = (int)plan->channel_count;
            channel = add_channel(input, plan, queue->owner);
            snprintf(channel->name, sizeof(channel->name), "%s.tx%u", input->ports[index].name,
                     port->tx_queue_of[i]);
        }
        add_sender(plan, &plan->channels[queue->channel], lcore);
    }
}

int spill_plan_assign_queues(const struct spill_plan_input *input, struct spill_plan *plan,
                             struct spill_error *error)
{
    unsigned i;

    if (input->channel_capacity == 0 || input->burst == 0)
        return spill_error_set(error,
                               "channels of %u packets and bursts of %u: both must be above 0",
                               input->channel_capacity, input->burst);
    plan->spread = must_spread(input, plan);
    for (i = 0; i < plan->port_count; i++) {
        assign_rx(input, plan, i);
        assign_tx(input, plan, i);
    }
    for (i = 0; i < plan->count[SPILL_ROLE_FAST]; i++)
        add_fast_channel(input, plan, i);
    for (i = 0; i < plan->count[SPILL_ROLE_FAST]; i++) {
        add_handover_channels(input, plan, i, false);
        add_handover_channels(input, plan, i, true);
    }
    for (i = 0; i < plan->port_count; i++)
        add_tx_channels(input, plan, i);
    return 0;
}

/* -------------------------------------------------------------------------------- pools */

/* The pool on a node; made if there is none. */
static int take_pool(struct spill_plan *plan, int node)
{
    unsigned i;

    for (i = 0; i < plan->pool_count; i++)
        if (plan->pools[i].node == node)
            return (int)i;
    plan->pools[plan->pool_count] = (struct spill_plan_pool){.node = node};
    return (int)plan->pool_count++;
}

/* The nearest pool; of several, the one with the fewest fast lcores for each of its workers. */
static int nearest_pool(const struct spill_plan_input *input, const struct spill_plan *plan,
                        const struct spill_plan_lcore *lcore)
{
    unsigned i, distance, best_distance = UINT_MAX;
    int best = -1;

    for (i = 0; i < plan->pool_count; i++) {
        const struct spill_plan_pool *pool = &plan->pools[i];

        distance = spill_topology_distance(input->topology, lcore->memory_node, pool->node);
        if (distance < best_distance ||
            (distance == best_distance &&
             pool->served * plan->pools[best].workers < plan->pools[best].served * pool->workers)) {
            best_distance = distance;
            best = (int)i;
        }
    }
    return best;
}

void spill_plan_assign_pools(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned i, credits = 0;

    for (i = 0; i < input->class_count; i++)
        credits += input->classes[i].capacity;
    for (i = plan->first[SPILL_ROLE_POOL]; i < plan->lcore_count; i++) {
        plan->lcores[i].pool = take_pool(plan, plan->lcores[i].memory_node);
        plan->pools[plan->lcores[i].pool].workers++;
    }
    for (i = plan->first[SPILL_ROLE_FAST];
         i < plan->first[SPILL_ROLE_FAST] + plan->count[SPILL_ROLE_FAST]; i++) {
        plan->lcores[i].pool = nearest_pool(input, plan, &plan->lcores[i]);
        if (plan->lcores[i].pool >= 0)
            plan->pools[plan->lcores[i].pool].served++;
    }
    for (i = 0; i < plan->lcore_count; i++)
        if (plan->lcores[i].pool >= 0 && plan->lcores[i].preemptible)
            plan->pools[plan->lcores[i].pool].preemptible = true;
    for (i = 0; i < plan->pool_count; i++)
        plan->pools[i].jobs = plan->pools[i].served * credits;
}
