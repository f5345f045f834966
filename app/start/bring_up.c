/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports, mempools, rules, pipeline: from a plan to running lcores. */
#include <stdio.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "control/log.h"
#include "control/steps.h"
#include "pipeline/watch.h"
#include "plan/placement.h"
#include "port/eal.h"
#include "port/unmap.h"
#include "program.h"
#include "runtime/stamp.h"
#include "start/steps.h"
#include "xfrm/server.h"

/* The shortest hang that ticks of a millisecond can tell from a control thread that came late. */
#define STALL_LEAST_NS UINT64_C(4000000)

int spill_program_find_ports(struct spill_program *program, struct spill_error *error)
{
    const struct spill_options *options = &program->options;

    for (uint32_t i = 0; i < options->port_count; i++) {
        if (options->eal_given && spill_eal_plug_in(&program->devices[i]) != 0)
            SPILL_LOG(DEBUG, "device %s can't be plugged in", program->devices[i].name);
        if (spill_port_find(options->ports[i].name, &program->devices[i], &program->ports[i],
                            error) != 0)
            return -1;
        program->port_count++;
    }
    return 0;
}

/* The queues of a port that is configured again let go of the mempool that they had. */
int spill_program_configure_port(struct spill_program *program, uint32_t index,
                                 struct spill_error *error)
{
    struct rte_mempool *before = program->mempools[index];
    const struct spill_option_port *option = &program->port_options[index];
    const struct spill_plan_port *planned = &program->plan.ports[index];
    const struct spill_plan_mempool *mempool = &planned->mempool;
    struct spill_port_config config = option->config;
    struct rte_mempool *pool;
    char name[32];

    snprintf(name, sizeof(name), "mbufs%s-%.19s", before != NULL ? "2" : "", planned->name);
    pool = spill_port_pool_create(name, (uint32_t)mempool->mbufs, SPILL_PACKET_PRIVATE_SIZE,
                                  (uint16_t)mempool->data_room, mempool->preemptible, mempool->node,
                                  error);
    if (pool == NULL)
        return -1;
    config.rx_queues = (uint16_t)planned->rx_queues;
    config.tx_queues = (uint16_t)planned->tx_queues;
    config.rss = planned->rx_queues > 1 && !program->plan.spread;
    config.pool = pool;
    if (spill_port_configure(&program->ports[index], &config, error) != 0) {
        if (before == NULL)
            program->mempools[index] = pool; /* which its queues may have */
        return -1;
    }
    program->mempools[index] = pool;
    rte_mempool_free(before);
    return 0;
}

/* What was asked for, with what there is now. */
static struct spill_pipeline_config pipeline_config(struct spill_program *program)
{
    struct spill_pipeline_config config = program->options.pipeline;

    config.plan = &program->plan;
    config.ports = program->ports;
    config.rules = program->rules;
    config.crypto = program->crypto;
    config.router = program->router;
    config.twins = program->host;
    config.stop = &program->stop;
    config.force = &program->force;
    return config;
}

static void tell_placement(const char *name, int planned, int found)
{
    SPILL_LOG(WARNING, "%s: planned on node %d, but the kernel has it on node %d", name, planned,
              found);
}

/* One piece of a mempool's memory; the argument is the port's plan. */
static void check_piece(struct rte_mempool *mempool, void *argument,
                        struct rte_mempool_memhdr *piece, unsigned index)
{
    const struct spill_plan_mempool *planned = argument;
    struct spill_placement found;

    (void)index;
    if (spill_placement_check(piece->addr, piece->len, planned->node, &found) == 1)
        tell_placement(mempool->name, planned->node, found.node);
}

/* Asks the kernel where all that the lcores use really is (law 8). */
static void check_placement(struct spill_program *program)
{
    uint32_t i;

    spill_pipeline_check_placement(program->pipeline, tell_placement);
    for (i = 0; i < program->port_count; i++)
        rte_mempool_mem_iter(program->mempools[i], check_piece, &program->plan.ports[i].mempool);
}

int spill_program_start_port(struct spill_program *program, uint32_t index,
                             struct spill_error *error)
{
    struct spill_port *port = &program->ports[index];
    uint32_t i;

    if (spill_port_start(port, error) != 0)
        return -1;
    for (i = 0; i < port->note_count; i++)
        SPILL_LOG(NOTICE, "%s", port->notes[i]);
    SPILL_LOG(INFO, "port %s: %s, %u rx and %u tx queues, MTU %u, link %s", port->name,
              port->driver, port->rx_queues, port->tx_queues, port->mtu,
              spill_port_link_up(port) ? "up" : "down");
    return 0;
}

static int start_ports(struct spill_program *program, struct spill_error *error)
{
    uint32_t i;

    for (i = 0; i < program->port_count; i++) {
        if (spill_program_start_port(program, i, error) != 0)
            return -1;
    }
    return 0;
}

/* Ports, rules and pipeline by the plan. */
static int build(struct spill_program *program, struct spill_error *error)
{
    struct spill_pipeline_config config;
    uint32_t i;

    for (i = 0; i < program->port_count; i++) {
        if (spill_program_configure_port(program, i, error) != 0)
            return -1;
    }
    if (program->rules == NULL && (spill_program_open_generation(program, error) != 0 ||
                                   spill_program_open_reload(program, error) != 0))
        return -1;
    if (spill_program_open_router(program, error) != 0 ||
        spill_program_open_twins(program, error) != 0)
        return -1;
    config = pipeline_config(program);
    program->pipeline = spill_pipeline_create(&config, error);
    if (program->pipeline == NULL)
        return -1;
    check_placement(program);
    return start_ports(program, error);
}

/* Whether a device spreads in a way of its own. That shows only when it is started. */
static bool any_refused(const struct spill_program *program)
{
    uint32_t i;

    for (i = 0; i < program->port_count; i++) {
        if (program->ports[i].rss_refused)
            return true;
    }
    return false;
}

/* All of it again, by a plan in which the devices don't spread. Rules and associations stay: the
 * lcores are the same. */
static int build_again(struct spill_program *program, struct spill_error *error)
{
    uint32_t i;

    for (i = 0; i < program->port_count; i++) {
        if (spill_port_stop(&program->ports[i], error) != 0)
            return -1;
    }
    spill_pipeline_free(program->pipeline);
    program->pipeline = NULL;
    return spill_program_plan_again(program, error) == 0 ? build(program, error) : -1;
}

int spill_program_bring_up(struct spill_program *program, struct spill_error *error)
{
    int status;
    uint32_t i;

    for (i = 0; i < program->plan.warning_count; i++)
        SPILL_LOG(WARNING, "%s", program->plan.warnings[i]);
    if (spill_stamp_register(error) != 0 || spill_watch_register(error) != 0)
        return -1;
    status = build(program, error);
    if (status != 0 && any_refused(program)) {
        SPILL_LOG(WARNING, "%s: flows are spread in software", error->text);
        status = build_again(program, error);
    }
    if (status != 0 || spill_program_open_rule_log(program, error) != 0)
        return -1;
    if (spill_program_start_telemetry(program, error) != 0)
        return -1;
    if (spill_xfrm_open(program, error) != 0)
        return -1;
    return spill_program_open_commands(program, error);
}

static void tell_stall(const struct spill_watchdog_report *report, void *argument)
{
    struct spill_program *program = argument;
    double milliseconds = (double)report->cycles * 1e3 / (double)rte_get_tsc_hz();
    const char *stage = report->stage != NULL ? report->stage : "between stages";

    if (report->over) {
        SPILL_LOG(WARNING, "lcore %u goes on after %.0f ms in '%s'", report->lcore_id, milliseconds,
                  stage);
        return;
    }
    __atomic_store_n(&program->stalls_told, program->stalls_told + 1, __ATOMIC_RELAXED);
    SPILL_LOG(WARNING, "lcore %u hangs in '%s' for %.0f ms", report->lcore_id, stage, milliseconds);
    if (program->options.on_stall == SPILL_OPTION_STALL_EXIT && spill_program_end(program, "stall"))
        spill_program_end_as(program, SPILL_OUTCOME_FAILED);
}

/* After so long it is told that an lcore is waited for. */
#define LEAVING_NS UINT64_C(1000000000)

/* The interrupt thread's. There is no end to it but the lcore's or the program's: the driver takes
 * away more than the memory next. */
static void await_lcores(void *context)
{
    const struct spill_program *program = context;

    if (spill_pipeline_await_turn(program->pipeline, LEAVING_NS))
        return;
    SPILL_LOG(WARNING, "a port's peer has left while an lcore hangs: its rings stay for so long");
    while (!spill_pipeline_await_turn(program->pipeline, LEAVING_NS))
        ;
}

int spill_program_launch(struct spill_program *program, struct spill_error *error)
{
    uint32_t i;

    if (program->options.stall_timeout_ns != 0) {
        spill_watchdog_init(
            &program->watchdog,
            spill_cycles(RTE_MAX(program->options.stall_timeout_ns, STALL_LEAST_NS)), tell_stall,
            program);
        for (i = 1; i < program->plan.lcore_count; i++)
            spill_watchdog_watch(&program->watchdog, &program->pipeline->lcores[i].loop->heartbeat,
                                 program->plan.lcores[i].id);
    }
    spill_program_init_links(program);
    spill_unmap_await(await_lcores, program);
    /* First: an lcore ends when the twins' thread has left, and never where there is none. */
    if (spill_program_start_host(program, error) != 0)
        return -1;
    program->workers_at_start = program->plan.count[SPILL_ROLE_POOL];
    program->started = spill_clock();
    if (spill_pipeline_launch(program->pipeline, error) != 0)
        return -1;
    return spill_program_follow_kernel(program, error);
}
