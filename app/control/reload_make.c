/* SPDX-License-Identifier: BSD-3-Clause */
/* A reload's version, with ports and workers that come and leave: made, published, finished. */
#include "config/units.h"
#include "control/log.h"
#include "control/reload.h"
#include "control/steps.h"

/* Daemons agree on no ports and workers. */
static int bring(struct spill_reload *reload, const struct spill_options *options)
{
    struct spill_program *program = reload->program;
    int status;

    if (reload->agrees)
        return 0;
    program->wiring = true;
    status = spill_workers_bring(program, options, &reload->workers, &reload->error);
    if (status == 0)
        status = spill_wiring_bring(program, options, &reload->wiring, &reload->error);
    program->wiring = false;
    return status;
}

/* Of what comes; nothing of what leaves was closed yet. */
static void take_back(struct spill_reload *reload)
{
    struct spill_program *program = reload->program;

    program->wiring = true;
    reload->wiring.leave_count = reload->wiring.routed_leave.count = 0;
    if (reload->wiring.come_count + reload->wiring.routed_come.count > 0) {
        spill_wiring_undo(program, &reload->wiring);
        spill_wiring_finish(program, &reload->wiring);
    }
    program->wiring = false;
}

void *spill_reload_make_version(void *argument)
{
    struct spill_reload *reload = argument;
    struct spill_program *program = reload->program;
    struct spill_sources *sources = reload->sources;
    const struct spill_options *options = sources != NULL ? &sources->options : &program->options;
    struct spill_policy_files *files = sources != NULL ? &sources->files : &program->files;

    program->comes_ipsec = files->sa_count > 0;
    if (bring(reload, options) == 0)
        reload->made =
            spill_program_make_version(program, options, files, reload->agrees, &reload->error);
    if (reload->made == NULL)
        take_back(reload);
    spill_reload_end_step(reload);
    return NULL;
}

static void *quiesce(void *argument)
{
    struct spill_reload *reload = argument;

    reload->program->wiring = true;
    reload->failed = spill_wiring_quiesce(reload->program, &reload->wiring, &reload->error) != 0;
    reload->program->wiring = false;
    spill_reload_end_step(reload);
    return NULL;
}

static void *finish(void *argument)
{
    struct spill_reload *reload = argument;

    reload->program->wiring = true;
    spill_workers_retire(reload->program, &reload->workers);
    spill_wiring_finish(reload->program, &reload->wiring);
    reload->program->wiring = false;
    spill_reload_end_step(reload);
    return NULL;
}

/* What is in force by now may have to come back later. */
static void note_sources(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;

    if (reload->goes_back) {
        spill_program_note_former(program);
    } else {
        spill_program_note_sources(program, reload->sources, reload->confirm_ns);
        reload->sources = NULL;
    }
    spill_program_take_at_once(program, spill_program_configured(program));
}

/* No reload: nobody asked for one, and none is told of. */
static void publish_agreement(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;
    const uint64_t renewing = program->renewing;
    const char *error = NULL;

    if (reload->made == NULL) {
        spill_reload_refuse(program, reload->error.text);
        return;
    }
    spill_program_drain_rule_log(program);
    if (program->agreement.changes_rules)
        reload->made->at_once = reload->made->number;
    if (spill_program_replace_generation(program, reload->made) == 0)
        reload->made = NULL;
    else
        error = "an lcore still holds the version before the last";
    if (renewing == 0)
        program->renewing = 0;
    spill_reload_end(program, error, NULL);
    spill_program_end_agreement(program, error);
}

static void say_in_force(struct spill_reload *reload)
{
    const size_t size = sizeof(reload->text);
    char time[32];
    int used = snprintf(reload->text, size, "version %u of the rules is in force",
                        (unsigned)reload->made->number);

    if (reload->confirm_ns != 0)
        snprintf(reload->text + used, size - (size_t)used, ", to be confirmed within %s",
                 spill_units_format_time(reload->confirm_ns, time, sizeof(time)));
}

static const struct spill_options *options_of(const struct spill_program *program)
{
    return program->reload->sources != NULL ? &program->reload->sources->options
                                            : &program->options;
}

static void end_stages(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;

    spill_wiring_forget(program, &reload->wiring);
    if (reload->failed)
        SPILL_LOG(ERR, "reload: %s; the rules stay as they were", reload->error.text);
    spill_reload_end(program, reload->failed ? reload->error.text : NULL, reload->text);
    spill_workers_watch(program);
}

static void begin_to_finish(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;
    const struct spill_wiring *wiring = &reload->wiring;

    if (reload->failed) {
        spill_wiring_take_back(program, spill_program_configured(program), options_of(program));
        spill_wiring_undo(program, &reload->wiring);
        reload->workers.leave_count = 0;
    }
    reload->stage = SPILL_RELOAD_FINISHING;
    if (wiring->come_count + wiring->leave_count + wiring->routed_leave.count +
            reload->workers.leave_count >
        0)
        spill_reload_begin_step(program, finish);
    else
        end_stages(program);
}

/* Options that act at once do so before it, lest packets that it protects pass in the clear. */
static void publish(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;

    say_in_force(reload);
    spill_program_drain_rule_log(program);
    spill_program_take_at_once(program, reload->sources != NULL ? &reload->sources->options
                                                                : &program->at_start);
    if (spill_program_replace_generation(program, reload->made) != 0) {
        reload->failed = true;
        spill_error_set(&reload->error,
                        "an lcore still holds the version before the last: try again");
        spill_program_take_at_once(program, spill_program_configured(program));
    } else {
        reload->made = NULL;
        program->reloads++;
        spill_wiring_admit(program, &reload->wiring);
        spill_workers_begin(program, &reload->workers);
        spill_program_reopen_rule_log(program);
        SPILL_LOG(NOTICE, "reloaded: %s", reload->text);
        note_sources(program);
    }
    begin_to_finish(program);
}

/* What leaves has left before the version is in force, which may let pass what came by it. */
static void begin_to_publish(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;

    if (reload->made == NULL) {
        spill_reload_refuse(program, reload->error.text);
        return;
    }
    reload->failed = spill_wiring_give(program, &reload->wiring, spill_program_configured(program),
                                       options_of(program), &reload->error) != 0;
    if (reload->failed) {
        begin_to_finish(program);
    } else if (reload->wiring.leave_count + reload->wiring.routed_leave.count == 0) {
        publish(program);
    } else {
        reload->stage = SPILL_RELOAD_QUIESCING;
        spill_wiring_close(program, &reload->wiring);
        spill_reload_begin_step(program, quiesce);
    }
}

void spill_reload_finish_making(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;

    if (reload->stage == SPILL_RELOAD_FINISHING)
        end_stages(program);
    else if (reload->stage == SPILL_RELOAD_QUIESCING && reload->failed)
        begin_to_finish(program);
    else if (reload->stage == SPILL_RELOAD_QUIESCING)
        publish(program);
    else if (reload->checks && reload->good)
        spill_reload_agree(program);
    else if (reload->checks)
        spill_reload_refuse(program, reload->error.text);
    else if (reload->agrees)
        publish_agreement(program);
    else
        begin_to_publish(program);
    spill_program_free_replaced(program);
}
