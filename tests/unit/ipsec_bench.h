/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPILLWAY_TEST_IPSEC_BENCH_H
#define SPILLWAY_TEST_IPSEC_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_esp.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "ipsec/esp.h"
#include "ipsec/sa_set.h"
#include "lcores.h"
#include "packet/parse.h"
#include "poison.h"

/**
 * @file
 * Pairs of SAs of every kind, packets to protect, and jobs with them, on real crypto drivers.
 */

#define IPSEC_MBUFS     1023
#define IPSEC_FRAME_MAX 9216 /* bytes */
#define IPSEC_PROTOCOL  253  /* for experiments (RFC 3692): a payload that nobody reads */

/** What SAs can be. */
struct ipsec_case {
    const struct spill_ipsec_algorithm *algorithm;
    enum spill_sa_mode mode;
    uint8_t outer; /* 4, 6; 0: transport */
    bool esn;
    bool nat_traversal;
};

static struct rte_mempool *ipsec_mbufs;
static struct spill_crypto *ipsec_crypto;
static struct spill_error ipsec_error;
static uint64_t ipsec_seed;

/** Starts the EAL, and makes packets' memory. */
static inline void ipsec_start(unsigned lcores)
{
    test_eal_start(lcores, 512, NULL);
    ipsec_mbufs = fixture_poison_pool("ipsec", IPSEC_MBUFS, SPILL_PACKET_PRIVATE_SIZE,
                                      RTE_PKTMBUF_HEADROOM + IPSEC_FRAME_MAX + 256);
    if (ipsec_mbufs == NULL)
        exit(1);
    ipsec_seed = test_seed() | 1;
}

static struct spill_crypto_user ipsec_users[RTE_MAX_LCORE];

/** Opens crypto for all lcores. @param device  as for spill_crypto_create() */
static inline void ipsec_open(const char *device)
{
    uint32_t count = 0;
    unsigned id;

    RTE_LCORE_FOREACH(id)
    ipsec_users[count++] = (struct spill_crypto_user){.id = id, .node = SOCKET_ID_ANY};
    ipsec_crypto = spill_crypto_create(ipsec_users, count, device, &ipsec_error);
    if (ipsec_crypto == NULL)
        fail_msg("%s", ipsec_error.text);
}

/** Closes it; every mbuf must be back. */
static inline void ipsec_close(void)
{
    spill_crypto_free(ipsec_crypto);
    ipsec_crypto = NULL;
    assert_int_equal(rte_mempool_avail_count(ipsec_mbufs), IPSEC_MBUFS);
}

/* ------------------------------------------------------------------------------ the SAs */

/** @return whether there is an n-th kind of SA, from 0 */
static inline bool ipsec_case_get(uint32_t n, struct ipsec_case *kind)
{
    size_t count;
    const struct spill_ipsec_algorithm *table = spill_ipsec_algorithm_table(&count);
    static const uint8_t outers[] = {4, 6, 0};

    memset(kind, 0, sizeof(*kind));
    if (n >= count * RTE_DIM(outers) * 4)
        return false;
    kind->esn = n % 2 != 0;
    kind->nat_traversal = n / 2 % 2 != 0;
    kind->outer = outers[n / 4 % RTE_DIM(outers)];
    kind->mode = kind->outer == 0 ? SPILL_SA_TRANSPORT : SPILL_SA_TUNNEL;
    kind->algorithm = &table[n / 4 / RTE_DIM(outers)];
    return true;
}

/** A kind of SA by its algorithm's name. */
static inline struct ipsec_case ipsec_case_of(const char *algorithm, uint8_t outer, bool esn)
{
    return (struct ipsec_case){.algorithm = spill_ipsec_algorithm_find(algorithm),
                               .mode = outer == 0 ? SPILL_SA_TRANSPORT : SPILL_SA_TUNNEL,
                               .outer = outer,
                               .esn = esn};
}

static inline const char *ipsec_name(const struct ipsec_case *kind)
{
    static char text[64];

    snprintf(text, sizeof(text), "%s, outer %u%s%s", kind->algorithm->name, kind->outer,
             kind->esn ? ", ESN" : "", kind->nat_traversal ? ", NAT" : "");
    return text;
}

/** Settings of an SA, with a key that follows from its SPI. */
static inline void ipsec_config(struct spill_sa_config *config, const struct ipsec_case *kind,
                                enum spill_sa_direction direction, uint32_t spi)
{
    uint32_t i;

    memset(config, 0, sizeof(*config));
    snprintf(config->name, sizeof(config->name), "%s-%u", direction == SPILL_SA_OUT ? "out" : "in",
             spi);
    config->direction = direction;
    config->mode = kind->mode;
    config->spi = spi;
    config->algorithm = kind->algorithm;
    config->esn = kind->esn;
    config->nat_traversal = kind->nat_traversal;
    config->replay_window = direction == SPILL_SA_IN ? 1024 : 0;
    config->dscp = SPILL_SA_DSCP_COPY;
    config->source.family = config->destination.family = kind->outer;
    if (kind->outer == 4) {
        memcpy(config->source.bytes, "\xc0\x00\x02\x01", 4);
        memcpy(config->destination.bytes, "\xc6\x33\x64\x01", 4);
    } else if (kind->outer == 6) {
        memcpy(config->source.bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        memcpy(config->destination.bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
    }
    for (i = 0; i < spill_ipsec_algorithm_key_size(kind->algorithm); i++)
        config->key[i] = (uint8_t)(spi * 7 + i * 13 + 1);
}

/** An SA of a kind for all lcores; NULL when the drivers can't do it. */
static inline struct spill_sa *ipsec_sa(const struct spill_sa_config *config, uint16_t id)
{
    return spill_sa_create(config, id, NULL, ipsec_crypto, ipsec_users, rte_lcore_count(),
                           &ipsec_error);
}

/** Both ends of an SA, with ids 1 and 2. @return false when the drivers can't do it */
static inline bool ipsec_pair(const struct ipsec_case *kind, struct spill_sa *pair[2])
{
    struct spill_sa_config config;

    ipsec_config(&config, kind, SPILL_SA_OUT, 4096);
    pair[0] = ipsec_sa(&config, 1);
    ipsec_config(&config, kind, SPILL_SA_IN, 4096);
    pair[1] = pair[0] != NULL ? ipsec_sa(&config, 2) : NULL;
    if (pair[1] == NULL)
        spill_sa_free(pair[0]);
    return pair[1] != NULL;
}

/** Both ends, where the drivers must be able to. */
static inline void ipsec_need_pair(const struct ipsec_case *kind, struct spill_sa *pair[2])
{
    if (!ipsec_pair(kind, pair))
        fail_msg("%s: %s", ipsec_name(kind), ipsec_error.text);
}

static inline void ipsec_free_pair(struct spill_sa *pair[2])
{
    spill_sa_free(pair[0]);
    spill_sa_free(pair[1]);
}

/* --------------------------------------------------------------------------- the packets */

/** A packet before and after. */
struct ipsec_frame {
    uint8_t bytes[IPSEC_FRAME_MAX];
    uint32_t length; /* without Ethernet's padding */
};

static inline void ipsec_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/**
 * A packet with a payload of so many bytes, in a frame with `tags` tags.
 *
 * @param pad  as Ethernet does with short frames
 */
static inline struct rte_mbuf *ipsec_packet(struct ipsec_frame *frame, bool ipv6, uint32_t payload,
                                            uint32_t tags, bool pad)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ipsec_mbufs);
    uint32_t header = ipv6 ? 40 : 20, l3 = 14 + 4 * tags, i;
    uint8_t *ip = frame->bytes + l3;

    assert_non_null(mbuf);
    for (i = 0; i < l3 + header; i++)
        frame->bytes[i] = 0;
    for (i = 0; i < tags; i++) {
        ipsec_put16(frame->bytes + 12 + 4 * i, 0x8100);
        ipsec_put16(frame->bytes + 14 + 4 * i, 100 + i);
    }
    ipsec_put16(ip - 2, ipv6 ? 0x86dd : 0x0800);
    ip[0] = ipv6 ? 0x60 : 0x45;
    if (ipv6) {
        ipsec_put16(ip + 4, payload);
        ip[6] = IPSEC_PROTOCOL;
        ip[7] = 64;
        ip[8] = ip[24] = 0xfd;
        ip[39] = 1;
    } else {
        ipsec_put16(ip + 2, header + payload);
        ip[8] = 64;
        ip[9] = IPSEC_PROTOCOL;
        ip[12] = ip[16] = 10;
        ip[19] = 1;
        ((struct rte_ipv4_hdr *)ip)->hdr_checksum = rte_ipv4_cksum((struct rte_ipv4_hdr *)ip);
    }
    frame->length = l3 + header + payload;
    for (i = l3 + header; i < frame->length; i++)
        frame->bytes[i] = (uint8_t)(i * 31 + payload);
    memcpy(rte_pktmbuf_append(mbuf, (uint16_t)frame->length), frame->bytes, frame->length);
    if (pad && frame->length < 60)
        memset(rte_pktmbuf_append(mbuf, (uint16_t)(60 - frame->length)), 0, 60 - frame->length);
    return mbuf;
}

/* ------------------------------------------------------------------------------ the jobs */

/** An empty job of an SA. */
static inline void ipsec_job(struct spill_job *job, const struct spill_sa *sa)
{
    memset(job, 0, sizeof(*job));
    job->subject = &sa->lcores[rte_lcore_id()]->subject;
}

/** The network that a job's packet comes from: there are some of each of two in a row. */
static inline uint8_t ipsec_zone(uint32_t index)
{
    return index % 5 < 3 ? 5 : 6;
}

/** Puts a packet, parsed, into a job. */
static inline struct spill_packet *ipsec_add(struct spill_job *job, struct rte_mbuf *mbuf)
{
    struct spill_packet *packet = spill_packet_of(mbuf);

    spill_parse_burst(&mbuf, 1, ipsec_zone(job->count), packet);
    assert_in_range(packet->kind, SPILL_PACKET_IPV4, SPILL_PACKET_IPV6);
    job->mbufs[job->count++] = mbuf;
    job->work = job->count;
    job->bytes += mbuf->pkt_len - packet->l3_offset;
    return packet;
}

/** Collects what is under way, until all jobs are done. @param left  how many are under way */
static inline void ipsec_collect(uint32_t left)
{
    uint64_t deadline = rte_rdtsc() + 10 * rte_get_tsc_hz();
    struct spill_job *done[SPILL_CRYPTO_DEPTH];

    while (left > 0) {
        left -= spill_esp_collect(done, SPILL_CRYPTO_DEPTH, ipsec_crypto);
        assert_true(rte_rdtsc() < deadline);
    }
}

static inline void ipsec_encrypt(struct spill_job *job)
{
    spill_esp_take_numbers(job, NULL);
    if (!spill_esp_encrypt(job, ipsec_crypto))
        ipsec_collect(1);
}

static inline void ipsec_decrypt(struct spill_job *job)
{
    if (!spill_esp_decrypt(job, ipsec_crypto))
        ipsec_collect(1);
}

/** Where a packet's ESP header is, after parsing. */
static inline uint8_t *ipsec_esp_of(struct rte_mbuf *mbuf)
{
    const struct spill_packet *packet = spill_packet_of(mbuf);

    return rte_pktmbuf_mtod_offset(mbuf, uint8_t *,
                                   packet->l4_offset + (packet->esp == SPILL_ESP_UDP ? 8u : 0u));
}

static inline uint32_t ipsec_sequence_of(struct rte_mbuf *mbuf)
{
    return rte_be_to_cpu_32(((const struct rte_esp_hdr *)ipsec_esp_of(mbuf))->seq);
}

/** A frame as another machine receives it; the one that was sent is freed. */
static inline struct rte_mbuf *ipsec_carry(struct rte_mbuf *sent)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_copy(sent, ipsec_mbufs, 0, UINT32_MAX);

    assert_non_null(mbuf);
    rte_pktmbuf_free(sent);
    return mbuf;
}

/** Makes a job for the other end of one whose packets were all encrypted, and are carried there. */
static inline void ipsec_arrive(struct spill_job *job, const struct spill_sa *in,
                                struct spill_job *from)
{
    uint32_t i;

    ipsec_job(job, in);
    job->serial = in->state->replay.top;
    for (i = 0; i < from->count; i++) {
        assert_int_not_equal(spill_packet_of(from->mbufs[i])->kind, SPILL_PACKET_MALFORMED);
        ipsec_add(job, ipsec_carry(from->mbufs[i]));
        spill_packet_of(job->mbufs[i])->sequence = ipsec_sequence_of(job->mbufs[i]);
    }
    from->count = 0;
}

static inline void ipsec_free(struct spill_job *job)
{
    rte_pktmbuf_free_bulk(job->mbufs, job->count);
    job->count = 0;
}

/** Why a packet failed; "" when it didn't. */
static inline const char *ipsec_failure(struct rte_mbuf *mbuf)
{
    const struct spill_packet *packet = spill_packet_of(mbuf);

    return packet->kind == SPILL_PACKET_MALFORMED ? spill_drop_reason_get(packet->drop)->name : "";
}

#endif
