/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reload: files are read, then a version is made of them, each by a thread beside the control
 * thread, which it tells when it is done, and which puts the version in force. A check compares
 * them with what is in force, and makes none.
 *
 * Reading may wait without end for a file system that hangs, and nothing reaches a thread in there.
 * It works with nothing but its own struct, so it can be given up and frees that once it comes
 * back. Making takes seconds at most, has the store of SAs for its own, and is waited for.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/command_line.h"
#include "config/options_check.h"
#include "config/options_compare.h"
#include "config/policy_compare.h"
#include "config/units.h"
#include "control/commands.h"
#include "control/log.h"
#include "control/steps.h"
#include "control/wiring.h"
#include "control/workers.h"
#include "program.h"

/* What a reload gets to notice that the program ends. */
#define GRACE_NS UINT64_C(500000000)
/* How long files are read at most; and at least, before another signal begins anew. */
#define READING_MOST_NS  UINT64_C(30000000000)
#define READING_LEAST_NS UINT64_C(1000000000)
/* How long a check reads for which something else waits. */
#define CHECKING_MOST_NS UINT64_C(3000000000)
/* Threads that were given up and haven't come back; with so many, no other is begun. */
#define LOST_MAX 4

/* From a version to its coming into force. */
enum stage {
    STAGE_MAKING,    /* the version, and what comes with it */
    STAGE_QUIESCING, /* what leaves */
    STAGE_FINISHING, /* it is in force, or what was done is undone */
};

enum state { STEP_RUNNING, STEP_DONE, STEP_GIVEN_UP };

struct spill_reload {
    struct spill_program *program;
    pthread_t thread;
    bool checks;         /* and no more; control, as the next */
    bool goes_back;      /* to sources that were in force */
    bool agrees;         /* on something with a daemon: the sources are those in force */
    uint64_t confirm_ns; /* 0: it needs none */
    uint64_t began;      /* TSC; control */
    _Atomic int state;   /* of the thread, enum state: who changes it second frees */
    enum stage stage;    /* once its files were read; control, as the next four */
    bool threaded;       /* the step has a thread */
    bool failed; /* the version is not in force, by the error; else it is, as the text says */
    char text[96];
    /* The thread's, until it is done: */
    bool parsed;                   /* the options are whole */
    bool good;                     /* and what else there is, and what this program can go by */
    struct spill_options *there;   /* owned; ports when it began, by their names; NULL: not asked */
    struct spill_sources *sources; /* owned, but where former ones come back; NULL: of the start */
    struct spill_generation *made; /* NULL: refused, with the error */
    struct spill_wiring wiring;    /* what comes and leaves with it, as the next */
    struct spill_workers workers;
    struct spill_error error;
    char changes[512];                     /* keys that were read and take a restart */
    char warnings[1024];                   /* of what was read, one a line; as many as fit */
    struct spill_differences *differences; /* owned; of a check: else NULL */
};

static void free_reload(struct spill_reload *reload)
{
    spill_differences_free(reload->differences);
    spill_generation_free(reload->made);
    free(reload->there);
    if (!reload->goes_back && !reload->agrees)
        spill_sources_free(reload->sources);
    free(reload);
}

/* The thread's last act. */
static void end_step(struct spill_reload *reload)
{
    struct spill_program *program = reload->program;

    if (atomic_exchange(&reload->state, STEP_DONE) != STEP_GIVEN_UP) {
        spill_event_notify(&program->reload_due);
        return;
    }
    free_reload(reload);
    atomic_fetch_sub(&program->reloads_lost, 1);
}

/* Adds the name of a key that takes a restart to the list. */
static void note_change(const struct spill_difference *difference, void *context)
{
    struct spill_reload *reload = context;
    size_t used = strlen(reload->changes);

    snprintf(reload->changes + used, sizeof(reload->changes) - used, "%s%s", used > 0 ? ", " : "",
             difference->what);
    if (reload->differences != NULL)
        spill_differences_add(difference, reload->differences);
}

static void *read_files(void *argument)
{
    struct spill_reload *reload = argument;
    struct spill_program *program = reload->program;
    struct spill_options *options = &reload->sources->options;

    reload->good = spill_options_parse(program->argc, program->argv, &program->stop, options,
                                       &reload->error) == SPILL_OPTIONS_GO_ON;
    reload->parsed = reload->good;
    if (reload->good)
        reload->good = spill_policy_files_load(options, &program->stop, &reload->sources->files,
                                               &reload->error) == 0;
    if (reload->good)
        reload->good = spill_wiring_check_devices(reload->there, options, &reload->error) == 0;
    end_step(reload);
    return NULL;
}

/* What is in force stays so until the check is over: nothing else is put in force meanwhile. Ports
 * are those that are there: of a file in force, some may have been left to the next start. Then
 * what would come is asked for, as far as that takes nothing. */
static void *compare(void *argument)
{
    struct spill_reload *reload = argument;
    struct spill_program *program = reload->program;
    const struct spill_sources *in_force = program->confirmation.in_force, *again = reload->sources;
    struct spill_options *now =
        spill_wiring_current(program, in_force != NULL ? &in_force->options : &program->options);

    if (now != NULL)
        spill_options_compare(now, &again->options, SPILL_OPTION_AT_RELOAD, spill_differences_add,
                              reload->differences);
    else
        spill_error_set(&reload->error, "no memory");
    reload->good =
        now != NULL &&
        spill_policy_compare(in_force != NULL ? &in_force->files : &program->files, &again->files,
                             spill_differences_add, reload->differences, &reload->error) == 0 &&
        spill_workers_ask(program, &again->options, &reload->error) == 0 &&
        spill_wiring_ask(program, now, &again->options, &reload->error) == 0;
    free(now);
    end_step(reload);
    return NULL;
}

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

static void *make_version(void *argument)
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
    end_step(reload);
    return NULL;
}

static void *quiesce(void *argument)
{
    struct spill_reload *reload = argument;

    reload->program->wiring = true;
    reload->failed = spill_wiring_quiesce(reload->program, &reload->wiring, &reload->error) != 0;
    reload->program->wiring = false;
    end_step(reload);
    return NULL;
}

static void *finish(void *argument)
{
    struct spill_reload *reload = argument;

    reload->program->wiring = true;
    spill_workers_retire(reload->program, &reload->workers);
    spill_wiring_finish(reload->program, &reload->wiring);
    reload->program->wiring = false;
    end_step(reload);
    return NULL;
}

/* Tells those who asked for it, and ends it. @param error  NULL: it went well, as the text says */
static void end_reload(struct spill_program *program, const char *error, const char *text)
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
        free_reload(reload);
    program->reload = NULL;
    program->making = false;
    program->going_back = false;
}

static void refuse(struct spill_program *program, const char *reason)
{
    if (program->reload != NULL && program->reload->agrees)
        spill_program_end_agreement(program, reason);
    else if (!program->checking)
        SPILL_LOG(ERR, "reload: %s; the rules stay as they were", reason);
    end_reload(program, reason, NULL);
    if (program->reload_wanted || program->check_wanted || program->agreement.wanted != NULL)
        spill_event_notify(&program->reload_due);
}

static void begin_step(struct spill_program *program, void *(*step)(void *))
{
    struct spill_reload *reload = program->reload;

    atomic_store(&reload->state, STEP_RUNNING);
    reload->threaded = pthread_create(&reload->thread, NULL, step, reload) == 0;
    if (reload->threaded)
        return;
    if (reload->stage == STAGE_MAKING)
        refuse(program, "no thread");
    else
        step(reload); /* what has begun is brought to its end, if the control thread has to wait */
}

/*
 * Leaves the thread to itself, unless it is done at this very moment. While the program ends,
 * spill_program_end_reload() sees to it, here as below.
 */
static void give_up(void *context)
{
    struct spill_program *program = context;
    struct spill_reload *reload = program->reload;

    if (spill_token_cancelled(&program->stop))
        return;
    atomic_fetch_add(&program->reloads_lost, 1);
    if (atomic_exchange(&reload->state, STEP_GIVEN_UP) == STEP_DONE) {
        atomic_fetch_sub(&program->reloads_lost, 1);
        atomic_store(&reload->state, STEP_DONE);
        return;
    }
    pthread_detach(reload->thread);
    program->reload = NULL;
    refuse(program, "its files could not be read in time");
    spill_event_notify(&program->reload_due);
}

/* The timer may be moved to an earlier time. */
static void bound_reading(struct spill_program *program, uint64_t most)
{
    uint64_t spent;

    if (program->reload == NULL)
        return;
    spent = RTE_MIN(spill_nanoseconds(spill_clock() - program->reload->began), most);
    if (spill_events_after(&program->events, &program->patience, most - spent, give_up, program) !=
        0)
        give_up(program);
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

/* The wish for a reload, or else for a check, is met now. Returns how long it is to be confirmed.
 */
static uint64_t take_wish(struct spill_program *program)
{
    const uint64_t confirm_ns = program->confirm_ns;

    program->checking = !program->reload_wanted;
    spill_program_tell_reload_begun(program, program->checking);
    if (program->checking) {
        program->check_wanted = false;
        return 0;
    }
    program->reload_wanted = false;
    program->confirm_ns = 0;
    spill_service_reload_begun(&program->service);
    return confirm_ns;
}

static void begin(struct spill_program *program)
{
    const uint64_t confirm_ns = take_wish(program);

    if (atomic_load(&program->reloads_lost) >= LOST_MAX) {
        refuse(program, "several before it still read their files");
        return;
    }
    program->reload = create(program);
    if (program->reload == NULL || program->reload->sources == NULL) {
        refuse(program, "no memory");
        return;
    }
    program->reload->checks = program->checking;
    program->reload->there = spill_wiring_current(program, &program->options);
    if (program->checking)
        program->reload->differences = calloc(1, sizeof(*program->reload->differences));
    if (program->reload->there == NULL ||
        (program->checking && program->reload->differences == NULL)) {
        refuse(program, "no memory");
        return;
    }
    program->reload->confirm_ns = confirm_ns;
    program->reload->began = spill_clock();
    begin_step(program, read_files);
    bound_reading(program, READING_MOST_NS);
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
        refuse(program, reload->error.text);
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
    end_reload(program, error, NULL);
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
    end_reload(program, reload->failed ? reload->error.text : NULL, reload->text);
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
    reload->stage = STAGE_FINISHING;
    if (wiring->come_count + wiring->leave_count + wiring->routed_leave.count +
            reload->workers.leave_count >
        0)
        begin_step(program, finish);
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
        refuse(program, reload->error.text);
        return;
    }
    reload->failed = spill_wiring_give(program, &reload->wiring, spill_program_configured(program),
                                       options_of(program), &reload->error) != 0;
    if (reload->failed) {
        begin_to_finish(program);
    } else if (reload->wiring.leave_count + reload->wiring.routed_leave.count == 0) {
        publish(program);
    } else {
        reload->stage = STAGE_QUIESCING;
        spill_wiring_close(program, &reload->wiring);
        begin_step(program, quiesce);
    }
}

static void agree(struct spill_program *program)
{
    const struct spill_policy_files *files = &program->reload->sources->files;
    char text[96];

    snprintf(text, sizeof(text), "%u rules and %u security associations could be put in force",
             (unsigned)files->ruleset->count, (unsigned)files->sa_count);
    end_reload(program, NULL, text);
}

static void finish_making(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;

    if (reload->stage == STAGE_FINISHING)
        end_stages(program);
    else if (reload->stage == STAGE_QUIESCING && reload->failed)
        begin_to_finish(program);
    else if (reload->stage == STAGE_QUIESCING)
        publish(program);
    else if (reload->checks && reload->good)
        agree(program);
    else if (reload->checks)
        refuse(program, reload->error.text);
    else if (reload->agrees)
        publish_agreement(program);
    else
        begin_to_publish(program);
    spill_program_free_replaced(program);
}

/* Against what runs, which nobody changes meanwhile. */
static void compare_with_start(struct spill_reload *reload)
{
    struct spill_options *now = spill_wiring_current(reload->program, &reload->program->options);

    if (now == NULL)
        return;
    spill_options_compare(now, &reload->sources->options, SPILL_OPTION_AT_START, note_change,
                          reload);
    free(now);
}

/* A check tells it by its answer alone. */
static void warn(void *context, const char *warning)
{
    struct spill_reload *reload = context;
    const size_t used = strlen(reload->warnings);

    if (!reload->checks)
        SPILL_LOG(WARNING, "reload: %s", warning);
    if (used + strlen(warning) + 2 <= sizeof(reload->warnings))
        snprintf(reload->warnings + used, sizeof(reload->warnings) - used, "%s%s",
                 used > 0 ? "\n" : "", warning);
}

/* Its files were read: a version is made of them, if they are good. */
static void finish_reading(struct spill_program *program)
{
    struct spill_reload *reload = program->reload;

    spill_event_remove(&program->patience);
    if (reload->parsed) {
        compare_with_start(reload);
        spill_options_tell_overlaps(&reload->sources->options, warn, reload);
    }
    reload->good =
        reload->good && spill_program_check_version(program, &reload->sources->options,
                                                    &reload->sources->files, &reload->error) == 0;
    if (reload->changes[0] != '\0' && !reload->checks)
        SPILL_LOG(WARNING, "reload: of %s the new value takes effect at the next start",
                  reload->changes);
    if (!reload->good) {
        refuse(program, reload->error.text);
    } else {
        if (reload->checks) /* here, as `set` changes what is in force */
            spill_options_compare(&program->options, &reload->sources->options,
                                  SPILL_OPTION_AT_ONCE, spill_differences_add, reload->differences);
        program->making = true;
        begin_step(program, reload->checks ? compare : make_version);
    }
}

static void finish_step(struct spill_program *program)
{
    if (program->reload->threaded)
        pthread_join(program->reload->thread, NULL);
    if (program->making)
        finish_making(program);
    else
        finish_reading(program);
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
    begin_step(program, make_version);
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
    begin_step(program, make_version);
}

/* What still reads may hold up what is more than that: it gets less time then. */
static void hurry(struct spill_program *program)
{
    if (program->reload == NULL || program->making)
        return;
    if (program->reload_wanted)
        bound_reading(program, READING_LEAST_NS);
    else if (program->checking &&
             (program->confirmation.is_due || program->agreement.wanted != NULL))
        bound_reading(program, CHECKING_MOST_NS);
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
    if (program->reload != NULL && atomic_load(&program->reload->state) == STEP_DONE)
        finish_step(program);
    if (program->reload == NULL && spill_program_take_former(program, &former))
        go_back(program, former);
    if (program->reload == NULL && program->reload_wanted)
        begin(program);
    if (program->reload == NULL && spill_program_begin_agreement(program))
        agree_anew(program);
    if (program->reload == NULL && program->check_wanted)
        begin(program);
    hurry(program);
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
    const bool under_way =
        reload != NULL && !reload->checks && !reload->agrees && reload->stage != STAGE_FINISHING;

    if (under_way || program->reload_wanted)
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
        free_reload(reload);
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
