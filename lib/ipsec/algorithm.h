/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_IPSEC_ALGORITHM_H
#define SPILLWAY_IPSEC_ALGORITHM_H

#include <rte_crypto_sym.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * The algorithms of ESP by the names that users write, with the sizes that the RFCs give them.
 * A constant table; any thread.
 *
 * What a security association needs as key material is one run of bytes, in this order:
 *
 *     cipher or AEAD key (key_size) | salt (salt_size) | authentication key (auth_key_size)
 */

/** Most bytes of key material that an algorithm needs. */
#define SPILL_IPSEC_KEY_MAX 96

/** Room for spill_ipsec_algorithm_list(). */
#define SPILL_IPSEC_ALGORITHM_LIST_SIZE 512

/** One algorithm; all sizes in bytes. */
struct spill_ipsec_algorithm {
    const char *name;

    /* RTE_CRYPTO_SYM_XFORM_AEAD; or RTE_CRYPTO_SYM_XFORM_CIPHER: a cipher with an authentication
     * algorithm of its own, encrypt then authenticate. Where one of the three below is none of the
     * algorithm's, it is 0. */
    enum rte_crypto_sym_xform_type type;
    enum rte_crypto_aead_algorithm aead;
    enum rte_crypto_cipher_algorithm cipher;
    enum rte_crypto_auth_algorithm auth;

    uint8_t key_size;      /* of the cipher or AEAD; 0: null */
    uint8_t salt_size;     /* of the part of the nonce that both sides know: AEAD, CTR; else 0 */
    uint8_t auth_key_size; /* 0: AEAD */
    uint8_t wire_iv_size;  /* in front of the payload on the wire: AEAD and CTR 8, CBC 16, null 0 */
    uint8_t op_iv_size;    /* of a crypto operation: salt, IV and, with CTR, the counter */
    uint8_t icv_size;      /* behind the ESP trailer */
    uint8_t alignment;     /* payload and ESP trailer are padded to a multiple of this */
};

/** @return the algorithm of that name, or NULL */
const struct spill_ipsec_algorithm *spill_ipsec_algorithm_find(const char *name);

/** @param count  written: the number of algorithms @return all of them */
const struct spill_ipsec_algorithm *spill_ipsec_algorithm_table(size_t *count);

/** @return bytes of the key material: what a key file holds, at most SPILL_IPSEC_KEY_MAX */
size_t spill_ipsec_algorithm_key_size(const struct spill_ipsec_algorithm *algorithm);

/**
 * @param esn  whether the security association has extended sequence numbers
 * @return bytes that an AEAD authenticates beside the payload: SPI and sequence number, 8 or with
 *         ESN 12 (RFC 4106, 5; RFC 7634, 2.1); 0 for other algorithms, which authenticate the ESP
 *         header in place
 */
size_t spill_ipsec_algorithm_aad_size(const struct spill_ipsec_algorithm *algorithm, bool esn);

/** Writes the names of all algorithms, "aes-128-gcm, aes-192-gcm, …". @return text */
const char *spill_ipsec_algorithm_list(char *text, size_t size);

#endif
