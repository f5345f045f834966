/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reload that is to be confirmed: what the version before was made of is kept, and a version made
 * of it again when nobody has confirmed in time. It is not the version itself that is kept, as its
 * associations' numbers have gone on since, and its rules' counters may be others' by then.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "control/log.h"
#include "control/steps.h"
#include "program.h"

/* Between two tries to go back, where the first one failed. */
#define AGAIN_NS UINT64_C(1000000000)

void spill_sources_free(struct spill_sources *sources)
{
    if (sources == NULL)
        return;
    spill_policy_files_free(&sources->files);
    spill_options_free(&sources->options);
    free(sources);
}

static void forget_former(struct spill_confirmation *confirmation)
{
    spill_event_remove(&confirmation->patience);
    spill_sources_free(confirmation->former);
    confirmation->former = NULL;
    confirmation->waits = false;
    confirmation->is_due = false;
    __atomic_store_n(&confirmation->until, 0, __ATOMIC_RELAXED);
}

/* Nothing but what is in force may be wanted again: the start's files are not, once others are. */
static void settle(struct spill_program *program)
{
    forget_former(&program->confirmation);
    if (program->confirmation.in_force != NULL)
        spill_policy_files_free(&program->files);
}

static void run_out(void *context)
{
    struct spill_program *program = context;

    program->confirmation.is_due = true;
    spill_event_notify(&program->reload_due);
}

/* Without memory for a timer, at once. */
static void begin_patience(struct spill_program *program, uint64_t time)
{
    struct spill_confirmation *confirmation = &program->confirmation;

    confirmation->is_due = false;
    __atomic_store_n(&confirmation->until, spill_clock() + spill_cycles(time), __ATOMIC_RELAXED);
    if (spill_events_after(&program->events, &confirmation->patience, time, run_out, program) != 0)
        run_out(program);
}

void spill_program_note_sources(struct spill_program *program, struct spill_sources *sources,
                                uint64_t confirm_ns)
{
    struct spill_confirmation *confirmation = &program->confirmation;
    struct spill_sources *before = confirmation->in_force;

    confirmation->in_force = sources;
    if (confirm_ns == 0) {
        if (confirmation->waits)
            SPILL_LOG(NOTICE, "reload: one without --confirm confirms what was before it");
        settle(program);
        spill_sources_free(before);
        return;
    }
    if (confirmation->waits)
        spill_sources_free(before);
    else
        confirmation->former = before;
    confirmation->waits = true;
    begin_patience(program, confirm_ns);
}

bool spill_program_take_former(struct spill_program *program, struct spill_sources **former)
{
    struct spill_confirmation *confirmation = &program->confirmation;

    if (!confirmation->is_due)
        return false;
    SPILL_LOG(WARNING, "reload: not confirmed in time, going back");
    *former = confirmation->former;
    begin_patience(program, AGAIN_NS);
    return true;
}

void spill_program_note_former(struct spill_program *program)
{
    struct spill_confirmation *confirmation = &program->confirmation;

    spill_sources_free(confirmation->in_force);
    confirmation->in_force = confirmation->former;
    confirmation->former = NULL;
    forget_former(confirmation);
}

int spill_program_confirm(struct spill_program *program, struct spill_error *error)
{
    if (!program->confirmation.waits)
        return spill_error_set(error, "nothing waits to be confirmed");
    if (program->going_back || program->confirmation.is_due)
        return spill_error_set(error, "too late: what was before comes back");
    settle(program);
    SPILL_LOG(NOTICE, "reload: confirmed");
    return 0;
}

void spill_program_close_confirmation(struct spill_program *program)
{
    struct spill_confirmation *confirmation = &program->confirmation;
    struct spill_sources *in_force = confirmation->in_force;

    forget_former(confirmation);
    confirmation->in_force = NULL;
    spill_sources_free(in_force);
}
