/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that the program itself carries out: a line to its control socket, and one back. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/printable.h"
#include "command.h"
#include "control/command_rows.h"
#include "instance.h"
#include "unix_socket.h"

#define PATIENCE_S 60 /* a reload may read files for half of it */
#define ANSWER_MAX (4 * 1024 * 1024)

static int ask(int descriptor, const struct spill_ctl_request *request, const char *path,
               struct spill_error *error)
{
    json_t *object = json_pack("{s:i, s:s, s:s*}", "version", SPILL_COMMAND_VERSION, "command",
                               request->command->name, "argument", request->argument);
    char *line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    int status = 0;

    json_decref(object);
    if (line == NULL)
        return spill_error_set(error, "'%s' is no text", request->argument);
    if (send(descriptor, line, strlen(line), MSG_NOSIGNAL) < 0 ||
        send(descriptor, "\n", 1, MSG_NOSIGNAL) < 0)
        status = spill_error_set(error, "%s: %s", path, strerror(errno));
    free(line);
    return status;
}

/* All that comes until the program closes, up to a bound. */
static json_t *hear(int descriptor, const char *path, struct spill_error *error)
{
    char *answer = malloc(ANSWER_MAX);
    json_t *object = NULL;
    ssize_t size = 1;
    size_t used = 0;

    while (answer != NULL && size > 0 && used < ANSWER_MAX) {
        size = recv(descriptor, answer + used, ANSWER_MAX - used, 0);
        used += size > 0 ? (size_t)size : 0;
    }
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        spill_error_set(error, "%s: no answer within %d s", path, PATIENCE_S);
    else if (size < 0 && used == 0)
        spill_error_set(error, "%s: %s", path, strerror(errno));
    else if (answer != NULL)
        object = json_loadb(answer, used, JSON_REJECT_DUPLICATES, NULL);
    if (object == NULL && error->text[0] == '\0')
        spill_error_set(error, "%s: the answer is none: expected a spillway's control socket",
                        path);
    free(answer);
    return object;
}

/* Of several lines each is made printable by itself. */
static void print_text(const char *text, FILE *out)
{
    char line[1024], printable[1024];
    size_t length;

    for (; *text != '\0'; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)length, text);
        spill_printable(printable, sizeof(printable), line);
        fprintf(out, "%s\n", printable);
    }
}

static int tell(const struct spill_ctl_request *request, const json_t *answer, FILE *out,
                struct spill_error *error)
{
    const char *text = json_string_value(json_object_get(answer, "text"));
    const char *restart = json_string_value(json_object_get(answer, "restart"));
    const char *reason = json_string_value(json_object_get(answer, "error"));

    if ((request->given & SPILL_CTL_TAKES(JSON)) != 0)
        json_dumpf(answer, out, JSON_INDENT(2)), fputc('\n', out);
    else if (text != NULL)
        print_text(text, out);
    if (restart != NULL && (request->given & SPILL_CTL_TAKES(JSON)) == 0) {
        fputs("takes effect at the next start: ", out);
        print_text(restart, out);
    }
    if (json_is_true(json_object_get(answer, "done")))
        return 0;
    return spill_error_set(error, "%s", reason != NULL ? reason : "refused without a reason");
}

int spill_ctl_remote(const struct spill_ctl_request *request, FILE *out, struct spill_error *error)
{
    char path[PATH_MAX];
    json_t *answer = NULL;
    int descriptor, status = -1;

    if (spill_ctl_instance_path(request, "control", path, error) != 0)
        return -1;
    descriptor = spill_ctl_unix_connect(path, SOCK_STREAM, PATIENCE_S, error);
    if (descriptor < 0)
        return -1;
    if (ask(descriptor, request, path, error) == 0)
        answer = hear(descriptor, path, error);
    if (answer != NULL)
        status = tell(request, answer, out, error);
    json_decref(answer);
    close(descriptor);
    return status;
}
