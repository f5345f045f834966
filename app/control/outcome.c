/* SPDX-License-Identifier: BSD-3-Clause */
/* How the program ended. Where several things went wrong, the worst is told. */
#include "control/steps.h"
#include "program.h"

void spill_program_end_as(struct spill_program *program, enum spill_outcome outcome)
{
    program->outcome = RTE_MAX(program->outcome, outcome);
}

bool spill_program_balanced(const struct spill_program *program)
{
    struct spill_ledger sum;

    if (program->pipeline == NULL)
        return program->leaked == 0;
    spill_pipeline_ledger(program->pipeline, &sum);
    return spill_ledger_in_flight(&sum) == 0 && program->leaked == 0;
}

enum spill_status spill_program_status(const struct spill_program *program)
{
    if (program->outcome == SPILL_OUTCOME_FAILED)
        return SPILL_STATUS_FAILED;
    if (program->outcome == SPILL_OUTCOME_FORCED || !spill_program_balanced(program))
        return SPILL_STATUS_FORCED;
    return SPILL_STATUS_DRAINED;
}

enum spill_status spill_status_worse(enum spill_status one, enum spill_status other)
{
    if (one == SPILL_STATUS_FAILED || other == SPILL_STATUS_FAILED)
        return SPILL_STATUS_FAILED;
    return RTE_MAX(one, other);
}
