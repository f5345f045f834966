/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is put in force: one change at a time. It is answered, and its events are told, when every
 * lcore goes by it; what comes meanwhile waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/log.h"
#include "control/steps.h"
#include "program.h"
#include "xfrm/compile.h"
#include "xfrm/hello.h"
#include "xfrm/server_parts.h"

#define EVENTS_MAX (256u << 10) /* bytes of events of one change */

/* --------------------------------------------------------------------------------- events */

uint32_t spill_xfrm_publish(struct spill_xfrm *server, uint32_t group, struct nlmsghdr *message)
{
    uint32_t heard = 0;

    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++) {
        struct spill_xfrm_client *client = &server->clients[i];

        if (client->descriptor < 0 || (client->groups >> (group - 1) & 1) == 0)
            continue;
        /* Answers have their room all the same. */
        if (spill_xfrm_client_has_room(client, message->nlmsg_len + 2u * SPILL_XFRM_ANSWER_MAX)) {
            spill_xfrm_client_send(client, message);
            heard += client->descriptor >= 0; /* else it was gone */
        } else {
            client->lost++;
        }
    }
    return heard;
}

void spill_xfrm_take_event(void *context, enum xfrm_nlgroups group, const struct nlmsghdr *message)
{
    struct spill_xfrm *server = ((struct spill_xfrm_asking *)context)->server;
    const size_t size = sizeof(uint32_t) + MNL_ALIGN(message->nlmsg_len);
    const uint32_t number = group;

    if (server->events_size + size > server->events_capacity) {
        const size_t capacity = RTE_MAX(2 * server->events_capacity, (size_t)16384);
        uint8_t *events = capacity <= EVENTS_MAX ? calloc(1, capacity) : NULL;

        if (events == NULL || size > capacity - server->events_size) {
            server->events_lost++;
            free(events);
            return;
        }
        if (server->events_size > 0)
            memcpy(events, server->events, server->events_size);
        if (server->events != NULL)
            explicit_bzero(server->events, server->events_size);
        free(server->events);
        server->events = events;
        server->events_capacity = capacity;
    }
    memcpy(server->events + server->events_size, &number, sizeof(number));
    memcpy(server->events + server->events_size + sizeof(number), message, message->nlmsg_len);
    server->events_size += size;
}

void spill_xfrm_end_events(struct spill_xfrm *server, bool tells)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[SPILL_XFRM_ANSWER_MAX];
    struct nlmsghdr *message = (struct nlmsghdr *)buffer;
    size_t at = 0;
    uint32_t group;

    while (tells && at < server->events_size) {
        memcpy(&group, server->events + at, sizeof(group));
        at += sizeof(group);
        memcpy(buffer, server->events + at, sizeof(*message));
        memcpy(buffer, server->events + at, message->nlmsg_len);
        at += MNL_ALIGN(message->nlmsg_len);
        spill_xfrm_publish(server, group, message);
    }
    if (server->events != NULL)
        explicit_bzero(server->events, server->events_size);
    explicit_bzero(buffer, sizeof(buffer));
    server->events_size = 0;
}

/* -------------------------------------------------------------------------------- changes */

int spill_xfrm_prepare(struct spill_xfrm *server)
{
    if (server->dirty || server->before.sas != NULL)
        return 0;
    return spill_xfrm_state_copy(&server->state, &server->before) == 0 ? 0 : -ENOBUFS;
}

static void listen_to_all(struct spill_xfrm *server, bool listens)
{
    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++) {
        struct spill_xfrm_client *client = &server->clients[i];

        if (client->descriptor >= 0)
            spill_xfrm_client_listen(client, listens && !client->dumps && !client->writing);
    }
}

/* What waited for the change, and not for the client. */
static void go_on_dumping(struct spill_xfrm *server)
{
    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++) {
        struct spill_xfrm_client *client = &server->clients[i];

        if (client->descriptor >= 0 && client->dumps && !client->writing)
            spill_xfrm_client_drained(client);
    }
}

/* The version is in force, or not: those who wait for it hear so. */
static void end_change(void *context, const char *error, bool in_force)
{
    struct spill_xfrm *server = context;
    const int status = error == NULL ? 0 : in_force ? -ETIMEDOUT : -ENOBUFS;

    if (error != NULL && in_force)
        SPILL_LOG(ERR, "xfrm: %s", error);
    if (in_force) {
        spill_xfrm_state_clear(&server->before);
    } else {
        /* Daemons have been asked meanwhile, and the change was none of that. */
        server->before.acquires = server->state.acquires;
        spill_xfrm_state_clear(&server->state);
        server->state = server->before;
        memset(&server->before, 0, sizeof(server->before));
    }
    server->changing = false;
    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++) {
        struct spill_xfrm_client *client = &server->clients[i];

        for (uint32_t j = 0; j < client->waiting && client->descriptor >= 0; j++)
            spill_xfrm_client_end(client, &client->asked[j], status);
        client->waiting = 0;
    }
    spill_xfrm_end_events(server, in_force);
    listen_to_all(server, true);
    go_on_dumping(server);
}

void spill_xfrm_commit(struct spill_xfrm *server)
{
    struct spill_policy_files *files;

    if (!server->dirty) {
        spill_xfrm_state_clear(&server->before);
        spill_xfrm_end_events(server, true);
        return;
    }
    spill_xfrm_gather(server);
    server->dirty = false;
    server->changing = true;
    listen_to_all(server, false);
    files = calloc(1, sizeof(*files));
    if (files != NULL && spill_xfrm_compile(&server->state, files) == 0) {
        /* An SA that no policy takes yet, mostly: nothing is made for it. */
        if (spill_program_has_agreed(server->program, files)) {
            spill_policy_files_free(files);
            free(files);
            end_change(server, NULL, true);
            return;
        }
        spill_program_agree(server->program, files, end_change, server);
        return;
    }
    free(files);
    end_change(server, "no memory", false);
}
