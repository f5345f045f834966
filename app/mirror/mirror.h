/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_MIRROR_MIRROR_H
#define SPILLWAY_MIRROR_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/metrics.h"
#include "control/events.h"
#include "mirror/links.h"
#include "mirror/neighbors.h"
#include "mirror/next_hops.h"
#include "mirror/path_sets.h"
#include "mirror/routes.h"
#include "mirror/sink.h"

/**
 * @file
 * The mirror: what the Linux kernel knows of links, addresses, neighbours, next-hop objects and
 * routes, kept up to date and given to a sink.
 *
 * It listens first, then asks for dumps, one kind after the other. What a dump has, and what is
 * told meanwhile, is marked with a generation; at the dump's end all goes that has an older mark.
 * One of which the kernel says that it changed meanwhile (NLM_F_DUMP_INTR) is asked for again, with
 * a new mark: the first may have had what is gone. Where the kernel had to throw messages away
 * (ENOBUFS), all begins anew with a new socket, after a pause that grows while that goes on. An
 * audit is a generation without need, from time to time: what it finds is counted, and told.
 *
 * What the kernel takes away without a message, as routes of a link that goes down, is taken away
 * here by what is known to cause it (path_sets.h, next_hops.h). What the sink has no room for is
 * given again once a second.
 *
 * All of it is the control thread's, in turns of about two milliseconds (events.h).
 */

#define SPILL_MIRROR_BUFFER     (128U << 20) /* bytes of messages that may wait */
#define SPILL_MIRROR_AUDIT_NS   (600 * UINT64_C(1000000000))
#define SPILL_MIRROR_TABLE_MAIN 254

struct spill_mirror_config {
    const char *name_space; /* path of a network namespace; NULL: the program's own */
    uint32_t table;         /* of routes, beside the local one */
    uint32_t buffer;        /* bytes */
    uint64_t audit_ns;      /* between two audits; 0: none */
    /** Called at the end of each turn, in which the sink may have been told something. May be
     * NULL. */
    void (*turned)(void *context);
    /** Called when the kernel can't be followed any more: there is no memory for a timer. */
    void (*lost)(void *context);
    void *context;
};

struct spill_mirror_counters {
    uint64_t messages;
    uint64_t overruns;    /* times that the kernel threw messages away */
    uint64_t generations; /* that were completed */
    uint64_t repeated;    /* dumps, as the kernel changed meanwhile */
    uint64_t audits;
    uint64_t differences;                      /* routes that audits found wrong */
    uint64_t prefixes_refused, groups_refused; /* that the sink has no room for now */
    uint64_t groups_tunneled;                  /* path_sets.h */
};

extern const struct spill_metrics spill_mirror_metrics;

struct spill_mirror {
    struct spill_mirror_config config;
    const struct spill_mirror_sink *sink;
    struct spill_events *events;
    struct spill_event readable, soon, later, audit, retry;
    int name_space;
    struct mnl_socket *socket; /* NULL: in a pause before the next */
    char *buffer;
    uint32_t sequence;   /* of the dump under way */
    uint32_t step;       /* of the generation: which dump; past the last: none */
    uint32_t generation; /* that all of it is to have */
    bool interrupted;    /* the dump is to be repeated */
    bool auditing;
    bool telling;      /* the generation is complete when the sink was given all */
    bool retrying;     /* the sink has no room for something: it is asked again */
    bool full;         /* so the log says */
    uint64_t pause_ns; /* before the next generation, should it fail */
    uint64_t differences_before;
    struct spill_mirror_links links;
    struct spill_next_hops next_hops;
    struct spill_path_sets sets;
    struct spill_mirror_routes routes;
    struct spill_mirror_neighbors neighbors;
    struct spill_mirror_counters counters;
};

/**
 * Prepares a mirror; nothing is asked yet.
 *
 * @param config  copied; its strings stay the caller's, until spill_mirror_close()
 * @param sink    the caller's, as long
 * @return -1 with an error, and nothing to close
 */
int spill_mirror_open(struct spill_mirror *mirror, const struct spill_mirror_config *config,
                      const struct spill_mirror_sink *sink, struct spill_events *events,
                      struct spill_error *error);

/** Says which link is the twin of an interface, before it is up. @return -1: no memory */
int spill_mirror_add_twin(struct spill_mirror *mirror, uint32_t link, uint16_t interface);

/** That it is no longer: it has been closed. */
void spill_mirror_remove_twin(struct spill_mirror *mirror, uint32_t link);

/** Begins. @return -1 with an error: the kernel does not answer */
int spill_mirror_start(struct spill_mirror *mirror, struct spill_error *error);

/** Ends. Nothing is said to the sink. */
void spill_mirror_close(struct spill_mirror *mirror);

#endif
