/* SPDX-License-Identifier: BSD-3-Clause */
/* The program's log, which waits for nobody who reads it. */
#include "control/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/printable.h"

#define LINE_SIZE 1024
/* What a slow reader of standard error gets, once, before lines are lost. */
#define READER_MS 100

/* Where the lines go. */
static struct {
    pthread_mutex_t lock; /* for the next two */
    int descriptor;
    uint64_t lost; /* lines, since the last that was written */
} output = {.lock = PTHREAD_MUTEX_INITIALIZER, .descriptor = STDERR_FILENO};

RTE_LOG_REGISTER(spill_log_type, spillway, NOTICE)

static const uint32_t levels[] = {
    [SPILL_OPTION_LOG_ERROR] = RTE_LOG_ERR,     [SPILL_OPTION_LOG_WARNING] = RTE_LOG_WARNING,
    [SPILL_OPTION_LOG_NOTICE] = RTE_LOG_NOTICE, [SPILL_OPTION_LOG_INFO] = RTE_LOG_INFO,
    [SPILL_OPTION_LOG_DEBUG] = RTE_LOG_DEBUG,
};

static bool is_ready(void)
{
    struct pollfd descriptor = {.fd = output.descriptor, .events = POLLOUT};

    return poll(&descriptor, 1, output.lost > 0 ? 0 : READER_MS) > 0;
}

/* A pipe or socket that is ready takes PIPE_BUF bytes at once, which is more than a line has. */
static bool put(const char *text, size_t size)
{
    while (size > 0 && is_ready()) {
        ssize_t done = write(output.descriptor, text, RTE_MIN(size, (size_t)PIPE_BUF));

        if (done < 0)
            return false;
        text += done;
        size -= (size_t)done;
    }
    return size == 0;
}

/* Returns whether it was written. */
static bool write_line(const char *text, size_t size)
{
    char told[80];
    bool done;

    pthread_mutex_lock(&output.lock);
    if (output.lost > 0) {
        snprintf(told, sizeof(told), "spillway: %" PRIu64 " lines of the log were lost here\n",
                 output.lost);
        if (put(told, strlen(told)))
            output.lost = 0;
    }
    done = output.lost == 0 && put(text, size);
    output.lost += !done;
    pthread_mutex_unlock(&output.lock);
    return done;
}

bool spill_log_put(const char *line, size_t size)
{
    return write_line(line, size);
}

/* What DPDK logs. */
static ssize_t write_stream(void *cookie, const char *text, size_t size)
{
    (void)cookie;
    write_line(text, size);
    return (ssize_t)size;
}

/*
 * Other processes may write to the same pipe or terminal and fill it after poll(), and the mode of
 * standard error is theirs, too: so it is opened once more. A file is not, for its position; a
 * socket can't be.
 */
static int open_again(void)
{
    struct stat status;
    int descriptor = -1;

    if (fstat(STDERR_FILENO, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
        descriptor = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return descriptor >= 0 ? descriptor : STDERR_FILENO;
}

int spill_log_open(void)
{
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_stream});

    output.descriptor = open_again();
    if (stream == NULL)
        return -1;
    setvbuf(stream, NULL, _IOLBF, BUFSIZ);
    return rte_openlog_stream(stream);
}

static void print(const char *format, va_list arguments)
{
    char line[LINE_SIZE], whole[LINE_SIZE + 16];
    char *text;

    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    spill_printable(line, sizeof(line), text != NULL ? text : "no memory for a line of the log");
    free(text);
    write_line(whole, (size_t)snprintf(whole, sizeof(whole), "spillway: %s\n", line));
}

void spill_log_always(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void spill_log_line(uint32_t level, const char *format, ...)
{
    va_list arguments;

    if (!rte_log_can_log((uint32_t)spill_log_type, level))
        return;
    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void spill_log_set_level(enum spill_option_log level)
{
    rte_log_set_level((uint32_t)spill_log_type, levels[level]);
    rte_log_set_global_level(RTE_LOG_DEBUG);
}

const char *spill_log_eal_argument(enum spill_option_log level)
{
    switch (level) {
    case SPILL_OPTION_LOG_DEBUG:
        return "--log-level=lib.eal:debug";
    case SPILL_OPTION_LOG_INFO:
        return "--log-level=*:notice";
    default:
        return "--log-level=*:error";
    }
}
