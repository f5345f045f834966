/* SPDX-License-Identifier: BSD-3-Clause */
/* What an SA must never do twice, or too often: sequence numbers, vectors, lifetimes. */
#include "ipsec_bench.h"

#define LCORES 4

/* --------------------------------------------------------------------- taking the numbers */

#define NUMBERS (1u << 20)

static struct spill_sa *pair[2];
static uint8_t taken[NUMBERS + 1];
static _Atomic uint64_t twice;
static _Atomic uint64_t given; /* packets */

/* Empty frames for jobs whose packets are never looked into. */
static struct rte_mbuf *blank(uint32_t size)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ipsec_mbufs);

    if (mbuf != NULL) {
        rte_pktmbuf_append(mbuf, (uint16_t)(14 + size));
        memset(spill_packet_of(mbuf), 0, sizeof(struct spill_packet));
        spill_packet_of(mbuf)->l3_offset = 14;
        spill_packet_of(mbuf)->length = (uint16_t)size;
    }
    return mbuf;
}

static void make_job(struct spill_job *job, uint32_t count, uint32_t size)
{
    uint32_t i;

    ipsec_job(job, pair[0]);
    for (i = 0; i < count; i++) {
        job->mbufs[i] = blank(size);
        assert_non_null(job->mbufs[i]);
    }
    job->count = job->work = (uint16_t)count;
    job->bytes = count * size;
}

/* A fast lcore among several that feed one SA. No assertion: it runs on any lcore. */
static int feed(void *argument)
{
    uint64_t random = (rte_rdtsc() ^ (uint64_t)rte_lcore_id() << 32) | 1, last = 0;
    struct spill_job job;
    uint32_t i;

    (void)argument;
    do {
        ipsec_job(&job, pair[0]);
        job.count = (uint16_t)(1 + test_random_below(&random, SPILL_JOB_PACKETS));
        job.bytes = 100u * job.count;
        spill_esp_take_numbers(&job, NULL);
        twice += job.serial <= last; /* ascending on one lcore */
        last = job.serial;
        for (i = 0; i < job.count && job.serial + i <= NUMBERS; i++)
            twice += __atomic_exchange_n(&taken[job.serial + i], 1, __ATOMIC_RELAXED) != 0;
        given += job.count;
    } while (job.serial < NUMBERS);
    return 0;
}

static void each_number_is_taken_once(void **state)
{
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);
    uint32_t i;

    (void)state;
    ipsec_open(NULL);
    ipsec_need_pair(&kind, pair);
    rte_eal_mp_remote_launch(feed, NULL, CALL_MAIN);
    rte_eal_mp_wait_lcore();
    assert_int_equal(twice, 0);
    assert_int_equal(taken[0], 0);
    for (i = 1; i <= NUMBERS; i++)
        assert_int_equal(taken[i], 1);
    assert_int_equal(pair[0]->state->sequence, given);
    assert_int_equal(pair[0]->state->bytes, 100 * given);
    assert_int_equal(spill_sa_use(pair[0]).packets, given);
    ipsec_free_pair(pair);
    ipsec_close();
}

static uint32_t count_failed(const struct spill_job *job, const char *reason)
{
    uint32_t count = 0, i;

    for (i = 0; i < job->count; i++)
        count += strcmp(ipsec_failure(job->mbufs[i]), reason) == 0;
    return count;
}

/* A job's packets: so many are given a number and counted, the others have failed; then they are
 * freed. */
static void take(uint32_t count, uint32_t size, uint32_t allowed, const char *reason)
{
    const struct spill_sa_state *used = pair[0]->state;
    const uint64_t sequence = used->sequence, bytes = used->bytes;
    struct spill_job job;
    uint32_t i;

    make_job(&job, count, size);
    spill_esp_take_numbers(&job, NULL);
    assert_int_equal(job.work, allowed);
    assert_true(used->sequence - sequence == allowed);
    assert_int_equal(used->bytes - bytes, allowed * size);
    if (allowed < count)
        assert_int_equal(count_failed(&job, reason), count - allowed);
    for (i = 0; i < allowed; i++)
        assert_string_equal(ipsec_failure(job.mbufs[i]), "");
    ipsec_free(&job);
}

/* The last numbers can be used, those after them can't, and never again. */
static void numbers_have_an_end(void **state)
{
    struct ipsec_case kind;
    struct ipsec_frame frame;
    struct spill_job job, other;
    uint64_t last;
    uint32_t esn, i;

    (void)state;
    ipsec_open(NULL);
    for (esn = 0; esn < 2; esn++) {
        kind = ipsec_case_of("aes-128-gcm", 4, esn != 0);
        ipsec_need_pair(&kind, pair);
        last = esn != 0 ? UINT64_MAX - UINT32_MAX : UINT32_MAX - 1;
        assert_true(spill_sa_last_number(pair[0]) == last);
        pair[0]->state->sequence = last - 10;
        pair[1]->state->replay.top = last - 10;
        ipsec_job(&job, pair[0]);
        for (i = 0; i < 10; i++)
            ipsec_add(&job, ipsec_packet(&frame, false, 100, 0, false));
        assert_false(spill_sa_use(pair[0]).hard);
        ipsec_encrypt(&job);
        assert_true(job.serial == last - 9);
        assert_int_equal(job.work, 10);
        ipsec_arrive(&other, pair[1], &job);
        ipsec_decrypt(&other);
        assert_int_equal(count_failed(&other, ""), 10);
        ipsec_free(&other);
        assert_true(spill_sa_use(pair[0]).hard);
        assert_true(spill_sa_use(pair[0]).packets == last);
        for (i = 0; i < 100; i++)
            take(32, 100, 0, "esp_sequence_overflow");
        assert_true(pair[0]->state->sequence == last);
        /* The job that the end is in. */
        pair[0]->state->sequence = last - 7;
        take(32, 100, 7, "esp_sequence_overflow");
        take(1, 100, 0, "esp_sequence_overflow");
        ipsec_free_pair(pair);
    }
    ipsec_close();
}

/* ------------------------------------------------------------------------- noting numbers */

static _Atomic uint64_t fresh, refused;

/* A fast lcore among several that all get the same packets: each notes every number, a few at a
 * time. No assertion: it runs on any lcore. */
static int note_numbers(void *argument)
{
    struct spill_sa_state *state = pair[1]->state;
    uint64_t number = 1, end;

    (void)argument;
    while (number <= NUMBERS / 4) {
        end = RTE_MIN(number + 16, (uint64_t)NUMBERS / 4 + 1);
        if (!spill_sa_take_window(state, rte_lcore_id())) {
            refused += end - number;
            number = end;
            continue;
        }
        for (; number < end; number++) {
            if (spill_replay_note(&state->replay, number) == SPILL_REPLAY_FRESH) {
                twice += __atomic_exchange_n(&taken[number], 1, __ATOMIC_RELAXED) != 0;
                fresh++;
                state->packets++;
            }
        }
        spill_sa_leave_window(state);
    }
    return 0;
}

/* Packets of one inbound SA may come to any lcore: no number is taken twice. */
static void windows_have_one_writer_at_a_time(void **state)
{
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, true);

    (void)state;
    ipsec_open(NULL);
    ipsec_need_pair(&kind, pair);
    memset(taken, 0, sizeof(taken));
    rte_eal_mp_remote_launch(note_numbers, NULL, CALL_MAIN);
    rte_eal_mp_wait_lcore();
    assert_int_equal(twice, 0);
    assert_true(fresh > 0 && fresh + refused >= NUMBERS / 4);
    assert_int_equal(pair[1]->state->packets, fresh);
    assert_int_equal(pair[1]->state->writer, -1);
    /* Who has it gives it back: until then nobody else gets it. */
    assert_true(spill_sa_take_window(pair[1]->state, 1));
    assert_false(spill_sa_take_window(pair[1]->state, 2));
    spill_sa_leave_window(pair[1]->state);
    assert_true(spill_sa_take_window(pair[1]->state, 2));
    ipsec_free_pair(pair);
    ipsec_close();
}

/* -------------------------------------------------------------------------------- lifetimes */

static void make_out(const struct spill_sa_config *config)
{
    pair[0] = ipsec_sa(config, 1);
    assert_non_null(pair[0]);
}

static void lifetimes_end_where_they_should(void **state)
{
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);
    struct spill_sa_config config;
    uint32_t i;

    (void)state;
    ipsec_open(NULL);
    ipsec_config(&config, &kind, SPILL_SA_OUT, 4096);
    config.packets_soft = 64;
    config.packets_hard = 100;
    make_out(&config);
    for (i = 0; i < 3; i++) {
        assert_int_equal(spill_sa_use(pair[0]).soft, i == 2);
        take(32, 100, 32, "");
    }
    assert_true(spill_sa_use(pair[0]).soft && !spill_sa_use(pair[0]).hard);
    take(32, 100, 4, "esp_expired"); /* 100 in all */
    assert_true(spill_sa_use(pair[0]).hard);
    take(1, 100, 0, "esp_expired");
    take(32, 100, 0, "esp_expired");
    spill_sa_free(pair[0]);

    /* In bytes: while they last a packet may begin. */
    config.packets_soft = config.packets_hard = 0;
    config.bytes_soft = 3200;
    config.bytes_hard = 3200 + 950;
    make_out(&config);
    assert_false(spill_sa_use(pair[0]).soft);
    take(32, 100, 32, "");
    assert_true(spill_sa_use(pair[0]).soft && !spill_sa_use(pair[0]).hard);
    take(5, 100, 5, "");
    take(32, 100, 5, "esp_expired");
    assert_true(spill_sa_use(pair[0]).hard);
    take(1, 100, 0, "esp_expired");
    spill_sa_free(pair[0]);

    /* The last of a job may be the one that begins in time. */
    config.bytes_hard = 3150;
    make_out(&config);
    take(32, 100, 32, "");
    take(1, 1, 0, "esp_expired");
    spill_sa_free(pair[0]);

    /* To the byte. */
    config.bytes_hard = 3200;
    make_out(&config);
    take(32, 100, 32, "");
    take(1, 1, 0, "esp_expired");
    spill_sa_free(pair[0]);

    /* Both: the narrower one. */
    config.packets_hard = 7;
    config.bytes_hard = 500;
    make_out(&config);
    take(3, 100, 3, "");
    take(5, 100, 2, "esp_expired");
    spill_sa_free(pair[0]);
    config.bytes_hard = 10000;
    make_out(&config);
    take(8, 100, 7, "esp_expired");
    spill_sa_free(pair[0]);
    ipsec_close();
}

/* ----------------------------------------------------------------- initialization vectors */

#define PLAIN_JOBS    24
#define PLAIN_PACKETS (PLAIN_JOBS * SPILL_JOB_PACKETS)

/* What stands behind the ESP header: the vector, and one block of cipher text. */
static uint8_t starts[PLAIN_PACKETS][32];
static uint32_t start_size;

static int compare_starts(const void *one, const void *other)
{
    return memcmp(one, other, start_size);
}

static void assert_all_differ(const struct ipsec_case *kind, const char *what, uint32_t offset,
                              uint32_t size)
{
    static uint8_t parts[PLAIN_PACKETS][32];
    uint32_t i;

    for (i = 0; i < PLAIN_PACKETS; i++)
        memcpy(parts[i], starts[i] + offset, size);
    start_size = size;
    qsort(parts, PLAIN_PACKETS, sizeof(parts[0]), compare_starts);
    for (i = 1; i < PLAIN_PACKETS; i++) {
        if (memcmp(parts[i - 1], parts[i], size) == 0)
            fail_msg("%s: two packets have the same %s", ipsec_name(kind), what);
    }
}

/* One lcore's turn at the SA: a job of packets that are all alike. */
static int encrypt_alike(void *argument)
{
    struct spill_job *job = argument;

    job->subject = &pair[0]->lcores[rte_lcore_id()]->subject;
    spill_esp_encrypt(job, ipsec_crypto);
    return 0;
}

/*
 * The same packet many times, on all lcores in turn: to tell from outside that two packets are
 * alike must be impossible. rte_ipsec's own synchronous way would fail here.
 */
static void alike_packets_look_different(void **state)
{
    struct ipsec_frame frame;
    struct ipsec_case kind;
    struct spill_job job;
    uint32_t n, i, j;

    (void)state;
    ipsec_open(NULL);
    for (n = 0; ipsec_case_get(n, &kind); n += 5) {
        uint32_t iv = kind.algorithm->wire_iv_size;

        if (iv == 0)
            continue;
        ipsec_need_pair(&kind, pair);
        for (j = 0; j < PLAIN_JOBS; j++) {
            ipsec_job(&job, pair[0]);
            for (i = 0; i < SPILL_JOB_PACKETS; i++)
                ipsec_add(&job, ipsec_packet(&frame, false, 200, 0, false));
            spill_esp_take_numbers(&job, NULL);
            if (j % LCORES == 0) {
                encrypt_alike(&job);
            } else {
                rte_eal_remote_launch(encrypt_alike, &job, j % LCORES);
                rte_eal_wait_lcore(j % LCORES);
            }
            for (i = 0; i < SPILL_JOB_PACKETS; i++) {
                assert_string_equal(ipsec_failure(job.mbufs[i]), "");
                job.mbufs[i] = ipsec_carry(job.mbufs[i]);
                spill_parse_burst(&job.mbufs[i], 1, 0, spill_packet_of(job.mbufs[i]));
                memcpy(starts[j * SPILL_JOB_PACKETS + i], ipsec_esp_of(job.mbufs[i]) + 8, iv + 16);
            }
            ipsec_free(&job);
        }
        assert_all_differ(&kind, "initialization vector", 0, iv);
        assert_all_differ(&kind, "first block", iv, 16);
        ipsec_free_pair(pair);
    }
    ipsec_close();
}

/* ------------------------------------------------------------------------- outer headers */

/* An IPv4 packet's outer header: of 100 bytes, type of service and flags as said. */
static struct rte_mbuf *outer_of(const struct spill_sa_config *config, uint8_t tos, bool df)
{
    struct ipsec_frame frame;
    struct rte_mbuf *mbuf = ipsec_packet(&frame, false, 80, 0, false);
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv4_hdr *, 14);
    struct spill_job job;

    make_out(config);
    ip->type_of_service = tos;
    ip->fragment_offset = df ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
    ipsec_job(&job, pair[0]);
    ipsec_add(&job, mbuf);
    ipsec_encrypt(&job);
    assert_string_equal(ipsec_failure(mbuf), "");
    spill_sa_free(pair[0]);
    return mbuf;
}

static void outer_headers_are_as_configured(void **state)
{
    static const uint8_t dscps[] = {SPILL_SA_DSCP_COPY, 0, 46, 63};
    struct ipsec_case kind = ipsec_case_of("aes-128-gcm", 4, false);
    struct spill_sa_config config;
    uint32_t df, inside, i, ecn;

    (void)state;
    ipsec_open(NULL);
    ipsec_config(&config, &kind, SPILL_SA_OUT, 4096);
    for (df = SPILL_SA_DF_COPY; df <= SPILL_SA_DF_CLEAR; df++) {
        for (inside = 0; inside < 2; inside++) {
            bool wanted = df == SPILL_SA_DF_SET || (df == SPILL_SA_DF_COPY && inside != 0);
            struct rte_mbuf *mbuf;

            config.df = (enum spill_sa_df)df;
            mbuf = outer_of(&config, 0, inside != 0);
            assert_int_equal(*rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14 + 6), wanted ? 0x40 : 0);
            rte_pktmbuf_free(mbuf);
        }
    }
    for (i = 0; i < RTE_DIM(dscps); i++) {
        for (ecn = 0; ecn < 4; ecn++) {
            struct rte_mbuf *mbuf;
            int dscp = dscps[i] == SPILL_SA_DSCP_COPY ? 10 : dscps[i];

            config.dscp = dscps[i];
            mbuf = outer_of(&config, (uint8_t)(10 << 2 | ecn), false);
            assert_int_equal(*rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14 + 1), dscp << 2 | ecn);
            rte_pktmbuf_free(mbuf);
            config.marks = SPILL_SA_NO_ECN;
            mbuf = outer_of(&config, (uint8_t)(10 << 2 | ecn), false);
            assert_int_equal(*rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14 + 1), dscp << 2);
            rte_pktmbuf_free(mbuf);
            config.marks = 0;
        }
    }
    ipsec_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_is_taken_once),
        cmocka_unit_test(numbers_have_an_end),
        cmocka_unit_test(windows_have_one_writer_at_a_time),
        cmocka_unit_test(lifetimes_end_where_they_should),
        cmocka_unit_test(alike_packets_look_different),
        cmocka_unit_test(outer_headers_are_as_configured),
    };
    int failed;

    ipsec_start(LCORES);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
