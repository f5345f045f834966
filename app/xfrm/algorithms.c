/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfrm/algorithms.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define NAME_SIZE 64 /* as in struct xfrm_algo */

/* What the kernel calls it. The first name of each is the one that answers have. */
static const struct {
    const char *name;
    enum rte_crypto_aead_algorithm aead;
} aeads[] = {
    {"rfc4106(gcm(aes))", RTE_CRYPTO_AEAD_AES_GCM},
    {"rfc7539esp(chacha20,poly1305)", RTE_CRYPTO_AEAD_CHACHA20_POLY1305},
};

static const struct {
    const char *name;
    enum rte_crypto_cipher_algorithm cipher;
} ciphers[] = {
    {"cbc(aes)", RTE_CRYPTO_CIPHER_AES_CBC},          {"aes", RTE_CRYPTO_CIPHER_AES_CBC},
    {"rfc3686(ctr(aes))", RTE_CRYPTO_CIPHER_AES_CTR}, {"ecb(cipher_null)", RTE_CRYPTO_CIPHER_NULL},
    {"cipher_null", RTE_CRYPTO_CIPHER_NULL},
};

static const struct {
    const char *name;
    enum rte_crypto_auth_algorithm auth;
    uint16_t truncation; /* bits, where a message does not say it */
} auths[] = {
    {"hmac(sha1)", RTE_CRYPTO_AUTH_SHA1_HMAC, 96},
    {"sha1", RTE_CRYPTO_AUTH_SHA1_HMAC, 96},
    {"hmac(sha256)", RTE_CRYPTO_AUTH_SHA256_HMAC, 96},
    {"sha256", RTE_CRYPTO_AUTH_SHA256_HMAC, 96},
    {"hmac(sha384)", RTE_CRYPTO_AUTH_SHA384_HMAC, 192},
    {"hmac(sha512)", RTE_CRYPTO_AUTH_SHA512_HMAC, 256},
};

/* An algorithm as an attribute has it. */
struct given {
    char name[NAME_SIZE];
    size_t key_size; /* bytes */
    size_t icv_size; /* bytes; 0: not said */
    const uint8_t *key;
};

/* The three structs begin alike; two of them have one number more in front of the key. */
static int take(const struct spill_xfrm_message *message, unsigned type, bool has_icv,
                struct given *given)
{
    const size_t head = has_icv ? sizeof(struct xfrm_algo_auth) : sizeof(struct xfrm_algo);
    const uint8_t *payload = spill_xfrm_attribute(message, type, head);
    size_t size;
    uint32_t bits;

    if (payload == NULL)
        return -EINVAL;
    size = mnl_attr_get_payload_len(message->attributes[type]);
    memcpy(given->name, payload, NAME_SIZE);
    given->name[NAME_SIZE - 1] = '\0';
    memcpy(&bits, payload + offsetof(struct xfrm_algo, alg_key_len), sizeof(bits));
    given->key_size = (bits + UINT64_C(7)) / 8;
    given->icv_size = 0;
    given->key = payload + head;
    if (given->key_size > size - head)
        return -EINVAL;
    if (!has_icv)
        return 0;
    memcpy(&bits, payload + offsetof(struct xfrm_algo_auth, alg_trunc_len), sizeof(bits));
    given->icv_size = bits / 8;
    return bits % 8 == 0 ? 0 : -EINVAL;
}

static const struct spill_ipsec_algorithm *match(enum rte_crypto_aead_algorithm aead,
                                                 enum rte_crypto_cipher_algorithm cipher,
                                                 enum rte_crypto_auth_algorithm auth,
                                                 size_t key_size, bool is_aead)
{
    size_t count, i;
    const struct spill_ipsec_algorithm *table = spill_ipsec_algorithm_table(&count);

    for (i = 0; i < count; i++) {
        const struct spill_ipsec_algorithm *one = &table[i];

        if ((one->type == RTE_CRYPTO_SYM_XFORM_AEAD) != is_aead ||
            (size_t)one->key_size + one->salt_size != key_size)
            continue;
        if (is_aead ? one->aead == aead : one->cipher == cipher && one->auth == auth)
            return one;
    }
    return NULL;
}

static int read_aead(const struct spill_xfrm_message *message,
                     const struct spill_ipsec_algorithm **algorithm, uint8_t *key)
{
    struct given given;
    int status = take(message, XFRMA_ALG_AEAD, true, &given);
    size_t i = 0;

    if (status != 0)
        return status;
    while (i < COUNT_OF(aeads) && strcmp(aeads[i].name, given.name) != 0)
        i++;
    if (i == COUNT_OF(aeads))
        return -ENOSYS;
    *algorithm = match(aeads[i].aead, 0, 0, given.key_size, true);
    if (*algorithm == NULL)
        return -EINVAL;
    if (given.icv_size != (*algorithm)->icv_size)
        return -ENOSYS;
    memcpy(key, given.key, given.key_size);
    return 0;
}

/* What came with the truncation counts before what came without. */
static int take_auth(const struct spill_xfrm_message *message, struct given *given,
                     enum rte_crypto_auth_algorithm *auth)
{
    const bool says = message->attributes[XFRMA_ALG_AUTH_TRUNC] != NULL;
    int status = take(message, says ? XFRMA_ALG_AUTH_TRUNC : XFRMA_ALG_AUTH, says, given);
    size_t i = 0;

    if (status != 0)
        return status;
    while (i < COUNT_OF(auths) && strcmp(auths[i].name, given->name) != 0)
        i++;
    if (i == COUNT_OF(auths))
        return -ENOSYS;
    *auth = auths[i].auth;
    if (given->icv_size == 0)
        given->icv_size = auths[i].truncation / 8u;
    return 0;
}

static int read_pair(const struct spill_xfrm_message *message,
                     const struct spill_ipsec_algorithm **algorithm, uint8_t *key)
{
    enum rte_crypto_auth_algorithm auth;
    struct given cipher, hash;
    int status = take(message, XFRMA_ALG_CRYPT, false, &cipher);
    size_t i = 0;

    if (status == 0)
        status = take_auth(message, &hash, &auth);
    if (status != 0)
        return status;
    while (i < COUNT_OF(ciphers) && strcmp(ciphers[i].name, cipher.name) != 0)
        i++;
    if (i == COUNT_OF(ciphers))
        return -ENOSYS;
    *algorithm = match(0, ciphers[i].cipher, auth, cipher.key_size, false);
    if (*algorithm == NULL)
        return -ENOSYS;
    if (hash.key_size != (*algorithm)->auth_key_size)
        return -EINVAL;
    if (hash.icv_size != (*algorithm)->icv_size)
        return -ENOSYS;
    memcpy(key, cipher.key, cipher.key_size);
    memcpy(key + cipher.key_size, hash.key, hash.key_size);
    return 0;
}

int spill_xfrm_algorithm_read(const struct spill_xfrm_message *message,
                              const struct spill_ipsec_algorithm **algorithm, uint8_t *key)
{
    const bool has_aead = message->attributes[XFRMA_ALG_AEAD] != NULL;
    const bool has_pair = message->attributes[XFRMA_ALG_CRYPT] != NULL ||
                          message->attributes[XFRMA_ALG_AUTH] != NULL ||
                          message->attributes[XFRMA_ALG_AUTH_TRUNC] != NULL;

    memset(key, 0, SPILL_IPSEC_KEY_MAX);
    if (has_aead && has_pair)
        return -EINVAL;
    return has_aead ? read_aead(message, algorithm, key) : read_pair(message, algorithm, key);
}

/* ------------------------------------------------------------------------------- answers */

/* One of the three structs, with a key behind. */
static bool put(struct nlmsghdr *answer, size_t room, uint16_t type, const char *name,
                const uint8_t *key, size_t key_size, const size_t *icv_size)
{
    uint8_t payload[sizeof(struct xfrm_algo_auth) + SPILL_IPSEC_KEY_MAX] = {0};
    const size_t head = icv_size != NULL ? sizeof(struct xfrm_algo_auth) : sizeof(struct xfrm_algo);
    uint32_t bits = (uint32_t)(key_size * 8);
    bool fits;

    snprintf((char *)payload, NAME_SIZE, "%s", name);
    memcpy(payload + offsetof(struct xfrm_algo, alg_key_len), &bits, sizeof(bits));
    if (icv_size != NULL) {
        bits = (uint32_t)(*icv_size * 8);
        memcpy(payload + offsetof(struct xfrm_algo_auth, alg_trunc_len), &bits, sizeof(bits));
    }
    memcpy(payload + head, key, key_size);
    fits = mnl_attr_put_check(answer, room, type, head + key_size, payload);
    explicit_bzero(payload, sizeof(payload));
    return fits;
}

bool spill_xfrm_algorithm_put(struct nlmsghdr *answer, size_t room,
                              const struct spill_ipsec_algorithm *algorithm, const uint8_t *key)
{
    const size_t cipher_size = (size_t)algorithm->key_size + algorithm->salt_size;
    const size_t icv_size = algorithm->icv_size;
    const uint8_t *auth_key = key + cipher_size;
    size_t i = 0, j = 0;

    if (algorithm->type == RTE_CRYPTO_SYM_XFORM_AEAD) {
        while (aeads[i].aead != algorithm->aead)
            i++;
        return put(answer, room, XFRMA_ALG_AEAD, aeads[i].name, key, cipher_size, &icv_size);
    }
    while (ciphers[i].cipher != algorithm->cipher)
        i++;
    while (auths[j].auth != algorithm->auth)
        j++;
    return put(answer, room, XFRMA_ALG_AUTH, auths[j].name, auth_key, algorithm->auth_key_size,
               NULL) &&
           put(answer, room, XFRMA_ALG_AUTH_TRUNC, auths[j].name, auth_key,
               algorithm->auth_key_size, &icv_size) &&
           put(answer, room, XFRMA_ALG_CRYPT, ciphers[i].name, key, cipher_size, NULL);
}
