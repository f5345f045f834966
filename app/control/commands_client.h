/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_COMMANDS_CLIENT_H
#define SPILLWAY_COMMANDS_CLIENT_H

#include <stdbool.h>

#include "control/commands.h"
#include "control/events.h"

/**
 * @file
 * A client of the control socket: one request, ended by a newline or by its shutdown(), one answer;
 * before that, lines, if it watches packets. It has SPILL_COMMAND_PATIENCE_NS for sending the one,
 * and for taking the other, and some of the lines that wait for it; then it is closed. Nothing
 * waits for it. Control thread.
 */

#define SPILL_COMMAND_PATIENCE_NS UINT64_C(5000000000)
#define SPILL_COMMAND_LINES_MAX   (1024 * 1024) /* bytes of lines that wait to be taken */

struct spill_command_client {
    struct spill_program *program;
    int descriptor; /* -1: there is no client */
    bool reads;     /* what changes something is refused */
    enum spill_client_state {
        SPILL_CLIENT_ASKS,
        SPILL_CLIENT_RELOAD_WANTED, /* waits until one begins, as what runs may be older */
        SPILL_CLIENT_TRIAL_WANTED,
        SPILL_CLIENT_CHECK_WANTED,
        SPILL_CLIENT_UNDER_WAY, /* waits for its outcome */
        SPILL_CLIENT_WATCHES,   /* gets lines, then its answer */
        SPILL_CLIENT_TAKES,     /* its answer */
    } state;
    struct spill_event ready;    /* to be read from, or written to */
    struct spill_event patience; /* is over */
    struct spill_event leaves;   /* one that watches */
    char line[SPILL_COMMAND_LINE_MAX];
    size_t used;
    char *answer; /* owned; NULL: none yet */
    size_t answer_size, sent;
    char *lines; /* owned; NULL: it does not watch */
    size_t lines_size, lines_sent;
};

/**
 * Begins with one that has connected.
 *
 * @param client      free
 * @param descriptor  non-blocking; the client's from here on
 * @param reads       it may ask for nothing that changes something
 * @param refused     why nothing at all is taken from it; NULL: it may ask
 */
void spill_command_client_open(struct spill_command_client *client, struct spill_program *program,
                               int descriptor, bool reads, const char *refused);

/**
 * Gives one that watches a line.
 *
 * @return false: there is no room, and nothing of it was taken. The client may have gone by then,
 *         in either case, which spill_watching_left() was told
 */
bool spill_command_client_put(struct spill_command_client *client, const char *line, size_t size);

/** Bytes of lines that one that watches may be given now. */
size_t spill_command_client_room(const struct spill_command_client *client);

/** Ends it, whatever it waits for. */
void spill_command_client_close(struct spill_command_client *client);

/** Tells it how what it waits for has ended. */
void spill_command_client_tell(struct spill_command_client *client,
                               const struct spill_command_outcome *outcome);

#endif
