/* SPDX-License-Identifier: BSD-3-Clause */
/* What leaves: it is closed, what is under way is waited for, devices and mempools go. */
#include <string.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "control/log.h"
#include "control/steps.h"
#include "control/watching.h"
#include "control/wiring.h"
#include "pipeline/plug.h"
#include "port/eal.h"
#include "program.h"
#include "start/steps.h"

#define TURN_NS UINT64_C(1000000000) /* what lcores get to see what was written */
/* Between two looks at what is under way, and how many must see no change of it: some drivers keep
 * what they have sent. */
#define LOOK_US 500
#define QUIET   10
/* A closed port's buffers get so long to come home while the reload waits; then they come later. */
#define HOME_NS UINT64_C(100000000)

static void set_states(struct spill_program *program, const uint8_t *ports, uint32_t count,
                       enum spill_port_state state)
{
    pthread_mutex_lock(&program->holding); /* others may be reading of them */
    for (uint32_t i = 0; i < count; i++)
        program->port_states[ports[i]] = state;
    pthread_mutex_unlock(&program->holding);
}

static void set_routed_states(struct spill_program *program,
                              const struct spill_wiring_routed *routed, enum spill_port_state state)
{
    for (uint32_t i = 0; i < routed->count; i++)
        program->interface_states[routed->list[i]] = state;
}

/* ------------------------------------------------------------------------- what is routed */

/* What comes by it is unknown from here on, and flows go by other paths, where there are any. */
static void close_interface(struct spill_program *program, uint16_t index)
{
    spill_plug_no_interface(program->pipeline, index);
    spill_router_set_link(program->router, index, SPILL_LINK_OF_LEAVING, false);
    spill_twin_set_carrier(&program->host->twins[index].twin, false);
}

/* Its place in the lcores' tables is there: nothing fails. */
static void open_interface(struct spill_program *program, uint16_t index)
{
    const uint16_t port = program->interfaces[index].port;
    struct spill_error error;

    spill_plug_interface(program->pipeline, index, &error);
    spill_router_set_link(program->router, index, SPILL_LINK_OF_LEAVING, true);
    spill_twin_set_carrier(&program->host->twins[index].twin,
                           program->links[port].state == SPILL_LINK_UP);
}

static bool is_sub_port(const struct spill_program *program, uint16_t index)
{
    return program->interfaces[index].parent[0] != '\0';
}

int spill_wiring_give(struct spill_program *program, const struct spill_wiring *wiring,
                      const struct spill_options *before, const struct spill_options *options,
                      struct spill_error *error)
{
    if (program->router == NULL)
        return 0;
    for (uint32_t i = 0; i < wiring->routed_come.count; i++) {
        if (spill_program_follow_twin(program, wiring->routed_come.list[i], error) != 0)
            return -1;
    }
    if (spill_program_set_neighbors(program, before, options, error) != 0 ||
        spill_program_set_routes(program, before, options, error) != 0)
        return -1;
    spill_program_routes_changed(program);
    return 0;
}

void spill_wiring_take_back(struct spill_program *program, const struct spill_options *before,
                            const struct spill_options *options)
{
    struct spill_error error;

    if (program->router == NULL)
        return;
    if (spill_program_set_neighbors(program, options, before, &error) != 0 ||
        spill_program_set_routes(program, options, before, &error) != 0)
        SPILL_LOG(ERR, "reload: going back: %s", error.text);
    spill_program_routes_changed(program);
}

void spill_wiring_forget(struct spill_program *program, const struct spill_wiring *wiring)
{
    uint32_t i;

    for (i = 0; i < wiring->leave_count; i++)
        spill_watching_port_left(program, program->port_options[wiring->leave[i]].name);
    for (i = 0; i < wiring->routed_leave.count; i++)
        spill_program_leave_twin(program, wiring->routed_leave.list[i]);
}

/* Whether no route leads by any of it any more. */
static bool are_unused(const struct spill_program *program, const struct spill_wiring *wiring)
{
    for (uint32_t i = 0; i < wiring->routed_leave.count; i++) {
        if (spill_router_interface_used(program->router, wiring->routed_leave.list[i]))
            return false;
    }
    return true;
}

static bool let_interface_go(struct spill_program *program, uint16_t index)
{
    if (!spill_router_remove_interface(program->router, index))
        return false;
    program->interface_states[index] = SPILL_PORT_GONE;
    return true;
}

static void let_interfaces_go(struct spill_program *program, const struct spill_wiring *wiring)
{
    for (uint32_t i = 0; i < wiring->routed_leave.count; i++) {
        const uint16_t index = wiring->routed_leave.list[i];
        const char *name = program->interfaces[index].name;

        if (!let_interface_go(program, index))
            SPILL_LOG(WARNING, "port %s leaves, but routes still lead by it", name);
        else if (!wiring->undone && is_sub_port(program, index))
            SPILL_LOG(NOTICE, "port %s has left", name);
    }
}

/* ------------------------------------------------------------------------ close and open */

void spill_wiring_close(struct spill_program *program, const struct spill_wiring *wiring)
{
    uint32_t i;

    set_routed_states(program, &wiring->routed_leave, SPILL_PORT_LEAVING);
    set_states(program, wiring->leave, wiring->leave_count, SPILL_PORT_LEAVING);
    for (i = 0; i < wiring->leave_count; i++)
        spill_plug_close(program->pipeline, wiring->leave[i]);
    for (i = 0; i < wiring->routed_leave.count; i++)
        close_interface(program, wiring->routed_leave.list[i]);
}

void spill_wiring_admit(struct spill_program *program, const struct spill_wiring *wiring)
{
    uint32_t i;

    for (i = 0; i < wiring->come_count; i++) {
        const uint32_t index = wiring->come[i];

        program->port_after[index] = SPILL_PORT_GONE;
        program->links[index] = (struct spill_port_link){.mtu = program->ports[index].mtu};
        spill_plug_count_anew(program->pipeline, index);
        SPILL_LOG(NOTICE, "port %s is there", program->ports[index].name);
    }
    set_states(program, wiring->come, wiring->come_count, SPILL_PORT_THERE);
    set_routed_states(program, &wiring->routed_come, SPILL_PORT_THERE);
    for (i = 0; i < wiring->routed_come.count; i++) {
        if (is_sub_port(program, wiring->routed_come.list[i]))
            SPILL_LOG(NOTICE, "port %s is there",
                      program->interfaces[wiring->routed_come.list[i]].name);
    }
}

void spill_wiring_undo(struct spill_program *program, struct spill_wiring *wiring)
{
    uint32_t i;

    for (i = 0; i < wiring->leave_count; i++) {
        spill_plug_again(program->pipeline, wiring->leave[i]);
        spill_plug_open(program->pipeline, wiring->leave[i]);
    }
    for (i = 0; i < wiring->routed_leave.count; i++)
        open_interface(program, wiring->routed_leave.list[i]);
    set_states(program, wiring->leave, wiring->leave_count, SPILL_PORT_THERE);
    set_states(program, wiring->come, wiring->come_count, SPILL_PORT_LEAVING);
    set_routed_states(program, &wiring->routed_leave, SPILL_PORT_THERE);
    set_routed_states(program, &wiring->routed_come, SPILL_PORT_LEAVING);
    memcpy(wiring->leave, wiring->come, sizeof(wiring->leave));
    wiring->leave_count = wiring->come_count;
    wiring->routed_leave = wiring->routed_come;
    wiring->come_count = wiring->routed_come.count = 0;
    wiring->undone = true;
}

/* ------------------------------------------------------------------------- what is under way */

static uint32_t in_use(const struct spill_program *program, const struct spill_wiring *wiring)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < wiring->leave_count; i++) {
        if (program->mempools[wiring->leave[i]] != NULL)
            sum += rte_mempool_in_use_count(program->mempools[wiring->leave[i]]);
    }
    return sum;
}

static bool is_idle(const struct spill_program *program, const struct spill_wiring *wiring)
{
    for (uint32_t i = 0; i < wiring->leave_count; i++) {
        if (!spill_plug_is_idle(program->pipeline, wiring->leave[i]))
            return false;
    }
    return true;
}

/* Until nothing waits to be sent, and no buffer comes home any more. */
static void await_idle(const struct spill_program *program, const struct spill_wiring *wiring,
                       uint64_t deadline)
{
    uint32_t before = in_use(program, wiring), quiet = 0;

    while (quiet < QUIET && spill_clock() < deadline && !spill_token_cancelled(&program->stop)) {
        uint32_t now;

        rte_delay_us_sleep(LOOK_US);
        now = in_use(program, wiring);
        quiet = now == before && is_idle(program, wiring) ? quiet + 1 : 0;
        before = now;
    }
}

/* ---------------------------------------------------------------------------- what is closed */

/* An id that authentic packets came by is another port's one day. */
static void forget_id(struct spill_program *program, uint16_t id)
{
    const struct spill_generation *generation = spill_program_hold_generation(program);
    const struct spill_sa_set *sas = generation != NULL ? generation->sas : NULL;

    for (uint32_t i = 0; sas != NULL && i < sas->count; i++) {
        atomic_fetch_and_explicit(&sas->list[i]->state->ports, ~(UINT64_C(1) << id),
                                  memory_order_relaxed);
        sas->list[i]->told_ports &= ~(UINT64_C(1) << id);
    }
    spill_program_release_generation(program);
}

static void close_port(struct spill_program *program, uint32_t index)
{
    struct spill_port *port = &program->ports[index];

    if (port->open) {
        spill_port_flush_tx(port, 1, spill_clock() + spill_cycles(TURN_NS / 10));
        spill_port_stats(port, &program->port_stats[index]);
        spill_port_close(port);
    }
    spill_eal_unplug(&program->devices[index]);
}

/* Whether all buffers of a closed port are home; then its memory goes. */
static bool let_go(struct spill_program *program, uint32_t index, uint64_t deadline)
{
    struct spill_port *port = &program->ports[index];

    while (program->mempools[index] != NULL &&
           rte_mempool_in_use_count(program->mempools[index]) > port->kept_mbufs) {
        if (spill_clock() >= deadline || spill_token_cancelled(&program->stop))
            return false;
        rte_delay_us_sleep(LOOK_US);
    }
    rte_mempool_free(program->mempools[index]);
    program->mempools[index] = port->pool = NULL;
    port->kept_mbufs = 0;
    if (port->id < RTE_MAX_ETHPORTS)
        forget_id(program, port->id);
    port->id = RTE_MAX_ETHPORTS;       /* nobody's */
    port->device.finite_source = true; /* nothing comes by it that can't wait */
    program->links[index].state = SPILL_LINK_GONE;
    program->left = spill_clock();
    program->port_states[index] = program->port_after[index];
    return true;
}

static void tell_gone(const struct spill_program *program, uint32_t index)
{
    SPILL_LOG(NOTICE, "port %s has left", program->port_options[index].name);
}

static void unplug(struct spill_program *program, const struct spill_wiring *wiring)
{
    for (uint32_t i = 0; i < wiring->leave_count; i++) {
        if (program->ports[wiring->leave[i]].configured)
            spill_plug_unplug(program->pipeline, wiring->leave[i]);
    }
}

int spill_wiring_quiesce(struct spill_program *program, const struct spill_wiring *wiring,
                         struct spill_error *error)
{
    if (!spill_pipeline_await_turn(program->pipeline, TURN_NS))
        return spill_error_set(error, "an lcore hangs: expected another try later");
    await_idle(program, wiring, spill_clock() + spill_cycles(program->options.drain_timeout_ns));
    unplug(program, wiring);
    if (!spill_pipeline_await_turn(program->pipeline, TURN_NS))
        return spill_error_set(error, "an lcore hangs: expected another try later");
    return 0;
}

/* @return false: the program ends */
static bool await_turn(const struct spill_program *program)
{
    bool told = false;

    while (!spill_pipeline_await_turn(program->pipeline, TURN_NS)) {
        if (spill_token_cancelled(&program->stop))
            return false;
        if (!told)
            SPILL_LOG(WARNING, "reload: an lcore hangs: ports come and leave once it goes on");
        told = true;
    }
    return true;
}

static void close_twins(struct spill_program *program, const struct spill_wiring *wiring)
{
    for (uint32_t i = 0; i < wiring->routed_leave.count; i++) {
        spill_plug_no_interface(program->pipeline, wiring->routed_leave.list[i]);
        spill_host_remove_twin(program->host, wiring->routed_leave.list[i]);
    }
}

/* The kernel takes its routes back, and the mirror follows. */
static void await_unused(const struct spill_program *program, const struct spill_wiring *wiring)
{
    const uint64_t deadline = spill_clock() + spill_cycles(program->options.drain_timeout_ns);

    while (!are_unused(program, wiring) && spill_clock() < deadline &&
           !spill_token_cancelled(&program->stop))
        rte_delay_us_sleep(LOOK_US);
}

static void let_leave(struct spill_program *program, const struct spill_wiring *wiring,
                      uint32_t index)
{
    if (!let_go(program, index, spill_clock() + spill_cycles(HOME_NS)))
        SPILL_LOG(WARNING, "port %s leaves, but packets of it are still under way",
                  program->port_options[index].name);
    else if (!wiring->undone)
        tell_gone(program, index);
}

void spill_wiring_finish(struct spill_program *program, const struct spill_wiring *wiring)
{
    uint32_t i;

    if (wiring->come_count + wiring->leave_count + wiring->routed_leave.count == 0)
        return;
    close_twins(program, wiring);
    await_unused(program, wiring);
    unplug(program, wiring);
    /* Before any lcore takes in what comes, all go by the rules that name it. */
    if (!await_turn(program))
        return;
    for (i = 0; i < wiring->come_count; i++)
        spill_plug_open(program->pipeline, wiring->come[i]);
    let_interfaces_go(program, wiring);
    for (i = 0; i < wiring->leave_count; i++)
        close_port(program, wiring->leave[i]);
    for (i = 0; i < wiring->leave_count; i++)
        let_leave(program, wiring, wiring->leave[i]);
    if (wiring->leave_count > 0)
        spill_wiring_plan_rest(program);
}

bool spill_wiring_settle(struct spill_program *program)
{
    bool settled = true;

    for (uint32_t i = 0; i < program->port_count; i++) {
        if (program->port_states[i] != SPILL_PORT_LEAVING)
            continue;
        if (program->ports[i].open || !let_go(program, i, 0))
            settled = false;
        else if (program->port_states[i] == SPILL_PORT_GONE)
            tell_gone(program, i);
    }
    for (uint16_t i = 0; i < program->interface_count; i++) {
        if (program->interface_states[i] == SPILL_PORT_LEAVING)
            settled = let_interface_go(program, i) && settled;
    }
    return settled;
}
