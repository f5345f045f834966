/* SPDX-License-Identifier: BSD-3-Clause */
/* What the SAs and policies that daemons gave become: rules, and associations by name. */
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

/* The two ways of a child, as strongSwan has them installed, and a rekey's switch. */
static void test_compiled(void **unused)
{
    struct spill_policy_files files;
    const struct spill_rule *rules;

    (void)unused;
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
    assert_int_equal(files.ruleset->count, 1);
    assert_int_equal(files.ruleset->rules[0].action, SPILL_VERDICT_DENY);
    assert_true(files.ruleset->rules[0].host);
    spill_policy_files_free(&files);

    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_FWD, 0), 0);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), 0);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1003), 0);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, RIGHT, LEFT, 0x1002), 0);
    /* The second one waits for a policy's template to have its SPI. */
    assert_int_equal(xfrm_state.sas[1].direction, SPILL_XFRM_UNKNOWN);
    assert_int_equal(xfrm_state.sas[0].group, xfrm_state.sas[1].group);
    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
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

    assert_int_equal(xfrm_add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1003), 0);
    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
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
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), 0);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1003), 0);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(
        xfrm_add_policy_of(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1003, 0x0a030000, 0x0a040000), 0);
    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
    first = of_spi(&files, 0x1001);
    second = of_spi(&files, 0x1003);
    rules = files.ruleset->rules;
    assert_string_equal(files.ruleset->sas[rules[0].sa - 1], first->stands_for);
    assert_string_equal(files.ruleset->sas[rules[1].sa - 1], second->stands_for);
    assert_string_not_equal(first->stands_for, second->stands_for);
    assert_string_equal(first->lane_with, second->lane_with);
    spill_policy_files_free(&files);

    /* One that is gone leaves the other. */
    assert_int_equal(xfrm_ask_id(XFRM_MSG_DELSA, RIGHT, 0x1001), 0);
    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
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

    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
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
    return xfrm_add_policy_of(type, XFRM_POLICY_OUT, spi, 0x0a030000, 0x0a040000);
}

/* Each keeps its name when it is renewed, and gets none that another one had. */
static void test_names_of_one_reqid(void **unused)
{
    char names[2][SPILL_NAME_SIZE] = {""}, later[2][SPILL_NAME_SIZE] = {""};

    (void)unused;
    for (uint32_t spi = 0x1001; spi <= 0x1004; spi++)
        assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, spi), 0);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(add_second(XFRM_MSG_NEWPOLICY, 0x1002), 0);
    assert_spis(0x1001, 0x1002, names);
    assert_int_equal(add_second(XFRM_MSG_UPDPOLICY, 0x1003), 0);
    assert_spis(0x1001, 0x1003, later);
    assert_string_equal(names[0], later[0]);
    assert_string_equal(names[1], later[1]);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1004), 0);
    assert_spis(0x1004, 0x1003, later);
    assert_string_equal(names[0], later[0]);
    assert_string_equal(names[1], later[1]);
    /* They change places. */
    assert_int_equal(xfrm_add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1003), 0);
    assert_int_equal(add_second(XFRM_MSG_UPDPOLICY, 0x1004), 0);
    assert_spis(0x1003, 0x1004, later);
    /* One comes in the place of one that is gone: what was decided for that goes by none. */
    spill_xfrm_policy_remove(&xfrm_state, &xfrm_state.policies[0]);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1005), 0);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1005), 0);
    assert_spis(0x1004, 0x1005, later);
    assert_string_not_equal(later[1], names[0]);
    assert_string_not_equal(later[1], names[1]);
}

/* A child of two policies goes over to the next SA with one after the other. */
static void test_rekey_of_two(void **unused)
{
    char names[2][SPILL_NAME_SIZE] = {""}, later[2][SPILL_NAME_SIZE] = {""};

    (void)unused;
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1001), 0);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1002), 0);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_int_equal(add_second(XFRM_MSG_NEWPOLICY, 0x1001), 0);
    assert_spis(0x1001, 0x1001, names);
    assert_string_equal(names[0], names[1]);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1002), 0);
    assert_spis(0x1002, 0x1001, later);
    assert_string_equal(later[1], names[1]);
    assert_int_equal(add_second(XFRM_MSG_UPDPOLICY, 0x1002), 0);
    assert_spis(0x1002, 0x1002, later);
    /* A new policy goes by the old one after all. */
    assert_int_equal(xfrm_add_policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0x1001), 0);
    assert_spis(0x1001, 0x1002, later);
}

/* IKE between the ends alone is let through, and only where the policy would have it. */
static void test_ike_passes(void **unused)
{
    struct xfrm_userpolicy_info info = xfrm_selects(XFRM_POLICY_OUT, LEFT, RIGHT);
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
        xfrm_begin(XFRM_MSG_FLUSHPOLICY, "", 0);
        assert_int_equal(xfrm_ask(), 0);
        mnl_attr_put(xfrm_begin(XFRM_MSG_NEWPOLICY, &info, sizeof(info)), XFRMA_TMPL,
                     sizeof(template), &template);
        assert_int_equal(xfrm_ask(), 0);
        assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
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
    xfrm_begin(XFRM_MSG_UPDPOLICY, &info, sizeof(info));
    assert_int_equal(xfrm_ask(), -EOPNOTSUPP);
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
            xfrm_selects(ways[i], i == 0 ? LEFT : RIGHT, i == 0 ? RIGHT : LEFT);

        info.sel.prefixlen_s = info.sel.prefixlen_d = 32;
        mnl_attr_put(xfrm_begin(XFRM_MSG_NEWPOLICY, &info, sizeof(info)), XFRMA_TMPL,
                     sizeof(template), &template);
        assert_int_equal(xfrm_ask(), 0);
        assert_int_equal(spill_xfrm_compile(&xfrm_state, &files[i]), 0);
        assert_int_equal(files[i].ruleset->count, 5 + i); /* once for both */
        if (i == 0)
            continue;
        spill_policy_files_free(&files[i]);
        info = xfrm_selects(XFRM_POLICY_OUT, LEFT, RIGHT);
        info.sel.prefixlen_s = info.sel.prefixlen_d = 32;
        xfrm_begin(XFRM_MSG_DELPOLICY, &(struct xfrm_userpolicy_id){info.sel, 0, XFRM_POLICY_OUT},
                   sizeof(struct xfrm_userpolicy_id));
        assert_int_equal(xfrm_ask(), 0);
        assert_int_equal(spill_xfrm_compile(&xfrm_state, &files[i]), 0);
        assert_int_equal(files[i].ruleset->count, 5);
    }
    for (i = 0; i < 4; i++)
        assert_memory_equal(&files[0].ruleset->rules[i], &files[1].ruleset->rules[i],
                            sizeof(files[0].ruleset->rules[i]));
    spill_policy_files_free(&files[0]);
    spill_policy_files_free(&files[1]);
}

static int add_encapsulated(uint16_t type, struct xfrm_usersa_info info, uint16_t source,
                            uint16_t destination)
{
    const struct xfrm_encap_tmpl encap = {.encap_type = UDP_ENCAP_ESPINUDP,
                                          .encap_sport = htons(source),
                                          .encap_dport = htons(destination)};
    struct nlmsghdr *header = xfrm_begin(type, &info, sizeof(info));

    xfrm_put_aead(header, "rfc4106(gcm(aes))", 160, 128);
    mnl_attr_put(header, XFRMA_ENCAP, sizeof(encap), &encap);
    return xfrm_ask();
}

/* In UDP, with the ports that daemons say: this end's and the other one's, by the direction. */
static void test_encapsulated(void **unused)
{
    struct xfrm_userspi_info reserved = {
        .info = xfrm_tunnel(RIGHT, LEFT, 0), .min = 0x2000, .max = 0x2000};
    struct spill_policy_files files;

    (void)unused;
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, xfrm_tunnel(LEFT, RIGHT, 0x1001), 4500, 0),
                     -EOPNOTSUPP);
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, xfrm_tunnel(LEFT, RIGHT, 0x1001), 0, 4500),
                     -EOPNOTSUPP);
    assert_int_equal(
        add_encapsulated(XFRM_MSG_NEWSA, xfrm_tunnel(LEFT, RIGHT, 0x1001), 4501, 61000), 0);
    xfrm_begin(XFRM_MSG_ALLOCSPI, &reserved, sizeof(reserved));
    assert_int_equal(xfrm_ask(), 0);
    assert_int_equal(
        add_encapsulated(XFRM_MSG_UPDSA, xfrm_tunnel(RIGHT, LEFT, 0x2000), 61000, 4501), 0);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0), 0);
    assert_int_equal(xfrm_add_policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_FWD, 0), 0);
    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
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
    assert_int_equal(
        add_encapsulated(XFRM_MSG_UPDSA, xfrm_tunnel(RIGHT, LEFT, 0x2000), 62000, 4500), 0);
    assert_int_equal(
        add_encapsulated(XFRM_MSG_UPDSA, xfrm_tunnel(LEFT, RIGHT, 0x1001), 4500, 62000), 0);
    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
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

    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
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
        xfrm_add_policy_of(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 0, LEFT & 0xffff0000, RIGHT), 0);
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, xfrm_tunnel(LEFT, RIGHT, 0x1001), 4501, 4500),
                     0);
    assert_int_equal(ike_rules(), 2);
    assert_int_equal(xfrm_ask_id(XFRM_MSG_DELSA, RIGHT, 0x1001), 0);
    assert_int_equal(ike_rules(), 2);
    assert_int_equal(
        xfrm_add_policy_of(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 0, LEFT & 0xffff0000, RIGHT), 0);
    assert_int_equal(ike_rules(), 2);
    assert_int_equal(xfrm_add_sa(XFRM_MSG_NEWSA, LEFT, RIGHT, 0x1002), 0);
    assert_int_equal(ike_rules(), 0);
}

/* Of a host and many peers in transport mode, with an SA for each two: the newest one's port. */
static void test_ike_of_many_peers(void **unused)
{
    struct xfrm_userpolicy_info info = xfrm_selects(XFRM_POLICY_OUT, LEFT, RIGHT);
    const struct xfrm_user_tmpl template = {
        .id.proto = IPPROTO_ESP, .family = AF_INET, .reqid = 1, .mode = XFRM_MODE_TRANSPORT};
    struct xfrm_usersa_info sa = xfrm_tunnel(LEFT, RIGHT, 0x1001);
    struct spill_policy_files files;
    unsigned found = 0;

    (void)unused;
    info.sel.prefixlen_s = 32;
    mnl_attr_put(xfrm_begin(XFRM_MSG_NEWPOLICY, &info, sizeof(info)), XFRMA_TMPL, sizeof(template),
                 &template);
    assert_int_equal(xfrm_ask(), 0);
    sa.mode = XFRM_MODE_TRANSPORT;
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, sa, 4500, 4500), 0);
    sa.id = xfrm_tunnel(LEFT, RIGHT + 1, 0x1002).id;
    assert_int_equal(add_encapsulated(XFRM_MSG_NEWSA, sa, 4501, 4500), 0);
    assert_int_equal(spill_xfrm_compile(&xfrm_state, &files), 0);
    assert_int_equal(files.ruleset->count, 6 + 2 + 1);
    for (unsigned i = 0; i < 6; i++)
        found += files.ruleset->rules[i].first_port[i % 2] == 4501;
    assert_int_equal(found, 2);
    spill_policy_files_free(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_compiled, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_ike_passes, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_encapsulated, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_children_of_one_reqid, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_names_of_one_reqid, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_rekey_of_two, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_ike_of_another_port, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_ike_passes_to_the_last, xfrm_set_up, xfrm_tear_down),
        cmocka_unit_test_setup_teardown(test_ike_of_many_peers, xfrm_set_up, xfrm_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
