/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_COMMANDS_H
#define SPILLWAY_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/json.h"
#include "config/difference.h"
#include "control/watching.h"

/**
 * @file
 * What a client of the control socket may ask for (command_rows.h), from its line to its answer.
 * Control thread.
 */

#define SPILL_COMMAND_LINE_MAX (64 * 1024) /* bytes of a request, with its newline */

struct spill_program;
struct spill_command;

struct spill_command_request {
    const struct spill_command *command;
    char argument[256];               /* empty: none */
    struct spill_watch_wanted wanted; /* of one that watches packets */
};

enum spill_command_result {
    SPILL_COMMAND_DONE,
    SPILL_COMMAND_REFUSED, /* with an error */
    /* The answer is the outcome of what was begun: */
    SPILL_COMMAND_RELOADS,
    SPILL_COMMAND_TRIES, /* a reload that is to be confirmed */
    SPILL_COMMAND_CHECKS,
    /* Packets are watched; lines come before the answer: */
    SPILL_COMMAND_WATCHES,
};

/** How what a client waited for has ended. */
struct spill_command_outcome {
    const char *error;                           /* NULL: well */
    const char *text;                            /* what is to be said then */
    const char *restart;                         /* keys that take a restart; NULL or empty: none */
    const char *warnings;                        /* one a line; likewise */
    const struct spill_differences *differences; /* what a reload would change, and what the next
                                                  * start; NULL: not told */
};

/**
 * Reads a request, from whomever. Pure.
 *
 * @param line     size bytes without the newline
 * @param request  overwritten
 * @return 0, or -1 with an error
 */
int spill_command_read(const char *line, size_t size, struct spill_command_request *request,
                       struct spill_error *error);

/** Whether it changes nothing. */
bool spill_command_reads(const struct spill_command_request *request);

/**
 * Does it.
 *
 * @param answer  has an object open, to which what it has to say is added
 */
enum spill_command_result spill_command_do(struct spill_program *program,
                                           const struct spill_command_request *request,
                                           struct spill_json *answer, struct spill_error *error);

#endif
