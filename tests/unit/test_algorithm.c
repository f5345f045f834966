/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of ESP's algorithms against the sizes that the RFCs give, written down once more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipsec/algorithm.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define GCM    RTE_CRYPTO_AEAD_AES_GCM
#define CHACHA RTE_CRYPTO_AEAD_CHACHA20_POLY1305
#define CBC    RTE_CRYPTO_CIPHER_AES_CBC
#define CTR    RTE_CRYPTO_CIPHER_AES_CTR
#define NONE   RTE_CRYPTO_CIPHER_NULL
#define SHA1   RTE_CRYPTO_AUTH_SHA1_HMAC
#define SHA256 RTE_CRYPTO_AUTH_SHA256_HMAC
#define SHA384 RTE_CRYPTO_AUTH_SHA384_HMAC
#define SHA512 RTE_CRYPTO_AUTH_SHA512_HMAC

static const struct {
    const char *name;
    unsigned int aead, cipher, auth;
    unsigned int key, salt, auth_key, wire_iv, op_iv, icv, alignment, file;
} expected[] = {
    {"aes-128-gcm", GCM, 0, 0, 16, 4, 0, 8, 12, 16, 4, 20},
    {"aes-192-gcm", GCM, 0, 0, 24, 4, 0, 8, 12, 16, 4, 28},
    {"aes-256-gcm", GCM, 0, 0, 32, 4, 0, 8, 12, 16, 4, 36},
    {"chacha20-poly1305", CHACHA, 0, 0, 32, 4, 0, 8, 12, 16, 4, 36},
    {"aes-128-cbc+sha1", 0, CBC, SHA1, 16, 0, 20, 16, 16, 12, 16, 36},
    {"aes-128-cbc+sha256", 0, CBC, SHA256, 16, 0, 32, 16, 16, 16, 16, 48},
    {"aes-128-cbc+sha384", 0, CBC, SHA384, 16, 0, 48, 16, 16, 24, 16, 64},
    {"aes-128-cbc+sha512", 0, CBC, SHA512, 16, 0, 64, 16, 16, 32, 16, 80},
    {"aes-192-cbc+sha1", 0, CBC, SHA1, 24, 0, 20, 16, 16, 12, 16, 44},
    {"aes-192-cbc+sha256", 0, CBC, SHA256, 24, 0, 32, 16, 16, 16, 16, 56},
    {"aes-192-cbc+sha384", 0, CBC, SHA384, 24, 0, 48, 16, 16, 24, 16, 72},
    {"aes-192-cbc+sha512", 0, CBC, SHA512, 24, 0, 64, 16, 16, 32, 16, 88},
    {"aes-256-cbc+sha1", 0, CBC, SHA1, 32, 0, 20, 16, 16, 12, 16, 52},
    {"aes-256-cbc+sha256", 0, CBC, SHA256, 32, 0, 32, 16, 16, 16, 16, 64},
    {"aes-256-cbc+sha384", 0, CBC, SHA384, 32, 0, 48, 16, 16, 24, 16, 80},
    {"aes-256-cbc+sha512", 0, CBC, SHA512, 32, 0, 64, 16, 16, 32, 16, 96},
    {"aes-128-ctr+sha256", 0, CTR, SHA256, 16, 4, 32, 8, 16, 16, 4, 52},
    {"aes-192-ctr+sha256", 0, CTR, SHA256, 24, 4, 32, 8, 16, 16, 4, 60},
    {"aes-256-ctr+sha256", 0, CTR, SHA256, 32, 4, 32, 8, 16, 16, 4, 68},
    {"null+sha1", 0, NONE, SHA1, 0, 0, 20, 0, 0, 12, 4, 20},
    {"null+sha256", 0, NONE, SHA256, 0, 0, 32, 0, 0, 16, 4, 32},
    {"null+sha384", 0, NONE, SHA384, 0, 0, 48, 0, 0, 24, 4, 48},
    {"null+sha512", 0, NONE, SHA512, 0, 0, 64, 0, 0, 32, 4, 64},
};

static void test_sizes(void **state)
{
    size_t count;

    (void)state;
    spill_ipsec_algorithm_table(&count);
    assert_int_equal(count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        const struct spill_ipsec_algorithm *found = spill_ipsec_algorithm_find(expected[i].name);

        if (found == NULL)
            fail_msg("no algorithm %s", expected[i].name);
        assert_string_equal(found->name, expected[i].name);
        assert_int_equal(found->type, expected[i].aead != 0 ? RTE_CRYPTO_SYM_XFORM_AEAD
                                                            : RTE_CRYPTO_SYM_XFORM_CIPHER);
        assert_int_equal(found->aead, expected[i].aead);
        assert_int_equal(found->cipher, expected[i].cipher);
        assert_int_equal(found->auth, expected[i].auth);
        assert_int_equal(found->key_size, expected[i].key);
        assert_int_equal(found->salt_size, expected[i].salt);
        assert_int_equal(found->auth_key_size, expected[i].auth_key);
        assert_int_equal(found->wire_iv_size, expected[i].wire_iv);
        assert_int_equal(found->op_iv_size, expected[i].op_iv);
        assert_int_equal(found->icv_size, expected[i].icv);
        assert_int_equal(found->alignment, expected[i].alignment);
        assert_int_equal(spill_ipsec_algorithm_key_size(found), expected[i].file);
        assert_in_range(expected[i].file, 1, SPILL_IPSEC_KEY_MAX);
        assert_int_equal(spill_ipsec_algorithm_aad_size(found, false), expected[i].aead ? 8 : 0);
        assert_int_equal(spill_ipsec_algorithm_aad_size(found, true), expected[i].aead ? 12 : 0);
    }
}

static void test_unknown_names(void **state)
{
    static const char *const names[] = {
        "", "aes", "aes-128-gcm ", "AES-128-GCM", "aes-128-cbc", "null", "aes-128-gcm+sha256"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_null(spill_ipsec_algorithm_find(names[i]));
}

static void test_list(void **state)
{
    char text[SPILL_IPSEC_ALGORITHM_LIST_SIZE], small[16];
    size_t count, used = 0;
    const struct spill_ipsec_algorithm *table = spill_ipsec_algorithm_table(&count);

    (void)state;
    assert_ptr_equal(spill_ipsec_algorithm_list(text, sizeof(text)), text);
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(text + used, table[i].name, strlen(table[i].name));
        used += strlen(table[i].name);
        assert_string_equal(i + 1 < count ? "" : text + used, "");
        used += strlen(", ");
    }
    /* What does not fit is cut. */
    assert_string_equal(spill_ipsec_algorithm_list(small, sizeof(small)), "aes-128-gcm, ae");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
