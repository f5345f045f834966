/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/commands_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/command_rows.h"
#include "control/watching.h"
#include "program.h"

/* Between two looks at whether one that says no more has left. */
#define LOOK_NS UINT64_C(1000000000)

void spill_command_client_close(struct spill_command_client *client)
{
    const bool watches = client->state == SPILL_CLIENT_WATCHES;

    spill_event_remove(&client->ready);
    spill_event_remove(&client->patience);
    spill_event_remove(&client->leaves);
    close(client->descriptor);
    free(client->answer);
    client->answer = NULL;
    free(client->lines);
    client->lines = NULL;
    client->state = SPILL_CLIENT_ASKS;
    if (watches)
        spill_watching_left(client->program);
    client->descriptor = -1;
}

static void run_out(void *context)
{
    spill_command_client_close(context);
}

/* Has it closed unless it is ready for the next step in time. Returns whether it is not already. */
static bool await(struct spill_command_client *client,
                  int (*wait)(struct spill_events *, struct spill_event *, int, void (*)(void *),
                              void *),
                  void (*call)(void *))
{
    struct spill_events *events = &client->program->events;

    if (wait(events, &client->ready, client->descriptor, call, client) == 0 &&
        spill_events_after(events, &client->patience, SPILL_COMMAND_PATIENCE_NS, run_out, client) ==
            0)
        return true;
    spill_command_client_close(client);
    return false;
}

/* -------------------------------------------------------------------------------- answers */

/* Sends some of what is left. Returns whether that may go on: else the client is closed. */
static bool send_some(struct spill_command_client *client, const char *from, size_t size,
                      size_t *sent)
{
    const ssize_t some =
        send(client->descriptor, from + *sent, size - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (some < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return true;
    if (some <= 0) {
        spill_command_client_close(client);
        return false;
    }
    *sent += (size_t)some;
    return true;
}

/* Lines that wait, before the answer. Returns whether none is left. */
static bool send_lines(struct spill_command_client *client)
{
    if (client->lines_sent == client->lines_size)
        return true;
    if (!send_some(client, client->lines, client->lines_size, &client->lines_sent))
        return false;
    if (client->lines_sent < client->lines_size)
        return false;
    client->lines_size = client->lines_sent = 0;
    return true;
}

static void go_on_sending(void *context)
{
    struct spill_command_client *client = context;

    if (!send_lines(client) ||
        !send_some(client, client->answer, client->answer_size, &client->sent))
        return;
    if (client->sent == client->answer_size)
        spill_command_client_close(client);
}

/* An answer being written; NULL out: there is no memory. */
struct draft {
    FILE *out;
    struct spill_json json;
};

static void begin_answer(struct spill_command_client *client, struct draft *draft)
{
    draft->out = open_memstream(&client->answer, &client->answer_size);
    if (draft->out == NULL)
        return;
    spill_json_begin_line(&draft->json, draft->out);
    spill_json_object_begin(&draft->json, NULL);
    spill_json_unsigned(&draft->json, "version", SPILL_COMMAND_VERSION);
}

/* @param error  NULL: it is done */
static void end_answer(struct spill_command_client *client, struct draft *draft, const char *error)
{
    bool whole;

    spill_json_boolean(&draft->json, "done", error == NULL);
    if (error != NULL)
        spill_json_string(&draft->json, "error", error);
    spill_json_object_end(&draft->json);
    whole = spill_json_end(&draft->json) == 0;
    if (fclose(draft->out) != 0 || !whole) {
        spill_command_client_close(client);
        return;
    }
    spill_event_remove(&client->leaves);
    client->state = SPILL_CLIENT_TAKES;
    client->sent = 0;
    /* At once: what the program ends by says so, and it may end before it waits again. */
    if (await(client, spill_events_write, go_on_sending))
        go_on_sending(client);
}

static bool is_said(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void write_lines(struct spill_json *json, const char *key, const char *lines)
{
    char line[512];
    size_t length;

    spill_json_array_begin(json, key);
    for (; *lines != '\0'; lines += length + (lines[length] == '\n')) {
        length = strcspn(lines, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)length, lines);
        spill_json_string(json, NULL, line);
    }
    spill_json_array_end(json);
}

void spill_command_client_tell(struct spill_command_client *client,
                               const struct spill_command_outcome *outcome)
{
    struct draft draft;

    begin_answer(client, &draft);
    if (draft.out == NULL) {
        spill_command_client_close(client);
        return;
    }
    if (outcome->error == NULL)
        spill_json_string(&draft.json, "text", outcome->text);
    if (is_said(outcome->restart))
        spill_json_string(&draft.json, "restart", outcome->restart);
    if (is_said(outcome->warnings))
        write_lines(&draft.json, "warnings", outcome->warnings);
    if (outcome->differences != NULL)
        spill_differences_write(outcome->differences, &draft.json);
    end_answer(client, &draft, outcome->error);
}

/* ------------------------------------------------------------------------------- requests */

/* Nothing more is taken from it. The answer comes with the outcome, within a reload's own time. */
static void wait_for_outcome(struct spill_command_client *client, struct draft *draft,
                             enum spill_command_result of)
{
    fclose(draft->out);
    free(client->answer);
    client->answer = NULL;
    spill_event_remove(&client->ready);
    spill_event_remove(&client->patience);
    client->state = of == SPILL_COMMAND_RELOADS ? SPILL_CLIENT_RELOAD_WANTED
                    : of == SPILL_COMMAND_TRIES ? SPILL_CLIENT_TRIAL_WANTED
                                                : SPILL_CLIENT_CHECK_WANTED;
}

/* ------------------------------------------------------------------------------- watching */

static void go_on_with_lines(void *context)
{
    struct spill_command_client *client = context;

    if (!send_lines(client)) {
        /* Some were taken, or the client is closed already. */
        if (client->descriptor >= 0)
            spill_events_after(&client->program->events, &client->patience,
                               SPILL_COMMAND_PATIENCE_NS, run_out, client);
        return;
    }
    spill_event_remove(&client->ready);
    spill_event_remove(&client->patience);
}

bool spill_command_client_put(struct spill_command_client *client, const char *line, size_t size)
{
    if (client->lines_size + size > SPILL_COMMAND_LINES_MAX && client->lines_sent > 0) {
        client->lines_size -= client->lines_sent;
        memmove(client->lines, client->lines + client->lines_sent, client->lines_size);
        client->lines_sent = 0;
    }
    if (client->lines_size + size > SPILL_COMMAND_LINES_MAX)
        return false;
    memcpy(client->lines + client->lines_size, line, size);
    client->lines_size += size;
    if (client->lines_size > size && client->lines_sent < client->lines_size - size)
        return true; /* others wait before it */
    if (!send_lines(client) && client->descriptor >= 0)
        await(client, spill_events_write, go_on_with_lines);
    return true;
}

size_t spill_command_client_room(const struct spill_command_client *client)
{
    return SPILL_COMMAND_LINES_MAX - (client->lines_size - client->lines_sent);
}

/* Whether it has closed, and not only said that it has nothing more to say (shutdown(), nc -N). */
static bool has_left(const struct spill_command_client *client)
{
    struct pollfd ready = {.fd = client->descriptor};

    return poll(&ready, 1, 0) > 0 && (ready.revents & (POLLHUP | POLLERR)) != 0;
}

static void look_for_leave(void *context)
{
    struct spill_command_client *client = context;

    if (has_left(client) || spill_events_after(&client->program->events, &client->leaves, LOOK_NS,
                                               look_for_leave, client) != 0)
        spill_command_client_close(client);
}

/* Nothing more is taken from it, but that it leaves. */
static void hear_leave(void *context)
{
    struct spill_command_client *client = context;
    const ssize_t size = recv(client->descriptor, client->line, sizeof(client->line), MSG_DONTWAIT);

    if (size == 0)
        look_for_leave(client);
    else if (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        spill_command_client_close(client);
}

static void begin_to_watch(struct spill_command_client *client, struct draft *draft)
{
    fclose(draft->out);
    free(client->answer);
    client->answer = NULL;
    spill_event_remove(&client->ready);
    spill_event_remove(&client->patience);
    client->lines = malloc(SPILL_COMMAND_LINES_MAX);
    client->lines_size = client->lines_sent = 0;
    client->state = SPILL_CLIENT_WATCHES;
    spill_watching_attach(client->program, client);
    if (client->lines == NULL || spill_events_read(&client->program->events, &client->leaves,
                                                   client->descriptor, hear_leave, client) != 0)
        spill_command_client_close(client);
}

static int check_rights(const struct spill_command_client *client,
                        const struct spill_command_request *request, struct spill_error *error)
{
    return !client->reads || spill_command_reads(request)
               ? 0
               : spill_error_set(error, "only root and its own user may change this spillway");
}

static void take_request(struct spill_command_client *client, size_t size)
{
    struct spill_command_request request;
    enum spill_command_result result = SPILL_COMMAND_REFUSED;
    struct spill_error error = {.text = ""};
    struct draft draft;

    begin_answer(client, &draft);
    if (draft.out == NULL) {
        spill_command_client_close(client);
        return;
    }
    if (spill_command_read(client->line, size, &request, &error) == 0 &&
        check_rights(client, &request, &error) == 0)
        result = spill_command_do(client->program, &request, &draft.json, &error);
    if (result == SPILL_COMMAND_WATCHES)
        begin_to_watch(client, &draft);
    else if (result == SPILL_COMMAND_RELOADS || result == SPILL_COMMAND_TRIES ||
             result == SPILL_COMMAND_CHECKS)
        wait_for_outcome(client, &draft, result);
    else
        end_answer(client, &draft, result == SPILL_COMMAND_DONE ? NULL : error.text);
}

static void hear(void *context)
{
    struct spill_command_client *client = context;
    const ssize_t size = recv(client->descriptor, client->line + client->used,
                              sizeof(client->line) - client->used, MSG_DONTWAIT);
    const char *end;

    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (size == 0 && client->used > 0 && !has_left(client)) {
        take_request(client, client->used);
        return;
    }
    if (size <= 0) {
        spill_command_client_close(client);
        return;
    }
    end = memchr(client->line + client->used, '\n', (size_t)size);
    client->used += (size_t)size;
    if (end != NULL)
        take_request(client, (size_t)(end - client->line));
    else if (client->used == sizeof(client->line))
        spill_command_client_tell(
            client, &(struct spill_command_outcome){.error = "request: longer than 64 KiB"});
}

void spill_command_client_open(struct spill_command_client *client, struct spill_program *program,
                               int descriptor, bool reads, const char *refused)
{
    client->program = program;
    client->descriptor = descriptor;
    client->reads = reads;
    client->state = SPILL_CLIENT_ASKS;
    client->used = 0;
    client->lines = NULL;
    client->lines_size = client->lines_sent = 0;
    if (refused != NULL)
        spill_command_client_tell(client, &(struct spill_command_outcome){.error = refused});
    else
        await(client, spill_events_read, hear);
}
