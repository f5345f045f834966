/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_SERVICE_H
#define SPILLWAY_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "control/events.h"

/**
 * @file
 * What the service manager (systemd) is told of the program: that it forwards, reads its
 * configuration again, ends; and, while every lcore makes progress, that it is well.
 *
 * The protocol of sd_notify(3): lines NAME=VALUE in one datagram to the socket that NOTIFY_SOCKET
 * names. It is spoken here, as its manual suggests for programs that need no more of libsystemd:
 * one sendto() is no reason for a library.
 *
 * Where no manager asks for it, nothing is done. All of it is the control thread's, and none of it
 * waits: a message that the manager has no room for is sent again later, if none came after it.
 */

struct spill_program;

/** Starts as all zeros. */
struct spill_service {
    struct spill_program *program;
    int descriptor; /* of the socket; 0: nobody is told */
    struct sockaddr_un address;
    socklen_t address_size;
    uint64_t
        watchdog_ns;  /* within which the manager wants to hear that all is well; 0: it does not */
    unsigned hanging; /* lcores, at the last look */
    bool reloading;   /* it was told so */
    bool stopping;
    char unsent[320]; /* the last message, if there was no room for it; empty: none */
    struct spill_event again, feed;
};

/**
 * Finds out who wants to be told, by NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them
 * out of the environment: a command that the program runs is not the program. Before there is
 * another thread.
 *
 * @return 0, or -1 with an error: a socket is named, and can't be one
 */
int spill_service_open(struct spill_service *service, struct spill_program *program,
                       struct spill_error *error);

/** The lcores run, and the control thread waits for events: begins to say that all is well, too. */
void spill_service_ready(struct spill_service *service);

/** A reload begins; it is over. */
void spill_service_reload_begun(struct spill_service *service);
void spill_service_reload_over(struct spill_service *service, bool done);

/**
 * How many lcores hang, by the watchdog: while there are some the manager does not hear that all is
 * well, and has the program ended when that goes on for too long.
 */
void spill_service_hanging(struct spill_service *service, unsigned lcores);

/** The end begins. Once; further calls do nothing. */
void spill_service_stopping(struct spill_service *service);

/** Nothing more is told. */
void spill_service_close(struct spill_service *service);

#endif
