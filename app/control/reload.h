/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_RELOAD_H
#define SPILLWAY_RELOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/wiring.h"
#include "control/workers.h"
#include "program.h"

/**
 * @file
 * A reload: files are read, then a version is made of them, each by a thread beside the control
 * thread, which it tells when it is done, and which puts the version in force. A check compares
 * them with what is in force, and makes none.
 *
 * Reading may wait without end for a file system that hangs, and nothing reaches a thread in there.
 * It works with nothing but its own struct, so it can be given up and frees that once it comes
 * back. Making takes seconds at most, has the store of SAs for its own, and is waited for.
 *
 * reload.c has what is wanted, and when; reload_read.c the files; reload_make.c what becomes of
 * them. Its functions are the control thread's, but for spill_reload_end_step() and steps.
 */

/* From a version to its coming into force. */
enum spill_reload_stage {
    SPILL_RELOAD_MAKING,    /* the version, and what comes with it */
    SPILL_RELOAD_QUIESCING, /* what leaves */
    SPILL_RELOAD_FINISHING, /* it is in force, or what was done is undone */
};

enum spill_reload_state { SPILL_RELOAD_RUNNING, SPILL_RELOAD_DONE, SPILL_RELOAD_GIVEN_UP };

struct spill_reload {
    struct spill_program *program;
    pthread_t thread;
    bool checks;         /* and no more; control, as the next */
    bool goes_back;      /* to sources that were in force */
    bool agrees;         /* on something with a daemon: the sources are those in force */
    uint64_t confirm_ns; /* 0: it needs none */
    uint64_t began;      /* TSC; control */
    _Atomic int state;   /* of the thread, enum spill_reload_state: who changes it second frees */
    enum spill_reload_stage stage; /* once its files were read; control, as the next four */
    bool threaded;                 /* the step has a thread */
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

/** Whether one is, for good or to be confirmed. */
static inline bool spill_reload_is_wanted(const struct spill_program *program)
{
    return program->wanted[SPILL_WISH_RELOAD] || program->wanted[SPILL_WISH_TRIAL];
}

/** Its thread's last act. */
void spill_reload_end_step(struct spill_reload *reload);

/** Begins a step by a thread of its own. It is refused where there is none. */
void spill_reload_begin_step(struct spill_program *program, void *(*step)(void *));

/** Frees it, with what it owns. */
void spill_reload_free(struct spill_reload *reload);

/** Tells those who asked for it, and ends it. @param error  NULL: it went well, as the text says */
void spill_reload_end(struct spill_program *program, const char *error, const char *text);

/** Ends it; nothing has changed. */
void spill_reload_refuse(struct spill_program *program, const char *reason);

/** Has its files read. What takes too long is given up. */
void spill_reload_begin_reading(struct spill_program *program);

/** What still reads may hold up what is more than that: it gets less time then. */
void spill_reload_hurry(struct spill_program *program);

/** The files were read: has a version made of them, or has them compared, if they are good. */
void spill_reload_finish_reading(struct spill_program *program);

/** They were compared, and could be put in force. */
void spill_reload_agree(struct spill_program *program);

/** The step that makes a version, and what comes with it. @param argument  the reload */
void *spill_reload_make_version(void *argument);

/** One of the steps that follow is done, or the comparison: goes on with the next. */
void spill_reload_finish_making(struct spill_program *program);

#endif
