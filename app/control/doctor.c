/* SPDX-License-Identifier: BSD-3-Clause */
/* What the doctor is to look at: the plan's lcores and memory, the ports' devices, the twins. */
#include <stdlib.h>
#include <string.h>

#include "control/steps.h"
#include "doctor/doctor.h"
#include "program.h"
#include "start/steps.h"

static void set_lcores(const struct spill_program *program, struct spill_doctor_subject *subject)
{
    const struct spill_plan *plan = &program->plan;

    subject->lcore_count = 0;
    for (unsigned i = 0; i < plan->lcore_count && i < SPILL_DOCTOR_LCORES_MAX; i++) {
        const struct spill_plan_lcore *lcore = &plan->lcores[i];
        struct spill_doctor_lcore *told = &subject->lcores[subject->lcore_count];

        if (spill_plan_presence(lcore) == SPILL_AWAY)
            continue;
        subject->lcore_count++;
        snprintf(told->name, sizeof(told->name), "%s", lcore->name);
        told->cpu = lcore->cpu;
        told->node = lcore->node;
        told->polls = lcore->role != SPILL_ROLE_CONTROL;
        told->receives = lcore->role == SPILL_ROLE_FAST || lcore->role == SPILL_ROLE_RX;
    }
    subject->hugepages = plan->memory_mode == SPILL_MEMORY_HUGEPAGES;
    for (unsigned i = 0; subject->hugepages && i < RTE_MIN(plan->node_limit, 64u); i++)
        subject->pages[i] = plan->nodes[i].hugepages;
}

static void set_ports(const struct spill_program *program, struct spill_doctor_subject *subject)
{
    for (unsigned i = 0; i < SPILL_PORTS_MAX && subject->port_count < SPILL_DOCTOR_PORTS_MAX; i++) {
        const struct spill_device *device = &program->devices[i];
        struct spill_doctor_port *told = &subject->ports[subject->port_count];

        if (!spill_program_has_port(program, i))
            continue;
        subject->port_count++;
        snprintf(told->name, sizeof(told->name), "%s", program->port_options[i].name);
        if (device->pci)
            snprintf(told->pci, sizeof(told->pci), "%s", device->name);
        else if (!spill_device_interface(program->port_options[i].device, told->interface))
            told->interface[0] = '\0';
        told->unfinished = spill_device_unfinished_frames(device);
    }
}

/* Those in this network namespace: another's /proc/sys can't be seen from here. */
static void set_twins(const struct spill_program *program, struct spill_doctor_subject *subject)
{
    const bool runs = program->router != NULL;
    const struct spill_option_interface *interfaces =
        runs ? program->interfaces : program->options.interfaces;
    const uint32_t count = runs ? program->interface_count : program->options.interface_count;

    if (program->options.router.name_space != NULL)
        return;
    for (uint32_t i = 0; i < count && subject->twin_count < SPILL_DOCTOR_TWINS_MAX; i++) {
        struct spill_doctor_twin *twin = &subject->twins[subject->twin_count];

        if (interfaces[i].twin[0] == '\0' || (runs && !spill_program_has_interface(program, i)))
            continue;
        snprintf(twin->name, sizeof(twin->name), "%.*s", IF_NAMESIZE - 1, interfaces[i].twin);
        twin->gone = runs && spill_program_twin_is_gone(program, i, twin->name);
        subject->twin_count++;
    }
}

struct spill_doctor_lines *spill_program_look(const struct spill_program *program, bool eal_runs)
{
    struct spill_doctor_subject *subject = calloc(1, sizeof(*subject));
    struct spill_doctor_lines *lines = calloc(1, sizeof(*lines));

    if (subject != NULL && lines != NULL) {
        subject->root = "";
        subject->running = program->started != 0;
        subject->others = !eal_runs && spill_doctor_dpdk_runs(spill_doctor_runtime_folder());
        /* Beside lcores that poll the measurement would take their time, and be wrong. */
        subject->core_to_core = eal_runs || subject->others ? NULL : spill_doctor_core_to_core;
        subject->offloads = spill_doctor_offloads;
        set_lcores(program, subject);
        set_ports(program, subject);
        set_twins(program, subject);
        spill_doctor_look(subject, lines);
    }
    if (subject == NULL) {
        free(lines);
        lines = NULL;
    }
    free(subject);
    return lines;
}
