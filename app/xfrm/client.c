/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfrm/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xfrm/answers.h"
#include "xfrm/hello.h"
#include "xfrm/server_parts.h"

/* A message in the queue is behind its size. */
#define SIZE_SIZE sizeof(uint32_t)

int spill_xfrm_client_open(struct spill_xfrm_client *client, struct spill_xfrm *server,
                           int descriptor)
{
    memset(client, 0, sizeof(*client));
    client->server = server;
    client->descriptor = descriptor;
    if (spill_events_read(spill_xfrm_events(server), &client->reads, descriptor,
                          spill_xfrm_client_ready, client) == 0)
        return 0;
    spill_xfrm_client_close(client);
    return -1;
}

void spill_xfrm_client_close(struct spill_xfrm_client *client)
{
    const bool was_asked = (client->groups >> (XFRMNLGRP_ACQUIRE - 1) & 1) != 0;

    spill_event_remove(&client->reads);
    spill_event_remove(&client->writes);
    close(client->descriptor);
    explicit_bzero(client->queue, client->size);
    client->size = 0;
    client->descriptor = -1;
    client->dumps = client->greeted = false;
    client->waiting = 0;
    client->groups = 0;
    if (was_asked)
        spill_xfrm_listener_left(client->server);
}

void spill_xfrm_client_listen(struct spill_xfrm_client *client, bool listens)
{
    spill_event_remove(&client->reads);
    if (listens && spill_events_read(spill_xfrm_events(client->server), &client->reads,
                                     client->descriptor, spill_xfrm_client_ready, client) != 0)
        spill_xfrm_client_close(client);
}

/* Sends what waits, in order, until the client takes no more. Returns false where it is gone. */
static bool flush(struct spill_xfrm_client *client)
{
    size_t sent = 0;
    uint32_t size;
    bool is_there = true;

    while (sent < client->size) {
        memcpy(&size, client->queue + sent, SIZE_SIZE);
        if (send(client->descriptor, client->queue + sent + SIZE_SIZE, size,
                 MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            is_there = errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
            break;
        }
        sent += SIZE_SIZE + MNL_ALIGN(size);
    }
    memmove(client->queue, client->queue + sent, client->size - sent);
    explicit_bzero(client->queue + client->size - sent, sent);
    client->size -= sent;
    return is_there;
}

static void write_more(void *context)
{
    struct spill_xfrm_client *client = context;

    if (!flush(client)) {
        spill_xfrm_client_close(client);
        return;
    }
    if (client->size > 0)
        return;
    client->writing = false;
    spill_event_remove(&client->writes);
    spill_xfrm_client_drained(client);
}

bool spill_xfrm_client_has_room(const struct spill_xfrm_client *client, size_t size)
{
    return client->size + SIZE_SIZE + MNL_ALIGN(size) <= sizeof(client->queue);
}

void spill_xfrm_client_send(struct spill_xfrm_client *client, struct nlmsghdr *message)
{
    const uint32_t size = message->nlmsg_len;

    if (client->descriptor < 0)
        return;
    message->nlmsg_pid = client->port;
    if (!spill_xfrm_client_has_room(client, size)) {
        spill_xfrm_client_close(client);
        return;
    }
    memcpy(client->queue + client->size, &size, SIZE_SIZE);
    memcpy(client->queue + client->size + SIZE_SIZE, message, size);
    client->size += SIZE_SIZE + MNL_ALIGN(size);
    if (client->writing)
        return;
    if (!flush(client)) {
        spill_xfrm_client_close(client);
    } else if (client->size > 0) {
        client->writing = true;
        if (spill_events_write(spill_xfrm_events(client->server), &client->writes,
                               client->descriptor, write_more, client) != 0)
            spill_xfrm_client_close(client);
    }
}

void spill_xfrm_client_end(struct spill_xfrm_client *client, const struct nlmsghdr *asked,
                           int error)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[SPILL_XFRM_END_SIZE];

    if (error != 0 || (asked->nlmsg_flags & NLM_F_ACK) != 0)
        spill_xfrm_client_send(client, spill_xfrm_put_error(buffer, asked, error));
}
