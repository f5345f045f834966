/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/workers.h"

#include <stdlib.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "control/log.h"
#include "pipeline/crew.h"
#include "program.h"
#include "runtime/thread.h"

#define LOOK_US 500                 /* between two looks at whether workers have left */
#define LATE_NS UINT64_C(100000000) /* likewise, for those that nobody waits for any more */

/* What becomes of the lcores of a plan. */
struct choice {
    struct spill_program *program;
    struct spill_plan *plan; /* the program's; of what is only asked, a copy of it */
    const char *where;       /* that the CPUs are given */
    bool asks;
    struct spill_workers *workers;
    bool taken[SPILL_LCORES_MAX]; /* it stays, or comes */
};

/* ------------------------------------------------------------------------------- who leaves */

static void note_left(struct spill_program *program, uint32_t index)
{
    const struct spill_plan_lcore *lcore = &program->plan.lcores[index];

    spill_plan_set_presence(&program->plan, index, SPILL_AWAY);
    SPILL_LOG(NOTICE, "worker %s has left CPU %d", lcore->name, lcore->cpu);
}

/* Notes those that have left since they were waited for. Returns whether others are still to. */
static bool settle(struct spill_program *program)
{
    bool more = false;

    for (uint32_t i = 1; i < program->plan.lcore_count; i++) {
        if (spill_plan_presence(&program->plan.lcores[i]) != SPILL_LEAVING)
            continue;
        if (spill_crew_has_left(program->pipeline, i))
            note_left(program, i);
        else
            more = true;
    }
    return more;
}

/* While a reload goes on, they are its. */
static void look(void *context)
{
    struct spill_program *program = context;

    if (program->reload == NULL && !settle(program))
        spill_event_remove(&program->late_workers);
}

void spill_workers_watch(struct spill_program *program)
{
    if (settle(program) &&
        spill_events_every(&program->events, &program->late_workers, LATE_NS, look, program) != 0)
        SPILL_LOG(ERR, "no memory for a timer: that workers have left is noted at the next reload");
}

void spill_workers_retire(struct spill_program *program, const struct spill_workers *workers)
{
    const uint64_t deadline = spill_clock() + spill_cycles(program->options.drain_timeout_ns);
    uint32_t i;

    for (i = 0; i < workers->leave_count; i++) {
        spill_plan_set_presence(&program->plan, workers->leave[i], SPILL_LEAVING);
        spill_crew_leave(program->pipeline, workers->leave[i]);
    }
    for (i = 0; i < workers->leave_count; i++) {
        const struct spill_plan_lcore *lcore = &program->plan.lcores[workers->leave[i]];

        while (!spill_crew_has_left(program->pipeline, workers->leave[i]) &&
               spill_clock() < deadline && !spill_token_cancelled(&program->stop))
            rte_delay_us_sleep(LOOK_US);
        if (spill_crew_has_left(program->pipeline, workers->leave[i]))
            note_left(program, workers->leave[i]);
        else if (!spill_token_cancelled(&program->stop))
            SPILL_LOG(WARNING, "worker %s leaves CPU %d, but is still at work", lcore->name,
                      lcore->cpu);
    }
}

/* -------------------------------------------------------------------------------- who comes */

void spill_workers_begin(struct spill_program *program, const struct spill_workers *workers)
{
    for (uint32_t i = 0; i < workers->come_count; i++) {
        const uint32_t index = workers->come[i];
        const struct spill_plan_lcore *lcore = &program->plan.lcores[index];
        const struct spill_loop *loop = program->pipeline->lcores[index].loop;

        if (program->options.stall_timeout_ns != 0 && loop->thread == 0) /* it has never run */
            spill_watchdog_watch(&program->watchdog, &loop->heartbeat, lcore->id);
        if (spill_crew_come(program->pipeline, index) != 0) {
            SPILL_LOG(ERR, "worker %s can't be launched on CPU %d", lcore->name, lcore->cpu);
            continue;
        }
        spill_plan_set_presence(&program->plan, index, SPILL_PRESENT);
        SPILL_LOG(NOTICE, "worker %s is there, on CPU %d", lcore->name, lcore->cpu);
    }
}

/* Nothing is wrong with it but that others are there already. */
static int takes_restart(const struct choice *choice, int cpu, const struct spill_error *reason,
                         struct spill_error *error)
{
    return spill_error_set(error, "%s: no worker can come on CPU %d: %s: expected a restart",
                           choice->where, cpu, reason->text);
}

/* What could be told without taking anything has been. */
static int make_lcore(struct spill_program *program, struct spill_plan_lcore *place,
                      struct spill_error *error)
{
    struct spill_thread *thread = spill_thread_create(place->name, place->cpu, error);
    struct spill_crypto_user user;

    if (thread == NULL)
        return -1;
    place->id = spill_thread_lcore(thread);
    user = (struct spill_crypto_user){.id = place->id, .node = place->memory_node};
    if (program->sas == NULL || spill_sa_store_add_lcore(program->sas, &user, error) == 0)
        return spill_crew_add(program->pipeline, place, thread, error);
    spill_thread_free(thread);
    return -1;
}

/* A new place, behind the others. Returns its index, or -1 with an error. */
static int make_place(const struct choice *choice, int cpu, struct spill_error *error)
{
    struct spill_program *program = choice->program;
    struct spill_plan_lcore *place;
    struct spill_error reason;

    if (spill_plan_check_cpu(&program->topology, choice->where, cpu, false, error) != 0)
        return -1;
    if (!spill_topology_is_online(SPILL_SYSFS, cpu))
        return spill_error_set(
            error, "%s: CPU %d is switched off (" SPILL_SYSFS "/devices/system/cpu/cpu%d/online)",
            choice->where, cpu, cpu);
    place = spill_plan_add_worker(choice->plan, &program->topology, cpu, &reason);
    if (place == NULL ||
        (program->crypto != NULL && spill_crypto_check_more(program->crypto, &reason) != 0))
        return takes_restart(choice, cpu, &reason, error);
    if (!choice->asks && make_lcore(program, place, &reason) != 0)
        return spill_error_set(error, "%s: no worker can come on CPU %d: %s", choice->where, cpu,
                               reason.text);
    spill_plan_count_worker(choice->plan);
    return (int)choice->plan->lcore_count - 1;
}

/* The first worker on a CPU that is not taken yet; -1: none. */
static int find(const struct choice *choice, int cpu, enum spill_plan_presence presence)
{
    const struct spill_plan *plan = choice->plan;

    for (uint32_t i = plan->first[SPILL_ROLE_POOL]; i < plan->lcore_count; i++) {
        if (!choice->taken[i] && plan->lcores[i].cpu == cpu &&
            spill_plan_presence(&plan->lcores[i]) == presence)
            return (int)i;
    }
    return -1;
}

/* A worker for a CPU that has none left. */
static int bring_one(struct choice *choice, int cpu, struct spill_error *error)
{
    int place = find(choice, cpu, SPILL_AWAY);

    if (place < 0 && find(choice, cpu, SPILL_LEAVING) >= 0)
        return spill_error_set(error,
                               "%s: the worker that leaves CPU %d is still at work: expected "
                               "another try later",
                               choice->where, cpu);
    if (place < 0)
        place = make_place(choice, cpu, error);
    if (place < 0)
        return -1;
    choice->taken[place] = true;
    choice->workers->come[choice->workers->come_count++] = (uint8_t)place;
    return 0;
}

/* ------------------------------------------------------------------------------ the choice */

static struct spill_cpu_list wanted(const struct spill_program *program,
                                    const struct spill_options *options)
{
    const struct spill_plan *plan = &program->plan;
    struct spill_cpu_list list = options->plan.roles[SPILL_ROLE_POOL];

    for (uint32_t i = 0;
         options->plan.roles[SPILL_ROLE_POOL].count == 0 && i < program->workers_at_start; i++)
        list.cpus[list.count++] = plan->lcores[plan->first[SPILL_ROLE_POOL] + i].cpu;
    return list;
}

/* Whoever is not taken leaves, but not the last one that jobs are handed to. */
static int choose_leaving(struct choice *choice, struct spill_error *error)
{
    const struct spill_plan *plan = choice->plan;
    struct spill_workers *workers = choice->workers;
    uint32_t left[SPILL_NODES_MAX] = {0};
    uint32_t i;

    for (i = plan->first[SPILL_ROLE_POOL]; i < plan->lcore_count; i++) {
        if (choice->taken[i])
            left[plan->lcores[i].pool]++;
        else if (spill_plan_presence(&plan->lcores[i]) == SPILL_PRESENT)
            workers->leave[workers->leave_count++] = (uint8_t)i;
    }
    for (i = 0; i < plan->pool_count; i++) {
        if (plan->pools[i].served > 0 && left[i] == 0)
            return spill_error_set(error,
                                   "%s: the last worker on node %d can't leave, as fast lcores "
                                   "hand jobs to it: expected one CPU there, or a restart",
                                   choice->where, plan->pools[i].node);
    }
    return 0;
}

static int choose(struct choice *choice, const struct spill_options *options,
                  struct spill_error *error)
{
    const struct spill_cpu_list list = wanted(choice->program, options);
    const char *where = spill_option_where(&options->roles, "pool");
    bool here[SPILL_LCORES_MAX] = {false}; /* by index in the list */
    uint32_t i;

    choice->where = where != NULL ? where : "pool, not given, as at the start";
    for (i = 0; i < list.count; i++) {
        const int worker = find(choice, list.cpus[i], SPILL_PRESENT);

        here[i] = worker >= 0;
        if (here[i])
            choice->taken[worker] = true;
    }
    for (i = 0; i < list.count; i++) {
        if (!here[i] && bring_one(choice, list.cpus[i], error) != 0)
            return -1;
    }
    return choose_leaving(choice, error);
}

int spill_workers_bring(struct spill_program *program, const struct spill_options *options,
                        struct spill_workers *workers, struct spill_error *error)
{
    struct choice choice = {.program = program, .plan = &program->plan, .workers = workers};

    *workers = (struct spill_workers){.come_count = 0};
    settle(program);
    return choose(&choice, options, error);
}

int spill_workers_ask(struct spill_program *program, const struct spill_options *options,
                      struct spill_error *error)
{
    struct spill_workers workers = {.come_count = 0};
    struct choice choice = {.program = program, .asks = true, .workers = &workers};
    int status;

    choice.plan = malloc(sizeof(*choice.plan));
    if (choice.plan == NULL)
        return spill_error_set(error, "no memory for a plan");
    settle(program);
    *choice.plan = program->plan;
    status = choose(&choice, options, error);
    free(choice.plan);
    return status;
}
