/* SPDX-License-Identifier: BSD-3-Clause */
/* Which SAs daemons are asked for, and how often. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "xfrm/acquire.h"
#include "xfrm/compile.h"
#include "xfrm/hello.h"

#define LEFT   0xc0000201 /* 192.0.2.1 */
#define RIGHT  0xc6336401 /* 198.51.100.1 */
#define SECOND UINT64_C(1000000000)

static struct spill_xfrm_state state;
static struct spill_xfrm_time time_now;
static _Alignas(struct nlmsghdr) uint8_t buffer[SPILL_XFRM_ANSWER_MAX];

static int set_up(void **unused)
{
    (void)unused;
    spill_xfrm_state_clear(&state);
    time_now = (struct spill_xfrm_time){.now = SECOND, .seconds = 1000};
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    spill_xfrm_state_clear(&state);
    return 0;
}

/* 10.NET/16 to 10.200/16. @param tunnel  its template has the ends; else the packets have them */
static struct spill_xfrm_policy *add_policy(uint8_t net, uint8_t dir, bool tunnel)
{
    struct spill_xfrm_policy policy = {
        .info = {.sel = {.saddr.a4 = htonl(0x0a000000 | (uint32_t)net << 16),
                         .daddr.a4 = htonl(0x0ac80000),
                         .prefixlen_s = 16,
                         .prefixlen_d = 16,
                         .family = AF_INET},
                 .dir = dir},
        .has_template = true,
        .template = {.id.proto = IPPROTO_ESP,
                     .family = AF_INET,
                     .reqid = net,
                     .ealgos = 0xff,
                     .mode = tunnel ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT},
    };

    if (tunnel) {
        policy.template.saddr.a4 = htonl(LEFT);
        policy.template.id.daddr.a4 = htonl(RIGHT);
    }
    assert_int_equal(spill_xfrm_policy_put(&state, &policy, NULL), 0);
    return spill_xfrm_policy_find(&state, &policy.info.sel, dir, 0);
}

static struct spill_xfrm_sa *add_sa(uint32_t reqid, uint32_t sequence, uint32_t source)
{
    struct spill_xfrm_sa *sa = spill_xfrm_sa_add(&state);

    assert_non_null(sa);
    sa->info = (struct xfrm_usersa_info){
        .id = {.daddr.a4 = htonl(RIGHT), .spi = htonl(0x1001), .proto = IPPROTO_ESP},
        .saddr.a4 = htonl(source),
        .seq = sequence,
        .reqid = reqid,
        .family = AF_INET,
        .mode = XFRM_MODE_TUNNEL};
    spill_xfrm_acquire_answered(&state, sa);
    return sa;
}

static struct spill_acquisition_need need_of(uint16_t trap, uint8_t host)
{
    return (struct spill_acquisition_need){
        .address = {{10, 1, 2, 3}, {10, 200, 0, host}},
        .port = {1024, 53},
        .trap = trap,
        .kind = SPILL_PACKET_IPV4,
        .protocol = IPPROTO_UDP,
        .has_ports = 1,
    };
}

static struct nlmsghdr *want(uint16_t trap, uint8_t host)
{
    const struct spill_acquisition_need need = need_of(trap, host);

    return spill_xfrm_acquire(&state, &need, &time_now, buffer, sizeof(buffer));
}

static bool is_asked(uint16_t trap, uint8_t host)
{
    const struct spill_acquisition_need need = need_of(trap, host);

    return spill_xfrm_acquire_asked(&state, &need);
}

static void test_traps(void **unused)
{
    struct spill_xfrm_policy blocked;
    struct spill_policy_files files;
    uint16_t trap;

    (void)unused;
    trap = add_policy(1, XFRM_POLICY_OUT, true)->trap;
    assert_true(trap >= SPILL_SA_TRAP_FIRST);
    assert_true(add_policy(2, XFRM_POLICY_OUT, true)->trap != trap);
    assert_int_equal(add_policy(3, XFRM_POLICY_FWD, true)->trap, 0);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    assert_int_equal(files.ruleset->rules[0].action, SPILL_VERDICT_DENY);
    assert_int_equal(files.ruleset->rules[0].trap, trap);
    assert_int_equal(files.ruleset->rules[2].trap, 0);
    spill_policy_files_free(&files);
    /* What is blocked waits for nothing; what is updated keeps its number. */
    blocked = state.policies[0];
    blocked.info.action = XFRM_POLICY_BLOCK;
    assert_int_equal(spill_xfrm_policy_put(&state, &blocked, &state.policies[0]), 0);
    assert_int_equal(state.policies[0].trap, trap);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    assert_int_equal(files.ruleset->rules[0].trap, 0);
    spill_policy_files_free(&files);
    /* When all numbers have been given out, none that is there is given out again. */
    state.last_trap = UINT16_MAX - 1;
    assert_int_equal(add_policy(4, XFRM_POLICY_OUT, true)->trap, UINT16_MAX);
    assert_int_equal(add_policy(5, XFRM_POLICY_OUT, true)->trap, SPILL_SA_TRAP_FIRST + 2);
}

static int take_attribute(const struct nlattr *attribute, void *read)
{
    ((struct spill_xfrm_message *)read)->attributes[mnl_attr_get_type(attribute)] = attribute;
    return MNL_CB_OK;
}

static void test_message(void **unused)
{
    const struct spill_xfrm_policy *policy = add_policy(1, XFRM_POLICY_OUT, true);
    const struct nlmsghdr *message = want(policy->trap, 7);
    struct spill_xfrm_message read = {.header = message};
    const struct xfrm_user_acquire *acquire = mnl_nlmsg_get_payload(message);

    (void)unused;
    assert_non_null(message);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_ACQUIRE);
    assert_int_equal(acquire->id.daddr.a4, htonl(RIGHT));
    assert_int_equal(acquire->id.proto, IPPROTO_ESP);
    assert_int_equal(acquire->id.spi, 0);
    assert_int_equal(acquire->saddr.a4, htonl(LEFT));
    assert_int_equal(acquire->sel.saddr.a4, htonl(0x0a010203));
    assert_int_equal(acquire->sel.daddr.a4, htonl(0x0ac80007));
    assert_int_equal(acquire->sel.prefixlen_d, 32);
    assert_int_equal(acquire->sel.dport, htons(53));
    assert_int_equal(acquire->sel.dport_mask, UINT16_MAX);
    assert_int_equal(acquire->sel.proto, IPPROTO_UDP);
    assert_int_equal(acquire->policy.index, policy->info.index);
    assert_int_equal(acquire->ealgos, 0xff);
    assert_int_not_equal(acquire->seq, 0);
    assert_int_equal(mnl_attr_parse(message, sizeof(*acquire), take_attribute, &read), MNL_CB_OK);
    assert_int_equal(((const struct xfrm_user_tmpl *)spill_xfrm_attribute(
                          &read, XFRMA_TMPL, sizeof(struct xfrm_user_tmpl)))
                         ->reqid,
                     1);
}

static void test_message6(void **unused)
{
    const struct spill_acquisition_need need = {
        .address = {{0xfd, 1}, {0xfd, 2, [15] = 1}},
        .port = {128, 0},
        .trap = add_policy(1, XFRM_POLICY_OUT, true)->trap,
        .kind = SPILL_PACKET_IPV6,
        .protocol = IPPROTO_ICMPV6,
        .has_ports = 1,
    };
    const struct xfrm_user_acquire *acquire =
        mnl_nlmsg_get_payload(spill_xfrm_acquire(&state, &need, &time_now, buffer, sizeof(buffer)));

    (void)unused;
    assert_int_equal(acquire->sel.family, AF_INET6);
    assert_int_equal(acquire->sel.prefixlen_s, 128);
    assert_memory_equal(&acquire->sel.daddr, need.address[1], 16);
    assert_int_equal(acquire->sel.sport, htons(128));
    /* The tunnel's ends are those of its template. */
    assert_int_equal(acquire->id.daddr.a4, htonl(RIGHT));
}

/* Daemons hear of one that took too long as of a larval SA, as it is listed. */
static void take_event(void *context, enum xfrm_nlgroups group, const struct nlmsghdr *message)
{
    const struct xfrm_user_expire *expire = mnl_nlmsg_get_payload(message);
    const struct xfrm_usersa_info *info = &expire->state;

    assert_int_equal(group, XFRMNLGRP_EXPIRE);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_EXPIRE);
    assert_int_equal(expire->hard, 1);
    assert_int_equal(info->id.spi, 0);
    assert_int_equal(info->id.proto, IPPROTO_ESP);
    assert_int_equal(info->id.daddr.a4, htonl(RIGHT));
    assert_int_equal(info->saddr.a4, htonl(LEFT));
    assert_int_equal(info->reqid, 1);
    assert_int_equal(info->mode, XFRM_MODE_TUNNEL);
    assert_int_equal(info->sel.prefixlen_d, 32);
    assert_int_equal(info->lft.hard_add_expires_seconds, 30);
    assert_int_equal(info->curlft.add_time, 1000);
    assert_int_not_equal(info->seq, 0);
    ++*(unsigned *)context;
}

static unsigned expired(void)
{
    unsigned events = 0;
    struct spill_xfrm_handling handling = {
        .state = &state, .time = time_now, .event = take_event, .context = &events};

    spill_xfrm_acquire_expire(&handling);
    return events;
}

static void test_one_at_a_time(void **unused)
{
    const uint16_t trap = add_policy(1, XFRM_POLICY_OUT, true)->trap;
    struct spill_xfrm_sa *sa;

    (void)unused;
    assert_false(is_asked(trap, 1));
    assert_non_null(want(trap, 1));
    for (uint8_t host = 0; host < 200; host++) {
        assert_true(is_asked(trap, host));
        assert_null(want(trap, host));
    }
    assert_false(is_asked(trap + 1, 1));
    assert_null(want(trap + 1, 1)); /* whose policy is gone */
    time_now.now += 29 * SECOND;
    assert_int_equal(expired(), 0);
    assert_null(want(trap, 1));
    time_now.now += SECOND;
    assert_int_equal(expired(), 1);
    assert_non_null(want(trap, 1));
    /* Nobody has heard it: who comes then is asked. */
    spill_xfrm_acquire_unheard(&state, (const struct nlmsghdr *)buffer);
    assert_non_null(want(trap, 1));
    /* The policy wants another one now. */
    spill_xfrm_acquire_forget(&state, trap);
    assert_non_null(want(trap, 1));
    /* What it wants is there, and none is wanted; it goes, and one is wanted again. */
    sa = add_sa(1, 0, LEFT);
    assert_int_equal(state.acquires.count, 0);
    assert_null(want(trap, 1));
    spill_xfrm_sa_remove(&state, sa);
    assert_non_null(want(trap, 1));
    /* An answer by its number, which is not what was wanted: it may be asked for again. */
    add_sa(9, state.acquires.list[0].info.seq, LEFT + 1);
    assert_int_equal(state.acquires.count, 0);
    assert_non_null(want(trap, 1));
    add_sa(9, 12345, LEFT + 1);
    assert_int_equal(state.acquires.count, 1);
}

/* Where the packets say where to, whoever sends to many addresses has a few asked for. */
static void test_open_ends(void **unused)
{
    const uint16_t trap = add_policy(1, XFRM_POLICY_OUT, false)->trap;
    uint16_t other;
    unsigned asked = 0;

    (void)unused;
    for (unsigned host = 0; host < 256; host++) {
        assert_int_equal(is_asked(trap, (uint8_t)host), asked == SPILL_XFRM_ACQUIRES_EACH);
        asked += want(trap, (uint8_t)host) != NULL;
        assert_true(is_asked(trap, (uint8_t)host));
    }
    assert_int_equal(asked, SPILL_XFRM_ACQUIRES_EACH);
    other = add_policy(2, XFRM_POLICY_OUT, false)->trap;
    assert_non_null(want(other, 1));
    for (uint8_t net = 3; net < 199; net++) {
        other = add_policy(net, XFRM_POLICY_OUT, false)->trap;
        for (unsigned host = 0; host < 4; host++)
            want(other, (uint8_t)host);
    }
    assert_int_equal(state.acquires.count, SPILL_XFRM_ACQUIRES_MAX);
    assert_true(is_asked(add_policy(200, XFRM_POLICY_OUT, true)->trap, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_traps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_message6, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_ends, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
