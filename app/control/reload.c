/* SPDX-License-Identifier: BSD-3-Clause */
/* Reloads as they are wanted: which is next, and how one begins and ends. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "control/commands.h"
#include "control/log.h"
#include "control/reload.h"
#include "control/steps.h"

/* What a reload gets to notice that the program ends. */
#define GRACE_NS UINT64_C(500000000)
/* Threads that were given up and haven't come back; with so many, no other is begun. */
#define LOST_MAX 4

void spill_reload_free(struct spill_reload *reload)
{
    spill_differences_free(reload->differences);
    spill_generation_free(reload->made);
    free(reload->there);
    if (!reload->goes_back && !reload->agrees)
        spill_sources_free(reload->sources);
    free(reload);
}

void spill_reload_end_step(struct spill_reload *reload)
{
    struct spill_program *program = reload->program;

    if (atomic_exchange(&reload->state, SPILL_RELOAD_DONE) != SPILL_RELOAD_GIVEN_UP) {
        spill_event_notify(&program->reload_due);
        return;
    }
    spill_reload_free(reload);
    atomic_fetch_sub(&program->reloads_lost, 1);
}

void spill_reload_end(struct spill_program *program, const char *error, const char *text)
{
    struct spill_reload *reload = program->reload;

    if (reload == NULL || !reload->agrees) {
        const struct spill_command_outcome outcome = {
            .error = error,
            .text = text,
            .restart = reload != NULL ? reload->changes : NULL,
            .warnings = reload != NULL ? reload->warnings : NULL,
            .differences = reload != NULL && error == NULL ? reload->differences : NULL};

        spill_program_tell_reload_over(program, &outcome);
        spill_service_reload_over(&program->service, error == NULL);
    }
    if (reload != NULL)
        spill_reload_free(reload);
    program->reload = NULL;
    program->making = false;
    program->going_back = false;
}

void spill_reload_refuse(struct spill_program *program, const char *reason)
{
    if (program->reload != NULL && program->reload->agrees)
        spill_program_end_agreement(program, reason);
    else if (!program->checking)
        SPILL_LOG(ERR, "reload: %s; the rules stay as they were", reason);
    spill_reload_end(program, reason, NULL);
    if (spill_reload_is_wanted(program) || program->wanted[SPILL_WISH_CHECK] ||
        program->agreement.wanted != NULL)
        spill_event_notify(&program->reload_due);
}

void spill_reload_begin_step(struct spill_program *program, void *(*step)(void *))
{
    struct spill_reload *reload = program->reload;

    atomic_store(&reload->state, SPILL_RELOAD_RUNNING);
    reload->threaded = pthread_create(&reload->thread, NULL, step, reload) == 0;
    if (reload->threaded)
        return;
    if (reload->stage == SPILL_RELOAD_MAKING)
        spill_reload_refuse(program, "no thread");
    else
        step(reload); /* what has begun is brought to its end, if the control thread has to wait */
}

static struct spill_reload *create(struct spill_program *program)
{
    struct spill_reload *reload = calloc(1, sizeof(*reload));

    if (reload == NULL)
        return NULL;
    reload->program = program;
    reload->sources = calloc(1, sizeof(*reload->sources));
    return reload;
}

/*
 * The first wish is met now. A reload for good comes before one that is to be confirmed: what it
 * puts in force is what comes back then. Returns how long it is to be confirmed.
 */
static uint64_t take_wish(struct spill_program *program)
{
    enum spill_reload_wish wish = SPILL_WISH_RELOAD;

    while (!program->wanted[wish])
        wish++;
    program->wanted[wish] = false;
    program->checking = wish == SPILL_WISH_CHECK;
    spill_program_tell_reload_begun(program, wish);
    if (!program->checking)
        spill_service_reload_begun(&program->service);
    return wish == SPILL_WISH_TRIAL ? program->confirm_ns : 0;
}

static void begin(struct spill_program *program)
{
    const uint64_t confirm_ns = take_wish(program);

    if (atomic_load(&program->reloads_lost) >= LOST_MAX) {
        spill_reload_refuse(program, "several before it still read their files");
        return;
    }
    program->reload = create(program);
    if (program->reload == NULL || program->reload->sources == NULL) {
        spill_reload_refuse(program, "no memory");
        return;
    }
    program->reload->checks = program->checking;
    program->reload->there = spill_wiring_current(program, &program->options);
    if (program->checking)
        program->reload->differences = calloc(1, sizeof(*program->reload->differences));
    if (program->reload->there == NULL ||
        (program->checking && program->reload->differences == NULL)) {
        spill_reload_refuse(program, "no memory");
        return;
    }
    program->reload->confirm_ns = confirm_ns;
    spill_reload_begin_reading(program);
}

static void finish_step(struct spill_program *program)
{
    if (program->reload->threaded)
        pthread_join(program->reload->thread, NULL);
    if (program->making)
        spill_reload_finish_making(program);
    else
        spill_reload_finish_reading(program);
}

/* Its sources are at hand: what is left is to make a version. Where it fails, it is tried again. */
static void go_back(struct spill_program *program, struct spill_sources *former)
{
    struct spill_reload *reload = calloc(1, sizeof(*reload));

    if (reload == NULL)
        return;
    *reload = (struct spill_reload){.program = program, .goes_back = true, .sources = former};
    program->reload = reload;
    program->checking = false;
    program->going_back = true;
    program->making = true;
    spill_reload_begin_step(program, spill_reload_make_version);
}

/* Makes a version of what is in force, and of what was agreed on. */
static void agree_anew(struct spill_program *program)
{
    struct spill_reload *reload = calloc(1, sizeof(*reload));

    if (reload == NULL) {
        spill_program_end_agreement(program, "no memory");
        return;
    }
    *reload = (struct spill_reload){
        .program = program, .agrees = true, .sources = program->confirmation.in_force};
    program->reload = reload;
    program->checking = false;
    program->making = true;
    spill_reload_begin_step(program, spill_reload_make_version);
}

/*
 * A thread is done, or something is wanted: all may be, and by now none. One at a time, in this
 * order; a check is last, as whoever asks for it again and again must hold nothing up. What daemons
 * agree on leaves it time in between, until the lcores go by it.
 */
static void go_on(void *context)
{
    struct spill_program *program = context;
    struct spill_sources *former;

    if (spill_token_cancelled(&program->stop))
        return;
    if (program->reload != NULL && atomic_load(&program->reload->state) == SPILL_RELOAD_DONE)
        finish_step(program);
    if (program->reload == NULL && spill_program_take_former(program, &former))
        go_back(program, former);
    if (program->reload == NULL && spill_reload_is_wanted(program))
        begin(program);
    if (program->reload == NULL && spill_program_begin_agreement(program))
        agree_anew(program);
    if (program->reload == NULL && program->wanted[SPILL_WISH_CHECK])
        begin(program);
    spill_reload_hurry(program);
}

int spill_program_open_reload(struct spill_program *program, struct spill_error *error)
{
    program->at_start = program->options;
    if (spill_events_notice(&program->events, &program->reload_due, go_on, program) == 0)
        return 0;
    return spill_error_set(error, "reloads can't be heard of: %s", strerror(errno));
}

void spill_program_close_reload(struct spill_program *program)
{
    spill_event_remove(&program->patience);
    spill_event_remove(&program->reload_due);
    spill_event_remove(&program->late_workers);
    spill_program_close_confirmation(program);
}

/* Whoever has wanted one by SIGHUP hears of it by the log alone. */
static void tell_cut_off(const struct spill_program *program)
{
    const struct spill_reload *reload = program->reload;
    const bool under_way = reload != NULL && !reload->checks && !reload->agrees &&
                           reload->stage != SPILL_RELOAD_FINISHING;

    if (under_way || spill_reload_is_wanted(program))
        SPILL_LOG(NOTICE, "reload: the program ends; the rules stay as they were");
    else if (reload != NULL && reload->failed)
        SPILL_LOG(ERR, "reload: %s; the rules stay as they were", reload->error.text);
}

void spill_program_end_reload(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;

    tell_cut_off(program);
    if (reload != NULL &&
        (!reload->threaded || spill_control_join(program, reload->thread, GRACE_NS))) {
        spill_reload_free(reload);
        program->reload = NULL;
        program->making = false;
    }
    if (program->reload == NULL && atomic_load(&program->reloads_lost) == 0)
        return;
    SPILL_LOG(WARNING, "a reload is still under way; ending without it");
    program->abandoned = true;
    program->ports_abandoned =
        program->reload != NULL && (program->wiring || program->reload->wiring.come_count > 0);
    if (program->ports_abandoned)
        spill_program_end_as(program, SPILL_OUTCOME_FORCED);
}
