/* SPDX-License-Identifier: BSD-3-Clause */
/* Roles to lcores: checks what the user asked for, and numbers the lcores. */
#include <stdarg.h>
#include <string.h>

#include <rte_config.h>

#include "plan_steps.h"

_Static_assert(SPILL_LCORES_MAX <= RTE_MAX_LCORE, "the EAL has fewer lcores than a plan may have");

/* Appends to a text; what does not fit is cut off. */
__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size,
                                                         const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

/* The CPUs of the machine, or those that the process may use, as "0-3,8". */
static void list_cpus(const struct spill_topology *topology, bool allowed_only, char *text,
                      size_t size)
{
    unsigned first, last;

    text[0] = '\0';
    for (first = 0; first < topology->cpu_limit; first = last + 1) {
        last = first;
        if (!topology->cpus[first].present || (allowed_only && !topology->cpus[first].allowed))
            continue;
        while (last + 1 < topology->cpu_limit && topology->cpus[last + 1].present &&
               (!allowed_only || topology->cpus[last + 1].allowed))
            last++;
        append(text, size, first == last ? "%s%u" : "%s%u-%u", text[0] == '\0' ? "" : ",", first,
               last);
    }
}

int spill_plan_check_cpu(const struct spill_topology *topology, const char *where, int cpu,
                         bool any, struct spill_error *error)
{
    char list[256];

    if (cpu < 0 || cpu >= (int)topology->cpu_limit || !topology->cpus[cpu].present) {
        list_cpus(topology, false, list, sizeof(list));
        return spill_error_set(error, "%s: there is no CPU %d; this machine has %s", where, cpu,
                               list);
    }
    if (!any && !topology->cpus[cpu].allowed) {
        list_cpus(topology, true, list, sizeof(list));
        return spill_error_set(error,
                               "%s: CPU %d is outside of the affinity mask of this process, %s "
                               "(see taskset, cpuset)",
                               where, cpu, list);
    }
    return 0;
}

static int check_role(const struct spill_plan_input *input, enum spill_role role,
                      struct spill_error *error)
{
    /* Once the EAL runs, it has set the affinity of each lcore itself. */
    const bool any = input->given_count > 0;
    const struct spill_cpu_list *list = &input->roles[role];
    const char *where = input->where[role];
    char flag[16];
    unsigned i;

    snprintf(flag, sizeof(flag), "--%s", spill_role_name(role));
    for (i = 0; i < list->count; i++)
        if (spill_plan_check_cpu(input->topology, where != NULL ? where : flag, list->cpus[i], any,
                                 error) != 0)
            return -1;
    return 0;
}

static int check_roles(const struct spill_plan_input *input, struct spill_error *error)
{
    unsigned role, i;

    for (role = 0; role < SPILL_ROLES; role++)
        if (check_role(input, role, error) != 0)
            return -1;
    for (i = 0; i < input->given_count; i++)
        if (spill_plan_check_cpu(input->topology, "", input->given[i].cpu, true, error) != 0)
            return spill_error_set(error, "EAL lcore %u is on CPU %d, which is not known here",
                                   input->given[i].id, input->given[i].cpu);
    for (role = SPILL_ROLE_RX; role <= SPILL_ROLE_TX; role++)
        if (input->roles[role].count > 0 && input->roles[SPILL_ROLE_FAST].count == 0)
            return spill_error_set(error, "--%s: needs fast lcores to work with; give --fast LIST",
                                   spill_role_name(role));
    return 0;
}

/* The EAL's main lcore is control, wherever it is; a wish for another CPU comes too late. */
static int take_given_control(const struct spill_plan_input *input, struct spill_cpu_list *control,
                              struct spill_error *error)
{
    unsigned i, j;

    for (i = 0; i < input->given_count; i++)
        if (input->given[i].id == input->given_main)
            break;
    if (i == input->given_count)
        return spill_error_set(error, "the EAL's main lcore %u is not among its lcores",
                               input->given_main);
    for (j = 0; j < control->count; j++)
        if (control->cpus[j] == input->given[i].cpu)
            break;
    if (j == control->count && control->count > 0)
        return spill_error_set(error,
                               "--control: the EAL's main lcore %u is on CPU %d, which is not in "
                               "the list; choose it by the EAL's --main-lcore",
                               input->given_main, input->given[i].cpu);
    if (control->count == 0) {
        control->cpus[0] = input->given[i].cpu;
        control->count = 1;
    }
    return 0;
}

/* Of the EAL's lcores: the one with the lowest id on a CPU that has no role yet; -1 if none. */
static int find_given(const struct spill_plan_input *input, const bool *taken, int cpu)
{
    int best = -1;
    unsigned i;

    for (i = 0; i < input->given_count; i++)
        if (!taken[i] && input->given[i].cpu == cpu &&
            (best < 0 || input->given[i].id < input->given[best].id))
            best = (int)i;
    return best;
}

void spill_plan_describe_lcore(const struct spill_topology *topology, const struct spill_plan *plan,
                               enum spill_role role, int cpu, unsigned id,
                               struct spill_plan_lcore *lcore)
{
    const int node = topology->cpus[cpu].node;

    *lcore = (struct spill_plan_lcore){
        .id = id,
        .role = role,
        .index = plan->count[role],
        .cpu = cpu,
        .node = node,
        .memory_node = spill_topology_memory_node(topology, node),
        .pool = -1,
    };
    if (role == SPILL_ROLE_CONTROL)
        snprintf(lcore->name, sizeof(lcore->name), "control");
    else
        snprintf(lcore->name, sizeof(lcore->name), "%s%u", spill_role_name(role), lcore->index);
}

static void add_lcore(const struct spill_plan_input *input, struct spill_plan *plan,
                      enum spill_role role, int cpu, unsigned id)
{
    spill_plan_describe_lcore(input->topology, plan, role, cpu, id,
                              &plan->lcores[plan->lcore_count]);
    plan->count[role]++;
    plan->lcore_count++;
}

static int add_role(const struct spill_plan_input *input, struct spill_plan *plan,
                    enum spill_role role, const struct spill_cpu_list *list, bool *taken,
                    struct spill_error *error)
{
    unsigned i;
    int given;

    plan->first[role] = plan->lcore_count;
    for (i = 0; i < list->count; i++) {
        if (plan->lcore_count == SPILL_LCORES_MAX)
            return spill_error_set(error, "--%s: too many lcores; %d at most, control included",
                                   spill_role_name(role), SPILL_LCORES_MAX);
        if (input->given_count == 0) {
            add_lcore(input, plan, role, list->cpus[i], plan->lcore_count);
            continue;
        }
        given = find_given(input, taken, list->cpus[i]);
        if (given < 0)
            return spill_error_set(
                error,
                "--%s: the EAL has no lcore left on CPU %d; each time that a CPU "
                "stands in a role needs an lcore beside the main one "
                "(such as --lcores 0@0,1@%d)",
                spill_role_name(role), list->cpus[i], list->cpus[i]);
        taken[given] = true;
        add_lcore(input, plan, role, list->cpus[i], input->given[given].id);
    }
    return 0;
}

/* Control first, then role by role; with given lcores, control is the main one. */
static int add_lcores(const struct spill_plan_input *input, struct spill_plan *plan,
                      const struct spill_cpu_list *roles, struct spill_error *error)
{
    bool taken[SPILL_LCORES_MAX] = {false};
    unsigned main_id = 0, role, i;
    int control_cpu = plan->control.cpus[0];

    for (i = 0; i < input->given_count; i++) {
        if (input->given[i].id != input->given_main)
            continue;
        taken[i] = true;
        main_id = input->given[i].id;
        control_cpu = input->given[i].cpu;
    }
    add_lcore(input, plan, SPILL_ROLE_CONTROL, control_cpu, main_id);
    for (role = SPILL_ROLE_FAST; role < SPILL_ROLES; role++)
        if (add_role(input, plan, role, &roles[role], taken, error) != 0)
            return -1;
    for (i = 0; i < input->given_count; i++)
        if (!taken[i])
            plan->idle[plan->idle_count++] = input->given[i].id;
    return 0;
}

static void mark_shared(struct spill_plan *plan)
{
    unsigned i, j;

    for (i = 1; i < plan->lcore_count; i++) {
        struct spill_plan_lcore *lcore = &plan->lcores[i];

        for (j = 1; j < plan->lcore_count; j++)
            if (i != j && lcore->cpu == plan->lcores[j].cpu)
                lcore->shared = true;
        lcore->preemptible = lcore->shared;
        for (j = 0; j < plan->control.count; j++)
            if (lcore->cpu == plan->control.cpus[j])
                lcore->preemptible = true;
    }
}

/* What the EAL's --lcores takes: "0@(0,3),1@1". */
static void write_eal_lcores(struct spill_plan *plan)
{
    char *text = plan->eal_lcores;
    size_t size = sizeof(plan->eal_lcores);
    unsigned i;

    if (plan->control.count == 1) {
        append(text, size, "%u@%d", plan->lcores[0].id, plan->control.cpus[0]);
    } else {
        for (i = 0; i < plan->control.count; i++)
            append(text, size, i == 0 ? "0@(%d" : ",%d", plan->control.cpus[i]);
        append(text, size, ")");
    }
    for (i = 1; i < plan->lcore_count; i++)
        append(text, size, ",%u@%d", plan->lcores[i].id, plan->lcores[i].cpu);
}

int spill_plan_make_lcores(const struct spill_plan_input *input, struct spill_plan *plan,
                           struct spill_error *error)
{
    struct spill_cpu_list roles[SPILL_ROLES];

    memcpy(roles, input->roles, sizeof(roles));
    if (input->given_count > SPILL_LCORES_MAX)
        return spill_error_set(error, "the EAL has %u lcores; %d at most", input->given_count,
                               SPILL_LCORES_MAX);
    if (check_roles(input, error) != 0)
        return -1;
    if (input->given_count > 0 && take_given_control(input, &roles[SPILL_ROLE_CONTROL], error) != 0)
        return -1;
    plan->automatic = roles[SPILL_ROLE_FAST].count == 0;
    if (spill_plan_choose_cpus(input, roles, error) != 0)
        return -1;
    plan->control = roles[SPILL_ROLE_CONTROL];
    if (add_lcores(input, plan, roles, error) != 0)
        return -1;
    mark_shared(plan);
    write_eal_lcores(plan);
    return 0;
}
