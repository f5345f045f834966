/* SPDX-License-Identifier: BSD-3-Clause */
/* The EAL's arguments: the user's own, or those that follow from the plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "control/log.h"
#include "program.h"
#include "start/arguments.h"

_Static_assert(SPILL_ARGUMENTS_MAX >= 16 + 2 * SPILL_PORTS_MAX, "the plan's fit");

static int from_plan(struct spill_arguments *arguments, const struct spill_program *program,
                     struct spill_error *error)
{
    const struct spill_options *options = &program->options;
    char **devices;
    int count, i;

    spill_arguments_add(arguments, "--lcores=%s", program->plan.eal_lcores);
    spill_arguments_add(arguments, "--main-lcore=%u", program->plan.lcores[0].id);
    spill_arguments_add(arguments, "--file-prefix=%s", options->name);
    spill_arguments_add(arguments, "%s", spill_log_eal_argument(options->log_level));
    if (options->no_huge) {
        spill_arguments_add(arguments, "--no-huge");
        spill_arguments_add(arguments, "-m");
        spill_arguments_add(arguments, "%lu", (unsigned long)program->plan.memory_mib);
    }
    count = spill_device_eal_arguments(program->devices, options->port_count, &devices);
    if (count < 0)
        return spill_error_set(error, "no memory for the EAL's arguments");
    for (i = 0; i < count; i++)
        spill_arguments_add(arguments, "%s", devices[i]);
    spill_device_eal_arguments_free(devices);
    return 0;
}

int spill_program_start_eal(struct spill_program *program, const char *argv0,
                            struct spill_error *error)
{
    const struct spill_options *options = &program->options;
    struct spill_arguments arguments = {.count = 0};
    int i;

    spill_arguments_add(&arguments, "%s", argv0);
    for (i = 0; options->eal_given && i < options->eal_argc; i++)
        spill_arguments_add(&arguments, "%s", options->eal_argv[i]);
    if (!options->eal_given && from_plan(&arguments, program, error) != 0)
        return -1;
    for (i = 1; i < arguments.count; i++)
        SPILL_LOG(DEBUG, "EAL argument %s", arguments.values[i]);
    /* The EAL keeps pointers into its arguments: they live as long as the program. */
    if (rte_eal_init(arguments.count, arguments.values) < 0)
        return spill_error_set(error,
                               "the EAL does not start%s%s; --log-level debug shows its messages, "
                               "and another instance needs another --name",
                               rte_errno != 0 ? ": " : "",
                               rte_errno != 0 ? rte_strerror(rte_errno) : "");
    program->eal = true;
    spill_log_set_level(options->log_level);
    return 0;
}
