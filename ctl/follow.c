/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's side of what the program tells line by line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/command_rows.h"
#include "control_socket.h"
#include "unix_socket.h"

#define LINE_SIZE  (256 * 1024) /* bytes, with its newline */
#define PATIENCE_S 5            /* for connecting and asking; what is told may take its time */

struct follower {
    const char *path;
    int descriptor;
    bool (*line)(const json_t *object, void *context);
    void *context;
    json_t *answer; /* the last line */
    bool enough;
    char text[LINE_SIZE];
    size_t used;
};

static int ask(const struct follower *follower, json_t *request, struct spill_error *error)
{
    char *text;
    int status = 0;

    json_object_set_new(request, "version", json_integer(SPILL_COMMAND_VERSION));
    text = json_dumps(request, JSON_COMPACT);
    if (text == NULL)
        return spill_error_set(error, "no memory, or the request is no text");
    /* Who has closed may have answered before. */
    if ((send(follower->descriptor, text, strlen(text), MSG_NOSIGNAL) < 0 ||
         send(follower->descriptor, "\n", 1, MSG_NOSIGNAL) < 0) &&
        errno != EPIPE && errno != ECONNRESET)
        status = spill_error_set(error, "%s: %s", follower->path, strerror(errno));
    free(text);
    return status;
}

static int take_line(struct follower *follower, const char *text, size_t size,
                     struct spill_error *error)
{
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(object)) {
        json_decref(object);
        return spill_error_set(error, "%s: a line is none: expected a spillway's control socket",
                               follower->path);
    }
    if (json_object_get(object, "done") != NULL) {
        follower->answer = object;
        return 0;
    }
    follower->enough = !follower->line(object, follower->context);
    json_decref(object);
    return 0;
}

/* All whole lines that there are by now; the rest stays. */
static int take_lines(struct follower *follower, struct spill_error *error)
{
    const char *from = follower->text, *end;

    while (follower->answer == NULL && !follower->enough &&
           (end = memchr(from, '\n', follower->used)) != NULL) {
        if (take_line(follower, from, (size_t)(end - from), error) != 0)
            return -1;
        follower->used -= (size_t)(end + 1 - from);
        from = end + 1;
    }
    memmove(follower->text, from, follower->used);
    return follower->used < sizeof(follower->text)
               ? 0
               : spill_error_set(error, "%s: a line is too long", follower->path);
}

/* Waits for what comes next, as long as it takes. */
static int hear(struct follower *follower, struct spill_error *error)
{
    ssize_t size;

    while (follower->answer == NULL && !follower->enough) {
        size = recv(follower->descriptor, follower->text + follower->used,
                    sizeof(follower->text) - follower->used, 0);
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            continue;
        if (size < 0 && errno == EINTR)
            return spill_error_set(error, "interrupted");
        if (size <= 0)
            return spill_error_set(error, "%s: %s", follower->path,
                                   size < 0 ? strerror(errno) : "closed by the program");
        follower->used += (size_t)size;
        if (take_lines(follower, error) != 0)
            return -1;
    }
    return 0;
}

json_t *spill_ctl_control_follow(const char *path, json_t *request,
                                 bool (*line)(const json_t *object, void *context), void *context,
                                 struct spill_error *error)
{
    struct follower *follower = calloc(1, sizeof(*follower));
    const char *reason;
    json_t *answer = NULL;

    if (follower == NULL) {
        spill_error_set(error, "no memory");
        return NULL;
    }
    follower->path = path;
    follower->line = line;
    follower->context = context;
    follower->descriptor = spill_ctl_unix_connect(path, SOCK_STREAM, PATIENCE_S, error);
    if (follower->descriptor >= 0 && ask(follower, request, error) == 0 &&
        hear(follower, error) == 0)
        answer = follower->answer;
    if (follower->descriptor >= 0)
        close(follower->descriptor);
    free(follower);
    if (answer == NULL || json_is_true(json_object_get(answer, "done")))
        return answer;
    reason = json_string_value(json_object_get(answer, "error"));
    spill_error_set(error, "%s", reason != NULL ? reason : "refused without a reason");
    json_decref(answer);
    return NULL;
}
