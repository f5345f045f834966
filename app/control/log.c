/* SPDX-License-Identifier: BSD-3-Clause */
/* The program's log, which waits for nobody who reads it. */
#include "control/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/printable.h"
#include "control/lines.h"

#define LINE_SIZE 1024
/* For how long a slow reader of standard error is waited for at once, and which part of the time
 * in the long run, before lines are lost. */
#define PATIENCE_NS    INT64_C(100000000)
#define PATIENCE_SHARE 10

/* Where the lines go. */
static struct {
    pthread_mutex_t lock; /* for all of it */
    struct spill_lines lines;
    uint64_t lost;    /* lines, since the last that was written */
    int64_t patience; /* nanoseconds that may be waited, at: */
    int64_t asked;    /* CLOCK_MONOTONIC */
} output = {.lock = PTHREAD_MUTEX_INITIALIZER, .lines = {.descriptor = STDERR_FILENO}};

RTE_LOG_REGISTER(spill_log_type, spillway, NOTICE)

static const uint32_t levels[] = {
    [SPILL_OPTION_LOG_ERROR] = RTE_LOG_ERR,     [SPILL_OPTION_LOG_WARNING] = RTE_LOG_WARNING,
    [SPILL_OPTION_LOG_NOTICE] = RTE_LOG_NOTICE, [SPILL_OPTION_LOG_INFO] = RTE_LOG_INFO,
    [SPILL_OPTION_LOG_DEBUG] = RTE_LOG_DEBUG,
};

static int64_t monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static bool takes_within(int64_t nanoseconds)
{
    struct pollfd descriptor = {.fd = output.lines.descriptor, .events = POLLOUT};
    const struct timespec most = {.tv_nsec = RTE_MAX(nanoseconds, 0)};

    return ppoll(&descriptor, 1, &most, NULL) > 0;
}

/* Waits for a reader, as long as there is patience; for one who has lost lines, not at all. */
static bool is_ready(void)
{
    int64_t began;
    bool ready;

    if (takes_within(0))
        return true;
    if (output.lost > 0)
        return false;
    began = monotonic();
    output.patience =
        RTE_MIN(output.patience + (began - output.asked) / PATIENCE_SHARE, PATIENCE_NS);
    ready = takes_within(output.patience);
    output.asked = monotonic();
    output.patience -= output.asked - began;
    return ready;
}

/* A pipe or socket that is ready takes a line at once, and so many bytes of a longer one. */
static bool put(const char *text, size_t size)
{
    const char *const end = text + size;

    while (text < end) {
        const size_t part = RTE_MIN((size_t)(end - text), (size_t)SPILL_LINE_MAX);

        if (!is_ready() || !spill_lines_put(&output.lines, text, part)) {
            output.lines.cut |= (size_t)(end - text) < size;
            return false;
        }
        text += part;
    }
    return true;
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

    output.lines.descriptor = open_again();
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
