/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of the kernel's XFRM, what they are answered, and what becomes of garbage. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>
#include <linux/udp.h>

#include "xfrm/compile.h"
#include "xfrm/hello.h"
#include "xfrm/requests.h"

#define LEFT  0xc0000201 /* 192.0.2.1 */
#define RIGHT 0xc6336401 /* 198.51.100.1 */

static struct spill_xfrm_state state;
static struct spill_xfrm_handling handling;
static _Alignas(struct nlmsghdr) uint8_t request[SPILL_XFRM_MESSAGE_MAX];
static _Alignas(struct nlmsghdr) uint8_t answered[SPILL_XFRM_ANSWER_MAX];
static unsigned answers, events;

static void take_answer(void *context, struct nlmsghdr *message)
{
    (void)context;
    assert_true(message->nlmsg_len <= sizeof(answered));
    memcpy(answered, message, message->nlmsg_len);
    answers++;
}

static void take_event(void *context, enum xfrm_nlgroups group, const struct nlmsghdr *message)
{
    (void)context, (void)group;
    assert_non_null(message);
    events++;
}

static int set_up(void **unused)
{
    (void)unused;
    spill_xfrm_state_clear(&state);
    handling = (struct spill_xfrm_handling){.state = &state,
                                            .time = {.now = 1, .seconds = 1000},
                                            .answer = take_answer,
                                            .event = take_event};
    answers = events = 0;
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    spill_xfrm_state_clear(&state);
    return 0;
}

/* ------------------------------------------------------------------------------ messages */

static struct nlmsghdr *begin(uint16_t type, const void *body, size_t size)
{
    struct nlmsghdr *header;

    memset(request, 0, sizeof(request));
    header = mnl_nlmsg_put_header(request);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    memcpy(mnl_nlmsg_put_extra_header(header, size), body, size);
    return header;
}

static int ask(void)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)request;
    struct spill_xfrm_message message;
    int status = spill_xfrm_message_read(request, header->nlmsg_len, &message);

    return status != 0 ? status : spill_xfrm_handle(&handling, &message);
}

static struct xfrm_usersa_info tunnel(uint32_t source, uint32_t destination, uint32_t spi)
{
    return (struct xfrm_usersa_info){
        .id = {.daddr.a4 = htonl(destination), .spi = htonl(spi), .proto = IPPROTO_ESP},
        .saddr.a4 = htonl(source),
        .lft = {XFRM_INF, XFRM_INF, XFRM_INF, XFRM_INF, 0, 0, 0, 0},
        .reqid = 1,
        .family = AF_INET,
        .mode = XFRM_MODE_TUNNEL,
        .replay_window = 32,
    };
}

static void put_aead(struct nlmsghdr *header, const char *name, unsigned bits, unsigned icv)
{
    uint8_t payload[sizeof(struct xfrm_algo_aead) + 64] = {0};
    struct xfrm_algo_aead *algorithm = (struct xfrm_algo_aead *)payload;

    snprintf(algorithm->alg_name, sizeof(algorithm->alg_name), "%s", name);
    algorithm->alg_key_len = bits;
    algorithm->alg_icv_len = icv;
    memset(payload + sizeof(*algorithm), 0x5a, bits / 8);
    mnl_attr_put(header, XFRMA_ALG_AEAD, sizeof(*algorithm) + bits / 8, payload);
}

static int ask_sa(uint16_t type, const struct xfrm_usersa_info *info)
{
    put_aead(begin(type, info, sizeof(*info)), "rfc4106(gcm(aes))", 160, 128);
    return ask();
}

static int add_sa(uint16_t type, uint32_t source, uint32_t destination, uint32_t spi)
{
    const struct xfrm_usersa_info info = tunnel(source, destination, spi);

    return ask_sa(type, &info);
}

static int ask_id(uint16_t type, uint32_t destination, uint32_t spi)
{
    const struct xfrm_usersa_id id = {
        .daddr.a4 = htonl(destination), .spi = htonl(spi), .family = AF_INET, .proto = IPPROTO_ESP};

    begin(type, &id, sizeof(id));
    return ask();
}

static struct xfrm_userpolicy_info selects(uint8_t dir, uint32_t source, uint32_t destination)
{
    return (struct xfrm_userpolicy_info){.sel = {.daddr.a4 = htonl(destination),
                                                 .saddr.a4 = htonl(source),
                                                 .family = AF_INET,
                                                 .prefixlen_d = 16,
                                                 .prefixlen_s = 16},
                                         .priority = 100,
                                         .dir = dir};
}

/* 10.1/16 is at the left, 10.2/16 at the right. @param spi  of its template */
static int add_policy_of(uint16_t type, uint8_t dir, uint32_t spi, uint32_t local, uint32_t remote)
{
    const bool out = dir == XFRM_POLICY_OUT;
    const struct xfrm_userpolicy_info info =
        selects(dir, out ? local : remote, out ? remote : local);
    const struct xfrm_user_tmpl template = {
        .id = {.daddr.a4 = htonl(out ? RIGHT : LEFT), .spi = htonl(spi), .proto = IPPROTO_ESP},
        .family = AF_INET,
        .saddr.a4 = htonl(out ? LEFT : RIGHT),
        .reqid = 1,
        .mode = XFRM_MODE_TUNNEL,
    };

    mnl_attr_put(begin(type, &info, sizeof(info)), XFRMA_TMPL, sizeof(template), &template);
    return ask();
}

static int add_policy(uint16_t type, uint8_t dir, uint32_t spi)
{
    return add_policy_of(type, dir, spi, 0x0a010000, 0x0a020000);
}

/* --------------------------------------------------------------------------------- SAs */

static void test_sa_comes_and_goes(void **unused)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)answered;
    struct spill_xfrm_message message;
    const struct xfrm_algo_aead *algorithm;

    (void)unused;
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), 0);
    assert_true(handling.changed);
    assert_int_equal(events, 1);
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), -EEXIST);
    assert_int_equal(ask_id(XFRM_MSG_GETSA, RIGHT, 0x1001), 0);
    assert_int_equal(answers, 1);
    assert_int_equal(spill_xfrm_message_read(answered, header->nlmsg_len, &message), 0);
    algorithm = spill_xfrm_attribute(&message, XFRMA_ALG_AEAD, sizeof(*algorithm) + 20);
    assert_non_null(algorithm);
    assert_string_equal(algorithm->alg_name, "rfc4106(gcm(aes))");
    assert_int_equal((uint8_t)algorithm->alg_key[19], 0x5a);
    assert_int_equal(ask_id(XFRM_MSG_GETSA, LEFT, 0x1001), -ESRCH);
    assert_int_equal(ask_id(XFRM_MSG_DELSA, RIGHT, 0x1001), 0);
    assert_int_equal(ask_id(XFRM_MSG_DELSA, RIGHT, 0x1001), -ESRCH);
    assert_int_equal(state.sa_count, 0);
}

static void test_spi_is_reserved(void **unused)
{
    const struct xfrm_userspi_info asked = {
        .info = tunnel(RIGHT, LEFT, 0), .min = 0xc0000000, .max = 0xc0000001};
    const struct spill_xfrm_sa *sa;
    uint32_t spi;

    (void)unused;
    begin(XFRM_MSG_ALLOCSPI, &asked, sizeof(asked));
    assert_int_equal(ask(), 0);
    assert_int_equal(answers, 1);
    assert_int_equal(((const struct nlmsghdr *)answered)->nlmsg_type, XFRM_MSG_NEWSA);
    assert_false(handling.changed);
    assert_true(state.sas[0].larval);
    assert_int_equal(state.sas[0].info.lft.hard_add_expires_seconds, 165); /* as the kernel's */
    spi = ntohl(state.sas[0].info.id.spi);
    assert_in_range(spi, 0xc0000000, 0xc0000001);
    begin(XFRM_MSG_ALLOCSPI, &asked, sizeof(asked));
    assert_int_equal(ask(), 0);
    begin(XFRM_MSG_ALLOCSPI, &asked, sizeof(asked));
    assert_int_equal(ask(), -ENOENT);
    assert_int_equal(add_sa(XFRM_MSG_UPDSA, RIGHT, LEFT, 0xc0000005), -ESRCH);
    assert_int_equal(add_sa(XFRM_MSG_UPDSA, RIGHT, LEFT, spi), 0);
    sa = &state.sas[0];
    assert_false(sa->larval);
    assert_int_equal(sa->direction, SPILL_XFRM_IN);
}

static void test_sa_that_can_not_be(void **unused)
{
    struct xfrm_usersa_info info = tunnel(LEFT, RIGHT, 0x1001);
    const struct xfrm_userpolicy_id policy = {.dir = XFRM_POLICY_OUT};
    struct xfrm_mark mark = {.v = 1, .m = 1};
    struct nlmsghdr *header;

    (void)unused;
    info.id.proto = IPPROTO_AH;
    assert_int_equal(ask_sa(XFRM_MSG_NEWSA, &info), -EPROTONOSUPPORT);
    info.id.proto = IPPROTO_COMP;
    assert_int_equal(ask_sa(XFRM_MSG_NEWSA, &info), -EPROTONOSUPPORT);
    info = tunnel(LEFT, RIGHT, 0x1001);
    info.mode = XFRM_MODE_BEET;
    assert_int_equal(ask_sa(XFRM_MSG_NEWSA, &info), -EPROTONOSUPPORT);
    info = tunnel(LEFT, RIGHT, 255);
    assert_int_equal(ask_sa(XFRM_MSG_NEWSA, &info), -EINVAL);
    info = tunnel(LEFT, RIGHT, 0x1001);
    info.flags = XFRM_STATE_ESN;
    assert_int_equal(ask_sa(XFRM_MSG_NEWSA, &info), -EINVAL);
    info = tunnel(LEFT, RIGHT, 0x1001);
    header = begin(XFRM_MSG_NEWSA, &info, sizeof(info));
    put_aead(header, "rfc4309(ccm(aes))", 152, 128);
    assert_int_equal(ask(), -ENOSYS);
    put_aead(begin(XFRM_MSG_NEWSA, &info, sizeof(info)), "rfc4106(gcm(aes))", 160, 64);
    assert_int_equal(ask(), -ENOSYS);
    put_aead(begin(XFRM_MSG_NEWSA, &info, sizeof(info)), "rfc4106(gcm(aes))", 168, 128);
    assert_int_equal(ask(), -EINVAL);
    header = begin(XFRM_MSG_NEWSA, &info, sizeof(info));
    put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put(header, XFRMA_MARK, sizeof(mark), &mark);
    assert_int_equal(ask(), -EOPNOTSUPP);
    header = begin(XFRM_MSG_NEWSA, &info, sizeof(info));
    put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put_u32(header, XFRMA_IF_ID, 7);
    assert_int_equal(ask(), -EOPNOTSUPP);
    begin(XFRM_MSG_MIGRATE, &policy, sizeof(policy));
    assert_int_equal(ask(), -ENOPROTOOPT);
    assert_int_equal(state.sa_count, 0);
    assert_false(handling.changed);
}

/* ----------------------------------------------------------------------------- policies */

static void test_policies(void **unused)
{
    struct xfrm_userpolicy_info first = selects(XFRM_POLICY_OUT, 0x0a010000, 0x0a030000);
    struct xfrm_userpolicy_id id = {.dir = XFRM_POLICY_OUT};

    (void)unused;
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), -EEXIST);
    assert_int_equal(add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1002), 0);
    assert_int_equal(state.policy_count, 1);
    assert_int_equal(add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_FWD, 0), 0);
    first.priority = 1;
    first.action = XFRM_POLICY_BLOCK;
    begin(XFRM_MSG_NEWPOLICY, &first, sizeof(first));
    assert_int_equal(ask(), 0);
    assert_int_equal(state.policies[0].info.action, XFRM_POLICY_BLOCK);
    assert_int_equal(state.policies[1].info.dir, XFRM_POLICY_OUT);
    id.sel = first.sel;
    begin(XFRM_MSG_GETPOLICY, &id, sizeof(id));
    assert_int_equal(ask(), 0);
    assert_int_equal(answers, 1);
    begin(XFRM_MSG_DELPOLICY, &id, sizeof(id));
    assert_int_equal(ask(), 0);
    begin(XFRM_MSG_DELPOLICY, &id, sizeof(id));
    assert_int_equal(ask(), -ENOENT);
    id.index = state.policies[0].info.index;
    begin(XFRM_MSG_DELPOLICY, &id, sizeof(id));
    assert_int_equal(ask(), 0);
    assert_int_equal(state.policy_count, 1);
    first.sel.prefixlen_d = 33;
    begin(XFRM_MSG_NEWPOLICY, &first, sizeof(first));
    assert_int_equal(ask(), -EINVAL);
    begin(XFRM_MSG_FLUSHPOLICY, "", 0);
    assert_int_equal(ask(), 0);
    assert_int_equal(state.policy_count, 0);
}

/* The two ways of a child, as strongSwan has them installed, and a rekey's switch. */
static void test_compiled(void **unused)
{
    struct spill_policy_files files;
    const struct spill_rule *rules;

    (void)unused;
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    assert_int_equal(files.ruleset->count, 1);
    assert_int_equal(files.ruleset->rules[0].action, SPILL_VERDICT_DENY);
    assert_true(files.ruleset->rules[0].host);
    spill_policy_files_free(&files);

    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_FWD, 0), 0);
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), 0);
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1003), 0);
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, RIGHT, LEFT, 0x1002), 0);
    /* The second one waits for a policy's template to have its SPI. */
    assert_int_equal(state.sas[1].direction, SPILL_XFRM_UNKNOWN);
    assert_int_equal(state.sas[0].group, state.sas[1].group);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    rules = files.ruleset->rules;
    assert_int_equal(files.sa_count, 2);
    assert_int_equal(files.sas[0].spi, 0x1001);
    assert_int_equal(files.sas[0].direction, SPILL_SA_OUT);
    assert_int_equal(files.sas[1].direction, SPILL_SA_IN);
    assert_int_equal(files.sas[1].replay_window, 32);
    assert_int_equal(rules[0].action, SPILL_VERDICT_PROTECT);
    assert_int_equal(rules[0].length[SPILL_RULE_SOURCE], 16);
    assert_int_equal(rules[0].address[SPILL_RULE_SOURCE][1], 1);
    assert_string_equal(files.ruleset->sas[rules[0].sa - 1], files.sas[0].stands_for);
    assert_string_equal(files.ruleset->sas[rules[1].sa - 1], files.sas[1].stands_for);
    spill_policy_files_free(&files);

    assert_int_equal(add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1003), 0);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    assert_int_equal(files.sa_count, 3);
    assert_int_equal(files.sas[0].spi, 0x1003);
    assert_string_equal(files.sas[0].stands_for, files.sas[1].stands_for);
    spill_policy_files_free(&files);
}

static const struct spill_sa_config *of_spi(const struct spill_policy_files *files, uint32_t spi)
{
    for (uint32_t i = 0; i < files->sa_count; i++) {
        if (files->sas[i].spi == spi)
            return &files->sas[i];
    }
    fail_msg("no SA with SPI %x", spi);
    return NULL;
}

/* Two children with one reqid and the same ends, which each go by their own SA. */
static void test_children_of_one_reqid(void **unused)
{
    const struct spill_sa_config *first, *second;
    struct spill_policy_files files;
    const struct spill_rule *rules;

    (void)unused;
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), 0);
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1003), 0);
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(
        add_policy_of(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1003, 0x0a030000, 0x0a040000), 0);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    first = of_spi(&files, 0x1001);
    second = of_spi(&files, 0x1003);
    rules = files.ruleset->rules;
    assert_string_equal(files.ruleset->sas[rules[0].sa - 1], first->stands_for);
    assert_string_equal(files.ruleset->sas[rules[1].sa - 1], second->stands_for);
    assert_string_not_equal(first->stands_for, second->stands_for);
    assert_string_equal(first->lane_with, second->lane_with);
    spill_policy_files_free(&files);

    /* One that is gone leaves the other. */
    assert_int_equal(ask_id(XFRM_MSG_DELSA, RIGHT, 0x1001), 0);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    assert_int_equal(files.ruleset->rules[0].action, SPILL_VERDICT_DENY);
    assert_int_equal(files.ruleset->rules[1].action, SPILL_VERDICT_PROTECT);
    assert_int_equal(files.sa_count, 1);
    spill_policy_files_free(&files);
}

/* Compiles, and looks which SPIs two policies go by; names gets what their rules call those. */
static void assert_spis(uint32_t first, uint32_t second, char names[2][SPILL_NAME_SIZE])
{
    const uint32_t spis[2] = {first, second};
    struct spill_policy_files files;

    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    for (uint32_t i = 0; i < 2; i++) {
        const char *name = files.ruleset->sas[files.ruleset->rules[i].sa - 1];
        uint32_t sa = 0;

        while (sa < files.sa_count && strcmp(files.sas[sa].stands_for, name) != 0)
            sa++;
        assert_true(sa < files.sa_count);
        assert_int_equal(files.sas[sa].spi, spis[i]);
        memcpy(names[i], name, SPILL_NAME_SIZE);
    }
    spill_policy_files_free(&files);
}

static int add_second(uint16_t type, uint32_t spi)
{
    return add_policy_of(type, XFRM_POLICY_OUT, spi, 0x0a030000, 0x0a040000);
}

/* Each keeps its name when it is renewed, and gets none that another one had. */
static void test_names_of_one_reqid(void **unused)
{
    char names[2][SPILL_NAME_SIZE] = {""}, later[2][SPILL_NAME_SIZE] = {""};

    (void)unused;
    for (uint32_t spi = 0x1001; spi <= 0x1004; spi++)
        assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, spi), 0);
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(add_second(XFRM_MSG_NEWPOLICY, 0x1002), 0);
    assert_spis(0x1001, 0x1002, names);
    assert_int_equal(add_second(XFRM_MSG_UPDPOLICY, 0x1003), 0);
    assert_spis(0x1001, 0x1003, later);
    assert_string_equal(names[0], later[0]);
    assert_string_equal(names[1], later[1]);
    assert_int_equal(add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1004), 0);
    assert_spis(0x1004, 0x1003, later);
    assert_string_equal(names[0], later[0]);
    assert_string_equal(names[1], later[1]);
    /* They change places. */
    assert_int_equal(add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1003), 0);
    assert_int_equal(add_second(XFRM_MSG_UPDPOLICY, 0x1004), 0);
    assert_spis(0x1003, 0x1004, later);
    /* One comes in the place of one that is gone: what was decided for that goes by none. */
    spill_xfrm_policy_remove(&state, &state.policies[0]);
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1005), 0);
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1005), 0);
    assert_spis(0x1004, 0x1005, later);
    assert_string_not_equal(later[1], names[0]);
    assert_string_not_equal(later[1], names[1]);
}

/* A child of two policies goes over to the next SA with one after the other. */
static void test_rekey_of_two(void **unused)
{
    char names[2][SPILL_NAME_SIZE] = {""}, later[2][SPILL_NAME_SIZE] = {""};

    (void)unused;
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), 0);
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1002), 0);
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(add_second(XFRM_MSG_NEWPOLICY, 0x1001), 0);
    assert_spis(0x1001, 0x1001, names);
    assert_string_equal(names[0], names[1]);
    assert_int_equal(add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1002), 0);
    assert_spis(0x1002, 0x1001, later);
    assert_string_equal(later[1], names[1]);
    assert_int_equal(add_second(XFRM_MSG_UPDPOLICY, 0x1002), 0);
    assert_spis(0x1002, 0x1002, later);
    /* A new policy goes by the old one after all. */
    assert_int_equal(add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_spis(0x1001, 0x1002, later);
}

/* IKE between the ends alone is let through, and only where the policy would have it. */
static void test_ike_passes(void **unused)
{
    struct xfrm_userpolicy_info info = selects(XFRM_POLICY_OUT, LEFT, RIGHT);
    struct xfrm_user_tmpl template = {
        .id.proto = IPPROTO_ESP, .family = AF_INET, .reqid = 1, .mode = XFRM_MODE_TRANSPORT};
    /* Of many hosts at this end nobody knows which has a daemon. */
    const struct {
        uint8_t local, remote;
        uint16_t sport;
        bool names_ends;
        unsigned rules;
    } cases[] = {{16, 16, 0, false, 0},  {16, 32, 0, false, 0},  {16, 16, 0, true, 4},
                 {32, 32, 0, false, 4},  {32, 16, 0, false, 4},  {32, 32, 80, false, 0},
                 {32, 16, 80, false, 0}, {32, 32, 500, false, 2}};
    struct spill_policy_files files;
    unsigned i, j;

    (void)unused;
    for (i = 0; i < RTE_DIM(cases); i++) {
        info.sel.prefixlen_s = cases[i].local;
        info.sel.prefixlen_d = cases[i].remote;
        info.sel.proto = IPPROTO_UDP;
        info.sel.sport = htons(cases[i].sport);
        info.sel.sport_mask = cases[i].sport != 0 ? UINT16_MAX : 0;
        template.saddr.a4 = cases[i].names_ends ? htonl(LEFT) : 0;
        template.id.daddr.a4 = cases[i].names_ends ? htonl(RIGHT) : 0;
        begin(XFRM_MSG_FLUSHPOLICY, "", 0);
        assert_int_equal(ask(), 0);
        mnl_attr_put(begin(XFRM_MSG_NEWPOLICY, &info, sizeof(info)), XFRMA_TMPL, sizeof(template),
                     &template);
        assert_int_equal(ask(), 0);
        assert_int_equal(spill_xfrm_compile(&state, &files), 0);
        assert_int_equal(files.ruleset->count, cases[i].rules + 1);
        for (j = 0; j < cases[i].rules; j++) {
            assert_int_equal(files.ruleset->rules[j].action, SPILL_VERDICT_ALLOW);
            assert_int_equal(files.ruleset->rules[j].length[j % 2], 32);
            assert_int_equal(files.ruleset->rules[j].length[1 - j % 2],
                             cases[i].names_ends ? 32 : cases[i].remote);
        }
        spill_policy_files_free(&files);
    }
    info.sel.proto = IPPROTO_ESP;
    begin(XFRM_MSG_UPDPOLICY, &info, sizeof(info));
    assert_int_equal(ask(), -EOPNOTSUPP);
}

/* Daemons answer each other while the policies of a child are taken away one by one. */
static void test_ike_passes_to_the_last(void **unused)
{
    static const uint8_t ways[] = {XFRM_POLICY_OUT, XFRM_POLICY_IN};
    const struct xfrm_user_tmpl template = {
        .id.proto = IPPROTO_ESP, .family = AF_INET, .reqid = 1, .mode = XFRM_MODE_TRANSPORT};
    struct spill_policy_files files[2];
    unsigned i;

    (void)unused;
    for (i = 0; i < RTE_DIM(ways); i++) {
        struct xfrm_userpolicy_info info =
            selects(ways[i], i == 0 ? LEFT : RIGHT, i == 0 ? RIGHT : LEFT);

        info.sel.prefixlen_s = info.sel.prefixlen_d = 32;
        mnl_attr_put(begin(XFRM_MSG_NEWPOLICY, &info, sizeof(info)), XFRMA_TMPL, sizeof(template),
                     &template);
        assert_int_equal(ask(), 0);
        assert_int_equal(spill_xfrm_compile(&state, &files[i]), 0);
        assert_int_equal(files[i].ruleset->count, 5 + i); /* once for both */
        if (i == 0)
            continue;
        spill_policy_files_free(&files[i]);
        info = selects(XFRM_POLICY_OUT, LEFT, RIGHT);
        info.sel.prefixlen_s = info.sel.prefixlen_d = 32;
        begin(XFRM_MSG_DELPOLICY, &(struct xfrm_userpolicy_id){info.sel, 0, XFRM_POLICY_OUT},
              sizeof(struct xfrm_userpolicy_id));
        assert_int_equal(ask(), 0);
        assert_int_equal(spill_xfrm_compile(&state, &files[i]), 0);
        assert_int_equal(files[i].ruleset->count, 5);
    }
    for (i = 0; i < 4; i++)
        assert_memory_equal(&files[0].ruleset->rules[i], &files[1].ruleset->rules[i],
                            sizeof(files[0].ruleset->rules[i]));
    spill_policy_files_free(&files[0]);
    spill_policy_files_free(&files[1]);
}

/* An SA that goes on for another has its number, its age, and what is left of its limits. */
static void test_sa_goes_on(void **unused)
{
    struct xfrm_usersa_info info = tunnel(LEFT, RIGHT, 0x1001);
    const struct xfrm_replay_state numbers = {.oseq = 500};
    const struct xfrm_lifetime_cur use = {
        .packets = 30, .bytes = 4000, .add_time = 990, .use_time = 995};
    struct spill_policy_files files;
    struct nlmsghdr *header;

    (void)unused;
    handling.time.now = 100 * UINT64_C(1000000000);
    info.lft.hard_packet_limit = 100;
    info.lft.hard_byte_limit = 5000;
    header = begin(XFRM_MSG_NEWSA, &info, sizeof(info));
    put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put(header, XFRMA_REPLAY_VAL, sizeof(numbers), &numbers);
    mnl_attr_put(header, XFRMA_LTIME_VAL, sizeof(use), &use);
    assert_int_equal(ask(), 0);
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0), 0);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    assert_int_equal(files.sas[0].packets_hard, 500 + 70);
    assert_int_equal(files.sas[0].bytes_hard, 1000);
    assert_int_equal(files.sas[0].sequence, 500);
    spill_policy_files_free(&files);
    assert_int_equal(state.sas[0].add_time, 990);
    assert_int_equal(state.sas[0].added, 90 * UINT64_C(1000000000));
    assert_int_equal(state.sas[0].use.packets, 30);
}

static int add_encapsulated(uint16_t type, struct xfrm_usersa_info info, uint16_t source,
                            uint16_t destination)
{
    const struct xfrm_encap_tmpl encap = {.encap_type = UDP_ENCAP_ESPINUDP,
                                          .encap_sport = htons(source),
                                          .encap_dport = htons(destination)};
    struct nlmsghdr *header = begin(type, &info, sizeof(info));

    put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put(header, XFRMA_ENCAP, sizeof(encap), &encap);
    return ask();
}

/* In UDP, with the ports that daemons say: this end's and the other one's, by the direction. */
static void test_encapsulated(void **unused)
{
    struct xfrm_userspi_info reserved = {
        .info = tunnel(RIGHT, LEFT, 0), .min = 0x2000, .max = 0x2000};
    struct spill_policy_files files;

    (void)unused;
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, tunnel(LEFT, RIGHT, 0x1001), 4500, 0),
                     -EOPNOTSUPP);
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, tunnel(LEFT, RIGHT, 0x1001), 0, 4500),
                     -EOPNOTSUPP);
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, tunnel(LEFT, RIGHT, 0x1001), 4501, 61000), 0);
    begin(XFRM_MSG_ALLOCSPI, &reserved, sizeof(reserved));
    assert_int_equal(ask(), 0);
    assert_int_equal(add_encapsulated(XFRM_MSG_UPDSA, tunnel(RIGHT, LEFT, 0x2000), 61000, 4501), 0);
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0), 0);
    assert_int_equal(add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_FWD, 0), 0);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    assert_int_equal(files.sa_count, 2);
    assert_int_equal(files.sas[0].direction, SPILL_SA_OUT);
    assert_int_equal(files.sas[0].own_port, 4501);
    assert_int_equal(files.sas[0].other_port, 61000);
    assert_false(files.sas[0].roams);
    assert_int_equal(files.sas[1].own_port, 4501);
    assert_int_equal(files.sas[1].other_port, 61000);
    assert_true(files.sas[1].roams);
    spill_policy_files_free(&files);
    /* Where the peer is elsewhere now, or the daemon has another port. */
    assert_int_equal(add_encapsulated(XFRM_MSG_UPDSA, tunnel(RIGHT, LEFT, 0x2000), 62000, 4500), 0);
    assert_int_equal(add_encapsulated(XFRM_MSG_UPDSA, tunnel(LEFT, RIGHT, 0x1001), 4500, 62000), 0);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    assert_int_equal(files.sas[0].own_port, 4500);
    assert_int_equal(files.sas[1].own_port, 4500);
    assert_int_equal(files.sas[1].other_port, 62000);
    spill_policy_files_free(&files);
}

/* Rules by which IKE passes by port 4501 of this end. */
static unsigned ike_rules(void)
{
    struct spill_policy_files files;
    unsigned found = 0;

    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    for (uint32_t i = 0; i + 1 < files.ruleset->count; i++) {
        const struct spill_rule *rule = &files.ruleset->rules[i];

        assert_int_equal(rule->action, SPILL_VERDICT_ALLOW);
        found += rule->first_port[SPILL_RULE_SOURCE] == 4501 &&
                 rule->last_port[SPILL_RULE_SOURCE] == 4501;
        found += rule->first_port[SPILL_RULE_DESTINATION] == 4501 &&
                 rule->last_port[SPILL_RULE_DESTINATION] == 4501;
    }
    assert_int_equal(files.ruleset->count, 5 + found);
    spill_policy_files_free(&files);
    return found;
}

/* IKE passes by the port that its ESP has, too; when that has gone, as well: until other ESP comes.
 */
static void test_ike_of_another_port(void **unused)
{
    (void)unused;
    assert_int_equal(
        add_policy_of(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0, LEFT & 0xffff0000, RIGHT), 0);
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, tunnel(LEFT, RIGHT, 0x1001), 4501, 4500), 0);
    assert_int_equal(ike_rules(), 2);
    assert_int_equal(ask_id(XFRM_MSG_DELSA, RIGHT, 0x1001), 0);
    assert_int_equal(ike_rules(), 2);
    assert_int_equal(
        add_policy_of(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0, LEFT & 0xffff0000, RIGHT), 0);
    assert_int_equal(ike_rules(), 2);
    assert_int_equal(add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1002), 0);
    assert_int_equal(ike_rules(), 0);
}

/* Of a host and many peers in transport mode, with an SA for each two: the newest one's port. */
static void test_ike_of_many_peers(void **unused)
{
    struct xfrm_userpolicy_info info = selects(XFRM_POLICY_OUT, LEFT, RIGHT);
    const struct xfrm_user_tmpl template = {
        .id.proto = IPPROTO_ESP, .family = AF_INET, .reqid = 1, .mode = XFRM_MODE_TRANSPORT};
    struct xfrm_usersa_info sa = tunnel(LEFT, RIGHT, 0x1001);
    struct spill_policy_files files;
    unsigned found = 0;

    (void)unused;
    info.sel.prefixlen_s = 32;
    mnl_attr_put(begin(XFRM_MSG_NEWPOLICY, &info, sizeof(info)), XFRMA_TMPL, sizeof(template),
                 &template);
    assert_int_equal(ask(), 0);
    sa.mode = XFRM_MODE_TRANSPORT;
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, sa, 4500, 4500), 0);
    sa.id = tunnel(LEFT, RIGHT + 1, 0x1002).id;
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, sa, 4501, 4500), 0);
    assert_int_equal(spill_xfrm_compile(&state, &files), 0);
    assert_int_equal(files.ruleset->count, 6 + 2 + 1);
    for (unsigned i = 0; i < 6; i++)
        found += files.ruleset->rules[i].first_port[i % 2] == 4501;
    assert_int_equal(found, 2);
    spill_policy_files_free(&files);
}

/* Flags say what becomes of marks, in tunnels. */
static void test_marks(void **unused)
{
    static const struct {
        uint8_t flags, mode, out, in;
    } cases[] = {
        {0, XFRM_MODE_TUNNEL, 0, 0},
        {XFRM_STATE_NOECN, XFRM_MODE_TUNNEL, SPILL_SA_NO_ECN, SPILL_SA_NO_ECN},
        {XFRM_STATE_DECAP_DSCP, XFRM_MODE_TUNNEL, 0, SPILL_SA_TAKES_DSCP},
        {XFRM_STATE_NOECN | XFRM_STATE_DECAP_DSCP, XFRM_MODE_TRANSPORT, 0, 0},
    };
    struct xfrm_usersa_info info = tunnel(LEFT, RIGHT, 0x1001);
    struct spill_policy_files files;
    uint32_t i;

    (void)unused;
    info.flags = XFRM_STATE_WILDRECV;
    assert_int_equal(ask_sa(XFRM_MSG_NEWSA, &info), -EOPNOTSUPP);
    info.flags = XFRM_STATE_ICMP;
    assert_int_equal(ask_sa(XFRM_MSG_NEWSA, &info), -EOPNOTSUPP);
    for (i = 0; i < RTE_DIM(cases); i++) {
        spill_xfrm_state_clear(&state);
        info = tunnel(LEFT, RIGHT, 0x1001);
        info.flags = cases[i].flags;
        info.mode = cases[i].mode;
        assert_int_equal(ask_sa(XFRM_MSG_NEWSA, &info), 0);
        state.sas[0].direction = SPILL_XFRM_OUT;
        info = tunnel(RIGHT, LEFT, 0x1002);
        info.flags = cases[i].flags;
        info.mode = cases[i].mode;
        assert_int_equal(ask_sa(XFRM_MSG_NEWSA, &info), 0);
        state.sas[1].direction = SPILL_XFRM_IN;
        assert_int_equal(spill_xfrm_compile(&state, &files), 0);
        assert_int_equal(files.sas[0].marks, cases[i].out);
        assert_int_equal(files.sas[1].marks, cases[i].in);
        spill_policy_files_free(&files);
    }
}

/* A wide window is told whole: its last 200 numbers are even, and what is older has not come. */
static void look_at_evens(void *context, struct spill_xfrm_sa *sa, struct spill_xfrm_window *window)
{
    (void)context;
    sa->use.sequence = 5000;
    for (uint64_t i = 0; window != NULL && i < 200; i += 2)
        window->seen[i / 64] |= UINT64_C(1) << i % 64;
}

static void test_wide_window(void **unused)
{
    const struct xfrm_replay_state_esn asked = {.bmp_len = 32, .replay_window = 1024};
    const struct xfrm_usersa_info info = tunnel(RIGHT, LEFT, 0x1001);
    struct xfrm_aevent_id id = {.sa_id = {.daddr = info.id.daddr,
                                          .spi = info.id.spi,
                                          .family = info.family,
                                          .proto = info.id.proto}};
    const struct xfrm_replay_state_esn *told = NULL;
    const struct nlattr *attribute;
    struct nlmsghdr *header = begin(XFRM_MSG_NEWSA, &info, sizeof(info));

    (void)unused;
    handling.look = look_at_evens;
    put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put(header, XFRMA_REPLAY_ESN_VAL, sizeof(asked), &asked);
    assert_int_equal(ask(), 0);
    state.sas[0].direction = SPILL_XFRM_IN;
    begin(XFRM_MSG_GETAE, &id, sizeof(id));
    assert_int_equal(ask(), 0);
    header = (struct nlmsghdr *)answered;
    for (attribute = mnl_nlmsg_get_payload_offset(header, sizeof(id));
         (const char *)attribute < (const char *)mnl_nlmsg_get_payload_tail(header);
         attribute = mnl_attr_next(attribute)) {
        if (mnl_attr_get_type(attribute) == XFRMA_REPLAY_ESN_VAL)
            told = mnl_attr_get_payload(attribute);
    }
    assert_non_null(told);
    assert_int_equal(told->bmp_len, 32);
    assert_int_equal(told->replay_window, 1024);
    assert_int_equal(told->seq, 5000);
    for (uint32_t number = 5000 - 1023; number <= 5000; number++) {
        const uint32_t bit = (number - 1) % 1024;

        assert_int_equal(told->bmp[bit / 32] >> bit % 32 & 1, number > 4800 && number % 2 == 0);
    }
}

/* --------------------------------------------------------------------------------- garbage */

/* Whatever comes, nothing is read beyond it, and what is answered is a message. */
static void test_garbage(void **unused)
{
    const char *given = getenv("SEED");
    const unsigned seed = given != NULL ? (unsigned)atoi(given) : (unsigned)time(NULL);
    struct spill_policy_files files;
    unsigned i, j;

    (void)unused;
    printf("SEED=%u\n", seed);
    srand(seed);
    for (i = 0; i < 50000; i++) {
        const size_t size = 1 + (size_t)rand() % 800;
        uint8_t *exact = malloc(size);
        struct nlmsghdr *header = (struct nlmsghdr *)exact;
        struct spill_xfrm_message message;

        assert_non_null(exact);
        for (j = 0; j < size; j++)
            exact[j] = (uint8_t)(rand() % 4 != 0 ? 0 : rand());
        if (i % 3 == 0 && add_policy(XFRM_MSG_UPDPOLICY, (uint8_t)(i % 2), 0x1000 + i % 7) == 0)
            memcpy(exact, request, RTE_MIN(size, 400u));
        if (i % 3 == 1 && add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1000 + i % 7) != 1)
            memcpy(exact, request, RTE_MIN(size, 400u));
        if (i % 3 != 2)
            exact[(size_t)rand() % size] ^= (uint8_t)(1 << rand() % 8);
        if (size >= sizeof(*header) && rand() % 2 == 0) {
            header->nlmsg_len = (uint32_t)size;
            header->nlmsg_type = (uint16_t)(XFRM_MSG_BASE + rand() % 26);
        }
        if (spill_xfrm_message_read(exact, size, &message) == 0 &&
            !spill_xfrm_is_dump(message.header))
            spill_xfrm_handle(&handling, &message);
        free(exact);
        if (i % 1000 == 0) {
            assert_int_equal(spill_xfrm_compile(&state, &files), 0);
            spill_policy_files_free(&files);
        }
    }
    assert_true(state.sa_count <= SPILL_XFRM_SAS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sa_comes_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spi_is_reserved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sa_that_can_not_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_policies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compiled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ike_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sa_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_encapsulated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_children_of_one_reqid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_of_one_reqid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rekey_of_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wide_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ike_of_another_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ike_passes_to_the_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ike_of_many_peers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_garbage, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
