/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options that act at once. Most are looked at where they are used, in the program's options; who
 * has a copy is told here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/options_at_once.h"
#include "config/options_compare.h"
#include "control/log.h"
#include "control/steps.h"
#include "program.h"
#include "start/steps.h"

/* Differences as text, "dispatch of encrypt: auto -> pool", one behind the other. */
struct text {
    char *text;
    size_t size, used;
};

static void join(const struct spill_difference *difference, void *context)
{
    struct text *text = context;

    if (text->used < text->size)
        text->used += (size_t)snprintf(text->text + text->used, text->size - text->used,
                                       "%s%s: %s -> %s", text->used > 0 ? ", " : "",
                                       difference->what, difference->before, difference->after);
}

static void tell_differences(const struct spill_options *before, const struct spill_options *after,
                             char *text, size_t size)
{
    struct text joined = {.text = text, .size = size};

    text[0] = '\0';
    spill_options_compare(before, after, SPILL_OPTION_AT_ONCE, join, &joined);
}

const struct spill_options *spill_program_configured(const struct spill_program *program)
{
    return program->confirmation.in_force != NULL ? &program->confirmation.in_force->options
                                                  : &program->at_start;
}

/* Against what the configuration says that is about to be in force, or is. */
static void note(struct spill_program *program, const struct spill_options *configured)
{
    pthread_mutex_lock(&program->holding);
    tell_differences(configured, &program->options, program->set, sizeof(program->set));
    pthread_mutex_unlock(&program->holding);
}

static void put_in_force(struct spill_program *program, const struct spill_options *options)
{
    spill_options_take_at_once(&program->options, options);
    spill_log_set_level(program->options.log_level);
    spill_pipeline_set(program->pipeline, &program->options.pipeline);
    spill_on_drain_bound(program);
    spill_control_bound_drain(program);
}

void spill_program_take_at_once(struct spill_program *program, const struct spill_options *options)
{
    put_in_force(program, options);
    note(program, options);
}

int spill_program_set(struct spill_program *program, const char *setting, char *text, size_t size,
                      struct spill_error *error)
{
    struct spill_options *draft = malloc(sizeof(*draft));
    int status;

    if (draft == NULL)
        return spill_error_set(error, "set '%s': no memory", setting);
    memcpy(draft, &program->options, sizeof(*draft));
    status = spill_options_set(draft, setting, error);
    if (status == 0)
        status = spill_program_check_classes(program, draft, error);
    if (status == 0) {
        tell_differences(&program->options, draft, text, size);
        SPILL_LOG(NOTICE, "set: %s", text[0] != '\0' ? text : "it is so already");
        put_in_force(program, draft);
        note(program, spill_program_configured(program));
    }
    free(draft);
    return status;
}
