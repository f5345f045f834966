/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/log.h"
#include "program.h"

/* Between two tries to send what the manager had no room for. */
#define AGAIN_NS UINT64_C(100000000)
/* All is well is said that often within the manager's time: none is late that loses its CPU. */
#define FEEDS 4

/* ------------------------------------------------------------------------------- messages */

static void send_again(void *service);

/* A message that is lost for good is told once: the manager has gone, or is none. */
static void send_text(struct spill_service *service, const char *text)
{
    if (sendto(service->descriptor, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&service->address, service->address_size) >= 0)
        return;
    if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR) {
        if (text != service->unsent)
            snprintf(service->unsent, sizeof(service->unsent), "%s", text);
        spill_events_after(&service->program->events, &service->again, AGAIN_NS, send_again,
                           service);
        return;
    }
    SPILL_LOG(WARNING, "the service manager can't be told any more: %s", strerror(errno));
    spill_service_close(service);
}

static void send_again(void *context)
{
    struct spill_service *service = context;
    char text[sizeof(service->unsent)];

    memcpy(text, service->unsent, sizeof(text));
    service->unsent[0] = '\0';
    send_text(service, text);
}

/* A state outdates one that waits to be sent; what is no state waits for none. */
static void tell(struct spill_service *service, bool is_state, const char *text)
{
    if (service->descriptor == 0 || (!is_state && service->unsent[0] != '\0'))
        return;
    spill_event_remove(&service->again);
    service->unsent[0] = '\0';
    send_text(service, text);
}

static void tell_forwards(struct spill_service *service, bool is_ready, const char *more)
{
    const struct spill_program *program = service->program;
    char text[sizeof(service->unsent)];
    unsigned ports = 0, lcores = 0;

    for (uint32_t i = 0; i < program->port_count; i++)
        ports += spill_program_has_port(program, i);
    for (uint32_t i = 0; i < program->plan.lcore_count; i++)
        lcores += spill_plan_presence(&program->plan.lcores[i]) != SPILL_AWAY;
    snprintf(text, sizeof(text), "%sSTATUS=forwarding: %u ports, %u lcores, %u reloads%s",
             is_ready ? "READY=1\n" : "", ports, lcores, (unsigned)program->reloads, more);
    tell(service, is_ready, text);
}

/* ------------------------------------------------------------------------ whom, and whether */

/* Takes a variable out of the environment. Returns a copy, or NULL. */
static char *take(const char *name)
{
    const char *value = getenv(name);
    char *copy = value != NULL ? strdup(value) : NULL;

    unsetenv(name);
    return copy;
}

static int set_address(struct spill_service *service, const char *path, struct spill_error *error)
{
    const size_t size = strlen(path);

    if ((path[0] != '/' && path[0] != '@') || size < 2)
        return spill_error_set(error, "NOTIFY_SOCKET: '%s': expected a path, or @ and a name",
                               path);
    if (size >= sizeof(service->address.sun_path))
        return spill_error_set(error, "NOTIFY_SOCKET: '%s': longer than %zu bytes", path,
                               sizeof(service->address.sun_path) - 1);
    service->address.sun_family = AF_UNIX;
    memcpy(service->address.sun_path, path, size);
    /* A name begins with a zero byte, and has none at its end. */
    if (path[0] == '@')
        service->address.sun_path[0] = '\0';
    service->address_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] == '/'));
    return 0;
}

/* Nanoseconds; 0: no watchdog, or another process's. */
static uint64_t watchdog_time(const char *microseconds, const char *process)
{
    if (microseconds == NULL || (process != NULL && atol(process) != (long)getpid()))
        return 0;
    return strtoull(microseconds, NULL, 10) * 1000;
}

static int open_socket(struct spill_service *service, const char *path, struct spill_error *error)
{
    if (set_address(service, path, error) != 0)
        return -1;
    service->descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (service->descriptor > 0)
        return 0;
    service->descriptor = 0;
    return spill_error_set(error, "no socket for the service manager: %s", strerror(errno));
}

int spill_service_open(struct spill_service *service, struct spill_program *program,
                       struct spill_error *error)
{
    char *path = take("NOTIFY_SOCKET");
    char *microseconds = take("WATCHDOG_USEC");
    char *process = take("WATCHDOG_PID");
    int status = 0;

    service->program = program;
    if (path != NULL && path[0] != '\0')
        status = open_socket(service, path, error);
    if (service->descriptor != 0)
        service->watchdog_ns = watchdog_time(microseconds, process);
    free(path);
    free(microseconds);
    free(process);
    return status;
}

/* ------------------------------------------------------------------------------- what is told */

static void feed(void *context)
{
    struct spill_service *service = context;

    if (service->hanging == 0)
        tell(service, false, "WATCHDOG=1");
}

void spill_service_ready(struct spill_service *service)
{
    tell_forwards(service, true, "");
    if (service->watchdog_ns != 0 &&
        spill_events_every(&service->program->events, &service->feed, service->watchdog_ns / FEEDS,
                           feed, service) != 0)
        SPILL_LOG(WARNING, "no memory for the timer of the service manager's watchdog");
}

void spill_service_reload_begun(struct spill_service *service)
{
    char text[sizeof(service->unsent)];
    struct timespec now;

    if (service->stopping)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof(text),
             "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reads its configuration again",
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    tell(service, true, text);
    service->reloading = true;
}

void spill_service_reload_over(struct spill_service *service, bool done)
{
    /* READY=1 behind STOPPING=1 would take it back. */
    if (!service->reloading || service->stopping)
        return;
    service->reloading = false;
    tell_forwards(service, true, done ? "" : "; the last reload was refused");
}

void spill_service_hanging(struct spill_service *service, unsigned lcores)
{
    char more[64];

    if (lcores == service->hanging)
        return;
    service->hanging = lcores;
    if (service->stopping)
        return;
    snprintf(more, sizeof(more), "; %u lcores hang", lcores);
    tell_forwards(service, false, lcores != 0 ? more : "");
    /* The manager's time has run since the last one: it ends before the timer comes again. */
    if (lcores == 0 && service->watchdog_ns != 0)
        feed(service);
}

void spill_service_stopping(struct spill_service *service)
{
    char text[sizeof(service->unsent)];

    if (service->stopping)
        return;
    service->stopping = true;
    spill_event_remove(&service->feed);
    snprintf(text, sizeof(text), "STOPPING=1\nSTATUS=ending: %s",
             spill_program_end_reason(service->program));
    tell(service, true, text);
}

void spill_service_close(struct spill_service *service)
{
    spill_event_remove(&service->feed);
    spill_event_remove(&service->again);
    if (service->descriptor != 0)
        close(service->descriptor);
    service->descriptor = 0;
}
