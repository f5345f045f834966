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
#include "xfrm_case.h"

/* --------------------------------------------------------------------------------- SAs */

static void test_sa_comes_and_goes(void **unused)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)xfrm_answered;
    struct spill_xfrm_message message;
    const struct xfrm_algo_aead *algorithm;

    (void)unused;
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), 0);
    assert_true(xfrm_handling.changed);
    assert_int_equal(xfrm_events, 1);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), -EEXIST);
    assert_int_equal(xfrm_ask_id(XFRM_MSG_GETSA, RIGHT, 0x1001), 0);
    assert_int_equal(xfrm_answers, 1);
    assert_int_equal(spill_xfrm_message_read(xfrm_answered, header->nlmsg_len, &message), 0);
    algorithm = spill_xfrm_attribute(&message, XFRMA_ALG_AEAD, sizeof(*algorithm) + 20);
    assert_non_null(algorithm);
    assert_string_equal(algorithm->alg_name, "rfc4106(gcm(aes))");
    assert_int_equal((uint8_t)algorithm->alg_key[19], 0x5a);
    assert_int_equal(xfrm_ask_id(XFRM_MSG_GETSA, LEFT, 0x1001), -ESRCH);
    assert_int_equal(xfrm_ask_id(XFRM_MSG_DELSA, RIGHT, 0x1001), 0);
    assert_int_equal(xfrm_ask_id(XFRM_MSG_DELSA, RIGHT, 0x1001), -ESRCH);
    assert_int_equal(xfrm_state.sa_count, 0);
}

static void test_spi_is_reserved(void **unused)
{
    const struct xfrm_userspi_info asked = {
        .info = xfrm_tunnel(RIGHT, LEFT, 0), .min = 0xc0000000, .max = 0xc0000001};
    const struct spill_xfrm_sa *sa;
    uint32_t spi;

    (void)unused;
    xfrm_begin(XFRM_MSG_ALLOCSPI, &asked, sizeof(asked));
    assert_int_equal(xfrm_ask(), 0);
    assert_int_equal(xfrm_answers, 1);
    assert_int_equal(((const struct nlmsghdr *)xfrm_answered)->nlmsg_type, XFRM_MSG_NEWSA);
    assert_false(xfrm_handling.changed);
    assert_true(xfrm_state.sas[0].larval);
    assert_int_equal(xfrm_state.sas[0].info.lft.hard_add_expires_seconds,
                     165); /* as the kernel's */
    spi = ntohl(xfrm_state.sas[0].info.id.spi);
    assert_in_range(spi, 0xc0000000, 0xc0000001);
    xfrm_begin(XFRM_MSG_ALLOCSPI, &asked, sizeof(asked));
    assert_int_equal(xfrm_ask(), 0);
    xfrm_begin(XFRM_MSG_ALLOCSPI, &asked, sizeof(asked));
    assert_int_equal(xfrm_ask(), -ENOENT);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_UPDSA, RIGHT, LEFT, 0xc0000005), -ESRCH);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_UPDSA, RIGHT, LEFT, spi), 0);
    sa = &xfrm_state.sas[0];
    assert_false(sa->larval);
    assert_int_equal(sa->direction, SPILL_XFRM_IN);
}

static void test_sa_that_can_not_be(void **unused)
{
    struct xfrm_usersa_info info = xfrm_tunnel(LEFT, RIGHT, 0x1001);
    const struct xfrm_userpolicy_id policy = {.dir = XFRM_POLICY_OUT};
    struct xfrm_mark mark = {.v = 1, .m = 1};
    struct nlmsghdr *header;

    (void)unused;
    info.id.proto = IPPROTO_AH;
    assert_int_equal(xfrm_ask_sa(XFRM_MSG_NEWSA, &info), -EPROTONOSUPPORT);
    info.id.proto = IPPROTO_COMP;
    assert_int_equal(xfrm_ask_sa(XFRM_MSG_NEWSA, &info), -EPROTONOSUPPORT);
    info = xfrm_tunnel(LEFT, RIGHT, 0x1001);
    info.mode = XFRM_MODE_BEET;
    assert_int_equal(xfrm_ask_sa(XFRM_MSG_NEWSA, &info), -EPROTONOSUPPORT);
    info = xfrm_tunnel(LEFT, RIGHT, 255);
    assert_int_equal(xfrm_ask_sa(XFRM_MSG_NEWSA, &info), -EINVAL);
    info = xfrm_tunnel(LEFT, RIGHT, 0x1001);
    info.flags = XFRM_STATE_ESN;
    assert_int_equal(xfrm_ask_sa(XFRM_MSG_NEWSA, &info), -EINVAL);
    info = xfrm_tunnel(LEFT, RIGHT, 0x1001);
    header = xfrm_begin(XFRM_MSG_NEWSA, &info, sizeof(info));
    xfrm_put_aead(header, "rfc4309(ccm(aes))", 152, 128);
    assert_int_equal(xfrm_ask(), -ENOSYS);
    xfrm_put_aead(xfrm_begin(XFRM_MSG_NEWSA, &info, sizeof(info)), "rfc4106(gcm(aes))", 160, 64);
    assert_int_equal(xfrm_ask(), -ENOSYS);
    xfrm_put_aead(xfrm_begin(XFRM_MSG_NEWSA, &info, sizeof(info)), "rfc4106(gcm(aes))", 168, 128);
    assert_int_equal(xfrm_ask(), -EINVAL);
    header = xfrm_begin(XFRM_MSG_NEWSA, &info, sizeof(info));
    xfrm_put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put(header, XFRMA_MARK, sizeof(mark), &mark);
    assert_int_equal(xfrm_ask(), -EOPNOTSUPP);
    header = xfrm_begin(XFRM_MSG_NEWSA, &info, sizeof(info));
    xfrm_put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put_u32(header, XFRMA_IF_ID, 7);
    assert_int_equal(xfrm_ask(), -EOPNOTSUPP);
    xfrm_begin(XFRM_MSG_MIGRATE, &policy, sizeof(policy));
    assert_int_equal(xfrm_ask(), -ENOPROTOOPT);
    assert_int_equal(xfrm_state.sa_count, 0);
    assert_false(xfrm_handling.changed);
}

/* ----------------------------------------------------------------------------- policies */

static void test_policies(void **unused)
{
    struct xfrm_userpolicy_info first = xfrm_selects(XFRM_POLICY_OUT, 0x0a010000, 0x0a030000);
    struct xfrm_userpolicy_id id = {.dir = XFRM_POLICY_OUT};

    (void)unused;
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), -EEXIST);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1002), 0);
    assert_int_equal(xfrm_state.policy_count, 1);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_FWD, 0), 0);
    first.priority = 1;
    first.action = XFRM_POLICY_BLOCK;
    xfrm_begin(XFRM_MSG_NEWPOLICY, &first, sizeof(first));
    assert_int_equal(xfrm_ask(), 0);
    assert_int_equal(xfrm_state.policies[0].info.action, XFRM_POLICY_BLOCK);
    assert_int_equal(xfrm_state.policies[1].info.dir, XFRM_POLICY_OUT);
    id.sel = first.sel;
    xfrm_begin(XFRM_MSG_GETPOLICY, &id, sizeof(id));
    assert_int_equal(xfrm_ask(), 0);
    assert_int_equal(xfrm_answers, 1);
    xfrm_begin(XFRM_MSG_DELPOLICY, &id, sizeof(id));
    assert_int_equal(xfrm_ask(), 0);
    xfrm_begin(XFRM_MSG_DELPOLICY, &id, sizeof(id));
    assert_int_equal(xfrm_ask(), -ENOENT);
    id.index = xfrm_state.policies[0].info.index;
    xfrm_begin(XFRM_MSG_DELPOLICY, &id, sizeof(id));
    assert_int_equal(xfrm_ask(), 0);
    assert_int_equal(xfrm_state.policy_count, 1);
    first.sel.prefixlen_d = 33;
    xfrm_begin(XFRM_MSG_NEWPOLICY, &first, sizeof(first));
    assert_int_equal(xfrm_ask(), -EINVAL);
    xfrm_begin(XFRM_MSG_FLUSHPOLICY, "", 0);
    assert_int_equal(xfrm_ask(), 0);
    assert_int_equal(xfrm_state.policy_count, 0);
}

/* An SA that goes on for another has its number, its age, and what is left of its limits. */
static void test_sa_goes_on(void **unused)
{
    struct xfrm_usersa_info info = xfrm_tunnel(LEFT, RIGHT, 0x1001);
    const struct xfrm_replay_state numbers = {.oseq = 500};
    const struct xfrm_lifetime_cur use = {
        .packets = 30, .bytes = 4000, .add_time = 990, .use_time = 995};
    struct spill_policy_files files;
    struct nlmsghdr *header;

    (void)unused;
    xfrm_handling.time.now = 100 * UINT64_C(1000000000);
    info.lft.hard_packet_limit = 100;
    info.lft.hard_byte_limit = 5000;
    header = xfrm_begin(XFRM_MSG_NEWSA, &info, sizeof(info));
    xfrm_put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put(header, XFRMA_REPLAY_VAL, sizeof(numbers), &numbers);
    mnl_attr_put(header, XFRMA_LTIME_VAL, sizeof(use), &use);
    assert_int_equal(xfrm_ask(), 0);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0), 0);
    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
    assert_int_equal(files.sas[0].packets_hard, 500 + 70);
    assert_int_equal(files.sas[0].bytes_hard, 1000);
    assert_int_equal(files.sas[0].sequence, 500);
    spill_policy_files_free(&files);
    assert_int_equal(xfrm_state.sas[0].add_time, 990);
    assert_int_equal(xfrm_state.sas[0].added, 90 * UINT64_C(1000000000));
    assert_int_equal(xfrm_state.sas[0].use.packets, 30);
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
    struct xfrm_usersa_info info = xfrm_tunnel(LEFT, RIGHT, 0x1001);
    struct spill_policy_files files;
    uint32_t i;

    (void)unused;
    info.flags = XFRM_STATE_WILDRECV;
    assert_int_equal(xfrm_ask_sa(XFRM_MSG_NEWSA, &info), -EOPNOTSUPP);
    info.flags = XFRM_STATE_ICMP;
    assert_int_equal(xfrm_ask_sa(XFRM_MSG_NEWSA, &info), -EOPNOTSUPP);
    for (i = 0; i < RTE_DIM(cases); i++) {
        spill_xfrm_state_clear(&xfrm_state);
        info = xfrm_tunnel(LEFT, RIGHT, 0x1001);
        info.flags = cases[i].flags;
        info.mode = cases[i].mode;
        assert_int_equal(xfrm_ask_sa(XFRM_MSG_NEWSA, &info), 0);
        xfrm_state.sas[0].direction = SPILL_XFRM_OUT;
        info = xfrm_tunnel(RIGHT, LEFT, 0x1002);
        info.flags = cases[i].flags;
        info.mode = cases[i].mode;
        assert_int_equal(xfrm_ask_sa(XFRM_MSG_NEWSA, &info), 0);
        xfrm_state.sas[1].direction = SPILL_XFRM_IN;
        assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
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
    const struct xfrm_usersa_info info = xfrm_tunnel(RIGHT, LEFT, 0x1001);
    struct xfrm_aevent_id id = {.sa_id = {.daddr = info.id.daddr,
                                          .spi = info.id.spi,
                                          .family = info.family,
                                          .proto = info.id.proto}};
    const struct xfrm_replay_state_esn *told = NULL;
    const struct nlattr *attribute;
    struct nlmsghdr *header = xfrm_begin(XFRM_MSG_NEWSA, &info, sizeof(info));

    (void)unused;
    xfrm_handling.look = look_at_evens;
    xfrm_put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put(header, XFRMA_REPLAY_ESN_VAL, sizeof(asked), &asked);
    assert_int_equal(xfrm_ask(), 0);
    xfrm_state.sas[0].direction = SPILL_XFRM_IN;
    xfrm_begin(XFRM_MSG_GETAE, &id, sizeof(id));
    assert_int_equal(xfrm_ask(), 0);
    header = (struct nlmsghdr *)xfrm_answered;
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
        if (i % 3 == 0 &&
            xfrm_add_policy(XFRM_MSG_UPDPOLICY, (uint8_t)(i % 2), 0x1000 + i % 7) == 0)
            memcpy(exact, xfrm_request, RTE_MIN(size, 400u));
        if (i % 3 == 1 && xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1000 + i % 7) != 1)
            memcpy(exact, xfrm_request, RTE_MIN(size, 400u));
        if (i % 3 != 2)
            exact[(size_t)rand() % size] ^= (uint8_t)(1 << rand() % 8);
        if (size >= sizeof(*header) && rand() % 2 == 0) {
            header->nlmsg_len = (uint32_t)size;
            header->nlmsg_type = (uint16_t)(XFRM_MSG_BASE + rand() % 26);
        }
        if (spill_xfrm_message_read(exact, size, &message) == 0 &&
            !spill_xfrm_is_dump(message.header))
            spill_xfrm_handle(&xfrm_handling, &message);
        free(exact);
        if (i % 1000 == 0) {
            assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
            spill_policy_files_free(&files);
        }
    }
    assert_true(xfrm_state.sa_count <= SPILL_XFRM_SAS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sa_comes_and_goes, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_spi_is_reserved, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_sa_that_can_not_be, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_policies, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_sa_goes_on, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_wide_window, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_marks, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_garbage, xfrm_set_up, xfrm_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
