/* SPDX-License-Identifier: BSD-3-Clause */
/* Path MTUs of SAs: they fall, and are forgotten; and which SA has sent a packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipsec/path_mtu.h"
#include "ipsec/sa_sent.h"

#define HZ UINT64_C(2600000000)

static void it_falls_and_is_forgotten(void **state)
{
    struct spill_path_mtu path = {0};
    const uint64_t now = 12345 * HZ;

    (void)state;
    assert_int_equal(spill_path_mtu_get(&path, now, HZ), UINT16_MAX);
    assert_true(spill_path_mtu_lower(&path, 1400, now, HZ));
    assert_int_equal(spill_path_mtu_get(&path, now, HZ), 1400);
    assert_false(spill_path_mtu_lower(&path, 1400, now + HZ, HZ));
    assert_false(spill_path_mtu_lower(&path, 1500, now + HZ, HZ));
    assert_true(spill_path_mtu_lower(&path, 1300, now + HZ, HZ));
    assert_int_equal(spill_path_mtu_get(&path, now + 600 * HZ, HZ), 1300);
    assert_int_equal(spill_path_mtu_get(&path, now + 602 * HZ, HZ), UINT16_MAX);
    assert_true(spill_path_mtu_lower(&path, 1450, now + 602 * HZ, HZ));
    assert_int_equal(spill_path_mtu_get(&path, now + 602 * HZ, HZ), 1450);
}

static void what_was_never_sent_was_not_too_large(void **state)
{
    struct spill_path_mtu path = {0};

    (void)state;
    assert_false(spill_path_mtu_has_sent(&path, 84));
    spill_path_mtu_note_sent(&path, 1400);
    spill_path_mtu_note_sent(&path, 84);
    assert_true(spill_path_mtu_has_sent(&path, 1400));
    assert_false(spill_path_mtu_has_sent(&path, 1401));
}

static struct spill_sa sas[40];
static struct spill_sa *list[40];

/* SAs of either direction, mode and family; of each SPI two, to two ends. */
static void make_sas(void)
{
    for (uint32_t i = 0; i < 40; i++) {
        struct spill_sa_config *config = &sas[i].config;

        config->spi = 0x1000 + (i * 7 % 20);
        config->direction = i % 5 == 0 ? SPILL_SA_IN : SPILL_SA_OUT;
        config->mode = i % 7 == 0 ? SPILL_SA_TRANSPORT : SPILL_SA_TUNNEL;
        config->source = (struct spill_sa_address){.family = i % 2 != 0 ? 6 : 4, .bytes = {10}};
        config->destination =
            (struct spill_sa_address){.family = i % 2 != 0 ? 6 : 4, .bytes = {20, (uint8_t)i}};
        list[i] = &sas[i];
    }
}

static void who_has_sent_is_found(void **state)
{
    static const uint8_t nobody[16] = {99};
    struct spill_sa_sent *sent;

    (void)state;
    make_sas();
    sent = spill_sa_sent_create(list, 40);
    assert_non_null(sent);
    for (uint32_t i = 0; i < 40; i++) {
        const struct spill_sa_config *config = &sas[i].config;
        const bool ipv6 = config->source.family == 6;
        struct spill_sa *expected =
            config->direction == SPILL_SA_OUT && config->mode == SPILL_SA_TUNNEL ? &sas[i] : NULL;

        assert_ptr_equal(spill_sa_sent_find(sent, config->spi, ipv6, config->source.bytes,
                                            config->destination.bytes),
                         expected);
        assert_null(spill_sa_sent_find(sent, config->spi, !ipv6, config->source.bytes,
                                       config->destination.bytes));
        assert_null(spill_sa_sent_find(sent, config->spi, ipv6, nobody, config->destination.bytes));
        assert_null(spill_sa_sent_find(sent, config->spi, ipv6, config->source.bytes, nobody));
        assert_null(spill_sa_sent_find(sent, config->spi + 100, ipv6, config->source.bytes,
                                       config->destination.bytes));
    }
    spill_sa_sent_free(sent);
    sent = spill_sa_sent_create(list, 0);
    assert_null(spill_sa_sent_find(sent, 0x1000, false, nobody, nobody));
    spill_sa_sent_free(sent);
    spill_sa_sent_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_falls_and_is_forgotten),
        cmocka_unit_test(what_was_never_sent_was_not_too_large),
        cmocka_unit_test(who_has_sent_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
