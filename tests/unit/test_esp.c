/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP from one end to the other: every kind of SA, by every way to run its crypto. */
#include "ipsec_bench.h"

#define LCORES 4
#define JOBS   3

/* ---------------------------------------------------------------- drivers that are not there */

static bool without_ipsec_mb;

int __real_rte_eal_hotplug_add(const char *bus, const char *name, const char *arguments);
int __wrap_rte_eal_hotplug_add(const char *bus, const char *name, const char *arguments);
int __wrap_rte_eal_hotplug_add(const char *bus, const char *name, const char *arguments)
{
    if (without_ipsec_mb && strncmp(name, "crypto_aesni", 12) == 0)
        return -ENODEV;
    return __real_rte_eal_hotplug_add(bus, name, arguments);
}

/* ---------------------------------------------------------------------------- round trips */

static struct ipsec_frame before[JOBS][SPILL_JOB_PACKETS];
static uint64_t random_state;

static uint32_t any_payload(void)
{
    switch (test_random_below(&random_state, 4)) {
    case 0:
        return 1 + test_random_below(&random_state, 64);
    case 1:
        return test_random_below(&random_state, 64) == 0 ? 9000 : 1400;
    case 2:
        return 1 + test_random_below(&random_state, 1500);
    default:
        return 1 + test_random_below(&random_state, 9000);
    }
}

static void fill_job(struct spill_job *job, const struct spill_sa *sa, struct ipsec_frame *frames,
                     uint32_t count)
{
    uint32_t i;

    ipsec_job(job, sa);
    for (i = 0; i < count; i++) {
        bool ipv6 = test_random_below(&random_state, 3) == 0;
        uint32_t payload = any_payload(), tags = test_random_below(&random_state, 3);
        bool pad = test_random_below(&random_state, 2) == 0;

        ipsec_add(job, ipsec_packet(&frames[i], ipv6, payload, tags, pad));
    }
}

/* Mixes a frame into a sum that depends on all of its bytes (FNV-1a, a word at a time). */
static uint64_t mix(uint64_t sum, const uint8_t *bytes, uint32_t length)
{
    uint32_t i;

    for (i = 0; i < length; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* What is on the wire: headers that say what the frame is. */
static void check_outside(const struct ipsec_case *kind, struct rte_mbuf *mbuf, uint64_t number)
{
    const struct spill_packet *packet = spill_packet_of(mbuf);
    const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, packet->l3_offset);
    const struct rte_ipv4_hdr *v4 = (const struct rte_ipv4_hdr *)ip;
    const struct rte_ipv6_hdr *v6 = (const struct rte_ipv6_hdr *)ip;
    uint32_t length = mbuf->pkt_len - packet->l3_offset;

    assert_int_equal(packet->esp, kind->nat_traversal ? SPILL_ESP_UDP : SPILL_ESP_PLAIN);
    assert_int_equal(ipsec_sequence_of(mbuf), (uint32_t)number);
    assert_int_equal(rte_be_to_cpu_32(((const struct rte_esp_hdr *)ipsec_esp_of(mbuf))->spi), 4096);
    if (packet->kind == SPILL_PACKET_IPV4) {
        assert_int_equal(rte_be_to_cpu_16(v4->total_length), length);
        assert_int_equal(rte_raw_cksum(v4, sizeof(*v4)), 0xffff);
    } else {
        assert_int_equal(rte_be_to_cpu_16(v6->payload_len) + sizeof(*v6), length);
    }
    if (kind->nat_traversal)
        assert_int_equal(
            rte_be_to_cpu_16(((const struct rte_udp_hdr *)(ipsec_esp_of(mbuf) - 8))->dgram_len),
            mbuf->pkt_len - packet->l4_offset);
    if (kind->outer != 0)
        assert_int_equal(packet->kind, kind->outer == 4 ? SPILL_PACKET_IPV4 : SPILL_PACKET_IPV6);
    if (kind->outer == 4)
        assert_memory_equal(ip + 12, "\xc0\x00\x02\x01\xc6\x33\x64\x01", 8);
}

static void check_inside(struct rte_mbuf *mbuf, const struct ipsec_frame *frame, uint64_t number,
                         uint8_t zone)
{
    const struct spill_packet *packet = spill_packet_of(mbuf);

    if (ipsec_failure(mbuf)[0] != '\0')
        fail_msg("%s", ipsec_failure(mbuf));
    assert_int_equal(packet->inbound_sa, 2);
    assert_int_equal(packet->sequence, (uint32_t)number);
    assert_int_equal(packet->kind == SPILL_PACKET_IPV6 ? packet->key.v6.zone : packet->key.v4.zone,
                     zone ^ packet->direction);
    assert_int_equal(mbuf->pkt_len, frame->length);
    assert_memory_equal(rte_pktmbuf_mtod(mbuf, const void *), frame->bytes, frame->length);
}

/* Starts jobs one behind the other, then waits for all of them. */
static void run_all(struct spill_job *jobs, bool (*work)(struct spill_job *, void *))
{
    uint32_t left = 0, i;

    for (i = 0; i < JOBS; i++)
        left += !work(&jobs[i], ipsec_crypto);
    ipsec_collect(left);
}

/* Sends jobs through an SA. Returns what was on the wire, as a sum. */
static uint64_t round_trip(const struct ipsec_case *kind, struct spill_sa *pair[2])
{
    static struct spill_job jobs[JOBS], others[JOBS];
    uint64_t first = kind->esn ? (UINT64_C(1) << 32) - 40 : 4000000000, sum = 0;
    uint32_t i, j;

    /* With extended numbers, the low half ends within the second job. */
    pair[0]->state->sequence = first - 1;
    pair[1]->state->replay.top = first - 1;
    for (j = 0; j < JOBS; j++) {
        fill_job(&jobs[j], pair[0], before[j], j == 2 ? 5 : SPILL_JOB_PACKETS);
        spill_esp_take_numbers(&jobs[j], NULL);
    }
    run_all(jobs, spill_esp_encrypt);
    for (j = 0; j < JOBS; j++) {
        ipsec_arrive(&others[j], pair[1], &jobs[j]);
        for (i = 0; i < others[j].count; i++) {
            struct rte_mbuf *mbuf = others[j].mbufs[i];

            check_outside(kind, mbuf, jobs[j].serial + i);
            sum = mix(sum, rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->pkt_len);
        }
    }
    run_all(others, spill_esp_decrypt);
    for (j = 0; j < JOBS; j++) {
        for (i = 0; i < others[j].count; i++)
            check_inside(others[j].mbufs[i], &before[j][i], jobs[j].serial + i, ipsec_zone(i));
        ipsec_free(&others[j]);
    }
    return sum;
}

/* All kinds of SA with the crypto that is open. Returns how many the drivers can do. */
static uint32_t round_trips(uint64_t *sums, uint64_t seed, enum spill_crypto_mode mode)
{
    struct ipsec_case kind;
    struct spill_sa *pair[2];
    uint32_t done = 0, n;
    uint64_t sum;

    for (n = 0; ipsec_case_get(n, &kind); n++) {
        if (!ipsec_pair(&kind, pair)) {
            /* OpenSSL's driver has neither; ipsec-mb's have all. */
            assert_int_equal(mode, SPILL_CRYPTO_QUEUE);
            assert_true(kind.algorithm->aead == RTE_CRYPTO_AEAD_CHACHA20_POLY1305 ||
                        kind.algorithm->cipher == RTE_CRYPTO_CIPHER_NULL);
            continue;
        }
        assert_int_equal(pair[0]->lcores[0]->crypto.mode, mode);
        random_state = seed + n;
        sum = round_trip(&kind, pair);
        /* The same on the wire, whoever did it. */
        if (sums[n] != 0 && sum != sums[n])
            fail_msg("%s: %s makes something else of it", ipsec_name(&kind),
                     spill_crypto_driver(&pair[0]->lcores[0]->crypto));
        sums[n] = sum;
        done++;
        ipsec_free_pair(pair);
    }
    return done;
}

static void every_kind_by_every_way(void **state)
{
    static uint64_t sums[1024];
    uint64_t seed = test_random(&ipsec_seed);
    uint32_t all;

    (void)state;
    ipsec_open(NULL);
    all = round_trips(sums, seed, SPILL_CRYPTO_CALL);
    assert_int_equal(all, 23 * 12);
    ipsec_close();

    without_ipsec_mb = true;
    ipsec_open(NULL);
    assert_int_equal(round_trips(sums, seed, SPILL_CRYPTO_QUEUE), all - 5 * 12);
    ipsec_close();
    without_ipsec_mb = false;

    ipsec_open("crypto_aesni_mb1");
    assert_true(spill_crypto_is_asynchronous(ipsec_crypto));
    assert_int_equal(round_trips(sums, seed, SPILL_CRYPTO_DEVICE), all);
    ipsec_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_by_every_way),
    };
    int failed;

    ipsec_start(LCORES);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
