/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading files that are none: pipes without a writer, folders, files that change meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/stream.h"

static char folder[] = "/tmp/spillway-test-XXXXXX";
static char path[sizeof(folder) + 8];
static struct spill_error error;

/* A wait takes no time: when it is on, polls return at once, and after many with an error. */
static unsigned hurried;

int __real_poll(struct pollfd *descriptors, nfds_t count, int milliseconds);
int __wrap_poll(struct pollfd *descriptors, nfds_t count, int milliseconds);

int __wrap_poll(struct pollfd *descriptors, nfds_t count, int milliseconds)
{
    if (hurried == 0)
        return __real_poll(descriptors, count, milliseconds);
    errno = EBADF;
    return hurried++ < 10000 ? 0 : -1;
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *text, const char *mode)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void open_stream(struct spill_stream *stream, const struct spill_token *stop)
{
    if (spill_stream_open(path, stop, stream, &error) != 0)
        fail_msg("%s", error.text);
    error.text[0] = '\0';
}

static void a_file_is_read(void **state)
{
    struct spill_stream stream;
    char text[16];

    (void)state;
    write_file("allow\n", "w");
    open_stream(&stream, NULL);
    assert_int_equal(fread(text, 1, sizeof(text), stream.file), 6);
    assert_memory_equal(text, "allow\n", 6);
    assert_true(feof(stream.file) && !ferror(stream.file));
    spill_stream_close(&stream, &error);
    assert_string_equal(error.text, "");
}

static void what_can_not_be_read_is_refused(void **state)
{
    struct spill_stream stream;

    (void)state;
    assert_int_equal(spill_stream_open("/nowhere/a", NULL, &stream, &error), -1);
    assert_string_equal(error.text, "/nowhere/a: cannot be opened: No such file or directory");
    assert_int_equal(spill_stream_open("/", NULL, &stream, &error), -1);
    assert_string_equal(error.text, "/: cannot be opened: Is a directory");
}

/* Cut, or written to, between its opening and its end. */
static void a_file_that_changes_meanwhile_is_no_file(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct spill_stream stream;

        write_file("allow any from any to any\ndeny any from any to any\n", "w");
        open_stream(&stream, NULL);
        assert_int_equal(getc(stream.file), 'a');
        if (i == 0)
            assert_int_equal(truncate(path, 26), 0);
        else
            write_file("# more\n", "a");
        while (getc(stream.file) != EOF)
            ;
        assert_true(ferror(stream.file));
        spill_stream_close(&stream, &error);
        assert_non_null(strstr(error.text, "was written to while it was read"));
    }
}

/* What a writer that comes late writes is read, to the end and not only to the first pause. */
static void *write_late(void *argument)
{
    int descriptor = open(path, O_WRONLY); /* waits for the reader */

    (void)argument;
    if (write(descriptor, "de", 2) != 2 || write(descriptor, "ny", 2) != 2)
        abort();
    close(descriptor);
    return NULL;
}

static void a_pipe_is_read_to_its_end(void **state)
{
    struct spill_stream stream;
    pthread_t writer;
    char text[16];

    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    open_stream(&stream, NULL);
    assert_int_equal(pthread_create(&writer, NULL, write_late, NULL), 0);
    assert_int_equal(fread(text, 1, sizeof(text), stream.file), 4);
    assert_memory_equal(text, "deny", 4);
    assert_false(ferror(stream.file));
    pthread_join(writer, NULL);
    spill_stream_close(&stream, &error);
    unlink(path);
}

static void *cancel(void *token)
{
    spill_token_cancel(token, "test");
    return NULL;
}

/* Without a writer it waits, and its token ends that. */
static void a_token_ends_the_wait_for_a_pipe(void **state)
{
    struct spill_stream stream;
    struct spill_token token;
    pthread_t canceller;

    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    spill_token_init(&token, NULL);
    open_stream(&stream, &token);
    assert_int_equal(pthread_create(&canceller, NULL, cancel, &token), 0);
    assert_int_equal(getc(stream.file), EOF);
    assert_true(ferror(stream.file));
    pthread_join(canceller, NULL);
    spill_stream_close(&stream, &error);
    assert_non_null(strstr(error.text, "given up"));
    spill_token_destroy(&token);
    unlink(path);
}

/* Neither a writer nor its token: the wait has an end of its own. */
static void a_pipe_without_a_writer_is_given_up(void **state)
{
    struct spill_stream stream;

    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    open_stream(&stream, NULL);
    hurried = 1;
    assert_int_equal(getc(stream.file), EOF);
    hurried = 0;
    assert_true(ferror(stream.file));
    spill_stream_close(&stream, &error);
    assert_non_null(strstr(error.text, "nothing came for 10 s"));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(what_can_not_be_read_is_refused),
        cmocka_unit_test(a_file_that_changes_meanwhile_is_no_file),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        cmocka_unit_test(a_token_ends_the_wait_for_a_pipe),
        cmocka_unit_test(a_pipe_without_a_writer_is_given_up),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
