/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What IKE daemons have agreed on: associations and policies that are part of every version of the
 * security policy, before what files say. A version is made of them as by a reload, and who wants
 * it is told when every lcore goes by it: then nothing is sent any more by what was before. So
 * where the rules change, flows do not ask them in turn, but at once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/log.h"
#include "control/steps.h"
#include "program.h"

/* Between two looks whether every lcore goes by a version, and how long they get. */
#define LOOK_NS  UINT64_C(500000)
#define GRACE_NS UINT64_C(5000000000)

static void forget(struct spill_policy_files **files)
{
    if (*files != NULL)
        spill_policy_files_free(*files);
    free(*files);
    *files = NULL;
}

static void tell(struct spill_program *program, const char *error, bool in_force)
{
    struct spill_agreement *agreement = &program->agreement;

    spill_event_remove(&agreement->grace);
    if (agreement->over != NULL)
        agreement->over(agreement->context, error, in_force);
}

void spill_program_agree(struct spill_program *program, struct spill_policy_files *files,
                         void (*over)(void *context, const char *error, bool in_force),
                         void *context)
{
    struct spill_agreement *agreement = &program->agreement;

    forget(&agreement->wanted);
    agreement->wanted = files;
    agreement->over = over;
    agreement->context = context;
    spill_event_notify(&program->reload_due);
}

/* Those of a daemon's are plain. */
static bool same_rules(const struct spill_policy_files *one, const struct spill_policy_files *other)
{
    const struct spill_ruleset *left = one->ruleset, *right = other->ruleset;

    return left->count == right->count && left->sa_count == right->sa_count &&
           memcmp(left->rules, right->rules, left->count * sizeof(*left->rules)) == 0 &&
           memcmp(left->sas, right->sas, left->sa_count * sizeof(*left->sas)) == 0;
}

static bool same_sas(const struct spill_policy_files *one, const struct spill_policy_files *other)
{
    return one->sa_count == other->sa_count &&
           memcmp(one->sas, other->sas, one->sa_count * sizeof(*one->sas)) == 0;
}

/* How many versions before the one in force lcores may go by; where that can't be said now, some.
 * Readers that are offline hold nothing up. */
static unsigned count_left(struct spill_program *program)
{
    unsigned left = 1;

    if (!program->making && pthread_mutex_trylock(&program->holding) == 0) {
        left = spill_snapshot_reclaim(program->rules);
        pthread_mutex_unlock(&program->holding);
    }
    return left;
}

bool spill_program_has_agreed(struct spill_program *program, const struct spill_policy_files *files)
{
    const struct spill_policy_files *agreed = program->agreement.files;

    return agreed != NULL && same_rules(agreed, files) && same_sas(agreed, files) &&
           count_left(program) == 0;
}

bool spill_program_begin_agreement(struct spill_program *program)
{
    struct spill_agreement *agreement = &program->agreement;

    if (agreement->wanted == NULL)
        return false;
    agreement->before = agreement->files;
    agreement->files = agreement->wanted;
    agreement->wanted = NULL;
    agreement->changes_rules =
        agreement->before == NULL || !same_rules(agreement->before, agreement->files);
    agreement->changes_sas =
        agreement->before == NULL || !same_sas(agreement->before, agreement->files);
    return true;
}

/* Who makes a version meanwhile is waited for: he may be given what is freed here. */
static void look(void *context)
{
    struct spill_program *program = context;
    struct spill_agreement *agreement = &program->agreement;

    if (program->making)
        agreement->began = spill_clock(); /* lcores have no part in it */
    if (count_left(program) == 0)
        tell(program, NULL, true);
    else if (spill_clock() - agreement->began > spill_cycles(GRACE_NS))
        tell(program, "an lcore does not go by it in time", true);
}

void spill_program_end_agreement(struct spill_program *program, const char *error)
{
    struct spill_agreement *agreement = &program->agreement;

    if (error != NULL) {
        SPILL_LOG(ERR, "xfrm: %s; associations and policies stay as they were", error);
        forget(&agreement->files);
        agreement->files = agreement->before;
        agreement->before = NULL;
        tell(program, error, false);
        return;
    }
    forget(&agreement->before);
    agreement->began = spill_clock();
    if (spill_events_every(&program->events, &agreement->grace, LOOK_NS, look, program) != 0)
        tell(program, "no memory for a timer", true);
}

void spill_program_close_agreement(struct spill_program *program)
{
    struct spill_agreement *agreement = &program->agreement;

    spill_event_remove(&agreement->grace);
    forget(&agreement->files);
    forget(&agreement->before);
    forget(&agreement->wanted);
}
