/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes: devices are found, configured and started, and lcores get a way to them. */
#include <stdlib.h>
#include <string.h>

#include "config/options_compare.h"
#include "control/log.h"
#include "control/wiring.h"
#include "pipeline/plug.h"
#include "port/eal.h"
#include "program.h"

/* What lcores get to see what was written; at most. */
#define TURN_NS UINT64_C(1000000000)

int spill_wiring_find(const struct spill_program *program, const char *name)
{
    for (uint32_t i = 0; i < program->port_count; i++) {
        const int state = program->port_states[i];

        if ((state == SPILL_PORT_THERE || state == SPILL_PORT_COMING) &&
            strcmp(program->port_options[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

/* ------------------------------------------------------------------------------ what it is */

void spill_wiring_current(const struct spill_program *program, struct spill_options *options)
{
    *options = program->options;
    options->port_count = options->wire_count = 0;
    for (uint32_t i = 0; i < program->port_count; i++) {
        const int peer = program->plan.ports[i].peer;
        struct spill_option_wire *wire = &options->wires[options->wire_count];

        if (!spill_program_has_port(program, i))
            continue;
        options->ports[options->port_count++] = program->port_options[i];
        if (peer < (int)i)
            continue;
        memcpy(wire->port_names[0], program->port_options[i].name, SPILL_NAME_SIZE);
        memcpy(wire->port_names[1], program->port_options[peer].name, SPILL_NAME_SIZE);
        snprintf(wire->name, sizeof(wire->name), "%s-%s", program->port_options[i].name,
                 program->port_options[peer].name);
        options->wire_count++;
    }
}

static void find_leaving(const struct spill_program *program, const struct spill_options *there,
                         const struct spill_options *again, struct spill_wiring *wiring)
{
    uint16_t wires[SPILL_WIRES_MAX];
    const uint32_t count = spill_options_wires_apart(again, there, wires);

    for (uint32_t i = 0; i < 2 * count; i++)
        wiring->leave[wiring->leave_count++] =
            (uint8_t)spill_wiring_find(program, there->wires[wires[i / 2]].port_names[i % 2]);
}

bool spill_wiring_has(const struct spill_program *program, const struct spill_options *options,
                      const char *name)
{
    struct spill_options *there = malloc(sizeof(*there));
    uint16_t wires[SPILL_WIRES_MAX];
    uint32_t count, i;
    bool has = false;

    if (there == NULL)
        return false;
    spill_wiring_current(program, there);
    for (i = 0; i < there->port_count && !has; i++)
        has = strcmp(there->ports[i].name, name) == 0;
    count = spill_options_wires_apart(there, options, wires);
    for (i = 0; i < 2 * count && !has; i++)
        has = strcmp(options->wires[wires[i / 2]].port_names[i % 2], name) == 0;
    free(there);
    return has;
}

/* The place of a port that comes: that of the same name, one that nobody has, or a new one. */
static int find_place(const struct spill_program *program, const char *name,
                      struct spill_error *error)
{
    int place = program->port_count < SPILL_PORTS_MAX ? (int)program->port_count : -1;

    for (uint32_t i = program->port_count; i-- > 0;) {
        if (program->port_states[i] == SPILL_PORT_FREE)
            place = (int)i;
    }
    for (uint32_t i = 0; i < program->port_count; i++) {
        if (program->port_states[i] == SPILL_PORT_GONE &&
            strcmp(program->port_options[i].name, name) == 0)
            place = (int)i;
    }
    if (place < 0)
        return spill_error_set(error, "port %s: %d ports have been there: expected a restart", name,
                               SPILL_PORTS_MAX);
    return place;
}

int spill_wiring_note(struct spill_program *program, uint32_t index,
                      const struct spill_option_port *port, struct spill_error *error)
{
    struct spill_option_port *copy = &program->port_options[index];
    char *device = strdup(port->device), *where = strdup(port->where);

    free(copy->device);
    free(copy->where);
    *copy = *port;
    copy->device = device;
    copy->where = where;
    return device != NULL && where != NULL
               ? 0
               : spill_error_set(error, "no memory for port %s", port->name);
}

void spill_wiring_free(struct spill_program *program)
{
    for (uint32_t i = 0; i < SPILL_PORTS_MAX; i++) {
        free(program->port_options[i].device);
        free(program->port_options[i].where);
    }
}

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
        if (status == 0)
            program->plan_input = *input;
    }
    free(input);
    free(wider);
    return status;
}

/* ------------------------------------------------------------------------------- the devices */

/* Other threads look at a port once its state says that it is there. */
static int find_device(struct spill_program *program, struct spill_wiring *wiring,
                       const struct spill_option_port *port, struct spill_error *error)
{
    const int index = find_place(program, port->name, error);
    struct spill_error reason;
    struct spill_device device;

    if (index < 0 || spill_program_parse_device(port, &device, error) != 0)
        return -1;
    if (spill_device_check(&device, &reason) != 0)
        return spill_error_set(error, "%s: %s", port->where, reason.text);
    if (spill_wiring_note(program, (uint32_t)index, port, error) != 0)
        return -1;
    program->devices[index] = device;
    program->port_states[index] = SPILL_PORT_COMING;
    program->port_count = RTE_MAX(program->port_count, (uint32_t)index + 1);
    wiring->come[wiring->come_count++] = (uint8_t)index;
    if (spill_eal_plug_in(&device) != 0)
        SPILL_LOG(DEBUG, "device %s can't be plugged in", device.name);
    return spill_port_find(port->name, &device, &program->ports[index], error);
}

static int find_devices(struct spill_program *program, const struct spill_options *there,
                        const struct spill_options *options, struct spill_wiring *wiring,
                        struct spill_error *error)
{
    uint16_t wires[SPILL_WIRES_MAX];
    const uint32_t count = spill_options_wires_apart(there, options, wires);

    /* What is under way has the ids of the ports that left. */
    if (count > 0 && !spill_wiring_settle(program))
        return spill_error_set(error, "packets of a port that left are still under way: expected "
                                      "another try later");
    for (uint32_t i = 0; i < 2 * count; i++) {
        const uint16_t port = options->wires[wires[i / 2]].ports[i % 2];

        if (find_device(program, wiring, &options->ports[port], error) != 0)
            return -1;
    }
    return 0;
}

static int make(struct spill_program *program, const struct spill_options *options,
                const struct spill_wiring *wiring, struct spill_error *error)
{
    if (extend_plan(program, options, wiring, error) != 0)
        return -1;
    for (uint32_t i = 0; i < wiring->come_count; i++) {
        if (spill_program_configure_port(program, wiring->come[i], error) != 0)
            return -1;
    }
    for (uint32_t i = 0; i < wiring->come_count; i++) {
        if (spill_plug_port(program->pipeline, wiring->come[i], error) != 0 ||
            spill_program_start_port(program, wiring->come[i], error) != 0)
            return -1;
    }
    if (!spill_pipeline_await_turn(program->pipeline, TURN_NS))
        return spill_error_set(error, "an lcore hangs: expected another try later");
    return 0;
}

int spill_wiring_bring(struct spill_program *program, const struct spill_options *options,
                       struct spill_wiring *wiring, struct spill_error *error)
{
    struct spill_options *there = malloc(sizeof(*there));
    int status = -1;

    *wiring = (struct spill_wiring){.come_count = 0};
    if (there == NULL)
        return spill_error_set(error, "no memory for the ports");
    spill_wiring_current(program, there);
    if (find_devices(program, there, options, wiring, error) == 0 &&
        (wiring->come_count == 0 || make(program, options, wiring, error) == 0)) {
        find_leaving(program, there, options, wiring);
        status = 0;
    }
    free(there);
    if (status != 0) {
        spill_wiring_undo(program, wiring);
        spill_wiring_retire(program, wiring);
    }
    return status;
}
