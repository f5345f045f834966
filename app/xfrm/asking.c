/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients ask, one thing after the other, and dumps. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "control/log.h"
#include "program.h"
#include "xfrm/acquire.h"
#include "xfrm/hello.h"
#include "xfrm/server_parts.h"

/* Requests of a client that are answered before another client's. */
#define REQUESTS_AT_ONCE 64

/* ------------------------------------------------------------------------------- requests */

static struct spill_xfrm_time now(void)
{
    struct timespec monotonic, real;

    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_REALTIME, &real);
    return (struct spill_xfrm_time){.now = (uint64_t)monotonic.tv_sec * SPILL_SECOND_NS +
                                           (uint64_t)monotonic.tv_nsec,
                                    .seconds = (uint64_t)real.tv_sec};
}

static void look(void *context, struct spill_xfrm_sa *sa, struct spill_xfrm_window *window)
{
    const struct spill_xfrm_asking *asking = context;

    spill_xfrm_look(asking->server, sa, &asking->time, window);
}

static void take_answer(void *context, struct nlmsghdr *message)
{
    const struct spill_xfrm_asking *asking = context;

    message->nlmsg_seq = asking->asked->nlmsg_seq;
    spill_xfrm_client_send(asking->client, message);
}

void spill_xfrm_begin(struct spill_xfrm *server, struct spill_xfrm_client *client,
                      const struct nlmsghdr *asked, struct spill_xfrm_asking *asking,
                      struct spill_xfrm_handling *handling)
{
    *asking = (struct spill_xfrm_asking){
        .server = server, .client = client, .asked = asked, .time = now()};
    *handling = (struct spill_xfrm_handling){.state = &server->state,
                                             .time = asking->time,
                                             .look = look,
                                             .answer = take_answer,
                                             .event = spill_xfrm_take_event,
                                             .context = asking};
}

static bool may_change(uint16_t type)
{
    return type != XFRM_MSG_GETSA && type != XFRM_MSG_ALLOCSPI && type != XFRM_MSG_GETAE &&
           type != XFRM_MSG_GETPOLICY && type != XFRM_MSG_GETSADINFO && type != XFRM_MSG_GETSPDINFO;
}

/* What is not answered at once waits to be in force. */
static void handle(struct spill_xfrm_client *client, const struct spill_xfrm_message *message)
{
    struct spill_xfrm *server = client->server;
    struct spill_xfrm_asking asking;
    struct spill_xfrm_handling handling;
    int status = 0;

    spill_xfrm_begin(server, client, message->header, &asking, &handling);
    if (may_change(message->header->nlmsg_type))
        status = spill_xfrm_prepare(server);
    if (status == 0)
        status = spill_xfrm_handle(&handling, message);
    server->dirty |= handling.changed;
    if (client->descriptor < 0)
        return;
    if (handling.changed)
        client->asked[client->waiting++] = *message->header;
    else
        spill_xfrm_client_end(client, message->header, status);
    /* What was answered is not taken back with a later change. */
    if (!server->dirty)
        spill_xfrm_commit(server);
}

/* The next SA of a dump; behind all of them, those that daemons were asked for. */
static struct nlmsghdr *put_next_sa(struct spill_xfrm_client *client, void *buffer, size_t room,
                                    const struct spill_xfrm_time *time)
{
    struct spill_xfrm_state *state = &client->server->state;
    const uint32_t next = client->next++;
    struct spill_xfrm_window window = {0};
    struct spill_xfrm_sa asked;

    if (next < state->sa_count) {
        spill_xfrm_look(client->server, &state->sas[next], time, &window);
        return spill_xfrm_put_sa(buffer, room, XFRM_MSG_NEWSA, &state->sas[next], &window);
    }
    asked = spill_xfrm_acquire_sa(&state->acquires.list[next - state->sa_count]);
    return spill_xfrm_put_sa(buffer, room, XFRM_MSG_NEWSA, &asked, NULL);
}

/* As much of a dump as there is room for. */
static void dump_on(struct spill_xfrm_client *client)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[SPILL_XFRM_ANSWER_MAX];
    const struct nlmsghdr asked = client->dump;
    const bool of_sas = asked.nlmsg_type == XFRM_MSG_GETSA;
    struct spill_xfrm_state *state = &client->server->state;
    struct nlmsghdr *message;
    const struct spill_xfrm_time time = now();
    const uint32_t count = of_sas ? state->sa_count + state->acquires.count : state->policy_count;

    while (client->descriptor >= 0 && client->dumps &&
           spill_xfrm_client_has_room(client, 2u * sizeof(buffer))) {
        if (client->next >= count) {
            client->dumps = false;
            spill_xfrm_client_send(client, spill_xfrm_put_done(buffer, &asked));
            break;
        }
        message = of_sas ? put_next_sa(client, buffer, sizeof(buffer), &time)
                         : spill_xfrm_put_policy(buffer, sizeof(buffer), XFRM_MSG_NEWPOLICY,
                                                 &state->policies[client->next++], 0);
        if (message == NULL)
            continue;
        message->nlmsg_flags = NLM_F_MULTI;
        message->nlmsg_seq = asked.nlmsg_seq;
        spill_xfrm_client_send(client, message);
    }
    explicit_bzero(buffer, sizeof(buffer));
}

static void greet(struct spill_xfrm_client *client, const struct nlmsghdr *header)
{
    struct spill_xfrm_hello hello;

    if (header->nlmsg_len != sizeof(hello)) {
        spill_xfrm_client_close(client);
        return;
    }
    memcpy(&hello, header, sizeof(hello));
    if (hello.version != SPILL_XFRM_HELLO_VERSION) {
        SPILL_LOG(ERR,
                  "xfrm: a client speaks version %u of the preload's: expected %u, "
                  "spillway's own libspillway-xfrm.so",
                  hello.version, SPILL_XFRM_HELLO_VERSION);
        spill_xfrm_client_close(client);
        return;
    }
    client->greeted = true;
    client->port = hello.port;
    client->groups = hello.groups;
}

/* Whether there is room for an answer, and for the ends of all that may wait behind it. */
static bool has_room(const struct spill_xfrm_client *client)
{
    return spill_xfrm_client_has_room(client, 2u * SPILL_XFRM_ANSWER_MAX +
                                                  SPILL_XFRM_BATCH_MAX * SPILL_XFRM_END_SIZE);
}

static void take_message(struct spill_xfrm_client *client, const void *data, size_t left)
{
    struct spill_xfrm_message message;
    int status = spill_xfrm_message_read(data, left, &message);

    /* A dump goes on later: what stands behind it would come before. */
    if (status == 0 &&
        (client->dumps || client->waiting == SPILL_XFRM_BATCH_MAX || !has_room(client)))
        status = -ENOBUFS;
    if (message.header == NULL)
        return;
    if (message.header->nlmsg_type == SPILL_XFRM_HELLO)
        greet(client, message.header);
    else if (!client->greeted)
        spill_xfrm_client_close(client);
    else if ((message.header->nlmsg_flags & NLM_F_REQUEST) == 0)
        return;
    else if (status != 0)
        spill_xfrm_client_end(client, message.header, status);
    else if (spill_xfrm_is_dump(message.header)) {
        client->dump = *message.header;
        client->dumps = true;
        client->next = 0;
        dump_on(client);
    } else {
        handle(client, &message);
    }
}

/* One after the other: what they change is one change. */
static void take_messages(struct spill_xfrm_client *client, const uint8_t *data, size_t left)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)data;

    take_message(client, header, left);
    while (spill_xfrm_is_whole(header, left)) {
        header = spill_xfrm_next(header, &left);
        if (client->descriptor >= 0 && spill_xfrm_is_whole(header, left))
            take_message(client, header, left);
    }
}

/* Takes what a client says in one go. Returns false where there is nothing. */
static bool take_datagram(struct spill_xfrm_client *client)
{
    static _Alignas(struct nlmsghdr) uint8_t data[SPILL_XFRM_MESSAGE_MAX];
    const ssize_t size = recv(client->descriptor, data, sizeof(data), MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size <= 0) {
        spill_xfrm_client_close(client);
        return false;
    }
    take_messages(client, data, (size_t)size);
    explicit_bzero(data, (size_t)size);
    return true;
}

/* Whether a client asks for a change: what else it asks must not be answered by one that may yet be
 * taken back. */
static bool asks_for_change(const struct spill_xfrm_client *client)
{
    struct nlmsghdr header;

    if (recv(client->descriptor, &header, sizeof(header), MSG_DONTWAIT | MSG_PEEK) !=
        (ssize_t)sizeof(header))
        return false;
    switch (header.nlmsg_type) {
    case XFRM_MSG_NEWSA:
    case XFRM_MSG_UPDSA:
    case XFRM_MSG_DELSA:
    case XFRM_MSG_NEWPOLICY:
    case XFRM_MSG_UPDPOLICY:
    case XFRM_MSG_DELPOLICY:
        return true;
    default:
        return false;
    }
}

void spill_xfrm_gather(struct spill_xfrm *server)
{
    for (uint32_t i = 0; i < SPILL_XFRM_CLIENTS_MAX; i++) {
        struct spill_xfrm_client *client = &server->clients[i];

        if (client->descriptor >= 0 && client->greeted && client->waiting == 0 && !client->dumps &&
            !client->writing && asks_for_change(client))
            take_datagram(client);
    }
}

/* Whether more may be asked: what was asked is answered. */
static bool may_ask(const struct spill_xfrm_client *client)
{
    return client->descriptor >= 0 && !client->server->changing && !client->server->dirty &&
           !client->dumps && !client->writing;
}

void spill_xfrm_client_ready(void *context)
{
    struct spill_xfrm_client *client = context;
    struct spill_xfrm *server = client->server;

    for (unsigned i = 0; i < REQUESTS_AT_ONCE && may_ask(client) && take_datagram(client); i++)
        continue;
    if (client->descriptor >= 0 && (client->dumps || client->writing))
        spill_xfrm_client_listen(client, false);
    if (!server->changing)
        spill_xfrm_commit(server);
}

void spill_xfrm_client_drained(struct spill_xfrm_client *client)
{
    if (client->dumps && !client->server->changing)
        dump_on(client);
    if (client->descriptor >= 0 && !client->dumps && !client->writing && !client->server->changing)
        spill_xfrm_client_listen(client, true);
}
