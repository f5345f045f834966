/* SPDX-License-Identifier: BSD-3-Clause */
/* What works, but costs: looks over a finished plan. */
#include <inttypes.h>
#include <string.h>

#include "plan_steps.h"

/* Writes the names of lcores, at most four of them. */
struct names {
    char text[96];
    unsigned count;
};

static void add_name(struct names *names, const char *name)
{
    size_t used = strlen(names->text);

    if (names->count < 4)
        snprintf(names->text + used, sizeof(names->text) - used, "%s%s",
                 names->count > 0 ? ", " : "", name);
    else if (names->count == 4)
        snprintf(names->text + used, sizeof(names->text) - used, ", ...");
    names->count++;
}

/* A port's queues are owned on other nodes. */
static void warn_remote_owners(struct spill_plan *plan, const struct spill_plan_port *port, bool rx)
{
    const struct spill_plan_queue *queues = rx ? port->rx : port->tx;
    unsigned count = rx ? port->rx_queues : port->tx_queues;
    struct names names = {0};
    bool seen[SPILL_LCORES_MAX] = {false};
    unsigned q;

    if (port->node < 0)
        return;
    for (q = 0; q < count; q++) {
        int owner = queues[q].owner;

        if (plan->lcores[owner].node != port->node && !seen[owner])
            add_name(&names, plan->lcores[owner].name);
        seen[owner] = true;
    }
    if (names.count > 0)
        spill_plan_warn(plan,
                        "port %s is on node %d, but its %s queues are on another node (%s): each "
                        "packet crosses between nodes",
                        port->name, port->node, rx ? "rx" : "tx", names.text);
}

static void warn_shared_cpus(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned cpu, i;

    for (cpu = 0; cpu < input->topology->cpu_limit; cpu++) {
        struct names names = {0};

        for (i = 1; i < plan->lcore_count; i++)
            if (plan->lcores[i].cpu == (int)cpu)
                add_name(&names, plan->lcores[i].name);
        if (names.count > 1)
            spill_plan_warn(plan,
                            "%u polling lcores take turns on CPU %u: each waits for the others "
                            "(%s)",
                            names.count, cpu, names.text);
    }
}

static void warn_siblings(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned i, j;

    for (i = 1; i < plan->first[SPILL_ROLE_POOL]; i++)
        for (j = plan->first[SPILL_ROLE_POOL]; j < plan->lcore_count; j++)
            if (spill_topology_siblings(input->topology, plan->lcores[i].cpu, plan->lcores[j].cpu))
                spill_plan_warn(plan,
                                "%s (CPU %d) and %s (CPU %d) are threads of one core: expensive "
                                "work slows packets there",
                                plan->lcores[i].name, plan->lcores[i].cpu, plan->lcores[j].name,
                                plan->lcores[j].cpu);
}

/* CPUs that the process may use and that no lcore of the plan has. */
static unsigned free_cpus(const struct spill_plan_input *input, const struct spill_plan *plan,
                          bool isolated_only)
{
    bool used[SPILL_CPUS_MAX] = {false};
    unsigned i, count = 0;

    for (i = 0; i < plan->lcore_count; i++)
        used[plan->lcores[i].cpu] = true;
    for (i = 0; i < input->topology->cpu_limit; i++) {
        const struct spill_cpu *cpu = &input->topology->cpus[i];

        if (cpu->present && cpu->allowed && !used[i] && (cpu->isolated || !isolated_only))
            count++;
    }
    return count;
}

/* Control sleeps mostly, so beside a worker it costs only where there would be room elsewhere. */
static void warn_control(const struct spill_plan_input *input, struct spill_plan *plan)
{
    bool room = free_cpus(input, plan, false) > 0;
    unsigned i, j;

    for (i = 1; i < plan->lcore_count; i++)
        for (j = 0; j < plan->control.count; j++)
            if (plan->lcores[i].cpu == plan->control.cpus[j] &&
                (room || plan->lcores[i].role != SPILL_ROLE_POOL))
                spill_plan_warn(plan,
                                "%s polls on CPU %d, where the control thread runs: reports and "
                                "telemetry interrupt it",
                                plan->lcores[i].name, plan->lcores[i].cpu);
}

static void warn_not_isolated(const struct spill_plan_input *input, struct spill_plan *plan)
{
    struct names names = {0};
    unsigned i, room = free_cpus(input, plan, true);

    for (i = 1; i < plan->lcore_count; i++)
        if (!input->topology->cpus[plan->lcores[i].cpu].isolated)
            add_name(&names, plan->lcores[i].name);
    if (names.count > 0 && room > 0)
        spill_plan_warn(
            plan, "%u isolated CPUs are unused, while the kernel may run other work beside %s",
            room, names.text);
}

static void warn_lcores(struct spill_plan *plan)
{
    unsigned i;

    for (i = 0; i < plan->lcore_count; i++) {
        const struct spill_plan_lcore *lcore = &plan->lcores[i];

        if (lcore->memory_node != lcore->node)
            spill_plan_warn(plan,
                            "%s runs on node %d, which has no memory: it uses that of node %d",
                            lcore->name, lcore->node, lcore->memory_node);
        if ((lcore->role == SPILL_ROLE_RX && lcore->rx_queues == 0) ||
            (lcore->role == SPILL_ROLE_TX && lcore->tx_queues == 0))
            spill_plan_warn(plan, "%s (CPU %d) has nothing to do: no queue is left for it",
                            lcore->name, lcore->cpu);
        if (lcore->role == SPILL_ROLE_FAST && lcore->pool >= 0 &&
            plan->pools[lcore->pool].node != lcore->memory_node)
            spill_plan_warn(plan, "%s on node %d hands its expensive work to the pool on node %d",
                            lcore->name, lcore->node, plan->pools[lcore->pool].node);
    }
    for (i = 0; i < plan->pool_count; i++)
        if (plan->pools[i].served == 0 && plan->count[SPILL_ROLE_FAST] > 0)
            spill_plan_warn(plan,
                            "the pool lcores on node %d have nothing to do: no fast lcore is "
                            "nearest to them",
                            plan->pools[i].node);
}

static void warn_memory(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned i, used = 0;

    for (i = 0; i < plan->node_limit; i++) {
        const struct spill_plan_node *node = &plan->nodes[i];

        used += node->used ? 1 : 0;
        if (node->hugepages_missing > 0)
            spill_plan_warn(plan,
                            "node %u has %" PRIu64 " free hugepages of 2 MiB too few; as root: %s",
                            i, node->hugepages_missing, node->command);
    }
    if (input->memory_mode == SPILL_MEMORY_NO_HUGE && used > 1)
        spill_plan_warn(plan, "--no-huge: memory can't be placed, though %u nodes take part", used);
}

/* Packets that come by the larger end may not fit the other. */
static void warn_unequal_ends(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned i;

    for (i = 0; i < plan->port_count; i++) {
        const struct spill_plan_port_input *one = &input->ports[i], *other;

        if (plan->ports[i].peer <= (int)i)
            continue;
        other = &input->ports[plan->ports[i].peer];
        if (one->mtu != other->mtu && !one->no_mtu && !other->no_mtu)
            spill_plan_warn(
                plan,
                "wire %s:%s: MTU %u at the one end, %u at the other: larger packets are "
                "fragmented or refused; give both the same",
                one->name, other->name, one->mtu, other->mtu);
    }
}

void spill_plan_find_warnings(const struct spill_plan_input *input, struct spill_plan *plan)
{
    unsigned i;

    warn_memory(input, plan);
    warn_unequal_ends(input, plan);
    for (i = 0; i < plan->port_count; i++) {
        warn_remote_owners(plan, &plan->ports[i], true);
        warn_remote_owners(plan, &plan->ports[i], false);
    }
    warn_shared_cpus(input, plan);
    warn_control(input, plan);
    warn_siblings(input, plan);
    warn_not_isolated(input, plan);
    warn_lcores(plan);
}
