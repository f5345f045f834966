/* SPDX-License-Identifier: BSD-3-Clause */
/* The plan as a whole: its input, the order of its steps, the ports. */
#include <ctype.h>
#include <string.h>

#include "plan_steps.h"

void spill_plan_input_init(struct spill_plan_input *input, const struct spill_topology *topology)
{
    memset(input, 0, sizeof(*input));
    input->topology = topology;
    input->burst = 32;
    input->channel_capacity = 1024;
    input->tx_backlog = 256;
    input->mempool_cache = 256;
    input->private_size = 64;
    input->data_room = 2048;
}

void spill_plan_keep_lcores(struct spill_plan_input *input, const struct spill_plan *plan)
{
    unsigned i;

    input->given_count = plan->lcore_count;
    input->given_main = plan->lcores[0].id;
    for (i = 0; i < plan->lcore_count; i++)
        input->given[i] = (struct spill_plan_given){plan->lcores[i].id, plan->lcores[i].cpu};
}

static int find_port(const struct spill_plan *plan, const char *name)
{
    unsigned i;

    for (i = 0; i < plan->port_count; i++)
        if (strcmp(plan->ports[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* Names become part of the names of rings and mempools, and of flags such as NAME:VALUE. */
static int check_name(const struct spill_plan *plan, const char *name, struct spill_error *error)
{
    size_t i;

    for (i = 0; name[i] != '\0'; i++)
        if (!isalnum((unsigned char)name[i]) && strchr("-_.", name[i]) == NULL)
            return spill_error_set(
                error, "--port '%s': '%c' in the name; letters, digits, - _ . are right", name,
                name[i]);
    if (i == 0 || i > SPILL_NAME_LENGTH)
        return spill_error_set(error, "--port '%s': a name has 1 to %d characters", name,
                               SPILL_NAME_LENGTH);
    if (find_port(plan, name) >= 0)
        return spill_error_set(error, "--port %s: two ports have this name", name);
    return 0;
}

static int check_queues(const char *name, const char *direction, unsigned wanted, unsigned most,
                        struct spill_error *error)
{
    if (wanted > SPILL_QUEUES_MAX)
        return spill_error_set(error, "--%s-queues %s:%u: a port has at most %d", direction, name,
                               wanted, SPILL_QUEUES_MAX);
    if (most > 0 && wanted > most)
        return spill_error_set(error, "--%s-queues %s:%u: the device has %u", direction, name,
                               wanted, most);
    return 0;
}

static int take_wires(const struct spill_plan_input *input, struct spill_plan *plan,
                      struct spill_error *error)
{
    unsigned i, end;
    int ports[2];

    for (i = 0; i < input->wire_count; i++) {
        const struct spill_plan_wire *wire = &input->wires[i];

        for (end = 0; end < 2; end++) {
            ports[end] = find_port(plan, wire->ports[end]);
            if (ports[end] < 0)
                return spill_error_set(error,
                                       "--wire %s:%s: there is no port '%s'; --port %s=DEVICE"
                                       " makes one",
                                       wire->ports[0], wire->ports[1], wire->ports[end],
                                       wire->ports[end]);
            if (plan->ports[ports[end]].peer >= 0)
                return spill_error_set(error, "--wire %s:%s: port '%s' is in two wires",
                                       wire->ports[0], wire->ports[1], wire->ports[end]);
        }
        if (ports[0] == ports[1])
            return spill_error_set(error, "--wire %s:%s: a wire has two different ports",
                                   wire->ports[0], wire->ports[1]);
        plan->ports[ports[0]].peer = ports[1];
        plan->ports[ports[1]].peer = ports[0];
    }
    return 0;
}

int spill_plan_take_ports(const struct spill_plan_input *input, struct spill_plan *plan,
                          struct spill_error *error)
{
    const struct spill_topology *topology = input->topology;
    unsigned i;

    if (input->port_count > SPILL_PORTS_MAX || input->wire_count > SPILL_PORTS_MAX / 2)
        return spill_error_set(error, "--port: %u ports; %d at most", input->port_count,
                               SPILL_PORTS_MAX);
    for (i = 0; i < input->port_count; i++) {
        const struct spill_plan_port_input *from = &input->ports[i];
        struct spill_plan_port *port = &plan->ports[i];

        if (check_name(plan, from->name, error) != 0 ||
            check_queues(from->name, "rx", from->rx_queues, from->rx_queues_max, error) != 0 ||
            check_queues(from->name, "tx", from->tx_queues, from->tx_queues_max, error) != 0)
            return -1;
        snprintf(port->name, sizeof(port->name), "%s", from->name);
        port->left = from->left;
        port->peer = -1;
        /* Some devices, and machines without NUMA, name a node that does not exist. */
        port->node = from->node >= 0 && from->node < (int)topology->node_limit &&
                             topology->nodes[from->node].present
                         ? from->node
                         : -1;
        plan->port_count++;
    }
    return take_wires(input, plan, error);
}

int spill_plan_compute(const struct spill_plan_input *input, struct spill_plan *plan,
                       struct spill_error *error)
{
    memset(plan, 0, sizeof(*plan));
    if (spill_topology_memory_node(input->topology, -1) < 0)
        return spill_error_set(error, "no NUMA node of this machine has memory that this process "
                                      "may use; see cpuset.mems of its cgroup");
    if (spill_plan_take_ports(input, plan, error) != 0 ||
        spill_plan_make_lcores(input, plan, error) != 0 ||
        spill_plan_assign_queues(input, plan, error) != 0)
        return -1;
    spill_plan_assign_pools(input, plan);
    if (spill_plan_size_memory(input, plan, error) != 0)
        return -1;
    spill_plan_find_warnings(input, plan);
    return 0;
}
