/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_PLAN_INPUTS_H
#define SPILLWAY_TEST_PLAN_INPUTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"

/**
 * @file
 * Machines and plan inputs for the tests of plans.
 */

/**
 * A machine of `nodes` nodes with `cores` cores each and `threads` threads a core, numbered as
 * Linux does on most: first threads of all cores, node by node, then the second threads. 16 GiB and
 * 4096 free hugepages a node.
 */
static inline void make_machine(struct spill_topology *machine, unsigned nodes, unsigned cores,
                                unsigned threads)
{
    unsigned first_threads = nodes * cores, i, j;

    memset(machine, 0, sizeof(*machine));
    machine->has_node_folders = true;
    machine->node_limit = nodes;
    machine->cpu_limit = first_threads * threads;
    for (i = 0; i < machine->cpu_limit; i++)
        machine->cpus[i] = (struct spill_cpu){.present = true,
                                              .allowed = true,
                                              .node = (int)(i % first_threads / cores),
                                              .core = (int)(i % first_threads)};
    for (i = 0; i < nodes; i++) {
        machine->nodes[i].present = true;
        machine->nodes[i].memory_mib = 16384;
        machine->nodes[i].hugepage_sizes = 1;
        machine->nodes[i].hugepages[0] = (struct spill_hugepages){2048, 4096, 4096};
        for (j = 0; j < nodes; j++)
            machine->nodes[i].distance[j] = i == j ? 10 : i / 2 == j / 2 ? 16 : 32;
    }
}

/** Puts CPUs into a role: "1,2,2". */
static inline void set_role(struct spill_plan_input *input, enum spill_role role, const char *cpus)
{
    struct spill_cpu_list *list = &input->roles[role];

    list->count = 0;
    while (*cpus != '\0') {
        list->cpus[list->count++] = (int)strtol(cpus, (char **)&cpus, 10);
        cpus += *cpus == ',';
    }
}

/** Adds a port on a node whose device has so many queues, with symmetric RSS when these are
 * several. */
static inline struct spill_plan_port_input *add_port(struct spill_plan_input *input,
                                                     const char *name, int node, unsigned queues)
{
    struct spill_plan_port_input *port = &input->ports[input->port_count++];

    *port = (struct spill_plan_port_input){.node = node,
                                           .rx_queues_max = queues,
                                           .tx_queues_max = queues,
                                           .rx_descriptors = 1024,
                                           .tx_descriptors = 512,
                                           .mtu = 1500,
                                           .symmetric_rss = queues > 1};
    snprintf(port->name, sizeof(port->name), "%s", name);
    return port;
}

static inline void add_wire(struct spill_plan_input *input, const char *one, const char *other)
{
    struct spill_plan_wire *wire = &input->wires[input->wire_count++];

    snprintf(wire->ports[0], sizeof(wire->ports[0]), "%s", one);
    snprintf(wire->ports[1], sizeof(wire->ports[1]), "%s", other);
}

/** Two ports, lan and wan, on a wire; one class; tables. */
static inline void make_input(struct spill_plan_input *input, const struct spill_topology *machine,
                              int node, unsigned queues)
{
    spill_plan_input_init(input, machine);
    add_port(input, "lan", node, queues);
    add_port(input, "wan", node, queues);
    add_wire(input, "lan", "wan");
    input->class_count = 1;
    input->classes[0] = (struct spill_plan_class){.name = "classify", .capacity = 64};
    input->fragments = 100;
    input->flow_capacity = 65536;
    input->flow_bytes = 128;
    input->extra_bytes = 1 << 20;
}

#endif
