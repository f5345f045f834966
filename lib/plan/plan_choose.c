/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CPUs for the roles that the user left open.
 *
 * There is a list of slots: places for one lcore each. The EAL's lcores when there are some
 * already, else one for each CPU worth taking. Fast and pool lcores take turns in choosing the
 * cheapest slot left, until the fast lcores are as many as the devices have queues for, or nothing
 * good is left.
 */
#include <limits.h>
#include <string.h>

#include "plan_steps.h"

/* What is wrong with a slot, by weight. From NO_GAIN on it is taken only by the first of a role. */
#define DISTANCE_MAX 255    /* of its node; also where it is not known */
#define COST_BUSY    300    /* sibling of control, or of another worker */
#define COST_NOISY   1000   /* not isolated */
#define COST_NO_GAIN 10000  /* sibling of a polling lcore that it slows */
#define COST_SHARED  100000 /* its CPU has an lcore already */

/* Workers beside a single fast lcore: more of them have less and less to do. */
#define POOL_MAX 4
/* A device that can spread flows, as long as its number of queues is not known. */
#define QUEUES_GUESS 4

struct slot {
    int cpu;
    bool taken;
};

struct slots {
    const struct spill_plan_input *input;
    struct spill_cpu_list *roles; /* what has been chosen so far */
    unsigned count;
    struct slot slots[SPILL_CPUS_MAX];
};

static bool in_list(const struct spill_cpu_list *list, int cpu)
{
    unsigned i;

    for (i = 0; i < list->count; i++)
        if (list->cpus[i] == cpu)
            return true;
    return false;
}

static bool in_any_list(const struct spill_cpu_list *roles, int cpu)
{
    unsigned role;

    for (role = 0; role < SPILL_ROLES; role++)
        if (in_list(&roles[role], cpu))
            return true;
    return false;
}

static bool usable(const struct spill_topology *topology, unsigned cpu)
{
    return topology->cpus[cpu].present && topology->cpus[cpu].allowed;
}

/* A CPU for the control thread: one that no other role has, and not an isolated one. */
static int choose_control(const struct spill_topology *topology, const struct spill_cpu_list *roles)
{
    int best = -1, cost, best_cost = INT_MAX;
    unsigned cpu;

    for (cpu = 0; cpu < topology->cpu_limit; cpu++) {
        if (!usable(topology, cpu))
            continue;
        cost = (in_any_list(roles, (int)cpu) ? 2 : 0) + (topology->cpus[cpu].isolated ? 1 : 0);
        if (cost < best_cost) {
            best_cost = cost;
            best = (int)cpu;
        }
    }
    return best;
}

/* ---------------------------------------------------------------------------- the slots */

/* Adds a slot in the order of CPUs, so that lcores made for a plan get the same roles again. */
static void add_slot(struct slots *slots, int cpu)
{
    unsigned i;

    for (i = slots->count++; i > 0 && slots->slots[i - 1].cpu > cpu; i--)
        slots->slots[i] = slots->slots[i - 1];
    slots->slots[i] = (struct slot){cpu, false};
}

/* Keeps the slots of which `keep` is true, unless these are too few for a fast and a pool lcore. */
static void filter_slots(struct slots *slots,
                         bool (*keep)(const struct slots *slots, int cpu, const void *context),
                         const void *context)
{
    unsigned i, kept = 0;

    for (i = 0; i < slots->count; i++)
        if (keep(slots, slots->slots[i].cpu, context))
            kept++;
    if (kept < 2)
        return;
    kept = 0;
    for (i = 0; i < slots->count; i++)
        if (keep(slots, slots->slots[i].cpu, context))
            slots->slots[kept++] = slots->slots[i];
    slots->count = kept;
}

static bool is_isolated(const struct slots *slots, int cpu, const void *context)
{
    (void)context;
    return slots->input->topology->cpus[cpu].isolated;
}

static bool is_on_node(const struct slots *slots, int cpu, const void *context)
{
    const bool *nodes = context;

    return nodes[slots->input->topology->cpus[cpu].node];
}

/* The nodes to run on: those of the ports; where none is known, the one with the most slots. */
static void find_nodes(const struct slots *slots, bool nodes[SPILL_NODES_MAX])
{
    const struct spill_plan_input *input = slots->input;
    unsigned on_node[SPILL_NODES_MAX] = {0};
    unsigned i, most = 0;
    bool found = false;

    for (i = 0; i < slots->count; i++)
        on_node[input->topology->cpus[slots->slots[i].cpu].node]++;
    for (i = 0; i < input->port_count; i++) {
        int node = input->ports[i].node;

        if (node >= 0 && node < SPILL_NODES_MAX && on_node[node] > 0)
            nodes[node] = found = true;
    }
    for (i = 1; i < SPILL_NODES_MAX; i++)
        if (on_node[i] > on_node[most])
            most = i;
    if (!found)
        nodes[most] = true;
}

static void fill_slots(struct slots *slots)
{
    const struct spill_plan_input *input = slots->input;
    const struct spill_cpu_list *roles = slots->roles;
    bool nodes[SPILL_NODES_MAX] = {false};
    unsigned i;

    if (input->given_count > 0) {
        for (i = 0; i < input->given_count; i++)
            if (input->given[i].id != input->given_main)
                add_slot(slots, input->given[i].cpu);
        return;
    }
    for (i = 0; i < input->topology->cpu_limit; i++)
        if (usable(input->topology, i) && !in_any_list(roles, (int)i))
            add_slot(slots, (int)i);
    filter_slots(slots, is_isolated, NULL);
    find_nodes(slots, nodes);
    filter_slots(slots, is_on_node, nodes);
    /* On one or two CPUs, control has to share: it hardly ever runs. */
    if (slots->count < 2)
        add_slot(slots, roles[SPILL_ROLE_CONTROL].cpus[0]);
}

/* ------------------------------------------------------------------------- the choosing */

/* The distance of a CPU from what an lcore there would work with: ports, or the fast lcores. */
static unsigned distance_cost(const struct slots *slots, enum spill_role role, int cpu)
{
    const struct spill_plan_input *input = slots->input;
    const struct spill_topology *topology = input->topology;
    const struct spill_cpu_list *fast = &slots->roles[SPILL_ROLE_FAST];
    unsigned i, distance, nearest = DISTANCE_MAX;
    int node = topology->cpus[cpu].node;

    if (role == SPILL_ROLE_POOL && fast->count > 0) {
        distance = spill_topology_distance(topology,
                                           topology->cpus[fast->cpus[fast->count - 1]].node, node);
        return distance < DISTANCE_MAX ? distance : DISTANCE_MAX;
    }
    for (i = 0; i < input->port_count; i++) {
        distance = spill_topology_distance(topology, input->ports[i].node, node);
        nearest = distance < nearest ? distance : nearest;
    }
    return nearest;
}

static unsigned slot_cost(const struct slots *slots, enum spill_role role, int cpu)
{
    const struct spill_topology *topology = slots->input->topology;
    unsigned cost = distance_cost(slots, role, cpu);
    unsigned other, i;

    if (!topology->cpus[cpu].isolated)
        cost += COST_NOISY;
    for (other = 0; other < SPILL_ROLES; other++) {
        const struct spill_cpu_list *list = &slots->roles[other];

        for (i = 0; i < list->count; i++) {
            bool mild = other == SPILL_ROLE_CONTROL ||
                        (other == SPILL_ROLE_POOL && role == SPILL_ROLE_POOL);

            if (list->cpus[i] == cpu)
                cost += COST_SHARED;
            else if (spill_topology_siblings(topology, list->cpus[i], cpu))
                cost += mild ? COST_BUSY : COST_NO_GAIN;
        }
    }
    return cost;
}

/* Gives a role one more CPU. Returns false when no slot is left that would gain anything. */
static bool choose_one(struct slots *slots, enum spill_role role)
{
    struct spill_cpu_list *list = &slots->roles[role];
    unsigned i, cost, best_cost = UINT_MAX;
    struct slot *best = NULL;

    for (i = 0; i < slots->count; i++) {
        if (slots->slots[i].taken)
            continue;
        cost = slot_cost(slots, role, slots->slots[i].cpu);
        if (cost < best_cost) {
            best_cost = cost;
            best = &slots->slots[i];
        }
    }
    if (best == NULL || list->count == SPILL_LCORES_MAX / 2 - 1 ||
        (list->count > 0 && best_cost >= COST_NO_GAIN))
        return false;
    best->taken = true;
    list->cpus[list->count++] = best->cpu;
    return true;
}

/* The fast lcores that each port can feed without help: its useful queues. */
static unsigned useful_fast_lcores(const struct spill_plan_input *input)
{
    unsigned i, rx, tx, useful = UINT_MAX;

    for (i = 0; i < input->port_count; i++) {
        const struct spill_plan_port_input *port = &input->ports[i];

        rx = port->rx_queues > 0 ? port->rx_queues : port->rx_queues_max;
        if (rx == 0)
            rx = QUEUES_GUESS;
        if (!port->symmetric_rss)
            rx = 1;
        tx = port->tx_queues > 0 ? port->tx_queues : port->tx_queues_max;
        useful = rx < useful ? rx : useful;
        useful = tx > 0 && tx < useful ? tx : useful;
    }
    return input->port_count > 0 ? useful : 1;
}

/* Of the EAL's lcores, takes those that the user has made pool lcores. */
static void take_given_slots(struct slots *slots)
{
    const struct spill_cpu_list *pool = &slots->roles[SPILL_ROLE_POOL];
    unsigned i, j;

    for (i = 0; i < pool->count; i++) {
        for (j = 0; j < slots->count; j++) {
            if (!slots->slots[j].taken && slots->slots[j].cpu == pool->cpus[i]) {
                slots->slots[j].taken = true;
                break;
            }
        }
    }
}

static void choose_fast_and_pool(struct slots *slots)
{
    struct spill_cpu_list *fast = &slots->roles[SPILL_ROLE_FAST];
    struct spill_cpu_list *pool = &slots->roles[SPILL_ROLE_POOL];
    unsigned useful = useful_fast_lcores(slots->input);
    bool choose_pool = pool->count == 0;
    const struct spill_topology *topology = slots->input->topology;
    bool nodes[SPILL_NODES_MAX] = {false};

    if (slots->input->given_count > 0)
        take_given_slots(slots);
    while (fast->count < useful && choose_one(slots, SPILL_ROLE_FAST))
        if (choose_pool)
            choose_one(slots, SPILL_ROLE_POOL);
    if (!choose_pool || fast->count != 1 || pool->count == 0)
        return;
    nodes[topology->cpus[fast->cpus[0]].node] = true;
    filter_slots(slots, is_on_node, nodes);
    while (pool->count < POOL_MAX && choose_one(slots, SPILL_ROLE_POOL))
        ;
}

int spill_plan_choose_cpus(const struct spill_plan_input *input,
                           struct spill_cpu_list roles[SPILL_ROLES], struct spill_error *error)
{
    struct spill_cpu_list *control = &roles[SPILL_ROLE_CONTROL];
    struct slots slots = {.input = input, .roles = roles};

    if (control->count == 0) {
        control->cpus[0] = choose_control(input->topology, roles);
        if (control->cpus[0] < 0)
            return spill_error_set(error, "no CPU of this machine may be used by this process; see "
                                          "its affinity mask (taskset) and cpuset");
        control->count = 1;
    }
    if (roles[SPILL_ROLE_FAST].count > 0)
        return 0;
    fill_slots(&slots);
    choose_fast_and_pool(&slots);
    if (roles[SPILL_ROLE_FAST].count == 0)
        return spill_error_set(error,
                               "no lcore is left for the fast role: the EAL has the main "
                               "lcore, which is control, and %u more for --pool; give it one "
                               "more (such as --lcores 0@0,1@1)",
                               slots.count);
    return 0;
}
