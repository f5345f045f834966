/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers of telemetry: what is none is an error, whoever is behind the socket. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "view.h"

static json_t *parse(const char *message, const char *command)
{
    struct spill_error error = {.text = ""};
    json_t *answer = spill_ctl_telemetry_parse(message, strlen(message), command, "socket", &error);

    assert_int_equal(answer == NULL, error.text[0] != '\0');
    return answer;
}

static void an_answer_has_the_commands_name(void **state)
{
    json_t *answer = parse("{\"/a\": {\"b\": 3}}", "/a,x,y");

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(answer, "b")), 3);
    json_decref(answer);
    answer = parse("{\"/a\": null}", "/a");
    assert_true(json_is_null(answer));
    json_decref(answer);
}

static void what_is_no_answer_is_an_error(void **state)
{
    static const char *const messages[] = {
        "",
        "{",
        "null",
        "[]",
        "{}",
        "{\"/b\": 1}",
        "{\"/aa\": 1}",
        "{\"/\": 1}",
        "{\"/a\": 1, \"/b\": 2}",
        "{\"/a\": 1, \"/a\": 2}",
        "{\"/a\": 1} x",
        "{\"/a\": 99999999999999999999999}",
        "{\"/a\": \"\xff\"}",
    };
    struct spill_error error;
    char *deep = calloc(1, 60001);

    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        assert_null(parse(messages[i], "/a"));
    memset(deep, '[', 60000);
    assert_null(parse(deep, "/a"));
    assert_null(spill_ctl_telemetry_parse("{\"/a\": \0001}", 10, "/a", "socket", &error));
    free(deep);
}

/* ------------------------------------------------------------------ a peer of every kind */

/* What the peer says, message by message, to whatever it is asked; then it closes. */
struct peer {
    char path[64];
    const char *const *says;
    int listener;
    pthread_t thread;
};

static void *speak(void *argument)
{
    struct peer *peer = argument;
    int descriptor = accept(peer->listener, NULL, NULL);
    const char *const *says = peer->says;
    char question[2048];

    do
        send(descriptor, *says, strlen(*says), MSG_NOSIGNAL);
    while (recv(descriptor, question, sizeof(question), 0) > 0 && *++says != NULL);
    close(descriptor);
    return NULL;
}

static void begin(struct peer *peer, const char *const *says)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(peer->path, sizeof(peer->path), "/tmp/test-ctl-%d", (int)getpid());
    unlink(peer->path);
    strcpy(address.sun_path, peer->path);
    peer->says = says;
    peer->listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(peer->listener, 1), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, speak, peer), 0);
}

static void end(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    unlink(peer->path);
}

static const struct spill_ctl_view view = {{
    {.name = "things",
     .path = "/things",
     .members = true,
     .label = "THING",
     .columns = (const struct spill_ctl_column[]){{"n", "COUNT"}, {"us", "TIME us"}, {NULL, NULL}}},
}};

/* What is shown to whom the peer says that; the error, where there is one. */
static char *show(const char *const *says, bool as_json)
{
    struct spill_ctl_telemetry telemetry;
    struct spill_error error = {.text = ""};
    struct peer peer;
    size_t size;
    char *text;
    FILE *out = open_memstream(&text, &size);

    begin(&peer, says);
    if (spill_ctl_telemetry_open(&telemetry, peer.path, &error) == 0) {
        spill_ctl_view_show(&view, &telemetry, as_json, out, &error);
        spill_ctl_telemetry_close(&telemetry);
    }
    end(&peer);
    fputs(error.text, out);
    fclose(out);
    return text;
}

static void expect(const char *const *says, const char *expected)
{
    char *text = show(says, false);

    if (strstr(text, expected) == NULL)
        fail_msg("'%s' is not in '%s'", expected, text);
    free(text);
}

#define GREETING "{\"version\": \"DPDK\", \"pid\": 1}"
#define SAYS(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void members_are_rows(void **state)
{
    const char *const says[] = {GREETING, "{\"/things\": [\"a\", \"b\"]}",
                                "{\"/things\": {\"n\": 7, \"us\": \"1.26\", \"other\": 1}}",
                                "{\"/things\": null}", NULL};
    char *text = show(says, false);

    (void)state;
    assert_string_equal(text,
                        "THING  COUNT  TIME us\na          7      1.3\nb          -        -\n");
    free(text);
    text = show(says, true);
    assert_non_null(strstr(text, "\"other\": 1"));
    assert_non_null(strstr(text, "\"b\": null"));
    free(text);
}

static void who_talks_nonsense_is_told_of(void **state)
{
    char *huge = malloc(100001);

    (void)state;
    memset(huge, 'x', 100000);
    huge[100000] = '\0';
    expect(SAYS("hello"), "its greeting is none");
    expect(SAYS("[]"), "its greeting is none");
    expect(SAYS(huge), "an answer of 100000 bytes");
    expect(SAYS(GREETING), "closed by the program");
    expect(SAYS(GREETING, "nonsense"), "the answer to '/things' is none");
    expect(SAYS(GREETING, "{\"/things\": {\"n\": 1}}"), "is not a list");
    expect(SAYS(GREETING, "{\"/things\": [1]}"), "is not a list of names");
    expect(SAYS(GREETING, "{\"/things\": null}"), "tells nothing");
    expect(SAYS(GREETING, "{\"/things\": [\"a\"]}"), "closed by the program");
    expect(SAYS(GREETING, "{\"/things\": [\"a\"]}", "{\"/things\": 5}"), "is not an object");
    expect(SAYS(GREETING, "{\"/things\": [\"a\"]}", "{\"/things\": {\"n\": [1]}}"), "a          -");
    free(huge);
}

static void nobody_there_is_told_of(void **state)
{
    struct spill_ctl_telemetry telemetry;
    struct spill_error error = {.text = ""};
    char path[200];

    (void)state;
    assert_int_equal(spill_ctl_telemetry_open(&telemetry, "/nowhere/at/all", &error), -1);
    assert_non_null(strstr(error.text, "/nowhere/at/all: No such file or directory: expected"));
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(spill_ctl_telemetry_open(&telemetry, path, &error), -1);
    assert_non_null(strstr(error.text, "a path of at most 107 bytes is expected"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_the_commands_name),
        cmocka_unit_test(what_is_no_answer_is_an_error),
        cmocka_unit_test(members_are_rows),
        cmocka_unit_test(who_talks_nonsense_is_told_of),
        cmocka_unit_test(nobody_there_is_told_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
