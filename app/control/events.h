/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_EVENTS_H
#define SPILLWAY_EVENTS_H

#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/error.h"

/**
 * @file
 * What the control thread waits for: descriptors, timers, and what other threads have to say
 * (libevent). Nothing is looked at in between: an idle control thread sleeps.
 *
 * A part that has something to wait for keeps a struct spill_event in its state, adds it by one of
 * the functions below, and removes it before that state goes. Its function is called on the control
 * thread while that is in spill_events_wait(). It does not block, and does not wait itself; it may
 * add and remove any event, its own as well.
 *
 *     sockets, netlink     spill_events_read(), spill_events_write()
 *     timers               spill_events_after(), spill_events_every()
 *     other threads        spill_events_notice(); they call spill_event_notify()
 *
 * All of it is the control thread's but spill_event_notify(). Times are nanoseconds.
 */

/** One thing that is waited for. Starts as all zeros; stays where it is while it is added. */
struct spill_event {
    struct event event; /* libevent's */
    void (*call)(void *context);
    void *context;
    int notice; /* eventfd, after spill_events_notice() */
};

struct spill_events {
    struct event_base *base;
    struct event patience; /* ends a wait in which nothing else came */
};

/** @return 0, or -1 with an error and nothing to close */
int spill_events_open(struct spill_events *events, struct spill_error *error);

/** All events have been removed. Closing what was never opened does nothing. */
void spill_events_close(struct spill_events *events);

/**
 * Waits until something came, and calls the functions of what did.
 *
 * @param most  no longer than that
 */
void spill_events_wait(struct spill_events *events, uint64_t most);

/**
 * Calls a function each time that a descriptor can be read, or is at its end.
 *
 * @param event       added by this; if it was already, that is over
 * @param descriptor  stays the caller's, open until the event is removed
 * @return 0, or -1 without memory, as all that follow
 */
int spill_events_read(struct spill_events *events, struct spill_event *event, int descriptor,
                      void (*call)(void *), void *context);

/** The same each time that a descriptor can be written to. */
int spill_events_write(struct spill_events *events, struct spill_event *event, int descriptor,
                       void (*call)(void *), void *context);

/** Calls a function once, after a time. An event that waits already gets the new time. */
int spill_events_after(struct spill_events *events, struct spill_event *event, uint64_t time,
                       void (*call)(void *), void *context);

/** Calls a function again and again. Where it was late, times that were missed are not made up. */
int spill_events_every(struct spill_events *events, struct spill_event *event, uint64_t time,
                       void (*call)(void *), void *context);

/** Calls a function after another thread has called spill_event_notify(), once for several. */
int spill_events_notice(struct spill_events *events, struct spill_event *event,
                        void (*call)(void *), void *context);

/**
 * Wakes the control thread; for an event that nobody waits for it does nothing. Any thread but an
 * lcore's (law 2: a system call).
 */
void spill_event_notify(const struct spill_event *event);

/** Ceases to wait for it. One that was never added, or is over, may be given. */
void spill_event_remove(struct spill_event *event);

#endif
