/* SPDX-License-Identifier: BSD-3-Clause */
/* capture: asks for packets, and writes them to a file as they come. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/printable.h"
#include "command.h"
#include "control_socket.h"
#include "filter.h"
#include "instance.h"
#include "pcapng.h"

#define PACKETS_MAX    10000
#define SECONDS_MAX    86400
#define BYTES_MAX      2048 /* of a packet, as the program gives it */
#define INTERFACES_MAX 256

struct capture {
    FILE *file;
    const char *path;
    bool made;                        /* the file was not there before */
    bool begun;                       /* what the file had is no more */
    char *interfaces[INTERFACES_MAX]; /* that are described in the file; owned */
    uint32_t interface_count;
    struct spill_error *error;
};

/* ------------------------------------------------------------------------------- packets */

/* Number of a port's description in the file; it is written when the port is met first. */
static int interface_of(struct capture *capture, const char *name)
{
    uint32_t i;

    for (i = 0; i < capture->interface_count; i++) {
        if (strcmp(capture->interfaces[i], name) == 0)
            return (int)i;
    }
    if (i == INTERFACES_MAX || (capture->interfaces[i] = strdup(name)) == NULL)
        return -1;
    capture->interface_count++;
    spill_ctl_pcapng_interface(capture->file, name);
    return (int)i;
}

static int digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* Bytes of hexadecimal text; -1: it is none, or too long. */
static int read_data(const char *text, uint8_t data[BYTES_MAX])
{
    int size = 0;

    for (; text[0] != '\0'; text += 2, size++) {
        const int high = digit(text[0]), low = high >= 0 ? digit(text[1]) : -1;

        if (low < 0 || size == BYTES_MAX)
            return -1;
        data[size] = (uint8_t)(high << 4 | low);
    }
    return size;
}

static void write_comment(const json_t *line, char *comment, size_t size)
{
    const char *reason = json_string_value(json_object_get(line, "reason"));
    const char *rule = json_string_value(json_object_get(line, "rule"));

    snprintf(comment, size, "%s%s%s%s%s", reason != NULL ? "dropped: " : "",
             reason != NULL ? reason : "", reason != NULL && rule != NULL ? ", " : "",
             rule != NULL ? "rule " : "", rule != NULL ? rule : "");
}

static enum spill_ctl_direction direction_of(const char *event)
{
    if (strcmp(event, "out") == 0)
        return SPILL_CTL_DIRECTION_OUT;
    return SPILL_CTL_DIRECTION_IN; /* what was dropped, too, came by its port */
}

static bool write_frame(struct capture *capture, const json_t *line)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    const char *port = json_string_value(json_object_get(line, "port"));
    const char *text = json_string_value(json_object_get(line, "data"));
    const int interface = interface_of(capture, port != NULL ? port : "none");
    struct spill_ctl_frame_captured frame;
    uint8_t data[BYTES_MAX];
    char comment[8192];
    int kept;

    if (event == NULL || text == NULL || interface < 0 || (kept = read_data(text, data)) < 0)
        return spill_error_set(capture->error, "a packet is none: expected a spillway's control "
                                               "socket") == 0;
    write_comment(line, comment, sizeof(comment));
    frame = (struct spill_ctl_frame_captured){
        .interface = (uint32_t)interface,
        .time = (uint64_t)json_integer_value(json_object_get(line, "time_ns")),
        .length = (uint32_t)json_integer_value(json_object_get(line, "bytes")),
        .kept = (uint32_t)kept,
        .direction = direction_of(event),
        .data = data,
        .comment = comment,
    };
    spill_ctl_pcapng_frame(capture->file, &frame);
    return true;
}

/* ------------------------------------------------------------------------------- the file */

/*
 * What is captured is nobody else's, and no link leads to another file; what standard output is the
 * user knows. What the file had stays until the program captures.
 */
static bool open_file(struct capture *capture)
{
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
    int descriptor;

    if (strcmp(capture->path, "/dev/stdout") == 0) {
        descriptor = dup(STDOUT_FILENO);
    } else {
        descriptor = open(capture->path, flags | O_EXCL, 0600);
        capture->made = descriptor >= 0;
        if (descriptor < 0 && errno == EEXIST)
            descriptor = open(capture->path, flags | O_NOFOLLOW, 0600);
    }
    if (descriptor < 0)
        return false;
    capture->file = fdopen(descriptor, "wb");
    if (capture->file == NULL)
        close(descriptor);
    return capture->file != NULL;
}

/* A device or a pipe has no length. */
static bool begin_file(struct capture *capture)
{
    const int descriptor = fileno(capture->file);
    struct stat found;

    if (capture->begun)
        return true;
    capture->begun = fstat(descriptor, &found) == 0 &&
                     (!S_ISREG(found.st_mode) || ftruncate(descriptor, 0) == 0);
    if (capture->begun)
        spill_ctl_pcapng_begin(capture->file, "spillwayctl " SPILL_VERSION);
    return capture->begun;
}

/* @param refused  nothing was captured: no file is left that was not there */
static void close_file(struct capture *capture, bool refused)
{
    if (fclose(capture->file) != 0 && capture->error->text[0] == '\0')
        spill_error_set(capture->error, "'%s': %s", capture->path, strerror(errno));
    if (capture->made && refused)
        unlink(capture->path);
}

/* Each is in the file at once: who ends this by a signal has all that came. */
static bool take(const json_t *line, void *context)
{
    struct capture *capture = context;

    if (begin_file(capture) && !write_frame(capture, line))
        return false;
    if (capture->begun && fflush(capture->file) == 0 && !ferror(capture->file))
        return true;
    spill_error_set(capture->error, "'%s': %s", capture->path, strerror(errno));
    return false;
}

/* --------------------------------------------------------------------------- the request */

static int set_number(json_t *asked, const char *key, const char *word, const char *text,
                      unsigned least, unsigned most, struct spill_error *error)
{
    unsigned number;

    if (spill_ctl_number_parse(text, word, least, most, &number, error) != 0)
        return -1;
    json_object_set_new(asked, key, json_integer(number));
    return 0;
}

/* One word, and what stands behind it. */
static int read_pair(const char *word, const char *value, json_t *asked, struct spill_error *error)
{
    json_t *filter;

    if (strcmp(word, "where") == 0) {
        filter = spill_ctl_filter_compile(value, error);
        return filter != NULL ? json_object_set_new(asked, "filter", filter) : -1;
    }
    if (strcmp(word, "where-dropped") == 0)
        return json_object_set_new(asked, "dropped", json_string(value));
    if (strcmp(word, "port") == 0)
        return json_object_set_new(asked, "port", json_string(value));
    if (strcmp(word, "count") == 0)
        return set_number(asked, "count", word, value, 1, PACKETS_MAX, error);
    if (strcmp(word, "bytes") == 0)
        return set_number(asked, "bytes", word, value, 14, BYTES_MAX, error);
    return spill_error_set(
        error, "capture: '%s': expected where, where-dropped, port, count or bytes", word);
}

static int read_words(const struct spill_ctl_request *request, json_t *asked,
                      struct spill_error *error)
{
    const char *seconds = request->values[SPILL_CTL_SECONDS];

    if (request->word_count == 0)
        return spill_error_set(error, "capture: expected %s", request->command->argument);
    if (request->word_count % 2 != 1)
        return spill_error_set(
            error,
            "capture: '%s': expected one of these and a word behind it: "
            "where-dropped REASON|any, port NAME, where FILTER, count N, bytes N",
            request->words[request->word_count - 1]);
    json_object_set_new(asked, "count", json_integer(PACKETS_MAX));
    for (int i = 1; i < request->word_count; i += 2) {
        if (read_pair(request->words[i], request->words[i + 1], asked, error) != 0)
            return error->text[0] != '\0'
                       ? -1
                       : spill_error_set(error, "capture: '%s' is no text", request->words[i + 1]);
    }
    if (json_object_get(asked, "dropped") == NULL && json_object_get(asked, "port") == NULL)
        return spill_error_set(error, "capture: expected where-dropped, or port");
    return seconds == NULL
               ? 0
               : set_number(asked, "seconds", "--seconds", seconds, 1, SECONDS_MAX, error);
}

static void print_end(json_t *answer, FILE *out)
{
    const char *text = json_string_value(json_object_get(answer, "text"));
    char printable[512];

    spill_printable(printable, sizeof(printable), text != NULL ? text : "");
    fprintf(out, "%s\n", printable);
}

static enum spill_ctl_status run(struct capture *capture, const char *path, json_t *asked,
                                 FILE *out, struct spill_error *error)
{
    json_t *answer;

    if (!open_file(capture)) {
        spill_error_set(error, "'%s': %s", capture->path, strerror(errno));
        return SPILL_CTL_FAILED;
    }
    if (capture->made && begin_file(capture))
        fflush(capture->file);
    answer = spill_ctl_control_follow(path, asked, take, capture, error);
    if (answer != NULL && !begin_file(capture))
        spill_error_set(error, "'%s': %s", capture->path, strerror(errno));
    close_file(capture, answer == NULL && capture->interface_count == 0);
    for (uint32_t i = 0; i < capture->interface_count; i++)
        free(capture->interfaces[i]);
    if (answer != NULL && error->text[0] == '\0')
        print_end(answer, out);
    json_decref(answer);
    return error->text[0] == '\0' ? SPILL_CTL_DONE : SPILL_CTL_FAILED;
}

enum spill_ctl_status spill_ctl_capture(const struct spill_ctl_request *request, FILE *out,
                                        struct spill_error *error)
{
    struct capture capture = {.error = error};
    json_t *asked = json_pack("{s:s}", "command", "capture");
    enum spill_ctl_status status;
    char path[PATH_MAX];

    error->text[0] = '\0';
    if (read_words(request, asked, error) != 0) {
        status = SPILL_CTL_USAGE;
    } else if (spill_ctl_instance_path(request, "control", path, error) != 0) {
        status = SPILL_CTL_FAILED;
    } else {
        capture.path = request->words[0];
        status = run(&capture, path, asked, out, error);
    }
    json_decref(asked);
    return status;
}
