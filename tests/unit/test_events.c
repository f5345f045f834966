/* SPDX-License-Identifier: BSD-3-Clause */
/* What the control thread waits for: each comes when it should, and nothing else does. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/events.h"

#define SECOND UINT64_C(1000000000)
#define LONG   (3600 * SECOND)
#define SHORT  UINT64_C(1000000)

static struct spill_events events;
static struct spill_event one, other;
static unsigned calls, other_calls;

static int open_events(void **state)
{
    (void)state;
    calls = other_calls = 0;
    return spill_events_open(&events, NULL);
}

static int close_events(void **state)
{
    (void)state;
    spill_event_remove(&one);
    spill_event_remove(&other);
    spill_events_close(&events);
    return 0;
}

static void count(void *counter)
{
    ++*(unsigned *)counter;
}

static void wait_for(unsigned *counter, unsigned number)
{
    while (*counter < number)
        spill_events_wait(&events, SECOND);
}

/* Without anything to come it ends by itself, time and again. */
static void a_wait_has_an_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        spill_events_wait(&events, SHORT);
    spill_events_wait(&events, 0);
}

static void a_timer_comes_once(void **state)
{
    (void)state;
    assert_int_equal(spill_events_after(&events, &one, SHORT, count, &calls), 0);
    assert_int_equal(spill_events_every(&events, &other, SHORT, count, &other_calls), 0);
    wait_for(&other_calls, 5);
    assert_int_equal(calls, 1);
}

/* A timer that waits gets another time, earlier or later, and what was before does not come. */
static void a_timer_moves(void **state)
{
    (void)state;
    assert_int_equal(spill_events_after(&events, &one, LONG, count, &calls), 0);
    assert_int_equal(spill_events_after(&events, &one, SHORT, count, &calls), 0);
    wait_for(&calls, 1);
    assert_int_equal(spill_events_after(&events, &one, SHORT, count, &calls), 0);
    assert_int_equal(spill_events_after(&events, &one, LONG, count, &calls), 0);
    assert_int_equal(spill_events_every(&events, &other, SHORT, count, &other_calls), 0);
    wait_for(&other_calls, 5);
    assert_int_equal(calls, 1);
}

static void what_was_removed_does_not_come(void **state)
{
    (void)state;
    spill_event_remove(&one); /* never added */
    assert_int_equal(spill_events_every(&events, &one, SHORT, count, &calls), 0);
    assert_int_equal(spill_events_every(&events, &other, SHORT, count, &other_calls), 0);
    wait_for(&calls, 1);
    spill_event_remove(&one);
    calls = other_calls = 0;
    wait_for(&other_calls, 5);
    assert_int_equal(calls, 0);
}

static void remove_both(void *counter)
{
    count(counter);
    spill_event_remove(&one);
    spill_event_remove(&other);
}

/* By the first of two that are due at once: itself and the other. */
static void a_function_may_remove_events(void **state)
{
    (void)state;
    assert_int_equal(spill_events_every(&events, &one, SHORT, remove_both, &calls), 0);
    assert_int_equal(spill_events_every(&events, &other, SHORT, remove_both, &calls), 0);
    usleep(5000);
    wait_for(&calls, 1);
    for (unsigned i = 0; i < 5; i++)
        spill_events_wait(&events, SHORT);
    assert_int_equal(calls, 1);
}

struct reading {
    int descriptor;
    char text[8];
    size_t length;
    bool over;
};

static void take_byte(void *context)
{
    struct reading *reading = context;
    ssize_t got = read(reading->descriptor, reading->text + reading->length, 1);

    if (got == 1)
        reading->length++;
    else
        reading->over = true;
}

/* What one call leaves has it called again; the end is told, too. */
static void a_descriptor_is_read(void **state)
{
    struct reading reading = {.length = 0};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    reading.descriptor = ends[0];
    assert_int_equal(spill_events_read(&events, &one, ends[0], take_byte, &reading), 0);
    spill_events_wait(&events, SHORT);
    assert_int_equal(reading.length, 0);
    assert_int_equal(write(ends[1], "spill", 5), 5);
    close(ends[1]);
    while (!reading.over)
        spill_events_wait(&events, SECOND);
    assert_int_equal(reading.length, 5);
    assert_memory_equal(reading.text, "spill", 5);
    spill_event_remove(&one);
    close(ends[0]);
}

static void *notify(void *event)
{
    for (unsigned i = 0; i < 1000; i++)
        spill_event_notify(event);
    return NULL;
}

/* However many at once: none is lost, and nobody calls where nobody notified. */
static void another_thread_is_heard(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(spill_events_notice(&events, &one, count, &calls), 0);
    spill_events_wait(&events, SHORT);
    assert_int_equal(calls, 0);
    assert_int_equal(pthread_create(&thread, NULL, notify, &one), 0);
    wait_for(&calls, 1);
    pthread_join(thread, NULL);
    spill_events_wait(&events, SHORT);
    calls = 0;
    for (unsigned i = 0; i < 3; i++)
        spill_events_wait(&events, SHORT);
    assert_int_equal(calls, 0);
    spill_event_notify(&one);
    spill_event_notify(&one);
    wait_for(&calls, 1);
    assert_int_equal(calls, 1);
}

/* An event that nobody waits for has no descriptor: none is written to, standard input least. */
static void what_is_not_waited_for_is_not_notified(void **state)
{
    const int input = dup(STDIN_FILENO);
    int ends[2], waiting = -1;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDIN_FILENO), STDIN_FILENO);
    spill_event_notify(&one);
    assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(ioctl(ends[0], FIONREAD, &waiting), 0);
    assert_int_equal(waiting, 0);
    close(input);
    close(ends[0]);
    close(ends[1]);
}

/* As long as there is room, and not once it is full. */
static void a_descriptor_can_be_written_to(void **state)
{
    int ends[2];
    char filling[4096] = "";

    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    assert_int_equal(spill_events_write(&events, &one, ends[1], count, &calls), 0);
    wait_for(&calls, 3);
    while (write(ends[1], filling, sizeof(filling)) > 0)
        ;
    spill_events_wait(&events, SHORT);
    calls = 0;
    spill_events_wait(&events, SHORT);
    assert_int_equal(calls, 0);
    assert_true(read(ends[0], filling, sizeof(filling)) > 0);
    wait_for(&calls, 1);
    spill_event_remove(&one);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
#define EVENTS_TEST(name) cmocka_unit_test_setup_teardown(name, open_events, close_events)
    const struct CMUnitTest tests[] = {
        EVENTS_TEST(a_wait_has_an_end),
        EVENTS_TEST(a_timer_comes_once),
        EVENTS_TEST(a_timer_moves),
        EVENTS_TEST(what_was_removed_does_not_come),
        EVENTS_TEST(a_function_may_remove_events),
        EVENTS_TEST(a_descriptor_is_read),
        EVENTS_TEST(another_thread_is_heard),
        EVENTS_TEST(what_is_not_waited_for_is_not_notified),
        EVENTS_TEST(a_descriptor_can_be_written_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
