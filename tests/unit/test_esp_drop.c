/* SPDX-License-Identifier: BSD-3-Clause */
/* Why ESP packets fail, each under its reason; and what is hostile does no harm. */
#include "ipsec_bench.h"

/* ------------------------------------------------- what a peer may do with an authentic packet */

/* What the next encryption writes in the packet before it is authenticated. */
static struct {
    bool fail;       /* the driver reports an error for each second packet */
    bool sends;      /* now */
    int pad_length;  /* -1: as it was */
    int next_header; /* likewise */
    int pad_byte;    /* likewise; the last of the padding */
    int inner_byte;  /* likewise; the first of the packet inside */
    uint32_t beyond; /* bytes behind the trailer that belong to what is authenticated */
} peer;

uint32_t __real_rte_cryptodev_sym_cpu_crypto_process(uint8_t device,
                                                     struct rte_cryptodev_sym_session *session,
                                                     union rte_crypto_sym_ofs ofs,
                                                     struct rte_crypto_sym_vec *vector);
uint32_t __wrap_rte_cryptodev_sym_cpu_crypto_process(uint8_t device,
                                                     struct rte_cryptodev_sym_session *session,
                                                     union rte_crypto_sym_ofs ofs,
                                                     struct rte_crypto_sym_vec *vector);

static void tamper(uint8_t *payload, uint32_t length)
{
    uint8_t *trailer = payload + length - peer.beyond - 2;

    if (peer.pad_byte >= 0)
        trailer[-1] = (uint8_t)peer.pad_byte;
    if (peer.pad_length >= 0)
        trailer[0] = (uint8_t)peer.pad_length;
    if (peer.next_header >= 0)
        trailer[1] = (uint8_t)peer.next_header;
    if (peer.inner_byte >= 0)
        payload[0] = (uint8_t)peer.inner_byte;
}

uint32_t __wrap_rte_cryptodev_sym_cpu_crypto_process(uint8_t device,
                                                     struct rte_cryptodev_sym_session *session,
                                                     union rte_crypto_sym_ofs ofs,
                                                     struct rte_crypto_sym_vec *vector)
{
    uint32_t good, i;

    for (i = 0; peer.sends && i < vector->num; i++)
        tamper(vector->src_sgl[i].vec[0].base, vector->src_sgl[i].vec[0].len);
    good = __real_rte_cryptodev_sym_cpu_crypto_process(device, session, ofs, vector);
    for (i = 0; peer.fail && i < vector->num; i += 2) {
        vector->status[i] = EBADMSG;
        good--;
    }
    return good;
}

static void be_honest(void)
{
    memset(&peer, 0, sizeof(peer));
    peer.pad_length = peer.next_header = peer.pad_byte = peer.inner_byte = -1;
}

/* ------------------------------------------------------------------------- packets on the way */

static struct spill_sa *pair[2];
static struct ipsec_frame frame;

/* One encrypted packet with so many bytes of payload, as it is received. */
static struct rte_mbuf *sent(bool ipv6, uint32_t payload)
{
    struct spill_job job;

    ipsec_job(&job, pair[0]);
    ipsec_add(&job, ipsec_packet(&frame, ipv6, payload, 0, false));
    peer.sends = true;
    ipsec_encrypt(&job);
    peer.sends = false;
    assert_string_equal(ipsec_failure(job.mbufs[0]), "");
    return ipsec_carry(job.mbufs[0]);
}

/* What becomes of a frame that the parser takes for ESP; "" when it comes out. */
static const char *fate_of(struct rte_mbuf *mbuf, uint16_t *inbound_sa)
{
    struct spill_packet packet;
    struct spill_job job;
    const char *failure;

    ipsec_job(&job, pair[1]);
    spill_parse_burst(&mbuf, 1, 0, &packet);
    if (packet.esp == SPILL_ESP_NONE || packet.kind > SPILL_PACKET_IPV6) {
        rte_pktmbuf_free(mbuf);
        *inbound_sa = 0;
        return "no ESP";
    }
    ipsec_add(&job, mbuf)->sequence = 0;
    ipsec_decrypt(&job);
    failure = ipsec_failure(mbuf);
    *inbound_sa = spill_packet_of(mbuf)->inbound_sa;
    ipsec_free(&job);
    return failure;
}

static void expect(struct rte_mbuf *mbuf, const char *reason, bool authentic)
{
    uint16_t inbound_sa;

    assert_string_equal(fate_of(mbuf, &inbound_sa), reason);
    assert_int_equal(inbound_sa, authentic ? 2 : 0);
}

static const char *const kinds[] = {"aes-128-gcm", "aes-256-cbc+sha512", "aes-128-ctr+sha256",
                                    "null+sha1"};

static void open_pair(const char *algorithm, uint8_t outer, bool esn)
{
    struct ipsec_case kind = ipsec_case_of(algorithm, outer, esn);

    be_honest();
    ipsec_need_pair(&kind, pair);
    /* The high half is authenticated in place where no AEAD does it. */
    peer.beyond = kind.algorithm->type != RTE_CRYPTO_SYM_XFORM_AEAD && esn ? 4 : 0;
}

static int open_crypto(void **state)
{
    (void)state;
    be_honest();
    ipsec_open(NULL);
    return 0;
}

static int close_crypto(void **state)
{
    (void)state;
    ipsec_close();
    return 0;
}

static void what_was_changed_on_the_way_has_a_bad_icv(void **state)
{
    uint32_t i, esn, at;

    (void)state;
    for (i = 0; i < RTE_DIM(kinds); i++) {
        for (esn = 0; esn < 2; esn++) {
            open_pair(kinds[i], 4, esn != 0);
            expect(sent(false, 40), "", true);
            for (at = 0;; at++) {
                struct rte_mbuf *mbuf = sent(false, 40);
                uint8_t *esp = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14 + 20);

                if (34 + at >= mbuf->pkt_len) {
                    rte_pktmbuf_free(mbuf);
                    break;
                }
                esp[at] ^= (uint8_t)(1u << test_random_below(&ipsec_seed, 8));
                /* Its SA was found by the SPI: an AEAD covers that one. */
                if (pair[1]->lcores[0]->crypto.aead && at < 4) {
                    rte_pktmbuf_free(mbuf);
                    continue;
                }
                expect(mbuf, "esp_bad_icv", false);
            }
            assert_true(at > 60);
            ipsec_free_pair(pair);
        }
    }
}

static void padding_must_be_right(void **state)
{
    uint32_t i, esn, length;

    (void)state;
    for (i = 0; i < RTE_DIM(kinds); i++) {
        for (esn = 0; esn < 2; esn++) {
            open_pair(kinds[i], 6, esn != 0);
            expect(sent(false, 41), "", true);
            peer.pad_byte = 77; /* 61 bytes of a packet: one is needed at least */
            expect(sent(false, 41), "esp_bad_padding", true);
            be_honest();
            peer.beyond = pair[0]->high_size != 0 && i != 0 ? 4 : 0;
            peer.pad_length = 255; /* more than there is */
            expect(sent(false, 41), "esp_bad_padding", true);
            for (length = 0; length < 256; length++) {
                uint16_t inbound_sa;

                peer.pad_length = (int)length;
                fate_of(sent(false, 41), &inbound_sa); /* whatever: it does no harm */
                assert_int_equal(inbound_sa, 2);
            }
            ipsec_free_pair(pair);
        }
    }
}

static void tunnels_carry_ip_alone(void **state)
{
    uint32_t i, next;

    (void)state;
    for (i = 0; i < RTE_DIM(kinds); i++) {
        open_pair(kinds[i], 4, false);
        for (next = 0; next < 256; next++) {
            peer.next_header = (int)next;
            if (next == 4)
                expect(sent(false, 100), "", true);
            else if (next == 41)
                expect(sent(true, 100), "", true);
            else
                expect(sent(next % 2 != 0, 100), next == 59 ? "esp_dummy" : "esp_next_header",
                       true);
        }
        ipsec_free_pair(pair);
        /* Transport mode carries anything but nothing. */
        open_pair(kinds[i], 0, false);
        for (next = 0; next < 256; next++) {
            uint16_t inbound_sa;
            const char *fate;

            peer.next_header = (int)next;
            fate = fate_of(sent(false, 100), &inbound_sa);
            assert_int_equal(strcmp(fate, "esp_dummy") == 0, next == 59);
            assert_int_not_equal(strncmp(fate, "esp_", 4) == 0, next != 59);
            assert_int_equal(inbound_sa, 2);
        }
        ipsec_free_pair(pair);
    }
}

/* What is inside an authentic packet is checked like what comes from outside. */
static void what_is_inside_is_parsed(void **state)
{
    uint32_t ipv6;

    (void)state;
    for (ipv6 = 0; ipv6 < 2; ipv6++) {
        open_pair("aes-128-gcm", 4, false);
        peer.inner_byte = 0xff;
        expect(sent(ipv6 != 0, 100), ipv6 != 0 ? "malformed_ipv6" : "malformed_ipv4", true);
        peer.inner_byte = 0x4f; /* options that the packet has no room for */
        expect(sent(false, 10), "malformed_ipv4", true);
        ipsec_free_pair(pair);
    }
}

/* Writes the traffic class of a packet inside. */
static void set_class(struct rte_mbuf *mbuf, bool v6, uint8_t class)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14);
    struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)ip;

    if (v6) {
        ip[0] = (uint8_t)(0x60 | class >> 4);
        ip[1] = (uint8_t)(class << 4);
        return;
    }
    v4->type_of_service = class;
    v4->hdr_checksum = 0;
    v4->hdr_checksum = rte_ipv4_cksum(v4);
}

static void congestion_is_not_lost(void **state)
{
    uint32_t inner, outer, v6;

    (void)state;
    for (v6 = 0; v6 < 2; v6++) {
        for (inner = 0; inner < 4; inner++) {
            for (outer = 0; outer < 4; outer++) {
                struct spill_job job;
                struct rte_mbuf *mbuf;
                uint8_t *ip;

                open_pair("aes-128-gcm", 4, false);
                mbuf = ipsec_packet(&frame, v6 != 0, 100, 0, false);
                ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14);
                ip[1] = (uint8_t)(v6 != 0 ? inner << 4 : inner);
                ipsec_job(&job, pair[0]);
                ipsec_add(&job, mbuf);
                ipsec_encrypt(&job);
                ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14);
                ip[1] = (uint8_t)((ip[1] & ~3u) | outer); /* a router on the way */
                mbuf = ipsec_carry(mbuf);
                ipsec_job(&job, pair[1]);
                ipsec_add(&job, mbuf);
                ipsec_decrypt(&job);
                ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14);
                if (inner == 0 && outer == 3)
                    assert_string_equal(ipsec_failure(mbuf), "esp_congestion");
                else
                    assert_string_equal(ipsec_failure(mbuf), "");
                if (inner != 0 && outer == 3)
                    assert_int_equal((v6 != 0 ? ip[1] >> 4 : ip[1]) & 3, 3);
                ipsec_free(&job);
                ipsec_free_pair(pair);
            }
        }
    }
}

/* Without ECN what a router has written outside is nothing; with the outer DSCP all is as it was
 * but that. */
static void marks_are_passed_on_as_the_sa_has_it(void **state)
{
    uint32_t v6, marks;

    (void)state;
    for (v6 = 0; v6 < 2; v6++) {
        for (marks = 0; marks < 4; marks++) {
            const uint8_t dscp = (marks & SPILL_SA_TAKES_DSCP) != 0 ? 46 : 10;
            const uint8_t ecn = (marks & SPILL_SA_NO_ECN) != 0 ? 2 : 3;
            struct rte_mbuf *mbuf;
            struct spill_job job;
            uint8_t *ip;

            open_pair("aes-128-gcm", 4, false);
            pair[1]->config.marks = (uint8_t)marks;
            mbuf = ipsec_packet(&frame, v6 != 0, 100, 0, false);
            set_class(mbuf, v6 != 0, 10 << 2 | 2);
            ipsec_job(&job, pair[0]);
            ipsec_add(&job, mbuf);
            ipsec_encrypt(&job);
            rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14)[1] = 46 << 2 | 3;
            mbuf = ipsec_carry(mbuf);
            ipsec_job(&job, pair[1]);
            ipsec_add(&job, mbuf);
            ipsec_decrypt(&job);
            assert_string_equal(ipsec_failure(mbuf), "");
            ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14);
            if (v6 != 0) {
                assert_int_equal((ip[0] & 15) << 4 | ip[1] >> 4, dscp << 2 | ecn);
            } else {
                assert_int_equal(ip[1], dscp << 2 | ecn);
                assert_int_equal(rte_raw_cksum(ip, sizeof(struct rte_ipv4_hdr)), 0xffff);
            }
            ipsec_free(&job);
            ipsec_free_pair(pair);
        }
    }
}

/* -------------------------------------------------------------------------------- hostile */

/* Every length that ESP may be cut to, in a buffer that ends there. */
static void every_truncation_has_a_name(void **state)
{
    uint32_t i, esn, length;

    (void)state;
    for (i = 0; i < RTE_DIM(kinds); i++) {
        for (esn = 0; esn < 2; esn++) {
            uint32_t malformed = 0, bad = 0, whole;

            open_pair(kinds[i], 4, esn != 0);
            for (length = 0, whole = 1; length < whole; length++) {
                struct rte_mbuf *mbuf = sent(false, 100);
                struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(mbuf, void *, 14);
                uint16_t inbound_sa;
                const char *fate;

                whole = mbuf->pkt_len - 34;
                rte_pktmbuf_trim(mbuf, (uint16_t)(whole - length));
                ip->total_length = rte_cpu_to_be_16((uint16_t)(20 + length));
                fate = fate_of(mbuf, &inbound_sa);
                assert_int_equal(inbound_sa, 0);
                malformed += strcmp(fate, "esp_malformed") == 0;
                bad += strcmp(fate, "esp_bad_icv") == 0;
                if (length >= 8)
                    assert_true(strcmp(fate, "esp_malformed") == 0 ||
                                strcmp(fate, "esp_bad_icv") == 0);
                else
                    assert_string_equal(fate, "no ESP");
                if (length >= 8 && length < pair[1]->least)
                    assert_string_equal(fate, "esp_malformed");
            }
            assert_true(malformed > 0 && bad > 0 && malformed + bad + 8 == whole);
            ipsec_free_pair(pair);
        }
    }
}

static void random_bytes_never_come_out(void **state)
{
    uint32_t round, i;

    (void)state;
    for (round = 0; round < TEST_ROUNDS(100); round++) {
        uint32_t nat = test_random_below(&ipsec_seed, 2);
        struct ipsec_case kind;

        assert_true(ipsec_case_get(test_random_below(&ipsec_seed, 276), &kind));
        kind.nat_traversal = nat != 0;
        be_honest();
        ipsec_need_pair(&kind, pair);
        for (i = 0; i < 50; i++) {
            uint32_t payload = test_random_below(&ipsec_seed, 600), j;
            struct rte_mbuf *mbuf = ipsec_packet(&frame, i % 2 != 0, payload, 0, false);
            uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 14);
            uint16_t inbound_sa;

            ip[i % 2 != 0 ? 6 : 9] = nat != 0 ? IPPROTO_UDP : IPPROTO_ESP;
            for (j = i % 2 != 0 ? 40 : 20; j < mbuf->pkt_len - 14; j++)
                ip[j] = (uint8_t)test_random(&ipsec_seed);
            if (nat != 0 && payload >= 8) {
                ipsec_put16(ip + (i % 2 != 0 ? 42 : 22), 4500);
                ipsec_put16(ip + (i % 2 != 0 ? 44 : 24), payload);
            }
            assert_string_not_equal(fate_of(mbuf, &inbound_sa), "");
            assert_int_equal(inbound_sa, 0);
        }
        ipsec_free_pair(pair);
    }
}

static void a_packet_counts_once_in_a_job(void **state)
{
    struct rte_mbuf *one, *two;
    struct spill_job job;
    uint32_t i;

    (void)state;
    for (i = 0; i < RTE_DIM(kinds); i++) {
        open_pair(kinds[i], 4, true);
        one = sent(false, 100);
        two = rte_pktmbuf_copy(one, ipsec_mbufs, 0, UINT32_MAX);
        ipsec_job(&job, pair[1]);
        ipsec_add(&job, one);
        ipsec_add(&job, two);
        ipsec_add(&job, sent(true, 100));
        ipsec_decrypt(&job);
        assert_string_equal(ipsec_failure(job.mbufs[0]), "");
        assert_string_equal(ipsec_failure(job.mbufs[1]), "esp_replayed");
        assert_string_equal(ipsec_failure(job.mbufs[2]), "");
        assert_int_equal(spill_packet_of(two)->inbound_sa, 2); /* authentic: the window is asked */
        ipsec_free(&job);
        ipsec_free_pair(pair);
    }
}

/* ------------------------------------------------------------------------ want of room, errors */

/* Encrypts a packet, which must fail for want of room. */
static void expect_no_room(struct rte_mbuf *mbuf, bool fails)
{
    struct spill_job job;

    ipsec_job(&job, pair[0]);
    ipsec_add(&job, mbuf);
    ipsec_encrypt(&job);
    assert_string_equal(ipsec_failure(mbuf), fails ? "esp_no_room" : "");
    ipsec_free(&job);
}

static void buffers_without_room_are_refused(void **state)
{
    struct rte_mbuf *mbuf, *tail;
    uint32_t room;

    (void)state;
    open_pair("aes-128-gcm", 4, false);
    for (room = SPILL_ESP_TAIL - 1; room <= SPILL_ESP_TAIL; room++) {
        mbuf = ipsec_packet(&frame, false, 100, 0, false);
        mbuf->buf_len = (uint16_t)(mbuf->data_off + mbuf->data_len + room);
        expect_no_room(mbuf, room < SPILL_ESP_TAIL);
    }
    for (room = SPILL_ESP_HEAD - 1; room <= SPILL_ESP_HEAD; room++) {
        mbuf = ipsec_packet(&frame, false, 100, 0, false);
        rte_pktmbuf_reset(mbuf);
        mbuf->data_off = (uint16_t)room;
        memcpy(rte_pktmbuf_append(mbuf, (uint16_t)frame.length), frame.bytes, frame.length);
        expect_no_room(mbuf, room < SPILL_ESP_HEAD);
    }
    /* Segments that fit into one are put into one; those that don't, can't. */
    for (room = 0; room < 2; room++) {
        mbuf = ipsec_packet(&frame, false, 1000, 0, false);
        tail = rte_pktmbuf_copy(mbuf, ipsec_mbufs, 500, UINT32_MAX);
        rte_pktmbuf_trim(mbuf, (uint16_t)(mbuf->pkt_len - 500));
        assert_int_equal(rte_pktmbuf_chain(mbuf, tail), 0);
        if (room == 0)
            mbuf->buf_len = (uint16_t)(mbuf->data_off + 600);
        expect_no_room(mbuf, room == 0);
    }
    ipsec_free_pair(pair);
}

/* The most that is put in front of a packet begins where its buffer does. */
static void nothing_is_written_before_the_buffer(void **state)
{
    enum { GUARD = 64 };
    struct ipsec_case kind = ipsec_case_of("aes-128-cbc+sha256", 6, true);
    struct rte_mbuf *mbuf = ipsec_packet(&frame, false, 100, 0, false);
    uint8_t *begin = mbuf->buf_addr, intact[GUARD];
    struct spill_job job;

    (void)state;
    kind.nat_traversal = true;
    be_honest();
    ipsec_need_pair(&kind, pair);
    memset(begin, 0xa5, GUARD);
    memset(intact, 0xa5, GUARD);
    mbuf->buf_addr = begin + GUARD;
    mbuf->buf_len -= GUARD;
    mbuf->data_off = SPILL_ESP_HEAD;
    memcpy(rte_pktmbuf_mtod(mbuf, void *), frame.bytes, frame.length);
    ipsec_job(&job, pair[0]);
    ipsec_add(&job, mbuf);
    ipsec_encrypt(&job);
    assert_string_equal(ipsec_failure(mbuf), "");
    assert_memory_equal(begin, intact, GUARD);
    mbuf->buf_addr = begin;
    mbuf->buf_len += GUARD;
    ipsec_free(&job);
    ipsec_free_pair(pair);
}

/* A number is its packet's, also when others of the job fail. */
static void a_failure_shifts_no_number(void **state)
{
    struct spill_job job;
    uint32_t i;

    (void)state;
    open_pair("aes-128-gcm", 4, false);
    ipsec_job(&job, pair[0]);
    for (i = 0; i < 10; i++) {
        struct rte_mbuf *mbuf = ipsec_packet(&frame, i == 7, 100, 0, false);

        if (i % 4 == 2)
            mbuf->buf_len = (uint16_t)(mbuf->data_off + mbuf->data_len);
        ipsec_add(&job, mbuf);
    }
    ipsec_encrypt(&job);
    for (i = 0; i < 10; i++) {
        struct rte_mbuf *mbuf = job.mbufs[i];

        assert_string_equal(ipsec_failure(mbuf), i % 4 == 2 ? "esp_no_room" : "");
        if (i % 4 == 2) {
            rte_pktmbuf_free(mbuf);
            continue;
        }
        mbuf = ipsec_carry(mbuf);
        spill_parse_burst(&mbuf, 1, 0, spill_packet_of(mbuf));
        assert_int_equal(ipsec_sequence_of(mbuf), 1 + i);
        expect(mbuf, "", true);
    }
    ipsec_free_pair(pair);
}

static void errors_of_the_driver_are_told(void **state)
{
    struct spill_job job;
    uint32_t i;

    (void)state;
    open_pair("aes-128-cbc+sha256", 4, true);
    peer.fail = true;
    ipsec_job(&job, pair[0]);
    for (i = 0; i < 10; i++)
        ipsec_add(&job, ipsec_packet(&frame, i == 4, 100, 0, false));
    ipsec_encrypt(&job);
    peer.fail = false;
    for (i = 0; i < 10; i++) {
        assert_string_equal(ipsec_failure(job.mbufs[i]), i % 2 == 0 ? "esp_crypto_failed" : "");
        if (i % 2 != 0)
            expect(ipsec_carry(job.mbufs[i]), "", true);
        else
            rte_pktmbuf_free(job.mbufs[i]);
    }
    ipsec_free_pair(pair);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_crypto, close_crypto)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_changed_on_the_way_has_a_bad_icv),
        TEST(padding_must_be_right),
        TEST(tunnels_carry_ip_alone),
        TEST(what_is_inside_is_parsed),
        TEST(congestion_is_not_lost),
        TEST(marks_are_passed_on_as_the_sa_has_it),
        TEST(every_truncation_has_a_name),
        TEST(random_bytes_never_come_out),
        TEST(a_packet_counts_once_in_a_job),
        TEST(buffers_without_room_are_refused),
        TEST(nothing_is_written_before_the_buffer),
        TEST(a_failure_shifts_no_number),
        TEST(errors_of_the_driver_are_told),
    };
    int failed;

    ipsec_start(1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rte_eal_cleanup();
    return failed;
}
