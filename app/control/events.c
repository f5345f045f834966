/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/events.h"

#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_common.h>

/* Rounded up: none is too short. */
static struct timeval timeval_of(uint64_t nanoseconds)
{
    const uint64_t microseconds = nanoseconds / 1000 + (nanoseconds % 1000 != 0);

    return (struct timeval){.tv_sec = (time_t)(microseconds / 1000000),
                            .tv_usec = (suseconds_t)(microseconds % 1000000)};
}

static void nothing_came(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor, (void)what, (void)context;
}

/* Timers of a millisecond are meant so, and a function that took long is not told the old time. */
static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL)
        return NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
                                          EVENT_BASE_FLAG_NO_CACHE_TIME |
                                          EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

int spill_events_open(struct spill_events *events, struct spill_error *error)
{
    const struct timeval soon = {0};

    events->base = make_base();
    /* Once added, it can be moved without memory: no wait is ever without its end. */
    if (events->base != NULL &&
        event_assign(&events->patience, events->base, -1, EV_PERSIST, nothing_came, NULL) == 0 &&
        event_add(&events->patience, &soon) == 0)
        return 0;
    spill_events_close(events);
    return spill_error_set(error, "the control thread can't wait: no memory, or no descriptors");
}

void spill_events_close(struct spill_events *events)
{
    if (events->base != NULL)
        event_base_free(events->base);
    events->base = NULL;
}

void spill_events_wait(struct spill_events *events, uint64_t most)
{
    const struct timeval time = timeval_of(most);

    event_add(&events->patience, &time);
    event_base_loop(events->base, EVLOOP_ONCE);
}

static void call(evutil_socket_t descriptor, short what, void *context)
{
    struct spill_event *event = context;

    (void)descriptor, (void)what;
    event->call(event->context);
}

static int add(struct spill_events *events, struct spill_event *event, int descriptor, short what,
               const struct timeval *time)
{
    if (event_assign(&event->event, events->base, descriptor, what, call, event) != 0)
        return -1;
    return event_add(&event->event, time);
}

static void set(struct spill_event *event, void (*function)(void *), void *context)
{
    spill_event_remove(event);
    event->call = function;
    event->context = context;
}

int spill_events_read(struct spill_events *events, struct spill_event *event, int descriptor,
                      void (*function)(void *), void *context)
{
    set(event, function, context);
    return add(events, event, descriptor, EV_READ | EV_PERSIST, NULL);
}

int spill_events_write(struct spill_events *events, struct spill_event *event, int descriptor,
                       void (*function)(void *), void *context)
{
    set(event, function, context);
    return add(events, event, descriptor, EV_WRITE | EV_PERSIST, NULL);
}

int spill_events_after(struct spill_events *events, struct spill_event *event, uint64_t time,
                       void (*function)(void *), void *context)
{
    const struct timeval value = timeval_of(time);

    set(event, function, context);
    return add(events, event, -1, 0, &value);
}

int spill_events_every(struct spill_events *events, struct spill_event *event, uint64_t time,
                       void (*function)(void *), void *context)
{
    const struct timeval value = timeval_of(time);

    set(event, function, context);
    return add(events, event, -1, EV_PERSIST, &value);
}

static void take_notice(evutil_socket_t descriptor, short what, void *context)
{
    uint64_t times;

    if (read(descriptor, &times, sizeof(times)) == (ssize_t)sizeof(times))
        call(descriptor, what, context);
}

int spill_events_notice(struct spill_events *events, struct spill_event *event,
                        void (*function)(void *), void *context)
{
    set(event, function, context);
    event->notice = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event->notice < 0) {
        event->notice = 0;
        return -1;
    }
    if (event_assign(&event->event, events->base, event->notice, EV_READ | EV_PERSIST, take_notice,
                     event) == 0 &&
        event_add(&event->event, NULL) == 0)
        return 0;
    spill_event_remove(event);
    return -1;
}

void spill_event_notify(const struct spill_event *event)
{
    const uint64_t one = 1;

    if (event->notice > 0) {
        /* Fails only where more notices wait already than can be counted. */
        ssize_t written __rte_unused = write(event->notice, &one, sizeof(one));
    }
}

void spill_event_remove(struct spill_event *event)
{
    if (event_initialized(&event->event))
        event_del(&event->event);
    if (event->notice > 0)
        close(event->notice);
    memset(event, 0, sizeof(*event));
}
