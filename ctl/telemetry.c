/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unix_socket.h"

json_t *spill_ctl_telemetry_parse(const char *message, size_t size, const char *command,
                                  const char *path, struct spill_error *error)
{
    const size_t length = strcspn(command, ",");
    json_t *document = json_loadb(message, size, JSON_REJECT_DUPLICATES, NULL);
    const char *key = json_object_iter_key(json_object_iter(document));
    json_t *answer = NULL;

    if (key != NULL && json_object_size(document) == 1 && strlen(key) == length &&
        strncmp(key, command, length) == 0)
        answer = json_incref(json_object_get(document, key));
    else
        spill_error_set(error, "%s: the answer to '%s' is none: expected DPDK's telemetry", path,
                        command);
    json_decref(document);
    return answer;
}

/* One message; a longer one than there is room for is none. */
static ssize_t receive(struct spill_ctl_telemetry *telemetry, char *message,
                       struct spill_error *error)
{
    ssize_t size = recv(telemetry->descriptor, message, SPILL_CTL_ANSWER_MAX, MSG_TRUNC);

    if (size > 0 && size <= SPILL_CTL_ANSWER_MAX)
        return size;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return spill_error_set(error, "%s: no answer within %d s", telemetry->path,
                               SPILL_CTL_PATIENCE_S);
    if (size < 0)
        return spill_error_set(error, "%s: %s", telemetry->path, strerror(errno));
    if (size == 0)
        return spill_error_set(error, "%s: closed by the program", telemetry->path);
    return spill_error_set(error, "%s: an answer of %zd bytes: expected at most %d",
                           telemetry->path, size, SPILL_CTL_ANSWER_MAX);
}

static int take_greeting(struct spill_ctl_telemetry *telemetry, struct spill_error *error)
{
    char message[SPILL_CTL_ANSWER_MAX];
    ssize_t size = receive(telemetry, message, error);
    json_t *greeting;
    bool good;

    if (size < 0)
        return -1;
    greeting = json_loadb(message, (size_t)size, 0, NULL);
    good = json_is_string(json_object_get(greeting, "version"));
    json_decref(greeting);
    return good ? 0
                : spill_error_set(error, "%s: its greeting is none: expected DPDK's telemetry",
                                  telemetry->path);
}

int spill_ctl_telemetry_open(struct spill_ctl_telemetry *telemetry, const char *path,
                             struct spill_error *error)
{
    telemetry->path = path;
    telemetry->descriptor =
        spill_ctl_unix_connect(path, SOCK_SEQPACKET, SPILL_CTL_PATIENCE_S, error);
    if (telemetry->descriptor < 0)
        return -1;
    if (take_greeting(telemetry, error) == 0)
        return 0;
    spill_ctl_telemetry_close(telemetry);
    return -1;
}

json_t *spill_ctl_telemetry_ask(struct spill_ctl_telemetry *telemetry, const char *command,
                                struct spill_error *error)
{
    char message[SPILL_CTL_ANSWER_MAX];
    ssize_t size;

    if (send(telemetry->descriptor, command, strlen(command), MSG_NOSIGNAL) < 0) {
        spill_error_set(error, "%s: %s", telemetry->path, strerror(errno));
        return NULL;
    }
    size = receive(telemetry, message, error);
    return size < 0
               ? NULL
               : spill_ctl_telemetry_parse(message, (size_t)size, command, telemetry->path, error);
}

void spill_ctl_telemetry_close(struct spill_ctl_telemetry *telemetry)
{
    close(telemetry->descriptor);
    telemetry->descriptor = -1;
}
