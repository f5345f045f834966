/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of ESP's algorithms, and the ways to look something up in it. */
#include "ipsec/algorithm.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 4303, 2.4: the trailer ends at a multiple of 4, whatever the cipher wants. */
#define ESP_ALIGNMENT 4

/* RFC 4106 (AES-GCM) and RFC 7634 (ChaCha20-Poly1305): nonce of salt and IV, whole ICV. */
#define AEAD(algorithm, key)                                                                       \
    .type = RTE_CRYPTO_SYM_XFORM_AEAD, .aead = (algorithm), .key_size = (key), .salt_size = 4,     \
    .wire_iv_size = 8, .op_iv_size = 12, .icv_size = 16, .alignment = ESP_ALIGNMENT

/* RFC 3602: a random IV of one block. */
#define CBC(key)                                                                                   \
    .type = RTE_CRYPTO_SYM_XFORM_CIPHER, .cipher = RTE_CRYPTO_CIPHER_AES_CBC, .key_size = (key),   \
    .wire_iv_size = 16, .op_iv_size = 16, .alignment = 16

/* RFC 3686: the counter block is nonce, IV and a counter from 1. */
#define CTR(key)                                                                                   \
    .type = RTE_CRYPTO_SYM_XFORM_CIPHER, .cipher = RTE_CRYPTO_CIPHER_AES_CTR, .key_size = (key),   \
    .salt_size = 4, .wire_iv_size = 8, .op_iv_size = 16, .alignment = ESP_ALIGNMENT

/* RFC 2410: no key, no IV. */
#define NO_CIPHER                                                                                  \
    .type = RTE_CRYPTO_SYM_XFORM_CIPHER, .cipher = RTE_CRYPTO_CIPHER_NULL,                         \
    .alignment = ESP_ALIGNMENT

/* RFC 2404 (SHA-1, cut to 96 bits) and RFC 4868 (SHA-2, cut to half); keys as long as the hash. */
#define SHA1   .auth = RTE_CRYPTO_AUTH_SHA1_HMAC, .auth_key_size = 20, .icv_size = 12
#define SHA256 .auth = RTE_CRYPTO_AUTH_SHA256_HMAC, .auth_key_size = 32, .icv_size = 16
#define SHA384 .auth = RTE_CRYPTO_AUTH_SHA384_HMAC, .auth_key_size = 48, .icv_size = 24
#define SHA512 .auth = RTE_CRYPTO_AUTH_SHA512_HMAC, .auth_key_size = 64, .icv_size = 32

static const struct spill_ipsec_algorithm table[] = {
    {.name = "aes-128-gcm", AEAD(RTE_CRYPTO_AEAD_AES_GCM, 16)},
    {.name = "aes-192-gcm", AEAD(RTE_CRYPTO_AEAD_AES_GCM, 24)},
    {.name = "aes-256-gcm", AEAD(RTE_CRYPTO_AEAD_AES_GCM, 32)},
    {.name = "chacha20-poly1305", AEAD(RTE_CRYPTO_AEAD_CHACHA20_POLY1305, 32)},
    {.name = "aes-128-cbc+sha1", CBC(16), SHA1},
    {.name = "aes-128-cbc+sha256", CBC(16), SHA256},
    {.name = "aes-128-cbc+sha384", CBC(16), SHA384},
    {.name = "aes-128-cbc+sha512", CBC(16), SHA512},
    {.name = "aes-192-cbc+sha1", CBC(24), SHA1},
    {.name = "aes-192-cbc+sha256", CBC(24), SHA256},
    {.name = "aes-192-cbc+sha384", CBC(24), SHA384},
    {.name = "aes-192-cbc+sha512", CBC(24), SHA512},
    {.name = "aes-256-cbc+sha1", CBC(32), SHA1},
    {.name = "aes-256-cbc+sha256", CBC(32), SHA256},
    {.name = "aes-256-cbc+sha384", CBC(32), SHA384},
    {.name = "aes-256-cbc+sha512", CBC(32), SHA512},
    {.name = "aes-128-ctr+sha256", CTR(16), SHA256},
    {.name = "aes-192-ctr+sha256", CTR(24), SHA256},
    {.name = "aes-256-ctr+sha256", CTR(32), SHA256},
    {.name = "null+sha1", NO_CIPHER, SHA1},
    {.name = "null+sha256", NO_CIPHER, SHA256},
    {.name = "null+sha384", NO_CIPHER, SHA384},
    {.name = "null+sha512", NO_CIPHER, SHA512},
};

const struct spill_ipsec_algorithm *spill_ipsec_algorithm_table(size_t *count)
{
    *count = COUNT_OF(table);
    return table;
}

const struct spill_ipsec_algorithm *spill_ipsec_algorithm_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

size_t spill_ipsec_algorithm_key_size(const struct spill_ipsec_algorithm *algorithm)
{
    return (size_t)algorithm->key_size + algorithm->salt_size + algorithm->auth_key_size;
}

size_t spill_ipsec_algorithm_aad_size(const struct spill_ipsec_algorithm *algorithm, bool esn)
{
    if (algorithm->type != RTE_CRYPTO_SYM_XFORM_AEAD)
        return 0;
    return esn ? 12 : 8;
}

const char *spill_ipsec_algorithm_list(char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < COUNT_OF(table) && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ", ", table[i].name);
    return text;
}
