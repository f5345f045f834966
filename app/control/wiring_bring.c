/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes: devices are found, configured and started, and lcores get a way to them. */
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "classify/datagrams.h"
#include "config/options_compare.h"
#include "control/log.h"
#include "control/wiring.h"
#include "pipeline/plug.h"
#include "port/eal.h"
#include "program.h"
#include "start/steps.h"

/* What lcores get to see what was written; at most. */
#define TURN_NS UINT64_C(1000000000)

/* --------------------------------------------------------------------------------- the plan */

/* Roles stay with the lcores that have them. */
static void keep_roles(const struct spill_plan *plan, struct spill_plan_input *input)
{
    spill_plan_keep_lcores(input, plan);
    for (unsigned role = SPILL_ROLE_FAST; role < SPILL_ROLES; role++)
        input->roles[role].count = 0;
    for (unsigned i = 1; i < plan->lcore_count; i++) {
        struct spill_cpu_list *list = &input->roles[plan->lcores[i].role];

        list->cpus[list->count++] = plan->lcores[i].cpu;
    }
}

/* Whether a port is in the plan, and stays in the wire that it is in. */
static bool stays(const struct spill_program *program, const struct spill_plan_input *input,
                  const char *name)
{
    for (unsigned i = 0; i < input->port_count; i++) {
        if (strcmp(input->ports[i].name, name) == 0)
            return program->port_states[i] != SPILL_PORT_COMING;
    }
    return false;
}

/* Wires of ports that left stay in the plan, so that what is planned for others is the same. */
static void drop_wires(const struct spill_program *program, struct spill_plan_input *input)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < input->wire_count; i++) {
        if (stays(program, input, input->wires[i].ports[0]) &&
            stays(program, input, input->wires[i].ports[1]))
            input->wires[kept++] = input->wires[i];
    }
    input->wire_count = kept;
}

static void fill_input(const struct spill_program *program, const struct spill_options *options,
                       const struct spill_wiring *wiring, struct spill_plan_input *input)
{
    for (uint32_t i = 0; i < input->port_count; i++)
        input->ports[i].left = program->port_states[i] == SPILL_PORT_GONE ||
                               program->port_states[i] == SPILL_PORT_FREE;
    for (uint32_t i = 0; i < wiring->come_count; i++) {
        const uint32_t index = wiring->come[i];

        input->port_count = RTE_MAX(input->port_count, index + 1);
        spill_program_plan_port(program, index, &input->ports[index]);
        spill_program_plan_found(program, index, &input->ports[index]);
    }
    drop_wires(program, input);
    for (uint32_t i = 0; i < options->wire_count; i++) {
        struct spill_plan_wire *wire = &input->wires[input->wire_count];
        const int end = spill_wiring_find(program, options->wires[i].port_names[0]);

        if (end < 0 || program->port_states[end] != SPILL_PORT_COMING)
            continue;
        for (uint32_t j = 0; j < 2; j++)
            snprintf(wire->ports[j], sizeof(wire->ports[j]), "%s", options->wires[i].port_names[j]);
        input->wire_count++;
    }
}

/* What works, but costs, with what comes. */
static void tell_warnings(const struct spill_plan *plan, const struct spill_plan *wider)
{
    for (unsigned i = 0; i < wider->warning_count; i++) {
        unsigned j = 0;

        while (j < plan->warning_count && strcmp(plan->warnings[j], wider->warnings[i]) != 0)
            j++;
        if (j == plan->warning_count)
            SPILL_LOG(WARNING, "%s", wider->warnings[i]);
    }
}

static int extend_plan(struct spill_program *program, const struct spill_options *options,
                       const struct spill_wiring *wiring, struct spill_error *error)
{
    struct spill_plan_input *input = malloc(sizeof(*input));
    struct spill_plan *wider = malloc(sizeof(*wider));
    bool in_use[SPILL_PORTS_MAX];
    struct spill_error reason;
    int status = -1;

    if (input == NULL || wider == NULL) {
        spill_error_set(error, "no memory for a plan");
    } else {
        *input = program->plan_input;
        keep_roles(&program->plan, input);
        fill_input(program, options, wiring, input);
        for (uint32_t i = 0; i < SPILL_PORTS_MAX; i++)
            in_use[i] = spill_program_has_port(program, i);
        status = spill_plan_compute(input, wider, error);
        if (status == 0 && spill_plan_extend(&program->plan, wider, in_use, &reason) != 0)
            status = spill_error_set(error, "port %s can't come now: %s: expected a restart",
                                     program->port_options[wiring->come[0]].name, reason.text);
        if (status == 0) {
            program->plan_input = *input;
            if (wiring->come_count > 0)
                tell_warnings(&program->plan, wider);
        }
    }
    free(input);
    free(wider);
    return status;
}

/* ------------------------------------------------------------------------------- the devices */

/* Other threads look at a port once its state says that it is there. */
static int find_device(struct spill_program *program, const struct spill_options *options,
                       struct spill_wiring *wiring, const struct spill_option_port *port,
                       struct spill_error *error)
{
    const int index = spill_wiring_check_port(program, options, port, 0, error);
    struct spill_device device;

    if (index < 0 || spill_program_check_device(port, &device, error) != 0 ||
        spill_wiring_note(program, (uint32_t)index, port, error) != 0)
        return -1;
    program->devices[index] = device;
    program->port_after[index] = (uint8_t)program->port_states[index];
    program->port_states[index] = SPILL_PORT_COMING;
    program->port_count = RTE_MAX(program->port_count, (uint32_t)index + 1);
    wiring->come[wiring->come_count++] = (uint8_t)index;
    if (spill_eal_plug_in(&device) != 0)
        SPILL_LOG(DEBUG, "device %s can't be plugged in", device.name);
    return spill_port_find(port->name, &device, &program->ports[index], error);
}

/* Fragments that follow others are known by the id of the port that they came by. */
static int await_rest(const struct spill_program *program, struct spill_error *error)
{
    const uint64_t rest = spill_cycles(SPILL_DATAGRAMS_TIMEOUT_MS * UINT64_C(1000000));

    while (program->left != 0 && spill_clock() - program->left < rest) {
        if (spill_token_cancelled(&program->stop))
            return spill_error_set(error, "the program ends");
        rte_delay_us_sleep(1000);
    }
    return 0;
}

static int find_devices(struct spill_program *program, const struct spill_options *there,
                        const struct spill_options *options, struct spill_wiring *wiring,
                        struct spill_error *error)
{
    uint16_t ports[SPILL_PORTS_MAX], routed[SPILL_ROUTER_INTERFACES_MAX];
    const uint32_t count = spill_options_ports_apart(there, options, ports);

    if (count + spill_options_interfaces_apart(there, options, routed) > 0 &&
        spill_wiring_check_settled(program, error) != 0)
        return -1;
    if (count > 0 && await_rest(program, error) != 0)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        if (find_device(program, options, wiring, &options->ports[ports[i]], error) != 0)
            return -1;
    }
    return 0;
}

/* An end that has begun is not to be waited for by lcores that never hear of new channels. */
static int check_goes_on(const struct spill_program *program, struct spill_error *error)
{
    if (!spill_token_cancelled(&program->stop))
        return 0;
    spill_error_set(error, "the program ends");
    spill_error_cancelled(error);
    return -1;
}

static int make_ports(struct spill_program *program, const struct spill_options *options,
                      const struct spill_wiring *wiring, struct spill_error *error)
{
    if (wiring->come_count > 0 && extend_plan(program, options, wiring, error) != 0)
        return -1;
    for (uint32_t i = 0; i < wiring->come_count; i++) {
        if (check_goes_on(program, error) != 0 ||
            spill_program_configure_port(program, wiring->come[i], error) != 0)
            return -1;
    }
    for (uint32_t i = 0; i < wiring->come_count; i++) {
        if (check_goes_on(program, error) != 0 ||
            spill_plug_port(program->pipeline, wiring->come[i], error) != 0 ||
            spill_program_start_port(program, wiring->come[i], error) != 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------- what is routed */

static void find_leaving(const struct spill_program *program, const struct spill_options *there,
                         const struct spill_options *again, struct spill_wiring *wiring)
{
    struct spill_wiring_routed *routed = &wiring->routed_leave;
    uint16_t ports[SPILL_PORTS_MAX];
    uint32_t i;

    wiring->leave_count = spill_options_ports_apart(again, there, ports);
    for (i = 0; i < wiring->leave_count; i++)
        wiring->leave[i] = (uint8_t)spill_wiring_find(program, there->ports[ports[i]].name);
    routed->count = spill_options_interfaces_apart(again, there, routed->list);
    for (i = 0; i < routed->count; i++)
        routed->list[i] = (uint16_t)spill_program_find_interface(program, there, routed->list[i]);
}

/* Its place is the wiring's as soon as it is taken. */
static int make_interface(struct spill_program *program, const struct spill_options *options,
                          const struct spill_option_interface *option,
                          struct spill_wiring_routed *come, struct spill_error *error)
{
    const char *port = options->ports[option->port].name;
    const int place = spill_wiring_find(program, port);
    int index;

    if (spill_wiring_check_interface(program, options, option, error) != 0)
        return -1;
    index = spill_program_add_interface(program, option, (uint16_t)place, SPILL_PORT_COMING, error);
    if (index < 0)
        return -1;
    come->list[come->count++] = (uint16_t)index;
    if (spill_plug_interface(program->pipeline, (uint16_t)index, error) != 0)
        return -1;
    return spill_program_add_twin(program, (uint32_t)index, error);
}

static int make_interfaces(struct spill_program *program, const struct spill_options *there,
                           const struct spill_options *options, struct spill_wiring *wiring,
                           struct spill_error *error)
{
    uint16_t routed[SPILL_ROUTER_INTERFACES_MAX];
    const uint32_t count = spill_options_interfaces_apart(there, options, routed);

    for (uint32_t i = 0; i < count; i++) {
        if (make_interface(program, options, &options->interfaces[routed[i]], &wiring->routed_come,
                           error) != 0)
            return -1;
    }
    return 0;
}

static int make(struct spill_program *program, const struct spill_options *there,
                const struct spill_options *options, struct spill_wiring *wiring,
                struct spill_error *error)
{
    if (make_ports(program, options, wiring, error) != 0 ||
        make_interfaces(program, there, options, wiring, error) != 0)
        return -1;
    if (wiring->come_count + wiring->routed_come.count == 0)
        return 0;
    if (!spill_pipeline_await_turn(program->pipeline, TURN_NS))
        return spill_error_set(error, "an lcore hangs: expected another try later");
    return 0;
}

int spill_wiring_bring(struct spill_program *program, const struct spill_options *options,
                       struct spill_wiring *wiring, struct spill_error *error)
{
    struct spill_options *there = spill_wiring_current(program, options);
    int status = -1;

    *wiring = (struct spill_wiring){.come_count = 0};
    if (there == NULL)
        return spill_error_set(error, "no memory for the ports");
    if (find_devices(program, there, options, wiring, error) == 0 &&
        make(program, there, options, wiring, error) == 0) {
        find_leaving(program, there, options, wiring);
        status = 0;
    }
    free(there);
    if (status != 0) {
        spill_wiring_undo(program, wiring);
        spill_wiring_finish(program, wiring);
    }
    return status;
}

void spill_wiring_plan_rest(struct spill_program *program)
{
    const struct spill_wiring none = {.come_count = 0};
    struct spill_error error;

    /* Nothing of what stays changes, so nothing is refused but for want of memory. */
    if (extend_plan(program, &program->options, &none, &error) != 0)
        SPILL_LOG(DEBUG, "plan: %s", error.text);
}
