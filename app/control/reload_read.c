/* SPDX-License-Identifier: BSD-3-Clause */
/* A reload's files: they are read, looked at, and compared with what runs, which a check ends with.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/command_line.h"
#include "config/options_check.h"
#include "config/options_compare.h"
#include "config/policy_compare.h"
#include "control/log.h"
#include "control/reload.h"
#include "control/steps.h"

/* How long files are read at most; and at least, before another signal begins anew. */
#define READING_MOST_NS  UINT64_C(30000000000)
#define READING_LEAST_NS UINT64_C(1000000000)
/* How long a check reads for which something else waits. */
#define CHECKING_MOST_NS UINT64_C(3000000000)

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
    spill_reload_end_step(reload);
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
    spill_reload_end_step(reload);
    return NULL;
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

void spill_reload_agree(struct spill_program *program)
{
    const struct spill_policy_files *files = &program->reload->sources->files;
    char text[96];

    snprintf(text, sizeof(text), "%u rules and %u security associations could be put in force",
             (unsigned)spill_rules_lines(files->ruleset), (unsigned)files->sa_count);
    spill_reload_end(program, NULL, text);
}

void spill_reload_finish_reading(struct spill_program *program)
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
        spill_reload_refuse(program, reload->error.text);
    } else {
        if (reload->checks) /* here, as `set` changes what is in force */
            spill_options_compare(&program->options, &reload->sources->options,
                                  SPILL_OPTION_AT_ONCE, spill_differences_add, reload->differences);
        program->making = true;
        spill_reload_begin_step(program, reload->checks ? compare : spill_reload_make_version);
    }
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
    if (atomic_exchange(&reload->state, SPILL_RELOAD_GIVEN_UP) == SPILL_RELOAD_DONE) {
        atomic_fetch_sub(&program->reloads_lost, 1);
        atomic_store(&reload->state, SPILL_RELOAD_DONE);
        return;
    }
    pthread_detach(reload->thread);
    program->reload = NULL;
    spill_reload_refuse(program, "its files could not be read in time");
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

void spill_reload_begin_reading(struct spill_program *program)
{
    program->reload->began = spill_clock();
    spill_reload_begin_step(program, read_files);
    bound_reading(program, READING_MOST_NS);
}

void spill_reload_hurry(struct spill_program *program)
{
    if (program->reload == NULL || program->making)
        return;
    if (spill_reload_is_wanted(program))
        bound_reading(program, READING_LEAST_NS);
    else if (program->checking &&
             (program->confirmation.is_due || program->agreement.wanted != NULL))
        bound_reading(program, CHECKING_MOST_NS);
}
