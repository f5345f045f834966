/* SPDX-License-Identifier: BSD-3-Clause */
/* The program's state, before any step. */
#include "program.h"

int spill_program_init(struct spill_program *program, int argc, char **argv,
                       struct spill_error *error)
{
    program->argc = argc;
    program->argv = argv;
    program->rule_log.descriptor = -1;
    program->links_told = -1;
    spill_token_init(&program->force, NULL);
    spill_token_init(&program->stop, &program->force);
    pthread_mutex_init(&program->holding, NULL);
    return spill_events_open(&program->events, error);
}
