/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/command_rows.h"
#include "unix_socket.h"

#define ANSWER_MAX (64 * 1024 * 1024) /* bytes: all that is counted of 4 096 rules is a few MiB */

static int ask(int descriptor, const char *command, const char *argument, const char *path,
               struct spill_error *error)
{
    json_t *object = json_pack("{s:i, s:s, s:s*}", "version", SPILL_COMMAND_VERSION, "command",
                               command, "argument", argument);
    char *line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    int status = 0;

    json_decref(object);
    if (line == NULL)
        return spill_error_set(error, "'%s' is no text", argument != NULL ? argument : "");
    /* Who has closed may have answered before, as one does that has too many clients. */
    if ((send(descriptor, line, strlen(line), MSG_NOSIGNAL) < 0 ||
         send(descriptor, "\n", 1, MSG_NOSIGNAL) < 0) &&
        errno != EPIPE && errno != ECONNRESET)
        status = spill_error_set(error, "%s: %s", path, strerror(errno));
    free(line);
    return status;
}

/* What has come so far, in a buffer that grows with it. */
struct answer {
    char *text;
    size_t used, size;
};

static int grow(struct answer *answer)
{
    const size_t size = answer->size == 0 ? 64 * 1024 : 2 * answer->size;
    char *text = size > ANSWER_MAX ? NULL : realloc(answer->text, size);

    if (text == NULL)
        return -1;
    answer->text = text;
    answer->size = size;
    return 0;
}

/* All that comes until the program closes, up to a bound. */
static int receive(int descriptor, struct answer *answer, const char *path, int seconds,
                   struct spill_error *error)
{
    ssize_t size;

    do {
        if (answer->used == answer->size && grow(answer) != 0)
            return spill_error_set(error, "%s: the answer is too long", path);
        size = recv(descriptor, answer->text + answer->used, answer->size - answer->used, 0);
        answer->used += size > 0 ? (size_t)size : 0;
    } while (size > 0);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return spill_error_set(error, "%s: no answer within %d s", path, seconds);
    /* It may have closed before it had read all, and yet have answered. */
    if (size < 0 && answer->used == 0)
        return spill_error_set(error, "%s: %s", path, strerror(errno));
    return 0;
}

static json_t *hear(int descriptor, const char *path, int seconds, struct spill_error *error)
{
    struct answer answer = {.text = NULL};
    json_t *object = NULL;

    if (receive(descriptor, &answer, path, seconds, error) == 0) {
        object = json_loadb(answer.text, answer.used, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(object)) {
            json_decref(object);
            object = NULL;
            spill_error_set(error, "%s: the answer is none: expected a spillway's control socket",
                            path);
        }
    }
    free(answer.text);
    return object;
}

json_t *spill_ctl_control_ask(const char *path, const char *command, const char *argument,
                              int seconds, struct spill_error *error)
{
    const int descriptor = spill_ctl_unix_connect(path, SOCK_STREAM, seconds, error);
    json_t *answer = NULL;

    if (descriptor < 0)
        return NULL;
    if (ask(descriptor, command, argument, path, error) == 0)
        answer = hear(descriptor, path, seconds, error);
    close(descriptor);
    return answer;
}

json_t *spill_ctl_control_do(const char *path, const char *command, const char *argument,
                             int seconds, struct spill_error *error)
{
    json_t *answer = spill_ctl_control_ask(path, command, argument, seconds, error);
    const char *reason = json_string_value(json_object_get(answer, "error"));

    if (answer == NULL || json_is_true(json_object_get(answer, "done")))
        return answer;
    spill_error_set(error, "%s", reason != NULL ? reason : "refused without a reason");
    json_decref(answer);
    return NULL;
}
