/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_WATCHING_H
#define SPILLWAY_WATCHING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/error.h"
#include "base/json.h"
#include "control/events.h"
#include "packet/filter.h"
#include "pipeline/watch.h"
#include "plan/plan.h"

/**
 * @file
 * Packets that are watched for a client of the control socket: what it wants, the lcores' watches
 * from when they get them to when none uses them any more, and the lines that it gets. One at a
 * time. Control thread.
 */

struct spill_program;
struct spill_command_client;
struct spill_watching;

#define SPILL_WATCH_PACKETS_MAX 10000
#define SPILL_WATCH_SECONDS_MAX 86400

/** What a client wants to watch. */
struct spill_watch_wanted {
    struct spill_filter filter;
    uint32_t count;   /* packets, 1 to SPILL_WATCH_PACKETS_MAX */
    uint32_t seconds; /* 0: as long as it takes */
    /* Of a capture: */
    char port[64];    /* name; empty: of none */
    char dropped[64]; /* drop reason, or `any`; empty: of none */
    uint32_t bytes;   /* of each packet, at most */
};

/** How a kind of watching is done. */
struct spill_watch_kind {
    const char *name; /* the command's */
    /** Makes what it needs, with the sizes below, and prepares the watch of an lcore. @return 0, or
     * -1 with an error */
    int (*begin)(struct spill_watching *watching, struct spill_error *error);
    void (*prepare)(struct spill_watching *watching, uint32_t lcore, struct spill_watch *watch);
    /** Takes what the lcores have recorded, and tells it. @return whether that was all */
    bool (*take)(struct spill_watching *watching);
    /** One line of what there was. */
    void (*sum_up)(const struct spill_watching *watching, char *text, size_t size);
    void (*end)(struct spill_watching *watching); /* after whatever begin has done */
};

extern const struct spill_watch_kind spill_tracing, spill_capturing;

struct spill_watching {
    struct spill_program *program;
    struct spill_command_client *client; /* NULL: it has left */
    const struct spill_watch_kind *kind;
    struct spill_watch_wanted wanted;
    uint32_t record;                               /* bytes of one */
    uint32_t records;                              /* of a ring */
    struct spill_watch *watches[SPILL_LCORES_MAX]; /* by index in the plan; owned */
    uint64_t turns[SPILL_LCORES_MAX];
    uint32_t rounds;  /* that all loops have turned since the watches were taken away */
    bool leaves;      /* they were */
    char reason[128]; /* why it ends before all was told; empty: it does not */
    uint64_t until;   /* TSC; 0: no end */
    struct spill_event look;
    void *state; /* the kind's */
};

/**
 * Reads what a request says besides its command.
 *
 * @param captures  also what a capture takes
 * @param keys      gets how many of the object's keys this takes
 * @return 0, or -1 with an error
 */
int spill_watch_read(const json_t *object, bool captures, struct spill_watch_wanted *wanted,
                     size_t *keys, struct spill_error *error);

/** Begins to watch, for a client that is attached at once. @return 0, or -1 with an error */
int spill_watching_begin(struct spill_program *program, const struct spill_watch_kind *kind,
                         const struct spill_watch_wanted *wanted, struct spill_error *error);

/** Says who gets the lines. */
void spill_watching_attach(struct spill_program *program, struct spill_command_client *client);

/** The client has gone: nothing is told any more. */
void spill_watching_left(struct spill_program *program);

/** A port has left: its packets are told of no more, as its id will be another's. */
void spill_watching_port_left(struct spill_program *program, const char *name);

/** Ends it at once, as no lcore runs any more, or one hangs and keeps its watch. */
void spill_watching_close(struct spill_program *program);

/** Whether the client has room for some thousand lines: what it has not taken waits in the rings.
 * True, where there is none any more. */
bool spill_watching_has_room(const struct spill_watching *watching);

/** Gives the client a line. False: it does not take them; the watching ends. */
bool spill_watching_tell(struct spill_watching *watching, const char *line, size_t size);

#endif
