/* SPDX-License-Identifier: BSD-3-Clause */
/* The EAL, with the user's own arguments, or with those that follow from the plan. */
#include "port/eal.h"

#include "control/log.h"
#include "program.h"
#include "start/steps.h"

static void tell(const char *argument)
{
    SPILL_LOG(DEBUG, "EAL argument %s", argument);
}

int spill_program_start_eal(struct spill_program *program, const char *argv0,
                            struct spill_error *error)
{
    const struct spill_options *options = &program->options;
    const struct spill_eal_config config = {
        .program = argv0,
        .user = options->eal_given ? options->eal_argv : NULL,
        .user_count = options->eal_argc,
        .lcores = program->plan.eal_lcores,
        .main_lcore = program->plan.lcores[0].id,
        .name = options->name,
        .log_level = spill_log_eal_argument(options->log_level),
        .memory_mib = options->no_huge ? program->plan.memory_mib : 0,
        .telemetry = true,
        .devices = program->devices,
        .device_count = options->port_count,
        .hint = "--log-level debug shows its messages",
        .tell = tell,
    };

    if (spill_eal_start(&config, error) != 0)
        return -1;
    spill_log_set_level(options->log_level);
    return 0;
}
