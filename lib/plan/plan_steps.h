/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_PLAN_STEPS_H
#define SPILLWAY_PLAN_STEPS_H

#include "plan.h"

/**
 * @file
 * The steps of spill_plan_compute(), in their order. Internal: not installed. Each reads the input
 * and what the steps before it wrote to the plan, and returns 0, or -1 with an error.
 */

/** Ports, wires and classes are sound; fills the ports' names, nodes and peers. */
int spill_plan_take_ports(const struct spill_plan_input *input, struct spill_plan *plan,
                          struct spill_error *error);

/** CPUs for the roles that were left to the plan: fills `roles`, which holds the user's. */
int spill_plan_choose_cpus(const struct spill_plan_input *input,
                           struct spill_cpu_list roles[SPILL_ROLES], struct spill_error *error);

/** Describes the next lcore of a role, and counts nothing. */
void spill_plan_describe_lcore(const struct spill_topology *topology, const struct spill_plan *plan,
                               enum spill_role role, int cpu, unsigned id,
                               struct spill_plan_lcore *lcore);

/** Checks the roles, and makes lcores of them. */
int spill_plan_make_lcores(const struct spill_plan_input *input, struct spill_plan *plan,
                           struct spill_error *error);

/** Queues, their owners, and the channels between lcores. */
int spill_plan_assign_queues(const struct spill_plan_input *input, struct spill_plan *plan,
                             struct spill_error *error);

/** Pools, and which fast lcores they serve. */
void spill_plan_assign_pools(const struct spill_plan_input *input, struct spill_plan *plan);

/** Mempools, and the memory of each node. */
int spill_plan_size_memory(const struct spill_plan_input *input, struct spill_plan *plan,
                           struct spill_error *error);

/** Looks over a finished plan for what costs. */
void spill_plan_find_warnings(const struct spill_plan_input *input, struct spill_plan *plan);

/** Adds a warning; the last one says how many did not fit. */
__attribute__((format(printf, 2, 3))) void spill_plan_warn(struct spill_plan *plan,
                                                           const char *format, ...);

#endif
