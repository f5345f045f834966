/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_CTL_COMMAND_H
#define SPILLWAY_CTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "view.h"

/**
 * @file
 * What spillwayctl can be asked to do: one row a command, from which the command line is read and
 * `--help` is printed.
 */

/** Exit status. */
enum spill_ctl_status {
    SPILL_CTL_DONE = 0,
    SPILL_CTL_FAILED = 1, /* the program is not there, or refuses; or output can't be written. Of
                           * diff: something differs */
    SPILL_CTL_USAGE = 2,
};

/** Options; a command takes some of them, as bits. */
enum spill_ctl_option {
    SPILL_CTL_NAME,
    SPILL_CTL_SOCKET,
    SPILL_CTL_JSON,
    SPILL_CTL_LISTEN,
    SPILL_CTL_ONCE,
    SPILL_CTL_CONFIRM,
    SPILL_CTL_SECONDS,
    SPILL_CTL_SLOW,
    SPILL_CTL_OPTIONS,
};
#define SPILL_CTL_TAKES(option) (1u << SPILL_CTL_##option)

/** What was asked for. All of it points into argv. */
struct spill_ctl_request {
    const struct spill_ctl_command *command;
    unsigned given; /* bits of options */
    const char *values[SPILL_CTL_OPTIONS];
    const char *argument; /* the command's; NULL: none */
    int word_count;       /* of one that has a sentence of words behind its name */
    char **words;
};

struct spill_ctl_command {
    const char *name;
    const char *argument; /* what it takes, for --help; NULL: nothing */
    const char *help;
    unsigned options;
    enum spill_ctl_status (*run)(const struct spill_ctl_request *request, FILE *out,
                                 struct spill_error *error);
    const struct spill_ctl_view *view; /* of those that show something */
    bool sentence;                     /* it reads the words behind its name itself */
};

/** The row of a name; NULL: there is none. */
const struct spill_ctl_command *spill_ctl_command_find(const char *name);

/** Prints all commands and options, for --help. */
void spill_ctl_commands_help(FILE *out);

/*
 * The `run` of commands: with an error where they are not done.
 */

/** Shows a command's view. */
enum spill_ctl_status spill_ctl_show(const struct spill_ctl_request *request, FILE *out,
                                     struct spill_error *error);

/** Serves the program's metrics over HTTP until SIGINT or SIGTERM. */
enum spill_ctl_status spill_ctl_export(const struct spill_ctl_request *request, FILE *out,
                                       struct spill_error *error);

/** Shows what happens, on a screen or once as text. */
enum spill_ctl_status spill_ctl_top(const struct spill_ctl_request *request, FILE *out,
                                    struct spill_error *error);

/** Looks for what costs or is broken; SPILL_CTL_FAILED where something is. */
enum spill_ctl_status spill_ctl_doctor(const struct spill_ctl_request *request, FILE *out,
                                       struct spill_error *error);

/** Prints a text of several lines that another process has the say of. */
void spill_ctl_print_text(const char *text, FILE *out);

/** Shows what lcores did, or with --slow their turns that took too long. */
enum spill_ctl_status spill_ctl_lcores(const struct spill_ctl_request *request, FILE *out,
                                       struct spill_error *error);

/** Shows the way of single packets. */
enum spill_ctl_status spill_ctl_trace(const struct spill_ctl_request *request, FILE *out,
                                      struct spill_error *error);

/** Writes packets that were dropped, or a port's, to a file. */
enum spill_ctl_status spill_ctl_capture(const struct spill_ctl_request *request, FILE *out,
                                        struct spill_error *error);

/** Sets an option: its words are joined to KEY=VALUE. */
enum spill_ctl_status spill_ctl_set(const struct spill_ctl_request *request, FILE *out,
                                    struct spill_error *error);

/** Shows what a reload would change: SPILL_CTL_FAILED without an error where there is something,
 * SPILL_CTL_USAGE with one. */
enum spill_ctl_status spill_ctl_diff(const struct spill_ctl_request *request, FILE *out,
                                     struct spill_error *error);

/** Has the program do it, by its control socket. */
enum spill_ctl_status spill_ctl_remote(const struct spill_ctl_request *request, FILE *out,
                                       struct spill_error *error);

#endif
