/* SPDX-License-Identifier: BSD-3-Clause */
/* Files whose waits have an end. */
#include "config/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* How often a wait looks at its token. */
#define TICK_MS 20

/* Waits until there is something, or the end of the file. A pipe that no writer has opened yet is
 * at its end for read(), but not for poll(). */
static int wait_for_input(const struct spill_stream *stream)
{
    struct pollfd descriptor = {.fd = stream->descriptor, .events = POLLIN};
    int waited;

    for (waited = 0; waited < SPILL_STREAM_PATIENCE_S * 1000; waited += TICK_MS) {
        int ready;

        if (stream->stop != NULL && spill_token_cancelled(stream->stop))
            return ECANCELED;
        ready = poll(&descriptor, 1, TICK_MS);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return errno;
    }
    return ETIME;
}

/* Whether the file is as it was opened. Only regular ones have a state of their own. */
static bool is_unchanged(const struct spill_stream *stream)
{
    const struct stat *then = &stream->opened;
    struct stat now;

    if (!S_ISREG(then->st_mode))
        return true;
    return fstat(stream->descriptor, &now) == 0 && now.st_size == then->st_size &&
           now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == then->st_mtim.tv_nsec;
}

static ssize_t read_stream(void *cookie, char *buffer, size_t size)
{
    struct spill_stream *stream = cookie;
    ssize_t got = -1;

    do {
        stream->failure = wait_for_input(stream);
        if (stream->failure == 0)
            got = read(stream->descriptor, buffer, size);
        if (stream->failure == 0 && got < 0)
            stream->failure = errno;
    } while (stream->failure == EAGAIN || stream->failure == EINTR);
    if (got == 0 && !is_unchanged(stream))
        stream->failure = ETXTBSY;
    errno = stream->failure;
    return stream->failure == 0 ? got : -1;
}

static int close_stream(void *cookie)
{
    return close(((struct spill_stream *)cookie)->descriptor);
}

/* Folders can be opened, too. */
static int open_file(const char *path, struct stat *status)
{
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (descriptor < 0)
        return -1;
    if (fstat(descriptor, status) == 0 && !S_ISDIR(status->st_mode))
        return descriptor;
    close(descriptor);
    errno = EISDIR;
    return -1;
}

int spill_stream_open(const char *path, const struct spill_token *stop, struct spill_stream *stream,
                      struct spill_error *error)
{
    const cookie_io_functions_t functions = {.read = read_stream, .close = close_stream};

    *stream = (struct spill_stream){.path = path, .stop = stop};
    stream->descriptor = open_file(path, &stream->opened);
    if (stream->descriptor < 0)
        return spill_error_set(error, "%s: cannot be opened: %s", path, strerror(errno));
    stream->file = fopencookie(stream, "r", functions);
    if (stream->file != NULL)
        return 0;
    close(stream->descriptor);
    return spill_error_set(error, "%s: no memory", path);
}

void spill_stream_close(struct spill_stream *stream, struct spill_error *error)
{
    fclose(stream->file);
    if (stream->failure == ECANCELED) {
        spill_error_set(error, "%s: its reading was given up", stream->path);
        spill_error_cancelled(error);
    } else if (stream->failure == ETIME)
        spill_error_set(error,
                        "%s: nothing came for %d s: expected a file, or a pipe that is "
                        "written to",
                        stream->path, SPILL_STREAM_PATIENCE_S);
    else if (stream->failure == ETXTBSY)
        spill_error_set(error,
                        "%s: was written to while it was read: expected a file that is put "
                        "in its place as a whole",
                        stream->path);
}
