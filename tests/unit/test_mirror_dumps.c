/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mirror with a kernel of the test's own at the other end of its socket: what real ones do now
 * and then only. Linked so that the socket, and a timer for which there is no memory, are the
 * test's.
 */
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "mirror/mirror.h"
#include "mirror/netlink.h"

#define PREFIXES 4
#define WAIT_NS  UINT64_C(10000000)

static struct spill_mirror mirror;
static struct spill_events events;
static int kernel; /* the other end */
static bool no_timers, lost;
static bool given[PREFIXES];

/* What the kernel answers: */
static uint32_t interrupted; /* so many dumps of IPv4 routes, which are only then as they stay */
static uint32_t failing;     /* so many dumps of links */

/* ----------------------------------------------------------------------- the mirror's side */

struct mnl_socket *__wrap_spill_netlink_open(int name_space, struct spill_error *error);
int __wrap_spill_netlink_listen(struct mnl_socket *socket, uint32_t buffer,
                                struct spill_error *error);
int __real_spill_events_after(struct spill_events *in, struct spill_event *event, uint64_t time,
                              void (*call)(void *), void *context);
int __wrap_spill_events_after(struct spill_events *in, struct spill_event *event, uint64_t time,
                              void (*call)(void *), void *context);

struct mnl_socket *__wrap_spill_netlink_open(int name_space, struct spill_error *error)
{
    int ends[2];

    (void)name_space, (void)error;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    if (kernel >= 0)
        close(kernel);
    kernel = ends[1];
    return mnl_socket_fdopen(ends[0]);
}

int __wrap_spill_netlink_listen(struct mnl_socket *socket, uint32_t buffer,
                                struct spill_error *error)
{
    (void)socket, (void)buffer, (void)error;
    return 0;
}

int __wrap_spill_events_after(struct spill_events *in, struct spill_event *event, uint64_t time,
                              void (*call)(void *), void *context)
{
    return no_timers ? -1 : __real_spill_events_after(in, event, time, call, context);
}

static uint32_t create_group(void *context, enum spill_route_action action,
                             const struct spill_route_path *paths, uint32_t count)
{
    (void)context, (void)action, (void)paths, (void)count;
    return 1;
}

static void release_group(void *context, uint32_t group)
{
    (void)context, (void)group;
}

static bool set_route(void *context, const struct spill_ip_prefix *prefix, uint32_t group)
{
    (void)context, (void)group;
    given[prefix->address.bytes[1]] = true;
    return true;
}

static void remove_route(void *context, const struct spill_ip_prefix *prefix)
{
    (void)context;
    given[prefix->address.bytes[1]] = false;
}

static const struct spill_mirror_sink sink = {
    .create_group = create_group,
    .release_group = release_group,
    .set_route = set_route,
    .remove_route = remove_route,
};

static void lose(void *context)
{
    (void)context;
    lost = true;
}

/* ----------------------------------------------------------------------- the kernel's side */

static void say(struct nlmsghdr *message)
{
    assert_int_equal(send(kernel, message, message->nlmsg_len, 0), message->nlmsg_len);
}

static void say_route(const struct nlmsghdr *asked, uint16_t flags, uint8_t number)
{
    char buffer[256] __rte_aligned(8) = {0};
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    const uint8_t address[4] = {10, number};
    struct rtmsg *route;

    message->nlmsg_type = RTM_NEWROUTE;
    message->nlmsg_flags = NLM_F_MULTI | flags;
    message->nlmsg_seq = asked->nlmsg_seq;
    route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
    route->rtm_family = AF_INET;
    route->rtm_dst_len = 16;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_type = RTN_BLACKHOLE;
    mnl_attr_put(message, RTA_DST, sizeof(address), address);
    say(message);
}

static void say_end(const struct nlmsghdr *asked, uint16_t type, uint16_t flags, int status)
{
    char buffer[64] __rte_aligned(8) = {0};
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

    message->nlmsg_type = type;
    message->nlmsg_flags = flags;
    message->nlmsg_seq = asked->nlmsg_seq;
    *(int *)mnl_nlmsg_put_extra_header(message, sizeof(status)) = status;
    say(message);
}

static bool is_main_table(const struct nlmsghdr *asked)
{
    const struct rtmsg *head = mnl_nlmsg_get_payload(asked);
    const struct nlattr *table = mnl_nlmsg_get_payload_offset(asked, sizeof(*head));

    return head->rtm_family == AF_INET && mnl_attr_get_u32(table) == RT_TABLE_MAIN;
}

/* The kernel has routes 1 and 3; while a dump is interrupted 0 is there yet. */
static void answer_routes(const struct nlmsghdr *asked)
{
    const uint16_t flags = interrupted > 0 ? NLM_F_DUMP_INTR : 0;

    if (interrupted > 0) {
        interrupted--;
        say_route(asked, flags, 0);
    }
    say_route(asked, flags, 1);
    say_route(asked, flags, 3);
    say_end(asked, NLMSG_DONE, NLM_F_MULTI | flags, 0);
}

static void answer(void)
{
    char buffer[1024] __rte_aligned(8);
    const struct nlmsghdr *asked = (const void *)buffer;

    while (recv(kernel, buffer, sizeof(buffer), 0) > 0) {
        if (asked->nlmsg_type == RTM_GETROUTE && is_main_table(asked)) {
            answer_routes(asked);
        } else if (asked->nlmsg_type == RTM_GETLINK && failing > 0) {
            failing--;
            say_end(asked, NLMSG_ERROR, 0, -EBUSY);
        } else {
            say_end(asked, NLMSG_DONE, NLM_F_MULTI, 0);
        }
    }
}

/* ---------------------------------------------------------------------------------- tests */

static int set_up(void **state)
{
    const struct spill_mirror_config config = {.table = RT_TABLE_MAIN, .lost = lose};
    struct spill_error error;

    (void)state;
    memset(given, 0, sizeof(given));
    kernel = -1;
    no_timers = lost = false;
    interrupted = failing = 0;
    assert_int_equal(spill_events_open(&events, &error), 0);
    assert_int_equal(spill_mirror_open(&mirror, &config, &sink, &events, &error), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    spill_mirror_close(&mirror);
    spill_events_close(&events);
    close(kernel);
    return 0;
}

static void start(void)
{
    struct spill_error error;

    assert_int_equal(spill_mirror_start(&mirror, &error), 0);
}

static void go_on_until(const uint64_t *counter, uint64_t value)
{
    while (*counter < value && !lost) {
        answer();
        spill_events_wait(&events, WAIT_NS);
    }
}

/* What the kernel then took away without a message, the first try had. */
static void an_interrupted_dump_leaves_nothing(void **state)
{
    (void)state;
    interrupted = 2;
    start();
    go_on_until(&mirror.counters.generations, 1);
    assert_int_equal(mirror.counters.repeated, 2);
    assert_false(given[0]);
    assert_true(given[1]);
    assert_false(given[2]);
    assert_true(given[3]);
}

static void a_dump_that_fails_is_asked_for_again(void **state)
{
    (void)state;
    failing = 2;
    start();
    go_on_until(&mirror.counters.generations, 1);
    assert_true(given[1]);
    assert_int_equal(failing, 0);
}

static void without_a_timer_it_is_lost(void **state)
{
    (void)state;
    failing = 1;
    start();
    no_timers = true;
    go_on_until(&mirror.counters.generations, 1);
    assert_true(lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_interrupted_dump_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dump_that_fails_is_asked_for_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_timer_it_is_lost, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
